"""Tokens that are guessed through the front door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from house import asking

from homeport.access import tokens
from homeport.access.guesses import EVERY_S, FREE

if TYPE_CHECKING:
    from house import House


async def test_guesses_are_refused_in_each_format_and_a_right_token_works(house: House) -> None:
    async with house.line() as wire:
        for number in range(FREE):
            await wire.send(asking("GET", "/v1/models", token=f"wrong-{number}"))
            assert (await wire.answer()).status == 401, number
        await wire.send(asking("GET", "/v1/models", token=tokens.mint()))
        told = await wire.answer()
        await wire.send(asking("GET", "/v1/models"))
        right = await wire.answer()
        await wire.send(asking("GET", "/v1/models", token=f"wrong-{FREE - 1}"))
        again = await wire.answer()
    assert (told.status, right.status, again.status) == (429, 200, 401)
    assert 0 < int(told.header("retry-after") or 0) <= EVERY_S
    found = told.json["error"]
    assert found["code"] == "too_many_requests"
    assert "different wrong credentials came from the address 127.0.0.1" in found["message"]
    assert "Use one that works" in found["message"]
    anthropic = await house.post("/v1/messages", {}, token=tokens.mint())
    assert (anthropic.status, anthropic.json["error"]["type"]) == (429, "rate_limit_error")
    gitlab = await house.post("/v2/code/completions", {}, token=tokens.mint())
    assert (gitlab.status, gitlab.header("retry-after") is not None) == (429, True)
    warned = [line for line in house.logs.lines if "wrong credentials come" in line.get("message", "")]
    assert [line["client_ip"] for line in warned] == ["127.0.0.1"]
    assert b"wrong-" not in orjson.dumps(warned)


async def test_no_credential_is_no_guess(house: House) -> None:
    async with house.line() as wire:
        for _ in range(FREE + 2):
            await wire.send(asking("GET", "/v1/models", token=""))
            assert (await wire.answer()).status == 401
