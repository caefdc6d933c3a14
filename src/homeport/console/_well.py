"""Whether all is well, in sentences that name what is not and lead there."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time as now
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from htpy import Renderable, a, div, p

from homeport.console import RANK, Asked
from homeport.console._texts import filled, rich, t, tn
from homeport.diagnostics._health import how_is
from homeport.domain.entries import FAILED
from homeport.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from htpy import Node

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


def left_alone(bench: Workbench) -> list[str]:
    """Registered models that failed and have not answered since, also those that the next request tries."""
    models = bench.snapshot().models.values()
    return [model.name for model in models if how_is(bench, model).state == "left alone"]


def unanswered(bench: Workbench) -> list[str]:
    """Features with a route of their own of which no model is healthy."""
    snapshot = bench.snapshot()
    ill = set(left_alone(bench))
    able = {name for name, model in snapshot.models.items() if model.enabled and name not in ill}
    routes = (each for each in snapshot.features.values() if each.assignment == "model")
    return [each.feature for each in routes if able.isdisjoint((*each.pool, *each.fallbacks))]


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
    """What is wrong with the registry first, then who fails, then what that spoils."""
    lines = list(_troubles(asked, seen))
    if not lines:
        return p(".lead")[t("Everything is well.")]
    return div(".note.warn", role="alert")[(p[line] for line in lines)]


def _troubles(asked: Asked, seen: Lately) -> Iterator[Node]:
    bench = asked.desk.bench
    ill, spoilt = left_alone(bench), unanswered(bench)
    if trouble := bench.trouble():
        yield trouble
    if ill:
        said = tn("Left alone because it failed: {names}.", "Left alone because they failed: {names}.", len(ill))
        yield filled(said, names=_named(asked, "/console/models", ill, ill))
    if others := bench.health.left_alone() - _now_left_alone(bench):
        yield tn(
            "Left alone because it failed, and not registered here: {count} more.",
            "Left alone because they failed, and not registered here: {count} more.",
            others,
        )
    if spoilt:
        titles = [bench.features[key].title if key in bench.features else key for key in spoilt]
        yield rich("No healthy model answers for: {names}.", names=_named(asked, "/console/features", spoilt, titles))
    if seen.failed:
        yield _failures(seen)


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
