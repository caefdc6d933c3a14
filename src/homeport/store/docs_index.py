"""The documentation index: passages of Markdown files in one SQLite file, found by their words.

SQLite's own full-text search (FTS5, ranked by BM25) through the standard library: the gateway, which
reads it, never loads SQLAlchemy. `docs_build` writes the file whole and moves it into place, so each
search opens it anew: what it sees is the old file or the new one and never a part.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog

from homeport.domain.errors import BadConfiguration, TooMany, Unavailable
from homeport.domain.passages import Passage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = structlog.get_logger()

FORM = 1
"""Version of the tables; another one is not read."""
MARK = 0x484D5044
"""SQLite's application id of our files."""
WORDS = 32
"""Words of a question that are looked for."""
SEARCHES = 2
"""Searches that run at once."""
WAITING = 64
"""Searches that may wait for their turn."""
SEARCH_S = 5.0
"""How long a search may take."""
STEPS = 2_000
"""Steps of SQLite's machine between two looks at the clock."""
NO_FTS5 = "no such module: fts5"

_QUESTION = 20_000
"""Characters of a question that are looked at."""
_WORD = re.compile(r"[^\W_]{1,100}(?:[._/:-]{1,2}[^\W_]{1,100}){0,8}")
_PART = re.compile(r"[^\W_]+")
_COMMON = frozenset(
    _PART.findall(
        "a about an and any are as at be by can do does for from get had has have how i if in into is it its me my of "
        "on one or our so that the their them then there this to up us use using want was we what when where which "
        "who why will with you your"
    )
)
"""Words that nearly every passage has; a question made of nothing else is looked for as it is."""
_SEARCH = "SELECT file, title, heading, text, url FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?"


class Docs:
    """Searches of one index, in threads, so that the loop never waits for a disk; no index finds nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._turn = asyncio.Semaphore(SEARCHES)
        self._waiting = 0
        self._trouble = ""

    async def __call__(self, question: str, limit: int) -> list[Passage]:
        """The passages that answer `question` best; raises TooMany or Unavailable when there is too much to do."""
        if self._waiting >= WAITING:
            raise TooMany(f"{WAITING} searches wait already.", "Try again in a moment.", retry_after_s=1)
        given_up = threading.Event()
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._search, question, limit, given_up.is_set)
        finally:
            self._waiting -= 1
            given_up.set()

    def _search(self, question: str, limit: int, given_up: Callable[[], bool]) -> list[Passage]:
        try:
            return search(self._file, question, limit, given_up=given_up)
        except FileNotFoundError:
            return []
        except BadConfiguration as error:
            if str(error) != self._trouble:
                log.error("documentation index not usable", reason=str(error))  # noqa: TRY400 (the sentence says it all)
                self._trouble = str(error)
            return []


def search(file: Path, question: str, limit: int, *, given_up: Callable[[], bool] = lambda: False) -> list[Passage]:
    """The passages that answer `question` best.

    Raises FileNotFoundError when there is no index, BadConfiguration when the file is none, and Unavailable
    when it takes longer than SEARCH_S.
    """
    wanted = expression(question)
    if not wanted:
        return []
    _look(file)
    until = time.monotonic() + SEARCH_S
    try:
        with closing(_opened(file)) as db:
            db.set_progress_handler(lambda: given_up() or time.monotonic() > until, STEPS)
            _check(db, file)
            rows = db.execute(_SEARCH, (wanted, limit)).fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise Unavailable(f"The search took longer than {SEARCH_S:g} s.", "Ask with fewer words.") from error
        raise not_usable(file, error) from error
    return [Passage(file=row[0], title=row[1], heading=row[2], text=row[3], url=row[4]) for row in rows]


def _look(file: Path) -> None:
    """Raise FileNotFoundError for an index that is not there, BadConfiguration for one that cannot be looked at."""
    try:
        file.stat()
    except FileNotFoundError:
        raise
    except OSError as error:
        saw = f"{file} cannot be used as documentation index: {error.strerror}."
        raise BadConfiguration(saw, "Set HOMEPORT_DOCS_INDEX to a file that Homeport's user may read.") from error


def expression(question: str) -> str:
    """The question in FTS5's own query language: every word quoted, any of them may match.

    A word with marks inside (`.gitlab-ci.yml`, `CI_COMMIT_SHA`) is looked for as a phrase and in its parts.
    Quoted, no word is an operator, so no question is a syntax error. Empty when there is no word.
    """
    found = _WORD.findall(question[:_QUESTION].lower())
    words = dict.fromkeys(part for word in found for part in (word, *_PART.findall(word)))
    telling = [word for word in words if word not in _COMMON] or list(words)
    return " OR ".join(f'"{word}"' for word in telling[:WORDS])


def _opened(file: Path) -> sqlite3.Connection:
    """A connection that cannot write and takes no locks: the file is never changed in place."""
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _check(db: sqlite3.Connection, file: Path) -> None:
    (mark,), (form,) = db.execute("PRAGMA application_id").fetchone(), db.execute("PRAGMA user_version").fetchone()
    if (mark, form) != (MARK, FORM):
        saw = f"{file} is a database, but not an index that this version of `homeport docs index` made."
        raise BadConfiguration(saw, "Make it again: homeport docs index DIR.")


def not_usable(file: Path, error: sqlite3.Error) -> BadConfiguration:
    """What SQLite said, with the next step."""
    if NO_FTS5 in str(error):
        return BadConfiguration(
            f"The SQLite of this Python ({sqlite3.sqlite_version}) has no full-text search (FTS5).",
            "Run Homeport with a Python whose SQLite was built with FTS5, as distributions build it.",
        )
    return BadConfiguration(f"{file} cannot be used as documentation index: {error}.", "Make it again.")
