"""The settings: what counts and why, never a secret; the configuration as a file that can be applied again."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from offices import Office, office_at

from homeport.domain.models import Model, Secret
from homeport.kit import effective
from homeport.kit.settings import load
from homeport.kit.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "/console/settings"
KEY = "sk-canary-4711"


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
