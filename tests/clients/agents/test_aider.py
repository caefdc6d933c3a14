"""aider writes a file by way of Homeport, with the command that the console shows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from asked import kept_of
from deltas import plays
from isolated import alone, isolated
from node import run
from set_ups import texts

if TYPE_CHECKING:
    from pathlib import Path

    from house import House

EDIT = "hello.txt\n```\nhello from the model\n```\n"


@pytest.mark.proves("aider", "chat", "streaming", "edits files")
async def test_aider_writes_a_file(house: House, tmp_path: Path) -> None:
    programs = await isolated("aider")
    work = tmp_path / "work"
    work.mkdir()
    plays(house, {"content": EDIT[:20]}, {"content": EDIT[20:]})
    (command,) = texts(house, "aider")
    asked = ("--yes-always", "--no-git", "--message", "Write hello.txt", "hello.txt")
    with kept_of(house, "aider"):
        await run(*shlex.split(command), *asked, folder=work, env=alone(tmp_path / "home", programs))
    assert (work / "hello.txt").read_text() == "hello from the model\n"
    assert {(each["path"], each["status_code"]) for each in house.records()} == {("/v1/chat/completions", 200)}
    assert house.models.heard[0].json["stream"]
