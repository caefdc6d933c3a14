"""Answers in tags, mended so that a strict parser reads what a small model wrote.

Nothing is invented: tags are spelt out, moved to lines of their own and closed; what cannot be read is
left out.

Source: "Answer grammars that GitLab parses" of the gateway protocol.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_REVIEW = re.compile(r"<\s*(/?)\s*review\s*>", re.IGNORECASE)
_COMMENT = re.compile(
    r"<\s*comment\b(?P<attributes>(?:\s+[\w-]+\s*=\s*(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'>]+))*)\s*>"
    r"(?P<body>.*?)(?P<close></\s*comment\s*>|(?=<\s*comment\s)|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"'>]+))")
_SUMMARY = re.compile(r"<summary>.*?</summary>", re.IGNORECASE | re.DOTALL)
_SUGGESTION = re.compile(r"[ \t]*<from>(?P<old>.*?)</from>\s*<to>(?P<new>.*?)</to>[ \t]*\n?", re.IGNORECASE | re.DOTALL)
_FENCE = re.compile(r"\A[ \t]*\n?[ \t]*```[\w+.-]*[ \t]*\n(?P<code>.*?)\n?[ \t]*```[ \t]*\n?[ \t]*\Z", re.DOTALL)
_OTHER_NAMES = {"filename": "file", "path": "file", "file_path": "file", "line": "new_line", "lines": "new_line"}

BLOCKS = ("analysis", "fixed_code", "old_code", "new_code", "is_false_positive", "summary")
"""The tags in which a fix is told."""
_CODE = frozenset({"old_code", "new_code"})
_BLOCK = re.compile(rf"<\s*(?P<end>/?)\s*(?P<name>{'|'.join(BLOCKS)})\s*>", re.IGNORECASE)
_INSIDE = {"old_code": "fixed_code", "new_code": "fixed_code"}


def review(said: str) -> str:
    """A code review: the last `<review>` with the comments that can be read, and the first `<summary>`.

    An answer that holds neither is left as it is.
    """
    start, block = _last_review(said)
    if start < 0:
        return said
    comments = [found for found in _COMMENT.finditer(block) if found["attributes"]]
    about = block[: comments[0].start()] if comments else block
    summary = _SUMMARY.search(said[:start]) or _SUMMARY.search(about) or _SUMMARY.search(said[start + len(block) :])
    about = _SUMMARY.sub("", about).strip()
    inside = [about, *(_comment(found["attributes"], found["body"], closed=bool(found["close"])) for found in comments)]
    body = "\n".join(part for part in inside if part)
    written = f"<review>\n{body}\n</review>" if body else "<review></review>"
    return f"{summary[0]}\n{written}" if summary else written


def _last_review(said: str) -> tuple[int, str]:
    """Where the inside of the last `<review>` starts, and the inside; comments that stand in none are one too."""
    opened = [tag for tag in _REVIEW.finditer(said) if not tag[1]]
    if opened:
        start = opened[-1].end()
        closed = next((tag for tag in _REVIEW.finditer(said, start) if tag[1]), None)
        return start, said[start : closed.start() if closed else len(said)]
    first = next((found.start() for found in _COMMENT.finditer(said) if found["attributes"]), -1)
    return first, said[first:] if first >= 0 else ""


def _comment(attributes: str, body: str, *, closed: bool) -> str:
    """One comment on lines of its own; nothing when it names no file, no line or no matter."""
    named = _attributes(attributes)
    text = _suggestions(body if closed else _before_half(body)).strip("\n")
    lines = named.get("old_line", ""), named.get("new_line", "")
    if not named.get("file", "").strip() or not any(lines) or not text.strip():
        return ""
    head = f'<comment file="{named["file"].strip()}" old_line="{lines[0]}" new_line="{lines[1]}">'
    return f"{head}\n{text.rstrip()}\n</comment>"


def _attributes(text: str) -> Mapping[str, str]:
    """Attributes by the names that the parser knows; of a range of lines the first number counts."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(text):
        key, value = _OTHER_NAMES.get(name.lower(), name.lower()), "".join(values)
        if key in {"old_line", "new_line"}:
            number = re.search(r"\d+", value)
            value = number[0] if number else ""
        found[key] = found.get(key) or value
    return found


def _before_half(body: str) -> str:
    """The text of a comment that broke off, without a suggestion that lacks its end."""
    for tag in ("<from>", "<to>"):
        start = body.rfind(tag)
        if start >= 0 and body.find(tag.replace("<", "</"), start) < 0:
            return body[: body.rfind("<from>")]
    return body


def _suggestions(body: str) -> str:
    """Each suggestion with its tags at line starts; a body whose tags do not pair is left as it is."""
    pairs = len(_SUGGESTION.findall(body))
    if not pairs or any(body.lower().count(tag) != pairs for tag in ("<from>", "</from>", "<to>", "</to>")):
        return body
    return _SUGGESTION.sub(_suggestion, body)


