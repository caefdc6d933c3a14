"""Which work item a question means."""

from __future__ import annotations

from homeport.features._reader import reader

FEATURE = reader("work_item_reader", "ask_work_item", "work item", "group/project/-/work_items/12", reference="#12")
