"""Which commit a question means."""

from __future__ import annotations

from homeport.features._reader import reader

FEATURE = reader(
    "commit_reader",
    "ask_commit",
    "commit",
    "group/project/-/commit/1a2b3c4d",
    reference="@1a2b3c4d",
    versions="1.0.0 1.1.0",
)
