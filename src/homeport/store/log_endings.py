"""How requests ended, told apart: answered, failed, refused, or left by the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_

from homeport.domain.entries import ANSWERED, FAILED, LEFT, REFUSED, callers_codes

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table


def ended_as(ended: Table, ending: str) -> ColumnElement[bool]:
    """As `Traits.ending` tells them apart; raises KeyError for another word."""
    outcome = ended.c.outcome
    mistaken = ended.c.error_code.in_(sorted(callers_codes()))
    return {
        ANSWERED: outcome == "completed",
        LEFT: outcome == "client_closed",
        REFUSED: and_(outcome == "rejected", mistaken),
        FAILED: or_(outcome == "broken", and_(outcome == "rejected", ~mistaken)),
    }[ending]
