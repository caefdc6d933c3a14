"""Which epic a question means."""

from __future__ import annotations

from homeport.features._reader import reader

FEATURE = reader("epic_reader", "ask_epic", "epic", "groups/group/-/epics/12", reference="&12")
