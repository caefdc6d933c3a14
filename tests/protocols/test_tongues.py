"""What becomes of each parameter of completion clients' protocols: what the documentation says, seen on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tongues import TONGUES, fate, with_one

if TYPE_CHECKING:
    from house import House
    from tongues import Tongue

QUIET = {"response_fields", "user", "language", "segments.filepath", "format", "stream", "model"}
"""Understood, and nothing that the model server hears of by itself."""


@pytest.mark.parametrize("tongue", TONGUES, ids=lambda each: f"{each.path} {each.about}".strip())
async def test_every_parameter(house: House, tongue: Tongue) -> None:
    await house.post(tongue.path, tongue.plain)
    usual = house.models.heard[0].json
    for name, value in tongue.samples.items():
        house.models.heard.clear()
        answer = await house.post(tongue.path, with_one(tongue.plain, name, value))
        ignored = (answer.header("x-homeport-ignored") or "").split(", ")
        found = fate(tongue, name)
        assert (name in ignored) is (found == "ignored"), name
        if found == "refused":
            assert (answer.status, answer.header("x-homeport-error"), house.models.heard) == (400, "bad_request", [])
            continue
        assert answer.status == 200, name
        assert (house.models.heard[0].json != usual) is (found != "ignored") or name in QUIET, name
