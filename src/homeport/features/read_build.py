"""Which CI/CD job a question means."""

from __future__ import annotations

from homeport.features._reader import reader

FEATURE = reader("build_reader", "ask_build", "job", "group/project/-/jobs/12")
