"""`llm.log`: what models were asked and how that ended, one line a request, as GitLab's instance writes it.

Source: instance and editors, "llm.log". A key is never among what is written; content only where it may be logged,
and never that of code suggestions, which is the gateway's to log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from homeport.kit.logs import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.entries import Entry
    from homeport.kit.journal import Facts

BYTES = 100_000_000
"""Beyond this the file is set aside."""
CODE = frozenset({"code_completions", "code_generations", "text_completions"})
EVENTS = {"completed": "response_received", "client_closed": "streaming_stopped"}
"""What an outcome is called; every other one is an error."""


class LlmLog:
    """Writes the lines."""

    def __init__(self, write: Callable[[bytes], None], lost: Callable[[], int] = int) -> None:
        """`write` takes a line with its end; `lost` counts those that could not be written."""
        self._write = write
        self.lost = lost

    def tell(self, entry: Entry, path: str, *, stream: bool) -> None:
        """Write down a request that asked for a feature."""
        self._write(orjson.dumps(line(entry, path, stream=stream), option=orjson.OPT_APPEND_NEWLINE))


def line(entry: Entry, path: str, *, stream: bool) -> Facts:
    """The fields of a request's line."""
    traits = entry.traits
    found: Facts = {
        "severity": "ERROR" if traits.outcome not in EVENTS else "INFO",
        "time": moment(entry.at),
        "correlation_id": entry.correlation_id,
        "meta.caller_id": path,
        "meta.user": traits.who,
        "message": f"{traits.model or 'No model'} was asked for {traits.feature}: {traits.outcome}",
        "class": "Homeport",
        "ai_event_name": EVENTS.get(traits.outcome, "error_response_received"),
        "ai_component": "code_suggestion" if traits.feature in CODE else "abstraction_layer",
        "unit_primitive": traits.feature,
        "ai_request_type": traits.feature,
        "completion_service_name": traits.model,
        "stream": stream,
        "status": traits.status,
        "duration_s": entry.phases.took / 1e6,
    }
    if traits.error_code:
        found |= {"ai_error_code": traits.error_code, "error_message": traits.error}
    if entry.content is not None and traits.feature not in CODE:
        found |= {
            "prompt": [each.prompt for each in entry.content.exchanges],
            "response_from_llm": [each.answer for each in entry.content.exchanges],
        }
    return found
