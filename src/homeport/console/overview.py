"""What an administrator wants to see first: is it healthy, what is left to set up, what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import time as now
from typing import TYPE_CHECKING, NamedTuple

from htpy import Renderable, a, div, h1, h2, li, nav, p, span, strong, table, tbody, td, th, thead, time, tr, ul

from homeport.console import RANK, Asked, Page
from homeport.console._chart import Series, chart, charted
from homeport.console._layout import done, page
from homeport.console._requests import asked_today
from homeport.console._sso import passwords_open
from homeport.console._texts import filled, mark, rich, t, tn
from homeport.console._well import ill, lately, serves, state
from homeport.domain.errors import StoreUnavailable
from homeport.store.log_recent import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from htpy import Node

    from homeport.domain.models import Snapshot
    from homeport.store.records import AuditEvent, Point

LATEST = 8
SOON = timedelta(days=14)
"""How long before a token ends this is told."""
NAMED = 5
"""Tokens that are named then."""
SPANS = {"hour": mark("Last hour"), "day": mark("Last day")}
"""What charts may show."""
COUNTED = {
    "hour": mark("{requests} in the last hour, {failed} of them failed; {most} at most in {step} min."),
    "day": mark("{requests} in the last day, {failed} of them failed; {most} at most in {step} min."),
}
UNANSWERED = {"hour": mark("No answer began in the last hour."), "day": mark("No answer began in the last day.")}


class Step(NamedTuple):
    """Something to do until Homeport serves everybody."""

    done: bool
    said: str
    address: str


async def view(asked: Asked) -> Renderable:
    """The page."""
    snapshot = asked.desk.bench.snapshot()
    content = await (_own if asked.person.role == "user" else _of_all)(asked, snapshot)
    trouble = state(asked, await lately(asked))
    return page(asked, t("Overview"), h1[t("Overview")], trouble, _expiring(asked, snapshot), content)


async def _of_all(asked: Asked, snapshot: Snapshot) -> Node:
    """For those who keep it running: what is served, how it is used, what to do, what was changed."""
    steps = [*await _no_password(asked), *steps_of(snapshot)] if asked.person.role == "admin" else []
    latest = await asked.desk.store.audit(LATEST)
    left = None if all(step.done for step in steps) else _next(steps)
    used = (_figures(asked, snapshot, await asked_today(asked.desk.request_log)), await _use(asked))
    # where nothing serves yet, there is nothing to see before what is to be done
    return [(used, left) if serves(snapshot) else (left, used), _changes(latest) if latest else None]


async def _own(asked: Asked, snapshot: Snapshot) -> Node:
    """For somebody who uses it: what is theirs, and what to do next."""
    name = asked.person.name
    mine = await asked_today(asked.desk.request_log, name)
    working = sum(each.owner == name and each.kind == "personal" for each in snapshot.tokens.values())
    return [
        div(".cards")[
            _figure(mine, tn("request of yours today", "requests of yours today", mine)),
            _figure(
                working,
                _way(asked, "/console/tokens", tn("token of yours that works", "tokens of yours that work", working)),
            ),
        ],
        _begin(),
    ]


def _begin() -> Renderable:
    return div(".card")[
        h2[t("What to do next")],
        p[t("Your editor asks Homeport with a token of yours; the page has the set-up to copy.")],
        div(".buttons")[
            a(".button.first", href="/console/connect")[t("Connect your editor")],
            a(".button", href="/console/playground")[t("Try it in the browser")],
        ],
    ]


async def _no_password(asked: Asked) -> Sequence[Step]:
    """To choose one, for an administrator who came by a link and could not sign in again without another."""
    if await asked.desk.store.password(asked.person.name) is not None or not await passwords_open(asked.desk):
        return ()
    return (Step(False, t("Choose a password"), "/console/account"),)  # noqa: FBT003 (a field)


def steps_of(snapshot: Snapshot) -> list[Step]:
    """What is done of setting up, in the order in which it makes sense."""
    served = {name for name, setting in snapshot.features.items() if setting.assignment == "model"}
    own = {name for name, model in snapshot.models.items() if model.platform != "embedded" and model.enabled}
    serves_own = any(own & set(setting.models) for setting in snapshot.features.values())
    return [
        Step(bool(snapshot.models), t("Add a model"), "/console/models/new"),
        Step("code_completions" in served, t("Let one serve code completion"), "/console/features"),
        Step("chat" in served, t("Let one serve chat"), "/console/features"),
        Step(bool(own), t("Add a larger model of your own: the embedded one is for trying out"), "/console/models/new"),
        Step(serves_own, t("Let your own model serve in place of the embedded one"), "/console/features"),
        Step(len(snapshot.tokens) > 1, t("Make a token for a colleague"), "/console/tokens"),
    ]


def _figures(asked: Asked, snapshot: Snapshot, today: int) -> Renderable:
    bench = asked.desk.bench
    models = [model for model in snapshot.models.values() if model.enabled]
    failed = len(ill(bench))
    served = sum(setting.assignment == "model" for setting in snapshot.features.values())
    running = sum(map(bench.capacity.running, models))
    return div(".cards")[
        _figure(
            len(models),
            _way(asked, "/console/models", tn("model", "models", len(models))),
            tn("{count} failed when it was asked last", "{count} failed when they were asked last", failed)
            if failed
            else "",
        ),
        _figure(
            served,
            _way(
                asked,
                "/console/features",
                tn("feature with a model of its own", "features with a model of their own", served),
            ),
        ),
        _figure(running, tn("request at models now", "requests at models now", running)),
        _figure(today, _way(asked, "/console/requests", tn("request today", "requests today", today))),
        _figure(
            len(snapshot.tokens),
            _way(asked, "/console/tokens", tn("token that works", "tokens that work", len(snapshot.tokens))),
        ),
    ]


def _expiring(asked: Asked, snapshot: Snapshot) -> Node:
    """Tokens that end soon, while there is time to make others: everybody's for those who see them, else one's own."""
    at = datetime.now(UTC)
    mine = asked.person.role == "user"
    soon = sorted(
        (each.expires, each.name, each.owner)
        for each in snapshot.tokens.values()
        if each.expires is not None and at < each.expires <= at + SOON and (each.owner == asked.person.name or not mine)
    )
    if not soon:
        return None
    named: Node = [[", " if number else "", _ending(*each)] for number, each in enumerate(soon[:NAMED])]
    if len(soon) > NAMED:
        named = rich("{names} and {count} more", names=named, count=len(soon) - NAMED)
    said = tn("Soon ends: {tokens}. {link}", "Soon ending: {tokens}. {link}", len(soon))
    return div(".note.warn", role="status")[
        p[filled(said, tokens=named, link=a(href="/console/tokens")[t("Make others in time")])]
    ]


def _ending(expires: datetime, name: str, owner: str) -> Node:
    when = time(datetime=expires.isoformat())[f"{expires:%Y-%m-%d %H:%M}"]
    return rich("{name} of {owner} ({when})", name=strong[name], owner=owner, when=when)


def _way(asked: Asked, address: str, said: str) -> Node:
    """Leads to a page, for those who may see it."""
    there = asked.desk.pages.get(address)
    return a(href=address)[said] if there and RANK[asked.person.role] >= RANK[there.see] else said


def _figure(value: int, label: Node, more: str = "") -> Renderable:
    return div(".card.figure")[div(".value")[value], div(".label")[label], div(".small.warn")[more] if more else None]


async def _use(asked: Asked) -> Node:
    """How much was asked and how soon answers began: in the last hour, or the last day."""
    span = asked.query.get("span", "")
    span = span if span in SPANS else "hour"
    points, told = await _lately(asked, span)
    return [
        div(".top.use")[
            # Translators: how much the instance is used
            h2[t("Use")],
            nav(".pills", aria_label=t("Time shown"))[(_way_to(each, here=each == span) for each in SPANS)],
        ],
        charted(_counts(points, span), _firsts(points, span)) if points else None,
        p(".soft.small")[told],
    ]


async def _lately(asked: Asked, span: str) -> tuple[Sequence[Point], str]:
    """From the request log; nothing where there is none, or it cannot be read. Then the reason."""
    log = asked.desk.request_log
    if log is None:
        return (), t("No requests are kept here: HOMEPORT_REQUEST_LOG_DAYS says for how long they would be.")
    try:
        return await log.lately(now(), by_hour=span == "day"), t("What every process of this instance served.")
    except StoreUnavailable:
        return (), t("The request log cannot be read now.")


def _way_to(span: str, *, here: bool) -> Node:
    return a(".pill", href=f"/console?span={span}", aria_current="true" if here else None)[t(SPANS[span])]


def _counts(points: Sequence[Point], span: str) -> Renderable:
    step = (points[-1].at - points[-2].at) // MINUTE_S
    requests, failed = sum(each.requests for each in points), sum(each.failed for each in points)
    most = max(each.requests for each in points)
    said = t(
        COUNTED[span],
        requests=f"{requests:,}",
        failed=f"{failed:,}",
        most=f"{most:,}",
        step=step,
    )
    lines = (
        Series(t("Requests"), [each.requests for each in points]),
        Series(t("Failed"), [each.failed for each in points], "bad"),
    )
    return chart(t("Requests"), said, [each.at for each in points], lines)


def _firsts(points: Sequence[Point], span: str) -> Renderable:
    medians = [each.median_ms for each in points]
    known = [each for each in medians if each is not None]
    said = (
        t("Medians from {least} to {most} ms.", least=f"{min(known):,.0f}", most=f"{max(known):,.0f}")
        if known
        else t(UNANSWERED[span])
    )
    lines = Series(t("Median"), medians), Series(t("95th percentile"), [each.p95_ms for each in points], "warn")
    return chart(t("Time to the first token"), said, [each.at for each in points], lines, unit="ms")


def _next(steps: Sequence[Step]) -> Renderable:
    done = sum(step.done for step in steps)
    return div(".card")[
        h2[t("Set up: {done} of {all}", done=done, all=len(steps))],
        ul(".steps")[
            (
                li[
                    span(class_="good" if step.done else "soft", aria_hidden="true")["✓" if step.done else "○"],
                    span(".soft")[step.said] if step.done else a(href=step.address)[step.said],
                    span(".soft.small")[t("done") if step.done else ""],
                ]
                for step in steps
            )
        ],
    ]


def _changes(latest: Sequence[AuditEvent]) -> Renderable:
    return div[
        h2[t("Latest changes")],
        div(".scroll")[
            table(".wide")[
                thead[tr[th(scope="col")[t("When")], th(scope="col")[t("Who")], th(scope="col")[t("What")]]],
                tbody[
                    (
                        tr[
                            td(".nowrap", data_label=t("When"))[
                                time(datetime=event.at.isoformat())[f"{event.at:%Y-%m-%d %H:%M}"]
                            ],
                            td(data_label=t("Who"))[event.who],
                            td(data_label=t("What"))[done(event)],
                        ]
                        for event in latest
                    )
                ],
            ]
        ],
        p[a(href="/console/audit")[t("All changes")]],
    ]


PAGE = Page(path="/console", title=mark("Overview"), see="user", view=view, order=10)
