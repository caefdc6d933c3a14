"""What `homeport models` makes of what was typed: names, keys, families, and words about a model."""

from __future__ import annotations

import os
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import click

from homeport import families, features, providers
from homeport.cli._data_dir import running
from homeport.cli._output import note
from homeport.cli._session import whoami
from homeport.diagnostics import _registration
from homeport.domain.errors import BadRequest, HomeportError
from homeport.domain.models import Limits, Model, Secret
from homeport.families import BETA, SETTLED, Family, guess, opted_in, resolve
from homeport.features import Feature
from homeport.kit.discover import discover
from homeport.providers import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from homeport.cli.models import Given
    from homeport.kit.settings import Settings
    from homeport.store.database import Store
    from homeport.store.records import Edited

DEFAULT_PLATFORM = "openai"
PATIENCE_S = 2.0
"""How long a list waits for what a server knows."""
LIMITS = tuple(each.name for each in fields(Limits))


def shelf_of_platforms() -> Mapping[str, Provider]:
    """Every platform, by key."""
    return discover(providers, Provider)


def split(identifier: str, platform: str | None) -> tuple[str, str]:
    """Platform and name of an identifier that may begin with a platform's prefix, as GitLab writes them."""
    prefix, slash, rest = identifier.partition("/")
    if not slash or not rest or prefix in _registration.HUB_OWNERS:
        return platform or DEFAULT_PLATFORM, identifier
    named = next((key for key, offer in shelf_of_platforms().items() if prefix in offer.prefixes), None)
    if named is None or platform not in {None, named}:
        return platform or DEFAULT_PLATFORM, identifier
    return named, rest


def family_of(given: str | None, identifier: str) -> tuple[str, str]:
    """The family's key, and how we came to it when nobody named it; raises UsageError for an unknown one."""
    shelf = discover(families, Family)
    if given is None:
        found = guess(identifier, shelf)
        return (found, f"guessed from {identifier!r}") if found else ("general", f"{identifier!r} tells nothing")
    key, known = resolve(given, shelf)
    if not known:
        message = f"There is no family {given!r}. Known: {', '.join(shelf)}. Leave --family out to have it guessed."
        raise click.UsageError(message)
    return key, ""


def embeds(model: Model) -> bool:
    """Whether its family makes vectors and writes nothing."""
    return discover(families, Family)[family_of(model.family, model.identifier)[0]].embeds


def platform_known(platform: str) -> Provider:
    """The platform called so; raises UsageError with the names there are."""
    shelf = shelf_of_platforms()
    if platform in shelf:
        return shelf[platform]
    message = f"There is no platform {platform!r}. Known: {', '.join(shelf)}."
    raise click.UsageError(message)


def platform_of(url: str) -> str:
    """The platform whose servers have such addresses; the default one for any other."""
    host = urlsplit(url).hostname or ""
    known = (key for key, offer in shelf_of_platforms().items() if host.endswith(offer.hosts or "\0"))
    return next(known, DEFAULT_PLATFORM)


def key_from(variable: str | None, file: Path | None) -> Secret | None:
    """The key that a variable or a file holds; None when neither was named; raises UsageError."""
    if variable is not None and file is not None:
        message = "Name the key's variable or its file, not both."
        raise click.UsageError(message)
    if variable is not None:
        return _key(os.environ.get(variable, ""), f"The variable {variable}")
    if file is None:
        return None
    try:
        return _key(file.read_text(), f"The file {file}")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The key file {file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}."
        raise click.UsageError(message) from error


def _key(text: str, place: str) -> Secret:
    if not text.strip():
        message = f"{place} holds no key: it is {'empty' if text else 'not set or empty'}."
        raise click.UsageError(message)
    return Secret(text.strip())


def free_name(name: str) -> str:
    """The name, if callers can write it for a model; raises UsageError."""
    if any(map(str.isspace, name)):
        message = f"{name!r} cannot be a model's name: it has spaces. Write it like {'-'.join(name.split())}"
        raise click.UsageError(message)
    if name in discover(features, Feature):
        message = f"{name!r} cannot be a model's name: it is a feature's, which stands for whatever serves it."
        raise click.UsageError(message)
    return name


def registration(name: str, given: Given) -> tuple[Model, str]:
    """The model that was described, and how its family was found; raises UsageError for what is missing."""
    platform, identifier = split(given.get("identifier") or "", given.get("platform"))
    offer = platform_known(platform)
    endpoint = given.get("endpoint") or ""
    wanted = (("endpoint", endpoint, offer.needs_endpoint), ("identifier", identifier, offer.needs_identifier))
    missing = [f"--{what}" for what, value, needed in wanted if needed and not value]
    if missing:
        message = f"{' and '.join(missing)} is missing: {offer.label} needs to know where and under which name."
        raise click.UsageError(message)
    options = options_in(given)
    providers.check(shelf_of_platforms(), platform, options)
    family, said = family_of(given.get("family"), identifier or name)
    model = Model(
        name=free_name(name),
        platform=platform,
        family=family,
        endpoint=endpoint,
        identifier=identifier,
        key=key_from(given.get("api_key_env"), given.get("api_key_file")) or Secret(),
        enabled=not given.get("disabled"),
        clean=given.get("clean") is not False,
        limits=Limits(**limits_in(given)),
        options=options,
    )
    return model, said


