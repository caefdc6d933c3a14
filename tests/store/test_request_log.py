"""The request log on both databases: what is entered is found again, and what is too old or too much is gone."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from databases import everything_locked, run_sql, sqlite_path

from homeport.domain.entries import Content, Entry, Exchange, Offered, Phases, Report, Traits
from homeport.domain.errors import StoreBusy, StoreSchema, StoreUnavailable
from homeport.store import engine, log_rows, log_search, request_log
from homeport.store.log_search import Sought, Tried
from homeport.store.log_tables import LONGEST, VERSION
from homeport.store.log_upgrade import TEXTS_1
from homeport.store.log_usage import Asked, percentile
from homeport.store.request_log import Kept, RequestLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = time.time()
DAY = 86_400


def entry(number: int = 0, at: float = NOW, *, took: int = 200_000, **traits: object) -> Entry:
    """A request like many others."""
    usual: dict[str, object] = {"who": "ada", "feature": "chat", "model": "big", "status": 200, "outcome": "completed"}
    phases = Phases(took, 300, 0, 900, 0, took // 2, took - 100)
    return Entry(at, f"id-{number}", Traits(**(usual | traits)), phases, 100, 20, 512, 64)  # type: ignore[arg-type]


async def filled(log: RequestLog, *entries: Entry) -> None:
    """Enter these and wait until they are written."""
    for each in entries:
        log.enter(each)
    await log.settle()


def numbers(found: object) -> list[int]:
    """Which they are, by their ids."""
    return [int(each.correlation_id.removeprefix("id-")) for each in found]  # type: ignore[attr-defined]


async def test_everything_that_was_entered_comes_back(kept: RequestLog) -> None:
    traits = Traits(*"abcdefghij", 502, "rejected", "upstream_timeout", "It took too long.", "POST", "/x")  # type: ignore[arg-type]
    phases = Phases(*range(1, 8))
    content = Content("/v1/completions", '{"prompt": "x"}', "y", (Exchange("big", "<x>", "y"),))
    tried = '[{"model":"small","error":"upstream_timeout","duration_s":1.5}]'
    await filled(kept, Entry(NOW, "abc", traits, phases, 1, 2, 3, 4, tried, (), content, estimated=True))
    (found,) = await kept.find("abc")
    assert found.at == pytest.approx(NOW, abs=0.001)
    assert (found.traits, found.phases) == (traits, phases)
    assert (found.prompt_tokens, found.answer_tokens, found.received, found.sent) == (1, 2, 3, 4)
    assert found.attempts == [{"model": "small", "error": "upstream_timeout", "duration_s": 1.5}]
    assert found.tries() == [Tried("small", None, None, "upstream_timeout", 1_500_000)]  # it began, nobody knows when
    assert found.estimated
    (sums,) = await kept.usage(Asked(NOW - DAY, NOW + 1))
    assert (sums.prompt_tokens, sums.answer_tokens, sums.estimated) == (1, 2, 3)
    assert await kept.content(found.row) == content
    assert await kept.content(found.row - 1) is None
    assert await kept.find("abd") == []


async def test_other_files_that_a_prompt_showed_are_named_and_forgotten_with_it(address: str) -> None:
    log = await RequestLog.open(address, Kept(days=2, content_days=1))
    shown = (("src/shop/stock.py", 120), ("weird \u0000 name\ud800", 3))
    ages = (3, 1.5, 0)
    await filled(log, *(entry(1, NOW - age * DAY)._replace(context=shown) for age in ages), entry(2))
    named = (("src/shop/stock.py", 120), ("weird ? name?", 3))
    assert [each.context for each in await log.find("id-1")] == [named] * 3
    assert [each.context for each in await log.find("id-2")] == [()]
    assert await log.tidy() == 1
    assert [each.context for each in await log.find("id-1")] == [named, ()]
    await log.close()


async def test_requests_with_one_id_are_all_found_newest_first(kept: RequestLog) -> None:
    await filled(kept, entry(1, who="a"), entry(1, NOW + 1, who="b"), entry(2))
    assert [each.traits.who for each in await kept.find("id-1")] == ["b", "a"]


@pytest.mark.parametrize("near", [0, 3000])
async def test_filters_alone_and_together(kept: RequestLog, near: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rare and frequent ones are looked for in different ways, and found alike."""
    monkeypatch.setattr(log_search, "NEAR", near)
    many = [
        entry(
            number,
            NOW - 1000 + number,
            who=("ada", "bob")[number % 2],
            model=("big", "small", "tiny")[number % 3],
            status=502 if number % 5 == 0 else 200,
            error_code="upstream_timeout" if number % 5 == 0 else "",
            outcome="rejected" if number % 5 == 0 else "client_closed" if number % 7 == 1 else "completed",
            error=f"It took {number % 10} s: 100%." if number % 5 == 0 else "",
        )
        for number in range(60)
    ]
    await filled(kept, *many)

    async def of(limit: int = 100, **wanted: object) -> list[int]:
        return numbers(await kept.search(Sought(**wanted), limit))  # type: ignore[arg-type]

    def expected(true: object) -> list[int]:
        return [number for number in reversed(range(60)) if true(number)]  # type: ignore[operator]

    assert await of() == expected(lambda _: True)
    assert await of(7) == list(range(59, 52, -1))
    assert await of(who="bob") == expected(lambda n: n % 2)
    assert await of(who="bob", model="tiny") == expected(lambda n: n % 2 and n % 3 == 2)
    assert (
        await of(status="failed") == await of(status="5xx") == await of(status="502") == expected(lambda n: n % 5 == 0)
    )
    assert await of(status="left") == expected(lambda n: n % 5 and n % 7 == 1)
    assert await of(status="answered") == expected(lambda n: n % 5 and n % 7 != 1)
    assert await of(status="refused") == []
    assert await of(text="TOOK 5 S: 100%") == expected(lambda n: n % 10 == 5)
    assert await of(text="timeout", who="ada") == expected(lambda n: n % 10 == 0)
    assert await of(text="100_") == await of(who="nobody") == await of(model="big", feature="code_completions") == []
    rows = dict(zip(range(60), sorted(each.row for each in await kept.search(Sought(), 100)), strict=True))
    assert await of(4, who="ada", below=rows[30]) == [28, 26, 24, 22]
    assert await of(who="ada", above=rows[50]) == [58, 56, 54, 52]
    assert await of(model="big", since=NOW - 980, until=NOW - 970) == [27, 24, 21]
    assert await of(2, status="failed", below=rows[40], above=rows[3]) == [35, 30]


