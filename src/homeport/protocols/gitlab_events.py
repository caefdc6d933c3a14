"""What GitLab's editors report: `/api/v4/usage_data/track_event` and `track_events`.

Source: instance and editors reference, sections 5.3 and 6.4. What became of a suggestion is joined to its request
and logged; any other event is taken and forgotten, and nothing is sent on to anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field

from homeport.access import KNOWN
from homeport.codetext.language import language_of
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._gitlab import Lenient
from homeport.protocols._instance import error, error_headers
from homeport.protocols._reports import Told, tell

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.store.acceptance import What

OURS: dict[str, What] = {
    "code_suggestion_shown_in_ide": "shown",
    "code_suggestion_accepted_in_ide": "accepted",
    "code_suggestion_rejected_in_ide": "rejected",
}
TRACKING = 255
EVENTS = 50


class TrackedEvent(Lenient):
    """Something that happened in an editor."""

    event: str = Field(min_length=1, max_length=255)
    additional_properties: dict[str, Any] | None = None


class TrackedEvents(Lenient):
    """Several at once."""

    events: list[TrackedEvent] = Field(max_length=EVENTS)


async def one(door: Door, body: TrackedEvent, arrival: Arrival) -> Reply:
    """Take one event."""
    _take(door, body, arrival)
    return Reply(orjson.dumps({"status": "success"}))


async def several(door: Door, body: TrackedEvents, arrival: Arrival) -> Reply:
    """Take several events."""
    for event in body.events:
        _take(door, event, arrival)
    return Reply(orjson.dumps({"status": "success"}))


def _take(door: Door, event: TrackedEvent, arrival: Arrival) -> None:
    what, told = OURS.get(event.event), event.additional_properties or {}
    tracking, word = told.get("unique_tracking_id"), told.get("language")
    if what is None or not isinstance(tracking, str) or not 0 < len(tracking) <= TRACKING:
        return
    language = language_of("", word) if isinstance(word, str) and word else None
    tell(door, arrival.caller, Told(what, tracking, language.id if language else ""))


EXAMPLE = {
    "event": "code_suggestion_shown_in_ide",
    "additional_properties": {"unique_tracking_id": "6a3f", "language": "python", "suggestion_size": 12},
}

PROTOCOL = WireProtocol(
    label="GitLab instance: what editors report",
    error=error,
    error_headers=error_headers,
    routes=(
        Act(
            paths=("/api/v4/usage_data/track_event",),
            need=KNOWN,
            act=one,
            body=TrackedEvent,
            summary="A suggestion was shown, accepted or rejected.",
            example=EXAMPLE,
        ),
        Act(
            paths=("/api/v4/usage_data/track_events",),
            need=KNOWN,
            act=several,
            body=TrackedEvents,
            summary="Several events at once.",
            example={"events": [EXAMPLE]},
        ),
    ),
)
