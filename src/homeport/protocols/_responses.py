"""What goes into a response, in the shape of a chat: items as messages, tools as functions.

Sources: the OpenAI API reference, "Create a model response", its input items and tools; what Codex CLI sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LEFT_OUT = frozenset(("web_search", "web_search_preview", "image_generation", "tool_search"))
"""Tools of OpenAI's own servers that agents offer unasked: without them the model does what it can."""
LOCAL_SHELL: dict[str, Any] = {
    "name": "local_shell",
    "description": "Runs a command on the user's machine and returns what it prints.",
    "parameters": {
        "type": "object",
        "properties": {
            "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
            "working_directory": {"type": "string"},
            "timeout_ms": {"type": "integer"},
        },
        "required": ["command"],
    },
}
BETWEEN = "__"
"""Stands between the name of a group of tools and that of one of them."""


class Offer(NamedTuple):
    """A tool as the client knows it."""

    kind: str
    """function, custom or local_shell"""
    name: str
    namespace: str = ""


class Offered(NamedTuple):
    """The client's tools."""

    functions: list[dict[str, Any]]
    """As a chat takes them."""
    known: dict[str, Offer]
    """By the function's name."""
    left_out: tuple[str, ...]


def offered(tools: Sequence[Mapping[str, Any]]) -> Offered:
    """The tools as functions; raises BadRequest for those that only OpenAI's servers can run."""
    found = Offered([], {}, tuple(f"tools.{tool['type']}" for tool in tools if tool.get("type") in LEFT_OUT))
    for number, tool in enumerate(tools):
        kind, where = tool.get("type"), f"tools.{number}"
        if kind == "namespace":
            for each in tool.get("tools") or ():
                _offer(found, each, where, str(tool.get("name") or ""))
        elif kind not in LEFT_OUT:
            _offer(found, tool, where)
    return found


def _offer(found: Offered, tool: Mapping[str, Any], where: str, namespace: str = "") -> None:
    kind = tool.get("type")
    if kind not in {"function", "custom", "local_shell"}:
        saw = f"{where}: a tool of the type {str(kind)[:40]!r} runs on OpenAI's servers, not here."
        raise BadRequest(saw, "Leave it out, or offer a function that does the same.", param="tools")
    function = LOCAL_SHELL if kind == "local_shell" else _custom(tool) if kind == "custom" else _function(tool)
    own = function["name"]
    if not isinstance(own, str) or not own:
        raise BadRequest(f"{where}: a tool needs a name.", param="tools")
    name = f"{namespace}{BETWEEN}{own}" if namespace else own
    found.known[name] = Offer(kind, own, namespace)
    found.functions.append({"type": "function", "function": {**function, "name": name}})


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    function = {"name": tool.get("name"), "description": str(tool.get("description") or ""), "parameters": schema}
    return {**function, "strict": True} if tool.get("strict") else function


