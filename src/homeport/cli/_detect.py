"""What a model server serves and what its models can do, and the commands that register them."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeport.cli import _models
from homeport.cli._output import note, result, sheet, table, warn
from homeport.cli._session import in_store, opened, whoami
from homeport.cli._steps import Steps
from homeport.diagnostics._prove import Trial, doubts
from homeport.diagnostics._served import Served, of_the_server, served, wants_a_key
from homeport.domain.errors import HomeportError, UpstreamError
from homeport.domain.models import Model, Secret
from homeport.families import Family
from homeport.kit.addresses import parse_networks
from homeport.kit.discover import discover
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from homeport.domain.capabilities import Capabilities
    from homeport.kit.settings import Settings

SHADES = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed."""

    url: str
    key_env: str | None = None
    key_file: Path | None = None
    identifier: str | None = None
    prove: bool = True


def detect(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    """Print what is served at an address, and what a model can do there; raises UpstreamError."""
    if not wanted.url.startswith(("http://", "https://")):
        _registered(settings, wanted.url, as_json=as_json)
        return
    key = _models.key_from(wanted.key_env, wanted.key_file) or Secret()
    endpoint, names, seen = asyncio.run(_looked(settings, wanted, key))
    guessed = [(name, _models.family_of(None, name)[0]) for name in names]
    found: list[dict[str, Any]] = [{"identifier": name, "family": family} for name, family in guessed]
    for entry in found:
        if entry["identifier"] in seen:
            entry["seen"] = seen[entry["identifier"]].as_json()
    result(
        {"endpoint": endpoint, "models": found},
        as_json=as_json,
        people=lambda: "\n\n".join((table(("IDENTIFIER", "FAMILY"), guessed), *map(_told, seen.values()))),
    )
    _advise(endpoint, guessed, seen, wanted)


def _advise(
    endpoint: str, guessed: Sequence[tuple[str, str]], seen: Mapping[str, Capabilities], wanted: Wanted
) -> None:
    """How to register what was found; with the family that was proven, where one was."""
    families = discover(_families(), Family)
    for name, family in guessed:
        found = seen.get(name)
        proven = found.best_layout if found else ""
        chosen = f" --family {proven}" if proven in families and proven != family else ""
        typed = f"--endpoint {shlex.quote(endpoint)} --identifier {shlex.quote(name)}{chosen}{_with_key(wanted)}"
        note(f"Register it:  homeport models add NAME {typed}")
        if found:
            model = Model(name="NAME", platform=_models.DEFAULT_PLATFORM, family=proven if chosen else family)
            for doubt in doubts(model, families, found):
                warn(f"{name}: {doubt.told(model.name)}")
    if len(guessed) > 1 and not seen and wanted.prove:
        note("See what one of them can do:  add --identifier ID")


def _registered(settings: Settings, name: str, *, as_json: bool) -> None:
    """Measure a registered model and keep what was seen."""
    model, seen = asyncio.run(_measured(settings, name))
    in_store(lambda store: store.measured(name, seen, by=whoami()))
    found = [doubt.told(name) for doubt in doubts(model, discover(_families(), Family), seen)]
    result({"name": name, "seen": seen.as_json(), "warnings": found}, as_json=as_json, people=lambda: _told(seen))
    for doubt in found:
        warn(doubt)


async def _measured(settings: Settings, name: str) -> tuple[Model, Capabilities]:
    async with opened(settings) as store, _reached(settings) as upstream:
        model = await store.model(name)
        return model, await _tried(upstream, model)


async def _tried(upstream: HttpUpstream, model: Model) -> Capabilities:
    provider = _models.platform_known(model.platform)
    if not model.endpoint and provider.needs_endpoint:
        saw = f"The model {model.name!r} has no address."
        raise HomeportError(saw, "One that runs inside the server is measured with `homeport doctor`.")
    families = discover(_families(), Family)
    with Steps() as steps:
        trial = Trial(provider=provider, upstream=upstream, model=model, families=families, told=steps)
        return await trial.run()


def _families() -> Any:  # noqa: ANN401 (a module)
    from homeport import families  # noqa: PLC0415 (loads every family)

    return families


def _with_key(wanted: Wanted) -> str:
    """The option that names the key again."""
    if wanted.key_env is not None:
        return f" --api-key-env {shlex.quote(wanted.key_env)}"
    return "" if wanted.key_file is None else f" --api-key-file {shlex.quote(str(wanted.key_file))}"


def _of_the_server(url: str, error: UpstreamError) -> HomeportError:
    """The same words about a server that is no model yet."""
    fix = "Start it, or give its base URL, up to and including /v1 where it has one."
    if wants_a_key(error):
        fix = "It wants a key: name the variable that holds it with --api-key-env, or the file with --api-key-file."
    model = Model(name=url, platform=_models.DEFAULT_PLATFORM, endpoint=url)
    return HomeportError(of_the_server(model, error), fix)


@asynccontextmanager
async def _reached(settings: Settings) -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream(
        denied_networks=parse_networks(settings.denied_networks),
        ca_file=settings.ca_file,
        proxy=settings.proxy,
        no_proxy=settings.no_proxy,
    )
    try:
        yield upstream
    finally:
        await upstream.close()


async def _looked(
    settings: Settings, wanted: Wanted, key: Secret
) -> tuple[str, Sequence[str], dict[str, Capabilities]]:
    """The endpoint, the names that it serves, and what the one that was meant can do."""
    url = wanted.url.rstrip("/")
    async with _reached(settings) as upstream:
        try:
            endpoint, names = await _served(upstream, url, key)
        except UpstreamError as error:
            raise _of_the_server(url, error) from error
        chosen = wanted.identifier or (names[0] if len(names) == 1 else "")
        if chosen and chosen not in names:
            raise HomeportError(f"Nothing is served as {chosen!r} at {endpoint}.", f"Served: {', '.join(names)}.")
        if not chosen or not wanted.prove:
            return endpoint, names, {}
        model = Model(
            name=chosen,
            platform=_models.DEFAULT_PLATFORM,
            family=_models.family_of(None, chosen)[0],
            endpoint=endpoint,
            identifier=chosen,
            key=key,
        )
        return endpoint, names, {chosen: await _tried(upstream, model)}


async def _served(upstream: HttpUpstream, url: str, key: Secret) -> Served:
    """The endpoint, with /v1 where the server answers only there, and the names that it serves."""
    model = Model(name=url, platform=_models.DEFAULT_PLATFORM, endpoint=url, key=key)
    found = await served(upstream, _models.platform_known(model.platform), model, versioned=True)
    if found.endpoint != url:
        warn(f"It answers at {found.endpoint}, not at {url}.")
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
        yield what, "not known" if value is None else "yes" if value else "no"
    if seen.first_token_s is not None:
        yield "first token", f"after {seen.first_token_s * 1000:.0f} ms"
    for what, said in seen.problems.items():
        yield f"tried {what}", said


def _bar(share: float, width: int = 12) -> str:
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + SHADES[eighths % 8].strip()
