"""What the language server is told, where its token goes, and what it says when that does not work."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from editors import AUTOMATIC, editing
from house import eventually

from homeport.lsp.asking import Homeport, Place
from homeport.lsp.options import Options, told
from homeport.lsp.trouble import FIRST_PAUSE_S, LONGEST_PAUSE_S, Trouble, Troubles

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Instance

GIVEN = Options(url="https://ai.example.com", token="hp_of_the_environment")


@pytest.mark.parametrize(
    ("said", "url", "token"),
    [
        (None, GIVEN.url, GIVEN.token),
        ({"token": " hp_b\n"}, GIVEN.url, "hp_b"),
        ({"url": "https://ai.example.com/"}, GIVEN.url, GIVEN.token),
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


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        (None, "", "wants a token and none is set"),
        (None, "hp_wrong", "homeport tokens create --name my-editor"),
        ("http://127.0.0.1:9", "hp_any", "Nothing answers at http://127.0.0.1:9"),
    ],
)
async def test_each_failure_says_what_to_do(instance: Instance, url: str | None, token: str, says: str) -> None:
    homeport = Homeport(Options(url=url or instance.url, token=token), "tests")
    with pytest.raises(Trouble, match=re.escape(says)) as caught:
        await homeport.complete(Place("x = ", 4, "x.py", "python"))
    await homeport.close()
    assert "HOMEPORT_" in caught.value.text
    assert "hp_" not in caught.value.text


async def test_a_refused_token_is_told_once_and_repeated_nowhere(instance: Instance, tmp_path: Path) -> None:
    token, code = "hp_refused_token_9f2c", "canary_of_the_code = "
    async with editing(tmp_path, "--url", instance.url, token=token, pauseMs=0, colour=3) as editor:
        editor.open("canary.py", code)
        assert await editor.suggested("canary.py") == []
        for number in range(5):
            editor.type("canary.py", f"{code}{number}")
            assert await editor.suggested("canary.py", how=AUTOMATIC) == []
        editor.client.protocol.notify("textDocument/didChange", {"textDocument": code, "contentChanges": 3})
        await eventually(lambda: len(editor.messages) >= 2)
    wrong, refused = editor.messages[:2]
    assert wrong == "Homeport: initializationOptions: there is no option 'colour'."
    assert "homeport tokens create" in refused
    assert len([each for each in editor.messages if "token" in each]) == 1
    assert instance.models.heard == []
    for said in (*editor.messages, editor.complaints.decode()):
        assert token not in said
        assert code not in said


async def test_the_check_of_the_command_line(instance: Instance) -> None:
    instance.models.words = ["a + b"]
    token = (instance.settings.data_dir / "token").read_text().strip()
    ran = await instance.run("lsp", "--check", "--json", "--url", instance.url, HOMEPORT_TOKEN=token)
    assert (ran.code, ran.json["ok"], ran.json["text"]) == (0, True, "a + b")
    assert token not in ran.out
    file = instance.settings.data_dir / "token"
    ran = await instance.run("lsp", "--check", "--url", instance.url, "--token-file", str(file), HOMEPORT_TOKEN=None)
    assert (ran.code, ran.out.endswith("'a + b'\n")) == (0, True)
    ran = await instance.run("lsp", "--check", "--url", instance.url, HOMEPORT_TOKEN=None)
    assert (ran.code, ran.out) == (1, "")
    assert "wants a token and none is set" in ran.err
