"""The database and the settings, looked after from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import homeport

from homeport.kit.environment import honoured
from homeport.kit.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

ADD = ("models", "add", "coder", "--endpoint", "http://gpu1:8000/v1", "--identifier", "qwen-coder")
pytestmark = pytest.mark.usefixtures("data_dir")


def test_status_of_nothing(data_dir: Path) -> None:
    ran = homeport("db", "status", "--json")
    assert ran.json["state"] == "missing"
    assert ran.json["location"] == str(data_dir / "homeport.db")
    assert "homeport db upgrade" in ran.err
    assert not data_dir.exists()


def test_upgrading_twice() -> None:
    assert homeport("db", "upgrade", "--json").json["changed"] is True
    ran = homeport("db", "upgrade")
    assert "already" in ran.out
    assert homeport("db", "status", "--json").json["state"] == "current"


@pytest.mark.parametrize("name", ["copy.db", "copy.jsonl"])
def test_backup_and_restore(name: str, tmp_path: Path) -> None:
    homeport(*ADD)
    copy = tmp_path / name
    ran = homeport("db", "backup", str(copy), "--json")
    assert ran.json == {"file": str(copy), "bytes": copy.stat().st_size}
    assert "keys" in ran.err
    homeport("models", "remove", "coder")
    asked = homeport("db", "restore", str(copy), typed="n\n")
    assert "error: Nothing was done." in asked.err
    assert asked.code == 130
    assert homeport("models", "list", "--json").json == []
    assert homeport("db", "restore", str(copy), typed="y\n").code == 0
    assert [model["name"] for model in homeport("models", "list", "--json").json] == ["coder"]


def test_a_backup_never_replaces_a_file(tmp_path: Path) -> None:
    homeport(*ADD)
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    ran = homeport("db", "backup", str(copy))
    assert ran.code == 1
    assert "There is already a file" in ran.err
    assert copy.read_text() == "precious"


LOST = "1 API key and 2 tokens that are worth nothing without it"


@pytest.fixture
def lost_keys(data_dir: Path) -> Path:
    """Where the root keys were that a model's key and two tokens need."""
    homeport(*ADD, "--api-key-env", "CODER_KEY", CODER_KEY="sk-canary")
    for name in ("one", "two"):
        assert homeport("tokens", "create", "--name", name).code == 0
    keys = data_dir / "keys"
    keys.unlink()
    return keys


@pytest.mark.parametrize("command", [("models", "list"), ("tokens", "create", "--name", "three"), ("tokens", "list")])
def test_root_keys_are_never_made_in_silence_beside_a_database_that_needs_its_own(
    lost_keys: Path, command: tuple[str, ...]
) -> None:
    ran = homeport(*command)
    assert ran.code == 1
    assert f"error: The key file {lost_keys} is missing. The database holds {LOST}." in ran.err
    assert "Restore it from its backup." in ran.err
    assert "`homeport db new-keys`" in ran.err
    assert not lost_keys.exists()


def test_new_root_keys_for_a_database_whose_own_are_lost(lost_keys: Path) -> None:
    assert homeport("db", "new-keys", typed="n\n").code == 130
    assert not lost_keys.exists()
    ran = homeport("db", "new-keys", typed="y\n")
    assert ran.code == 0
    assert LOST in ran.err
    assert str(lost_keys) in ran.out
    assert homeport("models", "list").code == 0
    assert homeport("tokens", "create", "--name", "three").code == 0
    again = homeport("db", "new-keys", "--yes")
    assert again.code == 1
    assert "already" in again.err


def test_new_root_keys_for_a_database_that_needs_none(data_dir: Path) -> None:
    homeport("db", "upgrade")
    ran = homeport("db", "new-keys", "--json")
    assert ran.json == {
        "file": str(data_dir / "keys"),
        "key": ran.json["key"],
        "lost_api_keys": 0,
        "lost_tokens": 0,
    }
    assert "warning" not in ran.err


def test_a_new_root_key_seals_everything_again(data_dir: Path) -> None:
    homeport(*ADD, "--api-key-env", "THEIR_KEY", THEIR_KEY="sk-one")
    before = (data_dir / "keys").read_text().splitlines()
    ran = homeport("db", "rotate-keys", "--json")
    added = (data_dir / "keys").read_text().splitlines()
    assert added[:-1] == before
    assert ran.json == {"file": str(data_dir / "keys"), "key": added[-1].split()[0], "sealed": 1}
    assert "Keep a new copy" in ran.err
    assert "The root key" in homeport("db", "rotate-keys").out


def test_restoring_what_is_no_copy(tmp_path: Path) -> None:
    homeport(*ADD)
    (tmp_path / "copy.db").write_text("precious")
    assert homeport("db", "restore", str(tmp_path / "copy.db"), "--yes").code == 1
    assert [model["name"] for model in homeport("models", "list", "--json").json] == ["coder"]


