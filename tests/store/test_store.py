from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from house import eventually
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from homeport.domain.capabilities import Capabilities
from homeport.domain.errors import BadRequest, InUse, Unknown
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Token
from homeport.store import checks, engine
from homeport.store.audit import Wanted
from homeport.store.records import User

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from conftest import Opener, Sql
    from homeport.store.database import Store

CODER = Model(
    name="coder",
    platform="openai",
    family="qwen_coder",
    endpoint="http://vllm.internal:8000/v1",
    identifier="Qwen2.5-Coder-7B",
    key=Secret("sk-canary"),
    enabled=False,
    limits=Limits(concurrency=7, queue_s=0.5, context_tokens=32_768),
)
PATIENCE_S = 60.0
"""More than a busy machine needs."""
SPARE = Model(
    name="spare", platform="bedrock", identifier="anthropic.claude", options={"region": "eu-west-1"}, clean=False
)


def token(name: str = "laptop", **changes: Any) -> Token:
    digest = name.encode().ljust(32, b".")
    return replace(Token(name=name, owner="ada", digest=digest, hint="wxyz", scopes=frozenset({"duo_chat"})), **changes)


# models


async def test_a_model_comes_back_as_it_was_added(store: Store) -> None:
    assert await store.add_model(CODER, by="ada") == CODER
    await store.add_model(SPARE, by="ada")
    assert await store.models() == [CODER, SPARE]
    assert await store.model("coder") == CODER
    assert (await store.snapshot()).models == {"coder": CODER, "spare": SPARE}


