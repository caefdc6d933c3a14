"""The two programs of the benchmark against each other: a few requests, counted on both sides."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BENCH = Path(__file__).resolve().parents[2] / "bench"
CHAT = {"model": "bench", "messages": [{"role": "user", "content": 'say "stream": true'}]}

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc: sh bench/setup.sh")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    for name in ("upstream", "load"):
        command = ["gcc", "-std=gnu11", "-o", str(folder / name), str(BENCH / f"{name}.c")]
        subprocess.run(command, check=True)  # noqa: S603 (our own sources, the machine's compiler)
    return folder


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(connection):
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())


def _post(port: int, path: str, asked: dict[str, Any]) -> tuple[str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(connection):
        connection.request("POST", path, json.dumps(asked))
        answer = connection.getresponse()
        return answer.getheader("content-type", ""), answer.read()


@pytest.fixture
def port(built: Path) -> Iterator[int]:
    chosen = _free_port()
    with subprocess.Popen([built / "upstream", str(chosen)]) as process:  # noqa: S603 (built above)
        for _ in range(200):
            try:
                _get(chosen, "/health")
                break
            except ConnectionError:
                time.sleep(0.01)
        yield chosen
        process.terminate()


@pytest.fixture
def load(built: Path, tmp_path: Path, port: int) -> Callable[..., Any]:
    def ask(asked: dict[str, Any], *options: str) -> Any:
        body = tmp_path / "body.json"
        body.write_text(json.dumps(asked))
        where = ["--port", str(port), "--path", "/v1/chat/completions", "--body", str(body)]
        command = [str(built / "load"), *where, *options]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 (built above)

    return ask


def test_an_answer_counts_its_tokens_and_reads_like_code(port: int) -> None:
    kind, body = _post(port, "/v1/completions", {"prompt": "x" * 400, "max_tokens": 64})
    answer = json.loads(body)
    assert kind == "application/json"
    assert answer["usage"]["completion_tokens"] == 64
    assert answer["choices"][0]["text"].startswith("    row1 = rows[index + 2]\n    if row2.amount > limit * 3:\n")


def test_a_stream_has_the_chunks_asked_for_then_usage_and_the_end(port: int) -> None:
    options = {"max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}}
    kind, body = _post(port, "/v1/chat/completions", {**CHAT, **options})
    events = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    pieces = [json.loads(event) for event in events[:-1]]
    assert kind.startswith("text/event-stream")
    assert events[-1] == "[DONE]"
    assert pieces[-1]["usage"]["completion_tokens"] == 5
    assert [bool(piece["choices"][0]["delta"].get("content")) for piece in pieces[:-1]].count(True) == 5


def test_a_key_inside_the_code_is_no_option(port: int) -> None:
    kind, _ = _post(port, "/v1/chat/completions", CHAT)
    assert kind == "application/json"


def test_a_closed_loop_answers_every_request(load: Callable[..., Any], port: int) -> None:
    said = load({**CHAT, "max_tokens": 4}, "--connections", "4", "--requests", "40", "--seconds", "5")
    assert (said["good"], said["bad"], said["errors"], said["unfinished"]) == (40, 0, 0, 0)
    assert (
        said["latency_us"]["p50"] <= said["latency_us"]["p90"] <= said["latency_us"]["p99"] <= said["latency_us"]["max"]
    )
    assert _get(port, "/stats")["requests"] == 40


def test_an_open_loop_keeps_its_rate(load: Callable[..., Any]) -> None:
    said = load({**CHAT, "max_tokens": 4}, "--connections", "8", "--rate", "100", "--seconds", "0.2")
    assert (said["good"], said["unfinished"]) == (20, 0)


def test_streams_are_counted_event_by_event(load: Callable[..., Any]) -> None:
    asked = {**CHAT, "max_tokens": 6, "seed": 5, "stream": True}
    said = load(asked, "--stream", "--events", "6", "--connections", "5", "--requests", "5", "--seconds", "5")
    assert (said["good"], said["events"]) == (5, 5 * (1 + 6 + 1 + 1))  # role, pieces, finish, [DONE]
    assert said["first_us"]["p50"] < said["latency_us"]["p50"]


def test_a_stream_without_enough_events_is_bad(load: Callable[..., Any]) -> None:
    asked = {**CHAT, "max_tokens": 2, "stream": True}
    assert load(asked, "--stream", "--events", "50", "--requests", "1", "--seconds", "5")["bad"] == 1


def test_what_the_load_leaves_unfinished_is_said_on_both_sides(load: Callable[..., Any], port: int) -> None:
    asked = {**CHAT, "max_tokens": 100, "seed": 100, "stream": True}
    said = load(asked, "--stream", "--connections", "3", "--requests", "3", "--seconds", "0.1", "--grace", "0.1")
    assert said["unfinished"] == 3
    assert _get(port, "/stats")["aborted"] == 3


def test_a_server_that_is_not_there_is_an_error(built: Path, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("{}")
    where = ["--port", str(_free_port()), "--path", "/", "--body", str(tmp_path / "body")]
    command = [str(built / "load"), *where, "--seconds", "0.1"]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (built above)
    assert json.loads(done.stdout)["errors"] > 0
