"""People: who may sign in, as what, in which teams, with a seat or without, and how to let them in."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import quote, urlencode

import orjson
from htpy import (
    Renderable,
    a,
    button,
    datalist,
    div,
    form,
    h1,
    h2,
    option,
    p,
    span,
    table,
    tbody,
    td,
    th,
    thead,
    time,
    tr,
)
from htpy import input as control

from homeport.access import SCOPES, sessions
from homeport.console import Asked, Page, Sent, go
from homeport.console._connect import address_of, copied, reach
from homeport.console._desk import WAS
from homeport.console._forms import PER_PAGE, check, choice, doings, finder, group, page_of, pager, sifter, text, ticked
from homeport.console._layout import CALLED, guard, page, problem, was
from homeport.console._render import cell
from homeport.console._texts import choices, mark, rich, t, tn
from homeport.domain.errors import BadRequest, Outdated, Unknown
from homeport.store.people import KEPT
from homeport.store.records import SORTED_BY, Described, Role, User, WantedPeople

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from htpy import Node

    from homeport.store.records import Seats

ROLES = (
    ("user", mark("User: has tokens and a playground")),
    ("auditor", mark("Auditor: sees everything, changes nothing")),
    ("admin", mark("Administrator: changes everything")),
)
FILTERS = (
    ("", mark("Every role")),
    ("admin", mark("Administrators")),
    ("auditor", mark("Auditors")),
    ("user", mark("Users")),
)
STATES = (
    ("", mark("In any state")),
    ("in", mark("May sign in")),
    ("disabled", mark("Disabled")),
    ("deleted", mark("Deleted lately")),
)
SEATED = (("", mark("With or without seat")), ("yes", mark("With a seat")), ("no", mark("Without a seat")))
KNOWN: tuple[Role, ...] = get_args(Role)
LICENCE = (("", mark("Everything that their tokens say")), ("some", mark("Only what is ticked here")))
SHOWN = {
    "display": mark("Called"),
    "email": mark("E-mail address"),
    "teams": mark("Teams"),
    "seat": mark("Has a seat"),
    "licence": mark("May use"),
    "scope": mark("Of AI, if not everything"),
}
"""What the form about somebody shows, by its name there."""
LICENSED = ("complete_code", "generate_code", "duo_chat")
"""Scopes that a licence is asked for one by one."""
TEAMS = 200
"""Teams that are offered while one types."""
NAMED = 5
"""Tokens that are named before somebody is deleted."""


async def view(asked: Asked) -> Renderable:
    """The list, and above it the person or the form that was asked for."""
    store, wanted = asked.desk.store, _wanted_of(asked)
    found, count = await store.users(wanted, PER_PAGE, (page_of(asked) - 1) * PER_PAGE), await store.count_users(wanted)
    teams, seats = list(await store.team_ids()), await store.seats()
    may = asked.person.role == "admin"
    new = may and ("new" in asked.query or asked.form.get("do") == "add")
    return page(
        asked,
        t("People"),
        div(".top")[
            h1[t("People")],
            div(".buttons")[
                a(".button", href="/console/invitations?new")[t("Invite by a link")],
                a(".button.first", href="/console/people?new")[t("Add somebody")],
            ]
            if may and not new
            else None,
        ],
        p(".lead")[t("Who may sign in to this console, and as what."), " ", _seats_told(seats, may=may)],
        problem(asked),
        _undo(asked) if may else None,
        _limit(asked, seats) if may and "seats" in asked.query else None,
        await _above(asked, teams, new=new) if may else None,
        finder(
            asked,
            t("Name or address"),
            sifter(asked, "role", t("Role"), choices(FILTERS)),
            sifter(asked, "team", t("Team"), (("", t("Every team")), *((each, each) for each in teams)))
            if teams
            else None,
            sifter(asked, "state", t("State"), choices(STATES)),
            sifter(asked, "seat", t("Seat"), choices(SEATED)),
        ),
        _table(asked, found, count, may=may) if found else _nothing(asked),
    )


async def _above(asked: Asked, teams: Sequence[str], *, new: bool) -> Node:
    """What is above the list: the form for somebody new, the question before a deletion, or one person."""
    if new:
        return _new(asked, teams, await asked.desk.store.seats())
    chosen = await _chosen(asked)
    if chosen is None:
        return None
    return await _to_delete(asked, chosen) if "delete" in asked.query else _card(asked, chosen, teams)


async def _chosen(asked: Asked) -> User | None:
    """The person whom the address or the form is about."""
    query = asked.query.get("name") or asked.query.get("delete")
    name = query or (asked.form.get("name", "") if asked.form.get("do") != "add" else "")
    with suppress(Unknown):
        return await asked.desk.store.user(name)
    return None


def _wanted_of(asked: Asked) -> WantedPeople:
    """What the address asks for; nothing that it could not mean."""
    asks = asked.query
    sort = asks.get("sort", "name")
    return WantedPeople(
        find=asks.get("find", "").strip()[:100],
        role=asks.get("role", ""),
        team=asks.get("team", ""),
        state=asks.get("state", ""),
        seat=asks.get("seat", ""),
        sort=sort if sort.removeprefix("-") in SORTED_BY else "name",
    )


def _seats_told(seats: Seats, *, may: bool) -> Node:
    told = (
        t("{taken} of {limit} seats are taken.", taken=seats.taken, limit=seats.limit)
        if seats.limit
        else tn("{count} has a seat.", "{count} have a seat.", seats.taken)
    )
    return (
        told,
        " ",
        a(href="?seats")[t("Change how many there are") if seats.limit else t("Limit the seats")] if may else None,
    )


def _nothing(asked: Asked) -> Renderable:
    return div(".empty")[h2[t("Nobody is like this")], p[a(href=asked.path)[t("Show everybody")]]]


def _table(asked: Asked, found: Sequence[User], count: int, *, may: bool) -> Node:
    heads = (
        (t("Name"), "name"),
        (t("Teams"), ""),
        (t("Role"), "role"),
        (t("Seat"), "seat"),
        (t("State"), ""),
        (t("Last seen"), "seen"),
        *(((doings(), ""),) if may else ()),
    )
    return [
        div(".scroll")[
            table(".wide")[
                thead[tr[(_head(asked, said, key) for said, key in heads)]],
                tbody[(_row(asked, user, may=may) for user in found)],
            ]
        ],
        pager(asked, count),
    ]


def _head(asked: Asked, said: Node, key: str) -> Renderable:
    """The head of a column, which sorts by it, and the other way round when it does already."""
    now = asked.query.get("sort", "name")
    if not key:
        return th(scope="col")[said]
    kept = {name: value for name, value in asked.query.items() if name not in {"page", "said", "about", "sort"}}
    there = urlencode({**kept, "sort": f"-{key}" if now == key else key})
    way = {key: "ascending", f"-{key}": "descending"}.get(now)
    arrow = {"ascending": " ↑", "descending": " ↓"}.get(way or "", "")
    return th(scope="col", aria_sort=way)[a(href=f"?{there}")[said, arrow]]


def _row(asked: Asked, user: User, *, may: bool) -> Renderable:
    change = a(href=f"?{urlencode({'name': user.name})}", aria_label=t("Change {name}", name=user.name))[t("Change")]
    return tr[
        th(scope="row")[user.name, span(".sub")[user.display] if user.display else None],
        cell(t("Teams"))[", ".join(user.teams) or span(".soft")[t("none")]],
        cell(t("Role"))[t(CALLED[user.role])],
        cell(t("Seat"))[t("yes") if user.seat and not user.disabled else span(".soft")[t("no")]],
        cell(t("State"))[_state(user)],
        cell(t("Last seen"), ".nowrap")[_moment(user.seen)],
        td[_restoring(asked, user.name) if user.deleted else change] if may else None,
    ]


def _state(user: User) -> Renderable:
    if user.deleted:
        return span(".pill.bad")[t("deleted")]
    return span(".pill.bad")[t("disabled")] if user.disabled else span(".pill.good")[t("may sign in")]


def _moment(at: datetime | None) -> Node:
    return time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"] if at else span(".soft")[t("not known")]


def _restoring(asked: Asked, name: str) -> Renderable:
    return form(method="post", action=asked.path)[
        guard(asked, "restore"),
        control(type="hidden", name="name", value=name),
        button(type="submit", aria_label=t("Bring back {name}", name=name))[t("Bring back")],
    ]


def _undo(asked: Asked) -> Node:
    """Behind what was said of a deletion."""
    if asked.query.get("said") != "deleted":
        return None
    told = t(
        "Within {days} days it can be undone, here or in the list of those who were deleted lately.", days=KEPT.days
    )
    return div(".note")[p[told], _restoring(asked, asked.query.get("about", "")[:100])]


# seats


def _limit(asked: Asked, seats: Seats) -> Renderable:
    tip = t("Who has one may use what AI does. 0 for no limit. Nobody loses a seat when there are fewer than taken.")
    return form(".stack.card", method="post", action=asked.path)[
        guard(asked, "seats"),
        h2[t("Seats")],
        text(
            "limit", t("How many"), asked.form.get("limit", str(seats.limit)), tip, inputmode="numeric", required=True
        ),
        div(".buttons")[button(".first", type="submit")[t("Keep it")], a(".button", href=asked.path)[t("Cancel")]],
    ]


async def limit_seats(asked: Asked) -> Sent:
    """Set how many seats there are."""
    typed = asked.form.get("limit", "").strip()
    if not typed.isascii() or not typed.isdecimal() or len(typed) > 7:  # noqa: PLR2004 (digits of the most there may be)
        raise BadRequest(
            t("{typed} is no number of seats.", typed=f"{typed!r}"),
            t("Give a whole number, 0 for no limit."),
            param="limit",
        )
    await asked.desk.store.limit_seats(int(typed), by=asked.person.name)
    return go(f"{asked.path}?said=seats")


# one person


def _card(asked: Asked, user: User, teams: Sequence[str]) -> Renderable:
    tokens = f"/console/tokens?{urlencode({'find': user.name})}"
    return div(".card")[
        h2[user.name, " ", _state(user)],
        p(".soft")[rich("Last seen: {when}. {link}", when=_moment(user.seen), link=a(href=tokens)[t("Their tokens")])],
        _role(asked, user),
        _about(asked, user, teams),
        div(".buttons.apart")[_doings(asked, user)],
    ]


def _role(asked: Asked, user: User) -> Renderable:
    # who is the last administrator can be disabled as little, which is another form's matter
    about = "user" if asked.form.get("do") == "role" else ""
    return form(".stack", method="post", action=asked.path)[
        guard(asked, "role"),
        was(asked, user.role, "role"),
        control(type="hidden", name="name", value=user.name),
        choice("role", t("Role"), choices(ROLES), asked.form.get("role", user.role), about=about),
        div(".buttons")[
            button(".first", type="submit")[t("Change the role")], a(".button", href=asked.path)[t("Done")]
        ],
    ]


def _about(asked: Asked, user: User, teams: Sequence[str]) -> Renderable:
    """What else is known of somebody, as a form."""
    typed = asked.form if asked.form.get("do") == "about" else None
    told = _values(user)
    said = {name: typed.get(name, "") if typed is not None else value for name, value in told.items()}
    held = user.scopes if user.scopes is not None else frozenset(LICENSED)
    return form(".stack", method="post", action=asked.path)[
        guard(asked, "about"),
        was(asked, orjson.dumps(told).decode(), "about"),
        control(type="hidden", name="name", value=user.name),
        # Translators: the name of a person as others shall see it
        text("display", t("Called"), said["display"], maxlength=100),
        text("email", t("E-mail address"), said["email"], t("Shown here; no mail is sent."), maxlength=200),
        _teams(said["teams"], teams),
        check("seat", t("Has a seat"), on="seat" in typed if typed is not None else user.seat),
        choice("licence", t("May use"), choices(LICENCE), said["licence"]),
        group(
            "scope",
            t("Of AI, if not everything"),
            (ticked(asked, "scope", each, t(SCOPES[each]), on=each in held) for each in LICENSED),
        ),
        div(".buttons")[button(".first", type="submit")[t("Save")]],
    ]


def _values(user: User) -> dict[str, str]:
    """What a form about somebody shows, as texts."""
    return {
        "display": user.display,
        "email": user.email,
        "teams": ", ".join(user.teams),
        "seat": "yes" if user.seat else "no",
        "licence": "" if user.scopes is None else "some",
        "scope": ", ".join(sorted(user.scopes or ())),
    }


def _teams(value: str, teams: Sequence[str]) -> Node:
    tip = t("Names, separated by commas.")
    return [
        text("teams", t("Teams"), value, tip, about="team", list="known-teams", maxlength=2000),
        datalist(id="known-teams")[(option(value=each) for each in teams[:TEAMS])],
    ]


def _doings(asked: Asked, user: User) -> Iterator[Renderable]:
    """What else can be done with somebody, each as a form of its own."""
    if user.disabled:
        yield _doing(asked, user, "enable", t("Let them sign in again"))
        yield a(".button.danger", href=f"?{urlencode({'delete': user.name})}")[t("Delete")]
        return
    yield _doing(asked, user, "link", t("Make a sign-in link"))
    yield _doing(asked, user, "leave", t("Sign out everywhere"))
    sure = t(
        "Disable {name}? They are signed out at once, and their tokens open nothing until you enable them.",
        name=user.name,
    )
    yield _doing(asked, user, "disable", t("Disable"), danger=True, sure=sure)
    yield a(".button.danger", href=f"?{urlencode({'delete': user.name})}")[t("Delete")]


def _doing(asked: Asked, user: User, do: str, said: str, *, danger: bool = False, sure: str = "") -> Renderable:
    return form(method="post", action=asked.path)[
        guard(asked, do),
        control(type="hidden", name="name", value=user.name),
        button(class_="danger" if danger else None, type="submit", data_sure=sure or None)[said],
    ]


# what forms do


async def _user(asked: Asked) -> User:
    """Whom a form is about; raises Unknown."""
    return await asked.desk.store.user(asked.form.get("name", ""))


def _back(asked: Asked, said: str, user: User) -> Sent:
    return go(f"{asked.path}?said={said}&about={quote(user.name)}")


def _wanted(asked: Asked) -> Role:
    typed = asked.form.get("role", "user")
    role = next((each for each in KNOWN if each == typed), None)
    if role is None:
        raise BadRequest(
            t("There is no role {typed}.", typed=f"{typed!r}"),
            t("Known: {names}.", names=", ".join(KNOWN)),
            param="role",
        )
    return role


async def set_role(asked: Asked) -> Sent:
    """Give somebody another role; raises InUse for the last administrator, Outdated."""
    user = await _user(asked)
    await asked.desk.store.describe_user(user.name, partial(_recast, asked), by=asked.person.name)
    return _back(asked, "role", user)


def _recast(asked: Asked, user: User) -> Described:
    """Another role and the same teams; raises Outdated when somebody else gave them another one meanwhile."""
    if asked.form.get(WAS) != user.role:
        raise _outdated(user, t("{what}: {now}", what=t("Role"), now=t(CALLED[user.role])))
    role = _wanted(asked)
    return Described({"role": role} if role != user.role else {}, frozenset(user.teams))


def _outdated(user: User, changes: str) -> Outdated:
    saw = t("Somebody changed {name} while you did. Now it is {changes}.", name=user.name, changes=changes)
    return Outdated(saw, t("Yours is still below and not saved: save again to keep yours, or reload to see theirs."))


async def about(asked: Asked) -> Sent:
    """Keep what else is known of somebody, all or nothing.

    Raises InUse when they shall have a seat and none is free, Unknown for a team that is none, Outdated.
    """
    user = await _user(asked)
    await asked.desk.store.describe_user(user.name, partial(_described, asked), by=asked.person.name)
    return _back(asked, "person", user)


def _described(asked: Asked, user: User) -> Described:
    """What the form changes of somebody, and their teams; raises Outdated when others changed what it showed."""
    form_ = asked.form
    _still(form_.get(WAS, ""), user)
    wanted = {"display": form_.get("display", "").strip(), "email": form_.get("email", "").strip()}
    changes = {**wanted, "seat": "seat" in form_, "scopes": _licence(asked, user)}
    changes = {name: value for name, value in changes.items() if value != getattr(user, name)}
    return Described(changes, _typed_teams(asked))


def _still(shown: str, user: User) -> None:
    """Raise Outdated with what changed since a form was drawn."""
    before, now = _read(shown), _values(user)
    changed = [
        t("{what}: {now}", what=t(said), now=_in_words(name, now[name]))
        for name, said in SHOWN.items()
        if before.get(name) != now[name] and (name != "scope" or now["licence"])
    ]
    if changed:
        raise _outdated(user, "; ".join(changed))


def _in_words(name: str, value: str) -> str:
    words = {("seat", "yes"): t("yes"), ("seat", "no"): t("no")}
    words |= {("licence", each): t(said) for each, said in LICENCE}
    return words.get((name, value)) or value or t("nothing")


def _read(shown: str) -> dict[str, Any]:
    """What a form says that it showed; nothing where that cannot be read."""
    with suppress(ValueError):
        read = orjson.loads(shown)
        return read if isinstance(read, dict) else {}
    return {}


def _typed_teams(asked: Asked) -> frozenset[str]:
    return frozenset(each.strip() for each in asked.form.get("teams", "").split(",") if each.strip())


def _licence(asked: Asked, user: User) -> frozenset[str] | None:
    """The scopes that are allowed, with those that the form does not show as they were; None for all."""
    if asked.form.get("licence") != "some":
        return None
    return frozenset(asked.lists.get("scope", ())) & set(LICENSED) | ((user.scopes or frozenset()) - set(LICENSED))


async def disable(asked: Asked) -> Sent:
    """Let somebody in no longer; raises InUse for the last administrator."""
    user = await _user(asked)
    await asked.desk.store.edit_user(user.name, {"disabled": True}, by=asked.person.name)
    return _back(asked, "closed", user)


async def enable(asked: Asked) -> Sent:
    """Let somebody in again, without their seat where none is free."""
    user = await _user(asked)
    after = await asked.desk.store.edit_user(user.name, {"disabled": False}, by=asked.person.name)
    return _back(asked, "unseated" if user.seat and not after.seat else "reopened", user)


async def delete(asked: Asked) -> Sent:
    """Delete somebody; raises InUse for the last administrator."""
    user = await _user(asked)
    await asked.desk.store.remove_user(user.name, by=asked.person.name)
    return _back(asked, "deleted", user)


async def restore(asked: Asked) -> Sent:
    """Undo a deletion."""
    user = await asked.desk.store.restore_user(asked.form.get("name", ""), by=asked.person.name)
    return _back(asked, "restored" if user.seat else "standing", user)


async def _to_delete(asked: Asked, user: User) -> Renderable:
    """The question before a deletion, which says what happens to their tokens."""
    every = await asked.desk.store.tokens()
    names = [each.name for each in every if each.owner == user.name and each.kind == "personal" and not each.revoked]
    listed, more = ", ".join(names[:NAMED]), len(names) - NAMED
    listed = t("{names} and {count} more", names=listed, count=more) if more > 0 else listed
    lost = tn(
        "Their {count} tokens ({names}) open nothing from then on.",
        "Their {count} tokens ({names}) open nothing from then on.",
        len(names),
        names=listed,
    )
    return div(".card", role="alertdialog", aria_labelledby="delete")[
        h2(id="delete")[rich("Delete {name}?", name=user.name)],
        p[
            t("They are signed out at once."),
            " ",
            lost if names else t("They have no tokens."),
            " ",
            t("For {days} days you can bring them back with all of it.", days=KEPT.days),
        ],
        form(".buttons", method="post", action=asked.path)[
            guard(asked, "delete"),
            control(type="hidden", name="name", value=user.name),
            button(".danger", type="submit")[t("Delete them")],
            a(".button", href=f"?{urlencode({'name': user.name})}")[t("Keep them")],
        ],
    ]


async def leave(asked: Asked) -> Sent:
    """End every session of somebody."""
    user = await _user(asked)
    await asked.desk.store.end_sessions(user.name, by=asked.person.name)
    return _back(asked, "left", user)


async def link(asked: Asked) -> Sent:
    """A link that signs somebody in once; it is on the page that answers and nowhere else."""
    return Sent(await _letter(asked, await _user(asked)))


# somebody new


def _new(asked: Asked, teams: Sequence[str], seats: Seats) -> Renderable:
    explained = t("What they type to sign in: letters, digits, an e-mail address.")
    sits = "seat" in asked.form if asked.form else seats.free
    told = (
        None if seats.free else t("None is free: {taken} of {limit} are taken.", taken=seats.taken, limit=seats.limit)
    )
    return form(".stack.card", method="post", action=asked.path, autocomplete="off")[
        guard(asked, "add"),
        h2[t("Somebody new")],
        text("name", t("Name"), asked.form.get("name", ""), explained, required=True, maxlength=100, autofocus=True),
        choice("role", t("Role"), choices(ROLES), asked.form.get("role", "user")),
        _teams(asked.form.get("teams", ""), teams),
        check("seat", t("Give them a seat"), on=sits, tip=told),
        div(".buttons")[
            button(".first", type="submit")[t("Add them and make a link")],
            a(".button", href=asked.path)[t("Cancel")],
        ],
    ]


async def add(asked: Asked) -> Sent:
    """Let somebody in, and show the link for the first time; raises BadRequest, InUse, or Unknown for a team."""
    made = User(name=asked.form.get("name", "").strip(), role=_wanted(asked), seat="seat" in asked.form)
    made = await asked.desk.store.add_user(made, groups=_typed_teams(asked), by=asked.person.name)
    return Sent(await _letter(asked, made))


async def _letter(asked: Asked, user: User) -> Renderable:
    """A page with a fresh link for somebody."""
    desk, made = asked.desk, sessions.mint()
    digest = sessions.digest(desk.pepper, made)
    await desk.store.add_sign_in_code(digest, user.name, sessions.CODE_LASTS, by=asked.person.name)
    return page(
        asked,
        t("A sign-in link"),
        h1[rich("A sign-in link for {name}", name=user.name)],
        div(".note.good", role="status")[
            p[t("This is the only time that it is shown. It works once, within an hour.")]
        ],
        copied("link", f"{address_of(asked)}/console/sign-in?code={made}"),
        reach(asked),
        p[
            rich(
                "Whoever opens it is signed in as {name}: send it to them alone. "
                "Under Account they choose a password for the next time.",
                name=user.name,
            )
        ],
        p[a(".button", href=asked.path)[t("Back to the people")]],
    )


PAGE = Page(
    path="/console/people",
    title=mark("People"),
    see="auditor",
    view=view,
    acts={
        "add": add,
        "role": set_role,
        "about": about,
        "seats": limit_seats,
        "disable": disable,
        "enable": enable,
        "delete": delete,
        "restore": restore,
        "leave": leave,
        "link": link,
    },
    menu="People",
    order=20,
)
