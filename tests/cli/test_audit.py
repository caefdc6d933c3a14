"""`homeport audit`: changes are found again, by people and by programs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from commands import clean_environment, homeport

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-canary-of-the-audit"


@pytest.fixture(scope="module", autouse=True)
def _changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A model came and was changed, and so was a setting."""
    with clean_environment(tmp_path_factory.mktemp("audit") / "data"):
        known = ("--endpoint", "http://127.0.0.1:9/v1", "--identifier", "qwen-coder", "--api-key-env", "KEY")
        assert homeport("models", "add", "coder", *known, KEY=KEY).code == 0
        homeport("models", "edit", "coder", "--concurrency", "8")
        homeport("models", "beta", "on")
        yield


def test_the_newest_come_first() -> None:
    assert [each["what"] for each in homeport("audit", "--json").json] == ["setting.set", "model.edit", "model.add"]
    shown = homeport("audit", "--kind", "model").out
    assert "concurrency" in shown
    assert "local" in shown
    assert "→" in shown
    assert KEY not in shown + homeport("audit", "--json").out + homeport("audit", "--csv").out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--about", "CODE"), 2),
        (("--kind", "setting"), 1),
        (("--who", "nobody"), 0),
        (("--address", "local"), 3),
        (("--address", "127.0.0.1"), 0),
        (("--from", "2999-01-01"), 0),
        (("--to", "2000-01-01"), 0),
        (("--limit", "1"), 1),
        (("--below", "2"), 1),
    ],
)
def test_filters(words: tuple[str, ...], found: int) -> None:
    assert len(homeport("audit", *words, "--json").json) == found
    if not found:
        assert homeport("audit", *words).out == "No change is like this.\n"


def test_a_table_for_spreadsheets() -> None:
    rows = list(csv.DictReader(io.StringIO(homeport("audit", "--csv").out)))
    assert [row["subject"] for row in rows] == ["beta_families", "coder", "coder"]
    assert homeport("audit", "--from", "soon").code == 1
