"""Answers that a program reads, found in what a model said around them.

Nothing is invented: an answer that does not hold what is looked for is left as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any

_FENCED = re.compile(r"^[ \t]*```[\w+.-]*[ \t]*\n(.*?)\n?^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_INLINE_FENCE = re.compile(r"```[ \t]*([^`\n]+?)[ \t]*```")
_IDENTIFIER = re.compile(
    r"""["']?ResourceIdentifierType["']?\s*[:=]\s*["']?(?P<type>current|iid|url|reference)\b["']?"""
    r"""\s*[,;]?\s*["']?ResourceIdentifier["']?\s*[:=]\s*["']?(?P<id>[^"'\s,}]+)""",
    re.IGNORECASE,
)
_NAMED = re.compile(r"https?://[^\s<>\"'`)\]]*[^\s<>\"'`)\].,;:!?]|(?<![\w/&#!])[#!&](\d+)\b")
SENTENCE = 200
"""Characters of an answer that says in a sentence which resource is meant, instead of in JSON."""
TYPES = ("current", "iid", "url", "reference")
"""How GitLab's readers may be told what is meant."""


def json_object(said: str, key: str) -> dict[str, Any] | None:
    """The first JSON object in the text that has `key`."""
    decoder = json.JSONDecoder()
    for start in (found.start() for found in re.finditer(r"\{", said)):
        try:
            found, _end = decoder.raw_decode(said, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and key in found:
            return found
    return None


def identifier(said: str) -> str:
    """Which resource is meant, as the JSON that GitLab's readers parse."""
    found = json_object(said, "ResourceIdentifierType")
    if found is None and (loose := _IDENTIFIER.search(said)):
        found = {"ResourceIdentifierType": loose["type"], "ResourceIdentifier": loose["id"]}
    found = found or _named(said)
    if found is None:
        return said
    kind, value = str(found["ResourceIdentifierType"]).lower(), found.get("ResourceIdentifier")
    if isinstance(value, str):
        value = value.strip()
        if re.match(r"https?://", value):
            kind = "url"
        elif kind == "iid":
            value = value.lstrip("#!&")
    if kind not in TYPES:
        return said
    return json.dumps({"ResourceIdentifierType": kind, "ResourceIdentifier": value or "current"}, ensure_ascii=False)


def _named(said: str) -> dict[str, Any] | None:
    """The one address or number with a sign that a sentence names, if it names just one."""
    names = {found[0]: found[1] for found in _NAMED.finditer(said)} if len(said) <= SENTENCE else {}
    if len(names) != 1:
        return None
    ((name, number),) = names.items()
    return {"ResourceIdentifierType": "iid" if number else "url", "ResourceIdentifier": number or name}


def category(said: str) -> str:
    """The category of a question, as JSON and nothing around it."""
    found = json_object(said, "category")
    return said if found is None else json.dumps(found, ensure_ascii=False)


def temperature(said: str) -> str:
    """The rating of a comment, as JSON in the tag that GitLab's page looks for."""
    found = json_object(said, "rating")
    if found is None:
        return said
    issues = found.get("issues")
    found["issues"] = [str(each) for each in issues] if isinstance(issues, list) else []
    return f"<temperature_rating>{json.dumps(found, ensure_ascii=False)}</temperature_rating>"


def unfenced(said: str) -> str:
    """A text without the fence that stands around the whole of it."""
    text = said.strip()
    fenced = _FENCED.fullmatch(text)
    return fenced[1].strip() if fenced and "```" not in fenced[1] else text


def commands(said: str) -> str:
    """An explanation in which every command has a fence of its own, without a language, as `glab` reads them."""
    text = _FENCED.sub(lambda block: _one_each(block[1]), said)
    return _INLINE_FENCE.sub(lambda block: f"```\n{block[1]}\n```", text)


def _one_each(code: str) -> str:
    """Each command in a fence; a line that is continued belongs to the next, and a remark is prose."""
    lines = [line.strip() for line in re.sub(r"[ \t]*\\\n\s*", " ", code).splitlines() if line.strip()]
    return "\n".join(
        line.lstrip("# ") if line.startswith("#") else f"```\n{line.removeprefix('$').strip()}\n```" for line in lines
    )
