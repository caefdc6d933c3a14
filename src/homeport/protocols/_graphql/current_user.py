"""`currentUser`: who asks, and what they may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.access import KNOWN
from homeport.domain.errors import SetupError
from homeport.features._ask import assigned
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._instance import CHAT, CODE, user_gid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._graphql import Call

CONTEXT = ("include_file_context", "include_snippet_context", "include_local_git_context",
           "include_terminal_context", "include_dependency_context")  # fmt: skip
"""What an editor itself may add to a question; anything else would have to be looked up in a GitLab."""


def user(call: Call, _arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The owner of the token. What is not assigned to a model is not available."""
    caller = call.arrival.caller
    chat = CHAT in caller.scopes and _served(call, "chat")
    code = bool(caller.scopes.intersection(CODE)) and any(
        _served(call, key) for key in ("code_completions", "code_generations")
    )
    return {
        "id": user_gid(caller),
        "username": caller.subject,
        "name": caller.subject,
        "duoChatAvailable": chat,
        "duoCodeSuggestionsAvailable": code,
        "duoChatAvailableFeatures": sorted(caller.scopes.intersection(CONTEXT)) if chat else [],
        "codeSuggestionsContexts": ["open_tabs", "imports"] if code else [],
        "userPreferences": {"duoDefaultNamespace": None},
    }


def _served(call: Call, feature: str) -> bool:
    bench = call.door.bench
    try:
        assigned(bench, bench.snapshot(), feature)
    except SetupError:
        return False
    return True


FIELDS = Fields(
    query="currentUser: CurrentUser",
    types="""
scalar UserID
type DuoDefaultNamespace { id: ID! name: String! fullPath: ID! }
type UserPreferences { duoDefaultNamespace: DuoDefaultNamespace }
type CurrentUser {
  id: UserID!
  username: String!
  name: String!
  duoChatAvailable: Boolean!
  duoCodeSuggestionsAvailable: Boolean!
  duoChatAvailableFeatures: [String!]!
  codeSuggestionsContexts: [String!]!
  userPreferences: UserPreferences
}
""",
    resolvers={"Query.currentUser": Resolver(KNOWN, user)},
)
