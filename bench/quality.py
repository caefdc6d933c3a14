"""How well cleaning works on real code: holes are cut into it, and a sloppy model fills them again.

    .venv/bin/python bench/quality.py [--holes 300] [--also DIR …] [--show NAME] [--json FILE]

The sloppy model knows what was in the hole and makes one kind of mistake at a time, the mistakes that
models served by vLLM or llama.cpp really make. Counted is how often exactly the hole's text is left,
before and after cleaning. White space at line ends does not count. See docs/reference/code-suggestions.md.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sysconfig
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from homeport.codetext.clean import Cleaner
from homeport.codetext.language import Language, language_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parents[1]
EXTENSIONS = frozenset(
    (
        *("py", "pyx", "js", "mjs", "ts", "tsx", "go", "rs", "rb", "java", "kt", "scala", "c", "h", "cpp", "hpp"),
        *("cs", "php", "sh", "sql", "css", "html", "lua"),
    )
)
LEAST, MOST = 400, 60_000
"""Characters of a file that is worth cutting holes into."""
PER_LANGUAGE = 150
"""Files of one language, so that none outweighs the others."""
TOKEN = re.compile(r"\w+|[^\w\s]|\r?\n[ \t]*|[ \t]+")
PIECE = 4
"""Characters that one token of a model has, roughly."""


@dataclass(frozen=True)
class Hole:
    """A file with a part cut out."""

    before: str
    truth: str
    after: str
    language: Language
    kind: str

    @cached_property
    def line(self) -> str:
        """What stands ahead of the hole on its line."""
        return self.before[self.before.rfind("\n") + 1 :]

    @cached_property
    def rest(self) -> str:
        """What stands behind the hole on its line."""
        return self.after.partition("\n")[0]


class Attempt(NamedTuple):
    """What a model answers, why it stopped, and what should be left."""

    answer: str
    wanted: str
    finish: str = "stop"


# Where holes are cut.


def whole_lines(text: str, dice: random.Random) -> tuple[int, int]:
    """Some lines, from the first line's indentation on, as an editor puts the cursor."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    first = dice.randrange(len(starts) - 1)
    start, end = starts[first], starts[min(first + dice.randint(1, 8), len(starts) - 1)]
    indented = start + len(text[start:end]) - len(text[start:end].lstrip(" \t"))
    return indented, start + len(text[start:end].rstrip())


def tokens(text: str, dice: random.Random) -> tuple[int, int]:
    """A run of tokens anywhere."""
    at = dice.randrange(len(text))
    starts = [match.start() for match in TOKEN.finditer(text, at, at + 400)]
    return (starts[0], starts[min(dice.randint(1, 30), len(starts) - 1)]) if starts else (at, at)


def rest_of_line(text: str, dice: random.Random) -> tuple[int, int]:
    """From somewhere in a line to its end."""
    start, _ = tokens(text, dice)
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    return start, start + len(text[start:end].rstrip())


def line_and_more(text: str, dice: random.Random) -> tuple[int, int]:
    """The rest of a line and some lines below it."""
    start, end = rest_of_line(text, dice)
    for _ in range(dice.randint(1, 6)):
        end = max(text.find("\n", end + 1), end)
    return start, start + len(text[start:end].rstrip())


def in_brackets(text: str, dice: random.Random) -> tuple[int, int]:
    """What stands between a bracket and its partner: the editor closed it already."""
    found = re.compile(r"[(\[{]([^()\[\]{}\n]{2,60})[)\]}]").search(text, dice.randrange(len(text)))
    return found.span(1) if found else (0, 0)


NAMES = ("lib/this.x", "lib/other.x")
"""Of the file itself, and of one that the model was shown beside it."""
KINDS: tuple[Callable[[str, random.Random], tuple[int, int]], ...] = (
    whole_lines,
    tokens,
    rest_of_line,
    line_and_more,
    in_brackets,
)


# What sloppy models do.


def clean(hole: Hole, _dice: random.Random) -> Attempt:
    """Nothing wrong: this must stay as it is."""
    return Attempt(hole.truth, hole.truth)


