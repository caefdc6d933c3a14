"""One turn of GitLab's chat over the wire: tools, context and history in; an answer, a call or an error out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import SHORT, WORDS, asking, eventually, opened
from script import DONE, Peer, document, event, piece, stream, usage_event
from ways import lines

from homeport import families
from homeport.access import SCOPES
from homeport.families import Family
from homeport.features._measure import USUAL
from homeport.features.chat_agent import LAST
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from house import House
    from wire import Answer

    Play = Callable[[Peer], Awaitable[None]]

PATH = "/v2/chat/agent"
FAMILIES = discover(families, Family)
CALLING = "Thought: I need the issue.\nAction: issue_reader\nAction Input: #12"
OLD = ("issue_reader", "epic_reader", "gitlab_documentation")
NEWER = (*OLD, "commit_reader", "build_reader", "merge_request_reader")
ALL = (*NEWER, "work_item_reader")
CATEGORIES = (
    *("file", "snippet", "merge_request", "issue", "dependency", "local_git", "terminal", "repository", "directory"),
    *("os_information", "agent_user_environment"),
)
STEP = {"action": {"type": "action", "tool": "issue_reader", "tool_input": "#12", "thought": "Look."}}
FLAT = {"tool": "issue_reader", "tool_input": "#12", "thought": "Look.", "observation": "The title is Crash."}


def asks(text: str = "What is issue 12 about?", **fields: Any) -> dict[str, Any]:
    """A request in the newer form."""
    return {"messages": [{"role": "user", "content": text, **fields}]}


def later(*steps: dict[str, Any], text: str = "What is issue 12 about?") -> dict[str, Any]:
    """A request of a later round."""
    return {"messages": [*asks(text)["messages"], {"role": "assistant", "content": None, "agent_scratchpad": [*steps]}]}


def seen(observation: str, number: int = 12) -> dict[str, Any]:
    """A step with what came of it."""
    return {"action": STEP["action"] | {"tool_input": f"#{number}"}, "observation": observation}


async def turn(house: House, body: Any = None, version: str = "18.2.0-ee", **options: Any) -> Answer:
    """One turn as a GitLab of this version asks for it."""
    return await house.post(PATH, body or asks(), X_Gitlab_Version=version, **options)


def found(answer: Answer) -> list[tuple[str, Any]]:
    """Type and data of each line of a proper answer."""
    assert (answer.status, answer.whole) == (200, True)
    assert answer.header("content-type") == "application/x-ndjson; charset=utf-8"
    assert answer.body.count(b"\n") == len(answer.body.splitlines())
    return [(line["type"], line["data"]) for line in lines(answer.body)]


def text(answer: Answer) -> str:
    """The final answer, when there is nothing else."""
    parts = found(answer)
    assert {kind for kind, _ in parts} == {"final_answer_delta"}
    return "".join(data["text"] for _, data in parts)


def asked(peer: Peer) -> str:
    """All the words that the model was shown."""
    said = peer.json
    return said.get("prompt") or "\n\n".join(message["content"] or "" for message in said["messages"])


def saying(*answers: str) -> Play:
    """A model that says one thing after the other, in small pieces."""
    left = list(answers)

    async def play(peer: Peer) -> None:
        words = left.pop(0) if len(left) > 1 else left[0]
        await peer.head()
        await peer.events(stream(peer.kind, [words[at : at + 5] for at in range(0, len(words), 5)]))
        await peer.end()

    return play


def calls(*deltas: dict[str, Any], finish: str = "tool_calls") -> Play:
    """A model that calls tools by itself."""

    async def play(peer: Peer) -> None:
        await peer.head()
        for delta in deltas:
            await peer.chunk(event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))
        end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        await peer.events([end, usage_event(), DONE])
        await peer.end()

    return play


def call(name: str = "", arguments: str = "", index: int = 0, **more: Any) -> dict[str, Any]:
    """A piece of a call."""
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {"tool_calls": [{"index": index, "function": function, **more}]}


def serve(house: House, family: str) -> None:
    """Let a model of this family answer chat."""
    house.snapshot = house.snapshot.with_models(house.model(WORDS, family=family))


# what comes out


async def test_an_action_comes_once_and_alone(house: House) -> None:
    house.models.play = saying(CALLING)
    expected = {"tool": "issue_reader", "tool_input": "#12", "thought": "I need the issue."}
    assert found(await turn(house)) == [("action", expected)]
    record = await house.record()
    assert record["duo_chat.agent_available_tools"] == list(ALL)
    assert record["duo_chat.agent_tool_action"] == "issue_reader"
    assert (record["outcome"], record["finish"]) == ("completed", "stop")


async def test_a_final_answer_comes_in_deltas_and_without_its_mark(house: House) -> None:
    house.models.play = saying("Thought: I know.\nFinal Answer: A mutex\nis a lock.")
    answer = await turn(house)
    assert text(answer) == "A mutex\nis a lock."
    assert len(found(answer)) > 2
    assert "duo_chat.agent_tool_action" not in await house.record()


async def test_an_answer_without_any_mark_is_an_answer(house: House) -> None:
    for said in ("A mutex is a lock.", "A mutex is a lock. " * 50, "Thought: A mutex is a lock."):
        house.models.play = saying(said)
        assert text(await turn(house)) == said.removeprefix("Thought: ").strip()


async def test_what_cannot_be_read_is_unknown_after_a_second_try(house: House) -> None:
    house.models.play = saying("Thought: x\nAction: ---")
    assert found(await turn(house)) == [("unknown", {"text": "Thought: x\nAction: ---"})]
    assert len(house.models.heard) == 2
    assert "could not be read" in asked(house.models.heard[1])


async def test_a_tool_that_does_not_exist_never_goes_out(house: House) -> None:
    house.models.play = saying("Thought: x\nAction: web_search\nAction Input: mutex", "Final Answer: A lock.")
    assert text(await turn(house)) == "A lock."
    first, second = house.models.heard
    assert "There is no such tool" not in asked(first)
    assert "There is no such tool. Those that there are: issue_reader, epic_reader" in asked(second)
    assert (await house.record())["corrected"] == "unknown tool"


async def test_a_model_that_insists_on_such_a_tool_is_an_error_that_gitlab_knows(house: House) -> None:
    house.models.play = saying("Thought: x\nAction: web_search\nAction Input: mutex")
    ((kind, data),) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", False)
    assert "tool not available" in data["message"]
    assert "web_search" not in data["message"]
    assert len(house.models.heard) == 2
    assert (await house.record())["error_code"] == "tool_not_available"


async def test_a_call_that_was_made_before_is_not_made_again(house: House) -> None:
    house.models.play = saying(CALLING, "It is about a crash.")
    assert text(await turn(house, later(seen("The title is Crash.")))) == "It is about a crash."
    first, second = house.models.heard
    assert "issue_reader:" in asked(first)
    assert "issue_reader:" not in asked(second)
    assert "Answer the question now" in asked(second)


async def test_the_last_round_must_end_in_an_answer(house: House) -> None:
    house.models.play = saying("Final Answer: I do not know.")
    steps = [seen(f"Nothing in {n}.", n) for n in range(LAST)]
    assert text(await turn(house, later(*steps))) == "I do not know."
    (peer,) = house.models.heard
    assert "issue_reader:" not in asked(peer)
    assert "Answer the question now" in asked(peer)
    assert all(f"Nothing in {n}." in asked(peer) for n in range(LAST))


async def test_an_empty_answer_is_an_error_that_is_tried_again(house: House) -> None:
    for said in ("", "  \n", "<think>hm", "Final Answer:"):
        house.models.play = saying(said)
        ((kind, data),) = found(await turn(house))
        assert (kind, data["retryable"]) == ("error", True)
        assert "gave an empty answer" in data["message"]


async def test_thoughts_of_a_reasoning_model_are_left_out(house: House) -> None:
    house.models.play = saying("<think>\nAction: epic_reader\n</think>\n\nFinal Answer: A lock.")
    assert text(await turn(house)) == "A lock."
    house.models.play = saying("<think>hm</think>A lock.")
    assert text(await house.post(PATH, asks())) == "A lock."


async def test_an_empty_input_is_the_question(house: House) -> None:
    house.models.play = saying("Thought: x\nAction: issue_reader\nAction Input:")
    ((_, data),) = found(await turn(house))
    assert data["tool_input"] == "What is issue 12 about?"


async def test_awkward_characters_stay_in_their_line(house: House) -> None:
    house.models.play = saying('Thought: "a"\nb\u2028\nAction: issue_reader\nAction Input: {"query": "x\\ny \\ud83d"}')
    ((kind, data),) = found(await turn(house))
    assert (kind, data["tool_input"].partition(" ")[0]) == ("action", "x\ny")
    assert data["thought"] == '"a"\nb'


async def test_the_answer_flows_as_soon_as_it_is_certain(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "Thought: I know.\nFinal Answer: It is"))
        await peer.hang()

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", PATH, asks(), {"X-Gitlab-Version": "18.2.0"}))
        assert (await wire.head())[0] == 200
        assert json.loads(await wire.chunk()) == {"type": "final_answer_delta", "data": {"text": "It is"}}
        assert not house.models.heard[0].closed.is_set()


async def test_who_leaves_stops_the_model_while_a_call_is_held_back(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "Thought: I need"))
        await peer.hang()

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", PATH, asks(), {"X-Gitlab-Version": "18.2.0"}))
        peer = await house.models.next()
        await eventually(lambda: peer.accepted > 0)
        wire.leave()
        await eventually(peer.closed.is_set)
    assert (await house.record())["outcome"] == "client_closed"


async def test_the_model_is_stopped_where_it_invents_what_a_tool_found(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, f"{CALLING}\nobservation:"))
        await peer.hang()

    house.models.play = play
    assert found(await turn(house))[0][1]["tool_input"] == "#12"
    await eventually(house.models.heard[0].closed.is_set)


async def test_streaming_can_be_switched_off() -> None:
    async with opened(disable_streaming=True) as house:
        house.models.words = ["Thought: I know.\nFinal Answer: one", " two", "\nthree"]
        assert found(await turn(house)) == [("final_answer_delta", {"text": "one two\nthree"})]
        house.models.words = ["one", " two"]
        assert found(await house.post(PATH, asks())) == [("final_answer_delta", {"text": "one two"})]
        house.models.words = [CALLING]
        assert found(await turn(house))[0][0] == "action"
        assert {peer.json["stream"] for peer in house.models.heard} == {False}


# tools


@pytest.mark.parametrize(
    ("version", "tools"),
    [
        ("17.4.0", OLD),
        ("17.4.99-ee", OLD),
        ("17.5.0-pre", NEWER),
        ("17.5.0", NEWER),
        ("17.11.2-ee", NEWER),
        ("18.1.9", NEWER),
        ("18.2.0-pre", NEWER),
        ("18.2.0-rc42-ee", NEWER),
        ("18.2", ALL),
        ("v18.2.0", ALL),
        ("19.0.0-ee", ALL),
        ("not a version", OLD),
        ("", OLD),
    ],
)
async def test_tools_are_offered_by_version(house: House, version: str, tools: tuple[str, ...]) -> None:
    await turn(house, version=version)
    assert (await house.record())["duo_chat.agent_available_tools"] == list(tools)
    said = asked(house.models.heard[0])
    assert [name for name in ALL if f"- {name}: " in said] == list(tools)


@pytest.mark.parametrize(
    ("scope", "tool"),
    [
        ("ask_issue", "issue_reader"),
        ("ask_epic", "epic_reader"),
        ("documentation_search", "gitlab_documentation"),
        ("ask_commit", "commit_reader"),
        ("ask_build", "build_reader"),
        ("ask_merge_request", "merge_request_reader"),
        ("ask_work_item", "work_item_reader"),
    ],
)
async def test_tools_are_offered_by_scope(house: House, scope: str, tool: str) -> None:
    token = house.admit(scopes=frozenset({"duo_chat", scope}))
    assert (await turn(house, token=token)).status == 200
    assert (await house.record())["duo_chat.agent_available_tools"] == [tool]


async def test_a_token_with_no_tools_gets_plain_chat(house: House) -> None:
    token = house.admit(scopes=frozenset({"duo_chat"}))
    house.models.words = ["Thought", "ful"]
    assert text(await turn(house, token=token)) == "Thoughtful"
    assert "Action" not in asked(house.models.heard[0])


async def test_without_duo_chat_nobody_comes_in(house: House) -> None:
    answer = await turn(house, token=house.admit(scopes=frozenset(SCOPES) - {"duo_chat"}))
    assert answer.status == 403
    assert "duo_chat" in answer.json["detail"][0]["msg"]
    assert not house.models.heard


async def test_what_is_not_available_is_told_and_not_offered(house: House) -> None:
    for given in (["Merge Requests", "Pipelines"], ["Merge Requests, Pipelines"]):
        await turn(house, asks() | {"unavailable_resources": given})
        assert "no access to: Merge Requests, Pipelines." in asked(house.models.heard[-1])
        assert "merge_request_reader" not in asked(house.models.heard[-1])
    for nothing in ({}, {"unavailable_resources": None}):
        await turn(house, asks() | nothing)
        assert "no access to: Merge Requests, Pipelines, Vulnerabilities." in asked(house.models.heard[-1])
        assert "- merge_request_reader: " in asked(house.models.heard[-1])


# models that call tools by themselves


async def test_a_native_call_becomes_an_action(house: House) -> None:
    serve(house, "mistral")
    house.models.play = calls(
        {"role": "assistant", "content": "I will read it."},
        call("issue_reader", id="a", type="function"),
        call(arguments='{"que'),
        call(arguments='ry": "#1'),
        call(arguments='2"}'),
        call("epic_reader", '{"query": "&1"}', index=1),
    )
    expected = {"tool": "issue_reader", "tool_input": "#12", "thought": "I will read it."}
    assert found(await turn(house)) == [("action", expected)]
    said = house.models.heard[0].json
    assert [tool["function"]["name"] for tool in said["tools"]] == list(ALL)
    assert all(tool["function"]["parameters"]["required"] == ["query"] for tool in said["tools"])
    assert "stop" not in said or "\nObservation:" not in said["stop"]
    record = await house.record()
    assert (record["native_tools"], record["duo_chat.agent_tool_action"]) == (True, "issue_reader")


@pytest.mark.parametrize(
    ("delta", "given"),
    [
        (call("issue_reader", '{"query": "#12"}'), "#12"),
        (call("IssueReader", "{}"), "What is issue 12 about?"),
        (call("issue_reader"), "What is issue 12 about?"),
        (call("issue_reader", "#12"), "#12"),
        (call("issue_reader", '{"issue": 12, "project": "a/b"}'), "issue: 12, project: a/b"),
        ({"tool_calls": [{"function": {"name": "issue_reader", "arguments": {"query": "#12"}}}]}, "#12"),
        ({"content": None, "tool_calls": [{"index": None, "function": {"name": "issue_reader"}}]}, None),
    ],
    ids=repr,
)
async def test_native_calls_in_other_shapes(house: House, delta: dict[str, Any], given: str | None) -> None:
    serve(house, "mistral")
    house.models.play = calls(delta)
    ((kind, data),) = found(await turn(house))
    assert (kind, data["tool"]) == ("action", "issue_reader")
    assert data["tool_input"] == (given or "What is issue 12 about?")


async def test_a_native_answer_is_an_answer(house: House) -> None:
    serve(house, "gpt")
    house.models.words = ["A mutex ", "is a lock. "] * 40
    answer = await turn(house)
    assert text(answer) == ("A mutex is a lock. " * 40).strip()
    assert len(found(answer)) > 5
    house.models.words = ["A mutex ", "is a lock."]
    assert text(await turn(house)) == "A mutex is a lock."
    assert "temperature" not in house.models.heard[0].json


async def test_a_native_answer_flows_from_its_second_line_on(house: House) -> None:
    serve(house, "gpt")

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "A mutex is a lock.\n\nOnly one thread"))
        await peer.hang()

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", PATH, asks(), {"X-Gitlab-Version": "18.2.0"}))
        assert (await wire.head())[0] == 200
        said = json.loads(await wire.chunk())["data"]["text"]
        assert said == "A mutex is a lock.\n\nOnly one thread"


async def test_never_both_an_answer_and_an_action(house: House) -> None:
    serve(house, "mistral")
    house.models.play = calls({"content": "A long answer. " * 40}, call("issue_reader", '{"query": "#12"}'))
    assert text(await turn(house)) == ("A long answer. " * 40).strip()
    assert (await house.record())["dropped_call"] is True


async def test_a_server_that_drops_tools_unseen_can_be_asked_in_words(house: House) -> None:
    serve(house, "mistral")
    house.models.play = saying("Action: issue_reader\nAction Input: #12")
    assert found(await turn(house))[0][1]["tool"] == "issue_reader"
    assert 'write two lines instead: "Action: "' in asked(house.models.heard[0])


async def test_a_native_call_in_a_whole_answer() -> None:
    async def play(peer: Peer) -> None:
        body = document("chat", "")
        body["choices"][0]["message"] = {"role": "assistant", "content": None} | call(
            "issue_reader", '{"query": "#12"}'
        )
        await peer.document(body)

    async with opened(disable_streaming=True) as house:
        serve(house, "mistral")
        house.models.play = play
        assert found(await turn(house)) == [("action", {"tool": "issue_reader", "tool_input": "#12", "thought": ""})]


async def test_earlier_calls_are_told_as_calls(house: House) -> None:
    serve(house, "claude_3")
    house.models.words = ["It is about a crash."]
    await turn(house, later(seen("The title is Crash."), seen("Another.", 13)))
    system, user, *steps = house.models.heard[0].json["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "The title is Crash." not in user["content"]
    assert [step["role"] for step in steps] == ["assistant", "tool"] * 2
    made = steps[0]["tool_calls"][0]
    assert made["function"] == {"name": "issue_reader", "arguments": '{"query":"#12"}'}
    assert steps[1] == {"role": "tool", "tool_call_id": made["id"], "content": "The title is Crash."}
    assert len(made["id"]) == 9
    assert made["id"].isalnum()


def refusing(status: int, words: bytes, then: Play) -> Play:
    """A server that takes no tools."""

    async def play(peer: Peer) -> None:
        if "tools" in peer.json:
            await peer.document(words, status)
        else:
            await then(peer)

    return play


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, b'{"object":"error","message":"\\"auto\\" tool choice requires --enable-auto-tool-choice"}'),
        (422, b'{"error":"Template error: tools are not supported"}'),
        (500, b'{"error":{"code":500,"message":"tools param requires --jinja flag"}}'),
        (400, b'{"error":{"message":"registry.ollama.ai/library/x does not support tools"}}'),
    ],
)
async def test_refused_tools_are_asked_for_in_words_and_remembered(house: House, status: int, words: bytes) -> None:
    serve(house, "mistral")
    name = f"{WORDS}-{status}-{len(words)}"
    house.snapshot = house.snapshot.with_models(house.model(name, family="mistral"))
    house.assign("chat", "model", name)
    house.models.play = refusing(status, words, saying(CALLING))
    for _ in range(2):
        assert found(await turn(house))[0][1]["tool"] == "issue_reader"
    assert ["tools" in peer.json for peer in house.models.heard] == [True, False, False]
    assert "- issue_reader: " in asked(house.models.heard[1])
    assert [record["native_tools"] for record in house.records()] == [False, False]


async def test_a_request_that_is_refused_either_way_says_nothing_of_tools(house: House) -> None:
    house.snapshot = house.snapshot.with_models(house.model("refuser", family="mistral"))
    house.assign("chat", "model", "refuser")

    async def play(peer: Peer) -> None:
        await peer.document(b"{}", 400)

    house.models.play = play
    ((kind, data),) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", False)
    assert "HTTP 400" in data["message"]
    house.models.play = calls(call("issue_reader", "{}"))
    await turn(house)
    assert ["tools" in peer.json for peer in house.models.heard] == [True, False, True]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
async def test_other_refusals_are_not_asked_again(house: House, status: int) -> None:
    serve(house, "mistral")

    async def play(peer: Peer) -> None:
        await peer.document(b"{}", status)

    house.models.play = play
    ((kind, data),) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", status in {429, 503})
    assert len(house.models.heard) == 1


# every family


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_family_holds_a_turn(house: House, family: str) -> None:
    """A call, the next round, and an answer; in the shape that the family's chat template takes."""
    serve(house, family)
    kind = FAMILIES[family]
    house.models.play = saying(CALLING)
    body = later(seen("The title is Crash.", 7))
    system = {"role": "system", "content": "Speak like a pirate."}
    before = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ahoy"}]
    body["messages"] = [system, *before, *body["messages"]]
    assert found(await turn(house, body))[0][1]["tool"] == "issue_reader"
    said = house.models.heard[0].json
    if not kind.chat:
        assert said["prompt"].endswith("Assistant: Thought:")
        assert "Speak like a pirate." in said["prompt"]
    else:
        roles = [message["role"] for message in said["messages"]]
        start = ["system"] if kind.system_role else []
        steps = ["assistant", "tool"] if kind.tools else []
        assert roles == [*start, "user", "assistant", "user", *steps]
        assert said["messages"][0]["content"].startswith("Speak like a pirate.")
    for part in ("Ahoy", "The title is Crash.", "issue_reader", "What is issue 12 about?"):
        assert part in house.models.heard[0].body.decode()
    house.models.play = saying("Final Answer: A crash." if kind.chat else " I know.\nFinal Answer: A crash.\n\nUser: x")
    assert text(await turn(house, body)) == ("A crash." if kind.chat else "A crash.\n\nUser: x")


