"""Templates: what they become, that values stay values, and what is said of a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.domain.requests import Message
from homeport.domain.wording import Flaw, Wording, asked_for, check, fill

VALUES = {"a": "A", "b": "B", "empty": "", "blank": " \n\t", "tricky": "{a}{#a}x{/a}{/b}\\{a}", "n2": "two"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("no slot", "no slot"),
        ("{a}", "A"),
        ("{a}{b}{a}", "ABA"),
        ("{n2}", "two"),
        ("{empty}", ""),
        ("100% of %s and %(a)s: {a}%", "100% of %s and %(a)s: A%"),
        ("{#a}100% {a}%{/a}", "100% A%"),
        ("{unknown}", "{unknown}"),
        ("{A}{a-b}{ a }{2}{}{a", "{A}{a-b}{ a }{2}{}{a"),
        ('{"rating": 1}', '{"rating": 1}'),
        ("{tricky}", VALUES["tricky"]),
        ("\\{a}", "{a}"),
        ("\\{#a}x\\{/a}", "{#a}x{/a}"),
        ("\\n \\ {a}", "\\n \\ A"),
        ("{{a}}", "{A}"),
        ("{#a}yes{/a}{^a}no{/a}", "yes"),
        ("{#empty}yes{/empty}{^empty}no{/empty}", "no"),
        ("{#blank}yes{/blank}{^blank}no{/blank}", "no"),
        ("{#unknown}yes{/unknown}{^unknown}no{/unknown}", "no"),
        ("{#a}{b}{#b}[{a}]{/b}{/a}", "B[A]"),
        ("{#a}{#empty}x{/empty}{^empty}y{/empty}{/a}", "y"),
        ("{#empty}{#a}x{/a}{/empty}z", "z"),
        ("{#a}x{/a}{#a}y{/a}", "xy"),
        ("{#a}open", "{#a}open"),
        ("closed{/a}", "closed{/a}"),
        ("{#a}{#b}x{/a}{/b}", "{#a}x{/a}"),
        ("{#a}x{^a}y{/a}{/a}", "x"),
        ("{#a}{#b}x{/b}", "{#a}x"),
        ("one\n{#a}\ntwo\n{/a}\nthree", "one\ntwo\nthree"),
        ("one\n{#empty}\ntwo\n{/empty}\nthree", "one\nthree"),
        ("  {#a}  \n  x\n\t{/a}", "  x\n"),
        ("x {#a}\ny{/a}\nz", "x \ny\nz"),
        ("{a}\n{b}\n", "A\nB\n"),
        ("one\n{/a}\ntwo", "one\n{/a}\ntwo"),
        ("one\n  {#a}\ntwo", "one\n  {#a}\ntwo"),
    ],
)
def test_a_template_becomes(template: str, text: str) -> None:
    assert fill(template, VALUES) == text


_TEXT = st.text(alphabet=st.sampled_from("{}#^/\\ab% \n"), max_size=30)


@given(template=_TEXT | st.text(max_size=40), values=st.dictionaries(st.sampled_from(["a", "b", "ab"]), _TEXT))
def test_filling_never_fails(template: str, values: dict[str, str]) -> None:
    fill(template, values)
    check(template, values)


@given(value=_TEXT)
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert fill("<{a}|{b}>", {"a": value, "b": value}) == f"<{value}|{value}>"
    if value.strip():
        assert fill("{#a}<{a}>{/a}{#b}{b}{/b}", {"a": value}) == f"<{value}>"


@given(text=st.text(alphabet=st.characters(exclude_characters="{}"), max_size=40))
def test_text_without_braces_stays(text: str) -> None:
    assert fill(text, VALUES) == text
    assert check(text, ()) == ()


@pytest.mark.parametrize(
    ("template", "flaws"),
    [
        ("{a}{#b}x{/b}{^b}{a}{/b}", []),
        ('a JSON example: {"x": {"y": 1}} and \\{anything} and { spaced }', []),
        ("{c}", [(1, 1, "no slot 'c'; known slots: a, b")]),
        ("x\ny {c} z", [(2, 3, "no slot 'c'")]),
        ("{#c}x{/c}", [(1, 1, "no slot 'c'")]),
        ("{#a}\nx", [(1, 1, "{#a} lacks its other half")]),
        ("a\n\n  {/a}\n", [(3, 1, "{/a} lacks its other half")]),
        ("{#a}{^b}{/a}", [(1, 1, "{#a} lacks"), (1, 5, "{^b} lacks"), (1, 9, "{/a} lacks")]),
        ("{{ a }} {% if a %}", [(1, 1, "{{ is of another format"), (1, 9, "{% is of another format")]),
        ("{{a}}", [(1, 1, "another format")]),
    ],
)
def test_a_wrong_template_is_told_where(template: str, flaws: list[tuple[int, int, str]]) -> None:
    found = check(template, ["b", "a"])
    assert [(flaw.line, flaw.column) for flaw in found] == [(line, column) for line, column, _what in flaws]
    for flaw, (_line, _column, what) in zip(found, flaws, strict=True):
        assert what in flaw.what


def test_known_slots_of_nothing() -> None:
    assert check("{a}", ()) == (Flaw(1, 1, "there is no slot 'a'; known slots: none"),)


def test_what_a_template_asks_for() -> None:
    assert asked_for("{a}{#b}{c}{/b}{^d}{/d}\\{e}{#f}") == {"a", "b", "c", "d"}


def test_messages_leave_out_what_is_empty() -> None:
    wording = Wording(system="{#a}S{/a}", user="U {a}", prefill="{b}")
    system, user = Message(role="system", content="S"), Message(role="user", content="U A")
    assert wording.messages(VALUES | {"b": ""}) == (system, user)
    assert wording.messages(VALUES)[-1] == Message(role="assistant", content="B")
    assert wording.messages({"a": "", "b": ""}) == (Message(role="user", content="U "),)
    assert wording.messages({"a": "A", "b": ""}, system_role=False) == (Message(role="user", content="S\n\nU A"),)
