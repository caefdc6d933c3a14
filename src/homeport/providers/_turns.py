"""A conversation as turns of a user and an assistant, for platforms that take nothing else.

OpenAI's messages may come in any order and number; Anthropic's and Bedrock's alternate, begin with
the user, hold the system's words apart and no blank text.

Source: the OpenAI API reference, "Create chat completion", messages and tools.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

from homeport.domain.errors import BadRequest
from homeport.kit.journal import note_dropped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from homeport.domain.prompts import Prompt

Role = Literal["user", "assistant"]
FORMATS = {"png", "jpeg", "gif", "webp"}
REFUSED = ("n", "logprobs", "response_format")
"""Options that promise a form of the answer which these platforms do not give."""
TAKEN = {
    "anthropic": ("tools", "tool_choice", "parallel_tool_calls", "top_k"),
    "bedrock": ("tools", "tool_choice"),
}
"""Those that a platform has a word for; any other one is dropped, and the answer's head says so."""
_DATA_URL = re.compile(r"data:image/([a-z]+);base64,([A-Za-z0-9+/=\s]+)")


class Text(NamedTuple):
    """Words."""

    text: str


class Image(NamedTuple):
    """A picture, in base64."""

    format: str
    data: str


class Use(NamedTuple):
    """The assistant asked for a tool."""

    id: str
    name: str
    input: Any


class Result(NamedTuple):
    """What a tool said."""

    id: str
    text: str


Part = Text | Image | Use | Result


class Turn(NamedTuple):
    """What one side says before the other does."""

    role: Role
    parts: list[Part]


class Tool(NamedTuple):
    """A tool that the model may ask for."""

    name: str
    description: str
    schema: Any


class Conversation(NamedTuple):
    """All that is said to a model, and the tools that it may use."""

    system: str
    turns: list[Turn]
    tools: list[Tool]
    choice: str
    """auto, any, none, or the name of the one tool that must be used after a colon."""


def conversation(prompt: Prompt, platform: str, unwanted: frozenset[str] = frozenset()) -> Conversation:
    """The prompt as such platforms take it; raises BadRequest for what they cannot.

    With "prefill" among what is `unwanted`, an answer that was begun for the model is left out.
    """
    if prompt.kind == "embed":
        saw = f"Models of the platform {platform} do not embed here."
        raise BadRequest(saw, "Name one of an OpenAI-compatible server, of Azure OpenAI or of Bedrock.", param="model")
    _refuse(prompt.extra, platform)
    dropped = [name for name in prompt.extra if name not in TAKEN[platform] and name not in REFUSED]
    note_dropped(dropped if prompt.sampling.seed is None else [*dropped, "seed"])
    if prompt.kind == "text":
        return Conversation("", [Turn("user", [Text(prompt.text)])], [], "auto")
    messages = prompt.raw_messages or [{"role": each.role, "content": each.content} for each in prompt.messages]
    system: list[str] = []
    turns: list[Turn] = []
    for message in messages:
        role = str(message.get("role"))
        if role in {"system", "developer"}:
            system += [part.text for part in _parts(message.get("content"), platform) if isinstance(part, Text)]
        else:
            _add(turns, "assistant" if role == "assistant" else "user", list(_said(message, role, platform)))
    while turns and turns[0].role == "assistant" and len(turns) > 1:
        turns.pop(0)
    if not turns or turns[0].role == "assistant":
        raise BadRequest("The conversation holds nothing that a user says.", "Add a user message.", param="messages")
    if turns[-1].role == "assistant":
        _begin(turns, wanted="prefill" not in unwanted)
    choice = _choice(prompt.extra.get("tool_choice"))
    # turns in which tools were used make no sense without them
    used = any(isinstance(part, (Use, Result)) for turn in turns for part in turn.parts)
    tools = _tools(prompt.extra) if used or choice != "none" else []
    return Conversation("\n\n".join(system), turns, tools, choice)


def _begin(turns: list[Turn], *, wanted: bool) -> None:
    """The beginning of the answer: not every model takes one, and none takes white space at its end."""
    last = turns[-1].parts[-1]
    if not wanted:
        turns.pop()
    elif isinstance(last, Text):
        turns[-1].parts[-1] = Text(last.text.rstrip())


def _refuse(extra: Mapping[str, Any], platform: str) -> None:
    """What would change the form of the answer is not passed over in silence."""
    for name in REFUSED:
        value = extra.get(name)
        harmless = value in (None, False, 1) or (isinstance(value, dict) and value.get("type") == "text")
        if not harmless or value is True:
            saw = f"{name} is not offered by models of the platform {platform}."
            raise BadRequest(saw, "Leave it out.", param=name)


def _add(turns: list[Turn], role: Role, parts: list[Part]) -> None:
    """Put parts where they belong: two turns of one side are one."""
    if not parts:
        return
    if turns and turns[-1].role == role:
        turns[-1].parts.extend(parts)
    else:
        turns.append(Turn(role, parts))


def _said(message: Mapping[str, Any], role: str, platform: str) -> Iterator[Part]:
    content = message.get("content")
    if role == "tool":
        text = "\n".join(part.text for part in _parts(content, platform) if isinstance(part, Text))
        yield Result(str(message.get("tool_call_id") or ""), text)
        return
    yield from _parts(content, platform)
    for call in message.get("tool_calls") or ():
        yield _use(call)


def _use(call: Any) -> Use:  # noqa: ANN401 (whatever JSON came)
    try:
        asked = call["function"]
        found = orjson.loads(asked.get("arguments") or "{}")
        return Use(str(call["id"]), str(asked["name"]), found if isinstance(found, dict) else {})
    except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
        saw = "A tool call of an assistant message has no id, no function or no JSON as arguments."
        raise BadRequest(saw, "Send tool calls back as they came.", param="messages") from error


def _parts(content: object, platform: str) -> Iterator[Part]:
    """The parts of a message; blank text, which these platforms refuse, is left out."""
    if isinstance(content, str):
        if content.strip():
            yield Text(content)
        return
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            if part["text"].strip():
                yield Text(part["text"])
        elif kind == "image_url":
            yield _image(part, platform)
        else:
            saw = f"Content of the type {str(kind)[:40]!r} is not taken by models of the platform {platform}."
            raise BadRequest(saw, "Send text or images.", param="messages")


def _image(part: Mapping[str, Any], platform: str) -> Image:
    """An image that came with the request; addresses of images are not followed."""
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    found = _DATA_URL.fullmatch(url) if isinstance(url, str) else None
    kind = {"jpg": "jpeg"}.get(found[1], found[1]) if found else ""
    if found is None or kind not in FORMATS:
        saw = f"An image for a model of the platform {platform} must be in the request itself."
        raise BadRequest(saw, "Send it as data:image/png;base64,… (png, jpeg, gif or webp).", param="messages")
    return Image(kind, found[2])


def _tools(extra: Mapping[str, Any]) -> list[Tool]:
    found = []
    for each in extra.get("tools") or ():
        function = each.get("function") if isinstance(each, dict) else None
        if not isinstance(function, dict) or not function.get("name"):
            raise BadRequest("A tool is no function with a name.", "Send OpenAI's function tools.", param="tools")
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        found.append(Tool(str(function["name"]), str(function.get("description") or ""), schema))
    return found


def _choice(given: object) -> str:
    if isinstance(given, dict):
        function = given.get("function")
        return f":{function.get('name')}" if isinstance(function, dict) else "auto"
    return {"required": "any", "none": "none"}.get(str(given), "auto")
