"""The frame of every page: one style sheet, no script, nothing from elsewhere."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from htpy import a, body, footer, head, header, html, link, main, meta, nav, title
from markupsafe import Markup

from homeport import __version__

if TYPE_CHECKING:
    from htpy import Node, Renderable

HEADERS = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
            b"base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@cache
def style() -> tuple[str, bytes]:
    """The style sheet's address, which changes with its content, and its text."""
    text = files("homeport.console").joinpath("assets", "homeport.css").read_bytes()
    digest = b64encode(hashlib.sha256(text).digest()[:9], altchars=b"-_").decode()
    return f"/assets/{digest}/homeport.css", text


def page(name: str, *content: Node, menu: tuple[tuple[str, str], ...] = ()) -> Renderable:
    """A whole page called `name`; `menu` holds addresses and labels."""
    return html(lang="en")[
        head[
            meta(charset="utf-8"),
            meta(name="viewport", content="width=device-width, initial-scale=1"),
            meta(name="color-scheme", content="light dark"),
            title[f"{name} · Homeport"],
            link(rel="stylesheet", href=style()[0]),
            link(rel="icon", href=ICON),
        ],
        body[
            header[
                a(".brand", href="/")[
                    Markup(MARK),  # noqa: S704 (our own drawing)
                    "Homeport",
                ],
                nav[(a(href=address)[label] for address, label in menu)],
            ],
            main[content],
            footer[f"Homeport {__version__} · your code stays in your network"],
        ],
    ]


MARK = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path fill="none" stroke="currentColor" '
    'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" '
    'd="M12 3v18M8 7h8M4 13c0 5 4 8 8 8s8-3 8-8M2 15l2-2 2 2M18 15l2-2 2 2"/></svg>'
)
ICON = "data:image/svg+xml," + MARK.replace("#", "%23").replace(
    "<svg", '<svg xmlns="http://www.w3.org/2000/svg"'
).replace("currentColor", "teal").replace('"', "'").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
