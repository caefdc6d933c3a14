"""How a message of a chat looks."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homeport.protocols._chats import Said

CONVERSATIONS = ("DUO_CHAT", "DUO_CHAT_LEGACY", "DUO_QUICK_CHAT", "DUO_CODE_REVIEW")
CATEGORIES = (
    *("FILE", "SNIPPET", "MERGE_REQUEST", "ISSUE", "DEPENDENCY", "LOCAL_GIT", "TERMINAL", "USER_RULE"),
    *("REPOSITORY", "DIRECTORY", "AGENT_USER_ENVIRONMENT"),
)
"""Kinds of what somebody adds to a question."""


def shown(said: Said) -> dict[str, Any]:
    """A message. As HTML it is its text, escaped: what a model says is Markdown that its reader renders."""
    whole = said.chunk is None and not said.errors
    return {
        "id": said.id,
        "requestId": said.request,
        "content": said.content,
        "contentHtml": lambda _info: f"<p>{html.escape(said.content)}</p>" if whole else None,
        "role": said.role,
        "timestamp": datetime.fromtimestamp(said.at, UTC).isoformat(),
        "chunkId": said.chunk,
        "errors": list(said.errors),
        "type": None,
        "extras": {"sources": [], "hasFeedback": False, "additionalContext": []},
        "agentVersionId": None,
        "threadId": said.thread or None,
    }
