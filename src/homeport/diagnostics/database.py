"""Can the database be reached and written, and are its tables the ones we need?"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.domain.errors import StoreBusy, StoreUnreachable
from homeport.store import schema
from homeport.store.version import require

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.kit.settings import Settings

PATIENCE_S = 2.0
WRONG_PASSWORD = "SQLSTATE 28"  # noqa: S105 (a class of PostgreSQL's states)
_UNMADE = {"missing": "There is no database at {}.", "empty": "The database {} has no Homeport tables."}


async def look(scene: Scene) -> Finding:
    """Reach it, read its version, change a row and take that back."""
    url = scene.settings.sqlalchemy_url()
    try:
        found = await schema.status(url)
    except StoreUnreachable as error:
        return _unreached(scene.settings, error)
    if found.state in _UNMADE:
        saw = _UNMADE[found.state].format(found.location)
        return Finding(
            status="fail", saw=saw, fix="Start Homeport once with `homeport up`, or run: homeport db upgrade"
        )
    require(found.version)
    try:
        await schema.try_writing(url, PATIENCE_S)
    except StoreBusy as error:
        fix = "See which program holds it (fuser on the file, pg_stat_activity), and end that one's transaction."
        return Finding(status="fail", saw=f"{error.saw} Nothing could be written for {PATIENCE_S:.0f} s.", fix=fix)
    if found.kind == "postgresql":
        return Finding(status="ok", saw=f"PostgreSQL at {found.location}, version {found.version}.")
    saw = f"SQLite {found.location}, version {found.version}, journal {found.journal}."
    if found.journal != "wal":
        saw += f" SQLite {sqlite3.sqlite_version} is not safe with a write-ahead log."
    return Finding(status="ok", saw=saw)


def _unreached(settings: Settings, error: StoreUnreachable) -> Finding:
    if not settings.database_url:
        return Finding(status="fail", saw=error.saw, fix=error.fix)
    if WRONG_PASSWORD in error.saw:
        saw = "PostgreSQL does not let Homeport in: the user or the password is wrong."
        return Finding(status="fail", saw=saw, fix="Mend user and password in HOMEPORT_DATABASE_URL.")
    saw = f"PostgreSQL: {error.saw[:1].lower()}{error.saw[1:]}"
    return Finding(
        status="fail", saw=saw, fix="Start PostgreSQL, or mend host, port and name in HOMEPORT_DATABASE_URL."
    )


CHECK = Check(
    order=30, question="Can the database be reached, and does it fit this program?", look=look, after=("data_dir",)
)
