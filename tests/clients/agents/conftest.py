"""Agents are a gigabyte to install, so they run where they are asked for: HOMEPORT_TEST_AGENTS=1."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("HOMEPORT_TEST_AGENTS") else ["test_agents.py"]
