"""How well a model serves a feature, said in words."""

from __future__ import annotations

import pytest

from homeport import families, features
from homeport.domain.capabilities import Capabilities
from homeport.families import Family
from homeport.features import Feature
from homeport.features._suits import suits
from homeport.kit.discover import discover

FAMILIES = discover(families, Family)
FEATURES = discover(features, Feature)
COMPLETION, GENERATION, CHAT, REVIEW = "code_completions", "code_generations", "chat", "code_review"


@pytest.mark.parametrize(
    ("feature", "family", "fit", "why"),
    [
        (COMPLETION, "qwen_coder", "fully", "made to fill code in"),
        (COMPLETION, "starcoder", "fully", "made to fill code in"),
        (COMPLETION, "smollm", "largely", "does not see what follows"),
        (COMPLETION, "mistral", "largely", "asked in words"),
        (GENERATION, "mistral", "fully", "holds conversations"),
        (GENERATION, "starcoder", "largely", "continues the code"),
        (CHAT, "mistral", "fully", "holds conversations"),
        (CHAT, "general", "largely", "Nothing is known"),
        (CHAT, "smollm", "largely", "experimental"),
        (CHAT, "starcoder", "not", "no conversation"),
        (REVIEW, "starcoder", "not", "no conversation"),
    ],
)
def test_what_a_family_is_made_for(feature: str, family: str, fit: str, why: str) -> None:
    found = suits(FEATURES[feature], family, FAMILIES[family])
    assert (found.fit, why in found.why) == (fit, True)


@pytest.mark.parametrize(
    ("feature", "family", "fit"),
    [(COMPLETION, "codestral", "largely"), (COMPLETION, "starcoder", "not"), (GENERATION, "starcoder", "not")],
)
def test_a_platform_that_does_not_continue_text(feature: str, family: str, fit: str) -> None:
    assert suits(FEATURES[feature], family, FAMILIES[family], text=False).fit == fit


@pytest.mark.parametrize(
    ("feature", "family", "seen", "fit"),
    [
        (CHAT, "mistral", Capabilities(chat=False), "not"),
        (CHAT, "starcoder", Capabilities(chat=True), "fully"),
        (COMPLETION, "qwen_coder", Capabilities(text=False), "largely"),
        (COMPLETION, "qwen_coder", Capabilities(), "fully"),
        (COMPLETION, "gpt", Capabilities(text=True, holes={"suffix": 1.0}), "fully"),
    ],
)
def test_what_was_measured_counts_for_more(feature: str, family: str, seen: Capabilities, fit: str) -> None:
    assert suits(FEATURES[feature], family, FAMILIES[family], seen=seen).fit == fit


@pytest.mark.parametrize("feature", [key for key, each in FEATURES.items() if each.listed])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_pair_has_a_reason(feature: str, family: str) -> None:
    assert suits(FEATURES[feature], family, FAMILIES[family]).why.endswith(".")
