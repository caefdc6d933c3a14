"""What the language server is told, where its token goes, and how often a trouble is told."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homeport.lsp import stdio
from homeport.lsp.options import Options, told
from homeport.lsp.trouble import FIRST_PAUSE_S, LONGEST_PAUSE_S, Trouble, Troubles

GIVEN = Options(url="https://ai.example.com", token="hp_of_the_environment")


@pytest.mark.parametrize(
    ("said", "url", "token"),
    [
        (None, GIVEN.url, GIVEN.token),
        ({"token": " hp_b\n"}, GIVEN.url, "hp_b"),
        ({"url": "https://ai.example.com/"}, GIVEN.url, GIVEN.token),
        ({"url": "https://ai.example.com/v1/"}, GIVEN.url, GIVEN.token),
        ({"url": "https://elsewhere.example.com"}, "https://elsewhere.example.com", ""),
        ({"url": "https://ai.example.com.evil.example"}, "https://ai.example.com.evil.example", ""),
        ({"url": "https://elsewhere.example.com", "token": "hp_c"}, "https://elsewhere.example.com", "hp_c"),
    ],
)
def test_a_project_cannot_send_the_token_elsewhere(said: Any, url: str, token: str) -> None:
    found = told(GIVEN, said)
    assert (found.url, found.token) == (url, token)
    assert "hp_" not in repr(found)


def test_options_of_an_editor() -> None:
    said = {"pauseMs": 0, "contextCharacters": 100, "maxTokens": 64, "menu": True, "model": "m", "chatModel": "c"}
    found = told(GIVEN, said)
    assert (found.pause_ms, found.context_characters, found.max_tokens, found.menu) == (0, 100, 64, True)
    assert (found.model, found.chat_model, found.wrong) == ("m", "c", ())


def test_what_is_no_option_is_named_and_changes_nothing() -> None:
    found = told(GIVEN, {"pauseMs": -1, "maxTokens": "many", "menu": 1, "url": 3, "tokne": "hp_secret"})
    assert replace(found, wrong=()) == GIVEN
    assert len(found.wrong) == 5
    assert "hp_secret" not in " ".join(found.wrong)
    assert told(GIVEN, ["no", "object"]).wrong == ()


def test_a_trouble_is_said_once_until_it_is_over() -> None:
    troubles = Troubles()
    assert troubles.seen(Trouble("unreachable", "Nothing answers.")) == "Nothing answers."
    assert troubles.pausing
    assert [troubles.seen(Trouble("unreachable", "Nothing answers.")) for _ in range(9)] == [""] * 9
    assert troubles.seen(Trouble("429", "Too many.", quiet=True)) == ""
    troubles.over()
    assert not troubles.pausing
    assert troubles.seen(Trouble("unreachable", "Nothing answers.")) == "Nothing answers."
    assert FIRST_PAUSE_S < LONGEST_PAUSE_S


def test_what_no_event_loop_can_read_is_told_from_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w"), os.fdopen(read) as pipe, Path(os.devnull).open() as nothing:
        for file, is_pipe in ((pipe, True), (nothing, False)):
            monkeypatch.setattr(sys, "stdin", file)
            assert stdio.is_pipe() is is_pipe