def test_a_database_that_is_away() -> None:
    ran = homeport("models", "list", HOMEPORT_DATABASE_URL="postgresql://ada:secret@127.0.0.1:9/homeport")
    assert ran.code == 1
    assert "The database cannot be reached" in ran.err
    assert "secret" not in ran.out + ran.err


def test_every_setting_is_shown_with_where_it_came_from(data_dir: Path) -> None:
    (data_dir.parent / "homeport.toml").write_text("drain_s = 3\n")
    rows = {row["setting"]: row for row in homeport("config", "show", "--json", AIGW_AUTH__BYPASS_EXTERNAL="true").json}
    assert set(rows) == set(Settings.model_fields)
    assert rows["drain_s"] == {"setting": "drain_s", "value": 3.0, "from": "homeport.toml"}
    assert rows["auth_bypass"] == {"setting": "auth_bypass", "value": True, "from": "AIGW_AUTH__BYPASS_EXTERNAL"}
    assert rows["data_dir"] == {"setting": "data_dir", "value": str(data_dir), "from": "HOMEPORT_DATA_DIR"}
    assert rows["gateway_port"] == {"setting": "gateway_port", "value": 5052, "from": "default"}


@pytest.mark.parametrize("how", ["--json", "--changed"])
def test_secrets_are_masked(how: str) -> None:
    url = "postgresql://ada:hush@db/homeport?password=hush"
    ran = homeport("config", "show", how, HOMEPORT_TOKEN="hp_hush", HOMEPORT_DATABASE_URL=url)
    assert "hush" not in ran.out
    assert "postgresql://ada:***@db/homeport" in ran.out


def test_nothing_changed_is_said(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del data_dir
    for name in ("HOMEPORT_DATA_DIR", "HOMEPORT_PORT", *honoured()):
        monkeypatch.delenv(name, raising=False)
    assert homeport("config", "show", "--changed").out == "Every setting has its default.\n"


def test_settings_are_changed_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    set_ = homeport("config", "set", "usage_days", "90", "--json")
    assert set_.json == {"setting": "usage_days", "value": 90, "from": "database"}
    assert homeport("config", "show", "--changed", "--json").json[-1] == set_.json
    assert "Write a whole number from 1 to 3,650." in homeport("config", "set", "usage_days", "x").err
    assert homeport("config", "set", "usage_days", "91", "--seen", "90").code == 0
    assert "Somebody else" in homeport("config", "unset", "usage_days", "--seen", "90").err
    assert homeport("config", "unset", "usage_days").out.strip() == "usage_days is 400 (default)."
    assert [each["what"] for each in homeport("audit", "--json").json] == ["setting.set"] * 3
    monkeypatch.setenv("HOMEPORT_USAGE_DAYS", "7")
    assert "HOMEPORT_USAGE_DAYS" in homeport("config", "set", "usage_days", "5").err


def test_a_way_out_is_opened_after_a_question() -> None:
    homeport("config", "set", "allowed_networks", "10.0.0.0/8")
    wider = ("config", "set", "allowed_networks", "10.0.0.0/8,172.16.0.0/12")
    asked = homeport(*wider, typed="n\n")
    assert ("in 172.16.0.0/12" in asked.err, asked.code) == (True, 130)
    assert homeport(*wider, typed="y\n").code == 0
    assert homeport("config", "unset", "allowed_networks", "--yes").code == 0
    assert "database" not in homeport("config", "show", "--changed").out.split()


def test_links_begin_with_the_public_address() -> None:
    homeport("users", "add", "ada", "--role", "admin")
    homeport("config", "set", "url", "https://ai.example")
    assert homeport("users", "code", "ada").out.startswith("https://ai.example/console/sign-in?code=")
    assert homeport("users", "invite").out.startswith("https://ai.example/console/join?code=")


def test_a_configuration_file_says_settings(tmp_path: Path) -> None:
    homeport("config", "set", "allowed_networks", "10.0.0.0/8")
    assert 'allowed_networks = "10.0.0.0/8"' in homeport("config", "export").out
    file = tmp_path / "wanted.toml"
    file.write_text('[settings]\nallowed_networks = "10.0.0.0/8,172.16.0.0/12"\naudit_days = "60"\n')
    assert "models may then be in 172.16.0.0/12" in homeport("config", "plan", str(file)).err
    assert homeport("config", "apply", str(file)).code == 0
    shown = {each["setting"]: each["value"] for each in homeport("config", "show", "--changed", "--json").json}
    assert (shown["audit_days"], shown["allowed_networks"]) == (60, ["10.0.0.0/8", "172.16.0.0/12"])
    file.write_text('[settings]\naudit_days = "1"\n')
    refused = homeport("config", "plan", str(file))
    assert (refused.code != 0, "line 2" in refused.err, "30 to 36,500, or 0" in refused.err) == (True, True, True)
