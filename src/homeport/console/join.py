"""Join: where an invitation leads. Whoever opens it chooses a name and a password, once."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from htpy import Renderable, a, button, div, form, h1, p
from htpy import input as control

from homeport.access import sessions
from homeport.access.passwords import LEAST, MOST
from homeport.console import Asked, Page, Sent, go
from homeport.console._desk import SIGN_IN, cookie
from homeport.console._forms import text
from homeport.console._layout import guard, page, problem
from homeport.domain.errors import BadRequest, TooMany
from homeport.store.invitations import SPENT

if TYPE_CHECKING:
    from homeport.store.records import Invitation


async def view(asked: Asked) -> Renderable:
    """The form, or why there is none; whoever is signed in is told whose door this is."""
    code = asked.form.get("code") or asked.query.get("code", "")
    found = await _open(asked, code) if code else None
    if asked.person.role != "anyone":
        told = f"You are signed in as {asked.person.name}. The invitation is for somebody else, or sign out first."
        return page(asked, "Join", h1["You are here already"], p(".lead")[told])
    if found is None:
        gone = p[SPENT, " Ask whoever invited you for another one."]
        return page(asked, "Join", h1["This link is spent"], problem(asked), gone, p[a(href=SIGN_IN)["Sign in"]])
    return page(asked, "Join", h1["Join Homeport"], problem(asked), p[_told(found)], _form(asked, code))


async def _open(asked: Asked, code: str) -> Invitation | None:
    found = await asked.desk.store.invitation(sessions.digest(asked.desk.pepper, code[:100]))
    return found if found is not None and found.state(datetime.now(UTC)) == "open" else None


def _told(found: Invitation) -> str:
    where = f" in the team {found.team}" if found.team else ""
    # by the command line or the API it was somebody whose name says nothing here
    who = "An administrator" if ":" in found.by else found.by
    return f"{who} invited you{where}. Choose a name and a password to sign in with."


def _form(asked: Asked, code: str) -> Renderable:
    tip = f"{LEAST} to {MOST} characters; several words are easier to remember than odd signs."
    secret: dict[str, Any] = {"type": "password", "autocomplete": "new-password", "required": True, "maxlength": MOST}
    named: dict[str, Any] = {"autocomplete": "username", "required": True, "maxlength": 100, "autofocus": True}
    return form(".stack", method="post", action=asked.path)[
        guard(asked, "join"),
        control(type="hidden", name="code", value=code[:100]),
        text("name", "Name", asked.form.get("name", ""), "It is what you sign in with.", **named),
        text("new", "Password", "", tip, **secret),
        text("again", "Password, once more", "", **secret),
        div(".buttons")[button(".first", type="submit")["Join"]],
    ]


async def join(asked: Asked) -> Sent:
    """Let them in and sign them in; slower after each failure."""
    desk, form_ = asked.desk, asked.form
    keys = (f"join:{asked.client}",)
    wait = desk.doorkeeper.wait_s(keys, time.monotonic())
    if wait > 0:
        saw = f"There were too many attempts. Wait {wait:.0f} s."
        raise TooMany(saw, "Try again in a moment.", retry_after_s=int(wait) + 1)
    digest = sessions.digest(desk.pepper, form_.get("code", "")[:100])
    if await _open(asked, form_.get("code", "")) is None:
        desk.doorkeeper.failed(keys, time.monotonic())
        raise BadRequest(SPENT, "Ask whoever invited you for another one.", param="code")
    if form_.get("new", "") != form_.get("again", ""):
        raise BadRequest("The password was not typed twice alike.", "Type it again.", param="again")
    name, hashed = form_.get("name", "").strip(), await desk.passwords.hash(form_.get("new", ""))
    await desk.store.accept_invitation(digest, name, hashed)
    desk.doorkeeper.forgive(keys)
    value = sessions.mint()
    await desk.store.begin_session(sessions.digest(desk.pepper, value), name, sessions.LONGEST)
    return go("/console", cookie(value, secure=asked.secure))


PAGE = Page(path="/console/join", title="Join", see="anyone", view=view, acts={"join": join}, change="anyone", order=0)
