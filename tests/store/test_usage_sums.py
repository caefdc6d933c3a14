"""Usage against requests that are counted one by one: whichever sums it is read from, both are the same."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING

from homeport.domain.entries import Entry, Offered, Phases, Traits
from homeport.store import request_log
from homeport.store.log_tables import BOUNDS_MS
from homeport.store.log_usage import BY, Asked, Used, percentile
from homeport.store.request_log import Kept, RequestLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

DAY = 86_400
NOW = time.time()
ENDS = {
    ("completed", ""): "",
    ("client_closed", ""): "cancelled",
    ("broken", "upstream_broken"): "failed",
    ("rejected", "upstream_timeout"): "failed",
    ("rejected", "bad_request"): "refused",
}
"""As what a request counts, by outcome and code."""
TEAMS = {"ada": "red", "bob": "red\nblue", "=cy()": "", "": "blue"}
NARROWED: tuple[dict[str, str], ...] = (
    *({"who": "bob"}, {"team": "red"}, {"feature": "chat"}, {"model": "small"}, {"language": "go"}),
    {"team": "blue", "model": "big"},
)
Counts = Counter[str | tuple[str, int]]


def made_up(chance: random.Random) -> Entry:
    """A request of the last forty days, most of them of the last one."""
    outcome, code = chance.choice(list(ENDS))
    who = chance.choice(list(TEAMS))
    traits = Traits(
        who=who,
        team=TEAMS[who],
        feature=chance.choice(["chat", "code_completions", ""]),
        model=chance.choice(["big", "small"]),
        language=chance.choice(["go", ""]),
        outcome=outcome,
        error_code=code,
    )
    offered = (Offered("small", "go", chance.randrange(5), chance.randrange(3)),) if chance.random() < 0.2 else ()
    phases = Phases(took=chance.randrange(10**8), first=chance.choice([0, chance.randrange(1, 10**7)]))
    at = NOW - chance.choice([1, 40]) * DAY * chance.random()
    return Entry(
        at,
        str(chance.random()),
        traits,
        phases,
        chance.randrange(99),
        chance.randrange(9),
        offered=offered,
        estimated=chance.random() < 0.5,
    )


def apart(entry: Entry) -> Iterator[tuple[float, Traits, Counts]]:
    """What a request counts for: itself, and what its editor says of suggestions."""
    traits, took, first = entry.traits, entry.phases.took, entry.phases.first
    counts: Counts = Counter(requests=1, prompt_tokens=entry.prompt_tokens, answer_tokens=entry.answer_tokens)
    counts[ENDS[traits.outcome, traits.error_code]] += 1
    counts["estimated"] = (entry.prompt_tokens + entry.answer_tokens) * entry.estimated
    counts["took", bisect_left(BOUNDS_MS, took / 1000)] += 1
    counts["first", bisect_left(BOUNDS_MS, first / 1000)] += first > 0
    counts.update({"took": took, "first": first})
    yield entry.at, traits, counts
    for each in entry.offered:
        told = traits._replace(model=each.model, language=each.language, outcome="", error_code="")
        yield entry.at, told, Counter(offered=each.offered, accepted=each.accepted)


def summed(entries: Sequence[Entry], asked: Asked) -> list[Used]:
    """What usage should tell of them."""
    groups: dict[tuple[int, str], Counts] = {}
    for at, traits, counts in (part for entry in entries for part in apart(entry)):
        start, teams = int(at) // asked.span * asked.span, traits.team.split("\n")
        in_time = int(asked.since) // asked.span * asked.span <= start < int(asked.until)
        alike = all(getattr(traits, name) == getattr(asked, name) for name in EXACT if getattr(asked, name))
        if not in_time or not alike or (asked.team and asked.team not in teams):
            continue
        of_team = [asked.team] if asked.team else teams
        for name in of_team if asked.by == "team" else [getattr(traits, asked.by) if asked.by else ""]:
            kept = groups.setdefault((start * asked.over_time, name), Counter())
            longest = {each: max(kept[each], counts[each]) for each in ("took", "first")}
            kept.update(counts)
            kept.update({each: longest[each] - kept[each] for each in longest})
    found = [used(start, name, counts) for (start, name), counts in groups.items()]
    return sorted(found, key=lambda each: (each.start, -each.requests, each.name))


EXACT = ("who", "feature", "model", "language")


def used(start: int, name: str, counts: Counts) -> Used:
    """As usage tells sums."""
    plain = {field: counts[field] for field in Used._fields if field not in {"name", "start", "took_ms", "first_ms"}}
    times = {}
    for what in ("took", "first"):
        buckets = [counts[what, number] for number in range(len(BOUNDS_MS) + 1)]
        times[f"{what}_ms"] = tuple(percentile(buckets, share, counts[what]) for share in (0.5, 0.95, 0.99))
        assert times[f"{what}_ms"][-1] <= round(counts[what] / 1000)
    return Used(name=name, start=start, **plain, **times)  # type: ignore[arg-type]  # fields by their names


def in_order(found: Sequence[Used]) -> list[Used]:
    """Sums of the same size are in the order of the database's letters."""
    return sorted(found, key=lambda each: (each.start, -each.requests, each.name))


async def same(log: RequestLog, entries: Sequence[Entry], days: float, chance: random.Random) -> None:
    """What may be asked is as counted one by one."""
    for by, over_time in product(("", *BY), (False, True)):
        asked = Asked(NOW - days * DAY, NOW + 1, by, over_time)
        for each in (asked, asked._replace(**chance.choice(NARROWED))):
            assert in_order(await log.usage(each)) == summed(entries, each), each


async def test_usage_is_as_counted_one_by_one(address: str, kept: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by two processes at once, which both add to the same sums; asked again after a new start."""
    monkeypatch.setattr(request_log, "PIECE", 2)
    chance = random.Random(8)  # noqa: S311 (made-up requests, the same each time)
    entries = [made_up(chance) for _ in range(200)]
    other = await RequestLog.open(address, Kept(days=1, usage_days=20))
    for at in range(0, len(entries), 100):
        for number, entry in enumerate(entries[at : at + 100]):
            (kept, other)[number % 2].enter(entry)
        await asyncio.gather(kept.settle(), other.settle())
    await same(kept, entries, 2, chance)
    await same(other, entries, 30, chance)
    await other.tidy()  # requests are forgotten after a day, and sums after twenty
    await other.close()
    again = await RequestLog.open(address)
    left = [entry for entry in entries if int(entry.at) // DAY * DAY >= int(time.time() - 20 * DAY)]
    assert len(left) < len(entries)
    await same(again, left, 40, chance)
    largest = Asked(NOW - 30 * DAY, NOW + 1, "who")
    whole, parts = await again.usage(largest), [largest._replace(first=first, most=3) for first in (0, 3, 6)]
    assert [await again.usage(part) for part in parts] == [whole[:3], whole[3:6], []]
    for each in (largest, largest._replace(team="red"), largest._replace(by="team"), largest._replace(who="nobody")):
        pieces = [piece async for piece in again.usage_pieces(each)]
        assert max(map(len, pieces), default=0) <= (2 if each.by == "who" else 3)
        assert in_order([one for piece in pieces for one in piece]) == in_order(await again.usage(each))
    await again.close()
