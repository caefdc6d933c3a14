"""What the store hands out beside the domain's nouns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from homeport.domain.models import Model

Role = Literal["admin", "auditor", "user"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A model after a change, and what else the change did."""

    model: Model
    notes: tuple[str, ...] = ()
    """One sentence each, for the person who made the change: a key that was dropped, for example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in."""

    name: str
    role: Role = "user"
    created: datetime | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who signed in."""

    user: User
    created: datetime
    seen: datetime
    expires: datetime


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
