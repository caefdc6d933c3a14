"""Asking the running server as an editor would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from commands import Instance, homeport
from script import document

from homeport.cli.complete import Cursor, parts

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "def add(a, b):\n    return \n\nprint(add(1, 2))\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "add.py"
    file.write_text(SOURCE)
    return file


async def test_a_completion_is_plain_text_in_a_pipe(instance: Instance, file: Path) -> None:
    instance.models.words = ["a", " + ", "b"]
    ran = await instance.run("complete", f"{file}:2:12")
    assert ran.code == 0
    assert ran.out == "a + b\n"
    assert "correlation id" in ran.err
    asked = [peer for peer in instance.models.heard if peer.method == "POST"][-1].json
    assert asked["stream"] is True
    assert "def add(a, b):\n    return <|fim_suffix|>" in asked["prompt"]


async def test_a_completion_as_json(instance: Instance, file: Path) -> None:
    instance.models.words = ["a", " + ", "b"]
    found = (await instance.run("complete", f"{file}:2", "--json", "--max-tokens", "9", "--model", "coder")).json
    assert found["text"] == "a + b"
    assert found["model"] == "coder"
    assert found["usage"]["completion_tokens"] == 3
    assert 0 < found["first_token_s"] <= found["total_s"]
    assert instance.models.heard[-1].headers["x-request-id"] == found["correlation_id"]
    assert instance.models.heard[-1].json["max_tokens"] == 9


async def test_without_a_stream(instance: Instance, file: Path) -> None:
    instance.models.words = ["a", " + ", "b"]
    ran = await instance.run("complete", f"{file}:2:12", "--no-stream")
    assert ran.out == "a + b\n"
    (asked,) = [each.json for each in instance.models.heard if each.method == "POST"]
    assert not asked.get("stream")


async def test_nothing_to_add(instance: Instance, file: Path) -> None:
    instance.models.words = [""]
    ran = await instance.run("complete", f"{file}:2:12")
    assert ran.code == 0
    assert ran.out == ""
    assert "nothing to add" in ran.err


async def test_the_model_fails(instance: Instance, file: Path) -> None:
    async def play(peer: Any) -> None:
        await peer.document({"error": "no"}, status=500)

    instance.models.play = play
    ran = await instance.run("complete", f"{file}:2:12")
    assert ran.code == 1
    assert "HTTP 500" in ran.err
    assert "correlation id" in ran.err


async def test_a_stream_that_breaks_is_a_failure(instance: Instance, file: Path) -> None:
    async def play(peer: Any) -> None:
        await peer.head()
        await peer.events([b'data: {"choices":[{"index":0,"text":"a +"}]}\n\n'])
        peer.reset()

    instance.models.play = play
    ran = await instance.run("complete", f"{file}:2:12")
    assert ran.code == 1
    assert "broke off" in ran.err


async def test_a_chat_turn(instance: Instance) -> None:
    instance.models.words = ["Yes", "."]
    ran = await instance.run("chat", "Is it wet?", "--system", "Be brief.", "--max-tokens", "5")
    assert ran.out == "Yes.\n"
    asked = instance.models.heard[-1].json
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Is it wet?"},
    ]


async def test_a_chat_turn_from_standard_input_as_json(instance: Instance) -> None:
    instance.models.words = ["Fine", "."]
    ran = await instance.run("chat", "-", "--json", "--no-stream", typed="How is it?\n")
    assert ran.json["text"] == "Fine."
    assert instance.models.heard[-1].json["messages"][0]["content"] == "How is it?\n"


async def test_an_unknown_model(instance: Instance) -> None:
    ran = await instance.run("chat", "hello", "--model", "nobody")
    assert ran.code == 1
    assert "There is no model 'nobody'. Registered models: coder." in ran.err


async def test_what_nobody_assigned(instance: Instance) -> None:
    await instance.run("features", "set", "chat", "unassigned")
    await instance.seen()
    ran = await instance.run("chat", "hello")
    assert ran.code == 1
    assert "homeport features set chat MODEL" in ran.err


@pytest.mark.usefixtures("data_dir")
def test_no_server(file: Path) -> None:
    for words in (["complete", f"{file}:1"], ["chat", "hello"]):
        ran = homeport(*words, HOMEPORT_URL="http://127.0.0.1:9")
        assert ran.code == 1
        said, _, where = ran.err.partition(" No token was sent: ")
        assert said == "error: Nothing answers at http://127.0.0.1:9. Start it with `homeport up`."
        assert "HOMEPORT_TOKEN" in where


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("add.py", "Write FILE:LINE or FILE:LINE:COLUMN"),
        ("add.py:0", "both count from 1"),
        ("add.py:1:0", "both count from 1"),
        (":1:2", "is no place"),
        ("add.py:99", "has 5 lines; there is no line 99"),
        ("add.py:1:99", "Line 1 of add.py has 14 characters; column 99 is beyond its end"),
        ("missing.py:1", "missing.py cannot be read: No such file or directory"),
        ("blob:1", "blob is not UTF-8 text"),
    ],
)
def test_places_that_are_none(place: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "add.py").write_text(SOURCE)
    (tmp_path / "blob").write_bytes(b"\xff\xfe\x00")
    ran = homeport("complete", place)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.usefixtures("data_dir")
def test_an_empty_question() -> None:
    assert homeport("chat", "  ").code == 2


@pytest.mark.parametrize(
    ("text", "line", "column", "before"),
    [
        (SOURCE, 1, 1, ""),
        (SOURCE, 2, 12, "def add(a, b):\n    return "),
        (SOURCE, 2, None, "def add(a, b):\n    return "),
        ("é = '日本'\nb", 1, 7, "é = '日"),
        ("a\r\nb\r\n", 1, None, "a"),
        ("a\r\nb\r\n", 2, 2, "a\r\nb"),
        ("", 1, 1, ""),
        ("a\n", 2, 1, "a\n"),
    ],
)
def test_the_text_on_both_sides(text: str, line: int, column: int | None, before: str, tmp_path: Path) -> None:
    file = tmp_path / "a:1.py"
    file.write_bytes(text.encode())
    assert parts(Cursor(file=file, line=line, column=column)) == (before, text[len(before) :])


async def test_a_file_whose_name_has_colons(instance: Instance, tmp_path: Path) -> None:
    file = tmp_path / "a:1:2.py"
    file.write_text(SOURCE)
    assert (await instance.run("complete", f"{file}:2:12")).code == 0


def test_documents_have_a_text() -> None:
    assert document("text", "x")["choices"][0]["text"] == "x"
