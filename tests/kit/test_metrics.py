"""The metrics page: the original's names and labels beside ours, and a bound for each label."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import urllib.request
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from homeport.kit.metrics import LANGUAGES, MODELS, OTHER, REPORTED, THREADS, Histogram, Kind, Load, Metrics

LABELS = {
    "http_request_duration_seconds": {"handler", "method", "status"},
    "model_inferences_total": {
        "model_engine",
        "model_name",
        "error",
        "streaming",
        "feature_category",
        "unit_primitive",
    },
    "inference_request_duration_seconds": {
        "model_engine",
        "model_name",
        "error",
        "streaming",
        "feature_category",
        "unit_primitive",
    },
    "model_inferences_in_flight": {"model_engine", "model_name"},
    "model_inferences_max_concurrent": {"model_engine", "model_name"},
    "model_max_input_tokens": {"model_engine", "model_name"},
    "model_max_output_tokens": {"model_engine", "model_name"},
    "code_suggestions_requests_total": {"model_engine", "model_name", "lang"},
    "code_suggestions_accepts_total": {"model_engine", "model_name", "lang"},
    "code_suggestions_errors_total": {"model_engine", "model_name", "lang"},
    "code_suggestions_prompt_language_total": {"lang", "extension", "editor_lang"},
    "ai_gateway_threads_count": {"pid"},
    "code_suggestions_inference_requests_total": {"model_engine", "model_name"},
    "code_suggestions_inference_request_duration_seconds": {"model_engine", "model_name"},
    "code_suggestions_inference_prompt_size_bytes": {"component", "model_engine", "model_name"},
    "code_suggestions_inference_prompt_size_tokens": {"component", "model_engine", "model_name"},
    "homeport_answers_total": {"model_name", "feature", "outcome"},
    "homeport_first_token_seconds": {"model_name", "feature"},
    "homeport_abandoned_requests_total": {"phase"},
}
ORDER = (
    *("model_engine", "model_name", "error", "streaming", "feature_category", "unit_primitive"),
    *("lang", "extension", "editor_lang", "feature", "outcome", "phase"),
)
LABELS["inference_input_tokens_total"] = LABELS["inference_output_tokens_total"] = LABELS["model_inferences_total"]


def kind(**changes: Any) -> Kind:
    usual = Kind("openai", "m", "code_completions", "code_suggestions", "complete_code", "completed", streaming=False)
    return usual._replace(**changes)


def samples(metrics: Metrics) -> dict[str, list[Any]]:
    """Samples by the name of their series, from the page that Prometheus reads."""
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Values by their labels, in the order in which the code has them."""
    found = samples(metrics).get(name, [])
    return {tuple(each.labels[label] for label in ORDER if label in each.labels): each.value for each in found}


@pytest.fixture
def metrics() -> Metrics:
    """Metrics that counted one of everything."""
    metrics = Metrics()
    metrics.requests("/v2/x", "POST", "2xx").observe(0.7)
    answers = metrics.answers(kind())
    answers.count += 1
    answers.prompt_tokens += 11
    answers.answer_tokens += 3
    answers.first.observe(0.06)
    answers.took.observe(2.0)
    metrics.abandoned("waiting")
    metrics.spoken("python", "py", "python")
    metrics.reports("agent", "m", "python").add(5, 2, 1)
    metrics.loads = lambda: [Load("openai", "m", 2, 64, 32_768, 4096)]
    return metrics


def test_names_and_labels(metrics: Metrics) -> None:
    found = samples(metrics)
    for name, labels in LABELS.items():
        (first, *_) = found.get(name) or found[f"{name}_bucket"]
        assert set(first.labels) - {"le"} == labels, name


def test_counts(metrics: Metrics) -> None:
    inference = ("openai", "m", "no", "no", "code_suggestions", "complete_code")
    assert values(metrics, "model_inferences_total") == {inference: 1}
    assert values(metrics, "inference_input_tokens_total") == {inference: 11}
    assert values(metrics, "inference_output_tokens_total") == {inference: 3}
    assert values(metrics, "inference_request_duration_seconds_sum") == {inference: 2}
    assert values(metrics, "homeport_answers_total") == {("m", "code_completions", "completed"): 1}
    assert values(metrics, "code_suggestions_accepts_total") == {("agent", "m", "python"): 2}
    assert values(metrics, "model_inferences_in_flight") == {("openai", "m"): 2}
    assert values(metrics, "homeport_abandoned_requests_total") == {("waiting",): 1}


def test_kinds_that_differ_in_what_the_original_does_not_tell_apart_are_added(metrics: Metrics) -> None:
    for feature in ("chat", "chat_agent"):
        for outcome in ("completed", "client_closed", "broken", "rejected"):
            answers = metrics.answers(kind(feature=feature, outcome=outcome, streaming=True))
            answers.count += 1
            answers.took.observe(0.1)
    found = values(metrics, "model_inferences_total")
    rest = ("code_suggestions", "complete_code")
    assert found[("openai", "m", "no", "yes", *rest)] == 4
    assert found[("openai", "m", "yes", "yes", *rest)] == 4
    assert values(metrics, "inference_request_duration_seconds_count") | {
        ("openai", "m", "yes", "yes", *rest): 4
    } == values(metrics, "inference_request_duration_seconds_count")
    assert values(metrics, "homeport_answers_total")[("m", "chat", "broken")] == 1


