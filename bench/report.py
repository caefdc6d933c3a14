"""Figures from runs, and the tables that show them: on a terminal and in the documentation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arithmetic import BUDGETS, differences, ratios, spread
from rich.table import Table
from scenarios import DISTURBED, SCENARIOS, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arithmetic import Spread
    from rich.console import Console

OURS = ("direct", "nginx", "homeport")
"""A run of these that had faults does not count; the others answer as well as they can, and that is shown."""
NOTHING = "-"
SLACK = 3.0
"""How many times a budget may be missed before the benchmark fails: an alarm for work done twice in a request.

The same code was 10 to 19 times nginx within a day of a shared machine."""
NOISE = 0.10
"""Share of the server's core in other hands from which a record calls itself noisy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A benchmark: where and when it ran, and all its runs."""

    when: str
    commit: str
    machine: str
    versions: Mapping[str, str]
    load_before: str
    load_after: str
    command: str
    runs: Sequence[Run]
    absent: Mapping[str, str] = field(default_factory=dict)
    """Targets that are not installed, and how to install them."""
    embedded: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Seconds of `homeport up` with its own model, by figure."""

    def json(self) -> dict[str, Any]:
        """All of it, raw."""
        return dataclasses.asdict(self)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Record:
        """The record that `json` wrote."""
        return cls(**{**data, "runs": [Run(**run) for run in data["runs"]]})


def _per(count: Callable[[Run], float]) -> Callable[[Run], float | None]:
    """CPU microseconds for each of what `count` counts."""
    return lambda run: run.cpu_us / count(run) if count(run) else None


def _good(run: Run) -> float:
    return float(run.load["good"])


def _percentile_ms(kind: str, rank: str) -> Callable[[Run], float | None]:
    return lambda run: run.load[kind][rank] / 1e3 if run.load[kind]["n"] else None


METRICS: Mapping[str, tuple[str, Callable[[Run], float | None]]] = {
    "request_us": ("ns_sat", _per(_good)),
    "requests_s": ("ns_sat", lambda run: run.load["good"] / run.load["seconds"]),
    "code_us": ("code_sat", _per(_good)),
    "chunk_us": ("st_10k", _per(lambda run: run.load["events"])),
    "cleaned_us": ("clean_10k", _per(lambda run: run.upstream["chunks"])),
    "p50_ms": ("ns_50", _percentile_ms("latency_us", "p50")),
    "p99_ms": ("ns_50", _percentile_ms("latency_us", "p99")),
    "first_ms": ("st_first", _percentile_ms("first_us", "p50")),
    "slow_mb": ("st_500", lambda run: run.peak_mb),
    "start_s": ("", lambda run: run.start_s),
    "idle_mb": ("", lambda run: run.idle_mb),
}
"""Figure → scenario it is taken from (empty: any) and how."""


def by_round(record: Record, target: str, metric: str, *, disturbed: bool = False) -> dict[int, float]:
    """A target's figure in each round, disturbed runs only if asked for; any-run figures get a number per run.

    A run in which a server of ours had faults is left out: it would look cheap.
    """
    scenario, value = METRICS[metric]
    runs = [run for run in record.runs if run.target == target and scenario in {"", run.scenario}]
    sound = [run for run in runs if not (run.faults and target in OURS) and (disturbed or not run.disturbed)]
    once = {value(run): run for run in sound}.values()  # runs in short turns share one start
    keyed = ((run.round if scenario else n, value(run)) for n, run in enumerate(sound if scenario else once))
    return {number: figure for number, figure in keyed if figure is not None}


def figure(record: Record, target: str, metric: str) -> Spread | None:
    """A target's figure over rounds; over disturbed ones where there is no other."""
    calm = by_round(record, target, metric)
    return spread((calm or by_round(record, target, metric, disturbed=True)).values())


