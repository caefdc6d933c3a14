"""Languages beside English: each is a catalogue of gettext, a file `TAG.po` that is read as it stands."""

from __future__ import annotations

import ast
import io
import json
import re
from gettext import GNUTranslations
from importlib.resources import files
from struct import pack
from typing import TYPE_CHECKING

import structlog

from homeport.console._texts import ENGLISH, Language, places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.resources.abc import Traversable

log = structlog.get_logger()
FOLDER = files("homeport.console").joinpath("texts")
"""Where catalogues are that come with Homeport; an administrator's are in `texts/` of the data directory."""
_HEAD = "Content-Type: text/plain; charset=UTF-8\n"
_TAG = re.compile(r"[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*")
_LINE = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr|msgstr\[(\d)\])?\s*(".*")')
_IN_SCRIPTS = re.compile(r'\bt\(("(?:[^"\\]|\\.)*")|\btn\(("(?:[^"\\]|\\.)*"), ("(?:[^"\\]|\\.)*")')
_TOLD_APART = 200
"""Numbers of which scripts know the form; above them the last two digits decide."""


def languages(folders: Sequence[Traversable], scripts: Sequence[str] = ()) -> dict[str, Language]:
    """What the folders hold, by tag; `scripts` are those that pages load.

    The later of two files with one name wins. One that is no catalogue is left out, and the log says so.
    """
    found: dict[str, Language] = {}
    for folder in folders:
        for file in folder.iterdir() if folder.is_dir() else ():
            stem, _, kind = file.name.rpartition(".")
            if kind == "po" and _TAG.fullmatch(stem):
                found |= _read(stem.replace("_", "-"), file, scripts)
    return found


def _read(tag: str, file: Traversable, scripts: Sequence[str]) -> dict[str, Language]:
    try:
        return {tag: language(tag, file.read_text("utf-8"), scripts)}
    except (OSError, ValueError, SyntaxError) as error:
        log.warning("a catalogue of texts cannot be read", file=file.name, reason=str(error))
        return {}


def language(tag: str, catalogue: str, scripts: Sequence[str] = ()) -> Language:
    """A language, from the text of its catalogue; raises ValueError or SyntaxError for one that is none."""
    made = GNUTranslations(io.BytesIO(_compiled(dict(_messages(catalogue)))))
    return Language(tag, made, _for_scripts(made, scripts))


def wanted(known: Mapping[str, Language], accepted: str) -> Language | None:
    """The language that a browser asks for first (RFC 9110, section 12.5.4), if it is there; None is English."""
    if not known:
        return None
    by_name = {tag.lower(): each for tag, each in known.items()}
    for asked in _accepted(accepted):
        stem = asked.partition("-")[0]
        if found := by_name.get(asked) or by_name.get(stem):
            return found
        if stem == ENGLISH:
            return None
    return None


def _accepted(header: str) -> Sequence[str]:
    """Tags in lower case, the best liked first."""
    liked: list[tuple[float, int, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.partition(";")
        given = re.fullmatch(r"\s*q=([01](\.\d{0,3})?)\s*", weight) if weight else None
        share = float(given[1]) if given else 1.0
        liked.append((-share, len(liked), tag.strip().lower()))
    return [tag for share, _, tag in sorted(liked) if tag and share]


# the catalogue


def _messages(catalogue: str) -> Iterator[tuple[str, str]]:
    """Keys and values as a .mo file has them; what is not translated, or names other places, stays English."""
    yield "", _HEAD
    for entry in _entries(catalogue):
        one, many = entry.get("msgid", ""), entry.get("msgid_plural")
        said = [value for name, value in sorted(entry.items()) if name.startswith("msgstr")]
        if not one:
            yield "", _HEAD + "".join(re.findall(r"(?m)^Plural-Forms:.*", said[0]))
        elif not places("".join(said)) <= places(one + (many or "")):
            log.warning("a translation names a place that its message has not", message=one)
        elif all(said) and "msgctxt" not in entry:
            yield (one if many is None else f"{one}\0{many}"), "\0".join(said)


def _entries(catalogue: str) -> Iterator[dict[str, str]]:
    """Keywords and texts of each message; those that are marked as unsure are left out."""
    entry: dict[str, str] = {}
    key, unsure = "", False
    for line in [*catalogue.splitlines(), "#"]:
        found = _LINE.fullmatch(line.strip())
        if entry and "msgstr" in key and (found is None or found[1] in {"msgid", "msgctxt"}):
            if not unsure or not entry.get("msgid"):
                yield entry
            entry, key, unsure = {}, "", False
        if line.startswith("#,"):
            unsure = "fuzzy" in line
        if found:
            key = found[1] or key
            entry[key] = entry.get(key, "") + ast.literal_eval(found[3])
        elif line.strip() and not line.startswith("#"):
            message = f"not a line of a catalogue: {line[:60]!r}"
            raise ValueError(message)


def _compiled(messages: Mapping[str, str]) -> bytes:
    """The same as a .mo file, which is what the standard library reads (GNU gettext manual, "MO Files")."""
    pairs = sorted((key.encode(), value.encode()) for key, value in messages.items())
    count, start, heads, body = len(pairs), 28, b"", b""
    for column in (0, 1):
        for pair in pairs:
            heads += pack("<II", len(pair[column]), start + 16 * count + len(body))
            body += pair[column] + b"\0"
    return pack("<7I", 0x950412DE, 0, count, start, start + 8 * count, 0, start) + heads + body


# what scripts say


def _for_scripts(catalogue: GNUTranslations, scripts: Sequence[str]) -> str:
    """JSON by which a page tells its scripts what they say."""
    found = spoken_by(scripts)
    said: dict[str, str | list[str]] = {one: catalogue.gettext(one) for one, many in found if not many}
    said |= {one: _forms(catalogue, one, many) for one, many in found if many}
    return json.dumps(said, ensure_ascii=False)


def _forms(catalogue: GNUTranslations, one: str, many: str) -> list[str]:
    """The forms that a number may ask for, and before them which of them each number does, a digit each."""
    by_number = [catalogue.ngettext(one, many, number) for number in range(_TOLD_APART)]
    forms = list(dict.fromkeys(by_number))
    return ["".join(str(forms.index(form)) for form in by_number), *forms]


def spoken_by(scripts: Sequence[str]) -> list[tuple[str, str]]:
    """The messages of scripts, each with its plural if it has one."""
    found = (match for text in scripts for match in _IN_SCRIPTS.findall(text))
    return [(json.loads(single or one), json.loads(many or '""')) for single, one, many in found]
