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
    summary,
    title,
)
from markupsafe import Markup

from homeport import __version__
from homeport.console import RANK
from homeport.console._desk import FORM_KEY
from homeport.domain.verbose import until_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from htpy import Node

    from homeport.console import Asked, Page

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
PARTS = ("Models", "People", "Operate")
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


def _head(name: str, *, scripts: tuple[str, ...] = (), themed: bool = True) -> Renderable:
    return head[
        meta(charset="utf-8"),
        meta(name="viewport", content="width=device-width, initial-scale=1"),
        meta(name="color-scheme", content="light dark"),
        meta(name="htmx-config", content=HTMX) if scripts else None,
        meta(name="description", content=f"{name}, in Homeport: self-hosted AI for code."),
        title[f"{name} · Homeport"],
        # before anything is drawn, so that no page flashes in the other theme
        script(src=asset("theme.js")) if themed else None,
        link(rel="stylesheet", href=asset("homeport.css")),
        link(rel="icon", href=ICON),
        (script(src=asset(each), defer=True) for each in scripts),
    ]


def plain(name: str, *content: Node, menu: tuple[tuple[str, str], ...] = ()) -> Renderable:
    """A page for anybody, without script; `menu` holds addresses and labels."""
    return html(lang="en")[
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
    return html(lang="en")[_head(name), body[main(".door")[div(".card")[brand("/"), content]]]]


def page(asked: Asked, name: str, *content: Node, scripts: tuple[str, ...] = ()) -> Renderable:
    """A whole page called `name`, with the menu; who is not signed in gets a door."""
    if asked.person.role == "anyone":
        return door(name, *content)
    return html(lang="en")[
        _head(name, scripts=("htmx.js", "homeport.js", *scripts)),
        body(hx_boost="true")[
            a(".skip", href="#content")["To the content"],
            div(".frame")[
                header(".side")[
                    brand("/console"),
                    a(".find", href="/console/find", data_dialog=True)["Find", kbd["Ctrl K"]],
                    details(".unfold")[summary["Menu"]],
                    nav(aria_label="Pages")[_menu(asked)],
                    _who(asked),
                ],
                main("#content.content", tabindex="-1")[_overheard(asked), _said(asked), content],
            ],
        ],
    ]


def problem(asked: Asked) -> Node:
    """What was wrong with the form, above it."""
    return div(".note.bad", role="alert")[p[asked.problem]] if asked.problem else None


def guard(asked: Asked, do: str) -> Node:
    """The hidden fields of every form: what to do, and that it is from this session."""
    return input(type="hidden", name="do", value=do), input(type="hidden", name=FORM_KEY, value=asked.person.form_key)


def brand(address: str) -> Renderable:
    """The mark, which leads home."""
    return a(".brand", href=address)[Markup(MARK), "Homeport"]  # noqa: S704 (our own drawing)


def _overheard(asked: Asked) -> Node:
    """What everybody should know while it lasts."""
    until = until_of(asked.desk.bench.snapshot())
    if not until or asked.desk.settings.log_content == "never":
        return None
    told = f"Verbose logging is on until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC: "
    return div(".note.warn", role="status")[
        p[told, "what is asked and answered is written down. ", a(href="/console/verbose")["More"]]
    ]


def _said(asked: Asked) -> Node:
    """What came of the form that led here."""
    said = SAID.get(asked.query.get("said", ""))
    about = asked.query.get("about", "")[:100]
    return div(".note.good", role="status")[p[said.format(about)]] if said else None


def jumps(asked: Asked) -> dict[str, Page]:
    """The pages of the menu by the key that leads there: the first letter of the title that none before it took."""
    found: dict[str, Page] = {}
    every = asked.desk.pages.values()
    for each in sorted((each for each in every if each.order), key=lambda each: (each.menu, each.order)):
        letter = next((one for one in each.title.lower() if one.isalpha() and one not in found), "")
        found |= {letter: each} if letter else {}
    return found


def _menu(asked: Asked) -> Iterator[Renderable]:
    keys = {each.path: key for key, each in jumps(asked).items()}
    listed = [page for page in asked.desk.pages.values() if page.order and RANK[asked.person.role] >= RANK[page.see]]
    for part in ("", *PARTS):
        of_it = sorted((page for page in listed if page.menu == part), key=lambda page: page.order)
        if part and of_it:
            yield div(".part")[part]
        for each in of_it:
            here = asked.path == each.path or (each.path != "/console" and asked.path.startswith(each.path + "/"))
            yield a(href=each.path, aria_current="page" if here else None, data_go=keys.get(each.path))[each.title]


def _who(asked: Asked) -> Renderable:
    return div(".who")[
        div[a(href="/console/account")[asked.person.name], " ", span(".soft")[f"({asked.person.role})"]],
        a(".small", href="/console/keys", data_dialog=True)["Keyboard"],
        form(method="post", action="/console/sign-in", hx_boost="false")[
            guard(asked, "leave"), button(".quiet", type="submit")["Sign out"]
        ],
    ]


SAID = {
    "added": "{} is registered. Assign it to a feature to use it.",
    "saved": "{} is saved.",
    "same": "Nothing was changed.",
    "moved": "{} is saved. What was secret was meant for its old server alone and is forgotten: set it again.",
    "measured": "{} was asked; below is what it can do.",
    "removed": "{} is gone.",
    "assigned": "{} is set.",
    "enabled": "{} may serve again.",
    "disabled": "{} serves nobody until you enable it.",
    "invited": "{} may sign in.",
    "revoked": "{} works no longer.",
    "role": "{} has another role now.",
    "closed": "{} may sign in no longer.",
    "reopened": "{} may sign in again.",
    "left": "{} is signed out everywhere.",
    "connected": "From now on your account there signs you in.",
    "disconnected": "Nobody from there opens this account any longer.",
    "person": "What is known of {} is saved.",
    "unseated": "{} may sign in again, without a seat: none is free.",
    "deleted": "{} is deleted and signed out; their tokens open nothing any longer.",
    "restored": "{} is back, with their tokens and teams.",
    "standing": "{} is back, with their tokens and teams but without a seat: none is free.",
    "seats": "There are as many seats as you said.",
    "team": "{} is there: let people in.",
    "renamed": "The team is called {} now.",
    "joined": "Whoever you named is in {} now.",
    "parted": "They are no longer in {}.",
    "disbanded": "The team {} is gone; its members stay.",
    "reunited": "The team {} is back, with everybody who is still here.",
    "uninvited": "That invitation opens nothing any longer.",
    "ended": "That session is over.",
    "set": "That counts from now on.",
    "rotated": "A new root key seals every API key now. Keep a copy of the key file.",
    "password": "The new password counts from now on; your other sessions are over.",
}
"""What a form's outcome is called in an address, and how it is said; nothing that came from elsewhere."""

IN_WORDS = {
    "model.add": "added model",
    "model.edit": "changed model",
    "model.remove": "removed model",
    "model.measure": "measured model",
    "feature.set": "set feature",
    "token.add": "made token",
    "token.revoke": "revoked token",
    "user.set": "set the access of",
    "user.password": "changed the password of",
    "user.remove": "deleted",
    "user.restore": "brought back",
    "team.add": "made team",
    "team.set": "renamed team to",
    "team.members": "changed the members of",
    "team.remove": "removed team",
    "team.restore": "brought back team",
    "invitation.add": "made an invitation for",
    "invitation.revoke": "revoked the invitation for",
    "invitation.use": "was let in by the invitation for",
    "user.code": "made a sign-in link for",
    "session.begin": "signed in:",
    "session.end": "ended a session of",
    "session.end_all": "ended all sessions of",
    "session.refuse": "did not let in",
    "identity.link": "connected with single sign-on:",
    "identity.unlink": "disconnected from single sign-on:",
    "secret.set": "changed the secret",
    "setting.set": "set",
    "request.replay": "asked again what was asked in",
    "keys.rotate": "sealed all API keys with the new root key",
}
"""What was done, as the audit calls it, before the name of the thing."""

MARK = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path fill="none" stroke="currentColor" '
    'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" '
    'd="M12 3v18M8 7h8M4 13c0 5 4 8 8 8s8-3 8-8M2 15l2-2 2 2M18 15l2-2 2 2"/></svg>'
)
ICON = "data:image/svg+xml," + MARK.replace("#", "%23").replace(
    "<svg", '<svg xmlns="http://www.w3.org/2000/svg"'
).replace("currentColor", "teal").replace('"', "'").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
