"""Join: where an invitation leads. Whoever opens it chooses a name and a password, once."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from htpy import Renderable, a, button, div, form, h1, p
from htpy import input as control

from homeport.access import sessions
from homeport.access.passwords import LEAST, MOST
from homeport.console import Asked, Page, Sent, go
from homeport.console._desk import SIGN_IN, cookie
from homeport.console._forms import text
from homeport.console._layout import guard, page, problem
from homeport.console._texts import mark, t
from homeport.domain.errors import BadRequest, TooMany
from homeport.store.invitations import SPENT

if TYPE_CHECKING:
    from homeport.store.records import Invitation


async def view(asked: Asked) -> Renderable:
    """The form, or why there is none; whoever is signed in is told whose door this is."""
    code = asked.form.get("code") or asked.query.get("code", "")
    found = await _open(asked, code) if code else None
    if asked.person.role != "anyone":
        told = t(
            "You are signed in as {name}. The invitation is for somebody else, or sign out first.",
            name=asked.person.name,
        )
        return page(asked, t("Join"), h1[t("You are here already")], p(".lead")[told])
    if found is None:
        gone = p[t(SPENT), " ", t("Ask whoever invited you for another one.")]
        return page(
            asked, t("Join"), h1[t("This link is spent")], problem(asked), gone, p[a(href=SIGN_IN)[t("Sign in")]]
        )
    return page(asked, t("Join"), h1[t("Join Homeport")], problem(asked), p[_told(found)], _form(asked, code))


async def _open(asked: Asked, code: str) -> Invitation | None:
    found = await asked.desk.store.invitation(sessions.digest(asked.desk.pepper, code[:100]))
    return found if found is not None and found.state(datetime.now(UTC)) == "open" else None


def _told(found: Invitation) -> str:
    # by the command line or the API it was somebody whose name says nothing here
    who = t("An administrator") if ":" in found.by else found.by
    if found.team:
        said = t("{who} invited you in the team {team}.", who=who, team=found.team)
    else:
        said = t("{who} invited you.", who=who)
    return f"{said} {t('Choose a name and a password to sign in with.')}"


def _form(asked: Asked, code: str) -> Renderable:
    tip = t(
        "{least} to {most} characters; several words are easier to remember than odd signs.", least=LEAST, most=MOST
    )
    secret: dict[str, Any] = {"type": "password", "autocomplete": "new-password", "required": True, "maxlength": MOST}
    named: dict[str, Any] = {"autocomplete": "username", "required": True, "maxlength": 100, "autofocus": True}
    return form(".stack", method="post", action=asked.path)[
        guard(asked, "join"),
        control(type="hidden", name="code", value=code[:100]),
        text(
            "name",
            t("Name"),
            asked.form.get("name", ""),
            t("It is what you sign in with. Spaces at its ends are left out."),
            **named,
        ),
        text("new", t("Password"), "", tip, about="password", **secret),
        text("again", t("Password, once more"), "", **secret),
        div(".buttons")[button(".first", type="submit")[t("Join")]],
    ]


async def join(asked: Asked) -> Sent:
    """Let them in and sign them in; slower after each failure."""
    desk, form_ = asked.desk, asked.form
    keys = (f"join:{asked.client}",)
    wait = desk.doorkeeper.wait_s(keys, time.monotonic())
    if wait > 0:
        saw = t("There were too many attempts. Wait {wait} s.", wait=f"{wait:.0f}")
        raise TooMany(saw, t("Try again in a moment."), retry_after_s=int(wait) + 1)
    digest = sessions.digest(desk.pepper, form_.get("code", "")[:100])
    if await _open(asked, form_.get("code", "")) is None:
        desk.doorkeeper.failed(keys, time.monotonic())
        raise BadRequest(t(SPENT), t("Ask whoever invited you for another one."), param="code")
    if form_.get("new", "") != form_.get("again", ""):
        raise BadRequest(t("The password was not typed twice alike."), t("Type it again."), param="again")
    name, hashed = _name(form_.get("name", "").strip()), await desk.passwords.hash(form_.get("new", ""))
    await desk.store.accept_invitation(digest, name, hashed)
    desk.doorkeeper.forgive(keys)
    value = sessions.mint()
    await desk.store.begin_session(sessions.digest(desk.pepper, value), name, sessions.LONGEST)
    return go(f"/console?{urlencode({'said': 'welcome', 'about': name})}", cookie(value, secure=asked.secure))


def _name(typed: str) -> str:
    """What was typed; raises BadRequest for spaces that nobody who reads the name can type again."""
    better = " ".join(typed.split())
    if better != typed:
        saw = t("{name} has spaces in it that cannot be told from one.", name=f"{typed[:100]!r}")
        raise BadRequest(saw, t("Write it like {better}", better=better[:100]), param="name")
    return typed


PAGE = Page(
    path="/console/join", title=mark("Join"), see="anyone", view=view, acts={"join": join}, change="anyone", order=0
)
