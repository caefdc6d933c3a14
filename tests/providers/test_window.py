"""What a model server's own words say of the tokens that a model takes."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.providers._window import Told, running, told

VLLM = {"id": "org/served", "object": "model", "max_model_len": 131_072, "root": "/models/x", "parent": None}
ADAPTER = {"id": "tuned", "object": "model", "max_model_len": None, "parent": "org/served"}
LLAMA = {"id": "x.gguf", "meta": {"n_ctx_train": 131_072, "n_params": 7}}


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        ([VLLM, ADAPTER], "org/served", Told(131_072)),
        ([VLLM, ADAPTER], "tuned", Told(131_072)),
        ([VLLM, ADAPTER], "other", Told()),
        ([VLLM], "whatever-else", Told(131_072)),
        ([{"id": "m", "context_length": 32_768}], "m", Told(32_768)),
        ([{"id": "m", "context_window": 8192}], "m", Told(8192)),
        ([{"id": "m", "max_context_length": 262_144}], "m", Told(262_144)),
        ([{"id": "m", "meta": {"n_ctx": 4096, "n_ctx_train": 131_072}}], "m", Told(4096, 131_072)),
        ([LLAMA], "m", Told(0, 131_072)),
        ([{"id": "m"}], "m", Told()),
        ([{"id": "m", "parent": "m"}], "m", Told()),
        ([], "m", Told()),
    ],
)
def test_what_lists_of_models_say(data: list[Any], name: str, expected: Told) -> None:
    assert told({"object": "list", "data": data}, name) == expected


@pytest.mark.parametrize(
    "value", [None, True, 0, 1, 255, -8192, 16 * 1024 * 1024 + 1, 2**70, 8192.0, "8192", [8192], {"n": 1}], ids=repr
)
def test_what_is_no_number_of_tokens_says_nothing(value: Any) -> None:
    assert told({"data": [{"id": "m", "max_model_len": value, "meta": {"n_ctx_train": value}}]}, "m") == Told()
    assert running({"default_generation_settings": {"n_ctx": value}}) == 0


@pytest.mark.parametrize(
    "listing",
    [{}, {"data": None}, {"data": {"id": "m"}}, {"data": "m"}, {"data": ["m", 1, None]}, {"data": [{"meta": []}]}],
    ids=repr,
)
def test_lists_of_another_form_say_nothing(listing: dict[str, Any]) -> None:
    assert told(listing, "m") == Told()


def test_what_llama_cpp_serves_is_in_its_properties() -> None:
    assert running({"default_generation_settings": {"n_ctx": 65_536}, "total_slots": 4}) == 65_536
    assert running({}) == running({"default_generation_settings": None}) == 0
