"""Each text file under `cases/` is one answer and what is kept of it.

    language: python            optional: the language's id
    finish: length              optional: why the model stopped
    stop: \n\n                  optional: a stop of the caller
    kind: generation            optional: a generation instead of a completion
    asked: yes                  optional: the model was asked in words
    names: a.py, lib/b.py       optional: of the file, and of those beside it in the prompt
    -----
    what stands before the cursor
    -----
    what stands after it
    -----
    the model's answer
    -----
    what is kept

At a line end ␠ is a space, ␉ a tab and ␍ a carriage return; ⏎ at the end of a part is its last line end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from homeport.codetext.clean import Cleaner, GenerationCleaner
from homeport.codetext.language import language_of

ROOT = Path(__file__).parent / "cases"
FILES = sorted(ROOT.rglob("*.txt"))
MARKS = str.maketrans({"␠": " ", "␉": "\t", "␍": "\r", "⏎": "\n"})


@dataclass(frozen=True, slots=True)
class Case:
    before: str
    after: str
    answer: str
    kept: str
    head: dict[str, str]

    def cleaner(self) -> Cleaner | GenerationCleaner:
        kind = GenerationCleaner if self.head.get("kind") == "generation" else Cleaner
        stop = self.head.get("stop", "").encode().decode("unicode_escape")
        language = language_of("", self.head.get("language", ""))
        names = tuple(filter(None, self.head.get("names", "").split(", ")))
        stops, asked = (stop,) if stop else (), self.head.get("asked") == "yes"
        return kind(self.before, self.after, stops=stops, language=language, names=names, asked=asked)


def read(file: Path) -> Case:
    parts: list[list[str]] = [[]]
    for line in file.read_text(encoding="utf-8").removesuffix("\n").split("\n"):
        if line == "-----":
            parts.append([])
        else:
            parts[-1].append(line)
    head, *texts = ["\n".join(part) for part in parts]
    before, after, answer, kept = (text.translate(MARKS) for text in texts)
    return Case(before, after, answer, kept, dict(line.split(": ", 1) for line in head.split("\n") if line))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_is_kept(file: Path) -> None:
    case = read(file)
    finish = case.head.get("finish", "stop")
    whole = case.cleaner()
    assert whole.feed(case.answer) + whole.end(finish) == case.kept
    by_character = case.cleaner()
    assert "".join(map(by_character.feed, case.answer)) + by_character.end(finish) == case.kept


def test_there_are_many_cases() -> None:
    assert len(FILES) >= 170
    assert len({read(file).head.get("language") for file in FILES}) >= 12
