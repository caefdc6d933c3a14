"""Starting programs on their core, asking until they answer, and stopping what was started."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import machine
from targets import BUILD, UPSTREAM_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from targets import Target

START_LIMIT_S = 90.0
STOP_LIMIT_S = 15.0


class CannotMeasure(Exception):
    """The benchmark cannot go on; its text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server under test."""

    target: Target
    pid: int
    start_s: float
    """From starting the process to its first good answer; 0 for the upstream itself."""
    idle_mb: float


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A clean environment: nobody's proxies or settings change what is measured."""
    return {"PATH": os.environ["PATH"], "HOME": str(BUILD), "LANG": "C.UTF-8", **extra}


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            msg = f"Port {port} on 127.0.0.1 is taken. Stop what listens there (ss -ltnp), then run this again."
            raise CannotMeasure(msg)


def spawn(
    name: str, command: tuple[str, ...], *, core: int | str, env: Mapping[str, str], port: int
) -> subprocess.Popen[bytes]:
    """Start a program pinned to one core or a list of them, its output in bench/.build/logs."""
    _refuse_taken(port)
    with (BUILD / "logs" / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env=_environment(env),
            cwd=BUILD,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; insist after a while."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def get(port: int, path: str) -> bytes:
    """What GET answers, whatever the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _answers(target: Target, body: bytes) -> str:
    """Empty when a completion is answered well, else what was seen instead."""
    headers = dict(line.split(": ", 1) for line in target.headers) | {"content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=10)
    try:
        connection.request("POST", "/v1/chat/completions", body=body, headers=headers)
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if response.status == http.HTTPStatus.OK and b"choices" in text else f"{response.status} {text[:200]!r}"


def _wait(target: Target, process: subprocess.Popen[bytes], body: bytes) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while seen := _answers(target, body):
        ended = process.poll()
        if ended is not None or time.monotonic() > limit:
            state = "still runs" if ended is None else f"ended with status {ended}"
            msg = f"{target.name} gave no good answer ({seen}) and {state}; see bench/.build/logs/{target.name}.log"
            raise CannotMeasure(msg)
        time.sleep(0.005)


@contextmanager
def upstream(core: int) -> Iterator[int]:
    """The stand-in for a model server; gives its process id."""
    process = spawn("upstream", (str(BUILD / "upstream"), str(UPSTREAM_PORT)), core=core, env={}, port=UPSTREAM_PORT)
    try:
        while process.poll() is None:
            try:
                get(UPSTREAM_PORT, "/health")
                break
            except ConnectionError:
                time.sleep(0.01)
        yield process.pid
    finally:
        stop(process)


@contextmanager
def serving(target: Target, *, upstream_pid: int, core: int, body: bytes) -> Iterator[Server]:
    """A target, started, warm enough to answer and quiet again."""
    if not target.command:
        yield Server(target, upstream_pid, 0.0, machine.pss_mb(upstream_pid))
        return
    began = time.monotonic()
    process = spawn(target.name, target.command, core=core, env=target.env, port=target.port)
    try:
        _wait(target, process, body)
        start_s = time.monotonic() - began
        time.sleep(0.3)
        yield Server(target, process.pid, start_s, machine.pss_mb(process.pid))
    finally:
        stop(process)
