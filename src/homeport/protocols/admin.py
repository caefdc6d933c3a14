"""Homeport's own administration: models, features, tokens and the audit, as in the console and the command line.

A token with the scope `admin` opens it. Every change is one transaction with its entry in the audit; keys and tokens
are never read back.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from homeport.access import SCOPES, tokens
from homeport.diagnostics._health import how_is
from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import FeatureSetting, Token
from homeport.families import UNKNOWN, guess
from homeport.protocols import Act, WireProtocol
from homeport.protocols._admin import (
    ADMIN,
    ModelChanges,
    Strict,
    added,
    apply,
    by,
    drafted,
    edited,
    free,
    replace,
    reply,
    store_of,
)
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.diagnostics._connection import Done
    from homeport.domain.models import Model
    from homeport.protocols import Arrival, Reply
    from homeport.protocols._endpoint import Door
    from homeport.store.records import FeaturesChanged

DIGITS = 18
"""Of the largest number that a database counts to."""
MODELS, FEATURES, TOKENS = "/api/admin/v1/models", "/api/admin/v1/features", "/api/admin/v1/tokens"
REMOVED, CHANGES = "/api/admin/v1/deleted-models", "/api/admin/v1/feature-changes"


class NewModel(ModelChanges):
    """A model to register."""

    name: str


class Setting(Strict):
    """Which models serve a feature."""

    assignment: Literal["unassigned", "disabled", "model", "inherit"] = "model"
    model: str = ""
    fallbacks: list[str] = Field(default=[])
    weights: dict[str, int] = Field(default={})
    sticky: bool = False
    shadow: str = ""


class Choice(Strict):
    """What serves all features of a section."""

    assignment: Literal["unassigned", "disabled", "model", "inherit"] = "model"
    model: str = ""


class Replacement(Strict):
    """Which model takes another one's place."""

    instead: str


class Copy(Strict):
    """What the copy is called."""

    name: str = Field("", description="Left out: the first free one of NAME-2, NAME-3 …")


class Endpoint(Strict):
    """A model server, perhaps with its key."""

    endpoint: str
    platform: str = "openai"
    api_key: str | None = None


class NewToken(Strict):
    """A token to make."""

    name: str
    user: str = "admin"
    kind: Literal["personal", "service"] = Field("personal", description="A service's token belongs to nobody.")
    scopes: list[str] = Field(min_length=1)
    expires: datetime | None = None


