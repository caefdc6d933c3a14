"""What is asked of each server, and one run of it."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import machine
from servers import get
from targets import BUILD, HERE, UPSTREAM_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servers import Server

CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A kind of load."""

    name: str
    what: str
    request: str = "chat"
    """A file of bench/requests."""
    path: str = CHAT
    asks: Mapping[str, Any] = field(default_factory=dict)
    """Fields that the request gets for this scenario."""
    load: tuple[str, ...] = ()
    """Arguments of the load generator; empty: only start and stop."""
    warm: tuple[str, ...] = ()
    """The same for a short run before, which is not counted."""
    only: tuple[str, ...] = ()
    """Names of the targets it is for; empty means all."""
    most_rounds: int = 99
    slices: int = 1
    """Runs in a round. Several: all servers run at once and take short turns, so that each meets the same machine."""


def _asks(chunks: int, pause_ms: int) -> dict[str, Any]:
    usage = {"stream_options": {"include_usage": True}}
    return {"max_tokens": chunks, "seed": pause_ms, "stream": True, **usage}


WHOLE = {"max_tokens": 16, "seed": 0, "stream": False}
CLOSED = ("--connections", "32", "--seconds", "0.6")
CLOSED_WARM = ("--connections", "32", "--seconds", "0.5")
BUSY = ("--stream", "--connections", "200", "--requests", "200", "--ramp", "200", "--seconds", "8", "--grace", "4")
BUSY_WARM = ("--stream", "--connections", "40", "--requests", "40", "--seconds", "4", "--grace", "2")
WARM_CHUNKS = 20
DISTURBED = 0.2
"""Share of the server's core: a server that has to wait for it finds several chunks at once, which is cheaper."""
RELAYED = (*BUSY, "--events", "100")

