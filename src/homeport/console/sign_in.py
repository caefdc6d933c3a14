"""Sign in and out: with a password, or with a code that works once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from htpy import Renderable, a, button, code, div, form, h1, p
from htpy import input as field

from homeport.access import sessions
from homeport.access.errand import inside
from homeport.console import Asked, Page, Sent, go
from homeport.console._desk import cookie
from homeport.console._forms import text
from homeport.console._layout import guard, page, problem
from homeport.console._sso import HERE, chosen, passwords_open
from homeport.console._texts import mark, rich, t
from homeport.domain.errors import BadRequest, TooMany

if TYPE_CHECKING:
    from htpy import Node

    from homeport.access.sso import SingleSignOn


async def view(asked: Asked) -> Renderable | Sent:
    """The door."""
    if "code" in asked.query:
        return page(asked, t("Sign in"), *_with_code(asked))
    wanted = asked.query.get("next") or asked.form.get("next") or ""
    provider = chosen(asked.desk)
    return page(
        asked,
        t("Sign in"),
        h1[t("Sign in")],
        problem(asked),
        _left(provider) if "left" in asked.query else None,
        _with_provider(provider, wanted) if provider else None,
        _with_password(asked, wanted, first=provider is None) if await passwords_open(asked.desk) else None,
        p(".soft.small")[
            rich(
                "No password yet? {command} makes a link that signs you in once.",
                command=code["homeport users code NAME"],
            )
        ],
    )


def _with_password(asked: Asked, wanted: str, *, first: bool) -> Renderable:
    return form(".stack", method="post")[
        guard(asked, "password"),
        field(type="hidden", name="next", value=wanted),
        text("name", t("Name"), asked.form.get("name", ""), autocomplete="username", required=True, autofocus=first),
        text("password", t("Password"), "", type="password", autocomplete="current-password"),
        button(class_="first" if first else None, type="submit")[t("Sign in")],
    ]


def _with_provider(provider: SingleSignOn, wanted: str) -> Renderable:
    """A link and not a form: browsers do not let a form lead to another site."""
    ours = inside(wanted)
    address = HERE if ours == "/console" else f"{HERE}?next={quote(ours)}"
    return div(".buttons.ways")[a(".button.first", href=address)[t("Continue with {name}", name=provider.name)]]


def _left(provider: SingleSignOn | None) -> Renderable:
    there = a(href=f"{HERE}?leave")[t("Sign out of {name} too", name=provider.name)] if provider else None
    return div(".note.good", role="status")[p[t("You are signed out of Homeport."), " ", there]]


def _with_code(asked: Asked) -> tuple[Node, ...]:
    """A form and not a link alone: what only looks at links, as mail scanners do, must not use the code up."""
    return (
        h1[t("Welcome")],
        problem(asked),
        p[t("This link signs you in once.")],
        form(".stack", method="post", action="/console/sign-in")[
            guard(asked, "code"),
            field(type="hidden", name="code", value=asked.query["code"][:100]),
            button(".first", type="submit", autofocus=True)[t("Sign in")],
        ],
    )


async def with_password(asked: Asked) -> Sent:
    """Begin a session for who knows the password; slower after each failure."""
    desk, name = asked.desk, asked.form.get("name", "").strip()
    if not await passwords_open(desk):
        raise BadRequest(t("Passwords are switched off here."), t("Use single sign-on, or ask for a sign-in link."))
    keys = (f"name:{name[:100]}", f"from:{asked.client}")
    wait = desk.doorkeeper.wait_s(keys, time.monotonic())
    if wait > 0:
        again = t("Try again in a moment.")
        raise TooMany(
            t("There were too many attempts. Wait {wait} s.", wait=f"{wait:.0f}"), again, retry_after_s=int(wait) + 1
        )
    stored = await desk.store.password(name) if name and name.isprintable() else None
    if not await desk.passwords.matches(stored, asked.form.get("password", "")):
        desk.doorkeeper.failed(keys, time.monotonic())
        wrong, fix = t("The name or the password is wrong."), t("Check both; capital letters count.")
        raise BadRequest(wrong, fix, param="name,password")
    desk.doorkeeper.forgive(keys)
    return await _begun(asked, name)


async def with_code(asked: Asked) -> Sent:
    """Begin a session for who has a code that was not used yet."""
    given = sessions.digest(asked.desk.pepper, asked.form.get("code", ""))
    name = await asked.desk.store.take_sign_in_code(given)
    if name is None:
        raise BadRequest(t("This link was used already, or is older than an hour."), t("Ask for another one."))
    return await _begun(asked, name)


async def _begun(asked: Asked, name: str) -> Sent:
    """A new session, whatever was before."""
    value = sessions.mint()
    await asked.desk.store.begin_session(sessions.digest(asked.desk.pepper, value), name, sessions.LONGEST)
    return go(inside(asked.form.get("next", "")), cookie(value, secure=asked.secure))


async def leave(asked: Asked) -> Sent:
    """End this session."""
    if asked.person.session:
        await asked.desk.store.end_sessions(asked.person.name, asked.person.session, by=asked.person.name)
    there = "?left" if chosen(asked.desk) else ""
    return go(f"/console/sign-in{there}", cookie("", secure=asked.secure))


PAGE = Page(
    path="/console/sign-in",
    title=mark("Sign in"),
    see="anyone",
    view=view,
    acts={"password": with_password, "code": with_code, "leave": leave},
    change="anyone",
    order=0,
)
