"""Asks every endpoint of a running Homeport with the embedded model, and writes down what came back.

    .venv/bin/python tools/recording.py          writes docs/reference/recording.md

Homeport runs as `homeport up` does, with a GitLab beside it that signs the token. Nothing is edited but the length.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "bench"))

import gitlab  # noqa: E402 (beside the benchmark, which needs it too)

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "reference" / "recording.md"
LONGEST = 900
SHORT = ("--max-output", "48")
"""Answers of a few lines."""
FILLED = {"prompt_id": "chat/explain_code", "model": "smollm2", "path": "v1/messages"}
"""What stands for a part of a path."""
KEPT = ("content-type", "x-request-id", "x-process-time", "x-streaming-format", "retry-after")
INTRODUCTION = """\
# A recorded run

Every endpoint of Homeport, asked once with the small embedded model behind it. Written by
`.venv/bin/python tools/recording.py` on {when}; long answers are cut where "…" stands. The model has 135 million
parameters, and answers like it: what this page shows is the form.
"""


@contextmanager
def running(folder: str) -> Iterator[str]:
    """`homeport up` in an empty folder; gives its address."""
    env = {
        **os.environ,
        "AIGW_GITLAB_URL": gitlab.URL,
        "HOMEPORT_DATA_DIR": folder,
        "HOMEPORT_METRICS_PORT": "0",
        "NO_COLOR": "1",
    }
    homeport = str(Path(sys.executable).with_name("homeport"))
    with subprocess.Popen(
        [homeport, "up", "--port", "0", "--json"],
        env=env,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 (asked for above)
        url = json.loads(process.stdout.readline())["url"]
        subprocess.run([homeport, "models", "edit", "smollm2", *SHORT], env=env, cwd=folder, check=True)
        time.sleep(2)  # until the server has seen it
        yield url
        process.terminate()


def ask(url: str, method: str, path: str, body: Any) -> tuple[int, dict[str, str], bytes, bool]:  # noqa: ANN401 (any JSON)
    """Status, headers, body and whether the body was whole."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
    headers = dict(line.split(": ", 1) if ": " in line else (line.rstrip(":"), "") for line in gitlab.HEADERS)
    headers |= {"authorization": f"Bearer {gitlab.token()}", "content-type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        try:
            return response.status, found, response.read(), True
        except http.client.IncompleteRead as broken:
            return response.status, found, broken.partial, False
    finally:
        connection.close()


def streaming(body: Any) -> list[Any]:  # noqa: ANN401 (any JSON)
    """The body as it is, and one that asks for a stream where that can be asked for."""
    if not isinstance(body, dict) or "stream" in body:
        return [body, {**body, "stream": not body["stream"]}] if isinstance(body, dict) else [body]
    return [body]


def told(method: str, path: str, body: Any, url: str) -> str:  # noqa: ANN401 (any JSON)
    """One request and its answer as Markdown."""
    status, headers, answer, whole = ask(url, method, path, body)
    asked = "" if body is None else "\n" + json.dumps(body, indent=2, ensure_ascii=False)
    kept = "\n".join(f"{name}: {headers[name]}" for name in KEPT if name in headers)
    text = answer.decode("utf-8", "replace").replace("\r\n", "\n")
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    end = "" if whole else "\n(the connection was cut here)"
    return f"````http\n{method} {path}{asked}\n````\n\n````http\n{status}\n{kept}\n\n{text.rstrip()}{end}\n````\n"


def sections(url: str) -> Iterator[str]:
    """Every operation of the API's own description."""
    described = json.loads(ask(url, "GET", "/openapi.json", None)[2])
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = content.get("example")
            filled = path
            for name, value in FILLED.items():
                filled = filled.replace(f"{{{name}}}", value)
            yield f"## {method.upper()} {path}\n\n{operation['summary']}\n"
            for each in streaming(body):
                yield told(method.upper(), filled, each, url)


def main() -> None:
    """Write the page."""
    with gitlab.issuing(), tempfile.TemporaryDirectory() as folder, running(folder) as url:
        parts = list(sections(url))
    introduction = INTRODUCTION.format(when=datetime.now(UTC).strftime("%Y-%m-%d"))
    PAGE.write_text("\n".join([introduction, *parts]))
    print(f"{PAGE}: {len(parts)} parts")


if __name__ == "__main__":
    main()
