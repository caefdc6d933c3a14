"""What the tests of providers share: a scripted server, a real transport, and an environment without a cloud."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from homeport.providers import _unwanted

if TYPE_CHECKING:
    from pathlib import Path


# it asks a server that this checkout does not install by itself
collect_ignore = [] if os.environ.get("HOMEPORT_TEST_VLLM") else ["test_real_vllm.py"]


@pytest.fixture
def no_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own identity, and nothing learned by an earlier test."""
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_", "OPENAI_", "IDENTITY_", "HOMEPORT_", "AIGW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(_unwanted, "_learned", type(_unwanted._learned)())  # noqa: SLF001 (what it remembers)
