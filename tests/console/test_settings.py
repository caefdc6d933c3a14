"""The settings: what counts and why, never a secret; the configuration as a file that can be applied again."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from offices import Office, office_at

from homeport.domain.models import Limits, Model, Secret
from homeport.kit import effective
from homeport.kit.settings import load
from homeport.kit.upstream import Call, Unreachable
from homeport.kit.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "/console/settings"
KEY = "sk-canary-4711"
XSS = '"><script>alert(1)</script>'


async def test_settings_are_listed_with_their_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_BODY_S", "17.5")
    async with office_at(tmp_path, drain_s=3.0) as office:
        await office.sign_in("eve", "auditor")
        text = " ".join((await office.get(SETTINGS)).text.split())
        assert "refresh_s" in text
        changed = " ".join((await office.get(f"{SETTINGS}?from=changed")).text.split())
        assert "drain_s 3.0 command line" in changed
        assert "refresh_s" not in changed
        assert "No setting is like this" in (await office.get(f"{SETTINGS}?find=zzz")).text


async def test_secrets_are_never_shown(tmp_path: Path) -> None:
    secrets = {"token": KEY, "database_url": f"postgresql://me:{KEY}@db.internal/homeport", "default_api_key": KEY}
    async with office_at(tmp_path, **secrets) as office:
        await office.sign_in()
        shown = await office.get(SETTINGS)
        assert KEY not in shown.body
        assert "***" in shown.text
        assert "postgresql://me:***@db.internal/homeport" in shown.text


async def test_the_keys_age_and_number(office: Office) -> None:
    await office.sign_in()
    await office.store.add_model(
        Model(name="a", platform="openai", endpoint="http://x.internal/v1", key=Secret(KEY)), by="ada"
    )
    text = (await office.get(SETTINGS)).text
    assert "1 root key" in text
    assert "They seal 1 API key." in text
    office.vault.rotate()
    text = (await office.get(SETTINGS)).text
    assert "2 root keys" in text
    assert "1 of them with an older one" in text
    for key in office.vault.key_ids:
        assert key not in text


async def test_a_new_root_key(office: Office) -> None:
    await office.sign_in()
    await office.store.add_model(
        Model(name="a", platform="openai", endpoint="http://x.internal/v1", key=Secret(KEY)), by="ada"
    )
    shown = await office.get(SETTINGS)
    assert 'value="rotate"' not in shown.body
    assert 'href="?rotate"' in shown.body
    sure = await office.get(f"{SETTINGS}?rotate")
    assert "Make a new root key?" in sure.text
    assert f'action="{SETTINGS}?rotate"' in sure.body
    assert len(office.vault.key_ids) == 1
    done = await office.send(f"{SETTINGS}?rotate", "rotate")
    assert (done.status, done.location) == (303, f"{SETTINGS}?said=rotated")
    text = (await office.get(f"{SETTINGS}?said=rotated")).text
    assert "A new root key seals every API key now." in text
    assert "2 root keys" in text
    assert "older one" not in text
    assert (await office.store.model("a")).key.reveal() == KEY


async def test_an_auditor_makes_no_root_key(office: Office) -> None:
    await office.sign_in("eve", "auditor")
    assert "Make a new root key" not in (await office.get(SETTINGS)).text
    assert "Make a new root key" not in (await office.get(f"{SETTINGS}?rotate")).text
    assert (await office.send(SETTINGS, "rotate")).status == 403
    assert len(office.vault.key_ids) == 1


def test_a_key_file_tells_its_age(tmp_path: Path) -> None:
    vault = Vault.at(tmp_path)
    first = vault.changed
    assert first is not None
    (tmp_path / "keys").unlink()
    assert vault.changed is None
    assert Vault().changed is None


async def test_the_configuration_as_a_file(office: Office) -> None:
    await office.sign_in("eve", "auditor")
    model = Model(name="coder", platform="openai", endpoint="http://x.internal/v1", identifier="y", key=Secret(KEY))
    await office.store.add_model(model, by="ada")
    shown = await office.get(f"{SETTINGS}?export=toml")
    assert shown.status == 200
    assert KEY not in shown.body
    (written,) = tomllib.loads(shown.body)["models"]
    assert (written["name"], written["key"]) == ("coder", "stored")


@pytest.mark.parametrize("query", ["", "?export=toml"])
async def test_a_user_sees_none_of_it(office: Office, query: str) -> None:
    await office.sign_in("ben", "user")
    assert (await office.get(SETTINGS + query)).status == 403


async def test_what_is_searched_for_is_text(office: Office) -> None:
    await office.sign_in()
    shown = await office.get(f"{SETTINGS}?find=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert (shown.status, "<script>alert" in shown.body) == (200, False)


def test_values_in_words() -> None:
    found = {each.name: each for each in effective.effective(load(denied_networks=("10.0.0.0/8",)), {})}
    assert found["denied_networks"].plain == "10.0.0.0/8"
    assert found["allowed_model_origins"].plain == "-"
    assert found["supersede"].plain == "false"
    assert found["denied_networks"].place == "command line"


def value_of(body: str, name: str) -> str:
    """What the field of a setting holds."""
    found = re.search(rf'<input[^>]*value="([^"]*)"[^>]* name="{name}"', body)
    lines = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\n?([^<]*)<', body)
    return found[1] if found else lines[1] if lines else "none"


async def test_settings_are_changed_while_it_runs(office: Office) -> None:
    await office.sign_in()
    sent = await office.send(
        SETTINGS, "change", usage_days="90", url="https://homeport.example/", request_log_days="30", model_total_s="900"
    )
    assert (sent.status, sent.location) == (303, f"{SETTINGS}?said=set")
    assert await office.store.settings() == {"usage_days": "90", "url": "https://homeport.example"}
    assert [(each.who, each.what, each.subject, each.after) for each in await office.store.audit(2)] == [
        ("ada", "setting.set", "usage_days", {"value": "90"}),
        ("ada", "setting.set", "url", {"value": "https://homeport.example"}),
    ]
    shown = await office.get(f"{SETTINGS}?from=changed")
    assert "usage_days 90 database" in " ".join(shown.text.split())
    assert "ada set it" in shown.text
    assert (value_of(shown.body, "usage_days"), value_of(shown.body, "request_log_days")) == ("90", "30")
    assert "https://homeport.example" in (await office.get("/console/connect", Host="127.0.0.1")).text
    # a cookie for HTTPS alone would lock out whoever came by HTTP
    assert (await office.get(SETTINGS)).status == 200
    await office.send(SETTINGS, "change", usage_days="91", url="https://homeport.example", back="url")
    assert await office.store.settings() == {"usage_days": "91"}
    again = await office.get(SETTINGS)
    assert "before: 90" in " ".join(again.text.split())


async def test_what_cannot_be_is_said_where_it_was_typed_and_nothing_is_lost(office: Office) -> None:
    await office.sign_in()
    for wrong in ("0", "1.5", XSS):
        shown = await office.send(SETTINGS, "change", usage_days=wrong, audit_days="29", model_idle_s="33", url=XSS)
        assert (shown.status, shown.body.count('aria-invalid="true"')) == (400, 3)
        assert "Write a whole number from 1 to 3,650." in shown.text
        assert "Write a whole number from 30 to 36,500, or 0." in shown.text
        assert (value_of(shown.body, "model_idle_s"), XSS in shown.body) == ("33", False)
    assert await office.store.settings() == {}


async def test_what_an_operator_set_is_locked_and_its_place_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEPORT_USAGE_DAYS", "90")
    async with office_at(tmp_path) as office:
        await office.sign_in()
        shown = await office.get(SETTINGS)
        assert "Set by HOMEPORT_USAGE_DAYS :" in " ".join(shown.text.split())
        assert re.search(r'value="90"[^>]* name="usage_days"[^>]* disabled', shown.body)
        sent = await office.send(SETTINGS, "change", usage_days="5", audit_days="30")
        assert (sent.status, await office.store.settings()) == (400, {})


async def test_a_way_out_that_opens_or_closes_is_said_first(office: Office) -> None:
    await office.sign_in()
    model = Model(name="near", platform="openai", endpoint="http://10.1.2.3:8000/v1")
    await office.store.add_model(model, by="ada")
    fields = {"allowed_networks": "192.168.0.0/16\n172.16.0.0/12", "usage_days": "77"}
    asked = await office.send(SETTINGS, "change", **fields)
    assert (asked.status, await office.store.settings()) == (409, {})
    assert "the model near at 10.1.2.3" in asked.text
    assert value_of(asked.body, "allowed_networks") == fields["allowed_networks"]
    sure = re.findall(r'value="(\w+)"[^>]* name="sure"', asked.body)[0]
    other = await office.send(SETTINGS, "change", **{**fields, "usage_days": "78"}, sure=sure)
    assert (other.status, await office.store.settings()) == (409, {})
    assert (await office.send(SETTINGS, "change", **fields, sure=sure)).status == 303
    assert await office.store.settings() == {"allowed_networks": "192.168.0.0/16,172.16.0.0/12", "usage_days": "77"}
    # it counts for the next connection
    with pytest.raises(Unreachable) as refusal:
        await office.house.transport.open(Call(url=model.endpoint))
    assert refusal.value.why == "denied"
    opened = await office.send(SETTINGS, "change", allowed_networks="")
    assert (opened.status, "models may then be in any network" in opened.text) == (409, True)


async def test_a_change_of_settings_that_were_changed_meanwhile_is_told(office: Office) -> None:
    await office.sign_in()
    was = re.findall(r'name="was" value="(\w+)"', (await office.get(SETTINGS)).body)[0]
    await office.store.set_settings({"usage_days": "50"}, by="ben")
    told = await office.send(SETTINGS, "change", usage_days="60", was=was)
    assert (told.status, value_of(told.body, "usage_days")) == (409, "60")
    assert "Somebody else changed these settings" in told.text
    assert await office.store.settings() == {"usage_days": "50"}
    newer = re.findall(r'name="was" value="(\w+)"', told.body)[0]
    assert (await office.send(SETTINGS, "change", usage_days="60", was=newer)).status == 303


async def test_an_auditor_sees_the_settings_and_changes_none(office: Office) -> None:
    await office.sign_in("eve", "auditor")
    shown = await office.get(SETTINGS)
    assert (value_of(shown.body, "usage_days"), 'value="change"' in shown.body) == ("400", False)
    assert (await office.send(SETTINGS, "change", usage_days="9")).status == 403
    await office.sign_in("ben", "user")
    assert (await office.get(SETTINGS)).status == 403
    assert await office.store.settings() == {}


async def test_a_limit_as_it_comes_is_as_the_settings_say(office: Office) -> None:
    await office.sign_in()
    await office.store.add_model(
        Model(name="m", platform="openai", endpoint="http://x.internal/v1", limits=Limits(idle_s=7)), by="ada"
    )
    await office.send(SETTINGS, "change", model_total_s="120")
    body = (await office.get("/console/models/m")).body
    assert re.search(r'value=""[^>]* name="limits.total_s"[^>]* placeholder="120"', body)
    assert value_of(body, "limits.idle_s") == "7"
    assert value_of(body, "limits.concurrency") == "64"
