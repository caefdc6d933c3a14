"""The database and the settings, looked after from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import homeport

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
