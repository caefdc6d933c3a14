"""What a client says of a suggestion that it got: joined to its request, counted and logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

if TYPE_CHECKING:
    from homeport.domain.models import Caller
    from homeport.protocols._endpoint import Door
    from homeport.store.acceptance import What

log = structlog.get_logger()


class Told(NamedTuple):
    """What became of which suggestion."""

    what: What
    tracking: str
    """The id of its request, or one of the client's own."""
    language: str = ""
    by_id: bool = False
    """The client never has ids of its own: one that is not known means nothing."""


def tell(door: Door, caller: Caller, told: Told) -> None:
    """Take it in; what is said again, or of a suggestion that is not known, changes nothing."""
    known = door.suggestions.reported(caller.subject, told.tracking, told.language, told.what, by_id=told.by_id)
    if known is None:
        return
    found, verdict = known
    door.book.tell(found, verdict, caller)
    log.info(
        "suggestion reported",
        outcome=told.what,
        request=found.request,
        feature=found.feature,
        model=found.model,
        lang=found.language,
        caller=caller.subject,
    )
