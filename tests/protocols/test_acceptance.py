"""What editors say of suggestions, from the event to the figures; and the team of who asked, as it was then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from desks import Desk, desk_at
from house import FIM
from ways import FILE

from homeport.domain.entries import Report
from homeport.domain.models import Caller
from homeport.store.acceptance import EACH, TRACKED, Suggestion, Suggestions, Verdict
from homeport.store.log_search import Sought
from homeport.store.log_usage import Asked
from homeport.store.records import Team, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from homeport.store.log_usage import Used

SUGGEST = "/api/v4/code_suggestions/completions"
ONE, SEVERAL = "/api/v4/usage_data/track_event", "/api/v4/usage_data/track_events"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path) as made:
        yield made


async def suggested(desk: Desk) -> str:
    """A suggestion that ada got; gives the id of its request."""
    answer = await desk.ask("POST", SUGGEST, {"current_file": FILE, "intent": "completion"})
    assert answer.status == 200, answer.body
    desk.house.app.door.book.settle()
    return str(answer.json["id"])


def event(what: str, tracking: str, **more: str) -> dict[str, Any]:
    """One that GitLab's editors send."""
    return {
        "event": f"code_suggestion_{what}_in_ide",
        "additional_properties": {"unique_tracking_id": tracking, "language": "python", **more},
    }


async def used(desk: Desk, by: str = "", **only: str) -> dict[str, Used]:
    """The sums of today."""
    await desk.office.written()
    now = time.time()
    return {each.name: each for each in await desk.office.request_log.usage(Asked(now - 7200, now + 60, by, **only))}


def shares(found: dict[str, Used]) -> dict[str, tuple[int, int, int]]:
    """Requests, suggestions that were shown, and those that were accepted."""
    return {name: (each.requests, each.offered, each.accepted) for name, each in found.items() if each.offered}


async def test_events_become_the_share_that_was_accepted(desk: Desk) -> None:
    for tracking, said in {"t1": ("shown", "accepted"), "t2": ("shown", "rejected"), "t3": ("shown",)}.items():
        await suggested(desk)
        for what in said:
            assert (await desk.ask("POST", ONE, event(what, tracking))).status == 200
    for by, name in {"model": FIM, "who": "ada", "feature": "code_completions", "language": "python"}.items():
        assert {called: each[1:] for called, each in shares(await used(desk, by)).items()} == {name: (3, 1)}, by
    assert shares(await used(desk, "model", who="ada", language="python")) == {FIM: (3, 3, 1)}


async def test_what_is_said_twice_counts_once_and_accepted_means_shown(desk: Desk) -> None:
    await suggested(desk)
    again = [event("accepted", "t1"), event("accepted", "t1"), event("shown", "t1"), event("rejected", "t1")]
    for _ in range(2):
        assert (await desk.ask("POST", SEVERAL, {"events": again})).status == 200
    assert shares(await used(desk, "model")) == {FIM: (1, 1, 1)}


async def test_the_id_of_a_suggestion_names_it_whatever_came_after(desk: Desk) -> None:
    first, last = await suggested(desk), await suggested(desk)
    await desk.ask("POST", SEVERAL, {"events": [event("shown", first), event("accepted", first)]})
    await desk.ask("POST", ONE, event("shown", "an editor's own"))
    await desk.office.written()
    log = desk.office.request_log
    assert [(await log.find(each))[0].reported for each in (first, last)] == [("shown", "accepted"), ("shown",)]


async def test_events_about_nothing_change_nothing(desk: Desk) -> None:
    await desk.ask("POST", ONE, event("accepted", "t1"))
    await suggested(desk)
    other = await desk.admit(name="other", owner="bob")
    assert (await desk.ask("POST", ONE, event("accepted", "t1"), token=other)).status == 200
    assert (await desk.ask("POST", ONE, event("accepted", "t2", language="rust"))).status == 200
    assert (await desk.ask("POST", ONE, event("accepted", "t" * 300))).status == 200
    assert shares(await used(desk, "who")) == {}


async def test_metrics_and_pages_show_it(desk: Desk) -> None:
    request = await suggested(desk)
    await desk.ask("POST", SEVERAL, {"events": [event("shown", request), event("accepted", request)]})
    await desk.office.written()
    value = desk.house.metrics.registry.get_sample_value
    for what, count in {"shown": 1, "accepted": 1, "rejected": None}.items():
        labels = {"model_name": FIM, "feature": "code_completions", "what": what}
        assert value("homeport_suggestions_total", labels) == count
    await desk.office.sign_in("audi", "auditor")
    assert "100.0 % of suggestions accepted" in " ".join((await desk.office.get("/console/usage")).text.split())
    assert "shown, accepted" in (await desk.office.get(f"/console/requests/{request}")).text
    admin = await desk.admit("admin", name="program")
    found = (await desk.ask("GET", "/api/admin/v1/usage?by=model", token=admin)).json
    assert [(each["offered"], each["accepted"]) for each in found if each["name"] == FIM] == [(1, 1)]
    (life,) = (await desk.ask("GET", f"/api/admin/v1/requests/{request}", token=admin)).json
    assert life["reported"] == ["shown", "accepted"]


