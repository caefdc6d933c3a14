"""Can the database be reached and written, and are its tables the ones we need?"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.store import schema
from homeport.store.engine import connect, disposed, writing
from homeport.store.version import require

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

_UNMADE = {"missing": "There is no database at {}.", "empty": "The database {} has no Homeport tables."}


async def look(scene: Scene) -> Finding:
    """Reach it, read its version, take the write lock and give it back."""
    url = scene.settings.sqlalchemy_url()
    found = await schema.status(url)
    if found.state in _UNMADE:
        saw = _UNMADE[found.state].format(found.location)
        return Finding(
            status="fail", saw=saw, fix="Start Homeport once with `homeport up`, or run: homeport db upgrade"
        )
    require(found.version)
    await _write(url)
    if found.kind == "postgresql":
        return Finding(status="ok", saw=f"PostgreSQL at {found.location}, version {found.version}.")
    why = "" if found.journal == "wal" else f" (SQLite {sqlite3.sqlite_version} is not safe with a write-ahead log)"
    saw = f"SQLite {found.location}, version {found.version}, journal {found.journal}{why}."
    return Finding(status="ok", saw=saw)


async def _write(url: str) -> None:
    """A transaction that could write and does not."""
    async with disposed(connect(url)) as engine, writing(engine):
        pass


CHECK = Check(
    order=30, question="Can the database be reached, and does it fit this program?", look=look, after=("data_dir",)
)
