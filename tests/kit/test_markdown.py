"""Cutting Markdown: headings, fences, front matter, bounds; nothing of the text is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.markdown import Passage, read


def passages(text: str, limit: int = 4000) -> list[tuple[tuple[str, ...], str]]:
    return [tuple(each) for each in read(text, limit).passages]


def test_headings_make_a_path() -> None:
    text = "lead\n# A\none\n## B\ntwo\n### C\nthree\n## D\nfour\n# E\nfive\n"
    assert passages(text) == [
        ((), "lead"),
        (("A",), "one"),
        (("A", "B"), "two"),
        (("A", "B", "C"), "three"),
        (("A", "D"), "four"),
        (("E",), "five"),
    ]


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("# Plain", "Plain"),
        ("## Closed ##", "Closed"),
        ("   ### Indented", "Indented"),
        ("# C#", "C#"),
        ("# With `code`", "With code"),
        ("## Named {#its-id}", "Named"),
        ("## Kramdown {: .class}", "Kramdown"),
        ("#", ""),
        ("Underlined\n=====", "Underlined"),
        ("Underlined\n---", "Underlined"),
    ],
)
def test_headings(line: str, heading: str) -> None:
    assert passages(f"{line}\ntext") == [((heading,), "text")]


@pytest.mark.parametrize(
    "line", ["#hashtag", "####### seven", "    # code", "a\n--", "- item\n---", "| t |\n---", "a\nb\n==="]
)
def test_what_is_no_heading(line: str) -> None:
    assert passages(line) == [((), line)]


@pytest.mark.parametrize("mark", ["```", "~~~", "`````"])
def test_a_fence_hides_headings_and_blank_lines(mark: str) -> None:
    fence = f"{mark}sh\n# comment\n\n```\n## more\n\n{mark}" if mark != "```" else "```sh\n# comment\n\n## more\n```"
    assert passages(f"# A\n{fence}\n## B\nend") == [(("A",), fence), (("A", "B"), "end")]


def test_a_fence_that_never_closes_goes_to_the_end() -> None:
    assert passages("# A\n```\n# x\n\n# y") == [(("A",), "```\n# x\n\n# y")]


def test_backticks_in_a_line_open_nothing() -> None:
    assert passages("```inline``` text\n# A\nb") == [((), "```inline``` text"), (("A",), "b")]


@pytest.mark.parametrize(
    ("front", "title"),
    [
        ("---\ntitle: Runners\nlist:\n  - a\n---\n", "Runners"),
        ('---\ntitle: "Quoted: yes"\n---\n', "Quoted: yes"),
        ("+++\ntitle = 'Toml'\n+++\n", "Toml"),
        ("---\nstage: Verify\n---\n", "H"),
        ("", "H"),
    ],
)
def test_front_matter(front: str, title: str) -> None:
    found = read(f"{front}# H\ntext")
    assert found.title == title
    assert found.passages == (Passage(("H",), "text"),)


@pytest.mark.parametrize(
    "text", ["---\nnever: closed\n\ntext", "--- \nrule above\n", "---\n" + "a: b\n" * 300 + "---\nx"]
)
def test_what_is_no_front_matter_stays(text: str) -> None:
    assert "".join(each.text for each in read(text).passages).count(":") == text.count(":")


def test_comments_and_shortcodes_are_left_out() -> None:
    text = '<!-- one -->\n{{< tabs >}}\nkept {{< icon name="x" >}}\n<!--\n# hidden\n-->\n{{% /tab %}}\nend'
    assert passages(text) == [((), 'kept {{< icon name="x" >}}\nend')]


def test_paragraphs_share_a_passage_until_it_is_full() -> None:
    text = "\n\n".join("x" * 30 for _ in range(5))
    assert [len(each[1]) for each in passages(text, 70)] == [62, 62, 30]


def test_a_long_fence_is_cut_at_lines_and_opened_again() -> None:
    lines = [f"line {number}" for number in range(100)]
    found = passages("```python\n" + "\n".join(lines) + "\n```", 200)
    assert len(found) > 4
    assert all(each[1].startswith("```python\n") and each[1].endswith("\n```") for each in found)
    assert [line for each in found for line in each[1].split("\n")[1:-1]] == lines


def test_a_long_line_is_cut() -> None:
    assert [len(each[1]) for each in passages("x" * 1000, 300)] == [300, 300, 300, 100]


def test_windows_lines() -> None:
    assert passages("# A\r\none\r\n\r\ntwo\r\n") == [(("A",), "one\n\ntwo")]


@given(st.text(alphabet="ab #`~-=<>!{}%\n\r\t:+", max_size=300))
def test_nothing_breaks_it_and_the_bound_holds(text: str) -> None:
    for each in read(text, 60).passages:
        assert 0 < len(each.text) <= 120


@given(st.lists(st.sampled_from(["word", "two words", "", "x" * 90]), max_size=30))
def test_plain_text_is_kept(lines: list[str]) -> None:
    found = "".join(each.text for each in read("\n".join(lines), 50).passages)
    assert found.replace("\n", "") == "".join(lines).replace("\n", "")


@pytest.mark.parametrize(
    "text", ["#" * 200_000, "# " + " " * 200_000 + "x", "`" * 200_000, "<!--" * 50_000, "{{<" * 70_000]
)
def test_odd_lines_take_no_time(text: str) -> None:
    started = time.process_time()
    read(f"{text}\n{text}")
    assert time.process_time() - started < 1
