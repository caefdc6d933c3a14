"""Which tool a model means, however it wrote that down: pure functions that never fail.

Models write calls as lines, as JSON, as a function call, or in the markup of their own chat template.
Sources: Yao et al., "ReAct", arXiv 2210.03629; the chat templates of Qwen 2.5 and 3 Coder
(`<tool_call>`, `<function=…>`), Mistral (`[TOOL_CALLS]`) and Llama 3.1 (`<|python_tag|>`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

NAME_KEYS = ("name", "tool", "action", "tool_name", "function_name", "action_name", "function", "tool_call")
INPUT_KEYS = ("arguments", "parameters", "action_input", "tool_input", "input", "args", "params", "query")
TEXT_KEYS = ("query", "input", "question", "text", "request", "search", "prompt", "action_input", "tool_input", "value")
"""Keys under which the one argument of a tool is found when there are several."""
ANSWERS = frozenset(("finalanswer", "directanswer", "answer", "finalresponse", "respond", "reply"))
"""What models write as a tool's name when they mean to answer."""
NONE = ("none", "notool", "noaction", "noneed")
"""How what they write begins when they mean no tool at all."""
NONE_LENGTH = 24
NESTED = 3
"""How deep a call may be wrapped in JSON."""
NAME_LENGTH = 64
MOST_NAME = 400
"""How much of a sentence is looked through for the tool that it names."""

_PLAIN = re.compile(r"[^a-z0-9]")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[ _-]?[A-Za-z0-9]+)*")
_XML = re.compile(
    r"<function(?:=|\s+name=)[\"']?(?P<name>[^\"'>\n]{1,100})[\"']?\s*>(?P<body>.*?)(?:</function>|\Z)", re.DOTALL
)
_XML_VALUE = re.compile(
    r"<parameter(?:=|\s+name=)[^>\n]{0,100}>(?P<value>.*?)(?:</parameter>|(?=<parameter)|\Z)", re.DOTALL
)
_SIGNATURE = re.compile(r"(?P<name>[\w\\.-]+)\s*(?:\((?P<round>.*)\)|\[(?P<square>.*)\])\s*[.;]?\s*", re.DOTALL)
_KEYWORD = re.compile(r"\s*\w+\s*=\s*(?=[\"'\w#\[{])")
_QUOTED_NAME = re.compile(rf'"(?:{"|".join(NAME_KEYS)})"\s*:\s*"(?P<name>[^"\\\n]{{1,100}})"')
_QUOTED_INPUT = re.compile(rf'"(?:{"|".join((*INPUT_KEYS, *TEXT_KEYS))})"\s*:\s*"(?P<value>(?:[^"\\]|\\.)*)', re.DOTALL)
_FENCE = re.compile(r"\A\s*(?:```|~~~)[\w-]*[ \t]*\n?|\n?[ \t]*(?:```|~~~)\s*\Z")
_WRAPS = ('"', "'", "`", "**", "__", "“", "”", "\u00ab", "\u00bb")
_MARKUP = re.compile(
    r"</?tool_calls?>|<\|?tool_calls?\|?>|<function_call>|<\|python_tag\|>|\[TOOL_CALLS\]|\[CALL_ID\]\w*|```\w*",
    re.IGNORECASE,
)
_ARGUMENTS = "[ARGS]"
"""What Mistral's models write between a tool's name and what is given to it."""
_DECODER = json.JSONDecoder(strict=False)


class Meant(NamedTuple):
    """A tool's name as the model wrote it, and what it gave to it."""

    name: str
    argument: str


def plain(name: str) -> str:
    """A name with nothing but its letters and digits, so that all spellings of it are equal."""
    return _PLAIN.sub("", name.lower())


def offered(name: str, tools: Collection[str]) -> str:
    """The tool that a text names, in the tool's own spelling, or an empty text.

    `IssueReader`, `issue reader` and `Issue-Reader` are `issue_reader`; a sentence names the first tool in it.
    """
    wanted = plain(name)
    found = [(wanted.find(plain(tool)), tool) for tool in tools if plain(tool) in wanted]
    return min(found)[1] if found else ""


def no_tool(name: str) -> bool:
    """Whether what stands in a tool's place says that none is wanted."""
    said = plain(name)
    return said in ANSWERS or said in {"na", "nil", "null"} or (said.startswith(NONE) and len(said) < NONE_LENGTH)


def meant(text: str, tools: Collection[str]) -> Meant:
    """The call that a text makes, as far as it can be told; an empty name when it cannot."""
    found = _in_markup(text) or _in_json(text) or _in_lines(text, tools)
    word = _WORD.search(found.name)
    name = found.name if no_tool(found.name) else word[0] if word else ""
    return found._replace(name=offered(found.name, tools) or name[:NAME_LENGTH])


def _in_markup(text: str) -> Meant | None:
    found = _XML.search(text)
    if found is None:
        return None
    values = [value["value"].strip() for value in _XML_VALUE.finditer(found["body"])]
    return _made(found["name"], "\n".join(filter(None, values)) or argument(_loaded(found["body"]) or found["body"]))


def _in_json(text: str) -> Meant | None:
    """A call in a JSON object, whole or cut off."""
    start = _opening(text)
    if start < 0:
        return None
    call = _named(_loaded(text[start:]))
    if call is not None:
        return call
    name, value = _QUOTED_NAME.search(text, start), _QUOTED_INPUT.search(text, start)
    if name is None:
        return None
    return _made(name["name"], _unescaped(value["value"]) if value else "")


