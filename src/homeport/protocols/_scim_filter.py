"""SCIM's filters and paths: read into a small tree, and asked of a resource.

Source: RFC 7644, section 3.4.2.2 (filters; the grammar is Figure 1) and 3.5.2 (paths of PATCH, Figure 7).
Nothing of a filter reaches the database as text.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LONGEST = 10_000
DEEPEST = 30
OPERATORS = frozenset({"eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"})
ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
WITHIN: Mapping[str, Callable[[str, str], bool]] = {
    "co": lambda a, b: b in a,
    "sw": str.startswith,
    "ew": str.endswith,
}
EXACT = frozenset({"id", "externalid", "$ref"})
"""Attributes whose capitals count."""
WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}

_PIECE = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.:$-]))
    |(?P<sign>[()\[\]])
    |(?P<word>\.?[A-Za-z$][\w.:$-]*)""",
    re.VERBOSE | re.ASCII,
)
_NAME = re.compile(r"[A-Za-z$][\w-]*", re.ASCII)


class BadFilter(BadRequest):
    """The filter cannot be read."""

    scim_type = "invalidFilter"


class BadPath(BadRequest):
    """The path cannot be read, or leads nowhere."""

    scim_type = "invalidPath"


class Path(NamedTuple):
    """Which attribute: lower case, as capitals do not count in names."""

    name: str
    sub: str = ""
    schema: str = ""


class Compare(NamedTuple):
    """An attribute and a value."""

    path: Path
    operator: str
    value: Any


class Present(NamedTuple):
    """An attribute that has a value."""

    path: Path


class Some(NamedTuple):
    """One value of an attribute to which all of this applies."""

    path: Path
    inner: Filter


class Not(NamedTuple):
    """The opposite."""

    inner: Filter


class Both(NamedTuple):
    """Two that must apply, or one of which must."""

    left: Filter
    right: Filter
    either: bool


Filter = Compare | Present | Some | Not | Both


class Target(NamedTuple):
    """What a PATCH is about: an attribute, those of its values that a filter finds, and a part of them."""

    path: Path
    inner: Filter | None = None


class Piece(NamedTuple):
    """A word, a sign or a value of a filter, and where it stands."""

    kind: str
    text: str
    at: int


def read(text: str) -> Filter:
    """The filter; raises BadFilter that names the place."""
    reader = _Reader(text)
    found = reader.either()
    reader.end()
    return found


def read_path(text: str) -> Target:
    """The path of a PATCH: `members`, `name.givenName`, `emails[type eq "work"].value`; raises BadPath."""
    try:
        reader = _Reader(text)
        path = reader.path()
        if not reader.taken("["):
            reader.end()
            return Target(path)
        inner = reader.either()
        reader.take("]")
        sub = reader.next() if reader.left else None
        reader.end()
    except BadFilter as error:
        raise BadPath(error.saw.replace("filter", "path"), error.fix, param="path") from error
    if sub is None:
        return Target(path, inner)
    if path.sub or not sub.text.startswith(".") or not _NAME.fullmatch(sub.text[1:]):
        raise BadPath(f"The path cannot be read at character {sub.at}.", 'Write it like emails[type eq "work"].value')
    return Target(path._replace(sub=sub.text[1:].lower()), inner)


