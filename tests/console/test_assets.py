"""Files of the pages: what was taken from elsewhere is what was recorded, small enough, and sent packed."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from townsfolk import addresses, settle_in

from homeport.console import _layout

if TYPE_CHECKING:
    from offices import Office

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "src" / "homeport" / "console" / "assets"
RECORD = json.loads((FOLDER / "vendored.json").read_text())


def test_vendored_files_are_what_was_recorded() -> None:
    found = {
        str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.rglob("*")
        if path.parent.name in {"codemirror", "uplot"} or path.name == "htmx.js"
    }
    assert found == {name: each["sha256"] for name, each in RECORD["files"].items()}, "run: sh tools/assets.sh"


def test_packages_are_those_of_the_lock() -> None:
    lock = json.loads((ROOT / "tools" / "assets" / "package-lock.json").read_text())["packages"]
    for name, said in RECORD["packages"].items():
        package = lock[f"node_modules/{name}"]
        assert said == f"{package['version']} {package['license']}", name
        assert package["license"] in {"MIT", "0BSD"}
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package
    licences = (FOLDER / "LICENCES.txt").read_text()
    assert not [name for name in RECORD["packages"] if f"{name} " not in licences]


def test_what_is_vendored_reaches_for_nothing() -> None:
    # htmx is there to ask, and is told to ask nobody but us
    for name in sorted(set(RECORD["files"]) - {"htmx.js"}):
        text = (FOLDER / name).read_text()
        never = (
            r"@import|url\(" if name.endswith(".css") else r"\bfetch\(|XMLHttpRequest|WebSocket|\beval\(|new Function\b"
        )
        assert not re.search(never, text), name


def test_each_page_loads_little() -> None:
    packed = {name: each["gzip"] for name, each in RECORD["files"].items()}
    ours = {path.name: len(gzip.compress(path.read_bytes())) for path in FOLDER.glob("*.*s*")}
    everywhere = sum(ours[name] for name in ("theme.js", "homeport.css", "homeport.js", "htmx.js"))
    assert everywhere + packed["uplot/uplot.js"] + packed["uplot/uplot.css"] < 70_000
    assert sum(map(packed.__getitem__, whole("codemirror/editor.js"))) < 130_000
    assert sum(map(packed.__getitem__, whole("codemirror/highlight.js"))) < 20_000


def whole(name: str) -> set[str]:
    """A file and what it loads at once."""
    text = (FOLDER / name).read_text()
    names = re.findall(r"(?:from|import)\"\./([^\"]+)\"", text)
    return {name}.union(*(whole(f"codemirror/{each}") for each in names))


@pytest.mark.parametrize("name", ["homeport.css", "codemirror/editor.js"])
async def test_files_are_sent_packed(office: Office, name: str) -> None:
    address = _layout.asset(name)
    async with office.house.line() as wire:
        await wire.send(office.asking("GET", address, Accept_Encoding="br, gzip"))
        answer = await wire.answer()
    assert answer.header("content-encoding") == "gzip"
    assert answer.header("vary") == "accept-encoding"
    assert gzip.decompress(answer.body) == (FOLDER / name).read_bytes()
    plain = await office.get(address)
    assert (plain.status, plain.body) == (200, (FOLDER / name).read_text())
    assert (await office.ask("POST", address)).status == 405


async def test_files_of_a_folder_find_each_other(office: Office) -> None:
    stem = _layout.asset("codemirror/editor.js").rpartition("/")[0]
    for name in RECORD["files"]:
        folder, _, file = name.rpartition("/")
        if folder == "codemirror":
            assert f"{stem}/{file}" in office.house.app.routes


WANTED_LATER = ("data-editor=", "data-highlight=")
"""Files that a script asks for when somebody reaches for the editor, or when code is to be coloured."""


def first_load(body: str) -> int:
    """Bytes of a page and, packed, of the files that it loads by itself, with those that they import."""
    now = re.sub("|".join(f'{each}"[^"]*"' for each in WANTED_LATER), "", body)
    names = {found for found in re.findall(r"\"/assets/[\w-]+/([\w/.-]+)\"", now) if found.endswith((".js", ".css"))}
    wanted = set().union(*(imported(name) for name in names))
    return len(body.encode()) + sum(len(gzip.compress((FOLDER / name).read_bytes())) for name in wanted)


def imported(name: str) -> set[str]:
    """A file of ours and all that it imports."""
    folder = name.rpartition("/")[0]
    names = re.findall(r"from \"\./([^\"]+)\"", (FOLDER / name).read_text()) if folder == "playground" else ()
    return {name}.union(*(imported(f"{folder}/{each}") for each in names))


async def test_no_page_loads_more_than_120_kilobytes_at_first(office: Office) -> None:
    await office.sign_in()
    await settle_in(office)
    loads = {path: first_load((await office.get(path)).body) for path in addresses()}
    assert {path: size for path, size in loads.items() if size > 120_000} == {}
    assert loads["/console"] > loads["/console/account"] + 20_000, "charts are counted"


async def test_files_are_kept_for_a_year(office: Office) -> None:
    async with office.house.line() as wire:
        await wire.send(office.asking("GET", _layout.asset("homeport.css")))
        answer = await wire.answer()
    assert answer.header("cache-control") == "public, max-age=31536000, immutable"