def _neighbours(
    record: Record, ours: tuple[str, str], theirs: tuple[str, str]
) -> tuple[dict[int, float], dict[int, float]]:
    """Two servers' figures in rounds that both have; disturbed rounds where there is no other."""
    calm = by_round(record, *ours), by_round(record, *theirs)
    if calm[0].keys() & calm[1].keys():
        return calm
    return by_round(record, *ours, disturbed=True), by_round(record, *theirs, disturbed=True)


def _ratio(record: Record, ours: tuple[str, str], theirs: tuple[str, str]) -> Spread | None:
    return ratios(*_neighbours(record, ours, theirs))


def times_nginx(record: Record, target: str, metric: str, *, base: str = "") -> Spread | None:
    """How many times nginx's figure a target's is, in the same round."""
    return _ratio(record, (target, metric), ("nginx", base or metric))


def added(record: Record, target: str, metric: str) -> Spread | None:
    """What a target adds to asking the upstream directly, in the same round."""
    return differences(*_neighbours(record, (target, metric), ("direct", metric)))


def budget_figures(record: Record) -> dict[str, Spread | None]:
    """The figures that have budgets."""
    return {
        "request_nginx": times_nginx(record, "homeport", "request_us"),
        "chunk_nginx": times_nginx(record, "homeport", "chunk_us"),
        "code_nginx": times_nginx(record, "homeport", "code_us", base="request_us"),
        "cleaned_nginx": times_nginx(record, "homeport", "cleaned_us"),
        "litellm_request": _ratio(record, ("litellm", "request_us"), ("homeport", "request_us")),
        "litellm_chunk": _ratio(record, ("litellm", "chunk_us"), ("homeport", "chunk_us")),
        "added_p50_ms": added(record, "homeport", "p50_ms"),
        **{name: figure(record, "homeport", name) for name in ("start_s", "idle_mb", "slow_mb")},
        **{name: spread(record.embedded.get(name, ())) for name in ("restart_s", "first_token_s")},
    }


# ---- tables ----


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its title, column heads and rows of cells."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.2f}"


def cell(value: Spread | None, *, ranged: bool = True) -> str:
    """Median and range."""
    if value is None:
        return NOTHING
    if not ranged or value.rounds == 1:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)}-{number(value.high)})"


def _names(record: Record) -> list[str]:
    return list(dict.fromkeys(run.target for run in record.runs))


def _marked(record: Record, target: str) -> str:
    return f"{target} †" if any(run.faults for run in record.runs if run.target == target) else target


def cpu_sheet(record: Record) -> Sheet:
    """CPU of everybody, per request and per chunk."""
    heads = ("server", "µs per request", "x nginx", "requests/s", "µs per chunk", "x nginx")
    rows = [
        (
            _marked(record, name),
            cell(figure(record, name, "request_us")),
            cell(times_nginx(record, name, "request_us")),
            cell(figure(record, name, "requests_s"), ranged=False),
            cell(figure(record, name, "chunk_us")),
            cell(times_nginx(record, name, "chunk_us")),
        )
        for name in _names(record)
    ]
    return Sheet("CPU: chat completions, not streamed and streamed at 10,000 chunks/s", heads, rows)


def time_and_memory_sheet(record: Record) -> Sheet:
    """Latency that is added, start and memory."""
    heads = (
        *("server", "added p50, ms", "added p99, ms", "added first event, ms"),
        *("cold start, s", "idle, MB", "500 slow streams, MB"),
    )
    rows = [
        (
            _marked(record, name),
            *(cell(added(record, name, metric)) for metric in ("p50_ms", "p99_ms", "first_ms")),
            *(cell(figure(record, name, metric)) for metric in ("start_s", "idle_mb", "slow_mb")),
        )
        for name in _names(record)
        if name != "direct"
    ]
    return Sheet("Latency at 50 requests/s (first event: 20 streams/s), start, memory", heads, rows)


