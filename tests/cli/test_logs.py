"""`homeport logs` and `homeport usage`: what was asked is found again, by people and by programs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Instance, homeport, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module")
async def instance(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Instance]:
    """Somebody of a team asked once, with success and an id of their own, and once without."""
    async with running(tmp_path_factory.mktemp("instance") / "data") as instance:
        asked = await instance.run("chat", "canary", "--json")
        assert asked.code == 0
        await instance.run("complete", "--feature", "nothing")
        await _written(instance)
        yield instance


async def _written(instance: Instance) -> None:
    found: list[object] = []
    while not found:
        found = (await instance.run("logs", "--feature", "chat", "--json")).json


async def test_a_list_and_one_of_it(instance: Instance) -> None:
    (asked,) = (await instance.run("logs", "--feature", "chat", "--json")).json
    assert (asked["who"], asked["model"], asked["outcome"], asked["status"]) == ("admin", "coder", "completed", 200)
    shown = await instance.run("logs", "--user", "admin", "--model", "coder", "--status", "answered", "--since", "1h")
    assert asked["correlation_id"] in shown.out
    one = await instance.run("logs", asked["correlation_id"])
    assert (asked["method"], asked["path"]) == ("POST", "/v1/chat/completions")
    for said in ("admit", "POST /v1/chat/completions", "first token", "all of it", "OpenAI", "coder", "llm.log"):
        assert said in one.out, said
    whole = (await instance.run("logs", asked["correlation_id"], "--json")).json
    assert [each["correlation_id"] for each in whole["requests"]] == [asked["correlation_id"]]
    (line,) = [json.loads(each["line"]) for each in whole["lines"]]
    assert line["correlation_id"] == asked["correlation_id"]
    assert "canary" not in one.out


async def test_content_in_a_log_line_is_cut_for_people_and_whole_for_programs(
    instance: Instance, tmp_path: Path
) -> None:
    file = tmp_path / "verbose.log"
    facts = {"correlation_id": "long-1", "message": "answered", "sent": 'data: {"x": 1}\n\n' * 400, "none": None}
    file.write_text(f"{json.dumps(facts)}\nlong-1 is no JSON \x1b[31m\n")
    ran = await instance.run("logs", "long-1", HOMEPORT_LOG_FILE=str(file))
    assert max(map(len, ran.out.splitlines())) < 400
    assert "more characters: see --json)" in ran.out
    assert "answered" in ran.out
    assert "\x1b" not in ran.out
    whole = (await instance.run("logs", "long-1", "--json", HOMEPORT_LOG_FILE=str(file))).json
    assert json.loads(whole["lines"][0]["line"]) == facts


@pytest.mark.parametrize(
    "words",
    [
        ("--user", "nobody"),
        ("--status", "5xx"),
        ("--text", "'; DROP TABLE requests--"),
        ("--until", "1h"),
        ("--language", "cobol"),
        ("--client", "nobody's"),
    ],
)
async def test_nothing_is_like_this(instance: Instance, words: tuple[str, ...]) -> None:
    ran = await instance.run("logs", *words)
    assert (ran.code, ran.out) == (0, "No request.\n")


@pytest.mark.parametrize("words", [("--status", "6xx5"), ("--since", "soon"), ("--limit", "0")])
async def test_what_makes_no_sense(instance: Instance, words: tuple[str, ...]) -> None:
    assert (await instance.run("logs", *words)).code == 2


async def test_an_id_that_nothing_has(instance: Instance) -> None:
    for id_ in ("none", "\x1b[31mred", "x" * 5000):
        ran = await instance.run("logs", id_)
        assert ran.code == 1
        assert "No request with the id" in ran.err
        assert "\x1b" not in ran.err


async def test_usage(instance: Instance) -> None:
    found = (await instance.run("usage", "--by", "model", "--json")).json
    assert {each["name"]: each["requests"] for each in found}["coder"] == 1
    assert "coder" in (await instance.run("usage", "--by", "model")).out


@pytest.mark.parametrize(
    ("words", "requests"),
    [
        (("--user", "admin"), 1),
        (("--feature", "chat", "--days", "1"), 1),
        (("--user", "nobody"), 0),
        (("--team", "Platform"), 0),
        (("--feature", "code_completions"), 0),
        (("--model", "other"), 0),
        (("--language", "go"), 0),
        (("--team", "'; DROP TABLE usage--"), 0),
    ],
)
async def test_usage_of_some(instance: Instance, words: tuple[str, ...], requests: int) -> None:
    found = (await instance.run("usage", *words, "--json")).json
    assert sum(each["requests"] for each in found if each["name"] == "coder") == requests
    rows = list(csv.DictReader(io.StringIO((await instance.run("usage", *words, "--csv")).out)))
    assert [int(row["requests"]) for row in rows if row["model"] == "coder"] == ([1] if requests else [])


@pytest.mark.parametrize(
    "words", [("--by", "password"), ("--days", "0"), ("--days", "x"), ("--days", "401"), ("--people",)]
)
async def test_usage_that_makes_no_sense(instance: Instance, words: tuple[str, ...]) -> None:
    ran = await instance.run("usage", *words)
    assert (ran.code, ran.out) == (2, "")


@pytest.mark.parametrize("words", [("usage",), ("logs",), ("logs", "an-id")])
async def test_where_no_log_is(tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = await asyncio.to_thread(homeport, *words, HOMEPORT_DATA_DIR=str(tmp_path))
    assert (ran.code, ran.out) == (1, "")
    assert "There is no request log in the data directory" in ran.err


async def test_following_prints_what_comes_until_it_is_interrupted(instance: Instance) -> None:
    """In a process of its own, as somebody in a terminal has it: Ctrl-C ends it without a trace."""
    command = (str(Path(sys.executable).with_name("homeport")), "logs", "--follow", "--json", "--feature", "chat")
    environment = {**os.environ, "HOMEPORT_DATA_DIR": str(instance.settings.data_dir)}
    pipe = asyncio.subprocess.PIPE
    follower = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
    assert follower.stdout is not None
    assert follower.stderr is not None
    async with asyncio.timeout(60):
        seen = json.loads(await follower.stdout.readline())
        assert (await instance.run("chat", "canary again", "--json")).code == 0
        new = json.loads(await follower.stdout.readline())
        follower.send_signal(signal.SIGINT)
        said = (await follower.stderr.read()).decode()
        await follower.wait()
    assert seen["correlation_id"] != new["correlation_id"]
    assert (new["feature"], new["outcome"]) == ("chat", "completed")
    assert "Following; Ctrl-C ends it." in said
    assert "Traceback" not in said


async def test_a_request_is_asked_again(instance: Instance) -> None:
    silent, *_ = (await instance.run("logs", "--feature", "chat", "--json")).json
    refused = await instance.run("replay", silent["correlation_id"], "--model", "coder")
    assert (refused.code, "is not kept" in refused.err) == (1, True)
    await instance.run("verbose", "on", "--minutes", "5")
    await instance.seen()
    asked = (await instance.run("chat", "again", "--json")).json["correlation_id"]
    told = await instance.run("replay", asked, "--model", "coder")
    while "No request" in told.err:
        told = await instance.run("replay", asked, "--model", "coder")
    assert told.code == 0, told.err
    assert "then: coder" in told.out
    assert "Nothing differs." in told.out
    document = (await instance.run("replay", asked, "--model", "coder", "--json")).json
    assert document["differs"] is False
    assert document["now"]["text"]
    assert (await instance.run("replay", asked, "--model", "nobody")).code == 1
