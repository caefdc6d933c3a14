"""Which issue a question means."""

from __future__ import annotations

from homeport.features._reader import reader

FEATURE = reader("issue_reader", "ask_issue", "issue", "group/project/-/issues/12", reference="#12")
