"""Shelves: rooms where every public file offers exactly one object of one type."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")


def discover(room: ModuleType, kind: type[T]) -> dict[str, T]:
    """Return the one `kind` that each public module of `room` offers, by module name."""
    return dict(_offered(room, tuple(room.__path__), kind))  # type: ignore[arg-type]  # a class is hashable


@cache
def _offered(room: ModuleType, _folders: tuple[str, ...], kind: type[Any]) -> dict[str, Any]:
    """Look once: what a program finds in a room is there until it ends."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(room.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{room.__name__}.{info.name}")
        offers = [value for value in vars(module).values() if isinstance(value, kind)]
        if len(offers) != 1:
            message = f"{module.__name__} offers {len(offers)} objects of type {kind.__name__}, not one"
            raise TypeError(message)
        found[info.name] = offers[0]
    return found