# what comes in


@pytest.mark.parametrize("category", CATEGORIES)
async def test_each_kind_of_context_needs_its_scope(house: House, category: str) -> None:
    body = asks(additional_context=[{"category": category, "id": "the id", "content": "the content", "metadata": {}}])
    assert (await turn(house, body)).status == 200
    for part in ("the id", "the content", category.replace("_", " ")):
        assert part in asked(house.models.heard[0])
    token = house.admit(scopes=frozenset(SCOPES) - {f"include_{category}_context"})
    answer = await turn(house, body, token=token)
    assert answer.status == 403
    assert f"include_{category}_context" in answer.json["detail"][0]["msg"]
    assert (await turn(house, body, "17.4.2", token=token)).status == 200
    assert len(house.models.heard) == 2


async def test_unknown_context_is_passed_over(house: House) -> None:
    items = [{"category": name, "content": "canary"} for name in ("from_the_future", "Not A Word", "", None)]
    token = house.admit(scopes=frozenset({"duo_chat"}))
    assert (await turn(house, asks(additional_context=items), token=token)).status == 200
    assert "canary" not in asked(house.models.heard[0])
    assert (await house.record())["ignored_context"] == ["?", "?", "from_the_future"]


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        (
            {"context": {"type": "merge_request", "title": "Fix the crash"}},
            ["merge request on the screen", "Fix the crash"],
        ),
        ({"context": {"type": "issue", "content": "It crashes."}}, ["issue on the screen", "It crashes."]),
        (
            {"current_file": {"file_path": "a.rb", "data": "puts 1", "selected_code": True}},
            ["selected code", "a.rb", "puts 1"],
        ),
        ({"current_file": {"file_path": "a.rb", "data": "puts 1", "selected_code": False}}, ["current file", "puts 1"]),
        ({"current_file": {"file_path": None, "data": "puts 1", "selected_code": None}}, ["puts 1"]),
        ({"current_file": {"data": "</shown> puts 1"}}, ["<\\/shown> puts 1"]),
    ],
    ids=repr,
)
async def test_what_the_user_shows_is_shown(house: House, fields: dict[str, Any], parts: list[str]) -> None:
    await turn(house, asks(**fields))
    await turn(house, {"prompt": "What is it?", "options": fields})
    for peer in house.models.heard:
        assert all(part in asked(peer) for part in parts)


