"""What is read of the answers of sloppy models. Each text file under `answers/` is one of them.

    kind: call                  or answer, or unknown
    tool: issue_reader          which tool is meant, in its own spelling where there is one
    input: #12                  what is given to it
    thought: I will read it.    what was said ahead of it
    -----
    the model's answer
    -----
    the answer that is shown    of an answer only

At a line end ␠ is a space and ␍ a carriage return; ⏎ is a line end where one cannot be written.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.domain.agents import ToolCall
from homeport.features._calls import argument, offered
from homeport.features._react import IMPATIENCE, MARK_LENGTH, PATIENCE, Plain, Reader

ROOT = Path(__file__).parent / "answers"
FILES = sorted(ROOT.rglob("*.txt"))
TOOLS = ("issue_reader", "epic_reader", "gitlab_documentation", "commit_reader", "build_reader", "merge_request_reader")
MARKS = str.maketrans({"␠": " ", "␍": "\r", "⏎": "\n"})
PIECES = (
    *("Thought:", "Action:", "Action Input:", "Observation:", "Final Answer:", "Answer:", "**", "### Final Answer\n"),
    *(
        "\n",
        "\n\n",
        " ",
        "- ",
        "1. ",
        ":",
        "(",
        '"',
        "{",
        "}",
        "```",
        "```json\n",
        "<think>",
        "</think>",
        "<tool_call>",
    ),
    *("issue_reader", "IssueReader", "web_search", "none", "DirectAnswer", "#12", "some words", "x" * 60, "ACTION: "),
    *('"name": "issue_reader"', '"arguments": {', "[TOOL_CALLS]", "Tool:", "thought: ", "\\_", "é", "\r\n", "\t"),
)


def read(text: str, *cuts: int, tools: tuple[str, ...] = TOOLS, native: bool = False) -> tuple[str, ToolCall | None]:
    """What is shown of a text that comes in pieces, and the call in it."""
    reader = Reader(tools, native=native)
    ends = sorted({*cuts, len(text)})
    shown = "".join(reader.feed(text[start:end]) for start, end in zip([0, *ends], ends, strict=False))
    rest = reader.end()
    return shown + rest.text, rest.call


def expected(head: str, kept: str, answer: str) -> tuple[str, ToolCall | None]:
    """What a case file says."""
    said = dict(line.split(": ", 1) for line in head.splitlines())
    if said["kind"] == "answer":
        return kept, None
    thought = answer.strip() if said["kind"] == "unknown" else said.get("thought", "")
    call = ToolCall(name=said.get("tool", ""), argument=said.get("input", ""), thought=thought)
    return "", ToolCall(name=call.name, argument=call.argument.translate(MARKS), thought=thought.translate(MARKS))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_is_read(file: Path) -> None:
    head, *parts = file.read_text(encoding="utf-8").removesuffix("\n").split("\n-----\n")
    answer, kept = (part.translate(MARKS) for part in (*parts, "")[:2])
    wanted = expected(head, kept, answer)
    assert read(answer) == wanted
    assert read(answer, *range(len(answer))) == wanted
    assert read(answer, *range(0, len(answer), 7)) == wanted


def test_there_are_many_cases() -> None:
    assert len(FILES) >= 120


texts = st.lists(st.sampled_from(PIECES), max_size=16).map("".join)


@given(texts, st.lists(st.integers(0, 400), max_size=8), st.sampled_from([TOOLS, TOOLS[:1], ()]))
def test_any_chunking_gives_the_same(text: str, cuts: list[int], tools: tuple[str, ...]) -> None:
    whole = read(text, tools=tools)
    assert read(text, *(cut for cut in cuts if cut < len(text)), tools=tools) == whole
    assert read(text, *range(len(text)), tools=tools) == whole
    shown, call = whole
    assert not (shown and call)
    assert shown == shown.strip()
    assert call is None or tools


@given(st.text(max_size=300))
def test_nothing_makes_it_fail(text: str) -> None:
    shown, call = read(text)
    assert shown in text
    assert call is None or len(call.name) <= 64


@given(st.text(alphabet="abc \n", max_size=600))
def test_plain_words_are_an_answer_and_come_without_delay(text: str) -> None:
    assert read(text) == (text.strip(), None)
    reader = Reader(TOOLS)
    shown = "".join(reader.feed(char) for char in text)
    if len(text.strip()) > PATIENCE + MARK_LENGTH:
        assert len(text.strip()) - len(shown) <= MARK_LENGTH


@given(texts, st.lists(st.integers(0, 400), max_size=8))
def test_any_chunking_gives_the_same_of_a_model_with_tools(text: str, cuts: list[int]) -> None:
    whole = read(text, native=True)
    assert read(text, *(cut for cut in cuts if cut < len(text)), native=True) == whole
    assert read(text, *range(len(text)), native=True) == whole


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A mutex is a lock.\nIt", "A mutex is a lock.\nIt"),
        ("A mutex is a lock.\n\nIt has", "A mutex is a lock.\n\nIt has"),
        ("Yes:\n- one", "Yes:\n- one"),
        ("I will look.\n\nAct", ""),
        ("I will look.\n<tool", ""),
        ("x" * IMPATIENCE, ""),
        ("x" * (IMPATIENCE + 1), "x" * (IMPATIENCE + 1)),
    ],
)
def test_a_model_with_tools_of_its_own_is_not_waited_for(text: str, shown: str) -> None:
    assert Reader(TOOLS, native=True).feed(text) == shown


def test_an_answer_that_says_so_comes_at_once() -> None:
    reader = Reader(TOOLS)
    assert reader.feed("Thought: I know.\nFinal Answer: A mutex") == "A mutex"
    assert [reader.feed(piece) for piece in (" is", " a", " lock", ".\n")] == [" is", " a", " lock", "."]
    assert reader.feed("\nIt") == "\n\nIt"
    assert reader.end() == ("", None)


def test_nothing_is_read_behind_what_ends_an_answer_or_a_call() -> None:
    for text in (
        "Final Answer: A lock.\nObservation:",
        "Thought: x\nAction: issue_reader\nAction Input: #1\nObservation:",
    ):
        reader = Reader(TOOLS)
        before = reader.feed(text)
        assert reader.done
        assert reader.feed(" more\nFinal Answer: other") == ""
        assert before in {"", "A lock."}


def test_without_a_form_everything_is_passed_on_but_thoughts() -> None:
    plain = Plain()
    assert [plain.feed(piece) for piece in ("<think>hm", "</think>", "\nFinal", " Answer:", " x ")] == [
        *("", "", "Final", " Answer:", " x "),
    ]
    assert plain.end() == ("", None)


@pytest.mark.parametrize("form", ["Final Answer: {}", "Thought: {}", "{}", "Thought: x\nAction: issue_reader\n{}"])
def test_a_longer_answer_costs_no_more_by_the_piece(form: str) -> None:
    def cost(size: int) -> float:
        text = form.format("word " * (size // 5))
        began = time.process_time()
        read(text, *range(0, len(text), 4))
        return time.process_time() - began

    assert min(cost(16_000) for _ in range(2)) < 10 * max(min(cost(4000) for _ in range(2)), 0.005)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("#12", "#12"),
        ({"query": "#12"}, "#12"),
        ('{"query": "#12"}', "#12"),
        ({"input": {"query": "#12"}}, "#12"),
        ({"iid": 12}, "12"),
        ({"a": "x", "b": 2}, "a: x, b: 2"),
        (["a", {"query": "b"}], "a, b"),
        ({}, ""),
        (None, ""),
        (True, ""),
        (12.5, "12.5"),
        ("“quoted”", "“quoted”"),
        ('"quoted"', "quoted"),
        ('"one" and "two"', '"one" and "two"'),
        ({"query": {"query": {"query": {"query": {"query": "deep"}}}}}, ""),
    ],
    ids=repr,
)
def test_what_is_given_to_a_tool_becomes_a_text(value: object, text: str) -> None:
    assert argument(value) == text


@pytest.mark.parametrize(
    "said", ["issue_reader", "IssueReader", "ISSUE READER", "issue\\_reader", "the issue-reader tool"]
)
def test_every_spelling_names_the_tool(said: str) -> None:
    assert offered(said, TOOLS) == "issue_reader"


@pytest.mark.parametrize("said", ["", "reader", "issue", "web_search", "read_issue"])
def test_other_names_name_none(said: str) -> None:
    assert offered(said, TOOLS) == ""
