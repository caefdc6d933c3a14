"""Lines that only name a file, as prompts write them ahead of code: "# lib/a.py", "File: a.py", "+++++ a.py"."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

_MARKS = " \t/#-+;%*<!>=&|"
"""What comments begin with, and other marks that headings have."""
_LABELS = ("", "file:", "filename:", "path:", "filepath:")
_LESS = str.maketrans({" ": None, "_": None, "\t": None, "`": None, '"': None, "'": None})


@lru_cache(maxsize=256)
def headings(names: tuple[str, ...], language: str = "") -> frozenset[str]:
    """What lines that only name one of these files, or the language under a label, come down to."""
    forms = {form for name in names if name for form in (name, name.rpartition("/")[2])}
    of_language = (f"language:{essence(language)}",) if language else ()
    return frozenset((*(label + essence(form) for form in forms for label in _LABELS), *of_language))


def essence(line: str) -> str:
    """A line without marks around it and without spaces, in lower case."""
    return line.strip(_MARKS).lower().translate(_LESS)


class Heading:
    """Takes away a first line that only names the file.

    Holds back: the first visible line as long as it may be one, so usually nothing.
    """

    __slots__ = ("_buffer", "_headings", "open")

    def __init__(self, cursor: Cursor) -> None:
        # At the top of a file a comment with its name is in place.
        self.open = bool(cursor.names) and bool(cursor.before.strip())
        """Not yet known whether the answer begins with one."""
        self._headings = headings(cursor.names[:1]) if self.open else frozenset()
        self._buffer = ""

    def feed(self, text: str) -> str:
        """The text without the heading."""
        if not self.open:
            return text
        self._buffer += text
        line, end, rest = self._buffer.lstrip().partition("\n")
        said = essence(line)
        if end and said in self._headings:
            self._buffer = rest
        elif not end and any(heading.startswith(said) for heading in self._headings):
            return ""
        return self.end()

    def end(self) -> str:
        """What was held back."""
        text, self._buffer, self.open = self._buffer, "", False
        return text
