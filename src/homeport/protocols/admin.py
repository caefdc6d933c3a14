"""Homeport's own administration: models, features, tokens and the audit, as in the console and the command line.

A token with the scope `admin` opens it. Every change is one transaction with its entry in the audit; keys and tokens
are never read back.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport import providers
from homeport.access import SCOPES, Need, tokens
from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Token
from homeport.families import guess, resolve
from homeport.kit.discover import discover
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._openai import error
from homeport.providers import Provider
from homeport.store import checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.store.database import Store
    from homeport.store.records import AuditEvent

ADMIN = Need("admin")
MODELS, FEATURES, TOKENS = "/api/admin/v1/models", "/api/admin/v1/features", "/api/admin/v1/tokens"
MOST = 500


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelChanges(_Body):
    """What may be said of a model; what is left out stays."""

    name: str | None = None
    platform: str | None = None
    family: str | None = Field(None, description="Guessed from the identifier when a new model names none.")
    endpoint: str | None = None
    identifier: str | None = None
    api_key: str | None = Field(None, description="Written and never read back; empty forgets it.")
    enabled: bool | None = None
    clean: bool | None = None
    limits: dict[str, float | int] | None = None
    options: dict[str, str] | None = None


class NewModel(ModelChanges):
    """A model to register."""

    name: str


class Setting(_Body):
    """Which models serve a feature."""

    assignment: Literal["unassigned", "disabled", "model", "inherit"] = "model"
    model: str = ""
    fallbacks: list[str] = Field(default=[])
    weights: dict[str, int] = Field(default={})
    sticky: bool = False
    shadow: str = ""


class NewToken(_Body):
    """A token to make."""

    name: str
    user: str = "admin"
    scopes: list[str] = Field(min_length=1)
    expires: datetime | None = None


def _store(door: Door) -> Store:
    if door.store is None:
        raise Unknown("This gateway has no database: its models are in its file.", "Ask the instance.")
    return door.store


def _reply(found: Any, status: int = 200) -> Reply:  # noqa: ANN401 (any JSON)
    return Reply(body=orjson.dumps(found), status=status)


def _by(arrival: Arrival) -> str:
    return f"api:{arrival.caller.subject}"[:100]


async def models(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Every model, and what it was seen to do."""
    store = _store(door)
    seen = await store.capabilities()
    return _reply([_model(each, seen) for each in await store.models()])


async def model(door: Door, _body: None, arrival: Arrival) -> Reply:
    """One model."""
    store = _store(door)
    return _reply(_model(await store.model(arrival.tail), await store.capabilities()))


async def add_model(door: Door, body: NewModel, arrival: Arrival) -> Reply:
    """Register a model."""
    family = body.family or guess(body.identifier or body.name, door.bench.families) or "general"
    fields = {"platform": "openai"} | _changes(door, body, family)
    fields["limits"] = checks.limits(fields.get("limits", {}), Limits())
    made = Model(**fields)
    _check(made.platform, made.options)
    stored = await _store(door).add_model(made, by=_by(arrival))
    return _reply(_model(stored, {}), 201)


async def edit_model(door: Door, body: ModelChanges, arrival: Arrival) -> Reply:
    """Change some of what is registered; a stored key stays only while the endpoint's origin does."""
    store = _store(door)
    changes = _changes(door, body, body.family)
    if not changes:
        raise BadRequest("There is nothing to change.", "Name at least one field.")
    before = await store.model(arrival.tail)
    _check(changes.get("platform", before.platform), changes.get("options", {}))
    edited = await store.edit_model(arrival.tail, changes, by=_by(arrival))
    return _reply({**_model(edited.model, {}), "notes": list(edited.notes)})