@pytest.mark.parametrize(
    "fields",
    [
        {"context": None, "current_file": None, "additional_context": None, "agent_scratchpad": None},
        {"context": {}, "current_file": {}, "additional_context": [], "agent_scratchpad": []},
        {"context": {"type": None, "title": None, "content": None}, "current_file": {"file_path": None, "data": None}},
        {"additional_context": [{"category": "file", "id": None, "content": None, "metadata": None}]},
        {"from_the_future": {"x": 1}, "resource_content": 5},
    ],
    ids=repr,
)
async def test_nothing_is_tolerated(house: House, fields: dict[str, Any]) -> None:
    more = {"options": None, "unavailable_resources": None, "model_metadata": None, "prompt": None}
    house.models.words = ["fine"]
    assert text(await turn(house, asks(**fields) | more)) == "fine"
    assert text(await turn(house, {"prompt": "What is it?", "options": {"chat_history": None, **fields}})) == "fine"


@pytest.mark.parametrize("options", [None, {}, {"agent_scratchpad": None}])
async def test_the_scratchpad_of_the_last_message(house: House, options: Any) -> None:
    house.models.words = ["Final Answer: a crash"]
    body = later({"action": None, "observation": ""}, seen("The title is Crash."), {})
    assert text(await turn(house, body | {"options": options})) == "a crash"
    said = asked(house.models.heard[0])
    assert "Thought: Look.\nAction: issue_reader\nAction Input: #12\nObservation: The title is Crash." in said
    assert said.count("Observation:") == 2


