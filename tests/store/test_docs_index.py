"""The documentation index: what is read, what is found, and what becomes of odd files, disks and questions."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest
from disks import disk_of
from house import eventually
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.domain.errors import BadConfiguration, InUse, TooMany, Unavailable
from homeport.store import docs_build, docs_index
from homeport.store.docs_build import build
from homeport.store.docs_index import WAITING, Docs, expression, search

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {
    "ci/runners.md": "---\ntitle: Runners\n---\n# Runners\nA runner is an agent.\n## Register\nRegister the "
    "runner with its token.\n",
    "ci/yaml.md": "# YAML reference\nThe file is called `.gitlab-ci.yml`. Set CI_DEBUG_TRACE to see more.\n",
    "backup.md": "# Back up\nBacking up the database takes minutes. Restoring takes longer.\n",
    "naïve.md": "# Café\nThe naïve café uses a runner too.\n",
}


def written(folder: Path, pages: dict[str, str | bytes]) -> Path:
    for name, text in pages.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return written(tmp_path / "docs", dict(PAGES))


@pytest.fixture
def file(docs: Path, tmp_path: Path) -> Path:
    """An index of the pages."""
    return build(docs, tmp_path / "docs.db").file


def found(file: Path, question: str) -> list[str]:
    return [each.file for each in search(file, question, 10)]


def test_what_was_indexed(docs: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    built = build(docs, tmp_path / "new" / "docs.db", on_file=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (built.documents, built.passages, built.left_out, built.guessed) == (4, 5, [], [])
    assert built.bytes == built.file.stat().st_size > 0
    assert [each.name for each in built.file.parent.iterdir()] == ["docs.db"]


def test_a_passage_knows_where_it_is_from(docs: Path, tmp_path: Path) -> None:
    file = build(docs, tmp_path / "docs.db", base_url="http://gitlab.example/help/").file
    best = search(file, "How do I register a runner?", 1)[0]
    assert (best.file, best.title, best.heading) == ("ci/runners.md", "Runners", "Runners > Register")
    assert best.text == "Register the runner with its token."
    assert best.url == "http://gitlab.example/help/ci/runners"


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("back up", "backup.md"),
        ("how can I backing the databases?", "backup.md"),
        ("restore", "backup.md"),
        (".gitlab-ci.yml", "ci/yaml.md"),
        ("CI_DEBUG_TRACE", "ci/yaml.md"),
        ("RUNNERS", "ci/runners.md"),
        ("cafe", "naïve.md"),
        ("CAFÉ", "naïve.md"),
        ("what is a runner", "ci/runners.md"),
    ],
)
def test_words_are_found_in_any_form(file: Path, question: str, first: str) -> None:
    assert found(file, question)[0] == first


def test_headings_weigh_more_than_text(tmp_path: Path) -> None:
    pages = {"a.md": "# Other\nA runner, a runner, a runner.", "b.md": "# Runner\nSomething else entirely here."}
    assert found(build(written(tmp_path / "d", dict(pages)), tmp_path / "x.db").file, "runner")[0] == "b.md"


def test_a_bound_on_results(file: Path) -> None:
    assert len(search(file, "runner", 2)) == 2


@pytest.mark.parametrize("question", ["", " ", "?!", '"', "* ^ -- ()", "\0", "_", "zebra", "🦓"])
def test_nothing_is_found_without_an_error(file: Path, question: str) -> None:
    assert search(file, question, 4) == []


@pytest.mark.parametrize(
    "question",
    [
        'runner"',
        "runner AND",
        "NOT runner",
        "NEAR(runner register",
        "title:runner",
        "runner*",
        "^runner",
        "{title} : runner",
        "runner'--",
    ],
)
def test_operators_are_words(file: Path, question: str) -> None:
    assert "ci/runners.md" in found(file, question)


@given(question=st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_question_is_an_error(file: Path, question: str) -> None:
    search(file, question, 4)


def test_a_huge_question_is_bounded(file: Path) -> None:
    assert expression("word " * 100_000) == '"word"'
    assert expression(" ".join(f"w{n}" for n in range(100_000))).count(" OR ") == 31
    started = time.perf_counter()
    search(file, "x-" * 200_000 + "a" * 200_000, 20)
    assert time.perf_counter() - started < 10


def test_common_words_count_only_when_there_is_nothing_else() -> None:
    assert expression("how do I use the runner") == '"runner"'
    assert expression("what is it") == '"what" OR "is" OR "it"'


def test_pages_that_say_they_are_not_to_be_read(tmp_path: Path) -> None:
    pages = {
        "moved.md": "---\nredirect_to: 'new.md'\n---\nThis runner moved.",
        "draft.md": "---\ndraft: true\n---\nA runner to come.",
        "final.md": "---\ndraft: false\n---\nA runner.",
        "empty.md": "",
    }
    built = build(written(tmp_path / "d", dict(pages)), tmp_path / "x.db")
    assert built.left_out == ["draft.md: draft in its front matter", "moved.md: redirect_to in its front matter"]
    assert found(built.file, "runner") == ["final.md"]


def test_files_in_other_encodings(tmp_path: Path) -> None:
    pages = {
        "bom.md": b"\xef\xbb\xbf# Runner\ntext",
        "utf16.md": "# Runner\ntext".encode("utf-16"),
        "latin.md": "# Runner für alle\nGröße".encode("cp1252"),
        "binary.md": b"\x89PNG\xff\0\0runner",
        "nul.md": b"# Runner\na\0b",
        "huge.md": b"runner " * (docs_build.FILE_BYTES // 7 + 1),
        "image.png": b"runner",
    }
    built = build(written(tmp_path / "d", dict(pages)), tmp_path / "x.db")
    assert built.guessed == ["latin.md"]
    assert built.left_out == ["binary.md: not text", "huge.md: larger than 4 MiB"]
    assert sorted(found(built.file, "runner")) == ["bom.md", "latin.md", "nul.md", "utf16.md"]
    assert search(built.file, "Größe", 1)[0].text == "Größe"


def test_links_that_lead_outside_are_not_followed(tmp_path: Path) -> None:
    outside = written(tmp_path / "outside", {"secret.md": "runner secret", "sub/deep.md": "runner secret"})
    folder = written(tmp_path / "docs", {"real.md": "runner", ".hidden/x.md": "runner"})
    (folder / "file.md").symlink_to(outside / "secret.md")
    (folder / "folder").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "inside.md").symlink_to(folder / "real.md")
    (folder / "nowhere.md").symlink_to(tmp_path / "nowhere")
    assert sorted(found(build(folder, tmp_path / "x.db").file, "runner")) == ["inside.md", "real.md"]


def test_an_unreadable_file_is_named(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        if self.name == "backup.md":
            raise PermissionError(13, "Permission denied")
        return self.read_text().encode()

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    assert build(docs, tmp_path / "x.db").left_out == ["backup.md: Permission denied"]


def test_nothing_to_index_leaves_the_old_one(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    (tmp_path / "none").mkdir()
    with pytest.raises(BadConfiguration, match="no Markdown file"):
        build(tmp_path / "none", file)
    assert file.read_bytes() == before


def test_a_failure_leaves_the_old_one(docs: Path, file: Path) -> None:
    before = file.read_bytes()

    def fail(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(docs, file, on_file=fail)
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir() if each.is_file()] == ["docs.db"]


def test_two_runs_do_not_mix(docs: Path, file: Path) -> None:
    with file.with_name(".docs.db.new").open("wb") as draft:
        fcntl.flock(draft, fcntl.LOCK_EX)
        with pytest.raises(InUse, match="Another run"):
            build(docs, file)
    assert build(docs, file).documents == 4


def test_what_a_killed_run_left_is_taken_over(docs: Path, file: Path) -> None:
    file.with_name(".docs.db.new").write_bytes(b"half")
    assert build(docs, file).documents == 4


def test_a_full_disk_is_said_and_leaves_the_old_one(docs: Path, file: Path) -> None:
    before = file.read_bytes()
    with disk_of(8192), pytest.raises(BadConfiguration, match="cannot be used as documentation index"):
        build(docs, file)
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir() if each.is_file()] == ["docs.db"]


def test_a_python_without_full_text_search(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_build, "_TABLES", "CREATE VIRTUAL TABLE x USING fts5_that_is_not_there(a)")
    with pytest.raises(BadConfiguration, match=r"has no full-text search \(FTS5\)"):
        build(docs, tmp_path / "x.db")


async def test_no_index_finds_nothing(tmp_path: Path) -> None:
    assert await Docs(tmp_path / "docs.db")("runner", 4) == []
    with pytest.raises(FileNotFoundError):
        search(tmp_path / "docs.db", "runner", 4)


async def test_a_new_index_is_picked_up(docs: Path, tmp_path: Path) -> None:
    file = tmp_path / "docs.db"
    ask = Docs(file)
    assert await ask("zebra", 4) == []
    build(docs, file)
    assert await ask("zebra", 4) == []
    written(docs, {"zebra.md": "# Zebra\nstripes"})
    build(docs, file)
    assert [each.file for each in await ask("zebra", 4)] == ["zebra.md"]
    file.unlink()
    assert await ask("zebra", 4) == []


async def test_a_file_that_is_no_index(tmp_path: Path) -> None:
    file = tmp_path / "docs.db"
    for content in (b"", b"text", b"SQLite format 3\0" + b"\xff" * 5000):
        file.write_bytes(content)
        assert await Docs(file)("runner", 4) == []
        with pytest.raises(BadConfiguration, match=r"docs\.db"):
            search(file, "runner", 4)
    file.unlink()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE passages (x)")
    other.close()
    with pytest.raises(BadConfiguration, match="not an index that this version"):
        search(file, "runner", 4)


@pytest.mark.parametrize("below", ["docs.db", "x" * 300], ids=["in a file", "too long"])
async def test_a_place_where_no_file_can_be(tmp_path: Path, below: str) -> None:
    place = tmp_path / ("file" if below == "docs.db" else "")
    (tmp_path / "file").write_text("x")
    assert await Docs(place / below)("runner", 4) == []
    with pytest.raises(BadConfiguration, match="cannot be used as documentation index"):
        search(place / below, "runner", 4)


def test_an_index_may_be_on_a_disk_that_cannot_be_written(file: Path) -> None:
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        assert found(file, "runner")
        assert os.listdir(file.parent).count("docs.db") == 1  # noqa: PTH208 (no journal, no lock beside it)
    finally:
        file.parent.chmod(0o755)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """An index in which a search takes long enough to be stopped."""
    text = "\n".join(f"## Section {n}\nrunner token register pipeline number{n}\n" for n in range(4000))
    return build(written(tmp_path / "large", {"a.md": text}), tmp_path / "large.db").file


async def test_a_search_ends_when_nobody_waits_for_it(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_index, "SEARCH_S", 0.0)
    with pytest.raises(Unavailable, match="longer than 0 s"):
        await Docs(large)("runner token register pipeline", 20)
    monkeypatch.setattr(docs_index, "SEARCH_S", 60.0)
    with pytest.raises(Unavailable):
        search(large, "runner token register pipeline", 20, given_up=lambda: True)


async def test_few_at_once_and_a_bounded_queue(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, running = threading.Event(), []

    def slow(*_: object, **__: object) -> list[object]:
        running.append(1)
        gate.wait(5)
        return []

    monkeypatch.setattr(docs_index, "search", slow)
    ask = Docs(file)
    waiting = [asyncio.create_task(ask("runner", 4)) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany, match="64 searches wait"):
        await ask("runner", 4)
    await eventually(lambda: len(running) == docs_index.SEARCHES)
    waiting[-1].cancel()
    gate.set()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(each == [] for each in done) == WAITING - 1
    assert len(running) == WAITING - 1
    assert await ask("runner", 4) == []
