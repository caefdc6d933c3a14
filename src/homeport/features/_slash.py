"""Commands that people type in chat, and the features that they stand for."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest

COMMANDS = {
    "/explain": "chat_explain_code",
    "/refactor": "chat_refactor_code",
    "/fix": "chat_fix_code",
    "/tests": "chat_write_tests",
}
TOLD = {
    "/explain": "Explain the selected code",
    "/refactor": "Refactor the selected code",
    "/fix": "Fix the selected code",
    "/tests": "Write tests for the selected code",
    "/reset": "Begin anew: what was said before is not considered",
    "/clear": "Forget the conversation",
    "/help": "List these commands",
}
"""Every command, and what it does."""


def split(text: str) -> tuple[str, str]:
    """The command that a message begins with, or nothing, and what follows it."""
    command, _, rest = text.strip().partition(" ")
    return (command, rest.strip()) if command in TOLD else ("", text.strip())


def about_code(feature: str, code: str, rest: str, file: str = "") -> PromptRequest:
    """A command about `code`, or about the rest of the message itself; `file` is what stands around the code."""
    given = {"selected_text": code or rest, "input": rest if code else "", "file_content": file}
    return PromptRequest(feature=feature, prompt=feature.replace("_", "/", 1), inputs=given)
