"""Which merge request a question means."""

from __future__ import annotations

from homeport.features._reader import reader

FEATURE = reader(
    "merge_request_reader", "ask_merge_request", "merge request", "group/project/-/merge_requests/12", reference="!12"
)
