"""What the endpoints in Anthropic's format share: errors, events, and what a conversation means in OpenAI's shape.

Sources: the Anthropic API reference, "Create a message", "Streaming messages", "Errors"; the OpenAI API
reference, "Create chat completion".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from homeport.domain.errors import HomeportError
    from homeport.protocols import Asked

KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
SERVER_ERROR = 500
OUR_SIGNATURE = "aG9tZXBvcnQ="
"""Stands behind thoughts that came from here: only those are shown to the model again."""
BILLING = "x-anthropic-billing-header:"
"""How a system block begins that Claude Code changes with each request; it would spoil every prompt cache."""
FAILED = "The tool failed:\n"
"""What is put before the result of a tool that failed: OpenAI's format has no field for it."""


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """Anthropic's error object; the correlation id stands in the text too, where people will see it."""
    return problem.status, orjson.dumps(_error_object(problem, correlation_id))


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The event that says that a stream broke; nothing follows it."""
    return event("error", _error_object(problem, correlation_id))


def _error_object(problem: HomeportError, correlation_id: str) -> dict[str, Any]:
    usual = "api_error" if problem.status >= SERVER_ERROR else "invalid_request_error"
    return {
        "type": "error",
        "error": {
            "type": KINDS.get(problem.status, usual),
            "message": f"{problem} (correlation id {correlation_id})",
            "code": problem.code,
            "param": problem.param,
        },
        "request_id": correlation_id,
    }


def event(kind: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event, with its name."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(data))


def system_of(system: str | Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """The system's words as one message, or none."""
    blocks = [{"text": system}] if isinstance(system, str) else system or ()
    texts = [_text(block, "system") for block in blocks]
    said = "\n\n".join(text for text in texts if text and not text.startswith(BILLING))
    return [{"role": "system", "content": said}] if said else []


def messages_of(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The conversation in OpenAI's shape; raises BadRequest for content that cannot be passed on."""
    found: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        content, where = message["content"], f"messages.{number}.content"
        assistant = message["role"] == "assistant"
        if isinstance(content, str) and (assistant or not found or found[-1]["role"] != "user"):
            found.append({"role": "assistant" if assistant else "user", "content": content})
            continue
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if assistant:
            found.append(_of_assistant(blocks, where))
        else:
            _add_of_user(found, blocks, where)
    return found


def _of_assistant(blocks: Sequence[Mapping[str, Any]], where: str) -> dict[str, Any]:
    texts, calls, thoughts = [], [], []
    for block in blocks:
        kind = block.get("type")
        if kind == "tool_use":
            calls.append(_call(block, where))
        elif kind == "thinking":
            if block.get("signature") == OUR_SIGNATURE:
                thoughts.append(str(block.get("thinking") or ""))
        elif kind != "redacted_thinking":
            texts.append(_text(block, where))
    said: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
    if calls:
        said["tool_calls"] = calls
    if thoughts:
        said["reasoning_content"] = "".join(thoughts)
    if not calls and said["content"] is None:
        said["content"] = ""
    return said


def _call(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        given = orjson.dumps(block.get("input") or {}).decode()
        function = {"name": str(block["name"]), "arguments": given}
        return {"id": str(block["id"]), "type": "function", "function": function}
    except (KeyError, TypeError) as error:
        saw = f"{where}: a tool_use block needs an id, a name and an input."
        raise BadRequest(saw, "Send tool calls back as they came.", param=where) from error


def _add_of_user(found: list[dict[str, Any]], blocks: Sequence[Mapping[str, Any]], where: str) -> None:
    """Results of tools first, each a message of its own; the rest is one message, joined to that of the turn before."""
    parts: list[dict[str, Any]] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            text, images = _result(block, where)
            found.append({"role": "tool", "tool_call_id": str(block.get("tool_use_id") or ""), "content": text})
            parts += images
        else:
            parts += _parts(block, where)
    if not parts:
        return
    if found and found[-1]["role"] == "user":
        parts = [*_as_parts(found.pop()["content"]), *parts]
    plain = all(part["type"] == "text" for part in parts)
    content: Any = "\n\n".join(part["text"] for part in parts) if plain else parts
    found.append({"role": "user", "content": content})


def _as_parts(content: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (a text, or parts)
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _result(block: Mapping[str, Any], where: str) -> tuple[str, list[dict[str, Any]]]:
    """What a tool said, and the pictures in it: OpenAI's format takes those from the user only."""
    content = block.get("content")
    if isinstance(content, str):
        return (FAILED + content if block.get("is_error") else content), []
    given = content or ()
    if not isinstance(given, list | tuple):
        raise BadRequest(f"{where}: the content of a tool_result is a text or a list of blocks.", param=where)
    parts = [part for each in given for part in _parts(each, where)]
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    images = [part for part in parts if part["type"] != "text"]
    if images and not text:
        text = "The result is the picture that follows."
    return (FAILED + text if block.get("is_error") else text), images


def _parts(block: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "image":
        yield {"type": "image_url", "image_url": {"url": _address(block.get("source"), where)}}
    elif kind == "search_result":
        yield from (part for each in block.get("content") or () for part in _parts(each, where))
    elif kind == "tool_reference":
        yield {"type": "text", "text": f"The tool {block.get('tool_name')} can be used now."}
    else:
        yield {"type": "text", "text": _text(block, where)}


def _address(source: object, where: str) -> str:
    if isinstance(source, dict):
        if source.get("type") == "base64" and source.get("media_type") and isinstance(source.get("data"), str):
            return f"data:{source['media_type']};base64,{source['data']}"
        url = source.get("url") if source.get("type") == "url" else None
        if isinstance(url, str):
            return url
    raise BadRequest(f"{where}: an image needs a source of the type base64 or url.", param=where)


def _text(block: Mapping[str, Any], where: str) -> str:
    """The text of a block, or of a document that holds plain text."""
    kind = block.get("type", "text") if isinstance(block, dict) else None
    text = block.get("text") if kind == "text" else None
    if isinstance(text, str):
        return text
    source = block.get("source") if kind == "document" else None
    if isinstance(source, dict) and source.get("type") == "text" and isinstance(source.get("data"), str):
        title = block.get("title")
        return f"{title}\n\n{source['data']}" if title else source["data"]
    saw = f"{where}: content of the type {str(kind)[:40]!r} is not taken here."
    raise BadRequest(saw, "Send text, images, tool_use and tool_result; of a document, its text.", param=where)


def tools_of(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The client's tools as OpenAI's functions; raises BadRequest for those that run at Anthropic."""
    found = []
    for number, tool in enumerate(tools):
        if tool.get("type") not in {None, "custom"}:
            saw = f"tools.{number}: a tool of the type {str(tool['type'])[:40]!r} runs at Anthropic, not here."
            raise BadRequest(saw, "Leave it out, or offer a tool of your own with an input_schema.", param="tools")
        schema = tool.get("input_schema")
        if not isinstance(tool.get("name"), str) or not isinstance(schema, dict):
            raise BadRequest(f"tools.{number}: a tool needs a name and an input_schema.", param="tools")
        function = {"name": tool["name"], "description": str(tool.get("description") or ""), "parameters": schema}
        found.append({"type": "function", "function": function})
    return found


def choice_of(choice: Mapping[str, Any]) -> object:
    """Which tool must be used, in OpenAI's words."""
    kind = choice.get("type")
    if kind == "tool":
        return {"type": "function", "function": {"name": str(choice.get("name"))}}
    return {"any": "required", "none": "none"}.get(str(kind), "auto")
