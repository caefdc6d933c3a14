"""`homeport docs`: from a folder of Markdown to an answer, on the real command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import homeport
from disks import disk_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documentation with one page of each kind."""
    folder = tmp_path / "handbook"
    (folder / "ci").mkdir(parents=True)
    (folder / "ci" / "runners.md").write_text(
        "---\ntitle: Runners\n---\n## Register\nRegister a runner with a token.\n"
    )
    (folder / "old.md").write_bytes("# Größe\nalt".encode("cp1252"))
    (folder / "picture.md").write_bytes(b"\xff\0")
    return folder


def test_index_and_search(folder: Path, data_dir: Path) -> None:
    ran = homeport("docs", "index", str(folder))
    assert ran.code == 0
    file = data_dir / "docs.db"
    assert file.is_file()
    assert ran.out.startswith("Indexed 2 files as 2 passages (0.")
    assert f"into {file} in " in ran.out
    assert ran.err.splitlines() == [
        "Left out: picture.md: not text.",
        "Not UTF-8, read as Windows-1252: old.md.",
    ]
    ran = homeport("docs", "search", "registering runners")
    assert (ran.code, ran.out) == (0, "Register  ci/runners.md\nRegister a runner with a token.\n")


def test_documents_for_programs(folder: Path, tmp_path: Path, data_dir: Path) -> None:
    del data_dir
    file = tmp_path / "elsewhere" / "d.db"
    url = "http://gitlab.example/help"
    ran = homeport("docs", "index", str(folder), "--output", str(file), "--base-url", url, "--json")
    found = ran.json
    assert found.pop("seconds") >= 0
    assert found.pop("bytes") == file.stat().st_size
    assert found == {
        "file": str(file),
        "documents": 2,
        "passages": 2,
        "left_out": ["picture.md: not text"],
        "guessed": ["old.md"],
    }
    ran = homeport("docs", "search", "runner", "--json", "--limit", "1", HOMEPORT_DOCS_INDEX=str(file))
    assert ran.json == [
        {
            "file": "ci/runners.md",
            "title": "Runners",
            "heading": "Register",
            "text": "Register a runner with a token.",
            "url": f"{url}/ci/runners",
        }
    ]


def test_many_left_out_are_counted(folder: Path, data_dir: Path) -> None:
    del data_dir
    for number in range(9):
        (folder / f"x{number}.md").write_bytes(b"\xff\0")
    assert "x3.md: not text and 5 more." in homeport("docs", "index", str(folder)).err


def test_nothing_found_is_no_failure(folder: Path, data_dir: Path) -> None:
    del data_dir
    homeport("docs", "index", str(folder))
    ran = homeport("docs", "search", "zebra")
    assert (ran.code, ran.out.strip()) == (0, "")
    assert "Nothing in the index" in ran.err
    assert homeport("docs", "search", "zebra", "--json").json == []


def test_what_can_go_wrong_is_said(folder: Path, tmp_path: Path, data_dir: Path) -> None:
    ran = homeport("docs", "search", "runner")
    assert (ran.code, ran.err) == (
        1,
        f"error: There is no documentation index at {data_dir / 'docs.db'}. Make one: homeport docs index DIR.\n",
    )
    (tmp_path / "empty").mkdir()
    ran = homeport("docs", "index", str(tmp_path / "empty"))
    assert ran.code == 1
    assert "There is no Markdown file in" in ran.err
    ran = homeport("docs", "index", str(tmp_path / "nowhere"))
    assert ran.code == 2
    ran = homeport("docs", "index", str(folder), "--output", "/proc/docs.db")
    assert ran.code == 1
    assert "/proc/" in ran.err
    with disk_of(4096):
        ran = homeport("docs", "index", str(folder))
    assert ran.code == 1
    assert "cannot be used as documentation index" in ran.err
    assert "Traceback" not in ran.err
