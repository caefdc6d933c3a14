"""What to keep of a model's answer, while it streams.

An answer passes through stages, each of which takes text and gives what surely stays; none of them
looks at how the text was cut into pieces, so any chunking of an answer gives the same whole.

stage      takes away                                  holds back at most
sentinels  a stop or a sentinel and all behind it      what may be one: the longest has 21 characters
fences     fences, a sentence ahead, all behind        400 characters that read like a sentence
echo       the code that ends at the cursor, repeated  the beginning, while it agrees with that code
lines      all from the code below or a loop on;       each line after the first visible one until it
           a last line cut short                       is complete; lines that look like either
overlap    the rest of the cursor's line, repeated     an ending that agrees with that rest

An answer is never made longer, and code that belongs at the cursor stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.codetext.cursor import Cursor
from homeport.codetext.echo import Echo
from homeport.codetext.fences import Unfence
from homeport.codetext.lines import Lines
from homeport.codetext.overlap import Overlap
from homeport.codetext.sentinels import Stops

if TYPE_CHECKING:
    from homeport.codetext.language import Language

GENERATION_LEAD = 1200
"""Characters that a chatty lead-in to a generation may have."""


class Cleaner:
    """Cleans a completion as it streams: `feed` each piece, `end` once.

    `done` says that the answer was cut, so the model may be stopped; `finish` is then "stop", else
    what the model gave as its reason.
    """

    __slots__ = ("_echo", "_lines", "_over", "_overlap", "_stops", "_unfence", "done", "finish")

    def __init__(
        self, before: str, after: str, *, stops: tuple[str, ...] = (), language: Language | None = None
    ) -> None:
        cursor = Cursor(before, after, language)
        self._stops = Stops(cursor, stops)
        self._unfence = Unfence(language)
        self._echo = Echo(cursor)
        self._lines = Lines(cursor)
        self._overlap = Overlap(cursor)
        self._over = False
        self.done = False
        self.finish: str | None = None

    def feed(self, text: str) -> str:
        """What may be shown now that `text` has arrived."""
        if self._over or not text:
            return ""
        given = self._pass_on(self._stops.feed(text))
        return given + self._flush("stop") if self._stops.cut or self._unfence.cut else given

    def end(self, finish: str = "stop") -> str:
        """The rest, once the model has finished for the reason `finish`."""
        if self._over:
            return ""
        given = self._pass_on(self._stops.end())
        return given + self._flush("stop" if self._stops.cut else finish)

    def _pass_on(self, text: str) -> str:
        """Text without sentinels, through the other stages."""
        return self._keep(self._echo.feed(self._unfence.feed(text))) if text else ""

    def _keep(self, text: str) -> str:
        """Text at its place, as far as it stays."""
        if not text or self._over:
            return ""
        given = self._overlap.feed(self._lines.feed(text))
        return given + self._close("stop") if self._lines.cut else given

    def _flush(self, finish: str) -> str:
        """What every stage still holds."""
        given = self._keep(self._echo.feed(self._unfence.end())) + self._keep(self._echo.end())
        finish = "stop" if self._unfence.cut else finish
        return given + self._overlap.feed(self._lines.end(finish)) + self._close(finish)

    def _close(self, finish: str) -> str:
        if self._over:
            return ""
        self._over = True
        self.done = self._stops.cut or self._unfence.cut or self._lines.cut
        self.finish = "stop" if self.done else finish
        return self._overlap.end()


class GenerationCleaner:
    """Cleans a generation as it streams: the code of its first fence, or all of it where there is none.

    Begins with a newline when the cursor's line says something and the answer does not begin with
    one itself; that newline is the only text that is ever added. Same interface as `Cleaner`.
    """

    __slots__ = ("_newline", "_over", "_space", "_stops", "_unfence", "done", "finish")

    def __init__(
        self, before: str, after: str, *, stops: tuple[str, ...] = (), language: Language | None = None
    ) -> None:
        cursor = Cursor(before, after, language)
        self._stops = Stops(cursor, stops)
        self._unfence = Unfence(language, lead=GENERATION_LEAD)
        self._newline = not cursor.at_line_start
        self._space: str | None = ""
        """White space that the answer begins with; None once something visible was given."""
        self._over = False
        self.done = False
        self.finish: str | None = None

    def feed(self, text: str) -> str:
        """What may be shown now that `text` has arrived."""
        if self._over or not text:
            return ""
        given = self._place(self._unfence.feed(self._stops.feed(text)))
        return given + self._close("stop") if self._stops.cut or self._unfence.cut else given

    def end(self, finish: str = "stop") -> str:
        """The rest, once the model has finished for the reason `finish`."""
        if self._over:
            return ""
        return self._place(self._unfence.feed(self._stops.end())) + self._close(finish)

    def _place(self, text: str) -> str:
        """Put the beginning of the code on a line of its own."""
        if self._space is None:
            return text
        self._space += text
        if not self._space.strip():
            return ""
        text, self._space = self._space, None
        begins = "\n" in text[: len(text) - len(text.lstrip())]
        return "\n" + text if self._newline and not begins else text

    def _close(self, finish: str) -> str:
        given = self._place(self._unfence.end())
        self._over = True
        self.done = self._stops.cut or self._unfence.cut
        self.finish = "stop" if self.done else finish
        return given


def clean(
    answer: str,
    before: str,
    after: str,
    *,
    stops: tuple[str, ...] = (),
    language: Language | None = None,
    finish: str = "stop",
) -> str:
    """What to keep of a whole completion."""
    cleaner = Cleaner(before, after, stops=stops, language=language)
    return cleaner.feed(answer) + cleaner.end(finish)


def clean_generation(
    answer: str, before: str, after: str, *, stops: tuple[str, ...] = (), language: Language | None = None
) -> str:
    """What to keep of a whole generation."""
    cleaner = GenerationCleaner(before, after, stops=stops, language=language)
    return cleaner.feed(answer) + cleaner.end()