async def test_an_unknown_model_is_answered_with_the_known_ones(store: Store) -> None:
    with pytest.raises(Unknown, match="homeport models add"):
        await store.model("coder")
    await store.add_model(CODER, by="ada")
    await store.add_model(SPARE, by="ada")
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: store.model("x"),
        lambda: store.edit_model("x", {}, by="ada"),
        lambda: store.rename_model("x", "y", by="ada"),
        lambda: store.remove_model("x", by="ada"),
        lambda: store.set_feature(FeatureSetting(feature="chat", assignment="model", model="x"), by="ada"),
    ]
    for attempt in attempts:
        with pytest.raises(Unknown, match=r"no model named 'x'\. Known: coder, spare\."):
            await attempt()


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": " coder"}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "half \ud800"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "disabled"}, "name"),
        ({"name": "inherit"}, "name"),
        ({"platform": "Open AI"}, "platform"),
        ({"platform": ""}, "platform"),
        ({"family": "../etc"}, "family"),
        ({"endpoint": "vllm:8000"}, "endpoint"),
        ({"endpoint": "ftp://vllm"}, "endpoint"),
        ({"endpoint": "http://"}, "endpoint"),
        ({"endpoint": "http://h:99999/v1"}, "endpoint"),
        ({"endpoint": "http://h:x/v1"}, "endpoint"),
        ({"endpoint": "http://h/v1#x"}, "endpoint"),
        ({"endpoint": "http://h /v1"}, "endpoint"),
        ({"endpoint": "http://h\n/v1"}, "endpoint"),
        ({"endpoint": "http://good\\@evil/v1"}, "endpoint"),
        ({"endpoint": "http://ada:canary@h/v1"}, "endpoint"),
        ({"endpoint": "http://h@evil/v1"}, "endpoint"),
        ({"endpoint": "http://h?x@evil/v1"}, "endpoint"),
        ({"identifier": "a\0b"}, "identifier"),
        ({"identifier": "x" * 2001}, "identifier"),
        ({"key": Secret("canary\r\nX-Evil: 1")}, "key"),
        ({"key": Secret(" canary")}, "key"),
        ({"key": Secret("canary" * 5000)}, "key"),
        ({"limits": Limits(concurrency=0)}, "limits.concurrency"),
        ({"limits": Limits(queue=-1)}, "limits.queue"),
        ({"limits": Limits(idle_s=float("nan"))}, "limits.idle_s"),
        ({"limits": Limits(total_s=float("inf"))}, "limits.total_s"),
        ({"limits": Limits(output_tokens=10**10)}, "limits.output_tokens"),
        ({"limits": Limits(queue=1.5)}, "limits.queue"),  # type: ignore[arg-type]  # that is what it refuses
        ({"limits": Limits(queue=True)}, "limits.queue"),
        ({"options": {"Region": "x"}}, "options"),
        ({"options": {"region": "a\nb"}}, "options.region"),
        ({"options": {"region": "x" * 2001}}, "options.region"),
        ({"options": {f"o{number}": "x" for number in range(21)}}, "options"),
    ],
)
def test_what_cannot_be_a_model_is_refused(change: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        checks.model(replace(CODER, **change))
    assert caught.value.param == param
    assert "canary" not in str(caught.value)


async def test_a_refused_model_changes_nothing(store: Store) -> None:
    change: dict[str, Any] = {"endpoint": "http://ada:canary@h/v1"}
    await store.add_model(CODER, by="ada")
    with pytest.raises(BadRequest):
        await store.add_model(replace(SPARE, **change), by="ada")
    with pytest.raises(BadRequest):
        await store.edit_model("coder", change, by="ada")
    assert await store.models() == [CODER]
    assert await store.revision() == 2


async def test_unknown_fields_are_answered_with_the_known_ones(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    wrong: list[dict[str, Any]] = [
        {"nmae": "x"},
        {"origin": "http://h"},
        {"limits": {"quue": 1}},
        {"limits": {"queue": "9"}},
    ]
    for changes in wrong:
        with pytest.raises(BadRequest, match=r"Known|whole number"):
            await store.edit_model("coder", changes, by="ada")


async def test_a_name_is_taken_once(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    await store.add_model(SPARE, by="ada")
    with pytest.raises(BadRequest, match="already a model named 'coder'"):
        await store.add_model(replace(SPARE, name="coder"), by="ada")
    with pytest.raises(BadRequest, match="already a model named 'coder'"):
        await store.rename_model("spare", "coder", by="ada")
    await store.rename_model("coder", "coder", by="ada")
    assert await store.models() == [CODER, SPARE]


async def test_every_field_can_be_edited_alone(store: Store) -> None:
    other = Model(
        name="other name",
        platform="azure",
        family="gpt",
        endpoint="http://vllm.internal:8000/other",
        identifier="gpt",
        key=Secret("other"),
        enabled=True,
        limits=Limits(),
        options={"api_version": "v1"},
    )
    expected = await store.add_model(CODER, by="ada")
    for field in [each.name for each in fields(Model) if each.name not in {"registered", "trouble"}]:
        edited = await store.edit_model(expected.name, {field: getattr(other, field)}, by="ada")
        expected = replace(expected, **{field: getattr(other, field)})
        assert (edited.model, edited.notes) == (expected, ())
        assert await store.models() == [expected]
    assert expected == other


async def test_options_can_be_edited_one_by_one(store: Store) -> None:
    await store.add_model(SPARE, by="ada")
    edited = await store.edit_model("spare", {"options": {"guardrail": "g1"}}, by="ada")
    assert edited.model.options == {"region": "eu-west-1", "guardrail": "g1"}
    edited = await store.edit_model("spare", {"options": {"region": ""}}, by="ada")
    assert edited.model.options == {"guardrail": "g1"}
    assert (await store.model("spare")).options == {"guardrail": "g1"}


async def test_options_of_another_platform_are_forgotten(store: Store) -> None:
    await store.add_model(SPARE, by="ada")
    edited = await store.edit_model("spare", {"platform": "azure", "options": {"api_version": "v1"}}, by="ada")
    assert edited.model.options == {"api_version": "v1"}
    edited = await store.edit_model("spare", {"platform": "openai"}, by="ada")
    assert edited.model.options == {}


async def test_limits_can_be_edited_one_by_one(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    edited = await store.edit_model("coder", {"limits": {"queue": 3, "idle_s": 5}}, by="ada")
    assert edited.model.limits == replace(CODER.limits, queue=3, idle_s=5)
    assert (await store.model("coder")).limits == edited.model.limits


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=100))
async def test_any_printable_name_comes_back(store: Store, name: str) -> None:
    model = replace(SPARE, name=name)
    try:
        await store.add_model(model, by="ada")
    except BadRequest:
        assert name != name.strip() or not name.isprintable() or name in {"disabled", "inherit", "unassigned"}
        return
    assert await store.model(name) == model
    await store.remove_model(name, by="ada")


# keys and origins


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://other.internal:8000/v1",
        "https://vllm.internal:8000/v1",
        "http://vllm.internal:8001/v1",
        "http://vllm.internal/v1",
        "http://sub.vllm.internal:8000/v1",
        "",
    ],
)
async def test_another_origin_drops_the_key_and_says_so(store: Store, endpoint: str) -> None:
    await store.add_model(CODER, by="ada")
    edited = await store.edit_model("coder", {"endpoint": endpoint}, by="ada")
    assert edited.model.key == Secret()
    assert "stored key was removed" in edited.notes[0]
    assert "http://vllm.internal:8000" in edited.notes[0]
    assert (await store.model("coder")).key == Secret()
    back = await store.edit_model("coder", {"endpoint": CODER.endpoint}, by="ada")
    assert (back.model.key, back.notes) == (Secret(), ())


