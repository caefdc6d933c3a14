"""What to keep of a model's answer, while it streams.

An answer passes through stages, each of which takes text and gives what surely stays; none of them
looks at how the text was cut into pieces, so any chunking of an answer gives the same whole.

stage      takes away                                  holds back at most
plain      carriage returns ahead of line feeds        one carriage return
preface    thoughts, marks of a prompt's layout        white space and what may be a mark, at the start
sentinels  a stop or a sentinel and all behind it      what may be one: the longest has 25 characters
fences     fences, a sentence ahead, all behind        400 characters that read like a sentence
prose      sentences ahead of code; an answer of them  a first line that reads like a sentence
heading    a first line that only names the file       that line, while it may be one
echo       the code that ends at the cursor, repeated  the beginning, while it agrees with that code
lines      all from the code below, from a heading or  each line after the first visible one until it
           from a loop on; a last line cut short       is complete; lines that look like either
overlap    what follows on the line, repeated          an ending that agrees with what follows
remarks    an answer of comments only                  comments at the start, on a line of their own

Code that belongs at the cursor stays as it is. An answer is never made longer, but for carriage
returns: what is kept has the line ends of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.codetext.cursor import Cursor
from homeport.codetext.echo import Echo
from homeport.codetext.ends import WINDOWS, Plain
from homeport.codetext.fences import Unfence
from homeport.codetext.headings import Heading
from homeport.codetext.lines import Lines
from homeport.codetext.overlap import Overlap
from homeport.codetext.preface import Preface
from homeport.codetext.prose import Prose
from homeport.codetext.remarks import Remarks
from homeport.codetext.rounds import Rounds
from homeport.codetext.sentinels import Stops

if TYPE_CHECKING:
    from homeport.codetext.language import Language

GENERATION_LEAD = 1200
"""Characters that a chatty lead-in to a generation may have."""


class _Front:
    """The stages that any answer passes first: line ends, thoughts, stops and sentinels."""

    __slots__ = ("_plain", "_preface", "stops")

    def __init__(self, cursor: Cursor, stops: tuple[str, ...]) -> None:
        self._plain = Plain()
        self._preface = Preface(cursor)
        self.stops = Stops(cursor, stops)

    def feed(self, text: str) -> str:
        """What belongs to the answer."""
        text = self._plain.feed(text) if self._plain.held or "\r" in text else text
        if not self._preface.open:
            return self.stops.feed(text)
        text = self._preface.feed(text)
        if not self._preface.open and self._preface.close:
            self.stops.also("\n" + self._preface.close, self._preface.close)
        return self.stops.feed(text)

    def end(self) -> str:
        """The rest of it."""
        text = self.stops.feed(self._preface.end() if self._preface.open else "")
        return text if self.stops.cut else text + self.stops.end()


class Cleaner:
    """Cleans a completion as it streams: `feed` each piece, `end` once.

    `names` are that of the file and those of related files in the prompt; `asked` says that the model was
    asked in words, and may answer in words. `done` says that the
    answer was cut, so the model may be stopped; `finish` is then "stop", else what the model gave as
    its reason.
    """

    __slots__ = (
        *("_begun", "_cursor", "_echo", "_front", "_heading", "_lines", "_over", "_overlap", "_prose", "_remarks"),
        *("_unfence", "done", "finish"),
    )

    def __init__(
        self,
        before: str,
        after: str,
        *,
        stops: tuple[str, ...] = (),
        language: Language | None = None,
        names: tuple[str, ...] = (),
        asked: bool = False,
    ) -> None:
        cursor = self._cursor = Cursor(before, after, language, names)
        self._front = _Front(cursor, stops)
        self._unfence = Unfence(cursor)
        self._prose = Prose(cursor, asked=asked)
        self._heading = Heading(cursor)
        self._echo = Echo(cursor)
        self._lines = Lines(cursor)
        self._overlap = Overlap(cursor)
        self._remarks = Remarks(cursor)
        self._begun = False
        """Known where and with what the answer begins: what follows needs fewer stages."""
        self._over = False
        self.done = False
        self.finish: str | None = None

    def feed(self, text: str) -> str:
        """What may be shown now that `text` has arrived."""
        if self._over or not text:
            return ""
        given = self._pass_on(self._front.feed(text))
        if self._front.stops.cut or self._unfence.cut or self._prose.cut:
            given += self._flush("stop")
        return _with_ends(self._cursor, given) if self._cursor.windows else given

    def end(self, finish: str = "stop") -> str:
        """The rest, once the model has finished for the reason `finish`."""
        if self._over:
            return ""
        given = self._pass_on(self._front.end())
        return _with_ends(self._cursor, given + self._flush("stop" if self._front.stops.cut else finish))

    def _pass_on(self, text: str) -> str:
        """Text without sentinels, through the other stages."""
        if not text:
            return ""
        if self._begun:
            given = self._overlap.feed(self._lines.feed(text))
            return given + self._close("stop") if self._lines.cut else given
        given = self._keep(self._echo.feed(self._heading.feed(self._prose.feed(self._unfence.feed(text)))))
        busy = self._unfence.busy or self._prose.open or self._prose.cut or self._heading.open
        self._begun = not (busy or self._echo.open or self._remarks.open)
        return given

    def _keep(self, text: str) -> str:
        """Text at its place, as far as it stays."""
        if not text or self._over:
            return ""
        given = self._remarks.feed(self._overlap.feed(self._lines.feed(text)))
        return given + self._close("stop") if self._lines.cut else given

    def _flush(self, finish: str) -> str:
        """What every stage still holds."""
        text = self._heading.feed(self._prose.feed(self._unfence.end()) + self._prose.end()) + self._heading.end()
        given = self._keep(self._echo.feed(text)) + self._keep(self._echo.end())
        if self._over:
            return given
        finish = "stop" if self._unfence.cut or self._prose.cut else finish
        return given + self._remarks.feed(self._overlap.feed(self._lines.end(finish))) + self._close(finish)

    def _close(self, finish: str) -> str:
        self._over = True
        self.done = self._front.stops.cut or self._unfence.cut or self._prose.cut or self._lines.cut
        self.finish = "stop" if self.done else finish
        return self._remarks.feed(self._overlap.end(arrived=self._lines.arrived)) + self._remarks.end()


class Unchanged:
    """Gives an answer as it comes, with the interface of `Cleaner`."""

    done = False

    def __init__(self) -> None:
        self.finish: str | None = None

    def feed(self, text: str) -> str:
        """All of it."""
        return text

    def end(self, finish: str = "stop") -> str:
        """Nothing was held back."""
        self.finish = finish
        return ""


class GenerationCleaner:
    """Cleans a generation as it streams: the code of its first fence, or all of it where there is none.

    What is said over and over is cut. Begins with a newline when the cursor's line says something and the
    answer does not begin with one itself. Same interface as `Cleaner`.
    """

    __slots__ = (
        *("_cursor", "_echo", "_front", "_heading", "_newline", "_over", "_prose", "_rounds", "_space"),
        *("_unfence", "done", "finish"),
    )

    def __init__(
        self,
        before: str,
        after: str,
        *,
        stops: tuple[str, ...] = (),
        language: Language | None = None,
        names: tuple[str, ...] = (),
        asked: bool = False,
    ) -> None:
        cursor = self._cursor = Cursor(before, after, language, names)
        self._front = _Front(cursor, stops)
        self._unfence = Unfence(cursor, lead=GENERATION_LEAD)
        self._prose = Prose(cursor, asked=asked)
        self._heading = Heading(cursor)
        self._echo = Echo(cursor)
        self._rounds = Rounds()
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
        given = self._pass_on(self._front.feed(text))
        if self._is_cut():
            given += self._close("stop")
        return _with_ends(self._cursor, given)

    def end(self, finish: str = "stop") -> str:
        """The rest, once the model has finished for the reason `finish`."""
        if self._over:
            return ""
        return _with_ends(self._cursor, self._pass_on(self._front.end()) + self._close(finish))

    def _pass_on(self, text: str) -> str:
        return self._keep(self._echo.feed(self._heading.feed(self._prose.feed(self._unfence.feed(text)))))

    def _is_cut(self) -> bool:
        return self._front.stops.cut or self._unfence.cut or self._prose.cut or self._rounds.cut

    def _keep(self, text: str) -> str:
        return self._place(self._rounds.feed(text))

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
        text = self._heading.feed(self._prose.feed(self._unfence.end()) + self._prose.end()) + self._heading.end()
        given = self._keep(self._echo.feed(text)) + self._keep(self._echo.end())
        given += self._place(self._rounds.end("stop" if self._unfence.cut else finish))
        self._over = True
        self.done = self._is_cut()
        self.finish = "stop" if self.done else finish
        return given


def _with_ends(cursor: Cursor, text: str) -> str:
    """The text with the line ends of the file."""
    return text.replace("\n", WINDOWS) if cursor.windows else text


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
