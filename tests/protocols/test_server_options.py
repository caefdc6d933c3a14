"""What a registration says of an OpenAI-compatible server: how it fills holes, what each request carries besides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from house import FIM
from ways import AFTER, ASKED, BEFORE, FILE, named

from homeport.domain.capabilities import Capabilities

if TYPE_CHECKING:
    from house import House
    from ways import Way

CODE = "/v2/code/completions"


def say(house: House, **options: str) -> None:
    """Every model is registered with these options."""
    house.snapshot = house.snapshot.with_models(
        *(house.model(name, family=model.family, options=options) for name, model in house.snapshot.models.items())
    )


async def test_a_server_that_fills_holes_by_itself_gets_both_sides(house: House) -> None:
    say(house, fim="suffix")
    answer = await house.post(CODE, {"current_file": FILE})
    assert answer.status == 200
    (peer,) = house.models.heard
    assert (peer.json["prompt"], peer.json["suffix"]) == (BEFORE, AFTER)
    assert "<|fim_prefix|>" not in peer.json.get("stop", [])


async def test_otherwise_the_familys_layout_is_used(house: House) -> None:
    say(house, fim="layout")
    await house.post(CODE, {"current_file": FILE})
    (peer,) = house.models.heard
    assert "<|fim_suffix|>" in peer.json["prompt"]
    assert "suffix" not in peer.json


WAYS_SEEN = [
    ({"qwen_coder": 1.0, "prefix": 0.0, "suffix": 1.0}, {}, False),
    ({"qwen_coder": 0.33, "prefix": 0.0, "suffix": 1.0}, {}, True),
    ({"prefix": 0.0, "suffix": 0.67}, {}, True),
    ({"qwen_coder": 0.0, "prefix": 0.0, "suffix": 0.5}, {}, False),
    ({"qwen_coder": 0.0, "prefix": 1.0, "suffix": 1.0}, {}, False),
    ({"qwen_coder": 0.33, "prefix": 0.0, "suffix": 1.0}, {"fim": "layout"}, False),
    ({}, {}, False),
]


@pytest.mark.parametrize(("holes", "options", "native"), WAYS_SEEN)
async def test_without_the_option_what_was_proven_decides(
    house: House, holes: dict[str, float], options: dict[str, str], *, native: bool
) -> None:
    say(house, **options)
    house.snapshot = replace(house.snapshot, measured={FIM: Capabilities(text=True, holes=holes)})
    assert (await house.post("/v2/code/completions", {"current_file": FILE})).status == 200
    (peer,) = house.models.heard
    assert ("suffix" in peer.json, "<|fim_prefix|>" in peer.json["prompt"]) == (native, not native)
    assert (await house.record())["completion"] == ("suffix" if native else "fim")


@pytest.mark.parametrize(("way", "stream"), ASKED, ids=named)
async def test_more_goes_into_every_request(house: House, way: Way, stream: bool) -> None:  # noqa: FBT001 (a case)
    say(house, extra_body='{"priority": 1, "max_completion_tokens": 7}')
    assert (await house.post(way.path, way.body(stream))).status == 200
    (peer,) = house.models.heard
    assert (peer.json["priority"], peer.json["max_completion_tokens"]) == (1, 7)


async def test_what_a_request_says_itself_wins(house: House) -> None:
    say(house, extra_body='{"temperature": 2}')
    body = {"messages": [{"role": "user", "content": "x"}]}
    for more, expected in (({"temperature": 0.5}, 0.5), ({}, 2)):
        assert (await house.post("/v1/chat/completions", body | more)).status == 200
        assert house.models.heard[-1].json["temperature"] == expected


@pytest.mark.parametrize("wrong", ['{"model": "other"}', "{x}", '{"stream": true}'])
async def test_what_a_request_says_itself_is_not_for_it_to_say(house: House, wrong: str) -> None:
    say(house, extra_body=wrong)
    answer = await house.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]})
    assert answer.status == 409
    assert "extra_body" in answer.json["error"]["message"]
    assert not house.models.heard