async def test_names_that_may_be_chosen(kept: RequestLog) -> None:
    await filled(kept, entry(1, model="b"), entry(2, model="a"), entry(3, model=""))
    assert await kept.names("model") == ["a", "b"]
    await filled(kept, entry(4, model="c"))
    assert await kept.names("model") == ["a", "b", "c"]


async def test_pages_follow_each_other_without_a_gap(kept: RequestLog) -> None:
    await filled(kept, *(entry(number, NOW, who="ada" if number % 3 else "bob") for number in range(50)))
    seen: list[int] = []
    below = 0
    while found := await kept.search(Sought(who="ada", below=below), 7):
        seen += numbers(found)
        below = found[-1].row
    assert seen == [number for number in reversed(range(50)) if number % 3]


async def test_what_a_caller_makes_up_does_not_break_or_fill_it(kept: RequestLog) -> None:
    await filled(kept, entry(1, who="a\0b\ud800", client="x" * 5000, error="e" * 5000, error_code="c"))
    (found,) = await kept.find("id-1")
    assert found.traits.who == "a?b?"
    assert (len(found.traits.client), len(found.traits.error)) == (200, 500)
    await filled(kept, *(entry(2, client=f"client{number}") for number in range(400)))
    assert len(await kept.names("client")) == log_rows.CLIENTS + 1
    assert (await kept.find("id-2"))[0].traits.client == "other"


