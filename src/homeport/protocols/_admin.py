"""What every way to administer has in common: its checks, its changes, and who is written down for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport import providers
from homeport.access import Need
from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import FeatureSetting, Limits, Model, Secret
from homeport.families import BETA, guess, opted_in, resolve
from homeport.protocols import Reply
from homeport.store import checks
from homeport.store.plan import FeatureChange, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.store.database import Store
    from homeport.store.records import Edited


ADMIN = Need("admin")
FIELDS = 50


class Strict(BaseModel):
    """Fields that are not known are refused: a misspelt one would be lost."""

    model_config = ConfigDict(extra="forbid")


class ModelChanges(Strict):
    """What may be said of a model; what is left out stays."""

    name: str | None = None
    platform: str | None = None
    family: str | None = Field(None, description="Guessed from the identifier when a new model names none.")
    endpoint: str | None = None
    identifier: str | None = None
    api_key: str | None = Field(None, description="Written and never read back; empty forgets it.")
    enabled: bool | None = None
    clean: bool | None = None
    beta: bool | None = Field(None, description="True allows beta and experimental families from now on.")
    limits: dict[str, float | int] | None = None
    options: dict[str, str] | None = None


def store_of(door: Door) -> Store:
    """The database; raises Unknown at a gateway, which has none."""
    if door.store is None:
        raise Unknown("This gateway has no database: its models are in its file.", "Ask the instance.")
    return door.store


def reply(found: Any, status: int = 200) -> Reply:  # noqa: ANN401 (any JSON)
    """A JSON document."""
    return Reply(body=orjson.dumps(found), status=status)


def query_of(arrival: Arrival) -> dict[str, str]:
    """The fields of the address, the last of each name; raises BadRequest."""
    try:
        return dict(parse_qsl(arrival.query, keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError as problem:
        raise BadRequest("The query cannot be read.", f"Send up to {FIELDS} fields in UTF-8.") from problem


def by(arrival: Arrival) -> str:
    """Who is written down in the audit."""
    return f"api:{arrival.caller.subject}"[:100]


def drafted(door: Door, body: ModelChanges) -> Model:
    """A model as it would be registered; raises BadRequest."""
    family = body.family or guess(body.identifier or body.name or "", door.bench.families) or "general"
    fields = {"platform": "openai"} | changes(door, body, family)
    fields["limits"] = checks.limits(fields.get("limits", {}), Limits())
    made = Model(**fields)
    check(door, made.platform, made.options)
    return checks.model(made)


async def added(door: Door, body: ModelChanges, who: str) -> Model:
    """Register a model; raises BadRequest."""
    store, model = store_of(door), drafted(door, body)
    await _consent(door, model.family, body, who)
    return await store.add_model(model, by=who)


async def _consent(door: Door, family: str, body: ModelChanges, who: str) -> None:
    """Keep an opt-in that comes with the model; raises BadRequest for a family that needs one and has none."""
    store = store_of(door)
    if opted_in(door.bench.families[family], await store.settings(), now=bool(body.beta)):
        await store.set_setting(BETA, "on", by=who)


async def edited(door: Door, name: str, body: ModelChanges, who: str) -> Edited:
    """Change a model; raises Unknown or BadRequest."""
    store = store_of(door)
    changed = changes(door, body, body.family)
    if not changed:
        raise BadRequest("There is nothing to change.", "Name at least one field.")
    before = await store.model(name)
    check(door, changed.get("platform", before.platform), changed.get("options", {}))
    if changed.get("family", before.family) != before.family:
        await _consent(door, changed["family"], body, who)
    return await store.edit_model(name, changed, by=who)


async def apply(door: Door, wanted: Mapping[str, FeatureSetting | str], who: str) -> None:
    """Replace settings, all of them or none; the name of a model keeps what helps the first one.

    Raises Unknown for a model that is not registered, Outdated when somebody else changed something meanwhile.
    """
    store = store_of(door)
    revision, settings = await store.revision(), await store.features()
    after = {
        key: settings.get(key, FeatureSetting(feature=key)).led_by(each) if isinstance(each, str) else each
        for key, each in wanted.items()
    }
    changed = tuple(FeatureChange(name=key, before=settings.get(key), after=each) for key, each in after.items())
    await store.carry_out(Plan(revision=revision, changes=changed), by=who)


async def replace(door: Door, name: str, instead: str, who: str) -> list[str]:
    """Forget a model, and in the same step let another one serve what it served; gives these features.

    Raises Unknown or BadRequest.
    """
    return await store_of(door).replace_model(name, instead, by=who)


def changes(door: Door, body: ModelChanges, family: str | None) -> dict[str, Any]:
    """The fields that were given, as the store takes them; raises BadRequest for an unknown family."""
    changed = {name: value for name, value in body.model_dump(exclude={"beta"}).items() if value is not None}
    if "api_key" in changed:
        changed["key"] = Secret(changed.pop("api_key"))
    if "name" in changed:
        free(door, changed["name"])
    if family is not None:
        changed["family"], known = resolve(family, door.bench.families)
        if not known:
            known_ones = ", ".join(door.bench.families)
            raise BadRequest(f"There is no family {family!r}.", f"Known: {known_ones}.", param="family")
    return changed


def check(door: Door, platform: str, options: Mapping[str, str]) -> None:
    """Raise BadRequest for a platform that there is not, or an option that it does not have."""
    given = {name: value for name, value in options.items() if value}
    providers.check(door.prober.providers, platform, given)


def free(door: Door, name: str) -> str:
    """The name, if callers can write it for a model; raises BadRequest."""
    if name in door.bench.features or any(map(str.isspace, name)):
        raise BadRequest(f"{name!r} cannot be a model's name: it is a feature's, or has spaces.", "Choose another.")
    return name
