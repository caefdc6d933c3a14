"""Invitations: links that let somebody join once, with the role, team and seat that they were made with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from htpy import Renderable, a, button, div, form, h1, h2, p, span, table, tbody, td, th, thead, time, tr
from htpy import input as control

from homeport.access import sessions
from homeport.console import Asked, Page, Sent, go
from homeport.console._connect import address_of, copied, reach
from homeport.console._forms import check, choice, doings, sifter, text
from homeport.console._layout import CALLED, guard, page, problem
from homeport.console._texts import choices, mark, t
from homeport.domain.errors import BadRequest
from homeport.store.records import Invitation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.store.records import Seats

ROLES = (("user", mark("User")), ("auditor", mark("Auditor")), ("admin", mark("Administrator")))
LASTS = (("1", mark("a day")), ("3", mark("three days")), ("7", mark("a week")), ("30", mark("30 days")))
STATES = (("", mark("Those that are open")), ("all", mark("Also spent ones")))
WORDS = {"open": mark("open"), "used": mark("used"), "revoked": mark("revoked"), "expired": mark("expired")}
PILLS = {"open": "good", "used": "", "revoked": "bad", "expired": "warn"}


async def view(asked: Asked) -> Renderable:
    """The list, and above it the form."""
    store, now = asked.desk.store, datetime.now(UTC)
    every = await store.invitations()
    found = [each for each in every if asked.query.get("state") == "all" or each.state(now) == "open"]
    may = asked.person.role == "admin"
    new = may and ("new" in asked.query or asked.form.get("do") == "add")
    return page(
        asked,
        t("Invitations"),
        div(".top")[
            h1[t("Invitations")],
            div(".buttons")[a(".button.first", href="?new")[t("Invite somebody")] if may and not new else None],
        ],
        p(".lead")[t("A link lets one person join and choose a name and a password. No mail is sent: you pass it on.")],
        problem(asked),
        _new(asked, list(await store.team_ids()), await store.seats()) if new else None,
        _filter(asked) if every else None,
        _table(asked, found, now, may=may) if found else _nothing(may=may),
    )


def _filter(asked: Asked) -> Renderable:
    return form(".filter", method="get", action=asked.path)[
        sifter(asked, "state", t("State"), choices(STATES)), button(type="submit")[t("Show")]
    ]


def _nothing(*, may: bool) -> Renderable:
    first = p[a(".button.first", href="?new")[t("Invite somebody")]] if may else None
    return div(".empty")[
        h2[t("No invitation is open")], p[t("Links that were used, revoked or are too old open nothing.")], first
    ]


def _table(asked: Asked, found: Sequence[Invitation], now: datetime, *, may: bool) -> Renderable:
    heads = [t("For"), t("Joins as"), t("Team"), t("Made by"), t("Ends"), t("State"), *((doings(),) if may else ())]
    return div(".scroll")[
        table(".wide")[
            thead[tr[(th(scope="col")[head] for head in heads)]],
            tbody[(_row(asked, each, each.state(now), may=may) for each in found)],
        ]
    ]


def _row(asked: Asked, each: Invitation, state: str, *, may: bool) -> Renderable:
    name = each.note or each.id
    return tr[
        th(scope="row")[name, span(".sub")[t("used by {used_by}", used_by=each.used_by)] if each.used_by else None],
        td(data_label=t("Joins as"))[t(CALLED[each.role]), "" if each.seat else span(".sub")[t("without a seat")]],
        td(data_label=t("Team"))[each.team or span(".soft")[t("none")]],
        td(data_label=t("Made by"))[each.by],
        td(".nowrap", data_label=t("Ends"))[time(datetime=each.expires.isoformat())[f"{each.expires:%Y-%m-%d %H:%M}"]],
        td(data_label=t("State"))[span(class_=["pill", PILLS[state]])[t(WORDS[state])]],
        td[_revoking(asked, each.id, name) if state == "open" else None] if may else None,
    ]


def _revoking(asked: Asked, id_: str, name: str) -> Renderable:
    return form(method="post", action=asked.path)[
        guard(asked, "revoke"),
        control(type="hidden", name="id", value=id_),
        button(".quiet", type="submit", aria_label=t("Revoke the invitation for {name}", name=name))[t("Revoke")],
    ]


def _new(asked: Asked, teams: Sequence[str], seats: Seats) -> Renderable:
    typed = asked.form
    told = (
        None
        if seats.free
        else t(
            "None is free: {taken} of {limit} are taken. They can join when one is.",
            taken=seats.taken,
            limit=seats.limit,
        )
    )
    return form(".stack.card", method="post", action=asked.path, autocomplete="off")[
        guard(asked, "add"),
        h2[t("Invite somebody")],
        text(
            "note", t("Whom it is for"), typed.get("note", ""), t("For this list alone."), maxlength=100, autofocus=True
        ),
        choice("role", t("They join as"), choices(ROLES), typed.get("role", "user")),
        choice("team", t("Team"), (("", t("None")), *((each, each) for each in teams)), typed.get("team", "")),
        check("seat", t("With a seat"), on="seat" in typed if typed else True, tip=told),
        choice("lasts", t("The link works for"), choices(LASTS), typed.get("lasts", "7")),
        div(".buttons")[
            button(".first", type="submit")[t("Make the link")], a(".button", href=asked.path)[t("Cancel")]
        ],
    ]


def _role(asked: Asked) -> Any:  # noqa: ANN401 (a role, if it is one of them)
    typed = asked.form.get("role", "user")
    if typed not in dict(ROLES):
        raise BadRequest(
            t("There is no role {typed}.", typed=f"{typed!r}"),
            t("Known: {names}.", names=", ".join(dict(ROLES))),
            param="role",
        )
    return typed


async def add(asked: Asked) -> Sent:
    """Make a link; it is on the page that answers and nowhere else."""
    desk, lasts, now = asked.desk, asked.form.get("lasts", "7"), datetime.now(UTC)
    if lasts not in dict(LASTS):
        raise BadRequest(t("A link does not work that long."), t("Choose one of the durations."), param="lasts")
    note, team = asked.form.get("note", "").strip(), asked.form.get("team", "")
    wanted = Invitation(
        id="", role=_role(asked), team=team, seat="seat" in asked.form, note=note, created=now, expires=now
    )
    value = sessions.mint()
    digest = sessions.digest(desk.pepper, value)
    made = await desk.store.invite(digest, wanted, timedelta(days=int(lasts)), by=asked.person.name)
    return Sent(_letter(asked, made, value))


def _letter(asked: Asked, made: Invitation, value: str) -> Renderable:
    return page(
        asked,
        t("An invitation"),
        h1[t("An invitation for {whom}", whom=made.note) if made.note else t("An invitation")],
        div(".note.good", role="status")[p[t("This is the only time that the link is shown.")]],
        copied("link", f"{address_of(asked)}/console/join?code={value}"),
        reach(asked),
        p[_promise(made)],
        p[a(".button", href=asked.path)[t("Back to the invitations")]],
    )


def _promise(made: Invitation) -> str:
    until = f"{made.expires:%Y-%m-%d %H:%M}"
    if made.team:
        return t(
            "It works once, until {time} UTC. Whoever opens it joins as {role} in {team}: send it to them alone.",
            time=until,
            role=t(CALLED[made.role]),
            team=made.team,
        )
    return t(
        "It works once, until {time} UTC. Whoever opens it joins as {role}: send it to them alone.",
        time=until,
        role=t(CALLED[made.role]),
    )


async def revoke(asked: Asked) -> Sent:
    """Make a link useless."""
    await asked.desk.store.revoke_invitation(asked.form.get("id", ""), by=asked.person.name)
    return go(f"{asked.path}?said=uninvited")


PAGE = Page(
    path="/console/invitations",
    title=mark("Invitations"),
    see="auditor",
    view=view,
    acts={"add": add, "revoke": revoke},
    menu="People",
    order=40,
)
