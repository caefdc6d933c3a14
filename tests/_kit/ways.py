"""Every way in which a client can ask for code or chat, and how each shows text, failure and end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from wire import Answer

BEFORE, AFTER = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"
MESSAGES = [{"role": "user", "content": "What is a mutex?"}]
LINES, LINE = BEFORE.splitlines(keepends=True)
FILE = {"file_name": "add.py", "content_above_cursor": BEFORE, "content_below_cursor": AFTER}
TASK_FILE = {"file_name": "add.py", "content_above_cursor": "# Add two numbers.\n", "content_below_cursor": AFTER}


NO_TOOLS = ("Issues", "Epics", "Documentation answers")
"""What a GitLab of any version could look up: without it, an agent's answer is passed on as it comes."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One endpoint as one kind of client uses it."""

    name: str
    path: str
    body: Callable[[bool], dict[str, Any]]
    """From whether to stream to the request."""
    style: str
    """openai, raw, sse, lines, mistral, llama, ollama or tabby: how it is framed, and how errors look."""
    streams: tuple[bool, ...] = (False, True)
    relay: bool = False
    """The model server's bytes are passed on."""
    prompt: bool = False
    """A prompt by its id: an empty object asks it too, and an answer without text is an error."""

    @property
    def plain(self) -> dict[str, Any]:
        """A request that does not stream, where there is a choice."""
        return self.body(self.streams[0])

    @property
    def streaming(self) -> dict[str, Any]:
        """A request that streams."""
        return self.body(self.streams[-1])

    @property
    def logged(self) -> str:
        """The path as logs name it."""
        return unquote(self.path)

    @property
    def gitlab(self) -> bool:
        """Whether errors are in GitLab's format."""
        return self.path.startswith(("/v1/prompts/", "/v2/", "/v3/", "/v4/"))

    def status(self, status: int, code: int) -> int:
        """The status of a failure that is not the caller's: `status`, in GitLab's protocol `code`, or in the stream."""
        return 200 if self.style == "lines" else code if self.gitlab else status


def _code(stream: bool) -> dict[str, Any]:  # noqa: FBT001 (the one thing that differs)
    return {"current_file": FILE, "stream": stream}


def _component(kind: str, file: dict[str, str]) -> Callable[[bool], dict[str, Any]]:
    return lambda stream: {"prompt_components": [{"type": kind, "payload": {**file, "stream": stream}}]}


WAYS = (
    Way(
        name="openai chat",
        path="/v1/chat/completions",
        body=lambda stream: {"messages": MESSAGES, "stream": stream},
        style="openai",
        relay=True,
    ),
    Way(
        name="openai text",
        path="/v1/completions",
        body=lambda stream: {"prompt": BEFORE, "stream": stream},
        style="openai",
        relay=True,
    ),
    Way(
        name="openai suffix",
        path="/v1/completions",
        body=lambda stream: {"prompt": BEFORE, "suffix": AFTER, "stream": stream},
        style="openai",
    ),
    Way(name="gitlab v2 completion", path="/v2/code/completions", body=_code, style="raw"),
    Way(name="gitlab v2 alias", path="/v2/completions", body=_code, style="raw"),
    Way(
        name="gitlab v2 generation",
        path="/v2/code/generations",
        body=lambda stream: {"current_file": TASK_FILE, "stream": stream, "prompt": "Add."},
        style="raw",
    ),
    Way(
        name="gitlab v3 completion",
        path="/v3/code/completions",
        body=_component("code_editor_completion", FILE),
        style="raw",
    ),
    Way(
        name="gitlab v3 generation",
        path="/v3/code/completions",
        body=_component("code_editor_generation", TASK_FILE),
        style="raw",
    ),
    Way(
        name="gitlab v4 completion",
        path="/v4/code/suggestions",
        body=_component("code_editor_completion", FILE),
        style="sse",
    ),
    Way(
        name="gitlab v4 generation",
        path="/v4/code/suggestions",
        body=_component("code_editor_generation", TASK_FILE),
        style="sse",
    ),
    Way(
        name="gitlab chat",
        path="/v2/chat/agent",
        body=lambda _stream: {"messages": MESSAGES, "unavailable_resources": [*NO_TOOLS]},
        style="lines",
        streams=(True,),
    ),
    Way(
        name="gitlab prompt",
        path="/v1/prompts/chat/explain_code",
        body=lambda stream: {"inputs": {"selected_text": BEFORE, "input": "Explain."}, "stream": stream},
        style="raw",
        prompt=True,
    ),
    Way(
        name="mistral fim",
        path="/v1/fim/completions",
        body=lambda stream: {"prompt": BEFORE, "suffix": AFTER, "stream": stream},
        style="mistral",
        streams=(True,),
    ),
    Way(
        name="llama infill",
        path="/infill",
        body=lambda stream: {"input_prefix": LINES, "prompt": LINE, "input_suffix": AFTER, "stream": stream},
        style="llama",
    ),
    Way(
        name="ollama chat",
        path="/api/chat",
        body=lambda stream: {"model": "", "messages": MESSAGES, "stream": stream},
        style="ollama",
    ),
    Way(
        name="tabby",
        path="/v1/completions",
        body=lambda _stream: {"segments": {"prefix": BEFORE, "suffix": AFTER, "filepath": "add.py"}},
        style="tabby",
        streams=(False,),
    ),
)
ASKED = [(way, stream) for way in WAYS for stream in way.streams]
STREAMED = [way for way in WAYS if True in way.streams]


