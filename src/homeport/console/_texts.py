"""What pages say, in the language of who reads them: English is in the code, others are catalogues of gettext.

A sentence is one message; what differs in it has a name between braces, and may be an element.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from gettext import NullTranslations

    from htpy import Node

ENGLISH = "en"
_PLACE = re.compile(r"\{([a-z_][a-z_0-9]*)\}")


class Language(NamedTuple):
    """A language beside English."""

    tag: str
    """As HTML and Accept-Language call it: "de", "pt-BR"."""
    catalogue: NullTranslations
    for_scripts: str = "{}"
    """JSON of what scripts say."""


_language: ContextVar[Language | None] = ContextVar("language", default=None)
"""Of who reads the page that is drawn; None is English."""


def speak(language: Language | None) -> None:
    """Draw what follows in this task in a language; None is English."""
    _language.set(language)


def spoken() -> Language | None:
    """The language that pages are drawn in now; None is English."""
    return _language.get()


def tag() -> str:
    """What `<html lang>` says."""
    language = _language.get()
    return language.tag if language else ENGLISH


def mark(message: str) -> str:
    """A message of a constant, for the catalogue: `t` translates it when it is drawn."""
    return message


def t(message: str, /, **values: object) -> str:
    """The message in the reader's language, with values in their places."""
    language = _language.get()
    said = message if language is None or not message else language.catalogue.gettext(message)
    return _filled(said, values) if values else said


def tn(one: str, many: str, count: int, /, **values: object) -> str:
    """The same where a number decides on the form; `{count}` is that number unless it is given otherwise."""
    language = _language.get()
    english = one if count == 1 else many
    said = english if language is None else language.catalogue.ngettext(one, many, count)
    return _filled(said, {"count": count, **values})


def rich(message: str, /, **parts: Node) -> Node:
    """The message as content of an element: links, code and times stand where the language wants them."""
    return filled(t(message), **parts)


def filled(said: str, /, **parts: Node) -> Node:
    """A translated message with elements in its places, as `rich` makes it."""
    found = in_pieces(said)
    return [parts.get(piece, f"{{{piece}}}") if odd % 2 else piece for odd, piece in enumerate(found) if piece]


def choices(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Values and what they are called, translated."""
    return tuple((value, t(called)) for value, called in pairs)


def places(message: str) -> frozenset[str]:
    """The names between braces."""
    return frozenset(in_pieces(message)[1::2])


def _filled(said: str, values: Mapping[str, object]) -> str:
    """Never str.format: a catalogue's text reaches no attribute of a value."""
    found = list(in_pieces(said))
    found[1::2] = [str(values.get(name, f"{{{name}}}")) for name in found[1::2]]
    return "".join(found)


@lru_cache(maxsize=4096)
def in_pieces(message: str) -> tuple[str, ...]:
    """Text and names, by turns."""
    return tuple(_PLACE.split(message))