async def test_the_scratchpad_of_the_options_wins(house: House) -> None:
    for body in (later(seen("not this")), {"prompt": "What is issue 12 about?"}):
        pad = {"agent_type": "react", "steps": [FLAT, FLAT | {"tool_input": {"query": "#13"}, "thought": None}]}
        await turn(house, body | {"options": {"agent_scratchpad": pad}})
        said = asked(house.models.heard[-1])
        assert "Observation: The title is Crash." in said
        assert "Action Input: #13" in said
        assert "not this" not in said


async def test_a_scratchpad_that_is_not_at_the_end_is_history(house: House) -> None:
    body = later(seen("long ago"))
    body["messages"] += [{"role": "assistant", "content": "It was a crash."}, {"role": "user", "content": "Thanks."}]
    await turn(house, body)
    assert "long ago" not in asked(house.models.heard[0])
    assert "It was a crash." in asked(house.models.heard[0])


@pytest.mark.parametrize("role", ["user", "system"])
async def test_a_scratchpad_in_the_wrong_place_is_400(house: House, role: str) -> None:
    message = {"role": role, "content": "x", "agent_scratchpad": [STEP]}
    answer = await turn(house, {"messages": [*asks()["messages"], message]})
    assert answer.status == 400
    assert "belongs to a turn of the assistant" in answer.json["detail"][0]["msg"]


