"""The tools that GitLab runs for its chat, and which of them a request may be offered.

Source: "POST /v2/chat/agent" of the gateway protocol, the table of tools. The descriptions are for the model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.agents import Tool

if TYPE_CHECKING:
    from collections.abc import Collection

_VERSION = re.compile(r"\s*v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?P<rest>[\w.+-]*)", re.ASCII)
_EARLY = re.compile(r"[.-]?(?:pre|rc|alpha|beta)", re.IGNORECASE)


class Version(NamedTuple):
    """A GitLab version; one that was not yet released comes before the release."""

    major: int
    minor: int
    patch: int = 0
    released: bool = True


FIRST = Version(0, 0)


def version(text: str) -> Version:
    """The version in a header, such as "17.5.0-pre" or "18.2.1-ee"; the first there is where it says none."""
    found = _VERSION.match(text)
    if found is None:
        return FIRST
    major, minor, patch = (int(part or 0) for part in found.groups()[:3])
    return Version(major, minor, patch, released=not _EARLY.match(found["rest"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A tool, and what it takes to be offered it."""

    tool: Tool
    resource: str
    """What GitLab calls it in its list of what is not available."""
    scope: str
    since: Version = FIRST


def _reader(resource: str, scope: str, what: str, number: str, since: Version = FIRST) -> Offer:
    """A tool that reads one thing of a kind."""
    thing = resource.replace("_", " ").removesuffix("s")
    tool = Tool(
        name=f"{resource.removesuffix('s')}_reader",
        description=f"Reads one {thing}: {what}. For one named by address or {number}, or on the user's screen.",
        argument=f"The question, with the address or number of the {thing} as the user gave it.",
    )
    return Offer(tool=tool, resource=resource, scope=scope, since=since)


IN_17_5 = Version(17, 5, 0, released=False)
IN_18_2 = Version(18, 2)
OFFERS = (
    _reader("issues", "ask_issue", "title, description, comments, labels, people", "number (#12)"),
    _reader("epics", "ask_epic", "title, description, comments, issues", "number (&3)"),
    Offer(
        tool=Tool(
            name="gitlab_documentation",
            description="Answers from GitLab's documentation. For questions about how GitLab is used or set up.",
            argument="The question, so that it can be understood by itself.",
        ),
        resource="documentation answers",
        scope="documentation_search",
    ),
    _reader("commits", "ask_commit", "message, author, changes", "hash", IN_17_5),
    _reader("builds", "ask_build", "state and log of a CI/CD job", "number", IN_17_5),
    _reader("merge_requests", "ask_merge_request", "title, description, comments, changes", "number (!7)", IN_17_5),
    _reader("work_items", "ask_work_item", "title, description, comments of a task or objective", "number", IN_18_2),
)


def offered(found: Version, scopes: Collection[str], unavailable: Collection[str] = ()) -> tuple[Tool, ...]:
    """The tools for a caller with these scopes at a GitLab of this version.

    What GitLab says is not available is not offered.
    """
    missing = {_plain(name) for name in unavailable}
    return tuple(
        each.tool
        for each in OFFERS
        if each.scope in scopes and found >= each.since and _plain(each.resource) not in missing
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
