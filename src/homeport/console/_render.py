"""Draws elements as text: as htpy does, at a third of its cost, for it passes each piece up through every level."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from htpy import BaseElement, Fragment, HTMLElement, VoidElement, fragment, td
from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from htpy import Element, Node, Renderable

_TO_ESCAPE = re.compile("[&<>\"']")
KNOWN_CELLS = 200


def rendered(content: Renderable) -> str:
    """The HTML of a page or of a part; text is escaped."""
    pieces: list[str] = []
    _write(content, pieces.append)
    return "".join(pieces)


@lru_cache(KNOWN_CELLS)
def cell(label: str, shape: str = "") -> Element:
    """A cell of a table, which shows its label where the table is narrow; a table of a hundred rows makes it once."""
    return td(shape, data_label=label) if shape else td(data_label=label)


def _write(node: Node, put: Callable[[str], None]) -> None:
    if type(node) is str:  # what is marked as safe is a kind of its own
        put(node if _TO_ESCAPE.search(node) is None else escape(node))
    elif isinstance(node, BaseElement):
        _element(node, put)
    elif isinstance(node, str):
        put(escape(node))
    elif isinstance(node, Fragment):
        _write(node._node, put)  # noqa: SLF001 (as below)
    elif node is None or isinstance(node, bool):
        return
    elif isinstance(node, int):
        put(str(node))
    elif isinstance(node, Iterable) and not hasattr(node, "iter_chunks"):
        for each in node:
            _write(each, put)
    else:
        put(str(fragment[node]))


def _element(node: BaseElement, put: Callable[[str], None]) -> None:
    head = f"<{node._name}{node._attrs}>"  # noqa: SLF001 (htpy is pinned, and a test compares with its own words)
    put(f"<!doctype html>{head}" if isinstance(node, HTMLElement) else head)
    if not isinstance(node, VoidElement):
        _write(node._children, put)  # noqa: SLF001 (as above)
        put(f"</{node._name}>")  # noqa: SLF001 (as above)
