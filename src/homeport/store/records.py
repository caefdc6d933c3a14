"""What the store hands out beside the domain's nouns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from homeport.domain.models import FeatureSetting, Model

Role = Literal["admin", "auditor", "user"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A model after a change, and what else the change did."""

    model: Model
    notes: tuple[str, ...] = ()
    """One sentence each, for the person who made the change: a key that was dropped, for example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A model that was removed and is back."""

    model: Model
    kept: tuple[str, ...] = ()
    """The features that it served and does not serve again: somebody set them otherwise since."""
    notes: tuple[str, ...] = ()
    """One sentence for each of these, with the reason, and for a key that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesChanged:
    """What serves features was changed: one feature, or several in one step."""

    id: int
    """Of the first of its events in the audit."""
    at: datetime
    by: str
    settings: tuple[tuple[FeatureSetting, FeatureSetting], ...]
    """What was, and what it became."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """Features that are as they were before a change."""

    settings: tuple[FeatureSetting, ...]
    kept: tuple[str, ...] = ()
    """Those that were set otherwise since, or need a model that is gone: they stay."""
    notes: tuple[str, ...] = ()
    """One sentence for each of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in."""

    name: str
    role: Role = "user"
    created: datetime | None = None
    disabled: bool = False
    seat: bool = True
    """Whether they may use what AI does; those who are disabled or deleted take none."""
    scopes: frozenset[str] | None = None
    """What their tokens may be used for at most; None for whatever a token says."""
    teams: tuple[str, ...] = ()
    """Names of the teams that they are in."""
    display: str = ""
    """How they are called, where the name they sign in with says little."""
    email: str = ""
    external_id: str = ""
    """What a directory that provisions people calls them."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the directory says besides."""
    id: str = field(default="", compare=False)
    """Stays when the name changes."""
    seen: datetime | None = field(default=None, compare=False)
    """When a session or a token of theirs was used last."""
    changed: datetime | None = field(default=None, compare=False)
    deleted: datetime | None = None
    """Deleted people are kept for a while, so that it can be undone."""
    language: str = field(default="", compare=False)
    """The tag of the language that pages speak with them; empty for what the browser asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People who belong together: usage is counted for each."""

    name: str
    id: str = ""
    external_id: str = ""
    members: tuple[str, ...] = ()
    """Names, sorted; deleted people are left out."""
    created: datetime | None = None
    changed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """How many people may use what AI does."""

    limit: int = 0
    """0 for as many as there are."""
    taken: int = 0

    @property
    def free(self) -> bool:
        """Whether there is one left."""
        return not self.limit or self.taken < self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link that lets somebody join once: everything but the link."""

    id: str
    role: Role = "user"
    team: str = ""
    """Name of the team that they join."""
    seat: bool = True
    note: str = ""
    """Whom it is for."""
    by: str = ""
    created: datetime
    expires: datetime
    used: datetime | None = None
    used_by: str = ""
    revoked: datetime | None = None

    def state(self, at: datetime) -> Literal["open", "used", "revoked", "expired"]:
        """What has become of it."""
        if self.used is not None:
            return "used"
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires <= at else "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who signed in."""

    user: User
    created: datetime
    seen: datetime
    expires: datetime


class Described(NamedTuple):
    """What shall be known of a person."""

    changes: Mapping[str, Any]
    """Fields of `User` that become others."""
    teams: Collection[str]
    """All that they shall be in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is at a provider of single sign-on."""

    issuer: str
    subject: str
    user: str
    created: datetime
    seen: datetime | None = None
    """When they signed in with it last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody whom a provider vouches for."""

    issuer: str
    subject: str
    name: str
    """What a new account is called; empty where the provider told no name."""
    role: Role | None
    """What the claims make of them; None leaves what is, and makes a user of somebody new."""
    create: bool
    """Whether somebody new gets an account."""
    external_id: str = ""
    """The externalId of the account that a directory provisioned for them; empty: none is looked for by it."""
    user_name: str = ""
    """The same, its name in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which thing, and how it looked before and after; secrets are masked."""

    id: int
    at: datetime
    who: str
    what: str
    """Thing and verb: "model.add", "token.revoke"."""
    subject: str
    """Name of the thing."""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    address: str = ""
    """Where the request for it came from: an address, "local" without a request; empty for what is older than that."""


SORTED_BY = ("name", "role", "seat", "seen", "created")
"""What a list of people may be sorted by."""


class WantedTokens(NamedTuple):
    """Which tokens; what is empty does not matter."""

    find: str = ""
    """A part of the name or of the owner's, in any case, or the last characters of the token."""
    owner: str = ""
    """Only those that belong to this person."""
    name: str = ""
    """The one that is called so, and is not revoked."""
    lasting: bool = False
    """Only those that are neither revoked nor expired."""
    ends_by: datetime | None = None
    """Only those of them that expire by then."""


class WantedPeople(NamedTuple):
    """Which people, and in which order; what is empty does not matter."""

    find: str = ""
    """A part of the name, of what they are called, or of their address, in any case."""
    role: str = ""
    team: str = ""
    """The name of one."""
    state: str = ""
    """"in", "disabled" or "deleted"; empty for everybody who is not deleted."""
    seat: str = ""
    """"yes" or "no"."""
    sort: str = "name"
    """One of SORTED_BY, with a minus ahead for the other way round."""


class Point(NamedTuple):
    """A while, and what was asked in it."""

    at: int
    """When it began, in seconds since 1970."""
    requests: int = 0
    failed: int = 0
    median_ms: float | None = None
    """Time to the first token; None where no answer began."""
    p95_ms: float | None = None
