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
    direct: bool = False
    """Whether the token that a user's editor got for itself opens it: GitLab then did not look at the request."""


PUBLIC = Need("", public=True)
KNOWN = Need("")

SCOPES: dict[str, str] = {
    "complete_code": "Complete code at the cursor",
    "generate_code": "Generate code from an instruction",
    "duo_chat": "Chat",
    "read_models": "List models, as every token may",
    "admin": "Change models, features, tokens and settings",
    "scim": "Provision people and teams from a directory (SCIM)",
    "documentation_search": "Search the documentation, and answer from it",
    "explain_code": "Explain code in chat",
    "refactor_code": "Refactor code in chat",
    "fix_code": "Fix code in chat",
    "write_tests": "Write tests in chat",
    "ask_build": "Ask about a job in chat",
    "ask_commit": "Ask about a commit in chat",
    "ask_epic": "Ask about an epic in chat",
    "ask_issue": "Ask about an issue in chat",
    "ask_merge_request": "Ask about a merge request in chat",
    "ask_work_item": "Ask about a work item in chat",
    "troubleshoot_job": "Find out why a job failed",
    "explain_vulnerability": "Explain a vulnerability",
    "resolve_vulnerability": "Resolve a vulnerability",
    "summarize_comments": "Summarise a discussion",
    "summarize_new_merge_request": "Describe a new merge request",
    "summarize_review": "Summarise a review",
    "review_merge_request": "Review a merge request",
    "generate_commit_message": "Write a commit message",
    "generate_issue_description": "Write an issue's description",
    "glab_ask_git_command": "Find a Git command for GitLab's command line",
    "measure_comment_temperature": "Judge a comment's tone",
    **{
        f"include_{category}_context": f"Add context to a chat: {what}"
        for category, what in {
            "file": "files",
            "snippet": "snippets",
            "merge_request": "merge requests",
            "issue": "issues",
            "dependency": "dependencies",
            "local_git": "what the editor knows of Git",
            "terminal": "what the terminal shows",
            "repository": "repositories",
            "directory": "directories",
            "os_information": "the operating system",
            "agent_user_environment": "the editor's surroundings",
        }.items()
    },
    "ai_gateway_model_provider_proxy": "Call a vendor's API through the gateway, which is not offered",
}
"""Every scope we know; the names are those of GitLab's tokens where it has one."""

OWN = frozenset({"read_models", "admin", "scim"})
"""Those that only tokens of our own can have: nobody else's signature makes an administrator."""

COMMON = ("complete_code", "generate_code", "duo_chat", "read_models", "admin")
"""Those that a person who makes a token is asked about."""

ALIASES: dict[str, frozenset[str]] = {
    "code_suggestions": frozenset({"complete_code", "generate_code"}),
}
"""Scopes of older GitLab versions that stand for several of ours."""


def widen(scopes: frozenset[str]) -> frozenset[str]:
    """The scopes with every alias spelt out."""
    extra = (ALIASES[scope] for scope in scopes if scope in ALIASES)
    return scopes.union(*extra)
