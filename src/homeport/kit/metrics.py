"""Metrics in Prometheus' format, on a port of their own; names follow GitLab's AI Gateway where it has one."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

if TYPE_CHECKING:
    from collections.abc import Callable

_REQUEST_S = (0.5, 1, 2.5, 5, 10, 30, 60)
_FIRST_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30)


class Tokens(Protocol):
    """A count of tokens, whoever counted."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""

    @property
    def completion_tokens(self) -> int:
        """Tokens of the answer."""


class Metrics:
    """Every series that Homeport exposes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer",
            ("handler", "method", "status"),
            buckets=_REQUEST_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "model_inferences_in_flight", "Requests running at a model", ("model_name",), registry=self.registry
        )
        self.inferences = Counter(
            "model_inferences", "Requests made to a model", ("model_name", "feature", "outcome"), registry=self.registry
        )
        self.first_token = Histogram(
            "homeport_first_token_seconds",
            "Time from a request's head to the first piece of its answer",
            ("model_name", "feature"),
            buckets=_FIRST_S,
            registry=self.registry,
        )
        self.prompt_tokens = Counter(
            "inference_input_tokens", "Prompt tokens as the model counted them", ("model_name",), registry=self.registry
        )
        self.answer_tokens = Counter(
            "inference_output_tokens",
            "Answer tokens as the model counted them",
            ("model_name",),
            registry=self.registry,
        )
        self.abandoned = Counter(
            "homeport_abandoned_requests", "Requests whose client left first", ("phase",), registry=self.registry
        )

        self._series: dict[tuple[str, str, str], tuple[Counter, Histogram, Counter, Counter]] = {}

    def answered(self, model: str, feature: str, outcome: str, first_s: float | None, tokens: Tokens | None) -> None:
        """Count one request that reached a model."""
        key = (model, feature, outcome)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = (
                self.inferences.labels(model, feature, outcome),
                self.first_token.labels(model, feature),
                self.prompt_tokens.labels(model),
                self.answer_tokens.labels(model),
            )
        count, first, prompt, answer = series
        count.inc()
        if first_s is not None:
            first.observe(first_s)
        if tokens is not None:
            prompt.inc(tokens.prompt_tokens)
            answer.inc(tokens.completion_tokens)

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge that is read when somebody scrapes."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serve the page from a thread; gives the function that stops it."""
        try:
            server, thread = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            reason = "is in use" if error.errno == errno.EADDRINUSE else "needs more rights"
            message = (
                f"The metrics port {port} {reason}. "
                "Choose another with HOMEPORT_METRICS_PORT (or AIGW_FASTAPI__METRICS_PORT); -1 switches metrics off."
            )
            raise OSError(error.errno, message) from error

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop
