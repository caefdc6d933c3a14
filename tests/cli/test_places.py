"""Where commands look, and what they say when nothing is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import homeport

from homeport.kit import settings

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Instance

READING = (
    ("models", "list"),
    ("models", "show", "x"),
    ("models", "test", "x"),
    ("models", "disable", "x"),
    ("models", "remove", "x"),
    ("features", "list"),
    ("tokens", "list"),
    ("tokens", "revoke", "x"),
    ("doctor",),
    ("config", "show"),
    ("config", "export"),
    ("config", "plan", "/dev/null"),
    ("db", "status"),
    ("chat", "hi"),
)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_reads_makes_nothing(words: tuple[str, ...], data_dir: Path) -> None:
    assert homeport(*words).code in {0, 1}
    assert not data_dir.exists()


@pytest.mark.parametrize(
    "words", [("models", "list"), ("features", "list"), ("tokens", "list"), ("config", "export")], ids=" ".join
)
def test_what_reads_says_where_it_looked(words: tuple[str, ...], data_dir: Path) -> None:
    ran = homeport(*words)
    assert ran.code == 1
    assert f"There is no Homeport in the data directory {data_dir}." in ran.err
    assert "HOMEPORT_DATA_DIR" in ran.err


async def test_without_a_token_it_is_said_where_one_was_looked_for(instance: Instance, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    ran = await instance.run("chat", "hi", HOMEPORT_DATA_DIR=elsewhere, HOMEPORT_URL=instance.url)
    assert ran.code == 1
    assert "carries no credential" in ran.err
    assert f"HOMEPORT_TOKEN is not set and there is none in {elsewhere}/token" in ran.err
    assert "HOMEPORT_DATA_DIR" in ran.err


async def test_with_a_token_nothing_is_said_of_places(instance: Instance) -> None:
    ran = await instance.run("chat", "hi", HOMEPORT_TOKEN="wrong")
    assert "HOMEPORT_DATA_DIR" not in ran.err


def test_a_program_in_a_checkout_finds_its_data_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, usual = tmp_path / "checkout", tmp_path / "share"
    (checkout / "src/homeport/kit").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    monkeypatch.setattr(settings, "__file__", str(checkout / "src/homeport/kit/settings.py"))
    monkeypatch.setattr(settings.sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(usual))
    monkeypatch.chdir(tmp_path)
    assert settings.default_data_dir() == usual / "homeport"
    (checkout / ".homeport").mkdir()
    assert settings.default_data_dir() == checkout / ".homeport"
    (usual / "homeport").mkdir(parents=True)
    assert settings.default_data_dir() == usual / "homeport"
    monkeypatch.chdir(checkout)
    assert settings.default_data_dir() == checkout / ".homeport"
