"""Switching verbose logging on and off from the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from commands import homeport

pytestmark = pytest.mark.usefixtures("data_dir")


def test_verbose_logging_ends_by_itself_or_at_once() -> None:
    homeport("users", "add", "ada")
    assert homeport("verbose", "show").out == "Verbose logging is off.\n"
    begun = homeport("verbose", "on", "--minutes", "15", "--json").json
    left = datetime.fromisoformat(begun["until"]) - datetime.now(UTC)
    assert begun["on"] is True
    assert timedelta(minutes=10) < left < timedelta(minutes=15)
    assert homeport("verbose", "on", "--minutes", "2000").code == 2
    assert homeport("verbose", "off").out == "Verbose logging is off.\n"


def test_content_that_is_never_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    homeport("users", "add", "ada")
    monkeypatch.setenv("HOMEPORT_LOG_CONTENT", "never")
    ran = homeport("verbose", "on")
    assert (ran.code, "Content is never logged here" in ran.err) == (1, True)
