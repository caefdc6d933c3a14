"""How the embedded engine's log ends, as callers may read it: why it failed, and nothing of what it was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.kit.journal import masked

if TYPE_CHECKING:
    from collections.abc import Iterable

LINES, CHARACTERS = 10, 160
"""At most so many lines, and so many characters of each."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.|[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Colours and cursor movements, and characters that change how a line is shown."""
_STAMP = re.compile(r"\d+(?:\.\d+){3} [EWF] ")
"""What llama.cpp puts before its own errors; what stands elsewhere may be a part of a request, a grammar for one."""
_DIED = re.compile(
    r"(?:\w+\.)*\w*(?:Error|Exception): |GGML_ASSERT|ggml|CUDA|terminate called|  what\(\):|free\(\)|malloc"
)
"""How an exception, an assertion and the C library begin their last line."""
_PATH = re.compile(r"""'/(?:[^'/]*/)*([^'/]*)'|(?:/[^\s'"/]+)+/([^\s'"/]+)""")
_REPEATED = re.compile(r"""[{\[].*|"[^"]*"?|`[^`]*`?|(?<!\w)'[^']*'?""")
"""JSON and quotations, which may repeat a request."""


def last_words(lines: Iterable[str]) -> tuple[str, ...]:
    """The last errors, each once, in order; empty when it said nothing that may be shown."""
    newest: dict[str, None] = {}
    for line in lines:
        text = _shown(line)
        if text:
            newest.pop(text, None)
            newest[text] = None
    return tuple(newest)[-LINES:]


def _shown(line: str) -> str:
    text = _CONTROL.sub("", line)
    stamp = _STAMP.match(text)
    if not stamp and not _DIED.match(text):
        return ""
    said = text[stamp.end() :] if stamp else text
    brief = _REPEATED.sub("…", _PATH.sub(lambda path: path[1] or path[2], said))
    return masked(" ".join(brief.split()), ())[:CHARACTERS]
