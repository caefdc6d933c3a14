"""The first page: what is left to set up, and ways to whatever a figure counts."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest
from offices import Shown, office_at

from homeport.domain.entries import Entry, Phases, Traits
from homeport.domain.models import FeatureSetting, Model, Token
from homeport.routing.health import IN_A_ROW

if TYPE_CHECKING:
    from pathlib import Path

    from offices import Office


def ways(body: str) -> set[str]:
    return set(re.findall(r'href="(/console[^"]*)"', body.partition("<main")[2]))


async def test_an_administrator_is_led_on(office: Office) -> None:
    await office.sign_in()
    body = (await office.get("/console")).body
    assert {"/console/models/new", "/console/tokens", "/console/audit", "/console/models"} <= ways(body)
    for address in ways(body):
        assert (await office.get(address)).status == 200, address


async def test_a_fresh_instance_says_what_to_do_first_and_is_well_once_something_serves(office: Office) -> None:
    async def lead() -> str:
        shown = await office.get("/console")
        main = Shown(shown.status, shown.body.partition("<main")[2], "")
        return " ".join(main.text.split()).partition("Overview ")[2]

    for role, said in (("user", "No model serves anything yet. Ask an administrator."),
                       ("auditor", "No model serves anything yet. 0 models")):  # fmt: skip
        await office.sign_in("ben", role)
        assert (await lead()).startswith(said)
    await office.sign_in()
    assert (await lead()).startswith("No model serves anything yet. Add a model first. Set up: 0 of")
    model = Model(name="coder", platform="openai", endpoint=office.house.models.url, identifier="x")
    await office.store.add_model(model, by="ada")
    assert (await lead()).startswith("No model serves anything yet. Choose what serves what first. Set up:")
    await office.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="coder"), by="ada")
    assert (await lead()).startswith("Everything is well. 1 model 1 feature")


@pytest.mark.parametrize(("role", "audit"), [("auditor", True), ("user", False)])
async def test_others_see_only_what_leads_somewhere(office: Office, role: str, audit: bool) -> None:  # noqa: FBT001 (a case)
    await office.store.set_setting("banner", "x", by="eve")
    await office.sign_in("ben", role)
    shown = await office.get("/console")
    assert "Set up" not in shown.text
    assert ("/console/audit" in ways(shown.body), "banner" in shown.text) == (audit, audit)
    for address in ways(shown.body):
        assert (await office.get(address)).status == 200, address


async def test_changes_are_told_in_words(office: Office) -> None:
    await office.sign_in()
    text = " ".join((await office.get("/console")).text.split())
    assert "tests set the access of ada" in text


def rows(body: str, title: str) -> list[list[str]]:
    table = body.partition(f"<h3>{title}</h3>")[2].partition("</table>")[0]
    return [re.findall(r'<td class="number"(?: data-value="([\d.]+)")?>', row) for row in table.split("<tr>")[2:]]


async def test_use_is_shown_as_tables_that_a_script_draws(office: Office) -> None:
    model = Model(
        name="coder",
        platform="openai",
        family="qwen_coder",
        endpoint=office.house.models.url,
        identifier="served-coder",
    )
    await office.store.add_model(model, by="tests")
    setting = FeatureSetting(feature="code_completions", assignment="model", model="coder")
    await office.store.set_feature(setting, by="tests")
    await office.sign_in()
    await office.send("/console/playground", "ask", feature="code_completions", code="x = ", file="a.py")
    await office.written()
    body = (await office.get("/console")).body
    assert "1 in the last hour, 0 of them failed" in body
    assert "No answer began in the last hour" not in body
    counted = rows(body, "Requests")
    assert len(counted) == 60
    assert sum(int(requests) for requests, _ in counted) == 1
    day = rows((await office.get("/console?span=day")).body, "Requests")
    assert (len(day), sum(int(requests) for requests, _ in day)) == (24, 1)
    assert (await office.get("/console?span=%3Cb%3E")).status == 200
    await office.sign_in("uma", "user")
    assert "<figure" not in (await office.get("/console")).body


async def test_use_is_known_after_a_new_start_and_from_every_process(tmp_path: Path) -> None:
    async with office_at(tmp_path) as office:
        await office.sign_in()
        at = time.time()
        for number, first in reversed(list(enumerate((120_000, 120_000, 120_000, 2_000_000, 0)))):
            traits = Traits(feature="chat", outcome="rejected" if number == 4 else "completed", status=200)
            phases = Phases(took=3_000_000, first=first)
            office.request_log.enter(Entry(at - 60 * number, f"c-{number}", traits, phases, 1, 1, 1, 1))
        office.request_log.enter(Entry(at, "no feature", Traits(outcome="completed", status=200), Phases(), 0, 0, 1, 1))
        await office.request_log.settle()
        text = (await office.get("/console")).text
        assert "5 in the last hour, 1 of them failed; 1 at most in 1 min." in " ".join(text.split())
        least, most = re.search(r"Medians from (\d+) to ([\d,]+) ms", text).groups()  # type: ignore[union-attr] (None fails)
        assert int(least) == pytest.approx(120, rel=0.1)
        assert int(most.replace(",", "")) == pytest.approx(2000, rel=0.1)
        text = (await office.get("/console?span=day")).text
        assert "5 in the last day, 1 of them failed" in text
        assert "What every process of this instance served." in text


async def test_use_while_the_request_log_cannot_be_read(tmp_path: Path) -> None:
    async with office_at(tmp_path) as office:
        await office.request_log.close()
        (tmp_path / "requests.db").write_bytes(b"no database" * 1000)
        await office.sign_in()
        shown = await office.get("/console?span=day")
        assert (shown.status, "<figure" in shown.body) == (200, False)
        assert "The request log cannot be read now." in shown.text


async def test_tokens_that_end_soon_are_told_in_time(office: Office) -> None:
    at = datetime.now(UTC)
    for name, owner, days in (
        ("laptop", "uma", 3),
        ("<b>ci</b>", "ben", 13),
        ("far", "uma", 40),
        ("ever", "uma", None),
    ):
        ends = None if days is None else at + timedelta(days=days)
        made = Token(name=name, owner=owner, digest=name.encode().ljust(32), expires=ends)
        await office.store.add_token(made, by="tests")
    await office.sign_in()
    shown = await office.get("/console")
    text = " ".join(shown.text.split())
    assert "Soon ending: laptop of uma" in text
    assert "<b>ci</b> of ben" in text
    assert "<b>ci" not in shown.body
    assert "far of uma" not in text
    await office.sign_in("uma", "user")
    text = " ".join((await office.get("/console")).text.split())
    assert "Soon ends: laptop of uma" in text
    assert "of ben" not in text


async def test_servers_that_are_left_alone_are_not_well(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    model = office.house.model("coder", family="qwen_coder")
    await office.store.add_model(model, by="tests")
    setting = FeatureSetting(feature="chat", assignment="model", model="coder")
    await office.store.set_feature(setting, by="tests")
    await office.sign_in()
    assert "Everything is well." in (await office.get("/console")).text
    health = office.house.app.door.bench.health
    for _ in range(IN_A_ROW):
        health.failed(model)
    monkeypatch.setattr(health, "_clock", lambda: time.monotonic() + 3600)
    shown = await office.get("/console")
    text = " ".join(shown.text.split())
    assert "coder : after failures the next request tries it: it did not answer." in text
    assert "No model answers for General chat . Choose one ." in text
    assert {"/console/models/coder", "/console/features/chat"} <= ways(shown.body)
    assert "Everything is well." not in text
    health.answered(model)
    assert "Everything is well." in (await office.get("/console")).text


async def test_features_that_lost_their_model_are_told_of(office: Office) -> None:
    await office.store.add_model(office.house.model("coder", family="qwen_coder"), by="tests")
    for feature in ("chat", "code_completions"):
        setting = FeatureSetting(feature=feature, assignment="model", model="coder")
        await office.store.set_feature(setting, by="tests")
    await office.sign_in()
    assert "Everything is well." in (await office.get("/console")).text
    await office.send("/console/models/coder", "delete", instead="-")
    shown = await office.get("/console")
    text = " ".join(shown.text.split())
    assert "No model answers for General chat , Code completion . Choose one ." in text
    assert {"/console/features", "/console/features/chat", "/console/features/code_completions"} <= ways(shown.body)
    assert "Everything is well." not in text
    await office.sign_in("uma", "user")
    shown = await office.get("/console")
    text = " ".join(shown.text.split())
    assert "no model answers for them: General chat, Code completion. Ask an administrator." in text
    assert "/console/features" not in shown.body
    assert "Everything is well." not in text


async def test_a_route_with_a_model_that_answers_is_well_enough(office: Office) -> None:
    models = [office.house.model(name, family="qwen_coder") for name in ("<b>one", "two")]
    for model in models:
        await office.store.add_model(model, by="tests")
    setting = FeatureSetting(feature="chat", assignment="model", model="<b>one", fallbacks=("two",))
    await office.store.set_feature(setting, by="tests")
    await office.sign_in()
    for _ in range(IN_A_ROW):
        office.house.app.door.bench.health.failed(models[0])
    shown = await office.get("/console")
    assert "<b>one : not asked for 5 s more after failures: it did not answer." in " ".join(shown.text.split())
    assert "No model answers" not in shown.text
    assert "<b>one" not in shown.body


async def test_failures_of_the_last_minutes_are_told(tmp_path: Path) -> None:
    async with office_at(tmp_path) as office:
        at = time.time()
        codes = ("upstream_timeout", "upstream_unreachable", "upstream_unreachable", "too_many_requests", "")
        for number, code in enumerate(codes):
            status, outcome = (502, "rejected") if code else (200, "completed")
            traits = Traits(feature="chat", status=status, outcome=outcome, error_code=code)
            ago = 1500 if code == "upstream_timeout" else 0
            office.request_log.enter(Entry(at - ago, f"c-{number}", traits, Phases(took=9), 1, 1, 1, 1))
        await office.request_log.settle()
        await office.sign_in("audi", "auditor")
        shown = await office.get("/console")
        text = " ".join(shown.text.split())
        assert "2 of 3 requests failed in the last 10 minutes: see which ." in text
        assert "4 in the last hour, 3 of them failed" in text
        assert "Everything is well." not in text
        (way,) = (each for each in ways(shown.body) if each.startswith("/console/requests?status=failed"))
        found = (await office.get(unescape(way))).text
        assert ("upstream_unreachable" in found, "upstream_timeout" in found) == (True, False)
        await office.sign_in("uma", "user")
        assert "requests failed" not in (await office.get("/console")).text


async def test_a_model_of_ones_own_is_to_serve_too(office: Office) -> None:
    """The embedded model serves at once: adding a better one does not yet mean that anybody gets it."""
    await office.sign_in()
    await office.store.add_model(Model(name="tiny", platform="embedded", family="smollm"), by="tests")
    await office.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="tiny"), by="tests")
    own = Model(name="big", platform="openai", family="mistral", endpoint="http://127.0.0.1:9/v1", identifier="b")
    await office.store.add_model(own, by="tests")
    assert "Let your own model serve in place of the embedded one</a>" in (await office.get("/console")).body
    await office.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="big"), by="tests")
    assert "Let your own model serve in place of the embedded one</a>" not in (await office.get("/console")).body


async def test_an_administrator_without_a_password_is_told_to_choose_one(office: Office) -> None:
    await office.sign_in()
    shown = await office.get("/console")
    assert '<a href="/console/account">Choose a password</a>' in shown.body
    assert "Set up: 0 of 7" in shown.text
    await office.store.set_password("ada", "a hash", by="tests")
    await office.sign_in()
    shown = await office.get("/console")
    assert "Choose a password" not in shown.text
    assert "Set up: 0 of 6" in shown.text


async def test_a_user_sees_what_is_theirs_and_what_to_do_next(office: Office) -> None:
    at = time.time()
    for number, who in enumerate(("uma", "uma", "ben", "<b>uma</b>")):
        traits = Traits(who=who, feature="chat", outcome="completed", status=200)
        office.request_log.enter(Entry(at, f"c-{number}", traits, Phases(took=9), 1, 1, 1, 1))
    await office.request_log.settle()
    for owner in ("uma", "ben"):
        await office.store.add_token(Token(name=owner, owner=owner, digest=owner.encode().ljust(32)), by="tests")
    await office.sign_in("uma", "user")
    shown = await office.get("/console")
    text = " ".join(shown.text.split())
    assert "2 requests of yours today 1 token of yours that works" in text
    assert {"/console/connect", "/console/playground", "/console/tokens"} <= ways(shown.body)
    assert "features with a model" not in text
    assert "at models now" not in text
    await office.sign_in("audi", "auditor")
    assert "4 requests today" in " ".join((await office.get("/console")).text.split())
