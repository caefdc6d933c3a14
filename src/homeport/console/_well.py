"""Whether all is well, in sentences that name what is not and lead there."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time as now
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from htpy import Renderable, a, div, p

from homeport.console import RANK, Asked
from homeport.console._texts import filled, rich, t, tn
from homeport.console._told import told
from homeport.diagnostics._health import ILL, Health, how_is, is_paused
from homeport.domain.entries import FAILED
from homeport.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from htpy import Node

    from homeport.domain.models import Model, Snapshot
    from homeport.features import Workbench

LATELY_MIN = 10
"""How far back failures of requests are told."""
NAMED = 5
"""Models or features that are named."""


class Lately(NamedTuple):
    """Requests of the last minutes."""

    requests: int = 0
    failed: int = 0
    since: float = 0.0
    """Unix seconds."""


def ill(bench: Workbench) -> dict[str, Health]:
    """Registered models that failed when they were asked last, and how each is."""
    found = {model.name: how_is(bench, model) for model in bench.snapshot().models.values()}
    return {name: each for name, each in found.items() if each.state in ILL}


def trouble_of(bench: Workbench, model: Model) -> str:
    """A sentence on a model that failed when it was asked last; empty for any other."""
    found = how_is(bench, model)
    said = told(found.note) if found.state in ILL else ""
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def unanswered(bench: Workbench) -> list[str]:
    """Features with a route of their own of which no model answers, and those that lost theirs or were given none."""
    snapshot = bench.snapshot()
    able = {name for name, model in snapshot.models.items() if model.enabled and not is_paused(bench, model)}
    return [
        each.feature
        for each in snapshot.features.values()
        if (each.assignment == "model" and able.isdisjoint((*each.pool, *each.fallbacks)))
        or (
            each.assignment == "unassigned"
            and each.feature in bench.features
            and not bench.features[each.feature].inherits
        )
    ]


async def lately(asked: Asked) -> Lately:
    """From the request log, for those who may read it; nothing where it cannot be read."""
    log = asked.desk.request_log
    if log is None or RANK[asked.person.role] < RANK["auditor"]:
        return Lately()
    try:
        points = (await log.lately(now()))[-LATELY_MIN:]
    except StoreUnavailable:
        return Lately()
    return Lately(sum(each.requests for each in points), sum(each.failed for each in points), points[0].at)


def state(asked: Asked, seen: Lately) -> Renderable:
    """What is wrong with the registry first, then who fails, then what that spoils; well is what serves something."""
    lines = list(_troubles(asked, seen))
    if lines:
        return div(".note.warn", role="alert")[(p[line] for line in lines)]
    return p(".lead")[t("Everything is well.") if serves(asked.desk.bench.snapshot()) else _nothing_yet(asked)]


def serves(snapshot: Snapshot) -> bool:
    """Whether a model serves any feature."""
    return any(each.assignment == "model" for each in snapshot.features.values())


def _nothing_yet(asked: Asked) -> Node:
    """What to do first where nothing is set up, for those who may."""
    if asked.person.role == "user":
        return t("No model serves anything yet. Ask an administrator.")
    if asked.person.role == "auditor":
        return t("No model serves anything yet.")
    way = a(href="/console/models/new")[t("Add a model")]
    if asked.desk.bench.snapshot().models:
        way = a(href="/console/features")[t("Choose what serves what")]
    return rich("No model serves anything yet. {link} first.", link=way)


def _troubles(asked: Asked, seen: Lately) -> Iterator[Node]:
    bench = asked.desk.bench
    failed, spoilt = ill(bench), unanswered(bench)
    if trouble := bench.trouble():
        yield told(trouble)
    for name in list(failed)[:NAMED]:
        yield rich("{name}: {how}.", name=_named(asked, "/console/models", [name], [name]), how=told(failed[name].note))
    if (more := len(failed) - NAMED) > 0:
        yield tn("{count} more model failed lately.", "{count} more models failed lately.", more)
    if others := bench.health.left_alone() - _now_left_alone(bench):
        yield tn(
            "Paused after failures, and not registered here: {count} more.",
            "Paused after failures, and not registered here: {count} more.",
            others,
        )
    if spoilt:
        titles = [t(bench.features[key].title) if key in bench.features else key for key in spoilt]
        yield _unserved(asked, spoilt, titles)
    if seen.failed:
        yield _failures(seen)


def _unserved(asked: Asked, keys: Sequence[str], titles: Sequence[str]) -> Node:
    names = _named(asked, "/console/features", keys, titles)
    if asked.person.role == "user":
        return rich("These do not work now, no model answers for them: {names}. Ask an administrator.", names=names)
    if asked.person.role == "auditor":
        return rich("No model answers for {names}.", names=names)
    way = a(href="/console/features")[t("Choose one")]
    return rich("No model answers for {names}. {link}.", names=names, link=way)


def _now_left_alone(bench: Workbench) -> int:
    states = map(bench.health.state, bench.snapshot().models.values())
    return sum(each.left_alone for each in states if each is not None)


def _named(asked: Asked, folder: str, keys: Sequence[str], titles: Sequence[str]) -> Node:
    """The first of them, each as a way to its page for those who may see that."""
    there = asked.desk.pages.get(folder)
    led = there is not None and RANK[asked.person.role] >= RANK[there.see]
    shown = [
        [
            ", " if number else "",
            a(href=f"{folder}/{quote(key, safe='')}")[title] if led else title,
        ]
        for number, (key, title) in enumerate(zip(keys[:NAMED], titles, strict=False))
    ]
    more = len(keys) - NAMED
    return rich("{names} and {count} more", names=shown, count=more) if more > 0 else shown


def _failures(seen: Lately) -> Node:
    since = datetime.fromtimestamp(seen.since, UTC)
    address = f"/console/requests?{urlencode({'status': FAILED, 'from': f'{since:%Y-%m-%dT%H:%M}'})}"
    said = tn(
        "{failed} of {count} request failed in the last {minutes} minutes: {link}.",
        "{failed} of {count} requests failed in the last {minutes} minutes: {link}.",
        seen.requests,
        count=f"{seen.requests:,}",
        failed=f"{seen.failed:,}",
        minutes=LATELY_MIN,
    )
    return filled(said, link=a(href=address)[t("see which")])