def _opening(text: str) -> int:
    """Where the JSON of a call begins; -1 where a name or a sentence stands before it."""
    start = text.find("{")
    return start if start >= 0 and not re.search(r"\w", _MARKUP.sub("", text[:start])) else -1


def _named(found: object, depth: int = NESTED) -> Meant | None:
    """The call in a JSON value, which may be wrapped in others."""
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict) or not depth:
        return None
    for key in NAME_KEYS:
        value = found.get(key)
        if isinstance(value, str) and value.strip():
            return _made(value, argument(_given(found)))
        if isinstance(value, dict):
            return _named(value, depth - 1)
    return _named(found.get("tool_calls"), depth - 1)


def _given(call: Mapping[str, Any]) -> object:
    """What a call in JSON gives to its tool."""
    known = next((call[key] for key in INPUT_KEYS if key in call), None)
    return known if known is not None else {key: value for key, value in call.items() if key not in NAME_KEYS}


def _in_lines(text: str, tools: Collection[str]) -> Meant:
    """A call written as lines: the name, then a mark or a bracket or nothing, then what is given."""
    name, mark, given = _split(_unfenced(_MARKUP.sub("", text).replace(_ARGUMENTS, "\nAction Input: ")))
    found = None if mark else _SIGNATURE.fullmatch(name.strip(" `*\"'"))
    if found:
        inside = found["round"] if found["round"] is not None else found["square"]
        return _made(found["name"], argument(_loaded(inside) or _KEYWORD.sub("", inside, count=1)))
    if not mark and not given.strip():
        name, given = _glued(name, tools)
    cut_off = _QUOTED_INPUT.search(given) if given.lstrip(" \n`").startswith("{") else None
    said = _loaded(given) or (_unescaped(cut_off["value"]) if cut_off else _unfenced(given))
    return _made(name, argument(said))


INPUT = re.compile(
    r"(?:^|(?<=\s))[ \t>#*_`\"'-]{0,12}(?:(?:action|tool|function)[ _-]?(?:inputs?|args|arguments?|parameters?|query)"
    r"|(?:(?<=\n)|^)(?:inputs?|args|arguments?|parameters?|query))[*_`\"']{0,3}[ \t]*[:\uff1a][*_`]{0,3}",
    re.IGNORECASE | re.MULTILINE,
)
"""The mark between a tool's name and what is given to it."""


def _split(text: str) -> tuple[str, str, str]:
    """The name, the mark after it, and the rest."""
    mark = INPUT.search(text)
    if mark:
        return text[: mark.start()].strip(), mark[0], text[mark.end() :]
    first, _, rest = text.strip().partition("\n")
    return first, "", rest


def _glued(line: str, tools: Collection[str]) -> tuple[str, str]:
    """Name and argument that stand in one line with nothing agreed between them."""
    for tool in tools:
        spelt = r"[ _\\-]*".join(map(re.escape, tool.split("_")))
        found = re.match(
            rf"\W*{spelt}\b[`*\"']*\s*(?:tool\s*)?(?:[:,\u2013\u2014-]|with|for|to|=>?)?\s*", line, re.IGNORECASE
        )
        if found:
            return tool, line[found.end() :]
    return line, ""


def _made(name: str, given: str) -> Meant:
    return Meant(name.replace("\\_", "_").strip()[:MOST_NAME], given.strip().encode("utf-8", "replace").decode())


def argument(value: object) -> str:
    """What is given to a tool as the one text that GitLab's tools take."""
    # JSON may hold halves of surrogate pairs, which no text can
    return _flat(value, NESTED).encode("utf-8", "replace").decode()


def _flat(value: object, depth: int) -> str:
    if isinstance(value, str):
        inner = _loaded(value) if depth and value.lstrip().startswith(("{", '"')) else None
        return _unquoted(value) if inner is None else _flat(inner, depth - 1)
    if isinstance(value, dict):
        return _of_keys(value, depth)
    if isinstance(value, list):
        return ", ".join(filter(None, (_flat(each, depth - 1) for each in value))) if depth else ""
    return "" if value is None or isinstance(value, bool) else str(value)


def _of_keys(value: Mapping[str, Any], depth: int) -> str:
    """The text under the usual key, the only value there is, or all of them with their names."""
    if not depth:
        return ""
    said = {key: _flat(each, depth - 1) for key, each in value.items()}
    said = {key: each for key, each in said.items() if each}
    usual = next((said[key] for key in TEXT_KEYS if key in said), "")
    if usual or len(said) <= 1:
        return usual or next(iter(said.values()), "")
    return ", ".join(f"{key}: {each}" for key, each in said.items())


def _loaded(text: str) -> Any:  # noqa: ANN401 (whatever JSON stands there)
    """The JSON object at the start of a text, or the list or string that it is; else None."""
    text = _unfenced(text).strip()
    try:
        found, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(found, list | str) and end == len(text)
    return found if whole or isinstance(found, dict) else None


def _unfenced(text: str) -> str:
    return _FENCE.sub("", text)


def _unquoted(text: str) -> str:
    """A text without the quotation marks or stars around it."""
    text = text.strip()
    for mark in _WRAPS:
        inner = text.removeprefix(mark).removesuffix(mark)
        if len(text) > len(mark) and text.startswith(mark) and text.endswith(mark) and mark not in inner:
            return inner.strip()
    return text


def _unescaped(text: str) -> str:
    """The text that a JSON string, perhaps cut off, stands for."""
    try:
        found = _DECODER.decode(f'"{text}"')
    except ValueError:
        return text
    return found if isinstance(found, str) else text
