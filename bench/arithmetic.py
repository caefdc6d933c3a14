"""What is computed from runs: medians with their range, ratios between neighbours, verdicts on budgets."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over rounds."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Iterable[float]) -> Spread | None:
    """Median and range; None where nothing was measured."""
    numbers = list(values)
    if not numbers:
        return None
    return Spread(median(numbers), min(numbers), max(numbers), len(numbers))


def ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """Ours ÷ theirs, each taken between two runs of the same round; keys are rounds."""
    return spread(ours[n] / theirs[n] for n in ours if theirs.get(n))


def differences(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """Ours - theirs, each taken between two runs of the same round; keys are rounds."""
    return spread(ours[n] - theirs[n] for n in ours if n in theirs)


Outcome = Literal["held", "over", "broken", "not measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit that a figure has to keep."""

    figure: str
    """Key of the figure."""
    what: str
    limit: float
    unit: str
    at_least: bool = False
    """The figure may not be below the limit, instead of above it."""

    def outcome(self, value: float | None, *, slack: float) -> Outcome:
        """Held within the limit, over it, or broken: beyond the limit by more than the factor `slack`."""
        if value is None:
            return "not measured"
        used = self.limit / value if self.at_least and value else value / self.limit
        if used <= 1:
            return "held"
        return "over" if used <= slack else "broken"


BUDGETS = (
    Budget(figure="request_nginx", what="CPU per completion, not streamed", limit=11, unit="x nginx"),
    Budget(figure="chunk_nginx", what="CPU per relayed chat chunk at 10,000 chunks/s", limit=2.7, unit="x nginx"),
    Budget(figure="code_nginx", what="CPU per GitLab's completion, cleaned and logged", limit=11, unit="x nginx"),
    Budget(figure="cleaned_nginx", what="CPU per chunk of a streamed, cleaned completion", limit=2.7, unit="x nginx"),
    Budget(figure="litellm_request", what="LiteLLM's CPU per completion", limit=40, unit="x Homeport", at_least=True),
    Budget(figure="litellm_chunk", what="LiteLLM's CPU per chunk", limit=18, unit="x Homeport", at_least=True),
    Budget(figure="added_p50_ms", what="added p50 at 50 requests/s", limit=1.5, unit="ms"),
    Budget(figure="start_s", what="cold start to the first answer", limit=1.2, unit="s"),
    Budget(figure="restart_s", what="restart of `homeport up` with the embedded model", limit=3, unit="s"),
    Budget(figure="first_token_s", what="first token of the embedded model", limit=0.6, unit="s"),
    Budget(figure="idle_mb", what="memory, idle", limit=100, unit="MB"),
    Budget(figure="slow_mb", what="memory with 500 slow streams", limit=90, unit="MB"),
)
