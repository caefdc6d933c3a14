"""Requests of the log for people and for programs, and the lines of log files that belong to one."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from homeport.cli._output import sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from homeport.kit.settings import Settings
    from homeport.store.log_search import Found, Tried

WIDTH = 50
"""Characters of a bar that takes the whole time."""
LINES = 100
"""Lines of log files about one request that are shown, the last ones."""

LONGEST = 300
"""Characters of a fact of a log line that people are shown."""


def document(found: Found) -> dict[str, Any]:
    """A request as a JSON document; times in milliseconds."""
    phases = [
        {"phase": each.name, "start_ms": each.start / 1000, "end_ms": each.end / 1000}
        for each in found.phases.segments()
    ]
    return {
        "correlation_id": found.correlation_id,
        "at": moment(found.at),
        "began": moment(found.began),
        **found.traits._asdict(),
        "ending": found.traits.ending,
        "took_ms": found.phases.took / 1000,
        "first_ms": found.phases.first / 1000 or None,
        "phases": phases,
        "prompt_tokens": found.prompt_tokens,
        "answer_tokens": found.answer_tokens,
        "received_bytes": found.received,
        "sent_bytes": found.sent,
        "tokens_estimated": found.estimated,
        "attempts": [_attempt(each) for each in found.tries()],
        "reported": list(found.reported),
        "context": [{"name": name, "characters": size} for name, size in found.context],
    }


def _attempt(tried: Tried) -> dict[str, Any]:
    begun = {} if tried.start is None else {"start_ms": tried.start / 1000, "end_ms": (tried.end or 0) / 1000}
    return {"model": tried.model, "outcome": tried.outcome, **begun, "took_ms": tried.took / 1000}


def moment(at: float) -> str:
    """A moment in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def row(found: Found) -> tuple[str, ...]:
    """A request as a row of a table; what callers may have made up cannot reach for the terminal."""
    traits = found.traits
    cells = (
        moment(found.at)[:19].replace("T", " "),
        traits.who or "-",
        traits.feature or traits.protocol or "-",
        traits.model or "-",
        str(traits.status),
        f"{traits.ending}: {traits.error_code}" if traits.error_code else traits.ending,
        f"{found.phases.took / 1000:.0f} ms",
        found.correlation_id,
    )
    return tuple(_plain(cell) for cell in cells)


def one_line(found: Found, *, as_json: bool) -> str:
    """A request on a line of its own."""
    return orjson.dumps(document(found)).decode() if as_json else "  ".join(row(found))


def shown(found: Sequence[Found], lines: Sequence[dict[str, Any]]) -> str:
    """All that is known of one id."""
    parts = [_life(each) for each in found]
    if lines:
        parts += [f"{each['file']}:\n{_facts(each['line'])}" for each in lines]
    return "\n\n".join(parts)


def _facts(line: str) -> str:
    """A line of a log file, a fact on each line; content may be long, and is whole in JSON."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return _short(line)
    return sheet((_plain(name), _short(value)) for name, value in found.items() if value not in (None, ""))


def _short(value: object) -> str:
    text = _plain(value if isinstance(value, str) else orjson.dumps(value).decode())
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]}… ({more} more characters: see --json)"


def _life(found: Found) -> str:
    traits = found.traits
    pairs = [
        ("request", found.correlation_id),
        ("began", moment(found.began)),
        ("outcome", f"{traits.ending} ({traits.outcome}, {traits.status})"),
        *((name, getattr(traits, name)) for name in ("error_code", "error", "who", "team", "token", "client")),
        ("sent to", traits.path and f"{traits.method} {traits.path}"),
        *((name, getattr(traits, name)) for name in ("protocol", "feature", "model", "platform", "family", "language")),
        ("tokens", _tokens(found)),
        ("suggestion", ", ".join(found.reported)),
        ("bytes", f"{found.received} in, {found.sent} out"),
        *(("context", f"{name}: {size} characters") for name, size in found.context),
    ]
    told = sheet((name, _plain(value)) for name, value in pairs if value)
    return "\n".join([told, "", *_waterfall(found)])


def _tokens(found: Found) -> str:
    if not found.prompt_tokens:
        return ""
    return f"{found.prompt_tokens} in, {found.answer_tokens} out{', estimated' if found.estimated else ''}"


def _waterfall(found: Found) -> Iterator[str]:
    """A bar for each phase, and for each attempt where one failed."""
    took = found.phases.took
    for each in found.phases.segments():
        yield f"{each.name:<12}│{_bar(each.start, each.end, took)}│ {(each.end - each.start) / 1000:.1f} ms"
    for number, tried in enumerate(found.tries(), 1):
        start, end, drawn = tried.start, tried.end, "█" if tried.outcome == "answered" else "░"
        drawn = _bar(0, 0, took, " ") if start is None or end is None else _bar(start, end, took, drawn)
        when = "" if start is None or end is None else f", {start / 1000:.1f} to {end / 1000:.1f} ms"
        told = _plain(f"{tried.model}: {tried.outcome} after {tried.took / 1000:.1f} ms{when}")
        yield f"{f'attempt {number}':<12}│{drawn}│ {told}"
    yield f"{'all of it':<12}│{'':{WIDTH}}│ {took / 1000:.1f} ms"


def _bar(start: int, end: int, took: int, drawn: str = "█") -> str:
    at, last = (moment * WIDTH // max(took, 1) for moment in (start, end))
    at = min(at, WIDTH - 1)
    return (" " * at + drawn * max(last - at, 1))[:WIDTH].ljust(WIDTH)


def named_files(settings: Settings) -> list[Path]:
    """The log files that the settings name."""
    return [file for file in (settings.log_file, settings.llm_log_file) if file is not None]


def lines_with(id_: str, files: Sequence[Path]) -> list[dict[str, Any]]:
    """The last lines of these files that hold the id, the one set aside before included."""
    found: deque[dict[str, Any]] = deque(maxlen=LINES)
    wanted = id_.encode("utf-8", "replace")
    for file in files:
        for each in (file.with_name(f"{file.name}.1"), file):
            if each.is_file():
                with each.open("rb") as lines:
                    found.extend(_line(each, line) for line in lines if wanted in line)
    return list(found)


def _line(file: Path, line: bytes) -> dict[str, Any]:
    return {"file": str(file), "line": line.decode("utf-8", "replace").rstrip("\n")}


def _plain(value: object) -> str:
    """Text that cannot reach for the terminal."""
    return "".join(char if char.isprintable() else "?" for char in str(value))
