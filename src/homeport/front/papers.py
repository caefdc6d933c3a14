"""What anybody may read: the first page, the files that pages use, and the description of the API."""

from __future__ import annotations

import asyncio
import functools
from functools import partial
from typing import TYPE_CHECKING

import orjson

from homeport.access import PUBLIC
from homeport.console import _layout, _reference, _welcome
from homeport.console._languages import wanted
from homeport.console._texts import speak
from homeport.protocols import Act, Look, Reply, WireProtocol, _openai
from homeport.protocols._instance import address
from homeport.protocols._openapi import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from homeport.console._texts import Language
    from homeport.features import Workbench
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

HTML = b"text/html; charset=utf-8"
VARY = (b"vary", b"accept-encoding")
FOREVER = (b"cache-control", b"public, max-age=31536000, immutable")


def first(languages: Mapping[str, Language] | None) -> WireProtocol:
    """The first page, and the files that pages use; None where there is no console."""

    async def welcome(door: Door, _body: None, arrival: Arrival) -> Reply:
        speak(wanted(languages or {}, arrival.header(b"accept-language")))
        drawn = str(_welcome.draw(door.bench, address(door.url, arrival), console=languages is not None))
        return Reply(body=drawn.encode(), content_type=HTML, headers=_layout.HEADERS)

    page = Act(paths=("/",), need=PUBLIC, act=welcome, method="GET", summary="Welcome")
    looks: list[Act | Look] = [page]
    files = _layout.assets()
    if languages is None:
        files = {path: file for path, file in files.items() if file[0] == _layout.TYPES["css"]}
    for path, (kind, data) in files.items():
        file = Reply(body=data, content_type=kind, headers=(FOREVER, VARY))
        looks.append(Look(paths=(path,), need=PUBLIC, look=partial(_same, file), summary="A file of the pages"))
    return WireProtocol(label="Console", routes=tuple(looks), error=_openai.error, kept=False)


def _same(file: Reply, _bench: Workbench) -> Reply:
    return file


def documents(shelf: Iterable[WireProtocol]) -> WireProtocol:
    """The description of the API, for programs and for people; made when somebody first asks, beside other work."""
    made = functools.cache(partial(_described, tuple(shelf)))

    async def machine(_door: Door, _body: None, _arrival: Arrival) -> Reply:
        return (await asyncio.to_thread(made))[0]

    async def people(_door: Door, _body: None, _arrival: Arrival) -> Reply:
        return (await asyncio.to_thread(made))[1]

    return WireProtocol(
        label="Documents",
        kept=False,
        error=_openai.error,
        routes=(
            Act(paths=("/openapi.json",), need=PUBLIC, act=machine, method="GET", summary="OpenAPI description"),
            Act(paths=("/docs",), need=PUBLIC, act=people, method="GET", summary="API reference"),
        ),
    )


def _described(shelf: Sequence[WireProtocol]) -> tuple[Reply, Reply]:
    """The document, and the page that shows it."""
    description = describe(shelf)
    page = str(_reference.draw(description)).encode()
    return Reply(orjson.dumps(description)), Reply(page, content_type=HTML, headers=_layout.HEADERS)
