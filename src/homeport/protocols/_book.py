"""The book of finished requests: one line in the log and one observation in the metrics for each.

Written in batches: what a line costs halves when the code that writes it is warm.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Histogram

    from homeport.kit.journal import Facts
    from homeport.kit.metrics import Metrics
    from homeport.protocols._visit import Visit

BATCH_S = 0.05
FAILED = 400


class Book:
    """Collects finished requests; `write` is told the time, the message and the facts of each."""

    def __init__(self, metrics: Metrics, write: Callable[[float, str, Facts], None]) -> None:
        self._metrics = metrics
        self._write = write
        self._open: list[tuple[Visit, float, float]] = []
        self._series: dict[tuple[str, str, int], Histogram] = {}

    def enter(self, visit: Visit) -> None:
        """Take in a request that has ended."""
        self._open.append((visit, time.perf_counter() - visit.started, time.time()))
        if len(self._open) == 1:
            asyncio.get_running_loop().call_later(BATCH_S, self.settle)

    def settle(self) -> None:
        """Write down everything that was entered."""
        entries, self._open = self._open, []
        for visit, took, at in entries:
            first = None if visit.first is None else visit.first - visit.started
            outcome = visit.facts.pop("outcome", None) or ("completed" if visit.status < FAILED else "rejected")
            self._measure(visit, outcome, took, first)
            self._log(visit, outcome, at, took, first)

    def _measure(self, visit: Visit, outcome: str, took: float, first: float | None) -> None:
        key = visit.path, visit.scope["method"], visit.status // 100
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._metrics.requests.labels(key[0], key[1], f"{key[2]}xx")
        series.observe(took)
        facts = visit.facts
        if outcome == "client_closed":
            self._metrics.abandoned.labels(visit.phase).inc()
        if "model" in facts:
            self._metrics.answered(facts["model"], facts.get("feature", ""), outcome, first, visit.usage)

    def _log(self, visit: Visit, outcome: str, at: float, took: float, first: float | None) -> None:
        scope, usage = visit.scope, visit.usage
        client = scope.get("client") or ("", 0)
        facts = visit.facts | {
            "outcome": outcome,
            "method": scope["method"],
            "path": visit.path,
            "status_code": visit.status,
            "client_ip": client[0],
            "duration_s": round(took, 4),
        }
        if first is not None:
            facts["first_chunk_duration_s"] = round(first, 4)
            facts["finish"] = visit.finish
            if visit.length:  # an answer relayed as bytes was not read
                facts["answer_length"] = visit.length
        if usage is not None:
            facts["prompt_tokens"] = usage.prompt_tokens
            facts["answer_tokens"] = usage.completion_tokens
        self._write(at, f"{scope['method']} {visit.path} {visit.status}", facts)
