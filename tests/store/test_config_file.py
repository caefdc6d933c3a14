"""Configuration files: read, written, applied to both databases."""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from commands import homeport
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.domain.errors import BadConfiguration, BadRequest, Outdated
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Snapshot
from homeport.store import config_file, documents
from homeport.store.plan import Desired, Key, Plan, Wanted, plan

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Opener, Sql
    from homeport.store.database import Store

QUICK = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
SLOW = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])

# what a database may hold

_texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)
_names = _texts.filter(lambda text: text and text not in documents.ASSIGNED)
_words = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)
_numbers = {
    each.name: st.floats(0.001, 1e6) | st.integers(1, 10**9) if each.name.endswith("_s") else st.integers(1, 10**9)
    for each in fields(Limits)
}
_limits = st.fixed_dictionaries({}, optional=_numbers).map(lambda found: Limits(**found))


def model(name: str) -> st.SearchStrategy[Model]:
    return st.builds(
        Model,
        name=st.just(name),
        platform=_words,
        family=_words,
        endpoint=st.sampled_from(["", "http://gpu1:8000/v1", "https://gpu2/v1"]),
        identifier=_texts,
        key=st.sampled_from([Secret(), Secret("canary")]),
        enabled=st.booleans(),
        clean=st.booleans(),
        limits=_limits,
        options=st.dictionaries(_words, _texts.filter(bool), max_size=3),
    )