async def test_the_team_is_that_of_the_moment(desk: Desk) -> None:
    await desk.store.set_user(User(name="ada", role="user"), by="tests")
    before = await suggested(desk)
    await desk.store.add_team(Team(name="Sales, EMEA", members=("ada",)), by="tests")
    await desk.store.add_team(Team(name="Platform", members=("ada",)), by="tests")
    within = await suggested(desk)
    await desk.ask("POST", ONE, event("accepted", within))
    await desk.store.remove_team("Platform", by="tests")
    after = await suggested(desk)
    await desk.office.written()
    log = desk.office.request_log
    teams = {each: (await log.find(each))[0].traits.team for each in (before, within, after)}
    assert teams == {before: "", within: "Platform, Sales, EMEA", after: "Sales, EMEA"}
    assert await log.names("team") == ["Platform", "Sales, EMEA"]
    sought = Sought(team="Platform", feature="code_completions")
    assert [each.correlation_id for each in await log.search(sought, 9)] == [within]
    assert await log.search(Sought(team="EMEA"), 9) == await log.search(Sought(team="Plat%"), 9) == []
    by_team = {name: (each.requests, each.accepted) for name, each in (await used(desk, "team", model=FIM)).items()}
    assert by_team["Platform"] == (1, 1)
    assert by_team["Sales, EMEA"] == (2, 1)
    assert list(await used(desk, "team", team="Platform", model=FIM)) == ["Platform"]
    assert (await used(desk, "who", team="Sales, EMEA", model=FIM))["ada"].requests == 2


async def test_the_team_filter_of_the_pages(desk: Desk) -> None:
    await desk.store.set_user(User(name="ada", role="user"), by="tests")
    await desk.office.sign_in("audi", "auditor")
    assert 'name="team"' not in (await desk.office.get("/console/usage")).body
    other = await suggested(desk)
    await desk.store.add_team(Team(name="Platform", members=("ada",)), by="tests")
    mine = await suggested(desk)
    await desk.office.written()
    for page in ("/console/usage", "/console/requests"):
        assert '<option value="Platform">' in (await desk.office.get(page)).body
    shown = (await desk.office.get("/console/requests?team=Platform")).body
    assert (mine in shown, other in shown) == (True, False)
    assert "1 request " in " ".join((await desk.office.get("/console/usage?team=Platform")).text.split())
    assert "Nothing was asked" in (await desk.office.get("/console/usage?team=Sales")).text


async def test_a_service_of_a_persons_name_is_in_no_team(desk: Desk) -> None:
    await desk.store.set_user(User(name="ada", role="user"), by="tests")
    await desk.store.add_team(Team(name="Platform", members=("ada",)), by="tests")
    book, people = desk.house.app.door.book, desk.house.app.door.bench.snapshot().teams
    assert people == {"ada": ("Platform",)}
    assert [book.team(None, who) for who in ("ada", "bob")] == ["Platform", ""]
    assert book.team(Caller(subject="ada", kind="personal"), "ada") == "Platform"
    assert book.team(Caller(subject="ada", kind="service"), "ada") == ""


def test_what_is_remembered_has_a_bound() -> None:
    held = Suggestions()
    for number in range(EACH + 5):
        held.made("ada", Suggestion(f"r{number}", "chat", "big"))
    assert held.reported("ada", "r0", "", "shown") == (
        Suggestion(f"r{EACH + 4}", "chat", "big"),
        Verdict("shown", 1, 0),
    )
    for number in range(TRACKED + 1):
        held.made("bob", Suggestion(f"b{number}", "chat", "big"))
        assert held.reported("bob", f"b{number}", "", "shown")
    assert held.reported("bob", "b0", "", "accepted") is None


async def test_a_report_waits_in_the_queue_of_requests(desk: Desk) -> None:
    request = await suggested(desk)
    await desk.ask("POST", ONE, event("shown", request))
    waiting: list[Any] = list(desk.office.request_log._waiting)  # noqa: SLF001 (what waits has no other sign)
    assert [each.correlation_id for each in waiting if isinstance(each, Report)] == [request]
