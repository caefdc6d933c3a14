"""Makes the documentation index: reads a folder of Markdown, writes one SQLite file, moves it into place."""

from __future__ import annotations

import codecs
import fcntl
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.domain.errors import BadConfiguration, InUse
from homeport.kit import markdown
from homeport.store.docs_index import FORM, MARK, not_usable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from homeport.kit.markdown import Document

SUFFIXES = (".md", ".markdown")
FILE_BYTES = 4 * 1024 * 1024
"""A larger file is left out: nobody wrote that by hand."""
_GONE = ("redirect_to", "draft")
"""Front matter of a page that only points elsewhere, or is not to be read yet."""
_FILE = f"""
    PRAGMA page_size = 8192;
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA application_id = {MARK};
    PRAGMA user_version = {FORM};
"""
_TABLES = """
    CREATE VIRTUAL TABLE passages USING fts5(
        title, heading, text, file UNINDEXED, url UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2'
    );
    INSERT INTO passages(passages, rank) VALUES ('rank', 'bm25(3.0, 5.0, 1.0)');
"""
_INSERT = "INSERT INTO passages (file, title, heading, text, url) VALUES (?, ?, ?, ?, ?)"


@dataclass(slots=True, kw_only=True)
class Built:
    """What became of a folder."""

    file: Path
    documents: int = 0
    passages: int = 0
    bytes: int = 0
    left_out: list[str] = field(default_factory=list)
    """Files that are not in the index, each with the reason."""
    guessed: list[str] = field(default_factory=list)
    """Files that are not UTF-8 and were read as Windows-1252."""
    seconds: float = 0.0


def build(folder: Path, file: Path, *, base_url: str = "", on_file: Callable[[int, int], None] | None = None) -> Built:
    """Index every Markdown file below `folder` into `file`, which is replaced as a whole or not at all.

    `on_file` is told how many files of how many are done; `base_url` is where people read the documents.
    Raises BadConfiguration when there is nothing to index or SQLite cannot, InUse while another run writes
    the same index, and OSError when the file cannot be written.
    """
    started = time.perf_counter()
    found = sorted(_files(folder))
    if not found:
        raise BadConfiguration(f"There is no Markdown file in {folder}.", "Name the folder that holds the .md files.")
    built = Built(file=file)
    with _draft(file) as draft:
        try:
            with closing(sqlite3.connect(draft, isolation_level=None)) as db:
                _fill(db, _documents(folder, found, built, on_file), built, base_url)
        except sqlite3.Error as error:
            raise not_usable(draft, error) from error
        _publish(draft, file)
    built.bytes = file.stat().st_size
    built.seconds = round(time.perf_counter() - started, 3)
    return built


def _files(folder: Path) -> Iterator[Path]:
    """Markdown files below `folder`. Links to folders are not followed, nor links to files outside it."""
    root = folder.resolve()
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(place, name) for name in names if name.lower().endswith(SUFFIXES)):
            if not path.is_symlink() or path.resolve().is_relative_to(root):
                yield path


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """An empty file beside `file` that nobody else writes; gone at the end, whatever happens."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+b") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(f"Another run writes {file} now.", "Wait until it is done.") from error
        held.truncate(0)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)


def _publish(draft: Path, file: Path) -> None:
    """Move the finished file into place, so that a power cut leaves either the old or the new one."""
    with draft.open("rb") as finished:
        os.fsync(finished.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _documents(
    folder: Path, found: list[Path], built: Built, on_file: Callable[[int, int], None] | None
) -> Iterator[tuple[str, Document]]:
    """Each file that can be read, by its path below the folder."""
    root = folder.resolve()
    for number, path in enumerate(found, 1):
        name = path.relative_to(root).as_posix()
        text = _text(path, name, built)
        document = markdown.read(text) if text is not None else None
        if document is not None and not _left_out(name, document, built):
            yield name, document
        if on_file:
            on_file(number, len(found))


def _text(path: Path, name: str, built: Built) -> str | None:
    """A file's text; None, and the reason in `left_out`, when it is none."""
    try:
        if path.stat().st_size > FILE_BYTES:
            built.left_out.append(f"{name}: larger than {FILE_BYTES // 2**20} MiB")
            return None
        data = path.read_bytes()
    except OSError as error:
        built.left_out.append(f"{name}: {error.strerror}")
        return None
    try:
        return data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data:
            built.left_out.append(f"{name}: not text")
            return None
        built.guessed.append(name)
        return data.decode("cp1252", "replace")


def _left_out(name: str, document: Document, built: Built) -> bool:
    """Whether the document says of itself that it is not to be read."""
    gone = [key for key in _GONE if document.front.get(key, "").lower() not in {"", "false"}]
    if gone:
        built.left_out.append(f"{name}: {gone[0]} in its front matter")
    return bool(gone)


def _fill(db: sqlite3.Connection, documents: Iterable[tuple[str, Document]], built: Built, base_url: str) -> None:
    db.executescript(_FILE + _TABLES)
    db.execute("BEGIN")
    for name, document in documents:
        title = document.title or Path(name).stem
        url = f"{base_url.rstrip('/')}/{name.removesuffix('.md')}" if base_url else ""
        rows = [(name, title, " > ".join(passage.headings), _clean(passage.text), url) for passage in document.passages]
        db.executemany(_INSERT, rows)
        built.documents += 1
        built.passages += len(rows)
    db.execute("COMMIT")
    db.execute("INSERT INTO passages(passages) VALUES ('optimize')")


def _clean(text: str) -> str:
    """Text without the characters that SQLite or JSON would stumble over."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
