from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from homeport.codetext.language import language_of
from homeport.codetext.related import lead
from homeport.codetext.window import related_files, window
from homeport.domain.requests import RelatedFile

CODE = st.text(alphabet="ab(){}\n\t ", max_size=400)
FILES = st.lists(st.builds(RelatedFile, name=st.text(alphabet="ab/.", max_size=9), content=CODE), max_size=4)


@given(CODE, CODE, st.integers(-5, 500), st.floats(0, 1))
def test_a_window_is_part_of_the_code_within_the_budget(before: str, after: str, budget: int, share: float) -> None:
    seen = window(before, after, budget=budget, suffix_share=share)
    assert before.endswith(seen.before)
    assert after.startswith(seen.after)
    assert len(seen.before) + len(seen.after) <= max(budget, 0)


@given(CODE, CODE)
def test_everything_is_shown_when_it_fits(before: str, after: str) -> None:
    seen = window(before, after, budget=len(before) + len(after))
    assert (seen.before, seen.after) == (before, after)


def test_one_side_may_use_what_the_other_leaves() -> None:
    lines = "x = 1\n" * 1000
    assert len(window(lines, "", budget=1000).before) > 700
    assert len(window("x\n", lines, budget=1000).after) > 700


def test_cuts_are_made_between_lines() -> None:
    before, after = "first = 1\n" * 500, "\nsecond = 2" * 500
    seen = window(before, after, budget=1003)
    assert seen.before.startswith("first")
    assert seen.after.endswith("second = 2")


def test_the_left_cut_stays_while_typing() -> None:
    before, after = "def f(a, b):\n    return a + b\n\n" * 200, "tail()\n" * 200
    typed = "    total = total + step(total)\n" * 40
    cuts = {len(before) + i - len(window(before + typed[:i], after, budget=4000).before) for i in range(len(typed))}
    assert len(cuts) <= 3
    suffixes = {window(before + typed[:i], after, budget=4000).after for i in range(len(typed))}
    assert len(suffixes) <= 3


def test_one_endless_line_is_cut_anyway() -> None:
    seen = window("x" * 10_000, "y" * 10_000, budget=1000)
    assert len(seen.before) > 500
    assert len(seen.after) >= 250


def test_windows_of_large_files_are_fast() -> None:
    before, after = "value = compute(value)\n" * 18_000, "value = compute(value)\n" * 18_000
    files = [RelatedFile(name="a.py", content=before)] * 3
    start = time.process_time()
    window(before, after, budget=8000)
    kept = related_files(files, budget=350_000)
    lead(kept, "", "", language_of("a.py"), "b.py")
    assert len(before) > 400_000
    assert time.process_time() - start < 0.5


@given(FILES, st.integers(-5, 600))
def test_related_files_fit_and_keep_their_order(files: list[RelatedFile], budget: int) -> None:
    kept = related_files(files, budget=budget)
    written = lead(kept, "", "", language_of("a.py"), "")
    assert len(written) <= max(budget, 0) + 1
    names = iter(files)
    assert all(
        any(file.name == source.name and source.content.startswith(file.content) for source in names) for file in kept
    )


def test_the_last_related_file_is_cut_at_a_line_end() -> None:
    files = [RelatedFile(name="a", content="one\ntwo\nthree\n"), RelatedFile(name="b", content="1\n" * 100)]
    kept = related_files(files, budget=120)
    assert kept[0].content == "one\ntwo\nthree\n"
    assert set(kept[1].content.split("\n")) == {"1"}
    assert related_files(files, budget=20) == ()


def test_related_files_become_comments_of_the_language() -> None:
    files = (RelatedFile(name="a.x", content="one\n\ntwo\n"),)
    assert lead(files, "", "", language_of("m.py"), "m.py") == "# a.x\n# one\n#\n# two\n\n# m.py\n"
    assert lead(files, "", "", language_of("m.go"), "m.go").startswith("// a.x\n// one\n//\n")
    assert lead(files, "", "", language_of("m.html"), "") == "<!--\na.x\none\n\ntwo\n-->\n\n"
    assert lead(files, "", "", None, "m") == "# a.x\n# one\n#\n# two\n\n# m\n"
    assert lead((), "", "", None, "m") == ""


def test_a_related_file_cannot_end_its_comment() -> None:
    files = (RelatedFile(name="a", content="x --> <script>"),)
    assert lead(files, "", "", language_of("m.html"), "").count("-->") == 1


def test_templates_are_filled_once() -> None:
    files = (RelatedFile(name="{content}", content="{name}"),)
    assert lead(files, "<{name}|{content}>", "[{name}]", None, "{x}") == "<{content}|{name}>[{x}]"
