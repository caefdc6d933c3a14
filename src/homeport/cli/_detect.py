"""What a model server serves and what its models can do, and the commands that register them."""

from __future__ import annotations

import asyncio
import difflib
import re
import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import click

from homeport import providers
from homeport.cli import _models
from homeport.cli._output import note, result, sheet, table, warn
from homeport.cli._session import in_store, opened, remembered, whoami
from homeport.cli._steps import Steps
from homeport.diagnostics._prove import Trial, doubts
from homeport.diagnostics._served import Served, of_the_server, served, wants_a_key
from homeport.domain.capabilities import REST
from homeport.domain.errors import HomeportError, UpstreamError, UpstreamMalformed, UpstreamRefused
from homeport.domain.models import Model, Secret
from homeport.families import Family, resolve
from homeport.features._holes import SUFFIX, proven
from homeport.kit.discover import discover
from homeport.kit.upstream_http import HttpUpstream
from homeport.providers import Unlisted
from homeport.providers._engine import PLATFORM, Engine
from homeport.store import live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from homeport.diagnostics import Doubt
    from homeport.domain.capabilities import Capabilities
    from homeport.kit.settings import Settings

SUGGESTED = 5
"""Of so many models at most, each is told how to register it."""
SHADES = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed."""

    url: str = ""
    """An address, or a registered model's name; empty where the platform knows its address."""
    platform: str | None = None
    option: tuple[str, ...] = ()
    api_key_env: str | None = None
    api_key_file: Path | None = None
    identifier: str | None = None
    prove: bool = True


class Found(NamedTuple):
    """What was found at a server: the model that was meant, or the first, and all that it serves."""

    model: Model
    names: Sequence[str]
    seen: Mapping[str, Capabilities]


