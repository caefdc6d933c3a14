"""A suggestion as the protocol shows it: inline, or as an entry of the completion menu."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsprotocol import types

from homeport.lsp.positions import position_at

if TYPE_CHECKING:
    from homeport.lsp.positions import Encoding
    from homeport.lsp.typed import Rest

LABEL = 60
_WORD = re.compile(r"\w*\Z")


def _taken(rest: Rest, command: str) -> types.Command:
    """What the editor says to us once the suggestion was inserted."""
    return types.Command("Accepted", command, arguments=[rest.suggestion.id])


def inline_item(
    rest: Rest, at: types.Position, chosen: types.SelectedCompletionInfo | None, command: str
) -> types.InlineCompletionItem:
    """An inline suggestion at this position; with an entry of the menu `chosen`, it begins with that."""
    text, start, end = rest.text, at, types.Position(at.line, at.character + rest.replaces)
    if chosen is not None:
        text, start = chosen.text + text, chosen.range.start
        end = types.Position(chosen.range.end.line, chosen.range.end.character + rest.replaces)
    return types.InlineCompletionItem(text, range=types.Range(start, end), command=_taken(rest, command))


def menu_item(
    rest: Rest, text: str, offset: int, at: types.Position, encoding: Encoding, command: str
) -> types.CompletionItem:
    """An entry of the menu: the word at the cursor and what goes on from it."""
    word = _WORD.search(text, max(offset - LABEL, 0), offset)
    begun = word.group() if word else ""
    whole = begun + rest.text
    start = position_at(text, offset - len(begun), encoding)
    label = next((line.strip() for line in whole.split("\n") if line.strip()), whole)
    edit = types.TextEdit(types.Range(start, types.Position(at.line, at.character + rest.replaces)), whole)
    return types.CompletionItem(
        label=label[:LABEL],
        detail="Homeport",
        kind=types.CompletionItemKind.Text,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, f"````\n{whole}\n````"),
        filter_text=whole.partition("\n")[0] or whole,
        sort_text="0",
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=edit,
        command=_taken(rest, command),
    )