def named(value: Any) -> str | None:
    """A test's id."""
    if isinstance(value, Way):
        return value.name.replace(" ", "-")
    return {True: "stream", False: "whole"}[value] if isinstance(value, bool) else None


def events(body: bytes) -> list[Any]:
    """The data of each event of an OpenAI stream; [DONE] as text."""
    found = (line[5:].strip() for line in body.splitlines() if line.startswith(b"data:"))
    return ["[DONE]" if data == b"[DONE]" else json.loads(data) for data in found]


def named_events(body: bytes) -> list[tuple[str, Any]]:
    """Name and data of each event of a stream as Anthropic and OpenAI's Responses frame it."""
    assert body.endswith(b"\n\n")
    found = []
    for block in body.decode().removesuffix("\n\n").split("\n\n"):
        first, second = block.split("\n")
        assert first.startswith("event: ")
        assert second.startswith("data: ")
        found.append((first[7:], json.loads(second[6:])))
    return found


def sse(body: bytes) -> list[tuple[str, Any]]:
    """Name and data of each event of a v4 stream, whose framing must be exact."""
    assert body.endswith(b"\r\n\r\n")
    assert b"\n" not in body.replace(b"\r\n", b"")
    found = []
    for block in body.decode().removesuffix("\r\n\r\n").split("\r\n\r\n"):
        first, second = block.split("\r\n")
        assert first.startswith("event: ")
        assert second.startswith("data: ")
        found.append((first[7:], json.loads(second[6:])))
    return found


def lines(body: bytes) -> list[dict[str, Any]]:
    """The objects of a stream of JSON lines; the last has its line end too."""
    assert not body or body.endswith(b"\n")
    return [json.loads(line) for line in body.splitlines()]


def _choice_text(choice: dict[str, Any]) -> str:
    if "text" in choice:
        return choice["text"] or ""
    return (choice.get("delta") or choice.get("message") or {}).get("content") or ""


def _said(document: dict[str, Any]) -> str:
    """The text of a document, or of one piece of a stream, whose protocol shows by itself."""
    if "choices" in document:
        return "".join(_choice_text(each) for each in document["choices"])
    if "error" in document or document.get("object") == "error":
        return ""
    return document.get("message", document).get("content") or document.get("response") or ""


def streamed_text(way: Way, body: bytes) -> str:
    """The text of a stream."""
    if way.style == "raw":
        return body.decode()
    if way.style == "sse":
        return "".join(data["choices"][0]["delta"]["content"] for name, data in sse(body) if name == "content_chunk")
    if way.style == "lines":
        return "".join(each["data"]["text"] for each in lines(body) if each["type"] == "final_answer_delta")
    found = lines(body) if way.style == "ollama" else (each for each in events(body) if each != "[DONE]")
    return "".join(map(_said, found))


def text_of(way: Way, answer: Answer, *, stream: bool) -> str:
    """The text of an answer."""
    if stream:
        return streamed_text(way, answer.body)
    document = answer.json
    return document if isinstance(document, str) else _said(document)


ENDS = {
    "openai": b"[DONE]",
    "sse": b"stream_end",
    "mistral": b"[DONE]",
    "llama": b'"stop":true',
    "ollama": b'"done":true',
}
TOLD = frozenset({"openai", "mistral", "llama", "ollama"})
"""Styles in which a stream that breaks ends with the protocol's error object."""


def ended(way: Way, answer: Answer) -> bool:
    """Whether a client takes the stream for complete."""
    return answer.whole and ENDS.get(way.style, b"") in answer.body


def error_text(way: Way, answer: Answer) -> str:
    """The sentence of an error document, which must have the form that the protocol's clients read."""
    if way.style == "lines" and answer.status == 200:
        (only,) = lines(answer.body)
        assert only["type"] == "error"
        return only["data"]["message"]
    body = answer.json
    if not way.gitlab:
        return failure(way, body)[0]
    if answer.status == 401:
        assert set(body) == {"error"}
        return body["error"]
    assert set(body) == {"detail"}
    if answer.status == 421:
        assert isinstance(body["detail"], str)
        return body["detail"]
    (only,) = body["detail"]
    return only["msg"]


def failure(way: Way, document: dict[str, Any]) -> tuple[str, str, str]:
    """Sentence, code and correlation id of an error object, of whose form nothing may be missing."""
    if way.style == "ollama" or (way.style == "tabby" and isinstance(document["error"], str)):
        assert set(document) == {"error", "code", "correlation_id"}
        return document["error"], document["code"], document["correlation_id"]
    if way.style == "mistral":
        assert set(document) == {"object", "message", "type", "param", "code", "request_id"}
        return document["message"], document["code"], document["request_id"]
    error = document["error"]
    if way.style == "llama":
        assert set(error) == {"code", "message", "type", "reason", "correlation_id"}
        return error["message"], error["reason"], error["correlation_id"]
    # until its body was read, a request of Tabby's may be one of OpenAI's
    assert set(error) == {"message", "type", "param", "code", "correlation_id"}
    return error["message"], error["code"], error["correlation_id"]


def last_failure(way: Way, body: bytes) -> tuple[str, str, str]:
    """What the last piece of a stream that broke says, where its protocol has a place for that."""
    return failure(way, lines(body)[-1] if way.style == "ollama" else events(body)[-1])