async def test_usage_by_everything(kept: RequestLog) -> None:
    hour = NOW // 3600 * 3600
    await filled(
        kept,
        entry(1, hour, who="ada", took=100_000),
        entry(2, hour + 1, who="ada", took=300_000, model="small"),
        entry(3, hour - 3600, who="bob", status=502, outcome="rejected", error_code="upstream_timeout"),
        entry(4, hour - 3600, who="bob", status=499, outcome="client_closed"),
        entry(5, hour - 10 * DAY, who="bob"),
        entry(6, hour)._replace(offered=(Offered("small", "go", 10, 4),)),
    )
    today = Asked(hour - 7200, hour + 3600)
    (whole,) = await kept.usage(today)
    assert (whole.requests, whole.failed, whole.cancelled) == (5, 1, 1)
    assert (whole.prompt_tokens, whole.answer_tokens, whole.offered, whole.accepted) == (500, 100, 10, 4)
    assert 75 < whole.took_ms[0] <= 200
    assert 200 < whole.took_ms[1] <= 300
    who = {each.name: each.requests for each in await kept.usage(today._replace(by="who"))}
    assert who == {"ada": 3, "bob": 2}
    causes = {each.name: each.requests for each in await kept.usage(today._replace(by="error_code"))}
    assert causes == {"": 4, "upstream_timeout": 1}
    models = {each.name: (each.requests, each.accepted) for each in await kept.usage(today._replace(by="model"))}
    assert models == {"big": (4, 0), "small": (1, 4)}
    (of_go,) = await kept.usage(today._replace(language="go"))
    assert (of_go.requests, of_go.offered) == (0, 10)
    times = [(each.start, each.requests) for each in await kept.usage(today._replace(over_time=True))]
    assert times == [(hour - 3600, 2), (hour, 3)]
    assert sum(each.requests for each in await kept.usage(Asked(hour - 20 * DAY, hour + DAY, by="who"))) == 6
    assert await kept.usage(Asked(hour - 40 * DAY, hour - 30 * DAY)) == []


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [([0] * 16, 0.5, 0), ([10] + [0] * 15, 0.5, 12), ([0] * 15 + [1], 0.99, 40_000), ([1, 0, 1] + [0] * 13, 0.95, 95)],
)
def test_percentiles(counts: list[int], share: float, expected: int) -> None:
    assert percentile(counts, share) == expected


async def test_what_doctor_asks_is_written_down_and_not_counted(kept: RequestLog) -> None:
    await filled(kept, entry(1), entry(2, client="homeport-doctor", model="spare"), entry(3, client="VS Code"))
    assert numbers(await kept.search(Sought(client="homeport-doctor"), 10)) == [2]
    for by in ("", "model", "who"):
        assert [each.requests for each in await kept.usage(Asked(NOW - DAY, NOW + 60, by))] == [2]
    assert [
        sum(each.requests for each in await kept.lately(NOW + 1, by_hour=by_hour)) for by_hour in (False, True)
    ] == [2, 2]


async def test_no_percentile_is_longer_than_the_slowest(kept: RequestLog) -> None:
    hour = NOW // 3600 * 3600
    times = (210_000, 220_000, 230_400)
    await filled(kept, *(entry(number, hour, who="ada", took=took) for number, took in enumerate(times)))
    await filled(kept, entry(9, hour - 3600, who="bob", took=101_000))
    day = Asked(hour - 4 * DAY, hour + 3600)
    for asked in (day, Asked(hour - 7200, hour + 3600), day._replace(by="who"), day._replace(by="who", model="big")):
        longest = max(await kept.usage(asked), key=lambda each: each.took_ms[2])
        assert 220 < longest.took_ms[2] <= 230
    (of_bob,) = await kept.usage(day._replace(who="bob"))
    assert of_bob.took_ms == (100, 101, 101)


async def test_what_is_too_old_goes(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log.log_retention, "BITE", 3)
    monkeypatch.setattr(request_log.log_retention, "PAUSE_S", 0)
    log = await RequestLog.open(address, Kept(days=2, content_days=1, usage_days=5))
    said = Content("/v1", "{}", "y")
    old = [entry(number, NOW - 3 * DAY + number, who="old")._replace(content=said) for number in range(10)]
    await filled(log, *old, entry(90, NOW - 1.5 * DAY)._replace(content=said), entry(91)._replace(content=said))
    assert await log.tidy() == 10
    found = await log.search(Sought(), 100)
    assert numbers(found) == [91, 90]
    assert [await log.content(each.row) is not None for each in found] == [True, False]
    assert await log.names("who") == ["ada"]
    assert sum(each.requests for each in await log.usage(Asked(NOW - 4 * DAY, NOW + DAY))) == 12
    assert await log.tidy() == 0
    await log.close()


