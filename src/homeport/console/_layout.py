"""The frame of every page: our own style sheet and scripts, nothing from elsewhere."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from htpy import (
    Renderable,
    a,
    body,
    button,
    details,
    div,
    footer,
    form,
    head,
    header,
    html,
    input,  # noqa: A004 (the element)
    kbd,
    link,
    main,
    meta,
    nav,
    p,
    script,
    span,
    strong,
    summary,
    title,
)
from markupsafe import Markup

from homeport import __version__
from homeport.console import RANK
from homeport.console._desk import FORM_KEY, WAS
from homeport.console._forms import is_whole
from homeport.console._texts import mark, rich, spoken, t, tag
from homeport.console._ways import told_with_ways
from homeport.domain.verbose import until_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from htpy import Node

    from homeport.console import Asked, Page
    from homeport.store.records import AuditEvent

HEADERS = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
TYPES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8"}
HTMX = (
    '{"allowEval": false, "includeIndicatorStyles": false, "historyCacheSize": 0, "selfRequestsOnly": true, '
    '"attributesToSettle": ["class"], '
    '"responseHandling": [{"code": "204", "swap": false}, {"code": "...", "swap": true}]}'
)
"""Errors are pages too and are shown: a form comes back with what was wrong. No style is copied: the policy forbids."""
CALLED: Mapping[str, str] = {"admin": mark("administrator"), "auditor": mark("auditor"), "user": mark("user")}
"""What roles are called in sentences."""
HELPED = {"homeport.js": "learn.js"}
"""Scripts that have others run beside the page."""
PARTS = (mark("Models"), mark("People"), mark("Operate"))
"""The parts of the menu, in their order; pages without one of these come first."""


@cache
def asset(name: str) -> str:
    """The address of a file of ours; it changes with the content of the file, or of the folder that it is in."""
    return f"/assets/{_digest(name.rpartition('/')[0] or name)}/{name}"


@cache
def _digest(name: str) -> str:
    """What tells the content of a file or of a whole folder; files of one folder may name each other."""
    told = hashlib.sha256()
    for each, data in sorted(_files().items()):
        if each == name or each.startswith(f"{name}/"):
            told.update(f"{each}\n{len(data)}\n".encode() + data)
    return b64encode(told.digest()[:9], altchars=b"-_").decode()


@cache
def _files() -> dict[str, bytes]:
    """Every file that pages use, by its name within the folder of assets."""
    folder = files("homeport.console").joinpath("assets")
    inner = ((f"{each.name}/", each) for each in folder.iterdir() if each.is_dir())
    every = ((stem + each.name, each) for stem, inside in (("", folder), *inner) for each in inside.iterdir())
    return {name: each.read_bytes() for name, each in every if name.rpartition(".")[2] in TYPES}


@cache
def assets() -> dict[str, tuple[bytes, bytes]]:
    """By address: the type and the bytes of every file that pages use."""
    return {asset(name): (TYPES[name.rpartition(".")[2]], data) for name, data in sorted(_files().items())}


def scripts() -> list[str]:
    """The text of each script of ours."""
    return [data.decode() for name, data in _files().items() if name.endswith(".js") and _ours(name)]


def _ours(name: str) -> bool:
    return not name.startswith(("codemirror/", "uplot/", "htmx."))


def _head(name: str, *, scripts: tuple[str, ...] = (), themed: bool = True) -> Renderable:
    language = spoken()
    return head[
        meta(charset="utf-8"),
        meta(name="viewport", content="width=device-width, initial-scale=1"),
        meta(name="color-scheme", content="light dark"),
        meta(name="htmx-config", content=HTMX) if scripts else None,
        meta(name="texts", content=language.for_scripts) if scripts and language else None,
        meta(name="description", content=t("{name}, in Homeport: self-hosted AI for code.", name=name)),
        title[f"{name} · Homeport"],
        # before anything is drawn, so that no page flashes in the other theme
        script(src=asset("theme.js")) if themed else None,
        link(rel="stylesheet", href=asset("homeport.css")),
        link(rel="icon", href=ICON),
        (script(src=asset(each), data_learn=HELPED.get(each) and asset(HELPED[each]), defer=True) for each in scripts),
    ]


def plain(name: str, *content: Node, menu: tuple[tuple[str, str], ...] = ()) -> Renderable:
    """A page for anybody, without script; `menu` holds addresses and labels."""
    return html(lang=tag())[
        _head(name, themed=False),
        body[
            div(".plain")[
                header[brand("/"), nav[(a(href=address)[label] for address, label in menu)]],
                main[content],
                footer[f"Homeport {__version__}"],
            ]
        ],
    ]


def door(name: str, *content: Node) -> Renderable:
    """A page with one card: to sign in."""
    return html(lang=tag())[_head(name), body[main(".door")[div(".card")[brand("/"), content]]]]


def page(asked: Asked, name: str, *content: Node, scripts: tuple[str, ...] = ()) -> Renderable:
    """A whole page called `name`, with the menu; who is not signed in gets a door."""
    if asked.person.role == "anyone":
        return door(name, *content)
    return html(lang=tag())[
        _head(name, scripts=("htmx.js", "homeport.js", *scripts)),
        body[
            a(".skip", href="#content")[t("To the content")],
            div(".frame")[
                header(".side")[
                    brand("/console"),
                    a(".find", href="/console/find", data_dialog=True)[t("Find"), kbd["Ctrl K"]],
                    details(".unfold")[summary[t("Menu")]],
                    nav(aria_label=t("Pages"))[_menu(asked)],
                    _who(asked),
                ],
                main("#content.content", tabindex="-1")[_overheard(asked), _said(asked), content],
            ],
        ],
    ]


def problem(asked: Asked) -> Node:
    """What was wrong with the form, above it; where no field alone was wrong, one goes on from here."""
    if not asked.problem:
        return None
    said = p[told_with_ways(asked, asked.problem)]
    return div(".note.bad", role="alert", tabindex="-1", autofocus=is_whole())[said]


def guard(asked: Asked, do: str) -> Node:
    """The hidden fields of every form: what to do, and that it is from this session.

    Of the form that was refused they say so: what was typed is in it and nowhere else.
    """
    refused = bool(asked.problem) and asked.form.get("do") == do
    return (
        input(type="hidden", name="do", value=do, data_refused=refused),
        input(type="hidden", name=FORM_KEY, value=asked.person.form_key),
    )


def was(asked: Asked, now: str, do: str) -> Renderable:
    """The hidden field that tells what a form is about to replace; kept until somebody was told of another state."""
    kept = asked.form.get(WAS) if asked.form.get("do") == do else ""
    return input(type="hidden", name=WAS, value=kept or now)


def brand(address: str) -> Renderable:
    """The mark, which leads home."""
    return a(".brand", href=address)[Markup(MARK), "Homeport"]  # noqa: S704 (our own drawing)


def _overheard(asked: Asked) -> Node:
    """What everybody should know while it lasts."""
    until = until_of(asked.desk.bench.snapshot())
    if not until or asked.desk.settings.log_content == "never":
        return None
    said = rich(
        "Verbose logging is on until {time} UTC: what is asked and answered is written down. {link}",
        time=f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M}",
        link=a(href="/console/verbose")[t("More")],
    )
    return div(".note.warn", role="status")[p[said]]


def _said(asked: Asked) -> Node:
    """What came of the form that led here."""
    said = SAID.get(asked.query.get("said", ""))
    about = asked.query.get("about", "")[:100]
    return div(".note.good", role="status")[p[t(said, name=about)]] if said else None


def jumps(asked: Asked) -> dict[str, Page]:
    """The pages of the menu by the key that leads there: the first letter of the title that none before it took."""
    found: dict[str, Page] = {}
    every = asked.desk.pages.values()
    for each in sorted((each for each in every if each.order), key=lambda each: (each.menu, each.order)):
        letter = next((one for one in t(each.title).lower() if one.isalpha() and one not in found), "")
        found |= {letter: each} if letter else {}
    return found


def _menu(asked: Asked) -> Iterator[Renderable]:
    keys = {each.path: key for key, each in jumps(asked).items()}
    listed = [page for page in asked.desk.pages.values() if page.order and RANK[asked.person.role] >= RANK[page.see]]
    for part in ("", *PARTS):
        of_it = sorted((page for page in listed if page.menu == part), key=lambda page: page.order)
        if part and of_it:
            yield div(".part")[t(part)]
        for each in of_it:
            here = asked.path == each.path or (each.path != "/console" and asked.path.startswith(each.path + "/"))
            yield a(href=each.path, aria_current="page" if here else None, data_go=keys.get(each.path))[t(each.title)]


def _who(asked: Asked) -> Renderable:
    return div(".who")[
        div[a(href="/console/account")[asked.person.name], " ", span(".soft")[f"({t(CALLED[asked.person.role])})"]],
        a(".small", href="/console/keys", data_dialog=True)[t("Keyboard")],
        form(method="post", action="/console/sign-in", hx_boost="false")[
            guard(asked, "leave"), button(".quiet", type="submit")[t("Sign out")]
        ],
    ]


SAID = {
    "added": mark("{name} is registered. Assign it to a feature to use it."),
    "saved": mark("{name} is saved."),
    "same": mark("Nothing was changed."),
    "moved": mark(
        "{name} is saved. What was secret was meant for its old server alone and is forgotten: set it again."
    ),
    "measured": mark("{name} was asked; below is what it can do."),
    "removed": mark("{name} is deleted. For an hour you can bring it back."),
    "recovered": mark("{name} is back as it was."),
    "enabled": mark("{name} may serve again."),
    "disabled": mark("{name} serves nobody until you enable it."),
    "invited": mark("{name} may sign in."),
    "revoked": mark("{name} works no longer."),
    "role": mark("{name} has another role now."),
    "welcome": mark("Welcome. From now on you sign in as {name}."),
    "closed": mark("{name} may sign in no longer."),
    "reopened": mark("{name} may sign in again."),
    "left": mark("{name} is signed out everywhere."),
    "connected": mark("From now on your account there signs you in."),
    "disconnected": mark("Nobody from there opens this account any longer."),
    "person": mark("What is known of {name} is saved."),
    "unseated": mark("{name} may sign in again, without a seat: none is free."),
    "deleted": mark("{name} is deleted and signed out; their tokens open nothing any longer."),
    "restored": mark("{name} is back, with their tokens and teams."),
    "standing": mark("{name} is back, with their tokens and teams but without a seat: none is free."),
    "seats": mark("There are as many seats as you said."),
    "team": mark("{name} is there: let people in."),
    "renamed": mark("The team is called {name} now."),
    "joined": mark("Whoever you named is in {name} now."),
    "parted": mark("They are no longer in {name}."),
    "disbanded": mark("The team {name} is gone; its members stay."),
    "reunited": mark("The team {name} is back, with everybody who is still here."),
    "uninvited": mark("That invitation opens nothing any longer."),
    "ended": mark("That session is over."),
    "set": mark("That counts from now on."),
    "rotated": mark("A new root key seals every API key now. Keep a copy of the key file."),
    "password": mark("The new password counts from now on; your other sessions are over."),
}
"""What a form's outcome is called in an address, and how it is said; nothing that came from elsewhere."""

