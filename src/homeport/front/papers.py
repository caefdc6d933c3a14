"""What anybody may read: the first page, the files that pages use, and the description of the API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import orjson

from homeport.access import PUBLIC
from homeport.console import _layout, _reference, _welcome
from homeport.protocols import Look, Reply, WireProtocol, _openai
from homeport.protocols._openapi import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homeport.features import Workbench

HTML = b"text/html; charset=utf-8"
VARY = (b"vary", b"accept-encoding")
FOREVER = (b"cache-control", b"public, max-age=31536000, immutable")


def first(*, with_console: bool) -> WireProtocol:
    """The first page, and the files that pages use."""

    def welcome(bench: Workbench) -> Reply:
        drawn = str(_welcome.draw(bench, console=with_console))
        return Reply(body=drawn.encode(), content_type=HTML, headers=_layout.HEADERS)

    looks = [Look(paths=("/",), need=PUBLIC, look=welcome, summary="Welcome")]
    files = _layout.assets()
    if not with_console:
        files = {address: file for address, file in files.items() if file[0] == _layout.TYPES["css"]}
    for address, (kind, data) in files.items():
        file = Reply(body=data, content_type=kind, headers=(FOREVER, VARY))
        looks.append(Look(paths=(address,), need=PUBLIC, look=partial(_same, file), summary="A file of the pages"))
    return WireProtocol(label="Console", routes=tuple(looks), error=_openai.error, kept=False)


def _same(file: Reply, _bench: Workbench) -> Reply:
    return file


def documents(shelf: Iterable[WireProtocol]) -> WireProtocol:
    """The description of the API, for programs and for people."""
    description = describe(shelf)
    machine = Reply(body=orjson.dumps(description))
    people = Reply(body=str(_reference.draw(description)).encode(), content_type=HTML, headers=_layout.HEADERS)
    return WireProtocol(
        label="Documents",
        kept=False,
        error=_openai.error,
        routes=(
            Look(paths=("/openapi.json",), need=PUBLIC, look=lambda _bench: machine, summary="OpenAPI description"),
            Look(paths=("/docs",), need=PUBLIC, look=lambda _bench: people, summary="API reference"),
        ),
    )
