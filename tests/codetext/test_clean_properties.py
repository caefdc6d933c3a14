from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from homeport.codetext.clean import Cleaner, GenerationCleaner
from homeport.codetext.ends import plain
from homeport.codetext.language import Language, language_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECES = [
    *("```python\n", "```\n", "\n```", "Here is it:\n", "`", "<|fim_middle|>", "<|im", "</s>"),
    *("return x", "return x\n", "    return x\n", "  }\n", "}\n", ")", "))", '"', "')", "foo(", "[", "]", "});\n", ";"),
    *("a", "b", " ", "\n", "\n\n", "\r\n", "    ", "def f(x):\n", "    y = x + 1\n", "    y = x + 1", "x = [1]"),
    *("end\n", "  end\n", "else:\n", ", timeout=3)", " = 5", "value_of_something_long = compute_it_all(1)\n", "é😀"),
    *(
        "<think>",
        "</think>",
        "<|cursor|>",
        "<fim_",
        "middle>",
        "[MIDDLE]",
        "<code>\n",
        "\r",
        "\t",
        "`x`",
        "# a remark\n",
    ),
    *("This is the code of it. ", "It is the one that you want:\n", "The ", "Text to insert at the cursor:"),
    *("# lib/a.py\n", "File: a.py\n", "call(call(call(call(call(call(call(", "{\n", ") {\n    work();\n", "x)"),
]
CODE = [piece for piece in PIECES if "`" not in piece]
WRAPPERS = (
    "This is",
    "It is",
    "The ",
    "Text to",
    "<think>",
    "</think>",
    "<code>",
    "[MIDDLE]",
    "middle",
    "`x`",
    "<|cursor|>",
    "a.py",
    "\r",
)
ONCE = [piece for piece in PIECES if not any(wrapper in piece for wrapper in WRAPPERS)]
STOPS: list[tuple[str, ...]] = [(), ("\n\n",), ("<|fim_middle|>", "<|file_sep|>"), ("x\n", "}\n}")]
LANGUAGES = [language_of("", identifier) for identifier in ("", "python", "js", "ruby", "html", "markdown", "rust")]
FENCELESS = [language for language in LANGUAGES if language and language.id != "markdown"]


@dataclass(frozen=True)
class Place:
    """Where an answer goes, and what ends it."""

    before: str
    after: str
    stops: tuple[str, ...]
    language: Language | None
    names: tuple[str, ...] = ()
    asked: bool = False

    def cleaner(self, kind: type[Cleaner | GenerationCleaner]) -> Cleaner | GenerationCleaner:
        return kind(
            self.before,
            self.after,
            stops=self.stops,
            language=self.language,
            names=self.names,
            asked=self.asked,
        )

    def clean(self, kind: type[Cleaner | GenerationCleaner], answer: str, finish: str = "stop") -> str:
        cleaner = self.cleaner(kind)
        return cleaner.feed(answer) + cleaner.end(finish)


def text(pieces: list[str], size: int, *, unique: bool = False) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=size, unique=unique).map("".join)


def places(pieces: list[str], languages: Sequence[Language | None]) -> st.SearchStrategy[Place]:
    code = text(pieces, 6)
    names = st.sampled_from([(), ("a.py", "lib/a.py")])
    return st.builds(Place, code, code, st.sampled_from(STOPS), st.sampled_from(languages), names, st.booleans())


def bare(answer: str) -> str:
    """Without what may be taken out in the middle."""
    return answer.replace("\r", "").replace("<|cursor|>", "")


KINDS = st.sampled_from([Cleaner, GenerationCleaner])
FINISHES = st.sampled_from(["stop", "length"])


