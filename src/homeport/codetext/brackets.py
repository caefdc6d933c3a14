"""Whether brackets and strings around the cursor fit together.

Not a parser: it skips strings and comments as the language writes them, pairs the brackets of the
statement that the cursor is in, and says yes only when everything pairs. No means "does not fit or
cannot be told", so callers compare two variants and act only when exactly one of them fits.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from homeport.codetext.cursor import indent

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor
    from homeport.codetext.language import Language

REACH = 3000
"""Characters on each side of the cursor that are looked at."""
FAR = 200_000
"""Characters ahead of the cursor that are looked at for a string or a comment that is still open."""
CLOSERS = ")]}"
_TAGS = re.compile(r"<(/?)([A-Za-z][\w:.-]*)[^<>]*?(/?)>")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_BRACKETS = re.compile(r"[()\[\]{}]")
_PAIRS = {")": "(", "]": "[", "}": "{"}


@lru_cache(maxsize=64)
def _tokens(language: Language) -> re.Pattern[str]:
    """Comments, strings, brackets, line starts; a quote left over is an error."""
    opening, closing = language.block_comment
    parts = [rf"{re.escape(opening)}[\s\S]*?{re.escape(closing)}"] if opening else []
    parts += [rf"{re.escape(language.line_comment)}[^\n]*"] if language.line_comment else []
    for quote in language.long_quotes:
        parts.append(rf"{re.escape(quote)}(?:\\[\s\S]|(?!{re.escape(quote)})[^\\])*+{re.escape(quote)}")
    parts += [rf"{quote}(?:\\.|[^\\\n{quote}])*+{quote}" for quote in language.quotes]
    parts += [r"'(?:\\.|[^\\'\n])'"] if language.quotes == '"' else []
    left_over = "".join({quote[0] for quote in (*language.long_quotes, *language.quotes)})
    parts += [rf"(?P<bad>[{left_over}])"] if left_over else []
    parts += [r"(?P<open>[(\[{])", r"(?P<close>[)\]}])", r"\n(?P<line>(?=[ \t]*\S))"]
    return re.compile("|".join(parts))


def fits_better(cursor: Cursor, shorter: str, longer: str) -> bool | None:
    """Whether the shorter of two answers fits and the longer does not; None when that cannot be told.

    Looked at is the statement as its language writes it, then the line alone, as if it were prose:
    the cursor may stand in a comment, or the code around it may not fit together whatever comes.
    At last the tags of the line.
    """
    for check in (fits, _pairs_up, _tags_pair_up) if "</" in cursor.rest else (fits, _pairs_up):
        short, long = check(cursor, shorter), check(cursor, longer)
        if short != long:
            return short
    return None


def in_code(cursor: Cursor) -> bool:
    """Whether the cursor stands neither in a string nor in a comment; False as well where that cannot be told."""
    language, text = cursor.language, cursor.before[-FAR:]
    if language is None:
        return False
    opening, closing = language.block_comment
    if opening and text.rfind(opening) > text.rfind(closing):
        return False
    ahead = ""
    for token in _tokens(language).finditer(text):
        if token.lastgroup == "bad":
            return False
        ahead = token[0] if token.end() == len(text) else ""
    return not (language.line_comment and ahead.startswith(language.line_comment))


def _pairs_up(cursor: Cursor, answer: str) -> bool:
    """Whether every bracket of the cursor's line has its partner there, strings and comments included."""
    stack: list[str] = []
    for bracket in _BRACKETS.findall(f"{cursor.line}{answer}{cursor.rest}"[-REACH:]):
        if bracket not in _PAIRS:
            stack.append(bracket)
        elif not stack or stack.pop() != _PAIRS[bracket]:
            return False
    return not stack


def _tags_pair_up(cursor: Cursor, answer: str) -> bool:
    """Whether every tag of the cursor's line has its partner there."""
    stack: list[str] = []
    for closing, name, alone in _TAGS.findall(f"{cursor.line}{answer}{cursor.rest}"[-REACH:]):
        if not closing and not alone and name.lower() not in _VOID:
            stack.append(name)
        elif closing and (not stack or stack.pop() != name):
            return False
    return not stack


def fits(cursor: Cursor, answer: str) -> bool:
    """Whether every bracket of the cursor's statement has its partner with `answer` in place."""
    if cursor.language is None:
        return False
    inner = indent(_line_at(cursor))
    lines = [line for line in (answer + cursor.rest).split("\n")[1:] if line.strip()]
    begin = _statement(cursor, min([inner - 1, *map(indent, lines)]))
    ahead = cursor.before[begin:] + answer
    text = ahead + cursor.after[:REACH]
    return _pairs(_tokens(cursor.language), text, len(ahead), (_indent_at(text, 0), inner))


def _pairs(tokens: re.Pattern[str], text: str, cursor: int, margins: tuple[int, int]) -> bool:
    """Pair brackets up to the end of the statement that the answer, which ends at `cursor`, is in."""
    stack: list[str] = []
    for token in tokens.finditer(text):
        kind = token.lastgroup
        if kind == "open":
            stack.append(token[0])
        elif kind == "close":
            if not stack or stack.pop() != _PAIRS[token[0]]:
                return False
        elif kind == "bad":
            return False
        elif kind == "line" and token.start() >= cursor and _ends(text, token.end(), stack, margins):
            return not stack
    return not stack


def _ends(text: str, start: int, stack: list[str], margins: tuple[int, int]) -> bool:
    """Whether the line at `start` is no part of the statement any more."""
    outer, inner = margins
    margin = _indent_at(text, start)
    if margin < outer:
        return True
    return not stack and margin <= inner and text[start + margin] not in CLOSERS


def _indent_at(text: str, start: int) -> int:
    end = start
    while text[end : end + 1] in {" ", "\t"}:
        end += 1
    return end - start


def _line_at(cursor: Cursor) -> str:
    """The cursor's line, or the last one that says something when it is blank."""
    if cursor.line.strip() or cursor.line:
        return cursor.line + "."
    return cursor.before[-REACH:].rstrip().rpartition("\n")[2]


def _statement(cursor: Cursor, margin: int) -> int:
    """Where the nearest line begins that is indented by `margin` at most and closes nothing."""
    before = cursor.before
    start = len(before) - len(cursor.line)
    floor = max(len(before) - REACH, 0)
    while margin >= 0 and start > floor:
        end, start = start - 1, max(before.rfind("\n", floor, start - 1) + 1, floor)
        line = before[start:end]
        if line.strip() and indent(line) <= margin and line.lstrip()[0] not in CLOSERS:
            return start
    return start