def runs_on(hole: Hole, dice: random.Random) -> Attempt:
    """Does not stop and writes what stands below, until the token limit."""
    return Attempt(hole.truth + hole.after[: PIECE * dice.randint(8, 60)], hole.truth, "length")


def rest_again(hole: Hole, _dice: random.Random) -> Attempt:
    """Repeats the rest of the cursor's line."""
    return Attempt(hole.truth + hole.rest, hole.truth)


def lines_below_again(hole: Hole, dice: random.Random) -> Attempt:
    """Repeats some lines below, and stops at a line end."""
    lines = hole.after.split("\n")[: dice.randint(2, 5)]
    return Attempt(hole.truth + "\n".join(lines), hole.truth)


def closers_again(hole: Hole, _dice: random.Random) -> Attempt:
    """Closes brackets that are closed already."""
    closers = re.match(r"[)\]}\"';,]*", hole.after)
    return Attempt(hole.truth + (closers[0] if closers else ""), hole.truth)


def sentinel(hole: Hole, dice: random.Random) -> Attempt:
    """Sends its end mark as text and goes on with another file."""
    marks = (
        "<|endoftext|>",
        "<|fim_middle|>",
        "<fim_middle>",
        "</s>",
        " <EOT>",
        "[MIDDLE]",
        "<|im_end|>",
        "<|cursor|>",
    )
    marks += ("<｜end▁of▁sentence｜>", "<|file_sep|>", "<end_of_turn>", "<|eot_id|>")  # noqa: RUF001 (so it is spelled)
    tail = dice.choice(("", "\n", "import os\n", "<|im_start|>assistant\n"))
    return Attempt(hole.truth + dice.choice(marks) + tail, hole.truth)


def leading_sentinel(hole: Hole, dice: random.Random) -> Attempt:
    """Begins with a mark of its own prompt layout."""
    mark = dice.choice(("<|fim_middle|>", "<fim_middle>", "[MIDDLE]", "<MID>", "<s>", "<|im_start|>assistant\n"))
    return Attempt(mark + hole.truth, hole.truth)


def fenced(hole: Hole, dice: random.Random) -> Attempt:
    """Puts the code into a Markdown fence, some with words around it."""
    ahead = dice.choice(("", "", "Here is the code:\n\n", "Sure! The missing part is:\n"))
    behind = dice.choice(("", "", "\n\nThis completes the function.", "\n"))
    return Attempt(f"{ahead}```{dice.choice(('', hole.language.id))}\n{hole.truth}\n```{behind}", hole.truth)


def line_again(hole: Hole, dice: random.Random) -> Attempt:
    """Repeats the cursor's line from its beginning, with or without its indentation."""
    return Attempt(dice.choice((hole.line, hole.line.lstrip())) + hole.truth, hole.truth)


def lines_above_again(hole: Hole, dice: random.Random) -> Attempt:
    """Repeats some of the lines above, then goes on."""
    lines = hole.before.split("\n")[-dice.randint(2, 5) :]
    return Attempt("\n".join(lines) + hole.truth, hole.truth)


def lines_above_moved(hole: Hole, dice: random.Random) -> Attempt:
    """Repeats lines above, all of them less far in, and the code too."""
    lines = (hole.before.split("\n")[-dice.randint(2, 5) :], hole.truth.split("\n"))
    margin = min((len(line) - len(line.lstrip()) for line in lines[0] if line.strip()), default=0)
    moved = "\n".join(line[margin:] if line[:margin].isspace() else line for line in lines[0])
    return Attempt(moved + hole.truth, hole.truth)


def snippet_again(hole: Hole, dice: random.Random) -> Attempt:
    """Answers in a fence with the lines around the hole as well, as chat models do."""
    above = "\n".join(hole.before.split("\n")[-dice.randint(2, 4) :])
    below = "\n".join(hole.after.split("\n")[: dice.randint(2, 4)])
    return Attempt(f"```{hole.language.id}\n{above}{hole.truth}{below}\n```", hole.truth)


