"""Starting in place of GitLab's AI Gateway: its variables, its log file, its metrics port, in a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from house import eventually

from homeport.kit import server

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.executable).with_name("homeport")
LIMIT_S = 60
BROUGHT = {
    "AIGW_CUSTOM_MODELS__ENABLED": "true",
    "AIGW_FASTAPI__API_HOST": "127.0.0.1",
    "AIGW_FASTAPI__API_PORT": "0",
    "AIGW_FASTAPI__METRICS_HOST": "127.0.0.1",
    "AIGW_FASTAPI__OPENAPI_URL": "/openapi.json",
    "AIGW_FASTAPI__DOCS_URL": "/docs",
    "AIGW_LOGGING__LEVEL": "info",
    "AIGW_LOGGING__FORMAT_JSON": "true",
    "AIGW_SNOWPLOW__ENABLED": "true",
    "AIGW_VERTEX_TEXT_MODEL__PROJECT": "canary-project",
    "AIGW_ABUSE_DETECTION__ENABLED": "false",
    "AIGW_MODEL_ENGINE_LIMITS": '{"anthropic": {}}',
    "AIGW_DEFAULT_PROMPTS": '{"chat/react": "1.0.0"}',
    "AIGW_FUTURE__THING": "1",
    "WEB_CONCURRENCY": "3",
    "HF_HUB_OFFLINE": "true",
    "AIGW_AUTH__BYPASS_EXTERNAL": "true",
}


@pytest.fixture
def gateway(data_dir: Path, tmp_path: Path) -> Iterator[tuple[str, int, Path, subprocess.Popen[str]]]:
    """A gateway with the variables of a container, its address, metrics port and log file."""
    del data_dir
    file = tmp_path / "new" / "folder" / "gateway.log"
    with server.listen("127.0.0.1", 0) as taken:
        metrics = taken.getsockname()[1]
    more = {"AIGW_LOGGING__TO_FILE": str(file), "AIGW_FASTAPI__METRICS_PORT": str(metrics)}
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [PROGRAM, "gateway", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | BROUGHT | more,
    )
    assert process.stdout is not None
    with process:
        signal.alarm(LIMIT_S)
        line = process.stdout.readline()
        signal.alarm(0)
        assert line, file.read_text()
        try:
            yield json.loads(line)["url"], metrics, file, process
        finally:
            process.send_signal(signal.SIGTERM)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (our own process)
        return str(answer.read().decode())


async def test_it_starts_with_a_containers_variables(gateway: tuple[str, int, Path, subprocess.Popen[str]]) -> None:
    url, metrics, file, process = gateway
    (told,) = [line for line in lines(file) if "no effect" in line["message"]]
    assert sorted(told["variables"]) == [
        "AIGW_DEFAULT_PROMPTS",
        "AIGW_FUTURE__THING",
        "AIGW_SNOWPLOW__ENABLED",
        "AIGW_VERTEX_TEXT_MODEL__PROJECT",
        "WEB_CONCURRENCY",
    ]
    assert "canary" not in file.read_text()
    assert json.loads(get(f"{url}/openapi.json"))["openapi"]
    assert "ai_gateway_threads_count" in get(f"http://127.0.0.1:{metrics}/metrics")
    get(f"{url}/monitoring/healthz")
    await eventually(lambda: any(line.get("path") == "/monitoring/healthz" for line in lines(file)))

    moved = file.rename(file.with_suffix(".1"))  # as logrotate does
    get(f"{url}/docs")
    await eventually(lambda: file.exists() and "/docs" in file.read_text())
    assert '"path":"/docs"' not in moved.read_text()
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize("where", ["/proc/gateway.log", "/dev/null/x/gateway.log", "/"])
def test_a_log_file_that_cannot_be(data_dir: Path, where: str) -> None:
    del data_dir
    command = [PROGRAM, "gateway", "--port", "0"]
    environment = os.environ | {"AIGW_LOGGING__TO_FILE": where}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=LIMIT_S)  # noqa: S603 (our own program)
    assert ran.returncode == 1
    assert f"error: The log file {where} cannot be written" in ran.stderr
    assert "AIGW_LOGGING__TO_FILE" in ran.stderr
    assert "Traceback" not in ran.stderr
