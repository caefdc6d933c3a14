"""`aiCompletionResponse`: the pieces of answers, for who subscribes over the WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.access import Need
from homeport.domain.errors import NotAllowed
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._instance import CHAT, user_gid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._chats import Topic
    from homeport.protocols._graphql import Call


def topic(call: Call, arguments: Mapping[str, Any]) -> Topic:
    """Whose answers are meant; raises NotAllowed for anybody else's."""
    caller = call.arrival.caller
    if arguments.get("userId") != user_gid(caller):
        raise NotAllowed("Unauthorized subscription: userId is not that of the token.", "Ask currentUser for it.")
    return caller.subject, arguments.get("clientSubscriptionId") or ""


FIELDS = Fields(
    subscription="""
aiCompletionResponse(
  userId: UserID resourceId: AiModelID agentVersionId: AiAgentVersionID clientSubscriptionId: String aiAction: AiAction
): AiMessage
""",
    types="enum AiAction { CHAT }",
    resolvers={"Subscription.aiCompletionResponse": Resolver(Need(CHAT), topic)},
)