async def test_wrong_bodies_are_422_with_a_list(house: House) -> None:
    for body in (
        {"messages": [{"role": "assistant", "content": "x"}]},
        {"messages": [{"role": "user", "content": " "}]},
        asks(agent_scratchpad="x"),
        asks(context=[]),
        asks(current_file="x"),
        asks() | {"options": {"agent_scratchpad": "x"}},
        asks() | {"unavailable_resources": "x"},
    ):
        answer = await turn(house, body)
        assert answer.status == 422
        assert answer.json["detail"][0]["msg"]


async def test_instructions_of_the_client_come_before_the_form(house: House) -> None:
    body = asks()
    body["messages"].insert(0, {"role": "system", "content": "Speak like a pirate."})
    await turn(house, body)
    (system, _) = house.models.heard[0].json["messages"]
    assert system["content"].startswith("Speak like a pirate.")
    assert "- issue_reader: " in system["content"]


async def test_everything_fits_the_window(house: House) -> None:
    house.limit(context_tokens=4096, output_tokens=4096)
    long = "word " * 20_000
    body = later(*(seen(f"first {n} {long} last {n}", n) for n in range(5)), text=f"begin {long} end")
    body["messages"][0] |= {"current_file": {"file_path": "big.py", "data": long}}
    body["messages"] = [
        *({"role": role, "content": f"old {n} {long}"} for n in range(3) for role in ("user", "assistant")),
        {"role": "user", "content": "short and recent"},
        {"role": "assistant", "content": "I see"},
        *body["messages"],
    ]
    assert (await turn(house, body)).status == 200
    said = asked(house.models.heard[0])
    assert len(said) < (4096 - house.models.heard[0].json["max_tokens"]) * USUAL
    for part in ("begin", "end", "big.py", "- issue_reader: ", *(f"first {n}" for n in range(5))):
        assert part in said
    assert "old 0" not in said