async def test_keeping_less_counts_at_once(address: str) -> None:
    log = await RequestLog.open(address, Kept(days=5))
    await filled(log, entry(1, NOW - 3 * DAY), entry(2))
    tidying = asyncio.create_task(log.tidy_up())

    async def left(*wanted: int) -> bool:
        return numbers(await log.search(Sought(), 10)) == list(wanted)

    assert await left(2, 1)
    log.keep(Kept(days=2))
    async with asyncio.timeout(20):
        while not await left(2):  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0)
    tidying.cancel()
    await asyncio.wait([tidying])
    await log.close()


async def test_what_is_too_much_goes_the_oldest_first(address: str) -> None:
    log = await RequestLog.open(address, Kept(rows=25, content_bytes=100))
    hour = NOW // 3600 * 3600
    said = Content("", "x" * 40, "")
    await filled(log, *(entry(number, hour - 3600 * (50 - number))._replace(content=said) for number in range(50)))
    await log.tidy()
    found = numbers(await log.search(Sought(), 100))
    assert found == list(range(49, 49 - len(found), -1))
    assert 24 <= len(found) <= 27
    said_still = [
        number for number in range(50) for each in await log.find(f"id-{number}") if await log.content(each.row)
    ]
    assert said_still == [48, 49]
    await log.close()


@asynccontextmanager
async def locked(address: str) -> AsyncIterator[None]:
    """Somebody keeps everybody else away from the log."""
    if address.startswith("sqlite"):
        async with everything_locked(address):
            yield
        return
    async with engine.disposed(engine.connect(address)) as other, engine.writing(other) as connection:
        await connection.exec_driver_sql("LOCK TABLE requests IN ACCESS EXCLUSIVE MODE")
        yield


async def test_a_locked_log_is_written_later_and_loses_nothing(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PATIENCE_S": 2.0, "TOGETHER_S": 0.0, "AGAIN_S": 0.01}.items():
        monkeypatch.setattr(request_log, name, value)
    log = await RequestLog.open(address)
    async with locked(address):
        log.enter(entry(1))
        with pytest.raises(StoreBusy):
            await log.settle()
        log.enter(entry(2))
    following = asyncio.create_task(log.follow())
    async with asyncio.timeout(10):
        while len(await log.search(Sought(), 10)) < 2:  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.01)
    following.cancel()
    assert log.lost == 0
    assert numbers(await log.search(Sought(), 10)) == [2, 1]
    await log.close()


async def test_a_batch_that_takes_too_long_is_given_up(kept: RequestLog) -> None:
    """PostgreSQL would wait for the rest of it, and we for the end of the transaction, for ever."""
    if kept._engine.dialect.name == "sqlite":  # noqa: SLF001 (its threads are given up otherwise)
        return
    draft = log_rows.Draft()
    kept._rows.add(draft, [entry(number) for number in range(20_000)])  # noqa: SLF001 (more than the program takes)
    options = kept._engine.sync_engine.update_execution_options  # noqa: SLF001 (no database is that slow)
    options(within_s=0.3)
    async with asyncio.timeout(20):
        with pytest.raises(StoreUnavailable):
            await kept._write(draft.batch())  # noqa: SLF001 (see above)
        options(within_s=10)
        await filled(kept, entry(1))
    assert numbers(await kept.search(Sought(), 10)) == [1]


async def test_a_full_queue_loses_the_oldest_and_counts_them(kept: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "WAITING", 3)
    await filled(kept, *(entry(number) for number in range(5)))
    assert kept.lost == 2
    assert numbers(await kept.search(Sought(), 10)) == [4, 3, 2]


async def test_content_that_waits_does_not_fill_the_memory(kept: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "CONTENT_WAITING", 100)
    said = Content("/v1/completions", "b" * 20, "a" * 10, (Exchange("big", "p" * 8, "q" * 2),))
    for _ in range(2):  # what was written makes room again
        await filled(kept, *(entry(number)._replace(content=said) for number in range(4)))
    assert (kept.lost, kept.lost_content) == (0, 4)
    found = await kept.search(Sought(), 10)
    assert len([each for each in found if await kept.content(each.row)]) == 4
    assert len(found) == 8


