"""`aiMessages`, `aiConversationThreads` and `aiSlashCommands`: what was said in chat, and what may be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from homeport.access import Need
from homeport.domain.errors import BadRequest
from homeport.features._slash import TOLD
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._connection import ARGUMENTS, page, types
from homeport.protocols._graphql._messages import CONVERSATIONS, shown
from homeport.protocols._instance import CHAT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._graphql import Call

IDS = 100


def messages(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's own messages, oldest first; errors are messages, too. Raises BadRequest for too many ids."""
    ids, roles, thread = arguments.get("requestIds"), arguments.get("roles"), arguments.get("threadId")
    if ids is not None and len(ids) > IDS:
        raise BadRequest(f"More than {IDS} ids are asked for.", "Ask for fewer.", param="requestIds")
    found = [
        shown(each)
        for each in call.door.chats.said(call.arrival.caller.subject, thread)
        if (ids is None or each.request in ids) and (roles is None or each.role in roles)
    ]
    return page(found, arguments)


def threads(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's conversations, the latest first."""
    latest: dict[str, float] = {}
    first: dict[str, float] = {}
    titles: dict[str, str] = {}
    for each in call.door.chats.said(call.arrival.caller.subject):
        if each.thread:
            latest[each.thread] = each.at
            first.setdefault(each.thread, each.at)
            titles.setdefault(each.thread, each.content[:100])
    found = [
        {
            "id": name,
            "conversationType": CONVERSATIONS[0],
            "createdAt": _moment(first[name]),
            "lastUpdatedAt": _moment(at),
            "title": titles[name],
        }
        for name, at in sorted(latest.items(), key=lambda each: -each[1])
    ]
    return page(found, arguments)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def commands(_call: Call, _arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a message may begin with; those that need no words are sent at once."""
    alone = {"/reset", "/clear", "/help"}
    return [{"name": name, "description": what, "shouldSubmit": name in alone} for name, what in TOLD.items()]


FIELDS = Fields(
    query=f"""
aiMessages(
  requestIds: [ID!] roles: [AiMessageRole!] conversationType: AiConversationsThreadsConversationType
  threadId: AiConversationThreadID agentVersionId: AiAgentVersionID {ARGUMENTS}
): AiMessageConnection
aiConversationThreads(
  conversationType: AiConversationsThreadsConversationType {ARGUMENTS}
): AiConversationsThreadConnection
aiSlashCommands(url: String!): [AiSlashCommand!]
""",
    types=f"""
scalar AiConversationThreadID
scalar AiAgentVersionID
enum AiMessageRole {{ USER ASSISTANT SYSTEM }}
enum AiMessageType {{ TOOL }}
enum AiConversationsThreadsConversationType {{ {" ".join(CONVERSATIONS)} }}
type AiMessageExtras {{ sources: [JSON!] hasFeedback: Boolean additionalContext: [AiAdditionalContext!] }}
type AiAdditionalContext {{ id: ID! category: AiAdditionalContextCategory! content: String metadata: JSON }}
type AiMessage {{
  id: ID requestId: ID content: String contentHtml: String role: AiMessageRole! timestamp: Time! chunkId: Int
  errors: [String!] type: AiMessageType extras: AiMessageExtras agentVersionId: AiAgentVersionID
  threadId: AiConversationThreadID
}}
{types("AiMessage")}
type AiConversationsThread {{
  id: AiConversationThreadID! conversationType: AiConversationsThreadsConversationType! createdAt: Time!
  lastUpdatedAt: Time! title: String
}}
{types("AiConversationsThread")}
type AiSlashCommand {{ name: String! description: String! shouldSubmit: Boolean! }}
""",
    resolvers={
        "Query.aiMessages": Resolver(Need(CHAT), messages),
        "Query.aiConversationThreads": Resolver(Need(CHAT), threads),
        "Query.aiSlashCommands": Resolver(Need(CHAT), commands),
    },
)
