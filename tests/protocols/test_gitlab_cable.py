"""The subscription over which GitLab's extensions hear answers: ActionCable on a WebSocket."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from desks import CHAT, Desk, desk_at, subscription
from house import eventually
from node import CLIENTS, installed, program, run
from script import event, piece
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from script import Peer

FILE = {"fileName": "add.py", "selectedText": "def add(a, b): ...", "contentAboveCursor": "import os\n"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path) as made:
        yield made


@pytest.mark.proves("actioncable", "chat", "streaming")
async def test_rails_own_client_hears_an_answer(desk: Desk) -> None:
    await installed()
    base = f"http://127.0.0.1:{desk.house.port}"
    said = await run(
        program("node"), "cable.mjs", base, desk.token, await desk.me(), "What is one plus two?", folder=CLIENTS
    )
    events = [json.loads(line) for line in said.splitlines()]
    assert [each["event"] for each in events[:2]] == ["connected", "received"]
    assert events[1]["said"] is None
    pieces = [each["said"] for each in events[2:] if each["event"] == "received"]
    assert [each["chunkId"] for each in pieces] == [1, 2, 3, None]
    assert [each["content"] for each in pieces] == ["one", " + ", "two", "one + two"]
    (asked,) = (each for each in events if each["event"] == "asked")
    assert {each["requestId"] for each in pieces} == {asked["requestId"]}
    assert {each["role"] for each in pieces} == {"ASSISTANT"}


async def test_the_conversation_on_the_wire(desk: Desk) -> None:
    async with desk.cable(Origin=f"http://127.0.0.1:{desk.house.port}") as cable:
        assert cable.socket.subprotocol == "actioncable-v1-json"
        assert await cable.hear() == {"type": "welcome"}
        user = await desk.me()
        identifier = await cable.subscribe(user, spaced="  as it came  ")
        first = await cable.hear()
        assert first == {
            "identifier": identifier,
            "message": {"result": {"data": {"aiCompletionResponse": None}}, "more": True},
        }
        asked = await desk.data(CHAT, {"question": "Why?", "clientSubscriptionId": "s1"})
        said = [await cable.said() for _ in range(4)]
        assert [each["chunkId"] for each in said] == [1, 2, 3, None]
        assert said[-1]["content"] == "one + two"
        assert said[-1]["requestId"] == asked["aiAction"]["requestId"]
        found = await desk.data("{ aiMessages(roles: [USER, ASSISTANT]) { nodes { role content requestId } } }")
        assert [each["role"] for each in found["aiMessages"]["nodes"]] == ["USER", "ASSISTANT"]
        await cable.send(command="unsubscribe", identifier=identifier)
        await cable.subscribe(user, "s1")


async def test_pings_come_by_themselves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeport.protocols.gitlab_cable.PING_S", 0.01)
    async with desk.cable() as cable:
        assert (await cable.hear())["type"] == "welcome"
        ping = await cable.hear(pings=True)
        assert (ping["type"], ping["message"] > 1_700_000_000) == ("ping", True)


@pytest.mark.parametrize("token", ["", "nonsense"])
async def test_who_is_not_known_is_told_not_to_come_back(desk: Desk, token: str) -> None:
    async with desk.cable(token, **({} if token else {"Authorization": ""})) as cable:
        assert await cable.hear() == {"type": "disconnect", "reason": "unauthorized", "reconnect": False}
        with pytest.raises(ConnectionClosed):
            await cable.hear()


async def test_scope_and_origin_are_asked_for(desk: Desk) -> None:
    coder = await desk.admit("complete_code", name="coder")
    async with desk.cable(coder) as cable:
        assert (await cable.hear())["reason"] == "unauthorized"
    async with desk.cable(Origin="https://evil.example") as cable:
        assert await cable.hear() == {"type": "disconnect", "reason": "invalid_request", "reconnect": False}


async def test_private_token_header(desk: Desk) -> None:
    async with desk.cable("", **{"Authorization": "", "PRIVATE-TOKEN": desk.token}) as cable:
        assert await cable.hear() == {"type": "welcome"}


async def test_nobody_hears_what_others_are_told(desk: Desk) -> None:
    eve = await desk.admit(name="eves", owner="eve")
    user = await desk.me()
    async with desk.cable(eve) as spy, desk.cable() as cable:
        await spy.hear()
        await cable.hear()
        await spy.subscribe(user)
        told = (await spy.hear())["message"]
        assert told["result"]["data"] == {"aiCompletionResponse": None}
        assert "Unauthorized subscription" in told["result"]["errors"][0]["message"]
        assert told["more"] is False
        await cable.subscribe(user)
        await cable.hear()
        await desk.data(CHAT, {"question": "Why?", "clientSubscriptionId": "s1"})
        while (await cable.said())["chunkId"]:
            pass
        assert (await desk.query("{ aiMessages { nodes { content } } }", token=eve))["data"]["aiMessages"][
            "nodes"
        ] == []
        await spy.send(command="subscribe", identifier="{}")
        assert (await spy.hear())["type"] == "reject_subscription"


BAD: dict[str, Any] = {
    "no JSON": "nonsense",
    "another channel": json.dumps({"channel": "Other"}),
    "no object": "[]",
}


@pytest.mark.parametrize("case", BAD)
async def test_what_cannot_be_subscribed_is_rejected(desk: Desk, case: str) -> None:
    async with desk.cable() as cable:
        await cable.hear()
        await cable.send(command="subscribe", identifier=BAD[case])
        assert await cable.hear() == {"type": "reject_subscription", "identifier": BAD[case]}
        await cable.socket.send("not even JSON")
        await cable.send(command="dance", identifier="x")
        await cable.socket.send(b"\x00\x01")
        await cable.subscribe(await desk.me())


@pytest.mark.parametrize("query", ["{ currentUser { id } }", "subscription { nope }", "nonsense {", ""])
async def test_a_bad_query_is_an_error_with_data_in_it(desk: Desk, query: str) -> None:
    async with desk.cable() as cable:
        await cable.hear()
        await cable.subscribe(await desk.me(), query=query)
        result = (await cable.hear())["message"]["result"]
        assert result["data"] == {"aiCompletionResponse": None}
        assert result["errors"][0]["message"]


async def test_the_model_is_left_when_the_listener_leaves(desk: Desk) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "and so on"))
        await peer.hang()

    desk.house.models.play = play
    async with desk.cable() as cable:
        await cable.hear()
        await cable.subscribe(await desk.me())
        await cable.hear()
        await desk.data(CHAT, {"question": "Why?", "clientSubscriptionId": "s1"})
        assert (await cable.said())["chunkId"] == 1
        peer = await desk.house.models.next()
    await asyncio.wait_for(peer.closed.wait(), 20)
    lines = desk.house.records
    await eventually(lambda: any(each["path"] == "/api/graphql (chat)" for each in lines()))
    (line,) = (each for each in lines() if each["path"] == "/api/graphql (chat)")
    assert line["outcome"] == "client_closed"


async def test_upstream_failures_end_the_answer_with_an_error(desk: Desk) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.document({"error": "no"}, 500)

    async def break_off(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "one"))
        await peer.chunk(event({"error": {"message": "gone"}}))
        await peer.end()

    async with desk.cable() as cable:
        await cable.hear()
        await cable.subscribe(await desk.me())
        await cable.hear()
        for play, pieces in ((refuse, 0), (break_off, 1)):
            desk.house.models.play = play
            asked = await desk.data(CHAT, {"question": "Why?", "clientSubscriptionId": "s1"})
            said = [await cable.said() for _ in range(pieces + 1)]
            assert [each["chunkId"] for each in said] == [*range(1, pieces + 1), None]
            assert said[-1]["content"] == ""
            assert asked["aiAction"]["requestId"] in said[-1]["errors"][0]


SLASHES = {
    "/explain": ("chat_explain_code", FILE),
    "/tests with pytest": ("chat_write_tests", FILE),
    "/fix": ("chat_fix_code", FILE),
    "/refactor for speed": ("chat_refactor_code", FILE),
    "Who are you?": ("chat_agent", None),
}


async def test_commands(desk: Desk) -> None:
    async with desk.cable() as cable:
        await cable.hear()
        await cable.subscribe(await desk.me())
        await cable.hear()
        for question, (_, file) in SLASHES.items():
            await desk.data(CHAT, {"question": question, "clientSubscriptionId": "s1", "file": file})
            while (said := await cable.said())["chunkId"]:
                pass
            assert said["content"] == "one + two", question
        heard = [json.dumps(each.json["messages"]) for each in desk.house.models.heard]
        assert all("def add(a, b)" in each for each in heard[:-1])
        assert "with pytest" in heard[1]
        asked = {"question": "/explain", "clientSubscriptionId": "s1", "file": {**FILE, "selectedText": " "}}
        await desk.data(CHAT, asked)
        assert "Select some code" in (await cable.said())["content"]
        await desk.data(CHAT, {"question": "/help", "clientSubscriptionId": "s1"})
        assert "`/refactor`" in (await cable.said())["content"]
        assert len(desk.house.models.heard) == len(SLASHES)


async def test_a_conversation_is_remembered_reset_and_forgotten(desk: Desk) -> None:
    async with desk.cable() as cable:
        await cable.hear()
        await cable.subscribe(await desk.me())
        await cable.hear()
        for question in ("My name is Ada.", "Who am I?", "/reset", "And now?"):
            await desk.data(CHAT, {"question": question, "clientSubscriptionId": "s1"})
            while (await cable.said())["chunkId"]:
                pass
        told = [json.dumps(each.json["messages"]) for each in desk.house.models.heard]
        assert ["My name is Ada." in each for each in told] == [True, True, False]
        await desk.data(CHAT, {"question": "/clear", "clientSubscriptionId": "s1"})
        await cable.said()
        assert (await desk.data("{ aiMessages { nodes { id } } }"))["aiMessages"]["nodes"] == []


async def test_bounds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    user = await desk.me()
    async with desk.cable() as cable:
        await cable.hear()
        await cable.send(command="subscribe", identifier="x" * 70_000)
        with pytest.raises(ConnectionClosed):
            await cable.hear()
    monkeypatch.setattr("homeport.protocols.gitlab_cable.SUBSCRIPTIONS", 1)
    monkeypatch.setattr("homeport.protocols.gitlab_cable.SOCKETS", 1)
    async with desk.cable() as cable:
        await cable.hear()
        await cable.subscribe(user)
        await cable.hear()
        second = subscription(user, "s2")
        await cable.send(command="subscribe", identifier=second)
        assert await cable.hear() == {"type": "reject_subscription", "identifier": second}
        async with desk.cable() as other:
            assert await other.hear() == {"type": "disconnect", "reason": "remote", "reconnect": True}


async def test_who_does_not_keep_up_is_let_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeport.protocols.gitlab_cable.WAITING", 2)
    async with desk.cable() as cable:
        await cable.hear()
        for number in range(50):
            await cable.send(command="subscribe", identifier=str(number))
        while (await cable.hear())["type"] != "disconnect":
            pass
        with pytest.raises(ConnectionClosed):
            await cable.hear()


async def test_a_stop_says_farewell(tmp_path: Path) -> None:
    async with desk_at(tmp_path) as desk, desk.cable() as cable:
        await cable.hear()
        desk.house.server.should_exit = True
        assert await cable.hear() == {"type": "disconnect", "reason": "server_restart", "reconnect": True}
        await desk.house.stopped


async def test_other_paths_do_not_become_sockets(desk: Desk) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    answer = await desk.ask("GET", "/api/v4/version", None, **upgrade, Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    assert (answer.status, answer.json["enterprise"]) == (200, True)
    plain = await desk.ask("GET", "/-/cable")
    assert (plain.status, "WebSocket" in plain.json["message"]) == (400, True)