# trouble


async def test_trouble_ahead_of_the_first_byte_is_an_error_line(house: House) -> None:
    async def play(peer: Peer) -> None:
        peer.reset()

    house.models.play = play
    answer = await turn(house)
    ((kind, data),) = found(answer)
    assert (kind, data["retryable"]) == ("error", True)
    assert str(answer.header("x-request-id")) in data["message"]
    assert answer.header("content-length") == str(len(answer.body))
    record = await house.record()
    assert (record["status_code"], record["outcome"], record["error_code"]) == (200, "rejected", "upstream_unreachable")


async def test_a_time_out_is_an_error_that_is_not_tried_again(house: House) -> None:
    house.limit(**SHORT)
    house.models.play = Peer.hang
    ((kind, data),) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", False)
    assert "took too long" in data["message"]


async def test_a_broken_stream_ends_properly_after_an_error_line(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "Final Answer: It is"))
        await peer.writer.drain()
        peer.close()

    house.models.play = play
    *_, (kind, data) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", True)
    assert "broke off" in data["message"]


@pytest.mark.parametrize("family", ["general", "mistral"])
async def test_a_stream_that_breaks_ahead_of_a_call_gives_no_call(house: House, family: str) -> None:
    serve(house, family)

    async def play(peer: Peer) -> None:
        await peer.head()
        delta = call("issue_reader", '{"query": "#12"}') if family == "mistral" else {"content": CALLING}
        await peer.chunk(event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))
        peer.close()

    house.models.play = play
    ((kind, _),) = found(await turn(house))
    assert kind == "error"


