"""The first page: what is left to set up, and ways to whatever a figure counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from offices import Office


def ways(body: str) -> set[str]:
    return set(re.findall(r'href="(/console[^"]*)"', body.partition("<main")[2]))


async def test_an_administrator_is_led_on(office: Office) -> None:
    await office.sign_in()
    body = (await office.get("/console")).body
    assert {"/console/models/new", "/console/tokens", "/console/audit", "/console/models"} <= ways(body)
    for address in ways(body):
        assert (await office.get(address)).status == 200, address


@pytest.mark.parametrize(("role", "audit"), [("auditor", True), ("user", False)])
async def test_others_see_only_what_leads_somewhere(office: Office, role: str, audit: bool) -> None:  # noqa: FBT001 (a case)
    await office.store.set_setting("banner", "x", by="eve")
    await office.sign_in("ben", role)
    shown = await office.get("/console")
    assert "Set up" not in shown.text
    assert ("/console/audit" in ways(shown.body), "banner" in shown.text) == (audit, audit)
    for address in ways(shown.body):
        assert (await office.get(address)).status == 200, address


async def test_changes_are_told_in_words(office: Office) -> None:
    await office.sign_in()
    text = " ".join((await office.get("/console")).text.split())
    assert "tests set the access of ada" in text
