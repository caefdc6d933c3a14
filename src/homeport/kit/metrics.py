"""Metrics in Prometheus' format, on a port of their own; names and labels follow GitLab's AI Gateway where it has them.

Source: gateway protocol, "Metrics". Requests are counted in plain numbers, which become Prometheus' series when
somebody scrapes: that costs a tenth of what the library's own counters do. What a caller makes up never makes
a series: each label has a bound, beyond which everything else is counted as "other".
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

Labels = tuple[str, ...]

MODELS = 200
"""Names of models that have series of their own."""
ENGINES = 20
"""Names of platforms that have series of their own."""
LANGUAGES = 500
"""Combinations of language, extension and editor's word for it that have a series of their own."""
REPORTED = 10_000
"""The most that one report may say; a larger number is not believed."""
LABEL = 100
"""Characters of a label."""
OTHER = "other"
AGENT = "agent"
"""What GitLab's protocols call the engine of every model, and editors repeat."""

PATIENCE_S = 10.0
"""Seconds that a connection to the page may stay silent: each holds a thread."""
THREADS = 16
"""Connections to the page at once: more scrapers than anybody has."""
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"
    b"%d others read the metrics at this moment. Try again, or find out who keeps connections open.\n" % THREADS
)

REQUEST_S = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
PROMPT_BYTES = (256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072)
PROMPT_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768)
SUGGESTIONS = "code_suggestions"
"""The category of what the original's `code_suggestions_inference_…` count."""
FIRST_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
_INFERENCE = ("model_engine", "model_name", "error", "streaming", "feature_category", "unit_primitive")
_SUGGESTION = ("model_engine", "model_name", "lang")
_MODEL = ("model_engine", "model_name")
_COMPONENT = ("component", *_MODEL)


class Known:
    """Values that a label may have: the first so many, then one for all others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, name: str, *, new: bool = True) -> str:
        """The name if it has a place, or may take one as a `new` one."""
        name = name[:LABEL]
        if name in self._known:
            return name
        if not new or len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name


class Histogram:
    """Durations by how long they were, or sizes by how large."""

    __slots__ = ("_counts", "_sum", "bounds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._sum += value

    def add(self, other: Histogram) -> None:
        """Count all that another one counted."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self._sum += other._sum

    def expose(self, family: HistogramMetricFamily, labels: Labels) -> None:
        """Add a series of it to the page."""
        names = [*map(str, self.bounds), "+Inf"]
        family.add_metric(labels, list(zip(names, accumulate(self._counts), strict=True)), self._sum)


class Kind(NamedTuple):
    """What tells the requests to a model apart."""

    engine: str
    model: str
    feature: str
    category: str
    primitive: str
    outcome: str
    streaming: bool

    @property
    def inference(self) -> Labels:
        """The labels that GitLab's AI Gateway has."""
        wrong = "no" if self.outcome in {"completed", "client_closed"} else "yes"
        return (self.engine, self.model, wrong, "yes" if self.streaming else "no", self.category, self.primitive)


class Answers:
    """The requests of one kind."""

    __slots__ = ("answer_tokens", "count", "first", "prompt_tokens", "sizes", "tokens", "took")

    def __init__(self) -> None:
        self.count = 0
        self.prompt_tokens = 0
        self.answer_tokens = 0
        self.first = Histogram(FIRST_S)
        """Seconds from a request's head to the first piece of its answer."""
        self.took = Histogram(REQUEST_S)
        """Seconds from asking the model to the end of its answer."""
        self.sizes = Histogram(PROMPT_BYTES)
        """Characters of the prompts that ask for code."""
        self.tokens = Histogram(PROMPT_TOKENS)
        """Tokens of the same, where the model server counts them."""


class Reports:
    """What editors say of earlier suggestions."""

    __slots__ = ("accepts", "errors", "requests")

    def __init__(self) -> None:
        self.requests = self.accepts = self.errors = 0

    def add(self, requests: int, accepts: int, errors: int) -> None:
        """Count one report; nobody is believed more than REPORTED of anything."""
        if 0 < requests <= REPORTED:
            self.requests += requests
        if 0 < accepts <= REPORTED:
            self.accepts += accepts
        if 0 < errors <= REPORTED:
            self.errors += errors


class Load(NamedTuple):
    """How busy a model is, and what it may take."""

    engine: str
    name: str
    running: int
    concurrency: int
    prompt_tokens: int
    answer_tokens: int

    def plus(self, other: Load) -> Load:
        """Both as one, where they have one name: several servers of one model."""
        return self._replace(
            running=self.running + other.running,
            concurrency=self.concurrency + other.concurrency,
            prompt_tokens=max(self.prompt_tokens, other.prompt_tokens),
            answer_tokens=max(self.answer_tokens, other.answer_tokens),
        )