def _suggestion(found: re.Match[str]) -> str:
    before = "" if found.start() == 0 or found.string[found.start() - 1] == "\n" else "\n"
    old, new = _lines(found["old"]), _lines(found["new"])
    if not old:
        return f"{before}```\n{new}```\n"
    return f"{before}<from>\n{old}</from>\n<to>\n{new}</to>\n"


def _lines(code: str) -> str:
    """Code as whole lines, without a fence around it and without the line ends next to its tags."""
    fenced = _FENCE.fullmatch(code)
    inner = f"{fenced['code']}\n" if fenced else re.sub(r"\A[ \t]*\n", "", code)
    inner = re.sub(r"\n[ \t]*\Z", "\n", inner)
    if not inner.strip(" \t"):
        return ""
    return inner if inner.endswith("\n") else f"{inner}\n"


def review_end(said: str) -> str:
    """The tags that a review lacks at its end; nothing when it is complete or is none."""
    tags = list(_REVIEW.finditer(said))
    if not tags or tags[-1][1]:
        return ""
    rest = said[tags[-1].end() :]
    comment = list(re.finditer(r"<\s*(/?)\s*comment\b", rest, re.IGNORECASE))
    to = list(re.finditer(r"<(/?)to>", rest, re.IGNORECASE))
    begins = "" if said.endswith("\n") else "\n"
    closing = ["</to>"] if to and not to[-1][1] else []
    closing += ["</comment>"] if comment and not comment[-1][1] else []
    return begins + "\n".join([*closing, "</review>"])


def fix(said: str) -> str:
    """A fix of a vulnerability: every tag opened on a line of its own, every block closed, code without fences."""
    top = _read(said).top
    at = [place for place, part in enumerate(top) if isinstance(part, _Block) and part.name in _CODE]
    if at:
        pairs = _Block("fixed_code", top[at[0] : at[-1] + 1])
        top = [*top[: at[0]], pairs, *top[at[-1] + 1 :]]
    return "".join(map(_written, top))


def fix_end(said: str) -> str:
    """The tags that a fix lacks at its end."""
    return "".join(f"\n</{block.name}>" for block in reversed(_read(said).open))


class _Block(NamedTuple):
    name: str
    parts: list[str | _Block]


class _Read(NamedTuple):
    top: list[str | _Block]
    open: list[_Block]
    """Blocks that the text does not close, the outermost first."""


def _read(said: str) -> _Read:
    """The text as blocks within blocks; a tag that nothing opened is left out."""
    top: list[str | _Block] = []
    open_: list[_Block] = []
    end = 0
    for tag in _BLOCK.finditer(said):
        name = tag["name"].lower()
        if _is_code(said, tag.end(), name, open_):
            continue
        (open_[-1].parts if open_ else top).append(said[end : tag.start()])
        end = tag.end()
        if not tag["end"]:
            _leave(open_, until=_INSIDE.get(name, ""))
            block = _Block(name, [])
            (open_[-1].parts if open_ else top).append(block)
            open_.append(block)
        elif any(block.name == name for block in open_):
            _leave(open_, until=name)
            open_.pop()
    (open_[-1].parts if open_ else top).append(said[end:])
    return _Read(top, open_)


def _is_code(said: str, at: int, name: str, open_: list[_Block]) -> bool:
    """Whether a tag is a part of the code that it stands in: markup has a `<summary>` too."""
    if not open_ or open_[-1].name not in _CODE or name in {*_CODE, "fixed_code"}:
        return False
    return said.find(f"</{open_[-1].name}>", at) >= 0


def _leave(open_: list[_Block], *, until: str) -> None:
    """Leave the innermost blocks, until one of this name or none is left."""
    while open_ and open_[-1].name != until:
        open_.pop()


def _written(part: str | _Block) -> str:
    if isinstance(part, str):
        return part
    inside = "".join(map(_written, part.parts))
    if part.name in _CODE:
        return f"<{part.name}>\n{_lines(inside)}</{part.name}>"
    text = inside.strip()
    if part.name == "is_false_positive":
        text = "true" if re.match(r"(true|yes)\b", text, re.IGNORECASE) else "false"
    if part.name == "fixed_code":
        # a fence around all pairs leaves its two lines as the only text between them
        text = re.sub(
            r"(?m)^[ \t]*```[\w+.-]*[ \t]*\n(?=<old_code>)|(?<=</new_code>)\n[ \t]*```[ \t]*$", "", text
        ).strip()
    return f"<{part.name}>\n{text}\n</{part.name}>" if text else f"<{part.name}>\n</{part.name}>"