async def test_a_prompt_that_is_too_long_is_asked_again_shorter(house: House) -> None:
    async def play(peer: Peer) -> None:
        if len(peer.body) > 50_000:
            await peer.document({"error": {"message": "maximum context length is 8192 tokens"}}, 400)
        else:
            await house.models.behave(peer)

    house.models.play = play
    body = asks(current_file={"file_path": "big.py", "data": "word " * 20_000})
    assert text(await turn(house, body)) == "one + two"
    first, second = (len(peer.body) for peer in house.models.heard)
    assert 0.4 * first < second < 0.6 * first
    assert (await house.record())["prompt_shortened"] is True


async def test_a_prompt_that_stays_too_long_is_an_error_that_gitlab_knows(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": "maximum context length is 8192 tokens"}}, 400)

    house.models.play = play
    ((kind, data),) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", False)
    assert "prompt is too long" in data["message"]
    assert len(house.models.heard) == 2


async def test_a_feature_without_a_model_is_an_error_line(house: House) -> None:
    house.assign("chat", "unassigned")
    ((kind, data),) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", False)
    assert "homeport features set chat MODEL" in data["message"]


async def test_a_full_queue_is_an_error_that_is_tried_again(house: House) -> None:
    models = house.snapshot.models.values()
    full = (replace(each, limits=replace(each.limits, concurrency=0, queue=0)) for each in models)
    house.snapshot = house.snapshot.with_models(*full)
    ((kind, data),) = found(await turn(house))
    assert (kind, data["retryable"]) == ("error", True)
