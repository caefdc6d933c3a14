"""What keys do: a page of its own, and with a script a dialog over any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, button, dd, div, dl, dt, fragment, h1, h2, kbd, p

from homeport.console import RANK, Asked, Page, Sent
from homeport.console._layout import jumps, page

if TYPE_CHECKING:
    from collections.abc import Iterable

ANYWHERE = (
    (("Ctrl K",), "find a page, a feature or a model (⌘ K on a Mac)"),
    (("/",), "to the search of the page"),
    (("?",), "this help"),
    (("Esc",), "closes what is open, stops an answer"),
)
PLAYGROUND = (
    (("Tab",), "accepts what is shown in grey"),
    (("Esc",), "dismisses it"),
    (("Ctrl Space", "Alt \\"), "asks for a completion"),
    (("Alt ]", "Alt ["), "shows what the next or the last model says"),
    (("Enter",), "sends a message of the chat; with Shift it begins a new line"),
    (("/",), "at the beginning of a message: the commands"),
)


async def view(asked: Asked) -> Renderable | Sent:
    """The keys; alone, when they are shown over another page."""
    may = ((key, each) for key, each in jumps(asked).items() if RANK[asked.person.role] >= RANK[each.see])
    content = fragment[
        h1["Keyboard"],
        div(".keys")[
            div[h2["Anywhere"], _table(ANYWHERE), h2["In the playground"], _table(PLAYGROUND)],
            div[h2["Pages"], _table((("g", key), each.title) for key, each in may)],
        ],
        p(".soft.small")["Keys without Ctrl do nothing while you type. They can be switched off in this browser."],
        button(type="button", data_keys=True, aria_pressed="false", hidden=True, data_scripted=True)[
            "Switch single keys off"
        ],
    ]
    return Sent(content) if asked.htmx else page(asked, "Keyboard", content)


def _table(rows: Iterable[tuple[Iterable[str], str]]) -> Renderable:
    return dl(".facts")[((dt[([kbd[key], " "] for key in keys)], dd[said]) for keys, said in rows)]


PAGE = Page(path="/console/keys", title="Keyboard", see="user", view=view, order=0)
