"""A language that nobody speaks: English in letters that no English text has, so that what is left over shows."""

from __future__ import annotations

import ast
import re
from functools import cache
from gettext import NullTranslations
from html.parser import HTMLParser
from string import ascii_letters

from typing_extensions import override

from homeport.console._texts import Language
from homeport.console._told import CATALOGUE

STRANGE = "ȧƀƈḓḗƒɠħīĵķŀḿƞǿƥɋřşŧŭṽẇẋẏẑȦƁƇḒḖƑƓĦĪĴĶĿḾȠǾƤɊŘŞŦŬṼẆẊẎẐ"
LETTERS = str.maketrans(ascii_letters, STRANGE)
SPOKEN = frozenset({"title", "aria-label", "placeholder", "alt", "label", "data-label", "data-sure", "data-says"})
"""Attributes that people see or hear."""
VERBATIM = frozenset({"code", "pre", "del", "ins", "kbd", "time", "textarea", "script", "style"})
"""Elements of which the content is the same in every language."""
VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})


@cache
def messages() -> frozenset[str]:
    """What is in the catalogue."""
    entries = re.findall(r'(?m)^msgid(?:_plural)? ((?:".*"\n)+)', CATALOGUE.read_text("utf-8"))
    return frozenset("".join(map(ast.literal_eval, entry.splitlines())) for entry in entries)


class _Pseudo(NullTranslations):
    @override
    def gettext(self, message: str) -> str:
        if message not in messages():
            return message
        parts = re.split(r"(\{\w+\})", message)
        return f"⟦{''.join(part if at % 2 else part.translate(LETTERS) for at, part in enumerate(parts))}⟧"

    @override
    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


PSEUDO = Language("en-XA", _Pseudo())


class Seen(HTMLParser):
    """What people read and hear on a page, piece by piece."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.pieces: list[str] = []
        self.lang = ""
        self.feed(page)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.lang = given.get("lang") or self.lang
        self.pieces += [value for name, value in attrs if name in SPOKEN and value]
        if tag == "meta" and given.get("name") == "description":
            self.pieces.append(given.get("content") or "")
        if tag not in VOID:
            self.inside.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        self.inside.pop()

    @override
    def handle_data(self, data: str) -> None:
        if data.strip() and VERBATIM.isdisjoint(self.inside):
            self.pieces.append(data)


def left_over(page: str, data: list[str]) -> list[str]:
    """Pieces with words that are neither in the language nor among what is the same in all, longest first."""
    known = re.compile("|".join(re.escape(each) for each in sorted(data, key=len, reverse=True)))
    return [piece for piece in Seen(page).pieces if re.search("[A-Za-z]{2}", known.sub("", piece))]
