from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from house import eventually
from structlog.testing import capture_logs

from homeport.access import tokens
from homeport.domain.errors import BadConfiguration, BadRequest
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Token
from homeport.store import models_file
from homeport.store.models_file import Watched, load

if TYPE_CHECKING:
    from pathlib import Path

PEPPER = b"p" * 32
SEAL = partial(tokens.seal, PEPPER)
TOKEN = tokens.mint()
EXAMPLE = (models_file.__doc__ or "").partition("\n\n")[2]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VLLM_KEY", "canary-key")
    monkeypatch.setenv("EDITORS_TOKEN", TOKEN)
    return tmp_path / "models.toml"


def test_the_example_that_is_documented_works(file: Path) -> None:
    file.write_text(EXAMPLE)
    snapshot = load(file, SEAL)
    assert snapshot.models == {
        "coder": Model(
            name="coder",
            platform="openai",
            family="qwen_coder",
            endpoint="http://vllm.internal:8000/v1",
            identifier="Qwen2.5-Coder-7B",
            key=Secret("canary-key"),
            limits=Limits(concurrency=128),
        ),
        "claude": Model(
            name="claude",
            platform="bedrock",
            family="claude_3",
            identifier="eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            options={"region": "eu-central-1"},
        ),
    }
    assert snapshot.features["chat"] == FeatureSetting(feature="chat", assignment="model", model="coder")
    digest = tokens.digest(PEPPER, TOKEN)
    scopes = frozenset({"complete_code", "duo_chat"})
    assert snapshot.tokens == {
        digest: Token(name="editors", owner="editors", kind="service", digest=digest, scopes=scopes)
    }


def test_what_does_not_fit_the_platform_is_told_with_its_place(file: Path) -> None:
    file.write_text('[[models]]\nname = "a"\n\n[[models]]\nname = "b"\noptions = { region = "mars" }\n')

    def fits(model: Model) -> None:
        if model.options:
            raise BadRequest("The option region cannot be 'mars'.", "Give a region.", param="options.region")

    with pytest.raises(
        BadConfiguration, match=r"line 6, \[\[models\]\] is not usable: options\.region: The option region"
    ):
        load(file, SEAL, fits)


def test_everything_can_be_left_out(file: Path) -> None:
    file.write_text("")
    assert load(file, SEAL).models == {}


def test_code_may_be_left_as_it_comes(file: Path) -> None:
    file.write_text('[[models]]\nname = "a"\n[[models]]\nname = "b"\nclean = false\n')
    assert [model.clean for model in load(file, SEAL).models.values()] == [True, False]


def test_secrets_may_be_in_files_beside_it(file: Path) -> None:
    (file.parent / "key").write_text("from-file\n")
    (file.parent / "token").write_text(f"  {TOKEN}\n")
    file.write_text(
        '[[models]]\nname = "a"\nkey_file = "key"\n'
        f'[[tokens]]\nname = "t"\nscopes = ["duo_chat"]\ntoken_file = "{file.parent}/token"\n'
    )
    snapshot = load(file, SEAL)
    assert snapshot.models["a"].key.reveal() == "from-file"
    assert snapshot.tokens.keys() == {tokens.digest(PEPPER, TOKEN)}


def test_secrets_may_be_named_in_one_word(file: Path) -> None:
    (file.parent / "key").write_text("from-file\n")
    file.write_text(
        '[[models]]\nname = "a"\nkey = "env:VLLM_KEY"\n[[models]]\nname = "b"\nkey = "file:key"\n[settings]\nx = "1"\n'
    )
    snapshot = load(file, SEAL)
    assert [model.key.reveal() for model in snapshot.models.values()] == ["canary-key", "from-file"]
    assert snapshot.settings == {"x": "1"}


def test_a_feature_may_be_off_inherit_or_have_spares(file: Path) -> None:
    file.write_text(
        '[[models]]\nname = "a"\n[[models]]\nname = "b"\n'
        '[features]\nchat = ["a", "b"]\nchat_fix_code = "inherit"\ncode_review = "disabled"\n'
        'code_generations = "unassigned"\n'
    )
    assert load(file, SEAL).features == {
        "chat": FeatureSetting(feature="chat", assignment="model", model="a", fallbacks=("b",)),
        "chat_fix_code": FeatureSetting(feature="chat_fix_code", assignment="inherit"),
        "code_review": FeatureSetting(feature="code_review", assignment="disabled"),
        "code_generations": FeatureSetting(feature="code_generations"),
    }


def test_a_feature_may_have_a_table(file: Path) -> None:
    file.write_text(
        '[[models]]\nname = "a"\n[[models]]\nname = "b"\n[[models]]\nname = "c"\n'
        '[features.chat]\nmodel = "a"\nweights = {a = 3, b = 1}\nsticky = true\nshadow = "c"\n'
    )
    assert load(file, SEAL).features["chat"] == FeatureSetting(
        feature="chat", assignment="model", model="a", weights={"a": 3, "b": 1}, sticky=True, shadow="c"
    )