@st.composite
def feature(draw: st.DrawFn, name: str, models: list[str]) -> FeatureSetting:
    if not models or draw(st.booleans()):
        return FeatureSetting(feature=name, assignment=draw(st.sampled_from(["disabled", "inherit"])))
    first, *rest = draw(st.permutations(models))
    shares = draw(st.integers(0, len(rest)))
    weights = {other: draw(st.integers(1, 1000)) for other in rest[:shares]}
    weights |= {first: draw(st.integers(1, 1000))} if draw(st.booleans()) else {}
    spare = rest[shares:]
    shadow = spare.pop() if spare and draw(st.booleans()) else ""
    return FeatureSetting(
        feature=name,
        assignment="model",
        model=first,
        fallbacks=tuple(spare),
        weights=weights,
        sticky=draw(st.booleans()),
        shadow=shadow,
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    names = draw(st.lists(_names, unique=True, max_size=4))
    served = draw(st.lists(_words, unique=True, max_size=3))
    lines = st.lists(_texts, max_size=3).map("\n\t".join)
    return Snapshot(
        models={name: draw(model(name)) for name in names},
        features={name: draw(feature(name, names)) for name in served},
        settings=draw(st.dictionaries(_names, lines, max_size=3)),
    )


# the text


def text_of(folder: Path, text: str) -> Path:
    file = folder / "configuration.toml"
    file.write_bytes(text.encode())
    return file


@QUICK
@given(held=snapshots())
def test_what_was_written_changes_nothing(tmp_path: Path, held: Snapshot) -> None:
    file = text_of(tmp_path, config_file.write(held))
    assert plan(held, config_file.read(file), prune=True) == Plan()
    assert "canary" not in file.read_text()


def test_a_file_says_no_more_than_it_must() -> None:
    held = Snapshot(
        models={
            "coder": Model(
                name="coder",
                platform="openai",
                family="qwen_coder",
                endpoint="http://gpu1:8000/v1",
                identifier='"q"',
                key=Secret("canary"),
                limits=Limits(concurrency=128, idle_s=30.0, total_s=0.5),
            ),
            "b b": Model(name="b b", platform="bedrock", options={"region": "eu"}, clean=False, enabled=False),
        },
        features={
            "z": FeatureSetting(feature="z", assignment="model", model="coder", fallbacks=("b b",)),
            "chat": FeatureSetting(
                feature="chat", assignment="model", model="coder", weights={"coder": 3, "b b": 1}, sticky=True
            ),
            "code_review": FeatureSetting(feature="code_review", assignment="inherit"),
            "nothing": FeatureSetting(feature="nothing"),
        },
        settings={"two words": "a\nb"},
    )
    lines = [line for line in config_file.write(held).splitlines() if line and not line.startswith("#")]
    assert lines == [
        "[[models]]",
        'name = "b b"',
        'platform = "bedrock"',
        'family = "general"',
        "enabled = false",
        "clean = false",
        "[models.options]",
        'region = "eu"',
        "[[models]]",
        'name = "coder"',
        'platform = "openai"',
        'family = "qwen_coder"',
        'endpoint = "http://gpu1:8000/v1"',
        r'identifier = "\"q\""',
        'key = "stored"',
        "[models.limits]",
        "concurrency = 128",
        "idle_s = 30",
        "total_s = 0.5",
        "[features]",
        'code_review = "inherit"',
        'z = ["coder", "b b"]',
        "[features.chat]",
        'model = "coder"',
        'weights = {"b b" = 1, coder = 3}',
        "sticky = true",
        "[settings]",
        r'"two words" = "a\nb"',
    ]


def test_an_empty_database_has_a_file_that_says_so() -> None:
    assert tomllib.loads(config_file.write(Snapshot())) == {"models": [], "features": {}, "settings": {}}


A = '[[models]]\nname = "a"\n'


def test_a_file_speaks_only_of_the_tables_that_it_has(tmp_path: Path) -> None:
    assert config_file.read(text_of(tmp_path, A)).kinds == {"model"}
    assert config_file.read(text_of(tmp_path, "[features]\n[settings]\n")).kinds == {"feature", "setting"}
    assert config_file.read(text_of(tmp_path, "\ufeffmodels = []")).kinds == {"model"}


WAYS = {
    'key_env = "CODER_KEY"': ("given", "canary"),
    'key = "env:CODER_KEY"': ("given", "canary"),
    'key_file = "secrets/coder"': ("given", "filed"),
    'key = "file:secrets/coder"': ("given", "filed"),
    'key = "stored"': ("stored", ""),
    'key = "none"': ("none", ""),
    "": ("", ""),
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_say_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("CODER_KEY", "canary\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "coder").write_text("filed\n")
    wanted = config_file.read(text_of(tmp_path, A + way), resolve=True).models["a"]
    assert (wanted.key.how, wanted.model.key.reveal()) == WAYS[way]


def test_a_key_that_is_not_there_yet(tmp_path: Path) -> None:
    file = text_of(tmp_path, A + 'key = "env:NO_SUCH"')
    key = config_file.read(file).models["a"].key
    assert (key.how, key.why) == ("unknown", f"{file}, line 3: the variable NO_SUCH is not set or empty.")
    with pytest.raises(BadConfiguration, match=r"line 3, \[\[models\]\].*key: the variable NO_SUCH is not set"):
        config_file.read(file, resolve=True)


WRONG = {
    "a token": ('[[tokens]]\nname = "t"\nscopes = ["x"]\n', r"line 1, \[\[tokens\]\].*homeport tokens create"),
    "a key": (A + 'key = "canary"\n', r"line 3, \[\[models\]\].*it does not belong in this file: .*key_env"),
    "an empty place": (A + 'key = "env:"\n', r"line 3.*it does not belong in this file"),
    "two places": (A + 'key = "stored"\nkey_env = "CODER_KEY"\n', r"line 3.*does not belong in this file"),
    "two ways": (A + 'key = "env:A"\nkey_env = "B"\n', r"line 3.*key_env and key are both given"),
    "a key of two lines": (A + 'key_env = "TWO_LINES"\n', r"line 3.*key_env: .*one line"),
    "two names": (A + A, r"line 4, \[\[models\]\].*name: 'a' is there twice"),
    "a name that means something": ('[[models]]\nname = "inherit"\n', "line 2.*means something else"),
    "a limit": (A + "[models.limits]\nqueue = 1\nqueueue = 2\n", r"line 5, .*no limit 'queueue'"),
    "an address": (A + 'endpoint = "gpu1:8000"\n', "line 3.*Write it like http://host:8000/v1"),
    "a model named twice": ('[features]\nchat = ["a", "a"]\n', r"line 2, \[features\].*named twice"),
    "a weight": ('[features.chat]\nmodel = "a"\nweights = {a = 0}\n', r"line 3, \[features\].*weights\.a"),
    "a setting that is no text": ("[settings]\nx = 1\n", r"line 2, \[settings\].*x: .*texts: write it in quotes"),
    "too much": ("#" * 4_000_001, "4000001 bytes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setenv("TWO_LINES", "canary\nline")
    text, told = WRONG[case]
    file = text_of(tmp_path, text)
    with pytest.raises(BadConfiguration, match=told) as caught:
        config_file.read(file)
    assert str(file) in caught.value.saw
    assert caught.value.fix == "Nothing was changed."
    assert "canary" not in str(caught.value)


def test_errors_about_entries_get_their_lines(tmp_path: Path) -> None:
    text = A + 'key = "stored"\n[features]\nchat = "a"\ncode_review = "nobody"\n'
    desired = config_file.read(text_of(tmp_path, text))
    with pytest.raises(BadConfiguration, match=r"line 3, \[\[models\]\] is not usable: key: The database has no key"):
        plan(Snapshot(), desired)
    held = Snapshot(models={"a": Model(name="a", platform="openai", key=Secret("canary"))})
    with pytest.raises(BadConfiguration, match=r"line 6, \[features\].*code_review: There is no model 'nobody'"):
        plan(held, desired)


# both databases


async def apply(store: Store, desired: Desired, *, prune: bool = True) -> Plan:
    found = plan(await store.snapshot(), desired, prune=prune)
    if found.changes:
        await store.carry_out(found, by="ada")
    return found


def here(text: str) -> str:
    """The same for a database that does not have the keys yet."""
    return text.replace('key = "stored"', 'key = "env:CODER_KEY"')


@SLOW
@given(first=snapshots(), second=snapshots())
async def test_export_apply_export(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Snapshot, second: Snapshot
) -> None:
    monkeypatch.setenv("CODER_KEY", "canary")
    for held in (first, second):
        text = config_file.write(held)
        await apply(store, config_file.read(text_of(tmp_path, here(text)), resolve=True))
        found = await store.snapshot()
        assert config_file.write(found) == text
        assert {name: each.key for name, each in found.models.items()} == {
            name: each.key for name, each in held.models.items()
        }
        revision = found.revision
        assert (await apply(store, config_file.read(text_of(tmp_path, text), resolve=True))).changes == ()
        assert await store.revision() == revision


CODER = Model(name="coder", platform="openai", endpoint="http://gpu1:8000/v1", key=Secret("canary"))
SPARE = replace(CODER, name="spare")
CHAT = FeatureSetting(feature="chat", assignment="model", model="coder")


def wanted(*models: Model, **more: Any) -> Desired:
    keyed = {each.name: Wanted(model=each, key=Key("given" if each.key else "")) for each in models}
    return Desired(models=keyed, **more)


async def test_all_or_nothing(store: Store) -> None:
    found = plan(await store.snapshot(), wanted(CODER, features={"chat": CHAT}, settings={"x": "\x00"}))
    assert len(found.changes) == 3
    before = config_file.write(await store.snapshot())
    with pytest.raises(BadRequest):
        await store.carry_out(found, by="ada")
    assert config_file.write(await store.snapshot()) == before
    assert (await store.revision(), await store.audit()) == (found.revision, [])


async def test_each_change_is_in_the_audit_as_if_it_were_alone(store: Store) -> None:
    await apply(store, wanted(CODER, SPARE, features={"chat": CHAT}, settings={"x": "1"}))
    await apply(store, wanted(replace(SPARE, key=Secret("other")), features={"chat": replace(CHAT, model="spare")}))
    events = list(reversed(await store.audit()))
    assert [(event.what, event.subject) for event in events] == [
        ("model.add", "coder"),
        ("model.add", "spare"),
        ("feature.set", "chat"),
        ("setting.set", "x"),
        ("model.edit", "spare"),
        ("feature.set", "chat"),
        ("model.remove", "coder"),
        ("setting.set", "x"),
    ]
    assert {event.who for event in events} == {"ada"}
    assert (events[4].before, events[4].after) == ({"key": "(set)"}, {"key": "(set)"})
    assert len({event.at for event in events[4:]}) == 1
    assert await store.revision() == 3


async def test_a_plan_is_for_the_state_that_it_saw(store: Store) -> None:
    found = plan(await store.snapshot(), wanted(CODER))
    await store.set_setting("x", "1", by="eve")
    with pytest.raises(Outdated, match=r"at revision 2, not 1: it was changed in between.*Nothing was changed"):
        await store.carry_out(found, by="ada")
    assert await store.models() == []
    assert await store.revision() == 2


async def test_of_two_at_once_one_is_told(open_store: Opener) -> None:
    stores = [await open_store() for _ in range(4)]
    found = plan(await stores[0].snapshot(), wanted(CODER, features={"chat": CHAT}))
    done = await asyncio.gather(*(each.carry_out(found, by="ada") for each in stores), return_exceptions=True)
    assert [each for each in done if isinstance(each, int)] == [2]
    assert sum(isinstance(each, Outdated) for each in done) == 3
    assert [event.what for event in await stores[0].audit()] == ["feature.set", "model.add"]


async def test_a_key_that_stays_is_not_sealed_again(store: Store, sql: Sql) -> None:
    await apply(store, wanted(CODER))
    sealed = await sql("SELECT ciphertext FROM model_keys")
    await apply(store, wanted(replace(CODER, clean=False)))
    assert await sql("SELECT ciphertext FROM model_keys") == sealed
    assert (await store.model("coder")).clean is False


async def test_another_platform_keeps_its_options(store: Store) -> None:
    first = replace(CODER, key=Secret(), options={"region": "x"})
    await apply(store, wanted(first))
    await apply(store, wanted(replace(first, platform="azure", endpoint="http://gpu1:8000/v1")))
    assert (await store.model("coder")).options == {"region": "x"}


async def test_a_large_file_is_one_change(store: Store) -> None:
    names = [f"model-{number:03}" for number in range(40)]
    features = {f"f{number}": replace(CHAT, feature=f"f{number}", model=name) for number, name in enumerate(names)}
    await apply(store, wanted(*(replace(CODER, name=name) for name in names), features=features))
    assert [each.name for each in await store.models()] == names
    assert await store.revision() == 2


async def test_the_command_line_on_either_database(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_DATABASE_URL", url)
    monkeypatch.setenv("HOMEPORT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CODER_KEY", "canary")
    monkeypatch.chdir(tmp_path)
    said = 'endpoint = "http://gpu1:8000/v1"\nidentifier = "x"\nkey_env = "CODER_KEY"\n[features]\nchat = "a"\n'
    file = str(text_of(tmp_path, A + said))
    planned = await asyncio.to_thread(homeport, "config", "plan", file, "--exit-code")
    assert planned.code == 3
    for words in (("apply", file, "--expect", "1"), ("apply", file), ("plan", file, "--exit-code")):
        ran = await asyncio.to_thread(homeport, "config", *words)
        assert ran.code == 0, ran.err
        assert ran.out.endswith("the database is at revision 2.\n")
    exported = await asyncio.to_thread(homeport, "config", "export")
    assert 'chat = "a"' in exported.out
    assert 'key = "stored"' in exported.out
