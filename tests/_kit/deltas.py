"""A model server that answers a chat in deltas: text, thoughts and calls of tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from script import DONE, USAGE, event, usage_event

if TYPE_CHECKING:
    from house import House
    from script import Peer


def plays(house: House, *deltas: dict[str, Any], finish: str = "stop", **choice: Any) -> None:
    """The model server streams these deltas, or gives their sum as a document."""

    async def play(peer: Peer) -> None:
        if not peer.json["stream"]:
            await peer.document(_joined(deltas, finish, choice))
            return
        await peer.head()
        frame = {"id": "u", "object": "chat.completion.chunk", "created": 1, "model": "served"}
        for delta in deltas:
            await peer.chunk(event({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))
        last = {"index": 0, "delta": {}, "finish_reason": finish, **choice}
        await peer.events([event({**frame, "choices": [last]}), usage_event(), DONE])
        await peer.end()

    house.models.play = play


def _joined(deltas: tuple[dict[str, Any], ...], finish: str, choice: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    for delta in deltas:
        for name in ("content", "reasoning_content"):
            if delta.get(name):
                message[name] = (message.get(name) or "") + delta[name]
        for call in delta.get("tool_calls", ()):
            own = calls.setdefault(call["index"], {"type": "function", "function": {"arguments": ""}})
            own["id"] = call.get("id") or own["id"]
            own["function"]["name"] = call["function"].get("name") or own["function"]["name"]
            own["function"]["arguments"] += call["function"].get("arguments", "")
    if calls:
        message["tool_calls"] = list(calls.values())
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish, **choice}], "usage": USAGE}


def call(at: int, name: str = "", arguments: str = "", **more: Any) -> dict[str, Any]:
    """A delta with a piece of a call."""
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {"tool_calls": [{"index": at, **({"id": f"call_{at}"} if name else {}), "function": function, **more}]}
