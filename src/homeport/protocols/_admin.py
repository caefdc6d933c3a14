"""What every way to administer has in common: its checks, its changes, and who is written down for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from homeport import providers
from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import FeatureSetting, Limits, Model, Secret
from homeport.families import guess, resolve
from homeport.store import checks
from homeport.store.plan import FeatureChange, ModelChange, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.store.database import Store
    from homeport.store.records import Edited


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
    limits: dict[str, float | int] | None = None
    options: dict[str, str] | None = None


def store_of(door: Door) -> Store:
    """The database; raises Unknown at a gateway, which has none."""
    if door.store is None:
        raise Unknown("This gateway has no database: its models are in its file.", "Ask the instance.")
    return door.store


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
    store = store_of(door)
    return await store.add_model(drafted(door, body), by=who)


async def edited(door: Door, name: str, body: ModelChanges, who: str) -> Edited:
    """Change a model; raises Unknown or BadRequest."""
    store = store_of(door)
    changed = changes(door, body, body.family)
    if not changed:
        raise BadRequest("There is nothing to change.", "Name at least one field.")
    before = await store.model(name)
    check(door, changed.get("platform", before.platform), changed.get("options", {}))
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
    store = store_of(door)
    model = await store.model(name)
    await store.model(instead)
    if name == instead:
        raise BadRequest("A model cannot take its own place.", "Name another one.", param="instead")
    snapshot = await store.snapshot()
    users = [each for each in snapshot.features.values() if name in each.models]
    moved = [FeatureChange(name=each.feature, before=each, after=each.replaced(name, instead)) for each in users]
    plan = Plan(revision=snapshot.revision, changes=(*moved, ModelChange(name=name, before=model)))
    await store.carry_out(plan, by=who)
    return [each.feature for each in users]


def changes(door: Door, body: ModelChanges, family: str | None) -> dict[str, Any]:
    """The fields that were given, as the store takes them; raises BadRequest for an unknown family."""
    changed = {name: value for name, value in body.model_dump().items() if value is not None}
    if "api_key" in changed:
        changed["key"] = Secret(changed.pop("api_key"))
    if "name" in changed:
        _free(door, changed["name"])
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


def _free(door: Door, name: str) -> str:
    if name in door.bench.features or any(map(str.isspace, name)):
        raise BadRequest(f"{name!r} cannot be a model's name: it is a feature's, or has spaces.", "Choose another.")
    return name
