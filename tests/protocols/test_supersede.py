"""A developer who types on: the newer completion ends the older one, if the operator wants that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from house import asking, eventually, opened
from ways import FILE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from house import House
    from script import Peer

PATH = "/v2/code/completions"


@pytest.fixture(scope="module")
async def open_house() -> AsyncIterator[House]:
    """A house whose operator wants it."""
    async with opened(supersede=True) as house:
        yield house


def body(name: str = "a.py", above: str = "x = ") -> dict[str, object]:
    return {"current_file": {**FILE, "file_name": name, "content_above_cursor": above}}


async def first_hangs(house: House) -> Peer:
    """The model server answers all but the first request, which was heard."""

    async def play(peer: Peer) -> None:
        await (peer.hang() if len(house.models.heard) == 1 else house.models.behave(peer))

    house.models.play = play
    return await house.models.next()


async def test_the_older_one_ends_and_its_model_stops(house: House) -> None:
    hearing = asyncio.create_task(first_hangs(house))
    await asyncio.sleep(0)
    older = asyncio.create_task(house.post(PATH, body()))
    peer = await hearing
    assert (await house.post(PATH, body(above="x = y"))).status == 200
    answer = await older
    assert answer.status == 409
    assert "newer completion" in answer.json["detail"][0]["msg"]
    await asyncio.wait_for(peer.closed.wait(), 1)
    assert {record["outcome"] for record in house.records()} == {"completed", "rejected"}


@pytest.mark.parametrize("other", ["file", "user", "caller", "feature"])
async def test_another_place_or_person_ends_nothing(house: House, other: str) -> None:
    hearing = asyncio.create_task(first_hangs(house))
    await asyncio.sleep(0)
    async with house.line() as wire:
        await wire.send(asking("POST", PATH, body()))
        peer = await hearing
        token = house.admit(name="other", owner="eve", scopes=frozenset({"complete_code", "generate_code"}))
        path = "/v2/code/generations" if other == "feature" else PATH
        headers = {"x_gitlab_global_user_id": "eve"} if other == "user" else {}
        given = {"token": token} if other == "caller" else {}
        answer = await house.post(path, body("b.py" if other == "file" else "a.py"), **given, **headers)
        assert answer.status == 200
        assert not peer.closed.is_set()
    await eventually(house.quiet)


@pytest.mark.parametrize(("file_name", "users"), [("", ("", "")), ("a.py", ("alice", "bob"))])
async def test_who_shares_a_token_ends_nobody_elses(house: House, file_name: str, users: tuple[str, str]) -> None:
    hearing = asyncio.create_task(first_hangs(house))
    await asyncio.sleep(0)
    bodies = [{"prompt": "x = ", "suffix": "\n", "file_name": file_name, "user": user} for user in users]
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/completions", bodies[0]))
        peer = await hearing
        assert (await house.post("/v1/completions", bodies[1])).status == 200
        assert not peer.closed.is_set()
    await eventually(house.quiet)


async def test_a_finished_one_is_forgotten(house: House) -> None:
    for _ in range(3):
        assert (await house.post(PATH, body())).status == 200
    assert house.app.door.latest is not None
    assert not house.app.door.latest._tasks  # noqa: SLF001 (what it holds on to)


async def test_nothing_is_ended_unless_the_operator_wants_it() -> None:
    async with opened() as house:
        hearing = asyncio.create_task(first_hangs(house))
        await asyncio.sleep(0)
        async with house.line() as wire:
            await wire.send(asking("POST", PATH, body()))
            peer = await hearing
            assert (await house.post(PATH, body())).status == 200
            assert not peer.closed.is_set()
        await eventually(house.quiet)
