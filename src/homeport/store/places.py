"""Where things stand in a TOML file: its reader tells lines only of what is no TOML at all."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Path = tuple[str | int, ...]

_WORD = r"""(?:[\w-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_WORDS = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_WORDS})\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"\s*({_WORDS})\s*=")
_LONG = re.compile(r'"""|' + "'''")


def line_of(text: str, *path: str | int) -> int:
    """The line in which the deepest written part of `path` begins, 0 for none.

    A path is made of keys, and of numbers for the tables of an array of tables: ("models", 1, "name").
    """
    found = _lines(text)
    return next((found[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in found), 0)


def _lines(text: str) -> Mapping[Path, int]:
    """The first line of every key and table that is written at the beginning of a line."""
    found: dict[Path, int] = {}
    for number, path in _written(text):
        for depth in range(1, len(path) + 1):
            found.setdefault(path[:depth], number)
    return found


def _written(text: str) -> Iterator[tuple[int, Path]]:
    table: Path = ()
    counts: dict[str, int] = {}
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if not inside and (header := _HEADER.match(line)):
            table = _table(header[1], _keys(header[2]), counts)
            yield number, table
        elif not inside and (key := _KEY.match(line)):
            yield number, (*table, *_keys(key[1]))
        inside ^= len(_LONG.findall(line)) % 2 == 1


def _table(bracket: str, keys: tuple[str, ...], counts: dict[str, int]) -> Path:
    """The path of a table; one of an array, or one inside of it, with its number."""
    first, *rest = keys
    if bracket == "[[" and not rest:
        counts[first] = counts.get(first, -1) + 1
    return (first, counts[first], *rest) if first in counts else keys


def _keys(text: str) -> tuple[str, ...]:
    """The parts of a key with dots in it, without their quotes."""
    try:
        found: Any = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return (text,)
    keys = []
    while isinstance(found, dict):
        key, found = next(iter(found.items()))
        keys.append(key)
    return tuple(keys)