SCENARIOS = (
    Scenario(
        name="ns_sat",
        what="chat, not streamed, 32 connections, closed loop",
        asks=WHOLE,
        load=CLOSED,
        warm=CLOSED_WARM,
        slices=5,
    ),
    Scenario(
        name="code_sat",
        what="code completion through POST /v2/code/completions, 32 connections, closed loop",
        request="code",
        path="/v2/code/completions",
        load=CLOSED,
        warm=CLOSED_WARM,
        slices=5,
        only=("homeport",),
    ),
    Scenario(
        name="ns_50",
        what="chat, not streamed, 50 requests a second, open loop",
        asks=WHOLE,
        load=("--connections", "256", "--rate", "50", "--seconds", "3"),
        warm=("--connections", "4", "--seconds", "0.3"),
    ),
    Scenario(
        name="st_10k",
        what="chat, 200 streams of 100 chunks, 20 ms apart: 10,000 chunks a second",
        asks=_asks(100, 20),
        load=RELAYED,
        warm=BUSY_WARM,
    ),
    Scenario(
        name="clean_10k",
        what="code completion with suffix, cleaned as it streams, the same pace",
        request="completion",
        path="/v1/completions",
        asks=_asks(100, 20),
        load=BUSY,
        warm=BUSY_WARM,
        only=("nginx", "homeport"),
    ),
    Scenario(
        name="st_first",
        what="chat, 20 new streams a second, 10 chunks each: the first event",
        asks=_asks(10, 20),
        load=("--stream", "--connections", "256", "--rate", "20", "--seconds", "3", "--events", "10"),
        warm=BUSY_WARM,
    ),
    Scenario(
        name="st_500",
        what="chat, 500 streams of 16 chunks, 500 ms apart: memory",
        asks=_asks(16, 500),
        load=(
            *("--stream", "--connections", "500", "--requests", "500", "--ramp", "500", "--seconds", "10"),
            *("--grace", "2", "--events", "16"),
        ),
        most_rounds=2,
    ),
    Scenario(
        name="up",
        what="`homeport up` with the embedded model: started again, then code completions, streamed: the first token",
        only=("homeport up",),
    ),
    Scenario(name="start", what="start, first good answer, stop; every other run measures this too"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one scenario against one server."""

    scenario: str
    target: str
    round: int
    start_s: float
    idle_mb: float
    peak_mb: float = 0.0
    cpu_us: float = 0.0
    """CPU microseconds of the server's process tree during the run."""
    load: Mapping[str, Any] = field(default_factory=dict)
    """What the load generator said."""
    upstream: Mapping[str, int] = field(default_factory=dict)
    """What the upstream counted meanwhile."""
    others: float = 0.0
    """Share of the server's core that other programs took."""

    @property
    def disturbed(self) -> bool:
        """Whether other programs took so much of the server's core that the figure says little."""
        return self.others > DISTURBED

    @property
    def faults(self) -> str:
        """What went wrong, in words; empty when all was well."""
        counts = ((self.load.get(kind, 0), kind) for kind in ("bad", "errors", "unfinished"))
        return ", ".join(f"{count} {kind}" for count, kind in counts if count)


def body(scenario: Scenario, **changes: object) -> bytes:
    """The request body of a scenario."""
    base = json.loads((HERE / "requests" / f"{scenario.request}.json").read_text())
    return json.dumps({**base, **scenario.asks, **changes}, separators=(",", ":")).encode()


def _command(scenario: Scenario, server: Server, core: int, *, warm: bool) -> list[str]:
    file = BUILD / f"{scenario.name}.json"
    short = {"max_tokens": WARM_CHUNKS} if warm and scenario.asks.get("stream") else {}
    file.write_bytes(body(scenario, **short))
    arguments = scenario.warm if warm else scenario.load
    headers = [part for header in server.target.headers for part in ("--header", header)]
    where = ["--port", str(server.target.port), "--path", scenario.path, "--body", str(file)]
    return ["taskset", "-c", str(core), str(BUILD / "load"), *where, *headers, *arguments]


def _counted() -> dict[str, int]:
    counts: dict[str, int] = json.loads(get(UPSTREAM_PORT, "/stats"))
    return counts


def _watched(process: subprocess.Popen[str], pid: int) -> float:
    """The most memory that the server had while the load ran, in MB."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, machine.pss_mb(pid))
        time.sleep(0.25)
    return peak


def _load(command: list[str], *, watch: int | None = None) -> tuple[dict[str, Any], float]:
    """Run the load generator; gives what it said and, of a watched process, the most memory in MB."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = _watched(process, watch) if watch else 0.0
        said, _ = process.communicate()
    if process.returncode:
        msg = f"the load generator ended with status {process.returncode}: {' '.join(command)}"
        raise RuntimeError(msg)
    answer: dict[str, Any] = json.loads(said)
    return answer, peak


def run(scenario: Scenario, server: Server, *, number: int, cores: tuple[int, int], warm: bool = True) -> Run:
    """Warm up, load, count."""
    known: dict[str, Any] = {"scenario": scenario.name, "target": server.target.name, "round": number}
    known |= {"start_s": server.start_s, "idle_mb": server.idle_mb}
    if not scenario.load:
        return Run(**known)
    if warm and scenario.warm:
        _load(_command(scenario, server, cores[1], warm=True))
    core = cores[0] if server.target.command else cores[1]
    command = _command(scenario, server, cores[1], warm=False)
    seen, busy, cpu, began = _counted(), machine.busy_s(core), machine.cpu_ns(server.pid), time.monotonic()
    said, peak = _load(command, watch=server.pid if scenario.name == "st_500" else None)
    used, passed = machine.cpu_ns(server.pid) - cpu, time.monotonic() - began
    others = max(0.0, machine.busy_s(core) - busy - used / 1e9) / passed if server.target.command else 0.0
    counted = {key: value - seen[key] for key, value in _counted().items()}
    return Run(**known, peak_mb=peak, cpu_us=used / 1e3, load=said, upstream=counted, others=others)