def own_sheet(record: Record) -> Sheet:
    """What Homeport does beyond relaying."""
    relay = ("homeport", "request_us"), ("homeport", "chunk_us")
    code, cleaned = ("homeport", "code_us"), ("homeport", "cleaned_us")
    rows = [
        (
            "code completion, POST /v2/code/completions, per request",
            cell(figure(record, *code)),
            cell(times_nginx(record, *code, base="request_us")),
            cell(_ratio(record, code, relay[0])),
        ),
        (
            "code completion with suffix, streamed and cleaned, per upstream chunk",
            cell(figure(record, *cleaned)),
            cell(times_nginx(record, *cleaned)),
            cell(_ratio(record, cleaned, relay[1])),
        ),
    ]
    return Sheet("Homeport: code completions beside relayed chat", ("what", "µs", "x nginx", "x relayed chat"), rows)


def budget_sheet(record: Record) -> Sheet:
    """Each budget, its figure and its outcome."""
    figures = budget_figures(record)
    rows = []
    for budget in BUDGETS:
        value = figures[budget.figure]
        bound = "≥" if budget.at_least else "≤"
        outcome = budget.outcome(value.median if value else None, slack=SLACK)
        rows.append((budget.what, f"{bound} {number(budget.limit)} {budget.unit}", cell(value), outcome))
    return Sheet("Budgets", ("what", "budget", "measured", "outcome"), rows)


def sheets(record: Record) -> list[Sheet]:
    """All tables, without those that have nothing to say."""
    own = own_sheet(record)
    measured = any(cells[1] != NOTHING for cells in own.rows)
    every = [cpu_sheet(record), time_and_memory_sheet(record), *([own] if measured else [])]
    return [*every, budget_sheet(record)]


def notes(record: Record) -> list[str]:
    """What a reader must know before believing the tables."""
    faulty = dict.fromkeys((run.target, run.scenario) for run in record.runs if run.faults)
    absent = (
        f"{name} is not installed, so it was left out. To install it: {how}" for name, how in record.absent.items()
    )
    return [*(_faults(record, *which) for which in faulty), *absent, *_noise(record)]


def _faults(record: Record, target: str, scenario: str) -> str:
    runs = [run for run in record.runs if (run.target, run.scenario) == (target, scenario)]
    faulty = [run for run in runs if run.faults]
    first = f"{faulty[0].load['good']} good, {faulty[0].faults}"
    said = next((run.load["sample"][:120] for run in faulty if run.load.get("sample")), "")
    answer = f"; it answered: {said}" if said else ""
    return f"† {target}, {scenario}: faults in {len(faulty)} of {len(runs)} runs, first {first}{answer}"


def _noise(record: Record) -> list[str]:
    loaded = [run for run in record.runs if run.load]
    others, disturbed = spread(run.others for run in loaded), sum(run.disturbed for run in loaded)
    found = []
    if others and others.median > NOISE:
        found.append(f"Noisy: other programs took {others.median:.0%} of the server's core (median over runs).")
    if disturbed:
        found.append(
            f"In {disturbed} of {len(loaded)} runs other programs took more than {DISTURBED:.0%} of the server's core; "
            "they count only where there is no quieter run."
        )
    return found


def failures(record: Record) -> list[str]:
    """Why a record is not good enough: budgets missed by far, faults of Homeport or of its measure."""
    figures = budget_figures(record)
    found = [f"{run.target}, {run.scenario}: {run.faults}" for run in record.runs if run.faults and run.target in OURS]
    for budget in BUDGETS:
        value = figures[budget.figure]
        if value and budget.outcome(value.median, slack=SLACK) == "broken":
            found.append(f"{budget.what}: {number(value.median)} {budget.unit}, budget {budget.limit}")
    return found


