"""Who is calling and what they may use. Every endpoint declares a `Need`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """What an endpoint asks of its caller; one without a `Need` cannot be constructed."""

    scope: str
    """A token scope, or empty for anyone who is known."""
    public: bool = False
    """No credential needed: for health checks and documents only."""


PUBLIC = Need("", public=True)
KNOWN = Need("")

SCOPES: dict[str, str] = {
    "complete_code": "Complete code at the cursor",
    "generate_code": "Generate code from an instruction",
    "duo_chat": "Chat",
    "read_models": "List models",
    "admin": "Change models, features, tokens and settings",
}
"""Every scope we know; the names are those of GitLab's tokens where it has one."""

ALIASES: dict[str, frozenset[str]] = {
    "code_suggestions": frozenset({"complete_code", "generate_code"}),
}
"""Scopes of older GitLab versions that stand for several of ours."""


def widen(scopes: frozenset[str]) -> frozenset[str]:
    """The scopes with every alias spelt out."""
    extra = (ALIASES[scope] for scope in scopes if scope in ALIASES)
    return scopes.union(*extra)
