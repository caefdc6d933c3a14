"""CPU time of translating between protocols: per request and per chunk, without sockets or a model.

    .venv/bin/python bench/translation.py

Each figure is the fastest of fifty runs, so that others on the machine count little. A conversation is 12 messages with
two tools and four calls, code is eight kilobytes around a cursor; a chunk is one word.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from homeport.domain.models import Caller
from homeport.domain.streams import Chunk
from homeport.protocols import (
    Answer,
    Arrival,
    anthropic_messages,
    llama_cpp,
    mistral_fim,
    ollama_chat,
    ollama_generate,
    openai_responses,
    tabby,
)
from homeport.protocols._endpoint import validated
from homeport.protocols._kept import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

TURNS, REPEATS, RUNS = 4, 400, 50
CODE = "def add(a, b):\n    return a + b\n\n\n" * 170
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}, "text": {"type": "string"}}}


def _messages() -> bytes:
    turns: list[dict[str, Any]] = []
    for at in range(TURNS):
        use = {"type": "tool_use", "id": f"c{at}", "name": "read", "input": {"path": "src/main.py"}}
        result = {"type": "tool_result", "tool_use_id": f"c{at}", "content": "def main(): ..." * 40}
        turns += [
            {"role": "user", "content": "Look into the file."},
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
            {"role": "user", "content": [result]},
        ]
    tools = [{"name": name, "description": "It does.", "input_schema": SCHEMA} for name in ("read", "write")]
    return orjson.dumps({"model": "chat", "max_tokens": 900, "stream": True, "messages": turns, "tools": tools})


def _responses() -> bytes:
    items: list[dict[str, Any]] = []
    for at in range(TURNS):
        call = {"type": "function_call", "call_id": f"c{at}", "name": "read", "arguments": '{"path": "src/main.py"}'}
        items += [
            {"role": "user", "content": [{"type": "input_text", "text": "Look into the file."}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            call,
            {"type": "function_call_output", "call_id": f"c{at}", "output": "def main(): ..." * 40},
        ]
    tools = [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("read", "write")]
    return orjson.dumps({"model": "chat", "store": False, "stream": True, "input": items, "tools": tools})


def _fastest(work: Callable[[], object]) -> float:
    """Microseconds of one call."""
    found = []
    for _ in range(RUNS):
        start = time.process_time()
        for _ in range(REPEATS):
            work()
        found.append((time.process_time() - start) / REPEATS * 1e6)
    return min(found)


def _code(before: str, after: str, files: str = "", of: tuple[str, str] = ("", "")) -> bytes:
    """Six kilobytes of code around a cursor, with parts of two other files where the protocol has a place for them."""
    name, text = of
    parts = {files: [{name: f"src/part{at}.py", text: CODE[:1500]} for at in range(2)]} if files else {}
    return orjson.dumps({"model": "chat", "stream": True, before: CODE, after: CODE[:2000], **parts})


def _tabby() -> bytes:
    found = orjson.loads(_code("prefix", "suffix", "declarations", ("filepath", "body")))
    segments = {name: found[name] for name in ("prefix", "suffix", "declarations")}
    return orjson.dumps({"language": "python", "segments": segments | {"filepath": "src/main.py"}})


def _ollama_chat() -> bytes:
    turns: list[dict[str, Any]] = []
    for _ in range(TURNS):
        call = {"function": {"name": "read", "arguments": {"path": "src/main.py"}}}
        turns += [
            {"role": "user", "content": "Look into the file."},
            {"role": "assistant", "content": "I look.", "tool_calls": [call]},
            {"role": "tool", "tool_name": "read", "content": "def main(): ..." * 40},
        ]
    functions = ({"name": name, "parameters": SCHEMA} for name in ("read", "write"))
    tools = [{"type": "function", "function": each} for each in functions]
    options = {"num_ctx": 8192, "temperature": 0.2}
    return orjson.dumps({"model": "chat", "messages": turns, "tools": tools, "options": options})


HOLE = _code("prompt", "suffix")
LLAMA = _code("input_prefix", "input_suffix", "input_extra", ("filename", "text"))
CASES: tuple[tuple[str, Any, type[BaseModel], bytes, Any], ...] = (
    ("Anthropic messages", anthropic_messages.parse, anthropic_messages.MessagesBody, _messages(), anthropic_messages),
    ("OpenAI responses", openai_responses.parse, openai_responses.ResponsesBody, _responses(), openai_responses),
    ("Mistral FIM", mistral_fim.parse, mistral_fim.FimBody, HOLE, mistral_fim),
    ("llama.cpp infill", llama_cpp.parse_infill, llama_cpp.InfillBody, LLAMA, llama_cpp),
    ("Ollama generate", ollama_generate.parse, ollama_generate.GenerateBody, HOLE, ollama_generate),
    ("Ollama chat", ollama_chat.parse, ollama_chat.OllamaChatBody, _ollama_chat(), ollama_chat),
    ("Tabby", tabby.parse, tabby.TabbyBody, _tabby(), None),
)


def main() -> None:
    """Print the table."""
    arrival = Arrival("", [], Caller(subject="x"), Shelf(0))
    answer = Answer(id="a" * 32, created=0, text="", finish="", model="chat")
    chunk = Chunk(" word")
    for name, parse, form, body, module in CASES:
        request = _fastest(lambda: parse(form.model_validate(orjson.loads(body)), arrival))  # noqa: B023 (called at once)
        guarded = _fastest(lambda: parse(validated(form, body), arrival))  # noqa: B023 (called at once)
        said = f"{name}: {request:.0f} µs a request, {guarded:.0f} µs with all checks"
        if module is not None:
            asked = parse(validated(form, body), arrival)
            module.piece(asked, answer, chunk)
            said += f"; {_fastest(lambda: module.piece(asked, answer, chunk)):.1f} µs a chunk"  # noqa: B023 (called at once)
        print(said)


if __name__ == "__main__":
    main()