def show(record: Record, console: Console) -> None:
    """Print everything."""
    for sheet in sheets(record):
        table = Table(title=sheet.title, title_justify="left")
        for place, head in enumerate(sheet.heads):
            table.add_column(head, justify="right" if place else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    for note in notes(record):
        console.print(note, markup=False, soft_wrap=True)
    console.print(f"load average {record.load_before} before, {record.load_after} after; median (range over rounds)")


# ---- the page ----

INTRODUCTION = """\
What Homeport costs between a client and a model, beside a direct connection, nginx, LiteLLM and Portkey.
This page is written by `bench/run.py --full`; every figure on it was measured in that one run."""

HOW = """\
## How this is measured

- The server under test is pinned to one core; the load generator (`bench/load.c`) and the upstream that stands in for
  a model server (`bench/upstream.c`) share the other. All of them are on one machine and talk over 127.0.0.1.
- Each run starts its server anew, asks until the first good answer, warms up, and stops the server afterwards. Within
  each round and scenario the servers take turns, so every run has a neighbour; every other round the order is
  reversed. Requests that are not streamed are asked in turns of 0.6 s while all servers but the slow ones run, five
  turns a round: a machine that is shared changes within seconds.
- A ratio or a difference is always taken between two runs of the same turn. Tables give the median over turns and
  the range.
- CPU is that of the server's whole process tree, in nanoseconds from the kernel's scheduler; memory is the
  proportional set size of the tree.
- Homeport runs as `homeport gateway`, one process, with tokens as GitLab signs them (OIDC), metrics and one JSON log
  line per request on. nginx relays without logging (`bench/nginx.conf`). LiteLLM runs as a proxy with its master key
  and without a database; Portkey has no authentication.
- `homeport up` has all cores for itself and its model, asks for a completion of some 150 tokens of code, and is started
  once before, uncounted: what is installed and set up at the first start is there.
- The request is a chat of 6 KB with the code before and after a cursor (`bench/requests/`).

## How to read it

- Trust ratios, not microseconds: the same program's CPU moves by up to two times between machines and hours, its ratio
  to a neighbour much less.
- A server marked † did not answer everything: look at the notes first. Who answers half of the streams looks cheap.
- A budget is *held*, missed (*over*), or missed by more than three times (*broken*): the last fails the benchmark.
- Read p50. The p99 of a run of three seconds is mostly noise.
- Two cores, loopback, no TLS and no real model: a model's own time is a thousand times what is measured here.
- *direct* is the upstream's own CPU, without anything between.
- GitLab's AI Gateway, which Homeport replaces, was measured apart, once, on two cores like these: about 29 ms of CPU
  per completion, 25 s to start and 416 MB. No command here repeats that.

## How to repeat it

```
make bench-quick     # two minutes, without peers
sh bench/peers.sh    # installs LiteLLM and Portkey into bench/.peers
make bench           # everything, and writes this page
```
"""


def markdown(sheet: Sheet) -> str:
    """A sheet as a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (sheet.heads, ("---",) * len(sheet.heads), *sheet.rows)]
    return "\n".join([f"## {sheet.title}", "", *lines])


def _environment(record: Record) -> str:
    rounds = {
        name: len({run.round for run in record.runs if run.target == name})
        for name in _names(record)
        if name != "direct"
    }
    rows = [
        ("date", record.when),
        ("commit", record.commit),
        ("machine", record.machine),
        ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
        ("rounds", ", ".join(f"{name} {count}" for name, count in rounds.items())),
        ("load average", f"{record.load_before} before, {record.load_after} after"),
        ("command", f"`{record.command}`"),
    ]
    return markdown(Sheet("Where and when", ("", ""), rows))


def _scenarios(record: Record) -> str:
    used = {run.scenario for run in record.runs} | ({"up"} if record.embedded else set())
    rows = [(f"`{each.name}`", each.what) for each in SCENARIOS if each.name in used]
    return markdown(Sheet("Scenarios", ("name", "what is asked"), rows))


def page(record: Record) -> str:
    """The documentation page."""
    parts = [
        "# Benchmarks",
        INTRODUCTION,
        *(markdown(sheet) for sheet in sheets(record)),
    ]
    if told := notes(record):
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in told))
    return "\n\n".join([*parts, _environment(record), _scenarios(record), HOW])