class Metrics(Collector):
    """Every series that Homeport exposes."""

    def __init__(self) -> None:
        self.models = Known(MODELS)
        self.engines = Known(ENGINES)
        self.engines(AGENT)
        self.loads: Callable[[], Iterable[Load]] = tuple
        """Asked, by another thread, whenever somebody scrapes."""
        self._requests: dict[Labels, Histogram] = {}
        self._answers: dict[Kind, Answers] = {}
        self._reports: dict[Labels, Reports] = {}
        self._spoken: dict[Labels, int] = {}
        self._abandoned: dict[Labels, int] = {}
        self._suggested: dict[Labels, int] = {}
        """The last day, for the console."""
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def requests(self, path: str, method: str, status: str) -> Histogram:
        """How long requests to an endpoint took, for whoever keeps it at hand."""
        return self._requests.setdefault((path, method, status), Histogram(REQUEST_S))

    def answers(self, kind: Kind) -> Answers:
        """The requests of a kind, for whoever keeps them at hand."""
        kind = kind._replace(engine=self.engines(kind.engine), model=self.models(kind.model))
        return self._answers.setdefault(kind, Answers())

    def abandoned(self, phase: str) -> None:
        """Count a request whose client left first."""
        self._abandoned[phase,] = self._abandoned.get((phase,), 0) + 1

    def suggested(self, model: str, feature: str, what: str) -> None:
        """Count a suggestion of which an editor says that it was shown, accepted or rejected."""
        labels = (self.models(model), feature, what)
        self._suggested[labels] = self._suggested.get(labels, 0) + 1

    def spoken(self, lang: str, extension: str, editor_lang: str) -> None:
        """Count a request for code in a language."""
        labels = (lang, extension, editor_lang)
        if labels not in self._spoken and len(self._spoken) >= LANGUAGES:
            labels = (OTHER, OTHER, OTHER)
        self._spoken[labels] = self._spoken.get(labels, 0) + 1

    def reports(self, engine: str, model: str, lang: str) -> Reports:
        """What editors say of earlier suggestions; names that no model of ours has share one series."""
        labels = (self.engines(engine, new=False), self.models(model, new=False), lang)
        return self._reports.setdefault(labels, Reports())

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge that is read when somebody scrapes."""
        Gauge(name, text, registry=self.registry).set_function(read)

    @override
    def collect(self) -> Iterator[Metric]:
        """Everything that was counted; the thread that counts does not wait for it."""
        yield _histograms(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer",
            ("handler", "method", "status"),
            dict(self._requests),
        )
        yield from _of_answers(dict(self._answers))
        yield from self._of_suggestions()
        yield from _of_loads(_by_name(self.loads()))
        yield _counts(
            "homeport_abandoned_requests", "Requests whose client left first", ("phase",), dict(self._abandoned)
        )
        yield _counts(
            "homeport_suggestions",
            "Suggestions that editors say were shown, accepted or rejected",
            ("model_name", "feature", "what"),
            dict(self._suggested),
        )
        threads = GaugeMetricFamily("ai_gateway_threads_count", "Threads of the process", labels=("pid",))
        threads.add_metric((str(os.getpid()),), threading.active_count())
        yield threads

    def _of_suggestions(self) -> Iterator[Metric]:
        reports = dict(self._reports)
        for name, text, field in (
            ("code_suggestions_requests", "Suggestions that editors say they asked for", "requests"),
            ("code_suggestions_accepts", "Suggestions that editors say were accepted", "accepts"),
            ("code_suggestions_errors", "Errors that editors say they met", "errors"),
        ):
            yield _counts(name, text, _SUGGESTION, {labels: getattr(each, field) for labels, each in reports.items()})
        yield _counts(
            "code_suggestions_prompt_language",
            "Requests for code, by language",
            ("lang", "extension", "editor_lang"),
            dict(self._spoken),
        )

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

        handler: Any = server.RequestHandlerClass
        server.RequestHandlerClass = type(handler.__name__, (handler,), {"timeout": PATIENCE_S})
        _bound(server)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop


def _bound(server: Any) -> None:  # noqa: ANN401 (the class of the library's server is made when it starts)
    """Have it start no more than `THREADS` threads; whoever comes then is told so."""
    seats = threading.BoundedSemaphore(THREADS)
    start, work = server.process_request, server.process_request_thread

    def process_request(request: socket.socket, address: object) -> None:
        if seats.acquire(blocking=False):
            try:
                start(request, address)
            except RuntimeError:
                # the system has no thread for it
                seats.release()
                raise
            return
        with contextlib.suppress(OSError):
            request.sendall(FULL)
        server.shutdown_request(request)

    def process_request_thread(request: socket.socket, address: object) -> None:
        try:
            work(request, address)
        finally:
            seats.release()

    server.process_request, server.process_request_thread = process_request, process_request_thread


def _of_answers(answers: Mapping[Kind, Answers]) -> Iterator[Metric]:
    """What was asked of models: as GitLab's AI Gateway counts it, then by feature and outcome."""
    yield _sums("model_inferences", "Requests made to a model", answers, lambda each: each.count)
    yield _histograms(
        "inference_request_duration_seconds",
        "Time from asking a model to the end of its answer",
        _INFERENCE,
        _merged((kind.inference, each.took) for kind, each in answers.items()),
    )
    yield _sums(
        "inference_input_tokens",
        "Prompt tokens as the model counted them, or estimated",
        answers,
        lambda each: each.prompt_tokens,
    )
    yield _sums(
        "inference_output_tokens",
        "Answer tokens as the model counted them, or estimated",
        answers,
        lambda each: each.answer_tokens,
    )
    yield from _of_inferences({kind: each for kind, each in answers.items() if kind.category == SUGGESTIONS})
    outcomes = _added(((kind.model, kind.feature, kind.outcome), each.count) for kind, each in answers.items())
    text = "Requests that reached a model, by how they ended"
    yield _counts("homeport_answers", text, ("model_name", "feature", "outcome"), outcomes)
    yield _histograms(
        "homeport_first_token_seconds",
        "Time from a request's head to the first piece of its answer",
        ("model_name", "feature"),
        _merged(((kind.model, kind.feature), each.first) for kind, each in answers.items()),
    )


