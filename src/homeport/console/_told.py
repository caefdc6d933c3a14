"""What rooms below say, in the reader's language: known again by its English, which is what they composed.

The API, the command line, the log and the database say and keep these sentences too. A catalogue lists each with a
named place for every value: "There is no model {name}.", which is found again in "There is no model 'qwen'.".
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from homeport.console._texts import in_pieces, spoken, t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from homeport.domain.errors import HomeportError

CATALOGUE = files("homeport.console").joinpath("texts", "homeport.pot")
BELOW = "homeport/"
"""How the catalogue's references to files of rooms below begin."""
REMEMBERED = 4096
LONGEST = 800
"""Characters of a text that is looked at; a longer one is no sentence of ours."""
_ENDS = re.compile(r"(?<=[.!?]) |\n")
_BETWEEN = re.compile(r", |: |; | \(|\)")
"""What stands between parts of a sentence that was put together."""
_ADDRESS = re.compile(r"\S+://\S+( )")
_MOST_GAPS = 10
"""A text with more is looked at as a whole: to weigh each of its readings would take long."""
_BY = 3
"""Characters of a message's beginning or end by which it is looked up."""


class Heard(NamedTuple):
    """How a text is understood."""

    weight: int
    """Characters of it that are words of messages."""
    parts: tuple[str | Found, ...]


class Found(NamedTuple):
    """A message in a text, and what its places hold."""

    message: str
    values: Mapping[str, Heard]
    period: int = 0
    """1 for a sentence whose message has no period, -1 for one that lacks that of its message."""


def told(english: str) -> str:
    """What a room below said, in the reader's language; a part that no catalogue knows stays as it is."""
    if spoken() is None or not english or len(english) > LONGEST:
        return english
    understood = heard(english)
    return _said(understood) if understood.weight else t(english)


def in_words(error: HomeportError) -> str:
    """What went wrong and what to do about it."""
    return f"{told(error.saw)} {told(error.fix)}".strip()


def _said(understood: Heard) -> str:
    return "".join(part if isinstance(part, str) else _filled(part) for part in understood.parts)


def _filled(found: Found) -> str:
    said = t(found.message, **{name: _said(value) for name, value in found.values.items()})
    return said.removesuffix(".") if found.period < 0 else said + "." * found.period


@lru_cache(maxsize=REMEMBERED)
def heard(english: str) -> Heard:
    """The understanding by which most of a text is known; a word alone is a name."""
    if " " not in english.strip():
        return Heard(0, (english,))
    ways = (Heard(0, (english,)), *_sentences(english), *_whole(english), *_cut(english, _gaps(english)))
    return max(ways, key=lambda way: way.weight)


def _sentences(text: str) -> Iterator[Heard]:
    ends = [end.span() for end in _ENDS.finditer(text)]
    return _cut(text, ends if len(ends) <= _MOST_GAPS else ())


def _whole(text: str) -> Iterator[Heard]:
    """The text as one message, with its period or without."""
    for given, period in ((text, 0), (f"{text}.", -1), (text.removesuffix("."), 1)):
        if given == text and period:
            continue
        if given in known().fixed:
            yield Heard(len(given), (Found(given, {}, period),))
        elif (found := _form_of(given)) is not None:
            message, weight, values = found
            understood = {name: heard(value) for name, value in values.items()}
            total = weight + sum(each.weight for each in understood.values())
            yield Heard(total, (Found(message, understood, period),))


def _gaps(text: str) -> Iterator[tuple[int, int]]:
    """Where the first part of a sentence ends, and the second begins."""
    between = [each.span() for each in _BETWEEN.finditer(text)]
    if 0 < len(between) <= _MOST_GAPS:
        yield between[0]
    if address := _ADDRESS.match(text):
        yield address.span(1)


def _cut(text: str, gaps: Iterable[tuple[int, int]]) -> Iterator[Heard]:
    """The text as two."""
    for end, begin in gaps:
        one, other = heard(text[:end]), heard(text[begin:])
        yield Heard(one.weight + other.weight, (*one.parts, text[end:begin], *other.parts))


def _form_of(text: str) -> tuple[str, int, dict[str, str]] | None:
    """The message of this form with the most words, how many characters they have, and the values."""
    forms = known().forms
    found = (
        (form.weight, form.message, values)
        for form in (*forms.get((text[:_BY], ""), ()), *forms.get(("", text[-_BY:]), ()), *forms.get(("", ""), ()))
        if (values := _values(form.pieces, text)) is not None
    )
    weight, message, values = max(found, key=lambda each: each[0], default=(0, "", {}))
    return (message, weight, values) if message else None


def _values(pieces: Sequence[str], text: str) -> dict[str, str] | None:
    """What stands in the places, if the text is of this form; in one pass, whatever a value holds."""
    head, *places = pieces
    if not (text.startswith(head) and text.endswith(places[-1])):
        return None
    at, end, found = len(head), len(text) - len(places[-1]), dict[str, str]()
    for name, literal in zip(places[:-2:2], places[1:-2:2], strict=True):
        until = text.find(literal, at, end)
        if until < 0 or found.setdefault(name, text[at:until]) != text[at:until]:
            return None
        at = until + len(literal)
    return found if at <= end and found.setdefault(places[-2], text[at:end]) == text[at:end] else None


# the catalogue


class Form(NamedTuple):
    """A message with places."""

    message: str
    pieces: tuple[str, ...]
    weight: int
    """Characters around its places."""


class Known(NamedTuple):
    """The messages of rooms below."""

    fixed: frozenset[str]
    """Those without places."""
    forms: Mapping[tuple[str, str], Sequence[Form]]
    """The others, by how they begin, or end where they begin with a place, or neither."""


@cache
def known() -> Known:
    """What is read of the catalogue once."""
    every = [_message(each) for each in CATALOGUE.read_text("utf-8").split("\n\n") if f"#: {BELOW}" in each]
    forms: dict[tuple[str, str], list[Form]] = defaultdict(list)
    for message in every:
        pieces = in_pieces(message)
        if len(pieces) > 1:
            forms[_key(pieces[0], pieces[-1])].append(Form(message, pieces, sum(map(len, pieces[::2]))))
    return Known(frozenset(each for each in every if len(in_pieces(each)) == 1), forms)


def _key(head: str, tail: str) -> tuple[str, str]:
    if len(head) >= _BY:
        return head[:_BY], ""
    return "", tail[-_BY:] if len(tail) >= _BY else ""


def _message(entry: str) -> str:
    said = entry.partition("\nmsgid ")[2].partition("\nmsgstr ")[0]
    return "".join(ast.literal_eval(line) for line in re.findall(r'".*"', said))
