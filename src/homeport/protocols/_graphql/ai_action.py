"""`aiAction`: a question of an editor. The answer comes over the subscription, or is fetched with `aiMessages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.access import Need
from homeport.domain.agents import Shown
from homeport.domain.errors import BadRequest
from homeport.kit.journal import new_id
from homeport.protocols._chats import Question
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._admin import told
from homeport.protocols._graphql._messages import CATEGORIES
from homeport.protocols._instance import CHAT, gid, number, too_long

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from homeport.protocols._graphql import Call

QUESTION = 400_000
NAME, CODE, ADDED, ID = 1000, 400_000, 600_000, 255
ITEMS = 100
OTHERS = (
    *("agenticChat", "generateCommitMessage", "generateDescription", "explainVulnerability", "resolveVulnerability"),
    *("summarizeReview", "summarizeNewMergeRequest", "descriptionComposer", "measureCommentTemperature"),
)
"""Actions about things that only a GitLab has."""


async def act(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Begin to answer; what cannot be asked is an error of the mutation."""

    async def work() -> dict[str, Any]:
        question = _question(arguments["input"])
        request = call.door.chats.ask(call.door, call.arrival.caller, question)
        return {"requestId": request, "threadId": question.thread or None}

    return await told(work(), arguments, "requestId", "threadId")


def _question(given: Mapping[str, Any]) -> Question:
    """The question; raises BadRequest."""
    chosen = [name for name in ("chat", *OTHERS) if given.get(name) is not None]
    if chosen != ["chat"]:
        saw = f"The action is {chosen[0]}." if len(chosen) == 1 else f"There are {len(chosen)} actions."
        raise BadRequest(saw, "Exactly one can be asked for, and here that is chat.")
    chat = given["chat"]
    if not chat["content"].strip():
        raise BadRequest("The question is blank.", "Write one.", param="content")
    _bounded("content", chat["content"], QUESTION)
    file = chat.get("currentFile") or {}
    _bounded("fileName", file.get("fileName"), NAME)
    for name in ("selectedText", "contentAboveCursor", "contentBelowCursor"):
        _bounded(name, file.get(name), CODE)
    return Question(
        content=chat["content"],
        file_name=file.get("fileName") or "",
        selected=file.get("selectedText") or "",
        above=file.get("contentAboveCursor") or "",
        below=file.get("contentBelowCursor") or "",
        shown=tuple(_added(chat.get("additionalContext") or ())),
        thread=_thread(given),
        listener=given.get("clientSubscriptionId") or "",
    )


def _thread(given: Mapping[str, Any]) -> str:
    """The conversation that is gone on with; a client that knows of several begins one by naming its kind."""
    thread = given.get("threadId")
    if thread is not None:
        if not isinstance(thread, str) or len(thread) > ID:
            raise BadRequest("That is no id of a conversation.", "Take one from aiConversationThreads.")
        return thread
    return gid("Ai::Conversation::Thread", number(new_id())) if given.get("conversationType") else ""


def _added(items: Any) -> Iterator[Shown]:  # noqa: ANN401 (a list of dictionaries)
    if len(items) > ITEMS:
        raise BadRequest(f"More than {ITEMS} things are added.", "Add fewer.", param="additionalContext")
    for each in items:
        _bounded("id", each["id"], ID)
        _bounded("content", each["content"], ADDED)
        yield Shown(each["category"].lower().replace("_", " "), each["id"], each["content"])


def _bounded(name: str, value: str | None, most: int) -> None:
    if value is not None and len(value) > most:
        raise too_long(name, most)


FIELDS = Fields(
    mutation="aiAction(input: AiActionInput!): AiActionPayload",
    types=f"""
scalar AiModelID
scalar NamespaceID
scalar ProjectID
scalar GroupID
enum AiAdditionalContextCategory {{ {" ".join(CATEGORIES)} }}
input AiCurrentFileInput {{
  fileName: String! selectedText: String! contentAboveCursor: String contentBelowCursor: String
}}
input AiAdditionalContextInput {{ id: String! category: AiAdditionalContextCategory! content: String! metadata: JSON }}
input AiChatInput {{
  content: String! resourceId: AiModelID namespaceId: NamespaceID agentVersionId: AiAgentVersionID
  currentFile: AiCurrentFileInput additionalContext: [AiAdditionalContextInput!]
}}
input AiActionInput {{
  chat: AiChatInput
  {" ".join(f"{name}: JSON" for name in OTHERS)}
  clientSubscriptionId: String platformOrigin: String projectId: ProjectID rootNamespaceId: NamespaceID
  conversationType: AiConversationsThreadsConversationType threadId: AiConversationThreadID clientMutationId: String
}}
type AiActionPayload {{
  requestId: String threadId: AiConversationThreadID errors: [String!]! clientMutationId: String
}}
""",
    resolvers={"Mutation.aiAction": Resolver(Need(CHAT), act)},
)
