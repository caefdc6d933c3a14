"""Pages are drawn as htpy draws them, at a third of its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from htpy import a, br, button, div, fragment, html, input, p, ul  # noqa: A004 (the element)
from markupsafe import Markup

from homeport.console._render import rendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from htpy import Renderable

MADE: list[Callable[[], Renderable]] = [
    lambda: p["<b>", Markup("<b>"), 7, None, True, False, ""],
    lambda: div("#a.b.c", data_x='"&<', hidden=True)[br, input(value="'\"<>")],
    lambda: ul[(p[str(number)] for number in range(3))],
    lambda: ul[[p[["deep", [a(href="?a&b")["way"]]]], (), [None]]],
    lambda: html(lang="en")[div[fragment[p["in"], "<out>"], lambda: p["late & <sure>"]]],
    lambda: fragment["<", button(disabled=False)["x"]],
    lambda: br,
]
"""What makes a node: one that holds a generator can be drawn once alone."""


@pytest.mark.parametrize("made", MADE, ids=range(len(MADE)))
def test_the_same_is_drawn(made: Callable[[], Renderable]) -> None:
    assert rendered(made()) == str(made())
