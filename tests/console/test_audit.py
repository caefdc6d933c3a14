"""The audit: seen by auditors, filtered, paged, and taken away as a file."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from homeport.access import sessions
from homeport.console.audit import changes
from homeport.domain.models import Model, Secret
from homeport.store import audit
from homeport.store.records import User

if TYPE_CHECKING:
    from offices import Office

AUDIT = "/console/audit"
XSS = "<script>alert(1)</script>"
KEY = "sk-canary-4711"


def rows(body: str) -> list[str]:
    return re.findall(r"<tr>(.*?)</tr>", body.partition("<tbody>")[2], re.DOTALL)


async def test_what_was_changed_is_told_newest_first(office: Office) -> None:
    await office.sign_in()
    model = Model(name="coder", platform="openai", endpoint="http://127.0.0.1:9/v1", identifier="x", key=Secret(KEY))
    await office.store.add_model(model, by="cli:root")
    await office.store.edit_model("coder", {"identifier": "y", "enabled": False}, by="ada")
    shown = await office.get(AUDIT)
    first, second, *_ = rows(shown.body)
    assert "changed model" in first
    assert "<strong>coder</strong>" in first
    assert '<code>identifier</code> <span class="out">was </span><del>x</del> <span class="out">is </span>' in first
    assert "<ins>y</ins>" in first
    assert "cli:root" in second
    assert "added model" in second
    assert "fields</summary>" in second
    for each in (
        shown.body,
        (await office.get(f"{AUDIT}?export=json")).body,
        (await office.get(f"{AUDIT}?export=csv")).body,
    ):
        assert KEY not in each


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("who=ben", ["other"]),
        ("who=be", []),
        ("thing=setting", ["other", "banner"]),
        ("find=BANN", ["banner"]),
        ("thing=setting&who=eve&find=ban", ["banner"]),
        ("from=2000-01-01&thing=setting", ["other", "banner"]),
        ("to=2000-01-01", []),
        ("from=2999-01-01", []),
    ],
)
async def test_filtering(office: Office, query: str, subjects: list[str]) -> None:
    await office.sign_in()
    await office.store.set_setting("banner", "x", by="eve")
    await office.store.set_setting("other", "x", by="ben")
    body = (await office.get(f"{AUDIT}?{query}")).body
    assert re.findall(r"<strong>(\w+)</strong>", body) == subjects
    assert ("No change is like this" in body) == (not subjects)
    exported = json.loads((await office.get(f"{AUDIT}?{query}&export=json")).body)
    assert [event["subject"] for event in exported["events"]] == subjects


async def test_it_says_from_where(office: Office) -> None:
    await office.store.set_setting("banner", "x", by="cli:root")
    await office.sign_in()
    assert (await office.send("/console/people", "add", name="ben", role="user")).status == 200
    assert (await office.get(AUDIT, X_Forwarded_For="9.9.9.9")).status == 200
    assert {(event.what, event.address) for event in await office.store.audit() if event.subject == "ben"} == {
        ("user.set", "127.0.0.1"),
        ("user.code", "127.0.0.1"),
    }
    latest = rows((await office.get(AUDIT)).body)
    assert "127.0.0.1" in latest[0]
    assert "this machine" in latest[-1]
    for query, found in (("127.0.0.1", {"ben"}), ("local&thing=setting", {"banner"}), ("9.9.9.9", set())):
        events = json.loads((await office.get(f"{AUDIT}?address={query}&export=json")).body)["events"]
        assert {event["subject"] for event in events} == found
    lines = list(csv.DictReader(io.StringIO((await office.get(f"{AUDIT}?address=127.0.0.1&export=csv")).body)))
    assert {line["address"] for line in lines} == {"127.0.0.1"}


async def test_a_sign_in_says_from_where(office: Office) -> None:
    await office.store.set_user(User(name="ben"), by="tests")
    code = sessions.mint()
    digest = sessions.digest(office.vault.derive(sessions.PEPPER), code)
    await office.store.add_sign_in_code(digest, "ben", timedelta(hours=1), by="tests")
    shown = await office.ask("POST", "/console/sign-in", f"do=code&code={code}".encode(), X_Forwarded_For="9.9.9.9")
    assert shown.location == "/console"
    assert {event.address for event in await office.store.audit() if event.what.startswith("session.")} == {"127.0.0.1"}


async def test_today_is_within_today(office: Office) -> None:
    await office.sign_in()
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert rows((await office.get(f"{AUDIT}?from={today}&to={today}")).body)


async def test_paging(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.sign_in()
    for number in range(103):
        await office.store.set_setting("count", str(number), by="paul")
    first = (await office.get(f"{AUDIT}?who=paul")).body
    assert len(rows(first)) == 100
    found = re.search(r'href="([^"]*below=\d+)">Older', first)
    assert found is not None
    second = (await office.get(found[1].replace("&amp;", "&"))).body
    assert len(rows(second)) == 3
    assert "Older" not in second
    assert "Newest" in second
    assert "<ins>0</ins>" in second
    monkeypatch.setattr(audit, "PIECE", 40)  # files are sent in several pieces
    events = json.loads((await office.get(f"{AUDIT}?who=paul&export=json")).body)["events"]
    assert [event["after"]["value"] for event in events] == [str(number) for number in reversed(range(103))]
    lines = list(csv.DictReader(io.StringIO((await office.get(f"{AUDIT}?who=paul&export=csv")).body)))
    assert [int(line["id"]) for line in lines] == [event["id"] for event in events]


async def test_the_files(office: Office) -> None:
    await office.sign_in()
    await office.store.set_user(User(name='=cmd|" /c calc"!A1', role="user"), by="ada")
    await office.store.set_setting("banner", 'two\nlines, "quoted"', by="ada")
    answer = await office.get(f"{AUDIT}?export=csv&who=ada&thing=user")
    (row,) = csv.DictReader(io.StringIO(answer.body))
    assert (row["subject"], json.loads(row["after"])) == ('\'=cmd|" /c calc"!A1', {"role": "user", "disabled": False})
    assert row["before"] == ""
    (event,) = json.loads((await office.get(f"{AUDIT}?export=json&thing=setting")).body)["events"]
    assert (event["after"], event["who"]) == ({"value": 'two\nlines, "quoted"'}, "ada")
    assert datetime.fromisoformat(event["at"]).tzinfo is not None
    assert (await office.get(f"{AUDIT}?export=exe")).status == 400


async def test_files_are_offered_as_files(office: Office) -> None:
    await office.sign_in()
    async with office.house.line() as wire:
        head = f"GET {AUDIT}?export=csv HTTP/1.1\r\nHost: x\r\nCookie: homeport={office.cookie}\r\n\r\n"
        await wire.send(head.encode())
        answer = await wire.answer()
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    assert answer.header("content-disposition") == 'attachment; filename="audit.csv"'
    assert answer.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize(("role", "status"), [("user", 403), ("auditor", 200)])
async def test_who_sees_it(office: Office, role: str, status: int) -> None:
    await office.sign_in("eve", role)
    for query in ("", "?export=csv", "?export=json"):
        assert (await office.get(AUDIT + query)).status == status
    assert (await office.send(AUDIT, "anything")).status == 403


async def test_nothing_is_carried_out_here(office: Office) -> None:
    await office.sign_in()
    assert (await office.send(AUDIT, "anything")).status == 400


async def test_what_others_wrote_is_text(office: Office) -> None:
    await office.sign_in()
    await office.store.set_setting(XSS[:60], XSS, by=XSS)
    for query in ("", "?who=%3Cscript%3Ealert(1)%3C/script%3E", "?find=%22%3E%3Cscript%3E", "?thing=<script>"):
        shown = await office.get(AUDIT + query)
        assert (shown.status, "<script>" in shown.body) == (200, False)
    assert XSS in (await office.get(AUDIT)).text


@pytest.mark.parametrize("query", ["from=yesterday", "to=2027-02-30", "from=2027-1-1x"])
async def test_days_that_are_none(office: Office, query: str) -> None:
    await office.sign_in()
    shown = await office.get(f"{AUDIT}?{query}")
    assert (shown.status, "a day that is none" in shown.text) == (400, True)


@pytest.mark.parametrize("below", ["x", "-1", "9" * 30, "", "٣"])
async def test_odd_places_in_the_list(office: Office, below: str) -> None:
    await office.sign_in()
    assert (await office.ask("GET", f"{AUDIT}?below={below.encode('utf-8').hex()}")).status == 200
    assert (await office.get(f"{AUDIT}?below={below if below.isascii() else '%D9%A3'}")).status == 200


def test_a_difference_is_told_leaf_by_leaf() -> None:
    before = {"limits": {"queue_s": 1, "concurrency": 2}, "same": True, "gone": "x", "many": [1]}
    after = {"limits": {"queue_s": 3, "concurrency": 2}, "same": True, "new": None, "many": [1, 2]}
    assert changes(before, after) == [
        ("limits.queue_s", "1", "3"),
        ("gone", "x", ""),
        ("many", "[1]", "[1,2]"),
        ("new", "", "null"),
    ]
    assert changes({}, {}) == []