def _of_inferences(answers: Mapping[Kind, Answers]) -> Iterator[Metric]:
    """What was asked of models for code suggestions, as the original tells it apart: by model."""
    name = "code_suggestions_inference"
    models = {kind: (kind.engine, kind.model) for kind in answers}
    counts = _added((models[kind], each.count) for kind, each in answers.items())
    yield _counts(f"{name}_requests", "Requests made to a model for code", _MODEL, counts)
    took = _merged((models[kind], each.took) for kind, each in answers.items())
    text = "Time from asking a model for code to the end of its answer"
    yield _histograms(f"{name}_request_duration_seconds", text, _MODEL, took)
    sizes = _merged((("prompt", *models[kind]), each.sizes) for kind, each in answers.items())
    text = "Size of a prompt for code, in characters: in bytes where all are ASCII"
    yield _histograms(f"{name}_prompt_size_bytes", text, _COMPONENT, sizes)
    tokens = _merged((("prompt", *models[kind]), each.tokens) for kind, each in answers.items())
    text = "Size of a prompt for code, in tokens as the model counted them, or estimated"
    yield _histograms(f"{name}_prompt_size_tokens", text, _COMPONENT, tokens)


def _by_name(loads: Iterable[Load]) -> dict[Labels, Load]:
    """Loads by engine and name; no more than there may be names of models."""
    found: dict[Labels, Load] = {}
    for each in loads:
        labels = each.engine, each.name[:LABEL]
        if labels in found:
            found[labels] = found[labels].plus(each)
        elif len(found) < MODELS:
            found[labels] = each
    return found


def _of_loads(loads: Mapping[Labels, Load]) -> Iterator[Metric]:
    """What each model takes, and is busy with, at this moment."""
    for name, text, field in (
        ("model_inferences_in_flight", "Requests that run at a model", "running"),
        ("model_inferences_max_concurrent", "Requests that may run at a model at once", "concurrency"),
        ("model_max_input_tokens", "Tokens of a model's context window", "prompt_tokens"),
        ("model_max_output_tokens", "Tokens that an answer of a model may have", "answer_tokens"),
    ):
        family = GaugeMetricFamily(name, text, labels=_MODEL)
        for labels, each in loads.items():
            family.add_metric(labels, getattr(each, field))
        yield family


def _sums(name: str, text: str, answers: Mapping[Kind, Answers], value: Callable[[Answers], int]) -> Metric:
    return _counts(name, text, _INFERENCE, _added((kind.inference, value(each)) for kind, each in answers.items()))


def _added(parts: Iterable[tuple[Labels, int]]) -> dict[Labels, int]:
    found: dict[Labels, int] = {}
    for labels, count in parts:
        found[labels] = found.get(labels, 0) + count
    return found


def _merged(parts: Iterable[tuple[Labels, Histogram]]) -> dict[Labels, Histogram]:
    found: dict[Labels, Histogram] = {}
    for labels, histogram in parts:
        found.setdefault(labels, Histogram(histogram.bounds)).add(histogram)
    return found


def _counts(name: str, text: str, names: Labels, counts: Mapping[Labels, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=names)
    for labels, count in counts.items():
        family.add_metric(labels, count)
    return family


def _histograms(name: str, text: str, names: Labels, found: Mapping[Labels, Histogram]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=names)
    for labels, histogram in found.items():
        histogram.expose(family, labels)
    return family
