"""Correlation ids and the facts of a request."""

from __future__ import annotations

import asyncio
import contextvars
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.journal import MASK, accepted_id, correlation_id, facts, masked, new_id, note, open_event

FRESH = re.compile(r"[0-9a-f]{32}")


def test_fresh_ids_are_all_different() -> None:
    found = {new_id() for _ in range(10_000)}
    assert len(found) == 10_000
    assert all(FRESH.fullmatch(each) for each in found)


@pytest.mark.parametrize("given_id", ["a", "A-1_b.c", "0" * 64, "01HZX3KQ", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"])
def test_a_good_id_is_kept(given_id: str) -> None:
    assert accepted_id(given_id) == given_id


@pytest.mark.parametrize(
    "given_id",
    ["", " ", "a b", "a\nb", "a\n", "-a", ".a", "a/b", "http://x", "1.2.3.4:80", "é", "a" * 65, "a\0", "{x}", "a%0a"],
)
def test_an_odd_id_is_replaced(given_id: str) -> None:
    assert FRESH.fullmatch(accepted_id(given_id))


@given(st.text())
def test_whatever_comes_the_id_is_harmless(given_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", accepted_id(given_id))


def test_outside_a_request_nothing_is_kept() -> None:
    def outside() -> None:
        note(x=1)
        assert facts() == {}
        assert FRESH.fullmatch(correlation_id())

    contextvars.Context().run(outside)


async def test_each_request_has_its_own_facts() -> None:
    async def request(name: str) -> dict[str, object]:
        open_event({"correlation_id": name})
        await asyncio.sleep(0)
        note(seen=name)
        await asyncio.sleep(0)
        assert correlation_id() == name
        return facts()

    found = await asyncio.gather(*(asyncio.create_task(request(str(n))) for n in range(20)))
    assert found == [{"correlation_id": str(n), "seen": str(n)} for n in range(20)]


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0x.c2lnbmF0dXJl"


@pytest.mark.parametrize("around", ["{}", "Bearer {}", '"{}"', "token={}&x", "a\n{}\n", "({})", "x.{}"])
def test_what_looks_like_a_token_is_masked(around: str) -> None:
    assert masked(around.format(TOKEN), ()) == around.format(MASK)
    assert masked(around.format("glpat-" + "x" * 20), ()) == around.format(MASK)


@pytest.mark.parametrize(
    "text", ["eyJ-", "eyJ", "eyJaaaaaaaa.", "eyJaaaaaaaa.bbbbbbbb.", "sk-", "sk-a.", "glab-", "hp_a "]
)
def test_masking_takes_time_in_step_with_the_text(text: str) -> None:
    """CPU time, for the bound is on work: a body of four megabytes must not hold up everybody else."""
    began = time.process_time()
    masked(text * (1_000_000 // len(text)), ())
    assert time.process_time() - began < 1