def _custom(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool that takes a text: a function of one argument, which says what the text must look like."""
    form = tool.get("format")
    description = str(tool.get("description") or "")
    if isinstance(form, dict) and form.get("type") == "grammar":
        description += f"\n\nThe input follows this {form.get('syntax')} grammar:\n{form.get('definition')}"
    text = {"type": "string", "description": "The whole input, as it stands."}
    schema = {"type": "object", "properties": {"input": text}, "required": ["input"]}
    return {"name": tool.get("name"), "description": description, "parameters": schema}


def choice_of(choice: object) -> object:
    """Which tool must be used, in a chat's words; raises BadRequest for a tool that does not run here."""
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("type")
    if kind in {"function", "custom"}:
        return {"type": "function", "function": {"name": str(choice.get("name"))}}
    if kind == "local_shell":
        return {"type": "function", "function": {"name": "local_shell"}}
    if kind == "allowed_tools":
        return choice.get("mode", "auto")
    saw = f"tool_choice asks for a tool of the type {str(kind)[:40]!r}, which runs on OpenAI's servers, not here."
    raise BadRequest(saw, "Name one of your own tools.", param="tool_choice")


def messages_of(items: Sequence[Any], earlier: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The conversation with these items at its end; raises BadRequest for one that cannot be passed on."""
    last = [dict(message) for message in earlier[-1:]]
    if last and "tool_calls" in last[0]:
        last[0]["tool_calls"] = list(last[0]["tool_calls"])
    # only the last message of a conversation that is kept may grow, and not where it is kept
    found: list[Any] = [*earlier[:-1], *last]
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise BadRequest(f"input.{number}: an item is an object.", param=f"input.{number}")
        _add(found, item, number)
    return found


def _add(found: list[dict[str, Any]], item: Mapping[str, Any], number: int) -> None:
    kind = item.get("type") or ("message" if "role" in item else None)
    if kind == "message":
        _add_message(found, item, number)
    elif kind == "reasoning":
        if thought := "".join(_texts(item.get("content"))):
            _assistant(found)["reasoning_content"] = thought
    elif kind in {"function_call", "custom_tool_call", "local_shell_call"}:
        _assistant(found).setdefault("tool_calls", []).append(_call(item, kind, number))
    elif kind in {"function_call_output", "custom_tool_call_output", "local_shell_call_output"}:
        _add_output(found, item, number)
    elif kind != "web_search_call":
        saw = f"input.{number}: an item of the type {str(kind)[:40]!r} is not taken here."
        raise BadRequest(
            saw, "Send messages, reasoning, and calls of tools with their outputs.", param=f"input.{number}"
        )


def _assistant(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The assistant's message at the end, made if there is none."""
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": None})
    return found[-1]


def _add_message(found: list[dict[str, Any]], item: Mapping[str, Any], number: int) -> None:
    """A message; words of the developer go to the system at the beginning, and to the user further on."""
    role, content = item.get("role"), item.get("content")
    plain = content = _alone(content)
    if not isinstance(plain, str):
        parts = list(_parts(content, number))
        plain = "\n\n".join([part["text"] for part in parts if part["type"] == "text"])
        content = plain if all(part["type"] == "text" for part in parts) else parts
    if role == "assistant":
        message = _assistant(found)
        if message.get("tool_calls"):
            found.append({"role": "assistant", "content": content})
        else:
            message["content"] = (message["content"] or "") + plain
    elif role in {"system", "developer"} and (not found or found[-1]["role"] == "system"):
        _join(found, "system", content)
    elif role in {"user", "system", "developer"}:
        _join(found, "user", content)
    else:
        raise BadRequest(
            f"input.{number}: a message needs a role.",
            "Use user, assistant, system or developer.",
            param=f"input.{number}",
        )


def _alone(content: Any) -> Any:  # noqa: ANN401 (a text, or parts)
    """The text of content that is nothing else, as nearly all is; else the content as it is."""
    part = content[0] if isinstance(content, list) and len(content) == 1 else None
    text = part.get("text") if isinstance(part, dict) and part.get("type") in {"input_text", "output_text"} else None
    return text if isinstance(text, str) else content


def _join(found: list[dict[str, Any]], role: str, content: Any) -> None:  # noqa: ANN401 (a text, or parts)
    if not found or found[-1]["role"] != role:
        found.append({"role": role, "content": content})
        return
    before = found[-1]["content"]
    if isinstance(before, str) and isinstance(content, str):
        found[-1]["content"] = f"{before}\n\n{content}"
    else:
        found[-1]["content"] = [*_as_parts(before), *_as_parts(content)]


def _as_parts(content: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (a text, or parts)
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _parts(content: object, number: int) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
        return
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in {"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"}:
            yield {"type": "text", "text": str(part.get("text") or part.get("refusal") or "")}
        elif kind == "input_image" and isinstance(part.get("image_url"), str):
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            yield {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
        else:
            saw = f"input.{number}: content of the type {str(kind)[:40]!r} is not taken here."
            raise BadRequest(saw, "Send input_text, or input_image with an image_url.", param=f"input.{number}")


def _texts(content: object) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def _call(item: Mapping[str, Any], kind: str, number: int) -> dict[str, Any]:
    call_id = item.get("call_id") or item.get("id")
    name = "local_shell" if kind == "local_shell_call" else item.get("name")
    if not isinstance(call_id, str) or not isinstance(name, str):
        raise BadRequest(
            f"input.{number}: a call needs a call_id and a name.",
            "Send calls back as they came.",
            param=f"input.{number}",
        )
    if item.get("namespace"):
        name = f"{item['namespace']}{BETWEEN}{name}"
    given = item.get("arguments")
    if kind == "custom_tool_call":
        given = {"input": item.get("input") or ""}
    elif kind == "local_shell_call":
        given = _exec(item.get("action"))
    text = given if isinstance(given, str) else orjson.dumps(given or {}).decode()
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text or "{}"}}


def _exec(action: object) -> dict[str, Any]:
    known = LOCAL_SHELL["parameters"]["properties"]
    return {name: value for name, value in action.items() if name in known} if isinstance(action, dict) else {}


def _add_output(found: list[dict[str, Any]], item: Mapping[str, Any], number: int) -> None:
    """What a tool said; pictures in it are shown by the user, the only one who may."""
    output = item.get("output")
    call_id = str(item.get("call_id") or item.get("id") or "")
    if isinstance(output, str):
        found.append({"role": "tool", "tool_call_id": call_id, "content": output})
        return
    parts = list(_parts(output, number)) if isinstance(output, list) else [_told(output)]
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    images = [part for part in parts if part["type"] != "text"]
    text = text or ("The result is the picture that follows." if images else "")
    found.append({"role": "tool", "tool_call_id": call_id, "content": text})
    if images:
        found.append({"role": "user", "content": images})


def _told(output: object) -> dict[str, Any]:
    return {"type": "text", "text": orjson.dumps(output).decode()}
