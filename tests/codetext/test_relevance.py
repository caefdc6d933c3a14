"""Which other files a prompt shows, and in which order."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.codetext.relevance import STEP, by_relevance, others
from homeport.codetext.window import all_fit, related_files
from homeport.domain.requests import RelatedFile

BEFORE = "from shop.basket import Basket\n\nbasket = Basket()\nbasket.total_of_items(with_tax="
AFTER = ")\nprint(render_receipt(basket))\n"
BASKET = RelatedFile(name="shop/basket.py", content="class Basket:\n    def total_of_items(self, with_tax): ...\n")
RECEIPT = RelatedFile(name="shop/receipt.py", content="def render_receipt(basket): ...\n")
OTHER = RelatedFile(name="admin/users.py", content="def delete_user(name): ...\n")
SNIPPET = RelatedFile(name="x", content="def apply_discount(total): ...", snippet=True)


def names(files: tuple[RelatedFile, ...]) -> list[str]:
    return [file.name for file in files]


def test_the_most_shared_identifiers_come_first() -> None:
    found = by_relevance((OTHER, RECEIPT, BASKET), BEFORE, AFTER, "shop/main.py")
    assert names(found) == ["shop/basket.py", "shop/receipt.py", "admin/users.py"]


def test_an_identifier_that_all_files_have_says_little() -> None:
    common = [RelatedFile(name=f"{n}.py", content="basket Basket shop print\n") for n in range(5)]
    rare = RelatedFile(name="rare.py", content="total_of_items\n")
    assert by_relevance((*common, rare), BEFORE, AFTER, "main.py")[0] is rare


def test_of_equal_files_the_nearest_comes_first() -> None:
    far = RelatedFile(name="admin/a/b.py", content="class A: ...\n")
    near = RelatedFile(name="shop/b.py", content="class B: ...\n")
    assert by_relevance((far, near), BEFORE, AFTER, "shop/main.py") == (near, far)
    assert by_relevance((near, far), BEFORE, AFTER, "admin/a/main.py") == (far, near)


def test_snippets_lead_whatever_they_say() -> None:
    assert by_relevance((BASKET, SNIPPET), BEFORE, AFTER, "m.py")[0] is SNIPPET
    assert others((BASKET, SNIPPET), BEFORE, AFTER, "m.py") == (SNIPPET, BASKET)


@pytest.mark.parametrize("name", ["shop/main.py", "./shop/main.py", "/shop/main.py", "shop\\main.py"])
def test_the_current_file_is_left_out(name: str) -> None:
    files = (RelatedFile(name="shop/main.py", content="an older version of it"), BASKET)
    assert others(files, BEFORE, AFTER, name) == (BASKET,)


def test_what_stands_there_already_is_left_out() -> None:
    again = RelatedFile(name="", content="basket = Basket()\n", snippet=True)
    below = RelatedFile(name="y", content="print(render_receipt(basket))")
    part = RelatedFile(name="shop/main.py", content="def main(): ...", snippet=True)
    assert others((again, below, part), BEFORE, AFTER, "shop/main.py") == (part,)


def test_doubles_and_blank_files_are_left_out() -> None:
    blank = RelatedFile(name="z", content=" \n\t\n")
    assert others((BASKET, blank, BASKET, RelatedFile(name="e", content="")), "", "", "m.py") == (BASKET,)


def test_the_order_stays_while_a_few_characters_are_typed() -> None:
    files = tuple(RelatedFile(name=f"{n}.py", content=f"value_{n} other_{n * 7 % 40} " * 3) for n in range(40))
    before = "".join(f"value_{n * 3 % 40}\n" for n in range(200))
    before = before[: len(before) // STEP * STEP]
    typed = "value_1 value_2 other_3 value_38 other_12"
    orders = {tuple(names(by_relevance(files, before + typed[:at], "", "m.py"))) for at in range(len(typed))}
    assert len(orders) == 1


def test_a_hundred_large_files_are_weighed_in_no_time() -> None:
    """Measured 15 ms on one core; the bound leaves room for slow machines."""
    code = "".join(f"def function_{n}(argument_{n}):\n    return argument_{n} + {n}\n" for n in range(9000))
    files = tuple(RelatedFile(name=f"dir/{n}.py", content=code[n * 50 :][:500_000]) for n in range(100))
    before, after = code[:100_000], code[100_000:200_000]
    times = []
    for _ in range(5):
        start = time.process_time()
        by_relevance(others(files, before, after, "dir/x.py"), before, after, "dir/x.py")
        times.append(time.process_time() - start)
    assert min(len(file.content) for file in files) > 450_000
    assert min(times) < 0.1


def test_a_large_file_leaves_room_for_the_next() -> None:
    large = RelatedFile(name="large", content="x = 1\n" * 1000)
    kept = related_files((large, BASKET), budget=2000)
    assert names(kept) == ["large", "shop/basket.py"]
    assert 1200 < sum(len(file.content) for file in kept) <= 2000
    assert len(related_files((large,), budget=2000)[0].content) > 1000
    assert not all_fit((large, BASKET), budget=2000)
    assert all_fit((BASKET, RECEIPT), budget=2000)


CODE = st.text(alphabet="abc_ .\n(", max_size=60)
FILES = st.lists(
    st.builds(RelatedFile, name=st.text(alphabet="ab/.", max_size=6), content=CODE, snippet=st.booleans()), max_size=8
)


@given(FILES, CODE, CODE, st.text(alphabet="ab/.", max_size=6))
def test_nothing_is_invented_and_nothing_weighed_is_lost(
    files: list[RelatedFile], before: str, after: str, name: str
) -> None:
    kept = others(files, before, after, name)
    assert all(file in files for file in kept)
    weighed = by_relevance(kept, before, after, name)
    assert sorted(map(id, weighed)) == sorted(map(id, kept))
    kinds = [file.snippet for file in weighed]
    assert kinds == sorted(kinds, reverse=True)


@given(FILES, st.integers(0, 500))
def test_what_fits_is_shown_whole(files: list[RelatedFile], budget: int) -> None:
    files = [file for file in files if file.content.strip()]
    if all_fit(files, budget=budget):
        assert related_files(files, budget=budget) == tuple(files)
