"""Versions of prompts, and constraints on them as Poetry writes them.

`^1.2`, `~1.2.3`, `~=1.2`, `1.*`, `>=1.2,<2`, `!=1.3`, `1.0.1`, and several of these with `||` between.
Ranges mean stable versions only; a pre-release is meant by an exact pin alone.

Source: https://python-poetry.org/docs/dependency-specification/#version-constraints;
"Registry and version resolution" of the gateway protocol.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Collection

DEFAULT = "^1.0.0"
"""What a caller means who names no version."""
_NUMBERS = r"v?(?P<numbers>\d{1,6}(?:\.\d{1,6}){0,2})"
_PRE = r"(?P<pre>(?:[-._+]?[A-Za-z][A-Za-z0-9]*(?:[-._+][A-Za-z0-9]+)*)?)"
_VERSION = re.compile(_NUMBERS + _PRE, re.ASCII)
_CLAUSE = re.compile(
    rf"(?P<operator>\^|~=|~|===?|!=|>=|<=|>|<|=|)\s*(?:(?P<any>\*)|{_NUMBERS}(?:(?P<wild>(?:\.[xX*])+)|{_PRE}))",
    re.ASCII,
)
_BETWEEN = re.compile(r"\s*,\s*|\s+(?![\d*v])", re.ASCII)
"""What stands between clauses: a comma, or white space that no version follows."""
_END = 10**9

Numbers = tuple[int, int, int]
BEYOND: Numbers = (_END, 0, 0)


class Choice(NamedTuple):
    """The version that serves a constraint, and whether it satisfies it."""

    version: str
    satisfied: bool


class _Clause(NamedTuple):
    """Versions from `low` up to, but not including, `high`; or all others."""

    low: Numbers
    high: Numbers
    excluded: bool = False
    pre: str = ""
    """The pre-release that is pinned."""

    def allows(self, numbers: Numbers, pre: str) -> bool:
        within = self.low <= numbers < self.high
        return within is not self.excluded and pre == self.pre


def choose(constraint: str | None, known: Collection[str]) -> Choice:
    """The best of the `known` versions; where none satisfies, the best of the same major, else the best there is.

    Raises BadRequest for a text that is no constraint.
    """
    alternatives = parse(constraint or DEFAULT)
    fitting = [each for each in known if any(_fits(each, clauses) for clauses in alternatives)]
    if fitting:
        return Choice(max(fitting, key=_order), satisfied=True)
    major = alternatives[0][0].low[0]
    same = [each for each in known if _numbers(each)[0] == major]
    return Choice(max(same or known, key=_order), satisfied=False)


@lru_cache(maxsize=256)
def parse(constraint: str) -> tuple[tuple[_Clause, ...], ...]:
    """Alternatives, each with the clauses that must all hold; raises BadRequest."""
    alternatives = re.split(r"\s*\|\|?\s*", constraint.strip())
    return tuple(tuple(_clause(part) for part in _BETWEEN.split(each)) for each in alternatives)


def _clause(text: str) -> _Clause:
    found = _CLAUSE.fullmatch(text)
    if found is None:
        saw = "Invalid version constraint: it is not one that Poetry would read."
        raise BadRequest(saw, 'Send one like "^1.0.0", ">=1.2,<2" or "1.0.1".', param="prompt_version")
    if found["any"]:
        return _Clause((0, 0, 0), BEYOND, excluded=found["operator"] == "!=")
    numbers, given = _padded(found["numbers"]), found["numbers"].count(".") + 1
    operator = found["operator"]
    if found["wild"]:
        return _Clause(numbers, _next(numbers, given), excluded=operator == "!=")
    return _spans(operator, numbers, given, _plain(found["pre"]))


def _spans(operator: str, numbers: Numbers, given: int, pre: str) -> _Clause:
    """What an operator makes of a version of which `given` numbers were written."""
    after = _next(numbers, 3)
    if operator == "^":
        return _Clause(numbers, _next(numbers, _leading(numbers, given)))
    if operator == "~":
        return _Clause(numbers, _next(numbers, min(given, 2)))
    if operator == "~=":
        return _Clause(numbers, _next(numbers, max(given - 1, 1)))
    if operator in {">=", ">"}:
        return _Clause(numbers if operator == ">=" else after, BEYOND)
    if operator in {"<=", "<"}:
        return _Clause((0, 0, 0), after if operator == "<=" else numbers)
    return _Clause(numbers, after, operator == "!=", "" if operator == "!=" else pre)


def _leading(numbers: Numbers, given: int) -> int:
    """How many numbers a caret holds fast: up to the first that is not zero, among those written."""
    return next((place for place, number in enumerate(numbers[:given], 1) if number), given)


def _next(numbers: Numbers, kept: int) -> Numbers:
    """The first version of which one of the first `kept` numbers differs."""
    raised = [*numbers[: kept - 1], numbers[kept - 1] + 1, 0, 0]
    return raised[0], raised[1], raised[2]


def _padded(text: str) -> Numbers:
    found = [*map(int, text.split(".")), 0, 0]
    return found[0], found[1], found[2]


def _plain(pre: str) -> str:
    """A pre-release without its separators: `-dev`, `.dev` and `dev` are the same."""
    return re.sub(r"[-._+]", "", pre).lower()


def _split(version: str) -> tuple[Numbers, str]:
    found = _VERSION.fullmatch(version)
    if found is None:
        message = f"{version!r} is no version"
        raise ValueError(message)
    return _padded(found["numbers"]), _plain(found["pre"])


def _numbers(version: str) -> Numbers:
    return _split(version)[0]


def _order(version: str) -> tuple[bool, Numbers, str]:
    """Stable versions after all others, then by number."""
    numbers, pre = _split(version)
    return not pre, numbers, pre


def _fits(version: str, clauses: tuple[_Clause, ...]) -> bool:
    numbers, pre = _split(version)
    return all(clause.allows(numbers, pre) for clause in clauses)