def indented_again(hole: Hole, _dice: random.Random) -> Attempt:
    """Begins with the indentation that the cursor's line has already."""
    return Attempt(hole.line + hole.truth if not hole.line.strip() else hole.truth, hole.truth)


def stuck(hole: Hole, dice: random.Random) -> Attempt:
    """Repeats its last lines until the token limit."""
    lines = (hole.line + hole.truth).split("\n")
    block = lines[-dice.randint(1, 3) :]
    if sum(char.isalnum() for char in "".join(block)) < 12:
        return clean(hole, dice)
    answer = hole.truth + "".join("\n" + line for line in block * 8)
    return Attempt(answer[: len(hole.truth) + PIECE * 64], hole.truth, "length")


def cut_short(hole: Hole, dice: random.Random) -> Attempt:
    """Reaches the token limit in the middle."""
    if len(hole.truth) < PIECE:
        return clean(hole, dice)
    cut = hole.truth[: dice.randint(len(hole.truth) // 2, len(hole.truth) - 1)]
    first, newline, more = cut.partition("\n")
    whole = cut[: cut.rindex("\n")] if newline else cut
    # What is left of a second line after a blank first one is all there is.
    kept = whole if not newline or (whole.strip() and (first.strip() or "\n" in more)) else cut
    return Attempt(cut, kept, "length")


def thinks(hole: Hole, dice: random.Random) -> Attempt:
    """Thinks aloud first."""
    return Attempt(f"<think>\nThe user wants {dice.choice(('a', 'the'))} code.\n</think>\n\n{hole.truth}", hole.truth)


def comment_header(hole: Hole, _dice: random.Random) -> Attempt:
    """Goes on with another file's heading, as related files were shown to it."""
    mark = hole.language.line_comment
    return Attempt(hole.truth + (f"\n\n{mark} lib/other.x\n{mark} more\n" if mark else ""), hole.truth)


def own_heading(hole: Hole, dice: random.Random) -> Attempt:
    """Begins with the name of the file, as prompts do."""
    mark = hole.language.line_comment or dice.choice(("File:", "+++++"))
    return Attempt(f"{mark} {NAMES[0]}\n{hole.truth}", hole.truth)


def in_backticks(hole: Hole, _dice: random.Random) -> Attempt:
    """Writes a single line as inline code."""
    return Attempt(hole.truth if "\n" in hole.truth else f"`{hole.truth}`", hole.truth)


def other_line_ends(hole: Hole, _dice: random.Random) -> Attempt:
    """Writes line feeds into a file of Windows."""
    return Attempt(hole.truth, hole.truth.replace("\n", "\r\n"))


MISTAKES: tuple[Callable[[Hole, random.Random], Attempt], ...] = (
    *(clean, runs_on, rest_again, lines_below_again, closers_again, sentinel, leading_sentinel, fenced),
    *(line_again, lines_above_again, lines_above_moved, snippet_again, indented_again),
    *(stuck, cut_short, thinks, comment_header, own_heading, in_backticks, other_line_ends),
)


def sources(folders: Sequence[Path]) -> dict[str, list[str]]:
    """Texts by language, the same ones every time."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for file in sorted(folder.rglob("*.*")):
            language = language_of(file.name) if file.suffix[1:] in EXTENSIONS else None
            if language and file.is_file() and LEAST < file.stat().st_size < MOST:
                found[language.id].append(file)
    dice = random.Random(1)  # noqa: S311 (the same files every time)
    return {
        name: [_read(file) for file in dice.sample(files, min(len(files), PER_LANGUAGE))]
        for name, files in found.items()
    }


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")


def holes(texts: Sequence[str], language: Language, number: int, dice: random.Random) -> Iterator[Hole]:
    """So many holes in these texts, each kind as often as the others."""
    made = 0
    while made < number:
        cut = KINDS[made % len(KINDS)]
        text = dice.choice(texts)
        start, end = cut(text, dice)
        made += 1
        if text[start:end].strip():
            yield Hole(text[:start], text[start:end], text[end:], language, cut.__name__)


def kept(hole: Hole, attempt: Attempt) -> str:
    """What cleaning leaves of an answer that arrives piece by piece."""
    cleaner = Cleaner(hole.before, hole.after, language=hole.language, names=NAMES, asked=True)
    pieces = [attempt.answer[at : at + PIECE] for at in range(0, len(attempt.answer), PIECE)]
    return "".join(map(cleaner.feed, pieces)) + cleaner.end(attempt.finish)


def same(kept_text: str, wanted: str) -> bool:
    """Equal but for white space at line ends."""
    return [line.rstrip(" \t") for line in kept_text.rstrip().split("\n")] == [
        line.rstrip(" \t") for line in wanted.rstrip().split("\n")
    ]


@dataclass(slots=True)
class Tally:
    """How one mistake went."""

    tried: int = 0
    raw: int = 0
    good: int = 0


def measure(texts: dict[str, list[str]], number: int, show: str) -> dict[str, dict[str, Tally]]:
    """Tallies by mistake and language."""
    tallies: dict[str, dict[str, Tally]] = {mistake.__name__: defaultdict(Tally) for mistake in MISTAKES}
    for name in sorted(texts):
        language = language_of("", name)
        assert language is not None  # noqa: S101 (it came from there)
        dice = random.Random(f"7 {name}")  # noqa: S311 (the same holes every time)
        for hole in holes(texts[name], language, number, dice):
            for mistake in MISTAKES:
                _try(hole, mistake, dice, tallies[mistake.__name__][name], show)
    return tallies


def _try(
    hole: Hole, mistake: Callable[[Hole, random.Random], Attempt], dice: random.Random, tally: Tally, show: str
) -> None:
    attempt = mistake(hole, dice)
    if mistake is not clean and attempt.answer == attempt.wanted:
        return  # there was nothing to do wrong
    if mistake is other_line_ends:
        hole = replace(hole, before=hole.before.replace("\n", "\r\n"), after=hole.after.replace("\n", "\r\n"))
    result = kept(hole, attempt)
    tally.tried += 1
    tally.raw += same(attempt.answer, attempt.wanted)
    tally.good += same(result, attempt.wanted)
    if mistake.__name__ == show and not same(result, attempt.wanted):
        print(f"=== {hole.language.id} {hole.kind}\n{hole.before[-300:]}⟦⟧{hole.after[:200]}")
        print(f"--- answer\n{attempt.answer}\n--- kept\n{result}\n--- wanted\n{attempt.wanted}")


def _total(tallies: dict[str, Tally]) -> Tally:
    rows = tallies.values()
    return Tally(sum(t.tried for t in rows), sum(t.raw for t in rows), sum(t.good for t in rows))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holes", type=int, default=300, help="holes per language")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="more folders of code")
    parser.add_argument("--show", default="", help="print what went wrong with this mistake")
    parser.add_argument("--json", type=Path, help="write the tallies to this file")
    asked = parser.parse_args()
    folders = [HERE / "src", Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib")), *asked.also]
    texts = sources(folders)
    start = time.perf_counter()
    tallies = measure(texts, asked.holes, asked.show)
    if asked.json:
        plain = {k: {n: [t.tried, t.raw, t.good] for n, t in v.items()} for k, v in tallies.items()}
        asked.json.write_text(json.dumps(plain, indent=1))
    print(f"{len(texts)} languages: {', '.join(f'{name} {len(files)}' for name, files in sorted(texts.items()))}")
    print(f"{'mistake':20} {'tried':>7} {'raw':>7} {'cleaned':>8}   worst language")
    for name, by_language in tallies.items():
        total = _total(by_language)
        worst = min(by_language.items(), key=lambda pair: pair[1].good / max(pair[1].tried, 1), default=("", total))
        share = worst[1].good / max(worst[1].tried, 1)
        print(
            f"{name:20} {total.tried:7} {total.raw / max(total.tried, 1):7.1%} {total.good / max(total.tried, 1):8.1%}"
            f"   {worst[0]} {share:.1%}"
        )
    print(f"{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
