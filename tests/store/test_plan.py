"""What a file changes: planned without a file or a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homeport.domain.errors import BadRequest
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Snapshot
from homeport.store.plan import Desired, Key, Kind, Wanted, plan

CODER = Model(
    name="coder",
    platform="openai",
    family="qwen_coder",
    endpoint="http://gpu1:8000/v1",
    identifier="qwen-coder",
    options={"ca_file": "/ca", "region": "x"},
    limits=Limits(concurrency=7),
)
KEYED = replace(CODER, key=Secret("canary-1"))
SPARE = Model(name="spare", platform="bedrock", identifier="claude")
CHAT = FeatureSetting(feature="chat", assignment="model", model="coder", fallbacks=("spare",))


def now(*models: Model, features: tuple[FeatureSetting, ...] = (), **settings: str) -> Snapshot:
    named = {model.name: model for model in models}
    return Snapshot(revision=7, models=named, features={each.feature: each for each in features}, settings=settings)


def file(*models: Model | Wanted, features: tuple[FeatureSetting, ...] = (), **more: Any) -> Desired:
    wanted = [each if isinstance(each, Wanted) else Wanted(model=each) for each in models]
    return Desired(
        models={each.model.name: each for each in wanted}, features={each.feature: each for each in features}, **more
    )


def keyed(how: Any, model: Model = CODER, value: str = "") -> Wanted:
    return Wanted(model=replace(model, key=Secret(value)), key=Key(how))


def told(current: Snapshot, desired: Desired, *, prune: bool = False) -> list[tuple[str, str, str]]:
    return [(each.action, each.kind, each.name) for each in plan(current, desired, prune=prune).changes]


def test_nothing_is_to_be_done_twice() -> None:
    current = now(KEYED, SPARE, features=(CHAT,), greeting="hi")
    found = plan(current, file(CODER, SPARE, features=(CHAT,), settings={"greeting": "hi"}), prune=True)
    assert (found.revision, found.changes, found.left, found.warnings) == (7, (), (), ())


def test_changes_come_in_an_order_in_which_each_is_possible() -> None:
    new = replace(SPARE, name="a-new-one")
    current = now(CODER, replace(SPARE, name="old"), features=(replace(CHAT, fallbacks=("old",)),), b="1", c="2")
    desired = file(
        replace(CODER, clean=False),
        new,
        features=(replace(CHAT, fallbacks=("a-new-one",)),),
        settings={"a": "3", "b": "4"},
    )
    assert told(current, desired, prune=True) == [
        ("add", "model", "a-new-one"),
        ("change", "model", "coder"),
        ("change", "feature", "chat"),
        ("remove", "model", "old"),
        ("add", "setting", "a"),
        ("change", "setting", "b"),
        ("remove", "setting", "c"),
    ]


def test_another_name_is_another_model() -> None:
    current = now(CODER, features=(replace(CHAT, fallbacks=()),))
    renamed = file(replace(CODER, name="better"), features=(replace(CHAT, model="better", fallbacks=()),))
    assert told(current, renamed, prune=True) == [
        ("add", "model", "better"),
        ("change", "feature", "chat"),
        ("remove", "model", "coder"),
    ]


def test_what_is_not_named_stays_and_is_told() -> None:
    found = plan(now(CODER, SPARE, features=(CHAT,), greeting="hi"), file(CODER))
    assert found.changes == ()
    assert found.left == (("model", "spare"), ("feature", "chat"), ("setting", "greeting"))


def test_pruning_leaves_alone_what_the_file_does_not_speak_of() -> None:
    current = now(CODER, SPARE, features=(CHAT,), greeting="hi")
    kinds: frozenset[Kind] = frozenset({"setting"})
    found = plan(current, Desired(kinds=kinds), prune=True)
    assert [(each.kind, each.name) for each in found.changes] == [("setting", "greeting")]
    assert found.left == (("model", "coder"), ("model", "spare"), ("feature", "chat"))


def test_a_change_shows_only_what_differs() -> None:
    after = replace(CODER, endpoint="http://gpu1:8000/v2", options={"ca_file": "/b"}, limits=Limits(queue=1))
    (change,) = plan(now(CODER), file(after)).changes
    assert change.shown() == (
        {
            "endpoint": "http://gpu1:8000/v1",
            "options.ca_file": "/ca",
            "options.region": "x",
            "limits.concurrency": 7,
            "limits.queue": 256,
        },
        {
            "endpoint": "http://gpu1:8000/v2",
            "options.ca_file": "/b",
            "options.region": None,
            "limits.concurrency": 64,
            "limits.queue": 1,
        },
    )


def test_what_comes_shows_what_is_not_usual_and_no_key() -> None:
    (change,) = plan(now(), file(keyed("given", replace(CODER, clean=False), "canary"))).changes
    before, after = change.shown()
    assert before is None
    assert after == {
        "platform": "openai",
        "family": "qwen_coder",
        "endpoint": "http://gpu1:8000/v1",
        "identifier": "qwen-coder",
        "clean": False,
        "options.ca_file": "/ca",
        "options.region": "x",
        "limits.concurrency": 7,
        "key": "(set)",
    }
    assert "canary" not in repr(change)


MOVED = replace(CODER, endpoint="http://gpu2:8000/v1")
KEYS = {
    "nothing said of none": (CODER, Wanted(model=CODER), None),
    "nothing said of one": (KEYED, Wanted(model=CODER), None),
    "stays": (KEYED, keyed("stored"), None),
    "the same": (KEYED, keyed("given", value="canary-1"), None),
    "another": (KEYED, keyed("given", value="canary-2"), ("(set)", "(another)")),
    "the first": (CODER, keyed("given", value="canary-2"), ("(none)", "(set)")),
    "forgotten": (KEYED, keyed("none"), ("(set)", "(none)")),
    "nothing to forget": (CODER, keyed("none"), None),
    "unknown where one is": (KEYED, keyed("unknown"), None),
    "unknown where none is": (CODER, keyed("unknown"), ("(none)", "(set)")),
    "lost on the way": (KEYED, Wanted(model=MOVED), ("(set)", "(none)")),
    "the same elsewhere": (KEYED, keyed("given", MOVED, "canary-1"), ("(set)", "(another)")),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys(case: str) -> None:
    before, wanted, looks = KEYS[case]
    found = plan(now(before), file(wanted))
    keys = [
        ((change.shown()[0] or {}).get("key"), (change.shown()[1] or {}).get("key"))  # type: ignore[union-attr]  # models only
        for change in found.changes
    ]
    assert keys == ([looks] if looks else [])
    assert found.losses == (("the key of coder",) if looks == ("(set)", "(none)") else ())


def test_a_key_that_would_be_lost_on_the_way_is_told() -> None:
    (sentence,) = plan(now(KEYED), file(MOVED)).warnings
    assert "The key of 'coder' goes: it is for http://gpu1:8000" in sentence


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (CODER, CODER, "no key of the model 'coder'"),
        (SPARE, CODER, "no key of the model 'coder'"),
        (KEYED, MOVED, "is for http://gpu1:8000 and goes nowhere else"),
    ],
)
def test_a_key_that_cannot_stay(before: Model, after: Model, said: str) -> None:
    with pytest.raises(BadRequest, match=rf'{said}.*key = "env:CODER_KEY"') as caught:
        plan(now(before), file(keyed("stored", after)))
    assert caught.value.param == "key"


def test_options_that_go_are_said_to_the_store_as_empty() -> None:
    (change,) = plan(now(CODER), file(replace(CODER, options={"ca_file": "/b"}))).changes
    assert change.edits == {"options": {"ca_file": "/b", "region": ""}}  # type: ignore[union-attr]  # a model's


def test_options_that_stay_are_said_again_where_the_platform_is_another() -> None:
    (change,) = plan(now(CODER), file(replace(CODER, platform="azure"))).changes
    assert change.edits == {"platform": "azure", "options": CODER.options}  # type: ignore[union-attr]  # a model's


def test_what_nothing_serves_is_like_what_nobody_named() -> None:
    free = FeatureSetting(feature="chat")
    assert told(now(features=(free,)), file(), prune=True) == []
    assert told(now(), file(features=(free,))) == []
    current = now(CODER, SPARE, features=(CHAT,))
    assert told(current, file(CODER, SPARE, features=(free,))) == [("remove", "feature", "chat")]
    assert told(current, file(CODER, SPARE), prune=True) == [("remove", "feature", "chat")]


def test_what_means_nothing_is_no_change() -> None:
    off = FeatureSetting(feature="chat", assignment="disabled")
    assert told(now(features=(replace(off, sticky=True),)), file(features=(off,))) == []


def test_a_model_that_there_is_not() -> None:
    with pytest.raises(BadRequest, match=r"no model 'spare'.*There are: coder"):
        plan(now(), file(CODER, features=(CHAT,)))
    assert told(now(SPARE), file(CODER, features=(CHAT,)))[-1] == ("add", "feature", "chat")


def test_a_model_that_would_be_gone() -> None:
    with pytest.raises(BadRequest, match=r"no model 'spare' in this file: it would be removed"):
        plan(now(CODER, SPARE), file(CODER, features=(CHAT,)), prune=True)


def test_a_model_that_is_needed_by_what_the_file_does_not_speak_of() -> None:
    kinds: frozenset[Kind] = frozenset({"model"})
    shadowed = FeatureSetting(feature="code_review", assignment="model", model="coder", shadow="spare")
    with pytest.raises(BadRequest, match=r"'spare' is not in this file.*serves chat, code_review.*chat = \"MODEL\""):
        plan(now(CODER, SPARE, features=(CHAT, shadowed)), file(CODER, kinds=kinds), prune=True)


def test_what_would_be_lost_is_said() -> None:
    current = now(CODER, SPARE, features=(CHAT,), greeting="hi")
    assert plan(current, file(CODER), prune=True).losses == (
        "what serves chat",
        "the model spare",
        "the setting greeting",
    )
