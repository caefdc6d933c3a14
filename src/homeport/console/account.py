"""One's own account: password, where one is signed in, light or dark."""

from __future__ import annotations

import time as clock
from typing import TYPE_CHECKING

from htpy import Renderable, a, button, div, form, h1, h2, p, span, table, tbody, td, th, thead, time, tr
from htpy import input as control

from homeport.access import sessions
from homeport.access.passwords import LEAST, MOST
from homeport.console import Asked, Page, Sent, go
from homeport.console._desk import SIGN_IN, cookie
from homeport.console._forms import choice, doings, text
from homeport.console._layout import guard, page, problem
from homeport.console._sso import HERE, chosen
from homeport.console._texts import ENGLISH, mark, rich, t
from homeport.domain.errors import BadRequest, TooMany

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from htpy import Node

    from homeport.console._texts import Language
    from homeport.store.records import Session

# Translators: the name of your own language, in it: Deutsch, Nederlands
SELF = mark("English")
CALLED = {"admin": mark("an administrator"), "auditor": mark("an auditor"), "user": mark("a user")}
THEMES = (("", mark("As the system")), ("light", mark("Light")), ("dark", mark("Dark")))


async def view(asked: Asked) -> Renderable:
    """Everything about who looks."""
    name = asked.person.name
    stored = await asked.desk.store.password(name)
    open_ = await asked.desk.store.sessions(name, sessions.IDLE)
    return page(
        asked,
        t("Account"),
        h1[t("Account")],
        p(".lead")[rich("Signed in as {name}, {called}.", name=name, called=t(CALLED[asked.person.role]))],
        problem(asked),
        _password(asked, known=stored is not None),
        _provider(asked),
        _sessions(asked, open_),
        _language(asked, (await asked.desk.store.user(name)).language),
        _theme(),
    )


def _language(asked: Asked, chosen: str) -> Node:
    """Which language pages speak, where there is one to choose."""
    known = asked.desk.languages
    if not known:
        return None
    choices = (("", t("As the browser asks")), (ENGLISH, SELF), *((tag, _called(each)) for tag, each in known.items()))
    return form(".stack.card", method="post", action=asked.path)[
        guard(asked, "language"),
        choice("language", t("Language"), choices, chosen, t("What has no translation stays English.")),
        div(".buttons")[button(type="submit")[t("Keep it")]],
    ]


def _called(language: Language) -> str:
    """What its catalogue calls it, and its tag."""
    said = language.catalogue.gettext(SELF)
    return language.tag if said == SELF else f"{said} ({language.tag})"


def _password(asked: Asked, *, known: bool) -> Renderable:
    explained = t(
        "{least} to {most} characters; several words are easier to remember than odd signs.", least=LEAST, most=MOST
    )
    return form(".stack.card", method="post", action=asked.path)[
        guard(asked, "password"),
        h2[t("Change your password") if known else t("Choose a password")],
        _whose(asked),
        _secret("old", t("Password until now"), "current-password") if known else None,
        _secret("new", t("New password"), "new-password", explained),
        _secret("again", t("New password, once more"), "new-password"),
        div(".buttons")[button(".first", type="submit")[t("Keep it")]],
    ]


def _provider(asked: Asked) -> Node:
    found = chosen(asked.desk)
    if found is None:
        return None
    return [
        h2[t("Single sign-on")],
        p[
            rich(
                "Sign in with your account at {name}: {link}",
                name=found.name,
                link=a(href=f"{HERE}?connect")[t("see or change who you are there")],
            )
        ],
    ]


def _whose(asked: Asked) -> Renderable:
    """Password managers keep the new one under this name."""
    return control(
        ".out",
        name="username",
        autocomplete="username",
        value=asked.person.name,
        readonly=True,
        tabindex="-1",
        aria_hidden="true",
    )


def _secret(name: str, called: str, kind: str, tip: str | None = None) -> Renderable:
    about = "password" if name == "new" else ""
    return text(name, called, "", tip, about, type="password", autocomplete=kind, required=True, maxlength=MOST)