A = '[[models]]\nname = "a"\n'
T = '[[tokens]]\nname = "t"\nscopes = ["a"]\ntoken_env = "EDITORS_TOKEN"\n'
WRONG = {
    "a model twice": (A + '[features.chat]\nmodel = "a"\nshadow = "a"\n', "named twice"),
    "unknown fallback": (A + '[features.chat]\nmodel = "a"\nfallbacks = ["nobody"]\n', "no model 'nobody'"),
    "no weight": (A + '[features.chat]\nmodel = "a"\nweights = {a = 0}\n', "weights.a"),
    "not toml": ("[[models\n", "not TOML: .*line 1"),
    "not utf-8": ("\udcff", "not TOML"),
    "unknown table": ("[modles]\nx = 1\n", r"line 1, \[\[modles\]\].*no such field"),
    "no name": (A + '[[models]]\nplatform = "x"\n', r"line 3, \[\[models\]\].*name: field required"),
    "unknown field": (A + 'platfrom = "x"\n', r"line 3, \[\[models\]\].*platfrom: there is no such field"),
    "unknown field later": (A + "\n\n" + '[[models]]\nname = "b"\nx = 1\n', r"line 7, \[\[models\]\]"),
    "wrong type": (A + "enabled = 1\n", "enabled: .*boolean"),
    "bad name": ('[[models]]\nname = ""\n', "name: .*cannot be the name"),
    "bad platform": (A + 'platform = "Open AI"\n', "platform: .*no platform"),
    "bad endpoint": (A + 'endpoint = "vllm:8000"\n', "endpoint: .*http://host:8000/v1"),
    "bad limit": (A + "[models.limits]\nconcurrency = 0\n", r"limits\.concurrency: .*cannot be 0"),
    "unknown limit": (A + "[models.limits]\nx = 1\n", "no limit 'x'.*Known: context_tokens"),
    "name twice": (A + A, r"line 4, \[\[models\]\].*'a' is there twice"),
    "key in the file": (A + 'key = "canary-key"\n', "does not belong in this file.*key_env.*key_file"),
    "key of a database": (A + 'key = "stored"\n', "line 3.*this gateway has none: name the key's variable in key_env"),
    "key in no place": (A + 'key = "file:"\n', "line 3.*does not belong in this file"),
    "empty key file": (A + 'key = "file:empty"\n', "line 3.*key: empty is empty"),
    "no such variable": (A + 'key_env = "NO_SUCH"\n', "key_env: the variable NO_SUCH is not set"),
    "empty variable": (A + 'key_env = "EMPTY"\n', "key_env: the variable EMPTY is not set"),
    "no such file": (A + 'key_file = "/no/such"\n', "key_file: /no/such cannot be read: No such file"),
    "two keys": (A + 'key_env = "A"\nkey_file = "b"\n', "both given"),
    "key with line end": (A + 'key_env = "TWO_LINES"\n', r"line 3.*key_env: .*one line"),
    "unknown model": (A + '[features]\nchat = "b"\n', r"line 4, \[features\].*no model 'b'.*there are: a"),
    "unknown spare": (A + '[features]\nchat = ["a", "b"]\n', "no model 'b'"),
    "feature without model": (A + "[features]\nchat = []\n", r"\[features\].*chat"),
    "token without scopes": (
        '[[tokens]]\nname = "t"\nscopes = []\ntoken_env = "EDITORS_TOKEN"\n',
        "scopes: .*at least 1",
    ),
    "token without token": ('[[tokens]]\nname = "t"\nscopes = ["a"]\n', "give token_env or token_file"),
    "token in the file": ('[[tokens]]\nname = "t"\nscopes = ["a"]\ntoken = "canary"\n', "does not belong in this file"),
    "no token of ours": ('[[tokens]]\nname = "t"\nscopes = ["a"]\ntoken_env = "VLLM_KEY"\n', "no Homeport token"),
    "same token twice": (
        T + T.replace('"t"', '"u"'),
        "the same token",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named_with_its_place(file: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    (file.parent / "empty").touch()
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("TWO_LINES", "canary\nline")
    text, told = WRONG[case]
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(BadConfiguration, match=told) as caught:
        load(file, SEAL)
    assert str(file) in caught.value.saw
    assert "canary" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"models\.toml is not usable: it cannot be read: No such file"):
        Watched(file, SEAL)


def test_a_change_is_taken_over_and_a_mistake_is_not(file: Path) -> None:
    file.write_text(A)
    watched = Watched(file, SEAL)
    with capture_logs() as lines:
        watched.look()
        assert (list(watched.current.models), watched.current.revision) == (["a"], 0)
        file.write_text(A.replace('"a"', '"other"'))
        watched.look()
        assert (list(watched.current.models), watched.current.revision) == (["other"], 1)
        file.write_text("[[models]]\n")
        watched.look()
        watched.look()
        assert list(watched.current.models) == ["other"]
        assert "name: field required" in watched.problem
        file.unlink()
        watched.look()
        assert "cannot be read" in watched.problem
        file.write_text(A)
        watched.look()
    assert (list(watched.current.models), watched.current.revision, watched.problem) == (["a"], 2, "")
    assert [line["event"] for line in lines] == [
        "models file read again",
        "models file not taken over",
        "models file not taken over",
        "models file read again",
    ]


def write(file: Path, text: str) -> None:
    file.write_text(text)


async def test_changes_are_looked_for_in_the_background(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_file, "POLL_S", 0.01)
    write(file, "")
    watched = Watched(file, SEAL)
    task = asyncio.create_task(watched.follow())
    write(file, A)
    for _ in range(100):
        await asyncio.sleep(0.01)
        if watched.current.models:
            break
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert list(watched.current.models) == ["a"]


async def test_following_survives_what_nobody_foresaw(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_file, "POLL_S", 0.01)
    write(file, "")
    watched = Watched(file, SEAL)
    task = asyncio.create_task(watched.follow())
    with capture_logs() as lines:
        write(file, f"models = {'[' * 5000}{']' * 5000}")
        await eventually(lambda: lines)
        write(file, A)
        await eventually(lambda: watched.current.models)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [line["log_level"] for line in lines] == ["error", "info"]
