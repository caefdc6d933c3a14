"""The benchmark of the request log goes through to its end; its figures are nobody's here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

BENCH = Path(__file__).resolve().parents[2] / "bench"

if TYPE_CHECKING:
    import pytest


async def test_it_measures_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    import log  # noqa: PLC0415 (on the path only within a test)

    monkeypatch.setattr(log, "TAKING_S", 0.1)
    found = await log.measure(f"sqlite+aiosqlite:///{tmp_path / 'requests.db'}", 3_000)
    assert found["rows"] == 3_000
    assert found["taken"]["rows_per_s"] > 0
    assert found["kinds"] > 100
    assert {*log.sought(0.0), "an id", "30 days by model", "30 days by who", "forgotten"} <= set(found)
    assert found["nobody"][-1] == 0
    assert found["nothing asked for"][-1] == 101
    assert found["forgotten"][0] > 0
