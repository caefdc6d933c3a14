"""Asks the checks and shows what they saw, each as soon as it is known."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import click

from homeport import diagnostics
from homeport.cli._data_dir import running
from homeport.cli._output import document, note, seconds
from homeport.cli._server import address_of, gateway_address, is_gateway, is_known, token_of
from homeport.cli._session import opened
from homeport.cli._steps import screen
from homeport.diagnostics import Check, Finding, model_reachable
from homeport.diagnostics._front_door import AGENT, FrontDoor
from homeport.diagnostics._run import run
from homeport.diagnostics._scene import EMBEDDED, Scene
from homeport.kit.discover import discover
from homeport.kit.upstream_http import HttpUpstream
from homeport.store import live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from rich.status import Status

    from homeport.domain.models import Snapshot
    from homeport.kit.settings import Settings

MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "skip": ("\N{EN DASH}", "bright_black")}
NOTICED_S = 0.001
"""Seconds that are worth telling."""
BROKEN, WARNED = 1, 2
_OF_A_MODEL = tuple(
    f"model_{hop}"
    for hop in ("dns", "proxy", "tcp", "tls", "reachable", "served", "answers", "chats", "fills", "streams", "window")
)
_OF_THE_EMBEDDED = (
    *("server", "token_accepted"),
    *(f"model_{hop}" for hop in ("served", "answers", "chats", "fills", "streams", "window", "cancels")),
)


def examine(settings: Settings, wrong: tuple[str, ...], *, gateway: bool = False, as_json: bool) -> int:
    """Ask everything; gives the exit status: 0 fine, 1 broken, 2 warnings only."""
    checks = discover(diagnostics, Check)
    return _verdict(asyncio.run(_examine(settings, wrong, checks, gateway=gateway, as_json=as_json)))


async def _examine(
    settings: Settings, wrong: tuple[str, ...], checks: Mapping[str, Check], *, gateway: bool, as_json: bool
) -> dict[str, Finding]:
    async with scene_of(settings, wrong_settings=wrong, gateway=gateway) as scene:
        return await _told(checks, scene, as_json=as_json)


async def checked(settings: Settings) -> dict[str, Any]:
    """What everything that was asked came to, as the document that `--json` prints; nothing is shown."""
    checks = discover(diagnostics, Check)
    async with scene_of(settings) as scene:
        return _document(await run(_of(checks, scene), scene))


def _of(checks: Mapping[str, Check], scene: Scene) -> Mapping[str, Check]:
    """Those that make sense where it runs."""
    return checks if scene.gateway else {name: each for name, each in checks.items() if each.role != "gateway"}


def test_model(settings: Settings, name: str, *, as_json: bool) -> None:
    """Ask one model, step by step; leaves with status 1 when a step failed."""
    findings = asyncio.run(_test(settings, name, as_json=as_json))
    raise click.exceptions.Exit(min(_verdict(findings), BROKEN))


async def _test(settings: Settings, name: str, *, as_json: bool) -> dict[str, Finding]:
    async with opened(settings) as store:
        model = await store.model(name)
        snapshot = await store.snapshot()
    every = discover(diagnostics, Check)
    wanted = _OF_THE_EMBEDDED if model.platform == EMBEDDED else _OF_A_MODEL
    async with scene_of(settings, only=name, remembered=snapshot) as scene:
        return await _told({key: every[key] for key in wanted}, scene, as_json=as_json)


def unreachable(settings: Settings, snapshot: Snapshot, names: Sequence[str]) -> list[str]:
    """What is wrong at the addresses of these models, a sentence each."""
    return asyncio.run(_unreachable(settings, snapshot, names))


async def _unreachable(settings: Settings, snapshot: Snapshot, names: Sequence[str]) -> list[str]:
    async with scene_of(settings, remembered=snapshot) as scene:
        models = [snapshot.models[name] for name in names]
        asked = [model_reachable.ask(scene, model) for model in models if model.platform != EMBEDDED]
        return [found.saw for found in await asyncio.gather(*asked) if found.status == "fail"]


@asynccontextmanager
async def scene_of(
    settings: Settings,
    *,
    wrong_settings: tuple[str, ...] = (),
    gateway: bool = False,
    only: str = "",
    remembered: Snapshot | None = None,
) -> AsyncIterator[Scene]:
    """The scene of these settings: one connection pool for models, one for ourselves."""
    denied = () if wrong_settings else settings.closed_networks
    gateway = gateway or is_gateway(settings)
    # the token of this machine's instance is nothing for another machine's gateway
    token = settings.token if gateway else token_of(settings)
    models = HttpUpstream(
        denied_networks=denied, ca_file=settings.ca_file, proxy=settings.proxy, no_proxy=settings.no_proxy
    )
    ourselves = HttpUpstream(ca_file=settings.ca_file)
    address = (gateway_address if gateway else address_of)(settings)
    noted = {} if gateway else running(settings.data_dir)

    def heed(snapshot: Snapshot) -> None:
        if not wrong_settings:
            models.deny(live.counting(settings, snapshot.settings).closed_networks)

    if remembered is not None:
        heed(remembered)
    try:
        yield Scene(
            settings=settings,
            upstream=models,
            door=FrontDoor(ourselves, address, token, AGENT),
            gateway=gateway,
            guessed=not gateway and not is_known(settings),
            noted=noted if noted.get("url") == address else {},
            wrong_settings=wrong_settings,
            only=only,
            remembered=remembered,
            heed=heed,
        )
    finally:
        await models.close()
        await ourselves.close()


async def _told(checks: Mapping[str, Check], scene: Scene, *, as_json: bool) -> dict[str, Finding]:
    """Run the checks; people see each when it is done, programs get all of them at the end."""
    checks = _of(checks, scene)
    order = sorted(checks, key=lambda name: (checks[name].order, name))
    with Waiting({name: checks[name].question for name in order}) as waiting:

        def seen(name: str, finding: Finding, took_s: float) -> None:
            waiting.done(name, () if as_json else _lines(name, finding, took_s))

        findings = await run(checks, scene, done=seen)
    if as_json:
        click.echo(document(_document(findings)))
    else:
        note(_summary(findings))
    return findings


class Waiting:
    """A spinner that names the check whose answer is awaited, on a terminal only."""

    def __init__(self, questions: Mapping[str, str]) -> None:
        self._left = dict(questions)
        self._screen = screen()
        self._spinner: Status | None = None

    def __enter__(self) -> Self:
        self._next()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def done(self, name: str, lines: Iterable[str] = ()) -> None:
        """The check is done: print what it saw and name the next one."""
        self._stop()
        for line in lines:
            click.echo(line)
        self._left.pop(name)
        self._next()

    def _next(self) -> None:
        if self._left and self._screen.is_terminal:
            self._spinner = self._screen.status(next(iter(self._left.values())), spinner="dots")
            self._spinner.start()

    def _stop(self) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None


def _lines(name: str, finding: Finding, took_s: float) -> Iterator[str]:
    """What was seen and how long that took and, under it, what to do."""
    mark, colour = MARKS[finding.status]
    took = click.style(f"  {seconds(took_s)}", dim=True) if took_s >= NOTICED_S else ""
    first, *others = finding.saw.splitlines() or [""]
    yield f"{click.style(mark, fg=colour, bold=True)} {name:<15} {first}{took}"
    for line in others:
        yield f"  {'':<15} {line}"
    for line in finding.fix.splitlines():
        yield f"  {'':<15} {click.style('→', fg=colour)} {line}"


def _document(findings: Mapping[str, Finding]) -> dict[str, Any]:
    checks = [{"id": name, "status": each.status, "saw": each.saw, "fix": each.fix} for name, each in findings.items()]
    return {"ok": _verdict(findings) != BROKEN, "checks": checks}


def _verdict(findings: Mapping[str, Finding]) -> int:
    statuses = {finding.status for finding in findings.values()}
    return BROKEN if "fail" in statuses else WARNED if "warn" in statuses else 0


def _summary(findings: Mapping[str, Finding]) -> str:
    first = next((name for name, finding in findings.items() if finding.status == "fail"), "")
    if first:
        return f"\nThe first broken hop is {first}. Mend it and ask again."
    if _verdict(findings) == WARNED:
        return "\nIt works, with warnings."
    return "\nAll is well."