@pytest.mark.parametrize(
    "endpoint", ["http://vllm.internal:8000/other/v1", "http://VLLM.internal:8000/v1", "HTTP://vllm.internal:8000"]
)
async def test_the_same_origin_keeps_the_key(store: Store, endpoint: str) -> None:
    await store.add_model(CODER, by="ada")
    assert (await store.edit_model("coder", {"endpoint": endpoint}, by="ada")).notes == ()
    assert (await store.model("coder")).key.reveal() == "sk-canary"


async def test_a_new_key_may_come_with_a_new_origin(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    edited = await store.edit_model("coder", {"endpoint": "https://new/v1", "key": "new-key"}, by="ada")
    assert edited.notes == ()
    assert (await store.model("coder")).key.reveal() == "new-key"


@pytest.mark.parametrize("empty", ["", None, Secret()])
async def test_an_empty_key_removes_it(store: Store, empty: object) -> None:
    await store.add_model(CODER, by="ada")
    assert not (await store.edit_model("coder", {"key": empty}, by="ada")).model.key
    assert not (await store.model("coder")).key


# features


async def test_what_was_seen_of_a_model_is_served_until_it_is_another_one(store: Store) -> None:
    seen = Capabilities(chat=True, holes={"suffix": 1.0})
    await store.add_model(CODER, by="ada")
    for name, changes, kept in (
        ("coder", {"clean": False}, True),
        ("coder", {"name": "renamed"}, True),
        ("renamed", {"name": "coder", "identifier": "other"}, False),
        ("coder", {"endpoint": "http://elsewhere:8000/v1"}, False),
        ("coder", {"platform": "azure"}, False),
    ):
        await store.measured(name, seen, by="ada")
        assert (await store.snapshot()).measured == {name: seen}
        await store.edit_model(name, changes, by="ada")
        assert list((await store.snapshot()).measured.values()) == ([seen] if kept else [])


async def test_settings_of_features_come_back(store: Store) -> None:
    given = [
        FeatureSetting(
            feature="chat",
            assignment="model",
            model="coder",
            fallbacks=("spare", "third"),
            weights={"coder": 2, "fourth": 3},
            sticky=True,
            shadow="fifth",
        ),
        FeatureSetting(feature="code_completions", assignment="model", model="spare"),
        FeatureSetting(feature="code_review", assignment="disabled"),
        FeatureSetting(feature="chat_fix_code", assignment="inherit"),
        FeatureSetting(feature="cli_help"),
    ]
    for model in (CODER, SPARE, *(replace(SPARE, name=name) for name in ("third", "fourth", "fifth"))):
        await store.add_model(model, by="ada")
    for setting in (*given, *given):
        await store.set_feature(setting, by="ada")
    assert await store.features() == {setting.feature: setting for setting in given}
    assert (await store.snapshot()).features == await store.features()


async def test_a_feature_follows_a_renamed_model(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    await store.add_model(SPARE, by="ada")
    await store.set_feature(
        FeatureSetting(feature="chat", assignment="model", model="coder", fallbacks=("spare",)), by="ada"
    )
    await store.rename_model("coder", "new", by="ada")
    await store.rename_model("spare", "coder", by="ada")
    setting = (await store.features())["chat"]
    assert (setting.model, setting.fallbacks) == ("new", ("coder",))


async def test_a_setting_that_makes_no_sense_is_refused(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    await store.add_model(SPARE, by="ada")
    wrong = [
        FeatureSetting(feature="Chat"),
        FeatureSetting(feature=""),
        FeatureSetting(feature="chat", assignment="on"),  # type: ignore[arg-type]  # that is what it refuses
        FeatureSetting(feature="chat", assignment="model"),
        FeatureSetting(feature="chat", assignment="disabled", model="coder"),
        FeatureSetting(feature="chat", assignment="disabled", fallbacks=("coder",)),
        FeatureSetting(feature="chat", assignment="disabled", shadow="coder"),
        FeatureSetting(feature="chat", assignment="model", model="coder", shadow="coder"),
        FeatureSetting(feature="chat", assignment="model", model="coder", weights={"spare": 1}, fallbacks=("spare",)),
        FeatureSetting(feature="chat", assignment="model", model="coder", weights={"spare": 0}),
        FeatureSetting(feature="chat", assignment="model", model="coder", fallbacks=("coder",)),
        FeatureSetting(feature="chat", assignment="model", model="coder", fallbacks=("spare", "spare")),
    ]
    for setting in wrong:
        with pytest.raises(BadRequest):
            await store.set_feature(setting, by="ada")
    assert await store.features() == {}


async def test_a_model_in_use_stays_unless_forced(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    await store.add_model(SPARE, by="ada")
    chat = FeatureSetting(feature="chat", assignment="model", model="spare", fallbacks=("coder",))
    await store.set_feature(chat, by="ada")
    await store.set_feature(FeatureSetting(feature="code_review", assignment="model", model="coder"), by="ada")
    with pytest.raises(InUse, match="'coder' serves chat, code_review"):
        await store.remove_model("coder", by="ada")
    await store.remove_model("coder", by="ada", force=True)
    assert await store.models() == [SPARE]
    assert await store.features() == {
        "chat": replace(chat, fallbacks=()),
        "code_review": FeatureSetting(feature="code_review"),
    }


# tokens


async def test_a_token_comes_back_as_it_was_added(store: Store) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    given = token(kind="service", expires=later, created=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
    await store.add_token(given, by="ada")
    assert await store.tokens() == [given]
    assert (await store.snapshot()).tokens == {given.digest: given}


async def test_a_revoked_token_is_listed_but_never_served(store: Store) -> None:
    await store.add_token(token(), by="ada")
    await store.revoke_token("laptop", by="ada")
    (stored,) = await store.tokens()
    assert stored.revoked is not None
    assert (await store.snapshot()).tokens == {}
    with pytest.raises(Unknown, match="no token named 'laptop'"):
        await store.revoke_token("laptop", by="ada")


async def test_a_name_is_free_again_after_revocation(store: Store) -> None:
    await store.add_token(token(), by="ada")
    other = token(digest=b"2" * 32)
    with pytest.raises(BadRequest, match="already a token named 'laptop'"):
        await store.add_token(other, by="ada")
    await store.revoke_token("laptop", by="ada")
    await store.add_token(other, by="ada")
    assert (await store.snapshot()).tokens.keys() == {other.digest}
    await store.revoke_token("laptop", by="ada")
    assert len(await store.tokens()) == 2


async def test_an_expired_token_is_not_served(store: Store, sql: Sql) -> None:
    await store.add_token(token(expires=datetime.now(UTC) + timedelta(days=1)), by="ada")
    assert (await store.snapshot()).tokens
    await sql("UPDATE tokens SET expires = '2020-01-01 00:00:00.000000'")
    assert not (await store.snapshot()).tokens
    assert len(await store.tokens()) == 1


async def test_revoking_the_unknown_names_the_known(store: Store) -> None:
    for name in ("b", "a", "gone"):
        await store.add_token(token(name), by="ada")
    await store.revoke_token("gone", by="ada")
    with pytest.raises(Unknown, match=r"Known: a, b\."):
        await store.revoke_token("c", by="ada")


async def test_what_cannot_be_a_token_is_refused(store: Store) -> None:
    wrong: list[dict[str, Any]] = [
        {"name": ""},
        {"owner": "a\0b"},
        {"digest": b"short"},
        {"scopes": frozenset({"Bad Scope"})},
        {"expires": datetime(2020, 1, 1, tzinfo=UTC)},
    ]
    for change in wrong:
        with pytest.raises(BadRequest):
            await store.add_token(token(**change), by="ada")
    assert await store.tokens() == []


async def test_uses_are_noted_without_counting_as_a_change(store: Store) -> None:
    for name in ("a", "b", "c"):
        await store.add_token(token(name), by="ada")
    revision, events = await store.revision(), len(await store.audit())
    earlier, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    digests = {each.name: each.digest for each in await store.tokens()}
    await store.touch_tokens({digests["a"]: later, digests["b"]: earlier, b"unknown": later})
    await store.touch_tokens({digests["a"]: earlier, digests["b"]: later})
    await store.touch_tokens({})
    assert {each.name: each.last_used for each in await store.tokens()} == {"a": later, "b": later, "c": None}
    assert (await store.revision(), len(await store.audit())) == (revision, events)


# people, settings, audit, revision


async def test_people_have_a_role(store: Store) -> None:
    ada = await store.set_user(User(name="ada", role="admin"), by="setup")
    await store.set_user(User(name="ben"), by="ada")
    await store.set_user(User(name="ben", role="auditor"), by="ada")
    assert [(user.name, user.role) for user in await store.users()] == [("ada", "admin"), ("ben", "auditor")]
    assert ada.created is not None
    assert (await store.set_user(User(name="ada", role="admin"), by="ada")).created == ada.created
    with pytest.raises(BadRequest, match="no role 'root'"):
        await store.set_user(User(name="eve", role="root"), by="ada")  # type: ignore[arg-type]  # that is what it refuses


async def test_there_is_always_an_administrator(store: Store) -> None:
    await store.set_user(User(name="ada", role="admin"), by="setup")
    await store.set_user(User(name="ben", role="admin", disabled=True), by="ada")
    events = len(await store.audit())
    for changed in (User(name="ada", role="auditor"), User(name="ada", role="admin", disabled=True)):
        with pytest.raises(InUse, match="ada is the last administrator"):
            await store.set_user(changed, by="ben")
    assert len(await store.audit()) == events
    await store.set_user(User(name="ben", role="admin"), by="ada")
    await store.set_user(User(name="ada", role="user"), by="ben")
    assert {user.name: user.role for user in await store.users()} == {"ada": "user", "ben": "admin"}


async def test_a_token_of_somebody_who_is_disabled_opens_nothing(store: Store) -> None:
    await store.set_user(User(name="ada", role="admin"), by="setup")
    await store.set_user(User(name="ben"), by="ada")
    await store.add_token(token("of ben", owner="ben"), by="ada")
    assert len((await store.snapshot()).tokens) == 1
    await store.set_user(User(name="ben", disabled=True), by="ada")
    assert not (await store.snapshot()).tokens
    await store.set_user(User(name="ben"), by="ada")
    assert len((await store.snapshot()).tokens) == 1


async def test_revoking_only_ones_own(store: Store) -> None:
    await store.add_token(token("hers"), by="ada")
    with pytest.raises(Unknown) as caught:
        await store.revoke_token("hers", by="ben", owner="ben")
    assert "Known" not in str(caught.value)
    await store.revoke_token("hers", by="ada", owner="ada")


async def test_when_people_signed_in_last_and_where_they_are(store: Store) -> None:
    await store.set_user(User(name="ada", role="admin"), by="setup")
    await store.set_user(User(name="ben"), by="ada")
    await store.begin_session(b"1" * 32, "ada", timedelta(hours=1))
    await store.begin_session(b"2" * 32, "ada", timedelta(hours=1))
    await store.begin_session(b"3" * 32, "ben", timedelta(seconds=-1))
    seen = {user.name: user.seen for user in await store.users()}
    assert seen["ben"] is not None
    begun = [event.at for event in await store.audit() if (event.what, event.subject) == ("session.begin", "ada")]
    assert seen["ada"] == max(begun)
    assert [*await store.sessions("ada", timedelta(hours=1))] == [b"2" * 32, b"1" * 32]
    assert not await store.sessions("ben", timedelta(hours=1))
    assert not await store.sessions("ada", timedelta())


async def test_looking_into_the_audit(store: Store) -> None:
    await store.set_setting("Banner_1", "x", by="ada")
    await store.set_setting("other", "x", by="ben")
    await store.set_user(User(name="banner%"), by="ben")

    async def found(**wanted: Any) -> list[str]:
        return [event.subject for event in await store.audit(100, Wanted(**wanted))]

    assert await found() == ["banner%", "other", "Banner_1"]
    assert await found(who="ben") == ["banner%", "other"]
    assert await found(thing="setting") == ["other", "Banner_1"]
    assert await found(thing="set") == []
    assert await found(subject="banner") == ["banner%", "Banner_1"]
    assert await found(subject="%") == ["banner%"]
    newest, middle, oldest = await store.audit()
    assert await found(below=middle.id) == ["Banner_1"]
    assert await found(since=middle.at, until=newest.at) == ["other"]
    assert await found(until=oldest.at) == []


async def test_settings_come_back_until_forgotten(store: Store) -> None:
    await store.set_setting("banner", "two\nlines\twith tab", by="ada")
    await store.set_setting("b", "", by="ada")
    assert await store.settings() == {"b": "", "banner": "two\nlines\twith tab"}
    assert (await store.snapshot()).settings == await store.settings()
    await store.set_setting("banner", "other", by="ada")
    await store.set_setting("b", None, by="ada")
    assert await store.settings() == {"banner": "other"}
    for name, value in (("", "x"), ("x", "nul\0"), ("x", "\ud800"), ("x", "y" * 20_001)):
        with pytest.raises(BadRequest):
            await store.set_setting(name, value, by="ada")


Change = tuple[str, "Callable[[Store], Awaitable[object]]", str]
CHANGES: list[Change] = [
    ("model.add", lambda s: s.add_model(CODER, by="ada"), "coder"),
    ("model.edit", lambda s: s.edit_model("coder", {"enabled": True, "key": "canary-2"}, by="ada"), "coder"),
    ("model.edit", lambda s: s.rename_model("coder", "new", by="ada"), "coder"),
    ("feature.set", lambda s: s.set_feature(FeatureSetting(feature="chat", assignment="disabled"), by="ada"), "chat"),
    ("model.remove", lambda s: s.remove_model("new", by="ada"), "new"),
    ("token.add", lambda s: s.add_token(token(), by="ada"), "laptop"),
    ("token.revoke", lambda s: s.revoke_token("laptop", by="ada"), "laptop"),
    ("user.set", lambda s: s.set_user(User(name="ben"), by="ada"), "ben"),
    ("setting.set", lambda s: s.set_setting("banner", "hello", by="ada"), "banner"),
]


async def test_every_change_is_in_the_audit_and_moves_the_revision_by_one(store: Store) -> None:
    for number, (what, change, subject) in enumerate(CHANGES, 1):
        before = datetime.now(UTC)
        await change(store)
        (event,) = await store.audit(1)
        assert (event.what, event.subject, event.who) == (what, subject, "ada")
        assert before <= event.at <= datetime.now(UTC)
        assert await store.revision() == number + 1
    events = await store.audit()
    assert [event.what for event in events] == [what for what, _change, _subject in reversed(CHANGES)]
    assert "canary" not in repr(events)


async def test_the_audit_shows_what_changed_and_masks_the_key(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    await store.edit_model("coder", {"key": "canary-2", "limits": {"queue": 3}}, by="ben")
    edited, added = await store.audit()
    assert (edited.before, edited.after) == (
        {"key": "(set)", "limits": {"queue": 256}},
        {"key": "(set)", "limits": {"queue": 3}},
    )
    assert added.before is None
    assert added.after is not None
    assert (added.after["endpoint"], added.after["key"]) == (CODER.endpoint, "(set)")


async def test_a_refused_change_leaves_no_trace(store: Store) -> None:
    await store.add_model(CODER, by="ada")
    with pytest.raises(BadRequest):
        await store.add_model(CODER, by="ada")
    assert (await store.revision(), len(await store.audit())) == (2, 1)


async def test_a_change_has_an_author(store: Store) -> None:
    for by in ("", "a\nb", "x" * 101):
        with pytest.raises(BadRequest):
            await store.set_setting("a", "b", by=by)
    assert await store.revision() == 1


async def test_changes_at_once_wait_for_each_other(open_store: Opener) -> None:
    stores = [await open_store(patience_s=PATIENCE_S) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for n in range(60):
            group.create_task(stores[n % 3].set_setting(f"s{n % 7}", str(n), by="ada"))
    assert await stores[0].revision() == 61
    assert len(await stores[0].audit(1000)) == 60
    assert len(await stores[0].settings()) == 7


async def test_changes_that_wait_leave_connections_to_readers(open_store: Opener, url: str) -> None:
    store = await open_store(patience_s=PATIENCE_S)
    async with asyncio.TaskGroup() as group:  # noqa: SIM117 (the lock goes first, then the changes end)
        async with engine.disposed(engine.connect(url)) as other, engine.writing(other) as connection:
            await connection.execute(text("UPDATE revision SET number = number + 1"))
            changes = [group.create_task(store.set_setting(f"s{n}", "", by="ada")) for n in range(20)]
            async with asyncio.TaskGroup() as readers:
                for _ in range(20):
                    readers.create_task(store.snapshot())
            assert not any(change.done() for change in changes)
    assert await store.revision() == 22


async def test_a_store_that_is_closed_while_it_is_used_leaves_nothing_open(open_store: Opener, url: str) -> None:
    store = await open_store(patience_s=PATIENCE_S)
    async with asyncio.TaskGroup() as group:
        async with engine.disposed(engine.connect(url)) as other, engine.writing(other) as connection:
            await connection.execute(text("UPDATE revision SET number = number + 1"))
            pool = store._engine.sync_engine.pool  # noqa: SLF001 (what holds the connections)
            change = group.create_task(store.set_setting("a", "b", by="ada"))
            await eventually(lambda: pool.checkedout() == 1)
            await store.close()
        await change
    record = pool._do_get()  # noqa: SLF001 (what the pool still holds)
    assert record.dbapi_connection is None


async def test_of_models_with_one_name_added_at_once_one_stays(open_store: Opener) -> None:
    stores = [await open_store(patience_s=PATIENCE_S) for _ in range(2)]
    done = await asyncio.gather(
        *(store.add_model(CODER, by="ada") for store in stores for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(result, Model) for result in done) == 1
    assert {type(result) for result in done} == {Model, BadRequest}
    assert await stores[0].revision() == 2


async def test_a_cancelled_change_happens_not_at_all_and_harms_nobody(store: Store) -> None:
    for delay in range(12):
        change = asyncio.create_task(store.set_setting("a", str(delay), by="ada"))
        await asyncio.sleep(delay / 5000)
        change.cancel()
        await asyncio.gather(change, return_exceptions=True)
        assert len(await store.audit(1000)) == await store.revision() - 1
    await asyncio.gather(*(store.set_setting("b", "x", by="ada") for _ in range(8)))
    assert (await store.settings())["b"] == "x"


async def test_a_listener_hears_of_a_change_before_it_returns(store: Store) -> None:
    heard: list[int] = []

    async def listen() -> None:
        heard.append(await store.revision())

    store.after_change(listen)
    await store.set_setting("a", "b", by="ada")
    with pytest.raises(BadRequest):
        await store.set_setting("", "b", by="ada")
    await store.touch_tokens({b"x": datetime.now(UTC)})
    assert heard == [2]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(subject="THING-1"),
        Wanted(subject="nobody"),
        Wanted(thing="setting"),
        Wanted(thing="keys"),
        Wanted(thing="setting", subject="thing-2"),
        Wanted(thing="setting", who="ben", below=10**9),
        Wanted(subject="thing", who="ada", until=datetime.now(UTC) + timedelta(days=1)),
    ],
)
async def test_rare_changes_are_found_by_their_names(
    store: Store, monkeypatch: pytest.MonkeyPatch, wanted: Wanted
) -> None:
    for number in range(40):
        await store.set_setting(f"thing-{number % 7}", str(number), by=("ada", "ben")[number % 2])
    for limit in (1, 3, 100):
        monkeypatch.setattr("homeport.store.audit.AMONG", 10**6)
        plainly = await store.audit(limit, wanted)
        for among in (1, 10):
            monkeypatch.setattr("homeport.store.audit.AMONG", among)
            assert await store.audit(limit, wanted) == plainly
    assert bool(plainly) is (wanted.subject != "nobody" and wanted.thing != "keys")
