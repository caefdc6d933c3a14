"""What is large to install runs where it is asked for: HOMEPORT_TEST_AGENTS=1."""

from __future__ import annotations

import os

collect_ignore = (
    []
    if os.environ.get("HOMEPORT_TEST_AGENTS")
    else ["test_agents.py", "test_aider.py", "test_llm.py", "test_monacopilot.py"]
)
