"""A model whose endpoint leads back to Homeport is told of at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from house import TOKEN
from ways import STREAMED, error_text, named

from homeport.domain.models import Secret

if TYPE_CHECKING:
    from house import House
    from ways import Way


@pytest.mark.parametrize("way", STREAMED, ids=named)
async def test_a_request_that_comes_back_is_refused(house: House, way: Way) -> None:
    url = f"http://127.0.0.1:{house.port}/v1"
    ourselves = house.model("loop-model", endpoint=url, identifier="chat", key=Secret(TOKEN))
    house.snapshot = house.snapshot.with_models(ourselves)
    for feature in ("chat", "code_completions", "code_generations"):
        house.assign(feature, "model", "loop-model")
    answer = await house.post(way.path, way.streaming)
    assert "leads back to Homeport" in error_text(way, answer)
    inner, outer = [await house.record(number) for number in (1, 2)]
    assert (inner["error_code"], inner["status_code"]) == ("request_loop", 508)
    assert outer["upstream_status"] == 508
    assert not house.models.heard


@pytest.mark.parametrize("via", ["", "x", "0123456789abcdef", "0123456789abcdef 0123456789abcdef", "f" * 400])
async def test_who_came_through_others_is_served_and_passed_on(house: House, via: str) -> None:
    answer = await house.post(
        "/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}, **{"X-Homeport-Via": via}
    )
    assert answer.status == 200
    *before, last = house.models.heard[0].headers["x-homeport-via"].split()
    assert len(last) == 16
    assert before == (via.split() if via.startswith("0") else [])