@settings(max_examples=400, deadline=None)
@given(places(PIECES, LANGUAGES), KINDS, text(PIECES, 12), FINISHES, st.sets(st.integers(0, 90)))
def test_pieces_make_no_difference(
    place: Place, kind: type[Cleaner | GenerationCleaner], answer: str, finish: str, cuts: set[int]
) -> None:
    bounds = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})
    pieces = [answer[start:end] for start, end in pairwise(bounds)]
    kept = set()
    for chunks in ([answer], pieces, list(answer)):
        cleaner = place.cleaner(kind)
        kept.add(("".join([*map(cleaner.feed, chunks), cleaner.end(finish)]), cleaner.done, cleaner.finish))
    assert len(kept) == 1


@settings(max_examples=200, deadline=None)
@given(places(PIECES, LANGUAGES), text(PIECES, 12))
def test_nothing_is_added_and_blanks_are_nothing(place: Place, answer: str) -> None:
    kept = plain(place.clean(Cleaner, answer))
    assert len(kept) <= len(answer)
    assert kept.strip() or not kept
    generated = bare(place.clean(GenerationCleaner, answer)).removeprefix("\n")
    assert generated in bare(answer)


@settings(max_examples=200, deadline=None)
@given(places(PIECES, LANGUAGES), KINDS, text(PIECES, 12), FINISHES)
def test_line_ends_are_those_of_the_file(
    place: Place, kind: type[Cleaner | GenerationCleaner], answer: str, finish: str
) -> None:
    answer, before, after = (plain(text).replace("\r", "") for text in (answer, place.before, place.after))
    unix = replace(place, before=before, after=after + "\n")
    windows = replace(place, before=before.replace("\n", "\r\n"), after=after.replace("\n", "\r\n") + "\r\n")
    kept = unix.clean(kind, answer, finish)
    assert windows.clean(kind, answer, finish) == kept.replace("\n", "\r\n")
    assert windows.clean(kind, answer.replace("\n", "\r\n"), finish) == kept.replace("\n", "\r\n")
    assert unix.clean(kind, answer.replace("\n", "\r\n"), finish) == kept


# Not for languages with fences of their own, nor for loops and wrappers: taking one away may uncover another.
@settings(max_examples=400, deadline=None)
@given(places(CODE, FENCELESS), KINDS, text(ONCE, 12, unique=True), FINISHES)
def test_a_clean_answer_stays_as_it_is(
    place: Place, kind: type[Cleaner | GenerationCleaner], answer: str, finish: str
) -> None:
    # In a generation an echo may hide a fence as well.
    assume(kind is Cleaner or answer.find("```") <= 0)
    once = place.clean(kind, answer, finish)
    assert place.clean(kind, once) == once


def test_an_answer_that_was_cut_is_done() -> None:
    cleaner = Cleaner("x = ", "\n", stops=("<|im_end|>",))
    assert cleaner.feed("1 + 2<|im_") == "1 + 2"
    assert not cleaner.done
    assert cleaner.feed("end|>more") == ""
    assert (cleaner.done, cleaner.finish) == (True, "stop")
    assert cleaner.feed("x") + cleaner.end("length") == ""


def test_an_answer_that_was_not_cut_keeps_its_reason() -> None:
    cleaner = Cleaner("x = ", "\n")
    assert cleaner.feed("1 + 2") + cleaner.end("length") == "1 + 2"
    assert (cleaner.done, cleaner.finish) == (False, "length")


def test_the_first_line_flows() -> None:
    cleaner = Cleaner("def f(x):\n    y = x\n    return ", "\n\n\ndef g():\n    pass\n", language=language_of("a.py"))
    pieces = ["sum", "(item", ".price for", " item in", " x)", "\n"]
    assert [cleaner.feed(piece) for piece in pieces] == [*pieces[:-1], ""]


def test_a_reached_suffix_stops_the_model_at_once() -> None:
    cleaner = Cleaner("def a():\n    ", "\n\n\ndef second(first, other):\n    return first\n")
    assert cleaner.feed("pass\n\n\ndef second(first, other):\n    return first\n") == "pass"
    assert cleaner.done
