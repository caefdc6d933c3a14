"""What completing and generating code have in common."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homeport.codetext.clean import Cleaner, Unchanged
from homeport.domain.models import Model
from homeport.domain.prompts import Prompt
from homeport.domain.requests import CodeRequest
from homeport.domain.wording import Wording
from homeport.families.claude_3 import FAMILY as CLAUDE
from homeport.features import code_completions, code_generations
from homeport.features._code import cleaner, silent_on_language

MODEL = Model(name="m", platform="test")


def kept_by(model: Model, wanted: CodeRequest) -> type:
    return type(cleaner(model, wanted, Cleaner, Prompt(kind="chat"), None))


def test_answers_are_cleaned_unless_the_administrator_says_otherwise() -> None:
    wanted = CodeRequest(before="x = ", file_name="a.py")
    assert kept_by(MODEL, wanted) is Cleaner
    assert kept_by(replace(MODEL, clean=False), wanted) is Unchanged


@pytest.mark.parametrize(
    ("name", "before", "after", "is_probe"),
    [
        ("test.rb", "def hello_world", "", True),
        ("app/test.rb", "def hello_world\n", "\n", True),
        ("test.rb", "def hello_world", "end", False),
        ("test.py", "def hello_world", "", False),
        ("test.rb", "def hello_world2", "", False),
    ],
)
def test_only_the_health_check_is_an_exception(name: str, before: str, after: str, *, is_probe: bool) -> None:
    wanted = CodeRequest(before=before, after=after, file_name=name)
    assert (kept_by(MODEL, wanted) is Unchanged) is is_probe


@pytest.mark.parametrize(
    "wording", [code_completions.WORDING, code_generations.WORDING, CLAUDE.rewords["code_completions"]]
)
def test_nothing_is_said_of_an_unknown_language(wording: Wording) -> None:
    silent = silent_on_language(wording)
    for text in (silent.system, silent.user):
        assert "language" not in text.lower()
        assert "  " not in text
    assert "{before}" in silent.user
    assert silent.prefill == wording.prefill


def test_a_sentence_of_an_administrator_stays_one() -> None:
    wording = Wording(system="Write {language} code.\nBe brief.", user="Language: {language}\n{before}")
    assert silent_on_language(wording) == Wording(system="Write code.\nBe brief.", user="{before}")