def test_histograms_are_cumulative() -> None:
    metrics = Metrics()
    times = metrics.requests("/", "GET", "2xx")
    for value in (0.0, 0.5, 0.50001, 5, 61):
        times.observe(value)
    found = {each.labels["le"]: each.value for each in samples(metrics)["http_request_duration_seconds_bucket"]}
    assert found == {"0.5": 2, "1.0": 3, "2.5": 3, "5.0": 4, "10.0": 4, "30.0": 4, "60.0": 4, "+Inf": 5}
    both = Histogram((1.0,))
    both.add(times_of(0.5))
    both.add(times_of(2.0))
    assert both._counts == [1, 1]  # noqa: SLF001 (what is exposed)


def times_of(value: float) -> Histogram:
    found = Histogram((1.0,))
    found.observe(value)
    return found


def test_names_of_models_that_a_caller_makes_up_end_in_one_series() -> None:
    metrics = Metrics()
    for number in range(MODELS * 3):
        metrics.answers(kind(model=f"model-{number}" + "x" * 500, engine=f"engine-{number}")).count += 1
    found = values(metrics, "model_inferences_total")
    names = {labels[1] for labels in found}
    assert len(names) == MODELS + 1
    assert OTHER in names
    assert len({labels[0] for labels in found}) <= 21
    assert max(map(len, names)) == 100
    assert sum(found.values()) == MODELS * 3


def test_reports_make_no_new_names() -> None:
    metrics = Metrics()
    metrics.answers(kind())
    for number in range(1000):
        metrics.reports(f"e{number}", f"m{number}", "python").add(1, 1, 1)
    metrics.reports("openai", "m", "python").add(1, 0, 0)
    assert values(metrics, "code_suggestions_requests_total") == {
        (OTHER, OTHER, "python"): 1000,
        ("openai", "m", "python"): 1,
    }


@pytest.mark.parametrize("count", [-1, -(2**70), REPORTED + 1, 2**70])
def test_a_report_that_cannot_be_true_is_not_believed(count: int) -> None:
    metrics = Metrics()
    metrics.reports("agent", "m", "ruby").add(count, count, count)
    assert set(values(metrics, "code_suggestions_requests_total").values()) == {0}


def test_languages_end_in_one_series() -> None:
    metrics = Metrics()
    for number in range(LANGUAGES * 2):
        metrics.spoken("python", str(number), "x")
    found = values(metrics, "code_suggestions_prompt_language_total")
    assert len(found) == LANGUAGES + 1
    assert found[OTHER, OTHER, OTHER] == LANGUAGES


def test_many_models_end_somewhere() -> None:
    metrics = Metrics()
    metrics.loads = lambda: (Load("openai", f"m{n}", 0, 1, 1, 1) for n in range(1000))
    assert len(values(metrics, "model_inferences_in_flight")) == MODELS


def test_servers_of_one_model_are_one_series() -> None:
    metrics = Metrics()
    long = "m" * 150
    metrics.loads = lambda: [Load("openai", long, 2, 64, 8192, 4096), Load("openai", long + "n", 1, 3, 32_768, 99)]
    labels = ("openai", long[:100])
    assert values(metrics, "model_inferences_in_flight") == {labels: 3}
    assert values(metrics, "model_inferences_max_concurrent") == {labels: 67}
    assert values(metrics, "model_max_input_tokens") == {labels: 32_768}
    assert values(metrics, "model_max_output_tokens") == {labels: 4096}


def test_every_path_of_the_port_answers(metrics: Metrics) -> None:
    metrics.watch("homeport_test", "A gauge", lambda: 7)
    stop = metrics.serve("127.0.0.1", port := free_port())
    try:
        for path in ("/metrics", "/", "/anything"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                text = answer.read().decode()
            assert "homeport_test 7.0" in text
            assert re.search(r"^model_inferences_total\{.*\} 1\.0$", text, re.MULTILINE)
        with pytest.raises(OSError, match=f"The metrics port {port} is in use.*AIGW_FASTAPI__METRICS_PORT"):
            metrics.serve("127.0.0.1", port)
    finally:
        stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one holds a thread, and the library itself waits for ever."""
    monkeypatch.setattr("homeport.kit.metrics.PATIENCE_S", 0.1)
    stop = Metrics().serve("127.0.0.1", port := free_port())
    try:
        for said in (b"", b"GET / HT"):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as silent:
                silent.sendall(said)
                assert silent.recv(100) == b""
    finally:
        stop()


def test_no_more_connections_than_there_are_threads_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeport.kit.metrics.PATIENCE_S", 60)
    before = threading.active_count()
    stop = Metrics().serve("127.0.0.1", port := free_port())
    try:
        with contextlib.ExitStack() as stack:
            silent = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)) for _ in range(THREADS)
            ]
            with socket.create_connection(("127.0.0.1", port), timeout=5) as late:
                told = late.makefile("rb").read()
            assert told.startswith(b"HTTP/1.1 503 ")
            assert b"16 others read the metrics at this moment." in told
            # the server's own, and one for each
            assert threading.active_count() - before == 1 + THREADS
            for each in silent:
                each.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert each.makefile("rb").read().startswith(b"HTTP/1.0 200 ")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.status == 200
    finally:
        stop()