IN_WORDS = {
    # Translators: what somebody did, after their name in a table: ada, added model qwen
    "model.add": mark("added model {subject}"),
    "model.edit": mark("changed model {subject}"),
    "model.remove": mark("removed model {subject}"),
    "model.restore": mark("brought back model {subject}"),
    "model.measure": mark("measured model {subject}"),
    "feature.set": mark("set feature {subject}"),
    "token.add": mark("made token {subject}"),
    "token.revoke": mark("revoked token {subject}"),
    "user.set": mark("set the access of {subject}"),
    "user.password": mark("changed the password of {subject}"),
    "user.remove": mark("deleted {subject}"),
    "user.restore": mark("brought back {subject}"),
    "team.add": mark("made team {subject}"),
    "team.set": mark("renamed team to {subject}"),
    "team.members": mark("changed the members of {subject}"),
    "team.remove": mark("removed team {subject}"),
    "team.restore": mark("brought back team {subject}"),
    "invitation.add": mark("made an invitation for {subject}"),
    "invitation.revoke": mark("revoked the invitation for {subject}"),
    "invitation.use": mark("was let in by the invitation for {subject}"),
    "user.code": mark("made a sign-in link for {subject}"),
    "session.begin": mark("signed in: {subject}"),
    "session.end": mark("ended a session of {subject}"),
    "session.end_all": mark("ended all sessions of {subject}"),
    "session.refuse": mark("did not let in {subject}"),
    "identity.link": mark("connected with single sign-on: {subject}"),
    "identity.unlink": mark("disconnected from single sign-on: {subject}"),
    "secret.set": mark("changed the secret {subject}"),
    "setting.set": mark("set {subject}"),
    "request.replay": mark("asked again what was asked in {subject}"),
    "keys.rotate": mark("sealed all API keys with the new root key {subject}"),
}
"""What was done, as the audit calls it."""


def done(event: AuditEvent) -> Node:
    """What somebody did, in a sentence with the name of the thing."""
    subject = strong[event.subject]
    known = IN_WORDS.get(event.what)
    return rich(known, subject=subject) if known else [event.what, " ", subject]


MARK = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path fill="none" stroke="currentColor" '
    'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" '
    'd="M12 3v18M8 7h8M4 13c0 5 4 8 8 8s8-3 8-8M2 15l2-2 2 2M18 15l2-2 2 2"/></svg>'
)
ICON = "data:image/svg+xml," + MARK.replace("#", "%23").replace(
    "<svg", '<svg xmlns="http://www.w3.org/2000/svg"'
).replace("currentColor", "teal").replace('"', "'").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
