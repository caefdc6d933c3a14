"""Which other files help to complete one: those that are open, those that it imports, those beside it.

Of open files the text is sent, of all others the signatures. Only files of the project are read, only source code,
and only as much as the budget holds.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from homeport.codetext.imports import imported
from homeport.codetext.language import language_of
from homeport.codetext.signatures import known, signatures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OPEN_SHARE = 0.5
"""The part of the budget that open files may have."""
EACH_SHARE = 0.25
"""The part of the budget that one file may have."""
LARGEST = 300_000
"""Bytes of a file that is read."""
NEIGHBOURS = 12
FOLDER = 400
"""Entries of a folder that are looked at."""
SOURCES = ("", "src", "lib", "app", "include", "src/main/java", "src/main/kotlin", "src/main/scala")
"""Where projects keep what they import by its full name."""


class Other(NamedTuple):
    """A file that helps, or what it declares."""

    name: str
    """Its path in the project, with slashes."""
    content: str
    type: str
    """"file", or "snippet" for signatures: as the field `context` of Homeport has it."""


class Open(NamedTuple):
    """A document that is open in the editor."""

    path: Path
    text: str


def surroundings(current: Open, others: Sequence[Open], root: Path | None, room: int) -> tuple[Other, ...]:
    """The files to send beside the current one, at most `room` characters of them.

    Reads files: for a thread of its own. Without a `root` no file is read.
    """
    if root is not None:
        root, current = root.resolve(), current._replace(path=current.path.resolve())
        others = [other._replace(path=other.path.resolve()) for other in others]
    each = int(room * EACH_SHARE)
    found = _fitting((_opened(other, root, each) for other in others), int(room * OPEN_SHARE))
    if root is None:
        return tuple(found)
    taken = {current.path, *(other.path for other in others)}
    left = room - sum(len(other.content) for other in found)
    files = (path for path in _near(current, root) if path not in taken)
    read = (_declared(path, root, each) for path in dict.fromkeys(files))
    return (*found, *_fitting(read, left))


def name_of(path: Path, root: Path | None) -> str:
    """A file's path in its project; its name alone where it is in none."""
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name


def _fitting(found: Iterator[Other | None], room: int) -> list[Other]:
    kept: list[Other] = []
    for other in found:
        if other is not None and len(other.content) <= room:
            kept.append(other)
            room -= len(other.content)
    return kept


def _opened(other: Open, root: Path | None, room: int) -> Other | None:
    """An open file as it is, or what it declares if it is too long for that."""
    language = language_of(other.path.name)
    if language is None or not other.text.strip():
        return None
    name = name_of(other.path, root)
    if len(other.text) <= room:
        return Other(name, other.text, "file")
    declared = signatures(other.text, language.id, room)
    return Other(name, declared, "snippet") if declared else None


def _near(current: Open, root: Path) -> Iterator[Path]:
    """Files that the current one imports, then those of its language beside it."""
    language = language_of(current.path.name)
    if language is None or not known(language.id):
        return
    for places in imported(current.text, language.id):
        found = next((path for place in places for path in _there(place, current.path.parent, root)), None)
        if found is not None:
            yield from _sources(found) if found.is_dir() else (found,)
    if current.path.is_relative_to(root):
        yield from _sources(current.path.parent, language.extensions)


def _there(place: str, folder: Path, root: Path) -> Iterator[Path]:
    """Where a path leads to from the file's folder, from one above it, or from one with sources."""
    if place in {"", ".", ".."} or PurePosixPath(place).is_absolute():
        return
    above = [each for each in (folder, *folder.parents) if each.is_relative_to(root)]
    bases = [folder] if place.startswith(".") else [*above, *(root / each for each in SOURCES)]
    for base in bases:
        path = (base / place).resolve()
        if path.is_relative_to(root) and path != root and path.exists():
            yield path


def _sources(folder: Path, extensions: Sequence[str] = ()) -> list[Path]:
    """Source files of a folder by name, hidden ones left out."""
    entries = [path for path, _ in zip(folder.iterdir(), range(FOLDER), strict=False)]
    files = sorted(path for path in entries if not path.name.startswith(".") and _source(path, extensions))
    return files[:NEIGHBOURS]


def _source(path: Path, extensions: Sequence[str]) -> bool:
    ending = path.suffix[1:]
    language = language_of(path.name)
    wanted = ending in extensions if extensions else language is not None and known(language.id)
    return wanted and path.is_file() and not path.is_symlink()


def _declared(path: Path, root: Path, room: int) -> Other | None:
    language = language_of(path.name)
    try:
        if language is None or path.stat().st_size > LARGEST:
            return None
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    declared = signatures(text, language.id, room)
    return Other(name_of(path, root), declared, "snippet") if declared.strip() else None