async def test_everybody_counts_for_their_teams(kept: RequestLog) -> None:
    """Of several, for each: a name may hold anything but the end of a line."""
    both = "100%_, a\nred"
    long = "\n".join(f"team {number:03} {'x' * 60}" for number in range(9))
    told = (entry(1, team="blue"), entry(2, who="bob"), entry(3, team="red"), entry(4, team=both), entry(5, team=long))
    await filled(kept, *told)
    today = Asked(NOW - DAY, NOW + 60, "team")
    used = {each.name: (each.requests, each.took_ms[0] > 0) for each in await kept.usage(today)}
    few = dict.fromkeys(long.split("\n")[:2], (1, True))
    assert used == {"blue": (1, True), "": (1, True), "red": (2, True), "100%_, a": (1, True), **few}
    assert [each.name for each in await kept.usage(today._replace(team="red"))] == ["red"]
    assert [each.requests for each in await kept.usage(today._replace(by="", team="100%_, a"))] == [1]
    times = await kept.usage(today._replace(over_time=True, team="red"))
    assert [(each.name, each.requests) for each in times] == [("red", 2)]
    assert numbers(await kept.search(Sought(team="red"), 10)) == [4, 3]
    assert await kept.search(Sought(team="100%"), 10) == []
    assert await kept.names("team") == sorted(["blue", "red", "100%_, a", *few])


async def test_reports_of_suggestions_are_kept_with_their_request_and_as_long(address: str) -> None:
    log = await RequestLog.open(address, Kept(days=2))
    traits = Traits(who="ada", feature="code_completions", model="big", language="go")
    for number, at in enumerate((NOW - 3 * DAY, NOW)):
        log.enter(entry(number, at))
        for what, offered, accepted in (("shown", 1, 0), ("accepted", 0, 1)):
            log.enter(Report(at + 1, f"id-{number}", traits, what, offered, accepted))
    await log.settle()
    assert [each.reported for number in range(2) for each in await log.find(f"id-{number}")] == [
        ("shown", "accepted"),
        ("shown", "accepted"),
    ]
    (used,) = await log.usage(Asked(NOW - DAY, NOW + 60, "language", language="go"))
    assert (used.name, used.requests, used.offered, used.accepted) == ("go", 0, 1, 1)
    assert await log.tidy() == 1
    log.enter(entry(0))
    await log.settle()
    assert [(await log.find(each))[0].reported for each in ("id-0", "id-1")] == [(), ("shown", "accepted")]
    await log.close()


@pytest.mark.parametrize(
    "sought",
    [
        Sought(since=9e15),
        Sought(until=9e15),
        Sought(since=-9e15),
        Sought(until=-9e15),
        Sought(below=2**70),
        Sought(above=2**70),
        Sought(who="\0"),
        Sought(text="\0"),
        Sought(model="'; DROP TABLE requests--"),
        Sought(text="%_\\"),
    ],
)
async def test_what_nobody_should_look_for(kept: RequestLog, sought: Sought) -> None:
    await filled(kept, entry(1))
    assert len(await kept.search(sought, 10)) <= 1
    assert not await kept.find("id-1\0")
    assert len(await kept.find("id-1")) == 1


async def test_what_waits_is_written_at_the_end(address: str) -> None:
    log = await RequestLog.open(address)
    log.enter(entry(1))
    await log.close()
    again = await RequestLog.open(address)
    assert numbers(await again.search(Sought(), 10)) == [1]
    await again.close()