async def models(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Every model, and what it was seen to do."""
    store = store_of(door)
    seen = await store.capabilities()
    return reply([_model(door, each, seen) for each in await store.models()])


async def model(door: Door, _body: None, arrival: Arrival) -> Reply:
    """One model."""
    store = store_of(door)
    found = await store.model(arrival.tail)
    return reply(_model(door, found, await store.capabilities()))


async def add_model(door: Door, body: NewModel, arrival: Arrival) -> Reply:
    """Register a model."""
    return reply(_model(door, await added(door, body, by(arrival)), {}), 201)


async def edit_model(door: Door, body: ModelChanges, arrival: Arrival) -> Reply:
    """Change some of what is registered; a stored key stays only while the endpoint's origin does."""
    changed = await edited(door, arrival.tail, body, by(arrival))
    return reply({**_model(door, changed.model, {}), "notes": list(changed.notes)})


async def remove_model(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Remove a model, which can be undone for an hour; refused while a feature uses it."""
    await store_of(door).remove_model(arrival.tail, by=by(arrival))
    return reply({"removed": arrival.tail})


async def removed_models(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Those that can be brought back, the latest first."""
    found = await store_of(door).removed_models()
    return reply([{"name": name, "removed": at.isoformat()} for name, at in found.items()])


async def restore_model(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Undo the removal of a model; the notes name the features that were set otherwise since."""
    back = await store_of(door).restore_model(arrival.tail, by=by(arrival))
    seen = await store_of(door).capabilities()
    return reply({**_model(door, back.model, seen), "notes": list(back.notes)})


async def copy_model(door: Door, body: Copy, arrival: Arrival) -> Reply:
    """Register another model like this one; its key comes along, for it is at the same address."""
    if body.name:
        free(door, body.name)
    return reply(_model(door, await store_of(door).copy_model(arrival.tail, body.name, by=by(arrival)), {}), 201)


async def replace_model(door: Door, body: Replacement, arrival: Arrival) -> Reply:
    """Forget a model and let another one serve what it served, in one step."""
    moved = await replace(door, arrival.tail, body.instead, by(arrival))
    return reply({"removed": arrival.tail, "instead": body.instead, "features": moved})


async def try_model(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Ask a registered model, a step at a time, up to the first that fails."""
    return await _tested(door, await store_of(door).model(arrival.tail))


async def try_draft(door: Door, body: NewModel, _arrival: Arrival) -> Reply:
    """The same for a model that is not registered yet."""
    store_of(door)
    return await _tested(door, drafted(door, body))


async def _tested(door: Door, tested: Model) -> Reply:
    steps = [_step(each) async for each in door.prober.steps(tested)]
    return reply({"well": all(each["status"] != "fail" for each in steps), "steps": steps})


def _step(done: Done) -> dict[str, Any]:
    found = {"step": done.step.key, "question": done.step.question, "status": done.found.status}
    return {**found, "saw": done.found.saw, "fix": done.found.fix, "took_s": round(done.took_s, 4)}


async def measure_model(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Find out what a model can do, and keep that."""
    store = store_of(door)
    seen = await door.prober.measure(await store.model(arrival.tail))
    await store.measured(arrival.tail, seen, by=by(arrival))
    return reply(seen.as_json())


async def detect(door: Door, body: Endpoint, _arrival: Arrival) -> Reply:
    """What an endpoint serves, with the family that each name points to."""
    store_of(door)
    fields = {"platform": body.platform, "endpoint": body.endpoint, "api_key": body.api_key, "name": "new"}
    found = await door.prober.served(drafted(door, ModelChanges(**fields)))
    families = door.bench.families
    served = [{"identifier": name, "family": guess(name, families) or UNKNOWN} for name in found.names]
    return reply({"endpoint": found.endpoint, "models": served})


async def set_section(door: Door, body: Choice, arrival: Arrival) -> Reply:
    """Let one model serve every feature of a section, all or nothing."""
    offers = {key: each for key, each in door.bench.features.items() if each.listed}
    members = [key for key, each in offers.items() if each.section.lower() == arrival.tail.lower()]
    if not members:
        known = ", ".join(dict.fromkeys(each.section for each in offers.values()))
        raise Unknown(f"There is no section {arrival.tail[:100]!r}.", f"Known: {known}.")
    if (body.assignment == "model") != bool(body.model):
        raise BadRequest("A model is named exactly when one shall serve.", "Give `model` alone, or an `assignment`.")
    able = [key for key in members if body.assignment != "inherit" or offers[key].inherits]
    without = {key: FeatureSetting(feature=key, assignment=body.assignment) for key in able}
    await apply(door, dict.fromkeys(able, body.model) if body.model else without, by(arrival))
    settings = await store_of(door).features()
    return reply([_feature(door, settings[key]) for key in able])


async def features(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Every feature and its setting."""
    settings = await store_of(door).features()
    listed = [key for key, each in door.bench.features.items() if each.listed]
    return reply([_feature(door, settings.get(key, FeatureSetting(feature=key))) for key in listed])


async def set_feature(door: Door, body: Setting, arrival: Arrival) -> Reply:
    """Replace a feature's setting."""
    offer = door.bench.features.get(arrival.tail)
    if offer is None or not offer.listed:
        known = ", ".join(key for key, each in door.bench.features.items() if each.listed)
        raise Unknown(f"There is no feature {arrival.tail!r}.", f"Known: {known}.")
    if body.assignment == "inherit" and not offer.inherits:
        raise BadRequest(f"There is nothing that {arrival.tail!r} could inherit from.", "Name a model.")
    fields = body.model_dump() | {"fallbacks": tuple(body.fallbacks)}
    setting = FeatureSetting(feature=arrival.tail, **fields)
    await store_of(door).set_feature(setting, by=by(arrival))
    return reply(_feature(door, setting))


async def feature_changes(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """What can be undone, the latest first: who changed which features, and what was before."""
    return reply([_changed(each) for each in await store_of(door).feature_changes()])


async def undo_features(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Undo one change; the notes name the features that were set otherwise since and stay so."""
    given = arrival.tail
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= DIGITS else 0
    undone = await store_of(door).undo_features(number, by=by(arrival))
    return reply({"features": [_feature(door, each) for each in undone.settings], "notes": list(undone.notes)})


async def list_tokens(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Every token, but never the token itself."""
    return reply([_token(each) for each in await store_of(door).tokens()])


async def add_token(door: Door, body: NewToken, arrival: Arrival) -> Reply:
    """Make a token, which is in this answer and never again."""
    unknown = sorted(set(body.scopes) - SCOPES.keys())
    if unknown:
        raise BadRequest(f"There is no scope {', '.join(unknown)}.", f"Known: {', '.join(sorted(SCOPES))}.")
    made = tokens.mint()
    token = Token(
        name=body.name,
        owner=body.user if body.kind == "personal" else body.name,
        kind=body.kind,
        digest=door.gate.digest(made),
        hint=tokens.hint(made),
        scopes=frozenset(body.scopes),
        created=datetime.now(UTC),
        expires=body.expires,
    )
    await store_of(door).add_token(token, by=by(arrival))
    return reply({**_token(token), "token": made}, 201)


async def revoke_token(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Make a token useless at once."""
    await store_of(door).revoke_token(arrival.tail, by=by(arrival))
    return reply({"revoked": arrival.tail})


async def rotate_keys(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Make a new root key and seal every stored API key with it."""
    made, count = await store_of(door).rotate_keys(by=by(arrival))
    return reply({"key": made, "sealed": count})


def _model(door: Door, found: Model, seen: Mapping[str, tuple[datetime, Any]]) -> dict[str, Any]:
    names = ("name", "platform", "family", "endpoint", "identifier", "enabled", "clean")
    shown = {name: getattr(found, name) for name in names} | {"api_key_set": bool(found.key)}
    shown["health"] = how_is(door.bench, found)._asdict()
    measured = seen.get(found.name)
    if measured:
        shown["seen"] = {"at": measured[0].isoformat(), **measured[1].as_json()}
    return {**shown, "options": dict(found.options), "limits": asdict(found.limits)}


def _feature(door: Door, setting: FeatureSetting) -> dict[str, Any]:
    offer = door.bench.features[setting.feature]
    about = {"title": offer.title, "section": offer.section, "inherits": offer.inherits or None}
    return {"feature": setting.feature} | setting.said() | about


def _changed(change: FeaturesChanged) -> dict[str, Any]:
    pairs = [{"feature": old.feature, "before": old.said(), "after": new.said()} for old, new in change.settings]
    return {"id": str(change.id), "at": change.at.isoformat(), "by": change.by, "features": pairs}


def _token(token: Token) -> dict[str, Any]:
    moments = {name: getattr(token, name) for name in ("created", "expires", "revoked", "last_used")}
    return {
        "name": token.name,
        "user": token.owner,
        "kind": token.kind,
        "hint": token.hint,
        "scopes": sorted(token.scopes),
        **{name: moment and moment.isoformat() for name, moment in moments.items()},
    }


EXAMPLE = {"name": "coder", "endpoint": "http://gpu1:8000/v1", "identifier": "qwen-coder", "family": "qwen_coder"}

PROTOCOL = WireProtocol(
    label="Administration",
    error=error,
    routes=(
        Act(paths=(MODELS,), need=ADMIN, act=models, method="GET", summary="List the models."),
        Act(paths=(MODELS,), need=ADMIN, act=add_model, body=NewModel, summary="Register a model.", example=EXAMPLE),
        Act(paths=(f"{MODELS}/{{name}}",), need=ADMIN, act=model, method="GET", summary="Show a model."),
        Act(
            paths=(f"{MODELS}/{{name}}",),
            need=ADMIN,
            act=edit_model,
            method="PATCH",
            body=ModelChanges,
            summary="Change a model.",
            example={"enabled": False},
        ),
        Act(paths=(f"{MODELS}/{{name}}",), need=ADMIN, act=remove_model, method="DELETE", summary="Forget a model."),
        Act(paths=(REMOVED,), need=ADMIN, act=removed_models, method="GET", summary="List the models to bring back."),
        Act(
            paths=(f"{REMOVED}/{{name}}",),
            need=ADMIN,
            act=restore_model,
            method="DELETE",
            summary="Bring a model back.",
        ),
        Act(
            paths=("/api/admin/v1/model-copies/{name}",),
            need=ADMIN,
            act=copy_model,
            body=Copy,
            summary="Register another model like this one.",
            example={"name": "coder-2"},
        ),
        Act(
            paths=("/api/admin/v1/model-replacements/{name}",),
            need=ADMIN,
            act=replace_model,
            body=Replacement,
            summary="Forget a model, and let another one serve what it served.",
            example={"instead": "coder"},
        ),
        Act(
            paths=("/api/admin/v1/model-tests",),
            need=ADMIN,
            act=try_draft,
            body=NewModel,
            summary="Test the connection to a model that is not registered.",
            example=EXAMPLE,
        ),
        Act(
            paths=("/api/admin/v1/model-tests/{name}",),
            need=ADMIN,
            act=try_model,
            summary="Test the connection to a registered model.",
        ),
        Act(
            paths=("/api/admin/v1/model-measurements/{name}",),
            need=ADMIN,
            act=measure_model,
            summary="Find out what a model can do.",
        ),
        Act(
            paths=("/api/admin/v1/detections",),
            need=ADMIN,
            act=detect,
            body=Endpoint,
            summary="What does an endpoint serve?",
            example={"endpoint": "http://gpu1:8000/v1"},
        ),
        Act(
            paths=("/api/admin/v1/sections/{section}",),
            need=ADMIN,
            act=set_section,
            method="PUT",
            body=Choice,
            summary="Let one model serve a whole section of features.",
            example={"model": "coder"},
        ),
        Act(paths=(FEATURES,), need=ADMIN, act=features, method="GET", summary="List the features."),
        Act(
            paths=(f"{FEATURES}/{{feature}}",),
            need=ADMIN,
            act=set_feature,
            method="PUT",
            body=Setting,
            summary="Let models serve a feature.",
            example={"model": "coder", "fallbacks": ["small"]},
        ),
        Act(
            paths=(CHANGES,),
            need=ADMIN,
            act=feature_changes,
            method="GET",
            summary="List the changes of features to undo.",
        ),
        Act(
            paths=(f"{CHANGES}/{{id}}",),
            need=ADMIN,
            act=undo_features,
            method="DELETE",
            summary="Undo a change of features.",
        ),
        Act(paths=(TOKENS,), need=ADMIN, act=list_tokens, method="GET", summary="List the tokens."),
        Act(
            paths=(TOKENS,),
            need=ADMIN,
            act=add_token,
            body=NewToken,
            summary="Make a token.",
            example={"name": "laptop", "scopes": ["complete_code", "duo_chat"]},
        ),
        Act(paths=(f"{TOKENS}/{{name}}",), need=ADMIN, act=revoke_token, method="DELETE", summary="Revoke a token."),
        Act(paths=("/api/admin/v1/keys/rotate",), need=ADMIN, act=rotate_keys, summary="Seal with a new root key."),
    ),
)