async def remove_model(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Forget a model; refused while a feature uses it."""
    await _store(door).remove_model(arrival.tail, by=_by(arrival))
    return _reply({"removed": arrival.tail})


async def features(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Every feature and its setting."""
    settings = await _store(door).features()
    listed = [key for key, each in door.bench.features.items() if each.listed]
    return _reply([_feature(door, settings.get(key, FeatureSetting(feature=key))) for key in listed])


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
    await _store(door).set_feature(setting, by=_by(arrival))
    return _reply(_feature(door, setting))


async def list_tokens(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Every token, but never the token itself."""
    return _reply([_token(each) for each in await _store(door).tokens()])


async def add_token(door: Door, body: NewToken, arrival: Arrival) -> Reply:
    """Make a token, which is in this answer and never again."""
    unknown = sorted(set(body.scopes) - SCOPES.keys())
    if unknown:
        raise BadRequest(f"There is no scope {', '.join(unknown)}.", f"Known: {', '.join(sorted(SCOPES))}.")
    made = tokens.mint()
    token = Token(
        name=body.name,
        owner=body.user,
        digest=door.gate.digest(made),
        hint=tokens.hint(made),
        scopes=frozenset(body.scopes),
        created=datetime.now(UTC),
        expires=body.expires,
    )
    await _store(door).add_token(token, by=_by(arrival))
    return _reply({**_token(token), "token": made}, 201)


async def revoke_token(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Make a token useless at once."""
    await _store(door).revoke_token(arrival.tail, by=_by(arrival))
    return _reply({"revoked": arrival.tail})


async def rotate_keys(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Make a new root key and seal every stored API key with it."""
    made, count = await _store(door).rotate_keys(by=_by(arrival))
    return _reply({"key": made, "sealed": count})


async def audit(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """The latest changes, newest first."""
    return _reply([_event(each) for each in await _store(door).audit(MOST)])


def _free(door: Door, name: str) -> str:
    if name in door.bench.features or any(map(str.isspace, name)):
        raise BadRequest(f"{name!r} cannot be a model's name: it is a feature's, or has spaces.", "Choose another.")
    return name


def _changes(door: Door, body: ModelChanges, family: str | None) -> dict[str, Any]:
    """The fields that were given, as the store takes them; raises BadRequest for an unknown family."""
    changes = {name: value for name, value in body.model_dump().items() if value is not None}
    if "api_key" in changes:
        changes["key"] = Secret(changes.pop("api_key"))
    if "name" in changes:
        _free(door, changes["name"])
    if family is not None:
        changes["family"], known = resolve(family, door.bench.families)
        if not known:
            known_ones = ", ".join(door.bench.families)
            raise BadRequest(f"There is no family {family!r}.", f"Known: {known_ones}.", param="family")
    return changes


def _check(platform: str, options: Mapping[str, str]) -> None:
    given = {name: value for name, value in options.items() if value}
    providers.check(discover(providers, Provider), platform, given)


def _model(found: Model, seen: Mapping[str, tuple[datetime, Any]]) -> dict[str, Any]:
    names = ("name", "platform", "family", "endpoint", "identifier", "enabled", "clean")
    shown = {name: getattr(found, name) for name in names} | {"api_key_set": bool(found.key)}
    measured = seen.get(found.name)
    if measured:
        shown["seen"] = {"at": measured[0].isoformat(), **measured[1].as_json()}
    return {**shown, "options": dict(found.options), "limits": asdict(found.limits)}


def _feature(door: Door, setting: FeatureSetting) -> dict[str, Any]:
    offer = door.bench.features[setting.feature]
    about = {"title": offer.title, "section": offer.section, "inherits": offer.inherits or None}
    said = asdict(setting) | {"fallbacks": list(setting.fallbacks), "weights": dict(setting.weights)}
    return said | about


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


def _event(event: AuditEvent) -> dict[str, Any]:
    return asdict(event) | {"at": event.at.isoformat()}


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
        Act(paths=("/api/admin/v1/audit",), need=ADMIN, act=audit, method="GET", summary="The latest changes."),
    ),
)
