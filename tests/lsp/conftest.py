"""One Homeport and one editor for all tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from editors import Editor, editing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from commands import Instance


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the editor works in."""
    return tmp_path_factory.mktemp("a project")


@pytest.fixture(scope="module")
async def open_editor(open_instance: Instance, project: Path) -> AsyncIterator[Editor]:
    """One that can do everything."""
    token = (open_instance.settings.data_dir / "token").read_text().strip()
    async with editing(project, "--url", open_instance.url, token=token) as editor:
        yield editor
    assert not editor.complaints


@pytest.fixture
def editor(open_editor: Editor, instance: Instance) -> Editor:
    """The editor, with nothing in sight, at a Homeport as it was at first."""
    del instance
    for seen in (open_editor.messages, open_editor.edits, open_editor.shown, open_editor.progress, open_editor.steps):
        seen.clear()
    open_editor.applies = True
    return open_editor