class _Reader:
    """Goes through the pieces once; one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadFilter(f"The filter has {len(text)} characters.", f"Use up to {LONGEST}.", param="filter")
        self._text = text
        self._pieces = list(_pieces(text))
        self._at = 0
        self._deep = 0

    @property
    def left(self) -> bool:
        """Whether there is more."""
        return self._at < len(self._pieces)

    def end(self) -> None:
        """Raise BadFilter for whatever is left over."""
        if self.left:
            raise self._bad("the end")

    def either(self) -> Filter:
        """Whatever "or" joins: it binds less than "and"."""
        self._deep += 1
        if self._deep > DEEPEST:
            raise BadFilter(f"The filter is nested more than {DEEPEST} deep.", "Ask for less at once.", param="filter")
        found = self._both()
        while self._word("or"):
            found = Both(found, self._both(), either=True)
        self._deep -= 1
        return found

    def _both(self) -> Filter:
        found = self._one()
        while self._word("and"):
            found = Both(found, self._one(), either=False)
        return found

    def _one(self) -> Filter:
        if self._word("not", before="("):
            self.take("(")
            return Not(self._closed(")"))
        if self.taken("("):
            return self._closed(")")
        path = self.path()
        if self.taken("["):
            return Some(path, self._closed("]"))
        if self._word("pr"):
            return Present(path)
        operator = self.next().text.lower()
        if operator not in OPERATORS:
            self._at -= 1
            raise self._bad("one of pr, eq, ne, co, sw, ew, gt, lt, ge, le")
        return Compare(path, operator, self._value(operator))

    def _closed(self, sign: str) -> Filter:
        found = self.either()
        self.take(sign)
        return found

    def path(self) -> Path:
        """The name of an attribute, perhaps behind its schema, perhaps with a part of it."""
        piece = self.next()
        schema, _, rest = piece.text.rpartition(":")
        name, dot, sub = rest.partition(".")
        whole = _NAME.fullmatch(name) and (not dot or _NAME.fullmatch(sub))
        if piece.kind != "word" or not whole or (schema and not schema.lower().startswith("urn:")):
            self._at -= 1
            raise self._bad("the name of an attribute")
        return Path(name.lower(), sub.lower(), schema.lower())

    def _value(self, operator: str) -> Any:  # noqa: ANN401 (any JSON)
        piece = self.next()
        if piece.kind == "word" and piece.text.lower() in WORDS and operator in {"eq", "ne"}:
            return WORDS[piece.text.lower()]
        if piece.kind in {"text", "number"} and (piece.kind == "text" or operator not in WITHIN):
            try:
                return json.loads(piece.text)
            except ValueError:
                pass
        self._at -= 1
        raise self._bad("a value, texts in double quotes, that this operator can be used with")

    def next(self) -> Piece:
        """The next piece; raises BadFilter at the end."""
        if not self.left:
            raise self._bad("more")
        self._at += 1
        return self._pieces[self._at - 1]

    def taken(self, sign: str) -> bool:
        """Whether this sign comes next, which is then behind us."""
        found = self.left and self._pieces[self._at].kind == "sign" and self._pieces[self._at].text == sign
        self._at += found
        return found

    def take(self, sign: str) -> None:
        """Go past a sign; raises BadFilter when another comes."""
        if not self.taken(sign):
            raise self._bad(sign)

    def _word(self, word: str, before: str = "") -> bool:
        piece = self._pieces[self._at] if self.left else None
        found = piece is not None and piece.kind == "word" and piece.text.lower() == word
        if found and before:
            following = self._pieces[self._at + 1 : self._at + 2]
            found = bool(following) and following[0].text == before
        self._at += found
        return found

    def _bad(self, wanted: str) -> BadFilter:
        at = self._pieces[self._at].at if self.left else len(self._text)
        return BadFilter(f"The filter cannot be read at character {at}.", f"Expected: {wanted}.", param="filter")


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            saw = f"The filter cannot be read at character {at}."
            raise BadFilter(saw, 'Write it like userName eq "ada"', param="filter")
        if found.lastgroup != "space":
            yield Piece(found.lastgroup or "", found[0], at)
        at = found.end()


# asking


def matches(asked: Filter, resource: Mapping[str, Any]) -> bool:
    """Whether a filter applies to a resource, or to one value of an attribute."""
    if isinstance(asked, Both):
        test = any if asked.either else all
        return test(matches(each, resource) for each in (asked.left, asked.right))
    if isinstance(asked, Not):
        return not matches(asked.inner, resource)
    if isinstance(asked, Some):
        return any(isinstance(each, dict) and matches(asked.inner, each) for each in values(resource, asked.path))
    if isinstance(asked, Present):
        return any(each not in (None, "", [], {}) for each in values(resource, asked.path))
    return _compared(asked, resource)


def values(resource: Mapping[str, Any], path: Path) -> Sequence[Any]:
    """Every value of an attribute; none where there is no such attribute."""
    inside = part(resource, path.schema) if path.schema and part(resource, path.schema) else resource
    found = part(inside, path.name) if isinstance(inside, dict) else None
    several = found if isinstance(found, list) else [] if found is None else [found]
    if not path.sub:
        return several
    return [value for each in several if isinstance(each, dict) and (value := part(each, path.sub)) is not None]


def part(resource: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 (any JSON)
    """A value by its name, whose capitals do not count."""
    return next((value for key, value in resource.items() if key.lower() == name), None)


def _compared(asked: Compare, resource: Mapping[str, Any]) -> bool:
    found = [part(each, "value") if isinstance(each, dict) else each for each in values(resource, asked.path)]
    if asked.operator == "ne":
        return not _compared(asked._replace(operator="eq"), resource)
    if asked.value is None:
        return not any(each is not None for each in found)
    exact = (asked.path.sub or asked.path.name) in EXACT
    return any(_one(each, asked.operator, asked.value, exact=exact) for each in found)


def _one(found: Any, operator: str, value: Any, *, exact: bool) -> bool:  # noqa: ANN401 (any JSON)
    if isinstance(found, bool) or isinstance(value, bool):
        # directories send "True" as a text
        return operator == "eq" and str(found).lower() == str(value).lower()
    if isinstance(found, str) and isinstance(value, str):
        return _texts(found, operator, value, exact=exact)
    if isinstance(found, int | float) and isinstance(value, int | float):
        return bool(found == value if operator == "eq" else operator in ORDERED and ORDERED[operator](found, value))
    return False


def _texts(found: str, operator: str, value: str, *, exact: bool) -> bool:
    moments = (_moment(found), _moment(value)) if operator not in WITHIN else (None, None)
    if moments[0] is not None and moments[1] is not None:
        return moments[0] == moments[1] if operator == "eq" else ORDERED[operator](*moments)
    one, other = (found, value) if exact else (found.casefold(), value.casefold())
    if operator in WITHIN:
        return WITHIN[operator](one, other)
    return one == other if operator == "eq" else ORDERED[operator](one, other)


def _moment(text: str) -> datetime | None:
    """The point in time that a text says, in UTC; None for any other text."""
    if len(text) < 19 or text[4:5] != "-":  # noqa: PLR2004 (a date and a time have no fewer)
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def lookup(asked: Filter) -> tuple[str, str] | None:
    """The attribute and the text that whatever matches must have, for a database to look for; None to look at all."""
    if isinstance(asked, Both) and not asked.either:
        return lookup(asked.left) or lookup(asked.right)
    if isinstance(asked, Compare) and asked.operator == "eq" and isinstance(asked.value, str) and not asked.path.sub:
        return asked.path.name, asked.value
    return None
