"""Runs Homeport where nothing leaves: `python -m homeport.cli._sealed FOLDER`, one JSON document on standard output.

It serves the copy in FOLDER, lets `homeport doctor` ask it everything, and writes down each packet that would have
left. A process of its own, because there is no way back from a network namespace.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.diagnostics import _packets
from homeport.kit import sealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.diagnostics._packets import Packet

START_S, DOCTOR_S, QUIET_S, STOP_S = 60.0, 240.0, 5.0, 15.0
"""Until it serves; for the doctor; watched after that; until it is gone."""
ANSWER_S = 10.0
ASKED = (
    ("GET", "/", None),
    ("GET", "/docs", None),
    ("GET", "/console/sign-in", None),
    ("POST", "/v1/chat/completions", {"model": "chat", "messages": [{"role": "user", "content": "Say hello."}]}),
    (
        "POST",
        "/v1/completions",
        {"model": "code_completions", "prompt": "def add(a, b):", "suffix": "", "max_tokens": 8},
    ),
)
_LONGEST_PACKET = 65_536
NOT_ALLOWED = 3
"""Exit status where the system gives us no network of our own."""


def main(folder: Path) -> int:
    """Everything; gives the exit status."""
    try:
        tun = sealed.enter()
    except OSError as error:
        sys.stderr.write(error.strerror or str(error))
        return NOT_ALLOWED
    seen: Counter[Packet] = Counter()
    threading.Thread(target=_watch, args=(tun, seen), daemon=True).start()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(_homeport("serve"), stdout=log, stderr=log)  # noqa: S603 (ourselves)
        try:
            served = _serves(server, folder)
            words = _homeport("doctor", "--json")
            done = subprocess.run(words, capture_output=True, timeout=DOCTOR_S, check=False)  # noqa: S603 (ourselves)
            if served:
                _use()
            time.sleep(QUIET_S)
        finally:
            server.terminate()
            server.wait(STOP_S)
    sys.stdout.write(json.dumps({"served": served, "doctor": json.loads(done.stdout), "packets": _listed(seen)}))
    return 0


def _homeport(*words: str) -> Sequence[str]:
    return (sys.executable, "-P", "-c", "from homeport.cli import main; main()", *words)


def _watch(tun: int, seen: Counter[Packet]) -> None:
    while True:
        if packet := _packets.read(os.read(tun, _LONGEST_PACKET)):
            seen[packet] += 1


def _use() -> None:
    """Ask as editors and browsers do, whatever comes back."""
    sent = {"authorization": f"Bearer {os.environ['HOMEPORT_TOKEN']}", "content-type": "application/json"}
    for method, path, body in ASKED:
        line = http.client.HTTPConnection("127.0.0.1", int(os.environ["HOMEPORT_PORT"]), timeout=ANSWER_S)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(line):
            line.request(method, path, json.dumps(body) if body else None, sent)
            line.getresponse().read()


def _serves(server: subprocess.Popen[bytes], folder: Path) -> bool:
    """Whether it got as far as writing down where it answers."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        if (folder / "run.json").exists():
            return True
        time.sleep(0.1)
    return False


def _listed(seen: Counter[Packet]) -> list[dict[str, object]]:
    return [{**packet._asdict(), "count": count} for packet, count in seen.most_common()]


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
