"""What somebody waits for whose Homeport and model share one machine: a restart, and the first token."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from servers import START_LIMIT_S, CannotMeasure, get, spawn, stop
from targets import BUILD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

SCENARIO = "up"
PORT = 18286
ROUNDS = 4
DATA = BUILD / "up"
CODE = '''\
"""Stock of a warehouse: what is on which shelf, and what must be ordered."""

from dataclasses import dataclass


@dataclass
class {name}:
    """A place with a number, and how many things are there."""

    number: int
    count: int = 0

    def put(self, count: int) -> None:
        """Put some more of it there."""
        self.count += count

    def take(self, count: int) -> None:
        """Take some of it away; there are never fewer than none."""
        '''
NAMES = ("Shelf", "Box", "Pallet", "Drawer", "Rack", "Crate", "Bin", "Cabinet")
"""Two per round, so that no answer comes from the engine's memory of the last prompt alone."""


def measure(console: Console) -> Mapping[str, Sequence[float]]:
    """Seconds, by figure; the first start, which also sets everything up, is not counted."""
    found: dict[str, list[float]] = {"restart_s": [], "first_token_s": []}
    with _started():
        pass
    for number in range(ROUNDS):
        with _started() as start_s:
            first = [_first_token_s(CODE.format(name=name)) for name in NAMES[2 * number : 2 * number + 2]]
        found["restart_s"].append(start_s)
        found["first_token_s"] += first
        said = f"ready {start_s:.2f} s, first token {first[0]:.2f} s and {first[1]:.2f} s"
        console.print(f"round {number + 1}  {SCENARIO:<9} {'homeport':<9} {said}", highlight=False)
    return found


@contextmanager
def _started() -> Iterator[float]:
    """`homeport up` on every core that we may use; gives the seconds until it answered."""
    everywhere = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    command = (str(Path(sys.executable).with_name("homeport")), "up", "--port", str(PORT))
    environment = {"HOMEPORT_DATA_DIR": str(DATA), "HOMEPORT_METRICS_PORT": "-1"}
    began = time.monotonic()
    process = spawn(SCENARIO, command, core=everywhere, env=environment, port=PORT)
    try:
        while process.poll() is None and time.monotonic() - began < START_LIMIT_S:
            try:
                get(PORT, "/monitoring/healthz")
            except OSError:
                time.sleep(0.005)
            else:
                yield time.monotonic() - began
                return
        msg = f"homeport up did not start; see bench/.build/logs/{SCENARIO}.log"
        raise CannotMeasure(msg)
    finally:
        stop(process)


def _first_token_s(prompt: str) -> float:
    """Seconds from asking for a completion to the first piece of code."""
    token = (DATA / "token").read_text().strip()
    body = json.dumps({"prompt": prompt, "max_tokens": 16, "stream": True})
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    began = time.monotonic()
    try:
        connection.request("POST", "/v1/completions", body=body, headers=headers)
        for line in connection.getresponse():
            if line.startswith(b"data: {") and any(each["text"] for each in json.loads(line[6:])["choices"]):
                return time.monotonic() - began
    finally:
        connection.close()
    msg = f"The embedded model said nothing; see bench/.build/logs/{SCENARIO}.log"
    raise CannotMeasure(msg)