def detect(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    """Print what is served at an address, and what a model can do there; raises UpstreamError."""
    if wanted.url and not wanted.url.startswith(("http://", "https://")):
        _named(wanted.url)
        _registered(settings, wanted, as_json=as_json)
        return
    asked = _asked(wanted)
    model, names, seen = asyncio.run(_looked(settings, asked, prove=wanted.prove))
    guessed = [(name, _models.family_of(None, name)[0]) for name in names]
    found: list[dict[str, Any]] = [{"identifier": name, "family": family} for name, family in guessed]
    for entry in found:
        if entry["identifier"] in seen:
            entry["seen"] = seen[entry["identifier"]].as_json()
    result(
        {"platform": model.platform, "endpoint": "" if model.platform == PLATFORM else model.endpoint, "models": found},
        as_json=as_json,
        people=lambda: "\n\n".join((table(("IDENTIFIER", "FAMILY"), guessed), *map(_told, seen.values()))),
    )
    _advise(model, guessed, seen, wanted)


def _named(given: str) -> None:
    """Raise UsageError for what looks like an address without its scheme, or with a wrong one."""
    scheme, colon, rest = given.rpartition("://")
    host = rest.partition("/")[0]
    if colon or "/" in given or re.fullmatch(r"(\[[\da-fA-F:]+\]|[\w.-]+):\d+", host):
        what = f"{scheme}:// is no scheme of a model server" if colon else "it has no scheme"
        message = f"{given!r} looks like an address, but {what}. Write http://{rest} or https://{rest}"
        raise click.UsageError(message)


def _asked(wanted: Wanted) -> Model:
    """What was typed as a model without a name; raises UsageError or BadRequest."""
    if wanted.url and not _has_host(wanted.url):
        message = f"{wanted.url!r} names no host. Write it like http://127.0.0.1:8000/v1"
        raise click.UsageError(message)
    platform, identifier = _models.split(wanted.identifier or "", wanted.platform)
    if wanted.platform is None and platform == _models.DEFAULT_PLATFORM:
        platform = _models.platform_of(wanted.url)
    offer = _models.platform_known(platform)
    url = wanted.url.rstrip("/")
    if not url and offer.needs_endpoint:
        message = "Give an address, a registered model's name, or a platform that needs neither: --platform bedrock."
        if wanted.platform is not None:
            message = f"{offer.label} needs an address: homeport models detect URL --platform {platform}"
        raise click.UsageError(message)
    options = _models.options_in({"option": wanted.option})
    providers.check(_models.shelf_of_platforms(), platform, options)
    key = _models.key_from(wanted.api_key_env, wanted.api_key_file) or Secret()
    name = url or offer.label
    return Model(name=name, platform=platform, endpoint=url, identifier=identifier, key=key, options=options)


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _advise(model: Model, guessed: Sequence[tuple[str, str]], seen: Mapping[str, Capabilities], wanted: Wanted) -> None:
    """How to register what was found; with the family that was proven, where one was."""
    shown = [each for each in guessed if each[0] in seen] or guessed
    if len(shown) > SUGGESTED:
        note(f"Register one:  {_to_add(replace(model, family=''), 'ID', {}, wanted)}")
        shown = []
    unsettled = {}
    for name, family in shown:
        better, options, said = _as_proven(model, family, seen.get(name))
        concern = _models.of_release(better or family)
        note(f"Register it:  {_to_add(replace(model, family=better), name, options, wanted, beta=bool(concern))}")
        unsettled[concern] = True
        for doubt in said:
            warn(f"{name}: {doubt.told('NAME')}")
    for concern in filter(None, unsettled):
        note(concern)
    if len(guessed) > 1 and not seen and wanted.prove:
        note("See what one of them can do:  add --identifier ID")


def _as_proven(model: Model, family: str, seen: Capabilities | None) -> tuple[str, dict[str, str], list[Doubt]]:
    """The family to register it with, where it is not the one that is guessed; its options, and what is doubtful."""
    if seen is None:
        return "", {}, []
    families = discover(_families(), Family)
    best = seen.best_layout
    better = best if best in families and best != family else ""
    options = {"fim": SUFFIX} if proven(seen, families, families[better or family]) else {}
    as_registered = replace(model, name="NAME", family=better or family, options={**model.options, **options})
    return better, options, doubts(as_registered, families, seen)


def _to_add(model: Model, name: str, more: Mapping[str, str], wanted: Wanted, *, beta: bool = False) -> str:
    """The command that registers a model by the name that its server has for it."""
    parts = ["homeport models add NAME"]
    if model.platform != _models.DEFAULT_PLATFORM:
        parts.append(f"--platform {model.platform}")
    if model.endpoint and model.platform != PLATFORM:
        parts.append(f"--endpoint {shlex.quote(model.endpoint)}")
    parts.append(f"--identifier {shlex.quote(name)}")
    if model.family:
        parts.append(f"--family {model.family}")
    if beta:
        parts.append("--beta")
    parts += [f"--option {shlex.quote(f'{key}={value}')}" for key, value in {**model.options, **more}.items()]
    return " ".join(parts) + _with_key(wanted)


def _registered(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    """Measure a registered model and keep what was seen."""
    name = wanted.url
    if wanted.platform or wanted.option or wanted.identifier or wanted.api_key_env or wanted.api_key_file:
        message = (
            f"{name!r} is no address, and of a registered model all is known. An address has a scheme, http or https."
        )
        raise click.UsageError(message)
    try:
        model, seen = asyncio.run(_measured(settings, name))
    except UpstreamError:
        note("It answered no question, so nothing is kept of this; what was seen before stays.")
        raise
    in_store(lambda store: store.measured(name, seen, by=whoami()))
    families = discover(_families(), Family)
    found = [doubt.told(name) for doubt in doubts(model, families, seen)]
    result({"name": name, "seen": seen.as_json(), "warnings": found}, as_json=as_json, people=lambda: _told(seen))
    if "fim" not in model.options and proven(seen, families, families[resolve(model.family, families)[0]]):
        note("Completions are asked by the server's `suffix` from now on, because that was proven best.")
    for doubt in found:
        warn(doubt)
    if REST in seen.problems:
        note("The measurement was broken off: what was seen before of the rest is kept. Measure again when it answers.")
        raise SystemExit(1)


async def _measured(settings: Settings, name: str) -> tuple[Model, Capabilities]:
    async with opened(settings) as store, _reached(settings) as upstream:
        model = await store.model(name)
        async with _located(settings, model) as here:
            return model, await _tried(upstream, here)


@asynccontextmanager
async def _located(settings: Settings, model: Model) -> AsyncIterator[Model]:
    """The model where it can be asked: the embedded one at an engine of our own; raises BadConfiguration."""
    if model.platform != PLATFORM:
        yield model
        return
    engine = Engine(threads=settings.embedded_threads, weights=settings.embedded_model)
    await engine.start()
    try:
        yield replace(engine.locate(model), platform=_models.DEFAULT_PLATFORM)
    finally:
        await engine.stop()


async def _tried(upstream: HttpUpstream, model: Model) -> Capabilities:
    provider = _models.platform_known(model.platform)
    families = discover(_families(), Family)
    with Steps() as steps:
        trial = Trial(
            provider=provider, upstream=upstream, model=model, families=families, told=steps, missed=steps.failed
        )
        return await trial.run()


def _families() -> Any:  # noqa: ANN401 (a module)
    from homeport import families  # noqa: PLC0415 (loads every family)

    return families


def _with_key(wanted: Wanted) -> str:
    """The option that names the key again."""
    if wanted.api_key_env is not None:
        return f" --api-key-env {shlex.quote(wanted.api_key_env)}"
    return "" if wanted.api_key_file is None else f" --api-key-file {shlex.quote(str(wanted.api_key_file))}"


def _of_the_server(model: Model, error: UpstreamError) -> HomeportError:
    """The same words about a server that is no model yet."""
    fix = "Start it, or give its base URL, up to and including /v1 where it has one."
    if isinstance(error, (UpstreamRefused, UpstreamMalformed)):
        fix = f"It answers, but not like a model server. Tried: {', '.join(_paths(model))}. Give the server's base URL."
    if wants_a_key(error):
        fix = "It wants a key: name the variable that holds it with --api-key-env, or the file with --api-key-file."
        if model.key:
            fix = "It did not accept the key that was given: see that it is this server's, and whole."
    if model.platform != _models.DEFAULT_PLATFORM and "homeport models" not in error.fix:
        fix = error.fix
    return HomeportError(of_the_server(model, error), fix)


def _paths(model: Model) -> list[str]:
    """Where its list of models was looked for."""
    url = model.endpoint.rstrip("/")
    return [f"GET {url}/models", *([] if url.endswith("/v1") else [f"GET {url}/v1/models"])]


@asynccontextmanager
async def _reached(settings: Settings) -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream(
        denied_networks=live.counting(settings, await remembered(settings)).closed_networks,
        ca_file=settings.ca_file,
        proxy=settings.proxy,
        no_proxy=settings.no_proxy,
    )
    try:
        yield upstream
    finally:
        await upstream.close()


async def _looked(settings: Settings, asked: Model, *, prove: bool) -> Found:
    """What is served, and what the model that was meant can do; raises HomeportError."""
    async with _reached(settings) as upstream, _located(settings, asked) as here:
        try:
            endpoint, names = await _served(upstream, here)
        except Unlisted as error:
            endpoint, names = here.endpoint, _unlisted(asked, error)
        except UpstreamError as error:
            raise _of_the_server(here, error) from error
        chosen = asked.identifier or (names[0] if len(names) == 1 else "")
        if chosen and chosen not in names:
            raise HomeportError(f"Nothing is served as {chosen!r} at {endpoint or asked.name}.", _near(chosen, names))
        found = replace(asked, endpoint=endpoint)
        if not chosen or not prove:
            return Found(found, names, {})
        model = replace(here, endpoint=endpoint, identifier=chosen, family=_models.family_of(None, chosen)[0])
        try:
            return Found(found, names, {chosen: await _tried(upstream, model)})
        except UpstreamError as error:
            raise _of_the_server(model, error) from error


def _unlisted(asked: Model, error: Unlisted) -> list[str]:
    """The one that was named, where the server does not tell which there are; raises HomeportError when none was."""
    if not asked.identifier:
        raise HomeportError(error.saw, "Name the model, or the deployment, with --identifier ID.") from error
    note(error.saw)
    return [asked.identifier]


def _near(chosen: str, names: Sequence[str]) -> str:
    """What is served instead: all of a few, else those that are called nearly so."""
    if len(names) <= SUGGESTED:
        return f"Served: {', '.join(names)}."
    near = difflib.get_close_matches(chosen, names, n=SUGGESTED, cutoff=0.3)
    return f"Near to it: {', '.join(near) or 'none'}; without --identifier all {len(names)} are listed."


async def _served(upstream: HttpUpstream, model: Model) -> Served:
    """The endpoint, with /v1 where the server answers only there, and the names that it serves."""
    versioned = model.platform == _models.DEFAULT_PLATFORM
    found = await served(upstream, _models.platform_known(model.platform), model, versioned=versioned)
    if found.endpoint != model.endpoint.rstrip("/"):
        warn(f"It answers at {found.endpoint}, not at {model.endpoint}.")
    return found


def _told(seen: Capabilities) -> str:
    """What was seen, for people: facts first, then how well each layout filled the holes."""
    parts = [sheet(_facts(seen))]
    if seen.holes:
        ranked = sorted(seen.holes.items(), key=lambda each: -each[1])
        rows = [(layout, _bar(score), f"{score:.0%}") for layout, score in ranked]
        parts.append(table(("HOLES LAID OUT AS", "FILLED", ""), rows))
    return "\n\n".join(parts)


def _facts(seen: Capabilities) -> Iterator[tuple[str, str]]:
    yield "context window", f"{seen.context_tokens} tokens" if seen.context_tokens else "not told by the server"
    for what in ("chat", "text", "streams", "tools", "thinks"):
        value = getattr(seen, what)
        said = "not known" if value is None else "yes" if value else "no"
        yield what, f"{said}, its text begins in a thought" if what == "thinks" and seen.thought_begun else said
    if seen.embeds is not None:
        yield "embeds", "yes" if seen.embeds else "no"
    if seen.first_token_s is not None:
        yield "first token", f"after {seen.first_token_s * 1000:.0f} ms"
    for what, said in seen.problems.items():
        yield f"tried {what}", said


def _bar(share: float, width: int = 12) -> str:
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + SHADES[eighths % 8].strip()