def _sessions(asked: Asked, found: Mapping[bytes, Session]) -> Node:
    rows = [_session(asked, digest, session) for digest, session in found.items()]
    heads = (th(scope="col")[head] for head in (t("Signed in"), t("Last seen"), t("Ends"), doings()))
    return [
        h2[t("Where you are signed in")],
        div(".scroll")[table(".wide")[thead[tr[heads]], tbody[rows]]],
        form(".buttons", method="post", action=asked.path)[
            guard(asked, "leave"), button(".danger", type="submit")[t("Sign out everywhere")]
        ],
    ]


def _session(asked: Asked, digest: bytes, session: Session) -> Renderable:
    mine = digest == asked.person.session
    ending = form(method="post", action=asked.path)[
        guard(asked, "end"),
        control(type="hidden", name="session", value=digest.hex()),
        button(".quiet", type="submit")[t("Sign out there")],
    ]
    return tr[
        td(data_label=t("Signed in"))[_moment(session.created)],
        td(data_label=t("Last seen"))[_moment(session.seen)],
        td(data_label=t("Ends"))[_moment(session.expires)],
        td[span(".pill.good")[t("this one")] if mine else ending],
    ]


def _moment(at: datetime) -> Renderable:
    return time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"]


def _theme() -> Renderable:
    buttons = (
        button(type="button", data_set_theme=key, aria_pressed="false", data_scripted=True, hidden=True)[t(said)]
        for key, said in THEMES
    )
    return div[
        h2(id="theme")[t("Light or dark")],
        p(".soft")[t("Kept in this browser alone.")],
        div(".buttons", role="group", aria_labelledby="theme")[buttons],
    ]


# what forms do


async def password(asked: Asked) -> Sent:
    """Another password for who knows the old one; every session ends and this one begins anew."""
    desk, name, form_ = asked.desk, asked.person.name, asked.form
    await _prove(asked, await desk.store.password(name))
    if form_.get("new", "") != form_.get("again", ""):
        raise BadRequest(t("The new password was not typed twice alike."), t("Type it again."), param="again")
    hashed = await desk.passwords.hash(form_.get("new", ""))
    await desk.store.set_password(name, hashed, by=name)
    value = sessions.mint()
    await desk.store.begin_session(sessions.digest(desk.pepper, value), name, sessions.LONGEST)
    return go(f"{asked.path}?said=password", cookie(value, secure=asked.secure))


async def _prove(asked: Asked, stored: str | None) -> None:
    """Raise BadRequest for a wrong old password, TooMany for who guesses; without one there is nothing to prove."""
    if stored is None:
        return
    keeper, keys = asked.desk.doorkeeper, (f"change:{asked.person.name}",)
    wait = keeper.wait_s(keys, clock.monotonic())
    if wait > 0:
        saw = t("There were too many attempts. Wait {wait} s.", wait=f"{wait:.0f}")
        raise TooMany(saw, t("Try again in a moment."), retry_after_s=int(wait) + 1)
    if not await asked.desk.passwords.matches(stored, asked.form.get("old", "")):
        keeper.failed(keys, clock.monotonic())
        raise BadRequest(
            t("The password until now is another one."), t("Check it; capital letters count."), param="old"
        )
    keeper.forgive(keys)


async def language(asked: Asked) -> Sent:
    """Speak another language with who asks."""
    chosen = asked.form.get("language", "")
    if chosen not in {"", ENGLISH, *asked.desk.languages}:
        raise BadRequest(t("There is no such language."), t("Choose one from the list."), param="language")
    await asked.desk.store.set_language(asked.person.name, chosen, by=asked.person.name)
    return go(f"{asked.path}?said=set")


async def end(asked: Asked) -> Sent:
    """End one of one's own sessions."""
    try:
        digest = bytes.fromhex(asked.form.get("session", ""))
    except ValueError:
        digest = b""
    if not digest:
        raise BadRequest(t("The form does not say which session."), t("Reload the page and choose one."))
    await asked.desk.store.end_sessions(asked.person.name, digest, by=asked.person.name)
    return go(f"{asked.path}?said=ended")


async def leave(asked: Asked) -> Sent:
    """End all of them, this one too."""
    await asked.desk.store.end_sessions(asked.person.name, by=asked.person.name)
    return go(SIGN_IN, cookie("", secure=asked.secure))


PAGE = Page(
    path="/console/account",
    title=mark("Account"),
    see="user",
    change="user",
    view=view,
    acts={"password": password, "language": language, "end": end, "leave": leave},
    order=0,
)
