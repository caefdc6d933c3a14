"""Each text file under `answers/` is what a model said, a line `=====`, and what a program gets to read.

The folder says which form is meant. What a program reads is read here by the rules that GitLab's parser
follows ("Answer grammars that GitLab parses" of the gateway protocol).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.codetext import loose, tags

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent / "answers"
FILES = sorted(ROOT.rglob("*.txt"))
MENDS: dict[str, Callable[[str], str]] = {
    "review": tags.review,
    "fix": tags.fix,
    "identifier": loose.identifier,
    "category": loose.category,
    "temperature": loose.temperature,
    "commands": loose.commands,
    "unfenced": loose.unfenced,
}
OPENINGS = ("analysis", "fixed_code", "old_code", "new_code", "is_false_positive", "summary")


class Comment(NamedTuple):
    """A comment as the parser sees it."""

    file: str
    old_line: str
    new_line: str
    body: str


def comments(text: str) -> list[Comment]:
    """The valid comments of the last review: tags at line ends, quoted attributes, a file, a line, a body."""
    blocks = re.findall(r"<review>(.*?)</review>", text, flags=re.DOTALL)
    found = []
    for attributes, body in re.findall(
        r"^<comment (.+?)>\n?(.+?)</comment>$", blocks[-1] if blocks else "", flags=re.DOTALL | re.MULTILINE
    ):
        named = dict(re.findall(r'(\S+?)="(.*?)"', attributes))
        comment = Comment(named.get("file", ""), named.get("old_line", ""), named.get("new_line", ""), body)
        if comment.file.strip() and (comment.old_line.isdigit() or comment.new_line.isdigit()) and body.strip():
            found.append(comment)
    return found


def pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of old and new code of a fix, each tag followed by a line end."""
    fixed = re.search(r"<fixed_code>\n(.*?)</fixed_code>", text, flags=re.DOTALL)
    return re.findall(
        r"<old_code>\n(.*?)</old_code>.*?<new_code>\n(.*?)</new_code>", fixed[1] if fixed else "", flags=re.DOTALL
    )


def read(file: Path) -> tuple[str, str]:
    said, _, mended = file.read_text(encoding="utf-8").removesuffix("\n").partition("\n=====\n")
    return said, mended


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_what_a_program_gets_to_read(file: Path) -> None:
    said, mended = read(file)
    assert MENDS[file.parent.name](said) == mended


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_mending_twice_changes_nothing_more(file: Path) -> None:
    mend = MENDS[file.parent.name]
    mended = mend(read(file)[0])
    assert mend(mended) == mended


@pytest.mark.parametrize("file", [each for each in FILES if each.parent.name == "review"], ids=lambda file: file.stem)
def test_every_comment_that_is_left_can_be_read(file: Path) -> None:
    mended = tags.review(read(file)[0])
    assert len(comments(mended)) == mended.count("</comment>")


@pytest.mark.parametrize("file", [each for each in FILES if each.parent.name == "fix"], ids=lambda file: file.stem)
def test_every_pair_can_be_read(file: Path) -> None:
    mended = tags.fix(read(file)[0])
    assert len(pairs(mended)) == mended.count("<new_code>")
    for name in OPENINGS:
        outside = re.sub(r"<(old|new)_code>.*?</\1_code>", "", mended, flags=re.DOTALL)
        assert outside.count(f"<{name}>") == outside.count(f"<{name}>\n")


REVIEW = """<summary>
s
</summary>
<review>
About.
<comment file="a.py" old_line="" new_line="3">
First.
<from>
  x = 1
</from>
<to>
  x = 2
</to>
</comment>
<comment file="b.py" old_line="4" new_line="">
Second.
</comment>
</review>"""
FIX = """<analysis>
a
</analysis>
<fixed_code>
<old_code>
  x = 1
</old_code>
<new_code>
  x = 2
</new_code>
</fixed_code>
<summary>
s
</summary>"""


@pytest.mark.parametrize("length", range(len(REVIEW) + 1))
def test_a_review_that_broke_off_anywhere_is_read_as_far_as_it_goes(length: int) -> None:
    whole, said = comments(REVIEW), REVIEW[:length]
    found = comments(tags.review(said))
    complete = said.count("</comment>\n")
    assert found[:complete] == whole[:complete]
    assert len(found) <= complete + 1
    streamed = comments(said + tags.review_end(said))
    assert streamed[:complete] == whole[:complete]


@pytest.mark.parametrize("length", range(len(FIX) + 1))
def test_a_fix_that_broke_off_anywhere_is_closed(length: int) -> None:
    said = FIX[:length]
    for text in (tags.fix(said), said + tags.fix_end(said)):
        for name in OPENINGS:
            assert text.count(f"<{name}>") == text.count(f"</{name}>")


def test_what_is_complete_gets_no_end() -> None:
    assert tags.review_end(REVIEW) == tags.review_end("prose") == tags.review_end("") == ""
    assert tags.fix_end(FIX) == tags.fix_end("prose") == tags.fix_end("") == ""


PIECES = st.lists(
    st.sampled_from(
        [
            "<review>",
            "</review>",
            '<comment file="a" new_line="1">',
            "<comment file='b' line=2>",
            "</comment>",
            "<from>",
            "</from>",
            "<to>",
            "</to>",
            "<summary>",
            "</summary>",
            "<old_code>",
            "</old_code>",
            "<new_code>",
            "</new_code>",
            "<fixed_code>",
            "</fixed_code>",
            "```",
            "\n",
            " word ",
            "{",
            '"rating": 1',
            '{"ResourceIdentifierType": "iid", "ResourceIdentifier": 1}',
        ]
    ),
    max_size=16,
)


@pytest.mark.parametrize("kind", MENDS)
@given(pieces=PIECES)
def test_any_answer_is_mended_without_inventing(kind: str, pieces: list[str]) -> None:
    said = "".join(pieces)
    mended = MENDS[kind](said)
    assert mended.count("word") <= said.count("word")
    tags.review_end(said)
    tags.fix_end(said)
    if kind == "review":
        assert len(comments(mended)) <= len(re.findall(r"<comment ", said))
    if kind == "fix":
        assert mended.count("<new_code>") == said.count("<new_code>")