async def add(store: Store, model: Model, *, beta: bool) -> Model:
    """Register a model; raises BadRequest."""
    await consent(store, model.family, beta=beta)
    return await store.add_model(model, by=whoami())


async def consent(store: Store, family: str, *, beta: bool) -> None:
    """Keep an opt-in that comes with a model; raises BadRequest for a family that needs one and has none."""
    offer = discover(families, Family)[family]
    try:
        if opted_in(offer, await store.settings(), now=beta):
            await store.set_setting(BETA, "on", by=whoami())
            note(of_release(family))
    except BadRequest as error:
        raise BadRequest(error.saw, "Name another one with --family, or add --beta.", param="family") from error


def of_release(family: str) -> str:
    """What `--beta` means for a family, by key, that is not generally available; empty for one that is."""
    offer = discover(families, Family)[family]
    if offer.release == SETTLED:
        return ""
    return (
        f"The family {offer.label} is {offer.release}: --beta allows such families for every model from now on "
        "(homeport models beta off takes that back)."
    )


async def edit(store: Store, name: str, changes: Mapping[str, Any], *, beta: bool) -> Edited:
    """Change a model, if its platform has the options; raises BadRequest."""
    before = await store.model(name)
    platform = changes.get("platform") or before.platform
    if changes.get("family", before.family) != before.family:
        await consent(store, changes["family"], beta=beta)
    given = {option: value for option, value in changes.get("options", {}).items() if value}
    if given:
        providers.check(shelf_of_platforms(), platform, given)
    return await store.edit_model(name, changes, by=whoami())


def changes(given: Given) -> dict[str, Any]:
    """The fields of a model that were given, as the store takes them; raises UsageError."""
    changed: dict[str, Any] = {}
    if given.get("identifier") is not None:
        platform, changed["identifier"] = split(given["identifier"] or "", given.get("platform"))
        if platform != DEFAULT_PLATFORM:
            changed["platform"] = platform
    if given.get("platform") is not None:
        platform_known(given["platform"] or "")
        changed["platform"] = given["platform"]
    if given.get("family") is not None:
        changed["family"] = family_of(given["family"], "")[0]
    renamed = given.get("rename")
    name = None if renamed is None else free_name(renamed)
    plain: dict[str, Any] = {"endpoint": given.get("endpoint"), "name": name, "clean": given.get("clean")}
    changed |= {field: value for field, value in plain.items() if value is not None}
    key = Secret() if given.get("no_api_key") else key_from(given.get("api_key_env"), given.get("api_key_file"))
    if key is not None:
        changed["key"] = key
    parts = {"limits": limits_in(given), "options": options_in(given)}
    return changed | {field: value for field, value in parts.items() if value}


def limits_in(given: Given) -> dict[str, Any]:
    """The limits among the options that were given."""
    options: Mapping[str, Any] = given
    return {name: options[name] for name in LIMITS if options.get(name) is not None}


def options_in(given: Given) -> dict[str, str]:
    """The options of the platform that were given; raises UsageError for one without a value."""
    found: dict[str, str] = {}
    for text in given.get("option") or ():
        name, equals, value = text.partition("=")
        if not equals:
            message = f"--option {text!r} says no value. Write it like region=eu-central-1"
            raise click.UsageError(message)
        found[name.strip()] = value.strip()
    return found


def doubts(model: Model) -> Iterator[str]:
    """What looks odd about a registration, with the remedy; none of it forbids it."""
    return (doubt.told(model.name) for doubt in _registration.doubts(model, platform_known(model.platform)))


class Healths(NamedTuple):
    """How each model is, by name, by the word of a running server; why that is unknown where no server told."""

    known: Mapping[str, Mapping[str, Any]]
    why_not: str = ""


def health(settings: Settings) -> Healths:
    """What the server that runs from the data directory knows of each model at this moment."""
    from homeport.cli._asking import answered  # noqa: PLC0415 (loads asyncio)

    if not running(settings.data_dir):
        return Healths({}, "no server runs")
    # of the models in this data directory another server, to which HOMEPORT_URL may lead, knows nothing
    here = settings.model_copy(update={"url": ""})
    try:
        found = answered(here, "/api/admin/v1/models", within_s=PATIENCE_S)
    except HomeportError as error:
        return Healths({}, f"the server does not tell. {error}")
    return Healths({each["name"]: each["health"] for each in found})


def facts(model: Model) -> dict[str, Any]:
    """A model as a JSON document: whether it has a key, never which."""
    shown = {name: getattr(model, name) for name in ("name", "platform", "family", "endpoint", "identifier", "enabled")}
    shown |= {"key": bool(model.key), "clean": model.clean}
    return {**shown, "options": dict(model.options), "limits": asdict(model.limits)}
