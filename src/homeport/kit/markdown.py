"""Markdown cut into passages: by its headings, each within a bound, code fences kept together.

Only what cutting needs is understood (CommonMark's headings and fences, front matter, comments);
everything else stays as it was written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PASSAGE = 4000
"""Characters that a passage may have: about a thousand tokens."""
HEADING = 200
"""Characters of a heading that are kept."""
FRONT_LINES = 200
"""Lines within which front matter must end."""

_OPENS = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")
_FACT = re.compile(r"([A-Za-z_][\w-]{0,60})[ \t]*[:=](.{0,1000})")
_SHORTCODE = re.compile(r"\s{0,20}\{\{[<%][^{}]{0,500}[>%]\}\}\s{0,20}")
_ATTRIBUTES = re.compile(r"[ \t]{0,10}\{[:#.][^{}]{0,100}\}$")
_NOT_A_TITLE = ("|", ">", "-", "*", "+", "#", "<", "`", "~")


class Passage(NamedTuple):
    """A piece of a document."""

    headings: tuple[str, ...]
    """The headings that it stands under, outermost first."""
    text: str


class Document(NamedTuple):
    """A Markdown file."""

    title: str
    """From the front matter, else the first heading of the first level, else empty."""
    front: Mapping[str, str]
    """The plain values of its front matter; lists and nested values are left out."""
    passages: tuple[Passage, ...]


class _Block(NamedTuple):
    """Lines that belong together: a paragraph or a fence."""

    lines: list[str]
    fence: str = ""
    """The line that opens it."""


def read(text: str, limit: int = PASSAGE) -> Document:
    """The document that `text` is, in passages of at most `limit` characters."""
    front, body = _front(text.splitlines())
    passages: list[Passage] = []
    title = front.get("title", "")
    for headings, blocks in _sections(body):
        if not title and headings:
            title = headings[0]
        passages += (Passage(headings, piece) for piece in _packed(blocks, limit))
    return Document(title, front, tuple(passages))


def _front(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Front matter (YAML between `---`, TOML between `+++`) and the rest."""
    mark = lines[0].rstrip() if lines else ""
    if mark not in {"---", "+++"}:
        return {}, lines
    end = next((at for at, line in enumerate(lines[1 : FRONT_LINES + 1], 1) if line.rstrip() == mark), 0)
    if not end:
        return {}, lines
    facts = (found for line in lines[1:end] if (found := _FACT.fullmatch(line)))
    return {found[1].lower(): _plain(found[2]) for found in facts}, lines[end + 1 :]


def _plain(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0] else value


def _sections(lines: Iterable[str]) -> Iterator[tuple[tuple[str, ...], list[_Block]]]:
    """What stands under each heading, with the headings above it."""
    path: dict[int, str] = {}
    blocks: list[_Block] = []
    for item in _parts(lines):
        if isinstance(item, _Block):
            blocks.append(item)
            continue
        if blocks:
            yield tuple(path.values()), blocks
        level, text = item
        path = {each: name for each, name in path.items() if each < level} | {level: text}
        blocks = []
    if blocks:
        yield tuple(path.values()), blocks


def _parts(lines: Iterable[str]) -> Iterator[_Block | tuple[int, str]]:
    """Headings (level and text), fences and paragraphs, in their order."""
    paragraph: list[str] = []
    source = iter(lines)
    for line in source:
        opens = _OPENS.match(line)
        underlined = _underlined(line, paragraph)
        heading = underlined or _heading(line)
        if heading or opens or not line.strip():
            if paragraph and not underlined:
                yield _Block(paragraph)
            paragraph = []
            if heading:
                yield heading[0], _named(heading[1])
            elif opens:
                yield _Block([line, *_fenced(source, opens[1])], fence=line)
        elif line.lstrip().startswith("<!--"):
            _skip_comment(line, source)
        elif not _SHORTCODE.fullmatch(line):
            paragraph.append(line)
    if paragraph:
        yield _Block(paragraph)


def _heading(line: str) -> tuple[int, str] | None:
    """Level and text of a heading that begins with number signs."""
    text = line.lstrip(" ")
    rest = text.lstrip("#")
    level = len(text) - len(rest)
    if not 1 <= level <= 6 or len(line) - len(text) > 3 or (rest and not rest[0].isspace()):  # noqa: PLR2004 (CommonMark's own numbers)
        return None
    return level, rest.strip()


def _underlined(line: str, above: list[str]) -> tuple[int, str] | None:
    """Level and text of a one-line paragraph that this line underlines."""
    mark = line.strip()
    if len(above) != 1 or len(mark) < 3 or mark.strip(mark[0]) or mark[0] not in "=-":  # noqa: PLR2004 (fewer are more often a typing error)
        return None
    text = above[0].strip()
    return None if text.startswith(_NOT_A_TITLE) else (1 if mark[0] == "=" else 2, text)


def _named(text: str) -> str:
    """A heading without its closing marks and attributes."""
    text = text[:HEADING]
    bare = text.rstrip("#")
    if bare != text and (not bare or bare[-1].isspace()):
        text = bare.rstrip()
    return _ATTRIBUTES.sub("", text).replace("`", "").strip()


def _fenced(source: Iterator[str], mark: str) -> Iterator[str]:
    """The lines of a fence, the closing one included; one that is never closed goes to the end."""
    for line in source:
        yield line
        found = line.strip()
        if len(found) >= len(mark) and found == mark[0] * len(found) and not line.startswith("    "):
            return


def _skip_comment(line: str, source: Iterator[str]) -> None:
    if "-->" in line:
        return
    for each in source:
        if "-->" in each:
            return


def _packed(blocks: Iterable[_Block], limit: int) -> Iterator[str]:
    """Blocks put together as long as they fit."""
    text = ""
    for block in blocks:
        for piece in _cut(block, limit):
            if text and len(text) + len(piece) + 2 > limit:
                yield text
                text = ""
            text = f"{text}\n\n{piece}" if text else piece
    if text.strip():
        yield text


def _cut(block: _Block, limit: int) -> Iterator[str]:
    """A block in pieces within the limit; a fence that is cut is closed and opened again."""
    whole = "\n".join(block.lines)
    if len(whole) <= limit:
        yield whole
        return
    mark = block.fence.strip()[:HEADING]
    closes = f"\n{mark[0] * _marks(mark)}" if mark else ""
    lines = block.lines[1:] if mark else block.lines
    room = max(limit - len(mark) - len(closes) - 1, limit // 2) if mark else limit
    for piece in _by_lines(lines[:-1] if mark and _closes(lines, mark) else lines, room):
        yield f"{mark}\n{piece}{closes}" if mark else piece


def _marks(mark: str) -> int:
    return len(mark) - len(mark.lstrip(mark[0]))


def _closes(lines: list[str], mark: str) -> bool:
    return bool(lines) and lines[-1].strip().startswith(mark[0] * _marks(mark))


def _by_lines(lines: Iterable[str], limit: int) -> Iterator[str]:
    """Lines put together as long as they fit; one that is too long itself is cut."""
    text: str | None = None
    for line in lines:
        for piece in (line[at : at + limit] for at in range(0, max(len(line), 1), limit)):
            if text is not None and len(text) + len(piece) + 1 > limit:
                yield text
                text = None
            text = piece if text is None else f"{text}\n{piece}"
    if text:
        yield text
