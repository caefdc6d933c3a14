"""People: who may sign in, as what, and how to let them in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from htpy import (
    Renderable,
    a,
    button,
    code,
    div,
    form,
    h1,
    h2,
    p,
    pre,
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

from homeport.access import sessions
from homeport.console import Asked, Page, Sent, go
from homeport.console._forms import PER_PAGE, choice, finder, page_of, pager, sifter, text
from homeport.console._layout import guard, page, problem
from homeport.domain.errors import BadRequest, Unknown
from homeport.store.records import User

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from htpy import Node

    from homeport.store.records import Role

ROLES = (
    ("user", "User: has tokens and a playground"),
    ("auditor", "Auditor: sees everything, changes nothing"),
    ("admin", "Administrator: changes everything"),
)
FILTERS = (("", "Every role"), ("admin", "Administrators"), ("auditor", "Auditors"), ("user", "Users"))
CALLED: Mapping[Role, str] = {"admin": "administrator", "auditor": "auditor", "user": "user"}


async def view(asked: Asked) -> Renderable:
    """The list, and above it the person or the form that was asked for."""
    everybody = await asked.desk.store.users()
    seen = await asked.desk.store.signed_in()
    may = asked.person.role == "admin"
    chosen = _chosen(asked, everybody)
    new = may and ("new" in asked.query or asked.form.get("do") == "add")
    found = [user for user in everybody if _matches(asked, user)]
    return page(
        asked,
        "People",
        div(".top")[
            h1["People"],
            div(".buttons")[a(".button.first", href="/console/people?new")["Add somebody"]]
            if may and not new
            else None,
        ],
        p(".lead")["Who may sign in to this console, and as what."],
        problem(asked),
        _new(asked) if new else None,
        _card(asked, chosen, seen) if may and chosen and not new else None,
        finder(asked, "Name", sifter(asked, "role", "Role", FILTERS)),
        _table(asked, found, seen, may=may) if found else _nothing(asked),
    )


def _chosen(asked: Asked, everybody: Sequence[User]) -> User | None:
    """The person whom the address or the form is about."""
    name = asked.query.get("name") or (asked.form.get("name", "") if asked.form.get("do") != "add" else "")
    return next((user for user in everybody if user.name == name), None)


def _matches(asked: Asked, user: User) -> bool:
    typed, role = asked.query.get("find", "").strip().lower(), asked.query.get("role", "")
    return typed in user.name.lower() and role in {"", user.role}


def _nothing(asked: Asked) -> Renderable:
    return div(".empty")[h2["Nobody is like this"], p[a(href=asked.path)["Show everybody"]]]


def _table(asked: Asked, found: Sequence[User], seen: Mapping[str, datetime], *, may: bool) -> Node:
    first = (page_of(asked) - 1) * PER_PAGE
    rows = [_row(user, seen, may=may) for user in found[first : first + PER_PAGE]]
    heads = ("Name", "Role", "State", "Last sign-in", *(("",) if may else ()))
    return [
        div(".scroll")[table(".wide")[thead[tr[(th(scope="col")[head] for head in heads)]], tbody[rows]]],
        pager(asked, len(found)),
    ]


def _row(user: User, seen: Mapping[str, datetime], *, may: bool) -> Renderable:
    at = seen.get(user.name)
    return tr[
        th(scope="row")[user.name],
        td(data_label="Role")[CALLED[user.role]],
        td(data_label="State")[_state(user)],
        td(".nowrap", data_label="Last sign-in")[_moment(at)],
        td[a(href=f"?{urlencode({'name': user.name})}", aria_label=f"Change {user.name}")["Change"]] if may else None,
    ]


def _state(user: User) -> Renderable:
    return span(".pill.bad")["disabled"] if user.disabled else span(".pill.good")["may sign in"]


def _moment(at: datetime | None) -> Node:
    return time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"] if at else span(".soft")["not known"]


# one person


def _card(asked: Asked, user: User, seen: Mapping[str, datetime]) -> Renderable:
    tokens = f"/console/tokens?{urlencode({'find': user.name})}"
    return div(".card")[
        h2[user.name, " ", _state(user)],
        p(".soft")["Last sign-in: ", _moment(seen.get(user.name)), ". ", a(href=tokens)["Their tokens"]],
        _role(asked, user),
        div(".buttons.apart")[_doings(asked, user)],
    ]


def _role(asked: Asked, user: User) -> Renderable:
    return form(".stack", method="post", action=asked.path)[
        guard(asked, "role"),
        control(type="hidden", name="name", value=user.name),
        choice("role", "Role", ROLES, asked.form.get("role", user.role)),
        div(".buttons")[button(".first", type="submit")["Change the role"], a(".button", href=asked.path)["Done"]],
    ]


def _doings(asked: Asked, user: User) -> Iterator[Renderable]:
    """What else can be done with somebody, each as a form of its own."""
    if user.disabled:
        yield _doing(asked, user, "enable", "Let them sign in again")
        return
    yield _doing(asked, user, "link", "Make a sign-in link")
    yield _doing(asked, user, "leave", "Sign out everywhere")
    sure = f"Disable {user.name}? They are signed out at once, and their tokens open nothing until you enable them."
    yield _doing(asked, user, "disable", "Disable", danger=True, sure=sure)


def _doing(asked: Asked, user: User, do: str, said: str, *, danger: bool = False, sure: str = "") -> Renderable:
    return form(method="post", action=asked.path)[
        guard(asked, do),
        control(type="hidden", name="name", value=user.name),
        button(class_="danger" if danger else None, type="submit", data_sure=sure or None)[said],
    ]


# what forms do


async def _user(asked: Asked) -> User:
    """Whom a form is about; raises Unknown."""
    name = asked.form.get("name", "")
    known = {user.name: user for user in await asked.desk.store.users()}
    if name not in known:
        raise Unknown(f"There is no user named {name!r}.", "Choose one from the list.", param="name")
    return known[name]


def _back(asked: Asked, said: str, user: User) -> Sent:
    return go(f"{asked.path}?said={said}&about={quote(user.name)}")


def _wanted(asked: Asked) -> Role:
    typed = asked.form.get("role", "user")
    role = next((each for each in CALLED if each == typed), None)
    if role is None:
        raise BadRequest(f"There is no role {typed!r}.", f"Known: {', '.join(CALLED)}.", param="role")
    return role


async def set_role(asked: Asked) -> Sent:
    """Give somebody another role; raises InUse for the last administrator."""
    changed = replace(await _user(asked), role=_wanted(asked))
    await asked.desk.store.set_user(changed, by=asked.person.name)
    return _back(asked, "role", changed)


async def disable(asked: Asked) -> Sent:
    """Let somebody in no longer; raises InUse for the last administrator."""
    changed = replace(await _user(asked), disabled=True)
    await asked.desk.store.set_user(changed, by=asked.person.name)
    return _back(asked, "closed", changed)


async def enable(asked: Asked) -> Sent:
    """Let somebody in again."""
    changed = replace(await _user(asked), disabled=False)
    await asked.desk.store.set_user(changed, by=asked.person.name)
    return _back(asked, "reopened", changed)


async def leave(asked: Asked) -> Sent:
    """End every session of somebody."""
    user = await _user(asked)
    await asked.desk.store.end_sessions(user.name, by=asked.person.name)
    return _back(asked, "left", user)


async def link(asked: Asked) -> Sent:
    """A link that signs somebody in once; it is on the page that answers and nowhere else."""
    return Sent(await _letter(asked, await _user(asked)))


# somebody new


def _new(asked: Asked) -> Renderable:
    explained = "What they type to sign in: letters, digits, an e-mail address. It cannot be changed later."
    return form(".stack.card", method="post", action=asked.path, autocomplete="off")[
        guard(asked, "add"),
        h2["Somebody new"],
        text("name", "Name", asked.form.get("name", ""), explained, required=True, maxlength=100, autofocus=True),
        choice("role", "Role", ROLES, asked.form.get("role", "user")),
        div(".buttons")[
            button(".first", type="submit")["Add them and make a link"],
            a(".button", href=asked.path)["Cancel"],
        ],
    ]


async def add(asked: Asked) -> Sent:
    """Let somebody in, and show the link for the first time."""
    name = asked.form.get("name", "").strip()
    if any(user.name == name for user in await asked.desk.store.users()):
        raise BadRequest(f"{name} may sign in already.", "Change them in the list, or choose another name.")
    made = User(name=name, role=_wanted(asked))
    await asked.desk.store.set_user(made, by=asked.person.name)
    return Sent(await _letter(asked, made))


async def _letter(asked: Asked, user: User) -> Renderable:
    """A page with a fresh link for somebody."""
    desk, made = asked.desk, sessions.mint()
    digest = sessions.digest(desk.pepper, made)
    await desk.store.add_sign_in_code(digest, user.name, sessions.CODE_LASTS, by=asked.person.name)
    address = asked.address or f"http://127.0.0.1:{desk.settings.port}"
    return page(
        asked,
        "A sign-in link",
        h1["A sign-in link for ", user.name],
        div(".note.good", role="status")[p["This is the only time that it is shown. It works once, within an hour."]],
        div(".copied")[
            pre(tabindex="0")[code("#link")[f"{address}/console/sign-in?code={made}"]],
            button(type="button", data_copy="link", data_scripted=True, hidden=True)["Copy"],
        ],
        p[
            "Whoever opens it is signed in as ",
            user.name,
            ": send it to them alone. Under Account they choose a password for the next time.",
        ],
        p[a(".button", href=asked.path)["Back to the people"]],
    )


PAGE = Page(
    path="/console/people",
    title="People",
    see="auditor",
    view=view,
    acts={"add": add, "role": set_role, "disable": disable, "enable": enable, "leave": leave, "link": link},
    menu="People",
    order=20,
)
