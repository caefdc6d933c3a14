"""Usage in the console and over the API: what was asked is counted, told apart, and taken away as a file."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from databases import run_sql
from house import PEPPER

from homeport.access import tokens
from homeport.domain.entries import Entry, Offered, Phases, Traits
from homeport.domain.models import Model, Token
from homeport.store.log_search import Sought
from homeport.store.log_usage import Asked

if TYPE_CHECKING:
    from pathlib import Path

    from offices import Office

PAGE = "/console/usage"


@pytest.fixture
async def desk(office: Office) -> Office:
    """Some requests of two people, and an auditor who looks."""
    now = time.time()
    for number in range(30):
        traits = Traits(
            who=("ada", "=cmd()")[number % 2],
            feature="chat",
            model=("big", "small")[number % 3 == 0],
            language="go",
            status=502 if number == 7 else 200,
            outcome="rejected" if number == 7 else "completed",
            error_code="upstream_timeout" if number == 7 else "",
        )
        offered = (Offered("big", "go", 4, 1),) if number == 0 else ()
        phases = Phases(took=400_000, first=90_000)
        office.request_log.enter(Entry(now, f"id-{number}", traits, phases, 10, 2, offered=offered))
    await office.request_log.settle()
    await office.sign_in("audi", "auditor")
    return office


async def api(office: Office, path: str, scope: str = "admin") -> tuple[int, object]:
    """What a program gets."""
    token = tokens.mint()
    row = Token(
        name=f"p{time.monotonic_ns()}",
        owner="ada",
        digest=tokens.digest(PEPPER, token),
        hint="abcd",
        scopes=frozenset({scope}),
    )
    await office.store.add_token(row, by="tests")
    answer = await office.house.get(path, token)
    return answer.status, json.loads(answer.body)


async def test_figures_a_chart_and_a_table(desk: Office) -> None:
    shown = await desk.get(PAGE)
    assert shown.status == 200
    assert shown.body.count("data-chart=") == 2
    for said in ("30 requests", "360 tokens", "3.3 % failed", "25.0 % of suggestions accepted", "big", "small"):
        assert said in " ".join(shown.text.split()), said
    causes = " ".join((await desk.get(f"{PAGE}?by=error_code&days=1")).text.split())
    assert "upstream_timeout 1 1" in causes
    assert "no error 29 0" in causes


async def test_only_administrators_ask_as_doctor_does(office: Office) -> None:
    """Whoever else calls themselves so is counted, and not called so."""
    for scopes in ({"admin", "duo_chat"}, {"duo_chat"}):
        made, name = tokens.mint(), "-".join(sorted(scopes))
        row = Token(name=name, owner="ada", digest=tokens.digest(PEPPER, made), hint="abcd", scopes=frozenset(scopes))
        await office.store.add_token(row, by="tests")
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        await office.house.post("/v1/chat/completions", body, made, User_Agent="homeport-doctor/1.0")
    await office.written()
    found = {each.traits.token: each.traits.client for each in await office.request_log.search(Sought(), 10)}
    assert found == {"admin-duo_chat": "homeport-doctor", "duo_chat": ""}
    (every,) = await office.request_log.usage(Asked(time.time() - 60, time.time() + 60))
    assert every.requests == 1


async def test_what_is_not_summed_up_yet_is_told(desk: Office, tmp_path: Path) -> None:
    day = int(time.time()) // 86_400 * 86_400 - 10 * 86_400
    log = f"sqlite+aiosqlite:///{tmp_path / 'requests.db'}"
    await run_sql(log, f"INSERT INTO usage_unsummed (span, start) VALUES (86400, {day}), (3600, {day})")  # noqa: S608 (numbers)
    text = " ".join((await desk.get(PAGE)).text.split())
    until = datetime.fromtimestamp(day + 86_400, UTC)
    assert (
        f"Requests from before {until:%Y-%m-%d} 00:00 UTC are still being added up: 2 hours and days are left." in text
    )
    await desk.request_log.catch_up()
    assert "still being added up" not in (await desk.get(PAGE)).text


async def test_refusals_of_callers_are_no_failures(desk: Office) -> None:
    for number, (feature, model, code) in enumerate(
        (
            ("", "", "not_found"),
            ("", "", "not_authenticated"),
            ("chat", "", "superseded"),
            ("chat", "", "feature_unassigned"),
            ("chat", "big", "prompt_too_long"),
        )
    ):
        traits = Traits(who="ada", feature=feature, model=model, status=400, outcome="rejected", error_code=code)
        desk.request_log.enter(Entry(time.time(), f"no-{number}", traits, Phases(took=9), 0, 0))
    await desk.request_log.settle()
    text = " ".join((await desk.get(PAGE)).text.split())
    assert "32 requests 3 refused for a caller's mistake, not counted" in text
    assert "Time to the first token" in text
    assert "first piece" not in text
    assert "9.4 % failed" in text
    for span in ("hour", "day"):
        overview = " ".join((await desk.get(f"/console?span={span}")).text.split())
        assert ("32 requests today" in overview, f"32 in the last {span}, 3 of them failed" in overview) == (True, True)
    (_, found) = await api(desk, "/api/admin/v1/usage?by=model&days=1")
    told = {each["name"]: (each["failed"], each["refused"]) for each in found}  # type: ignore[attr-defined]
    assert told == {"big": (2, 0), "small": (0, 0), "": (1, 3)}
    rows = csv.DictReader(io.StringIO((await desk.get(f"{PAGE}?export=csv")).body))
    assert {row["model"]: row["refused"] for row in rows} == {"big": "0", "small": "0", "": "3"}


async def test_no_percentile_is_beyond_what_requests_took(office: Office) -> None:
    """The last bucket of the histogram has no end, and none is made up."""
    traits = Traits(who="ada", feature="chat", model="big", status=200, outcome="completed")
    office.request_log.enter(Entry(time.time(), "slow", traits, Phases(took=43_800_000, first=42_000_000), 1, 1))
    await office.request_log.settle()
    await office.sign_in()
    text = (await office.get(PAGE)).text
    assert "> 40,000 ms" in text
    assert not [found for found in re.findall(r"([\d,]+) ms", text) if int(found.replace(",", "")) > 43_800]


async def test_nothing_was_asked(office: Office) -> None:
    await office.sign_in("ada", "admin")
    assert "Nothing was asked in this time" in (await office.get(PAGE)).text


async def test_files(desk: Office) -> None:
    rows = list(csv.DictReader(io.StringIO((await desk.get(f"{PAGE}?by=who&export=csv")).body)))
    assert {row["who"]: row["requests"] for row in rows} == {"ada": "15", "'=cmd()": "15"}
    found = json.loads((await desk.get(f"{PAGE}?by=model&export=json")).body)["usage"]
    assert {each["name"]: each["requests"] for each in found} == {"big": 20, "small": 10}


@pytest.mark.parametrize("query", ["by=password", "days=31", "export=exe"])
async def test_usage_that_there_is_not(desk: Office, query: str) -> None:
    assert (await desk.get(f"{PAGE}?{query}")).status == 400


async def test_users_do_not_see_it(desk: Office) -> None:
    await desk.sign_in("uma", "user")
    assert (await desk.get(PAGE)).status == 403


async def test_the_api(desk: Office) -> None:
    status, found = await api(desk, "/api/admin/v1/usage?by=user&days=1")
    assert status == 200
    assert {each["name"]: each["requests"] for each in found} == {"ada": 15, "=cmd()": 15}  # type: ignore[attr-defined]
    status, found = await api(desk, "/api/admin/v1/requests?status=5xx&limit=5")
    assert [each["correlation_id"] for each in found] == ["id-7"]  # type: ignore[attr-defined]
    status, found = await api(desk, "/api/admin/v1/requests/id-7")
    assert (status, found[0]["traits"]["error_code"]) == (200, "upstream_timeout")  # type: ignore[index]


@pytest.mark.parametrize(
    "path",
    [
        "usage?by=x",
        "usage?days=x",
        "usage?days=-1",
        "requests?status=9",
        "requests?limit=x",
        "requests?since=nan",
        "requests?since=1e12",
    ],
)
async def test_the_api_refuses_what_makes_no_sense(desk: Office, path: str) -> None:
    assert (await api(desk, f"/api/admin/v1/{path}"))[0] == 400


async def test_the_api_knows_no_request_of_the_far_future(desk: Office) -> None:
    assert await api(desk, "/api/admin/v1/requests?since=9e10&below=9999999999999999999") == (200, [])


async def test_the_api_is_for_administrators(desk: Office) -> None:
    for path in ("usage", "requests", "requests/id-7"):
        assert (await api(desk, f"/api/admin/v1/{path}", "duo_chat"))[0] == 403
    assert (await api(desk, "/api/admin/v1/requests/none"))[0] == 404


async def test_requests_of_today_on_the_first_page_and_beside_each_model(desk: Office) -> None:
    url = desk.house.models.url
    model = Model(name="small", platform="openai", family="mistral", endpoint=url, identifier="s")
    await desk.store.add_model(model, by="tests")
    assert "30 requests today" in " ".join((await desk.get("/console")).text.split())
    assert "10 today" in (await desk.get("/console/models")).text