async def test_what_is_being_written_at_the_end_is_written(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "TOGETHER_S", 0.0)
    log = await RequestLog.open(address)
    for number in range(900):
        log.enter(entry(number))
    following = asyncio.create_task(log.follow())
    while log.waiting > 600:  # noqa: ASYNC110 (in the middle of writing, which has no event)
        await asyncio.sleep(0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await log.close()
    again = await RequestLog.open(address)
    assert len(await again.search(Sought(), 1000)) == 900
    await again.close()


@pytest.mark.usefixtures("kept")
async def test_the_log_of_a_newer_program_is_left_alone(address: str) -> None:
    await run_sql(address, "UPDATE log_version SET number = 99")
    with pytest.raises(StoreSchema, match="version 99"):
        await RequestLog.open(address)


async def test_an_older_log_is_brought_up_to_date(address: str) -> None:
    """Version 1 had every text in each kind; what was in it is found as before, and goes on being added to."""
    log = await RequestLog.open(address)
    failing = {"status": 502, "outcome": "rejected", "error_code": "upstream_timeout"}
    many = [
        entry(number, who=f"u{number % 7}", **(failing if number % 3 else {}), error=f"It took {number % 5} s.")
        for number in range(60)
    ]
    await filled(log, *many)
    before = await log.search(Sought(), 100)
    used = await log.usage(Asked(NOW - DAY, NOW + DAY, "who"))
    await log.close()
    texts = ", ".join(name for name in TEXTS_1 if name != "error")
    await run_sql(
        address,
        f"CREATE TABLE request_kinds AS SELECT k.id, first, last, {texts}, status, error FROM logged_kinds k "  # noqa: S608 (our names)
        "JOIN logged_origins o ON o.id = origin JOIN logged_endings e ON e.id = ending",
        *(f"DROP TABLE {name}" for name in ("logged_kinds", "logged_origins", "logged_endings", "usage_sums")),
        "UPDATE log_version SET number = 1",
        *(f"ALTER TABLE {name} DROP COLUMN estimated" for name in ("requests", "usage")),
        f"UPDATE requests SET key = {log_rows.key('id-7', NOW, DAY)} WHERE correlation_id = 'id-7'",  # noqa: S608 (numbers)
    )
    again = await asyncio.gather(RequestLog.open(address), RequestLog.open(address))
    assert await again[0].search(Sought(), 100) == before
    assert await again[0].find("id-7") == [each for each in before if each.correlation_id == "id-7"]
    assert await run_sql(address, "SELECT number FROM log_version") == [(VERSION,)]
    await asyncio.gather(*(each.catch_up() for each in again))
    assert await again[0].usage(Asked(NOW - DAY, NOW + DAY, "who")) == used
    await filled(again[1], *many)
    assert len(await again[0].search(Sought(who="u3", text="took 2 s"), 100)) == 2 * len(
        [number for number in range(60) if number % 7 == 3 and number % 5 == 2 and number % 3]
    )
    assert len(await run_sql(address, "SELECT id FROM logged_kinds")) == len({each.traits for each in many})
    for each in again:
        await each.close()


async def test_sums_of_an_older_log_are_made_while_it_is_in_use(address: str) -> None:
    """Version 3 had none by one trait. Newest first, by two processes, beside requests that are added meanwhile."""
    hour = int(NOW // 3600 * 3600)
    log = await RequestLog.open(address)
    await filled(log, *(entry(number, hour - 5 * DAY * number, who=f"u{number % 3}") for number in range(6)))
    every = [Asked(NOW - 40 * DAY, NOW + DAY, by) for by in ("", "who", "team")]
    await log.close()
    await run_sql(address, "DROP TABLE usage_sums", "DROP TABLE usage_unsummed", "UPDATE log_version SET number = 3")
    first, second = [await RequestLog.open(address) for _ in range(2)]
    assert await first.behind() == (12, (hour // DAY + 1) * DAY)
    assert await first.usage(every[0]) == []
    late = entry(7, hour, who="u0", took=900_000)
    await filled(second, late, late._replace(at=hour - 5 * DAY))  # of a day that is not summed up yet
    assert [each.requests for each in await first.usage(every[0])] == [2]
    await asyncio.gather(first.catch_up(), second.catch_up())
    assert await first.behind() == await second.behind() == (0, 0)
    assert await run_sql(address, "SELECT COUNT(*) FROM usage_unsummed") == [(0,)]
    narrowed = [asked._replace(who="u0", model="big") for asked in every]  # those are read from the sums of all traits
    assert [each.requests for each in await first.usage(every[0])] == [8]
    assert {each.name: each.requests for each in await second.usage(every[1])} == {"u0": 4, "u1": 2, "u2": 2}
    assert await first.usage(narrowed[0]) == [
        each._replace(name="") for each in await second.usage(every[1]) if each.name == "u0"
    ]
    for each in (first, second):
        await each.close()


async def test_a_log_without_paths_gets_them(address: str) -> None:
    """Version 4 did not tell where a request was sent, nor the longest time; its sums stay as they are."""
    log = await RequestLog.open(address)
    await filled(log, *map(entry, range(5)))
    used = await log.usage(Asked(NOW - DAY, NOW + DAY, "who"))
    await log.close()
    gone = [("logged_origins", ("method", "path")), ("usage", LONGEST), ("usage_sums", LONGEST)]
    dropped = (f"ALTER TABLE {table} DROP COLUMN {name}" for table, names in gone for name in names)
    await run_sql(address, *dropped, "UPDATE log_version SET number = 4")
    again = await RequestLog.open(address)
    await filled(again, entry(5, method="POST", path="/v1/models/{model}"))
    found = await again.search(Sought(), 10)
    sent = [(each.traits.method, each.traits.path) for each in found if each.correlation_id == "id-5"]
    assert sent == [("POST", "/v1/models/{model}")]
    assert {each.traits.path for each in found if each.correlation_id != "id-5"} == {""}
    (now,) = await again.usage(Asked(NOW - DAY, NOW + DAY, "who"))
    assert (now.requests, used[0].requests) == (6, 5)
    # of times that nobody knows, the bucket's end counts
    assert (used[0].took_ms[2], now.took_ms[2]) == (200, 200)
    assert (used[0].first_ms[2], now.first_ms[2]) == (100, 100)
    await filled(again, entry(6, NOW - 2 * 3600, took=160_000))
    hours = await again.usage(Asked(NOW - 3 * 3600, NOW + 1, over_time=True))
    assert [each.took_ms[2] for each in hours] == [160, 200]
    await again.close()


@pytest.mark.usefixtures("kept")
async def test_a_file_only_its_owner_may_read(address: str, quick_dir: Path) -> None:
    if address.startswith("sqlite"):
        assert sqlite_path(address) == str(quick_dir / "requests.db")
        assert (quick_dir / "requests.db").stat().st_mode & 0o777 == 0o600


async def test_two_processes_write_the_same_kinds(kept: RequestLog, address: str) -> None:
    other = await RequestLog.open(address)
    await asyncio.gather(
        *(filled(each, *(entry(number, who=f"u{number % 7}") for number in range(300))) for each in (kept, other))
    )
    assert len(await kept.search(Sought(who="u3"), 1000)) == 2 * len([n for n in range(300) if n % 7 == 3])
    (used,) = await kept.usage(Asked(NOW - 3600, NOW + 3600))
    assert used.requests == 600
    await other.close()


async def test_the_last_hour_by_the_minute_reads_what_is_over_once(kept: RequestLog) -> None:
    minute = int(time.time()) // 60 * 60
    now = minute + 30.0

    async def seen(at: float) -> list[tuple[int, int, int]]:
        return [(each.at - minute, each.requests, each.failed) for each in await kept.lately(at) if each.requests]

    await filled(kept, entry(at=minute - 1800), entry(at=minute - 60, outcome="broken"))
    assert await seen(now) == [(-1800, 1, 0), (-60, 1, 1)]
    await filled(kept, entry(at=minute - 59), entry(at=minute), entry(at=minute, feature=""))
    assert await seen(now) == [(-1800, 1, 0), (-60, 2, 1), (0, 1, 0)]
    assert await seen(now + 1800) == [(-60, 2, 1), (0, 1, 0)]
    assert await seen(now + 7200) == []


async def test_the_last_day_by_the_hour(kept: RequestLog) -> None:
    hour = int(time.time()) // 3600 * 3600
    await filled(kept, entry(at=hour - 7200), entry(at=hour - 7100, outcome="rejected"), entry(at=hour, feature=""))
    found = await kept.lately(hour + 10.0, by_hour=True)
    assert (len(found), found[-1].at, found[0].at) == (24, hour, hour - 23 * 3600)
    assert [(each.at - hour, each.requests, each.failed) for each in found if each.requests] == [(-7200, 2, 1)]
    assert found[-3].median_ms == pytest.approx(100, abs=50)
