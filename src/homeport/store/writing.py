"""A change in progress: what every writing function needs, and the record it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from homeport.kit.peers import peer
from homeport.store.tables import audit_events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.kit.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """One transaction: its connection, who makes the change and when."""

    connection: AsyncConnection
    vault: Vault
    by: str
    at: datetime
    recorded: list[str] = field(default_factory=list)
    """What was done in it so far."""

    async def record(
        self,
        what: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write down the change in the transaction that makes it: there is never one without the other."""
        event = {"at": self.at, "who": self.by, "what": what, "subject": subject, "before": before, "after": after}
        event["address"] = peer()
        await self.connection.execute(insert(audit_events).values(event))
        self.recorded.append(what)
