"""CPU time of translating between protocols: per request and per chunk, without sockets or a model.

    .venv/bin/python bench/translation.py

Each figure is the fastest of fifty runs, so that others on the machine count little. A request is 12 messages with two
tools and four calls; a chunk is one word.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from homeport.domain.models import Caller
from homeport.domain.streams import Chunk
from homeport.protocols import Answer, Arrival, anthropic_messages, openai_responses
from homeport.protocols._endpoint import validated
from homeport.protocols._kept import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS, REPEATS, RUNS = 4, 400, 50
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


def main() -> None:
    """Print the table."""
    arrival = Arrival("", [], Caller(subject="x"), Shelf(0))
    answer = Answer(id="a" * 32, created=0, text="", finish="", model="chat")
    chunk = Chunk(" word")
    for name, module, body, form in (
        ("Anthropic messages", anthropic_messages, _messages(), anthropic_messages.MessagesBody),
        ("OpenAI responses", openai_responses, _responses(), openai_responses.ResponsesBody),
    ):
        request = _fastest(lambda: module.parse(form.model_validate(orjson.loads(body)), arrival))  # noqa: B023 (called at once)
        guarded = _fastest(lambda: module.parse(validated(form, body), arrival))  # noqa: B023 (called at once)
        asked = module.parse(validated(form, body), arrival)
        module.piece(asked, answer, chunk)
        each = _fastest(lambda: module.piece(asked, answer, chunk))  # noqa: B023 (called at once)
        print(f"{name}: {request:.0f} µs a request, {guarded:.0f} µs with all checks; {each:.1f} µs a chunk")


if __name__ == "__main__":
    main()
