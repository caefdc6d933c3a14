"""Limits that an operator sets by the names of GitLab's AI Gateway (`AIGW_MODEL_ENGINE_LIMITS`).

Source: AI Gateway protocol, section 15.1: engine → model → `concurrency`, `input_tokens`, `output_tokens`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from homeport.domain.models import Limits
    from homeport.kit.settings import EngineLimits

ENGINES = ("litellm", "agent")
"""What the original calls the engine of every self-hosted model."""


def limited(
    limits: Limits, table: Mapping[str, Mapping[str, EngineLimits]], platform: str, names: Iterable[str]
) -> Limits:
    """The limits with what the table says of a model; its `names` count in their order, its platform is an engine."""
    said = [table[engine] for engine in (platform, *ENGINES) if engine in table]
    found = next((each[name] for name in names for each in said if name in each), None)
    if found is None:
        return limits
    return replace(
        limits,
        concurrency=found.concurrency or limits.concurrency,
        context_tokens=found.input_tokens or limits.context_tokens,
        output_tokens=found.output_tokens or limits.output_tokens,
    )
