"""What keys do: a page of its own, and with a script a dialog over any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, button, dd, div, dl, dt, fragment, h1, h2, kbd, p

from homeport.console import RANK, Asked, Page, Sent
from homeport.console._layout import jumps, page
from homeport.console._texts import mark, t

if TYPE_CHECKING:
    from collections.abc import Iterable

ANYWHERE = (
    (("Ctrl K",), mark("find a page, a feature or a model (⌘ K on a Mac)")),
    (("/",), mark("to the search of the page")),
    (("?",), mark("this help")),
    (("Esc",), mark("closes what is open, stops an answer")),
)
PLAYGROUND = (
    (("Tab",), mark("accepts what is shown in grey")),
    (("Esc",), mark("dismisses it")),
    (("Ctrl Space", "Alt \\"), mark("asks for a completion")),
    (("Alt ]", "Alt ["), mark("shows what the next or the last model says")),
    (("Enter",), mark("sends a message of the chat; with Shift it begins a new line")),
    (("/",), mark("at the beginning of a message: the commands")),
)


async def view(asked: Asked) -> Renderable | Sent:
    """The keys; alone, when they are shown over another page."""
    may = ((key, each) for key, each in jumps(asked).items() if RANK[asked.person.role] >= RANK[each.see])
    content = fragment[
        h1[t("Keyboard")],
        div(".keys")[
            div[h2[t("Anywhere")], _table(ANYWHERE), h2[t("In the playground")], _table(PLAYGROUND)],
            div[h2[t("Pages")], _table((("g", key), each.title) for key, each in may)],
        ],
        p(".soft.small")[t("Keys without Ctrl do nothing while you type. They can be switched off in this browser.")],
        button(type="button", data_keys=True, aria_pressed="false", hidden=True, data_scripted=True)[
            t("Switch single keys off")
        ],
    ]
    return Sent(content) if asked.htmx else page(asked, t("Keyboard"), content)


def _table(rows: Iterable[tuple[Iterable[str], str]]) -> Renderable:
    return dl(".facts")[((dt[([kbd[key], " "] for key in keys)], dd[t(said)]) for keys, said in rows)]


PAGE = Page(path="/console/keys", title=mark("Keyboard"), see="user", view=view, order=0)
