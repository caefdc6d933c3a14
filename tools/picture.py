"""The rooms as a picture: layers from the import contract, arrows from the imports that are really there."""

from __future__ import annotations

import importlib
import inspect
import textwrap
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Iterator

    Imports = dict[str, set[str]]

TITLE = "The rooms of Homeport and what they import"
HEAD = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
ROOT = Path(__file__).resolve().parent.parent
WIDTH, ROW, HEIGHT, GAP = 880, 92, 62, 14
STYLE = """
  .box { fill: #f6f8fa; fill-opacity: .86; stroke: #57606a; }
  .name { font: 600 15px system-ui, sans-serif; fill: #1f2328; }
  .says { font: 11px system-ui, sans-serif; fill: #57606a; }
  .arrow { stroke: #8c959f; fill: none; } .head { fill: #8c959f; }
  @media (prefers-color-scheme: dark) {
    .box { fill: #161b22; stroke: #8b949e; } .name { fill: #e6edf3; }
    .says { fill: #8b949e; } .arrow { stroke: #6e7681; } .head { fill: #6e7681; } }
"""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a room is drawn."""

    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        """Its horizontal centre."""
        return self.x + self.width / 2

    def near(self, x: float) -> float:
        """The place on its edge that is nearest to `x`, away from the corners."""
        return min(max(x, self.x + 24), self.x + self.width - 24)


def layers() -> list[list[str]]:
    """The rooms as the contract stacks them, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    stacked = next(contract for contract in contracts if contract["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in stacked["layers"]]


def imports() -> Imports:
    """Which room imports which, by the source as it stands."""
    graph = grimp.build_graph("homeport", cache_dir=None)
    found: Imports = {room: set() for layer in layers() for room in layer}
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            ours, theirs = _room(module), _room(other)
            if ours and theirs and ours != theirs:
                found.setdefault(ours, set()).add(theirs)
    return found


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def reach(found: Imports, room: str) -> set[str]:
    """Every room that `room` imports, directly or through another."""
    seen: set[str] = set()
    waiting = [room]
    while waiting:
        for other in found.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def essential(found: Imports) -> list[tuple[str, str]]:
    """The arrows worth drawing: an import that also goes through another room is left out."""
    return sorted(
        (room, other)
        for room, others in found.items()
        for other in others
        if not any(other in reach(found, step) for step in others - {other})
    )


def boxes() -> dict[str, Box]:
    """A place for every room: a row a layer, the last two as wide as the picture."""
    stacked = layers()
    placed: dict[str, Box] = {}
    for row, layer in enumerate(stacked):
        most = WIDTH if row >= len(stacked) - 2 else 202.0
        width = min(most, (WIDTH - GAP) / len(layer) - GAP)
        step = (WIDTH - GAP) / len(layer)
        for column, room in enumerate(layer):
            middle = GAP / 2 + step * (column + 0.5)
            placed[room] = Box(middle - width / 2, 10 + row * ROW, width)
    return placed


def svg() -> str:
    """The picture."""
    placed = boxes()
    height = 10 + len(layers()) * ROW - (ROW - HEIGHT) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{TITLE}">',
        f"<style>{STYLE}</style>",
        f'{HEAD}<path class="head" d="M0 0 8 4 0 8z"/></marker>',
        *(_arrow(room, other, placed) for room, other in essential(imports())),
        *(line for room, box in placed.items() for line in _drawn(room, box)),
        "</svg>",
    ]
    return "\n".join(parts)


def _arrow(room: str, other: str, placed: dict[str, Box]) -> str:
    start, end = placed[room], placed[other]
    shift = (list(placed).index(other) % 5 - 2) * 16
    into = end.near(start.middle + shift)
    out = start.near(into)
    top, bottom = start.y + HEIGHT, end.y - 2
    bend = (bottom - top) / 2
    path = f"M{out:.0f} {top:.0f} C{out:.0f} {top + bend:.0f} {into:.0f} {bottom - bend:.0f} {into:.0f} {bottom:.0f}"
    return f'<path class="arrow" marker-end="url(#head)" data-from="{room}" data-to="{other}" d="{path}"/>'


def _drawn(room: str, box: Box) -> Iterator[str]:
    shape = f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{HEIGHT}" rx="8"'
    yield f'<rect class="box" {shape}/>'
    yield f'<text class="name" text-anchor="middle" x="{box.middle:.0f}" y="{box.y + 20:.0f}">{room}</text>'
    for number, line in enumerate(textwrap.wrap(says(room), int(box.width / 5.7))[:2]):
        yield (
            f'<text class="says" text-anchor="middle" x="{box.middle:.0f}" y="{box.y + 37 + 14 * number:.0f}">'
            f"{escape(line)}</text>"
        )


def says(room: str) -> str:
    """What a room is for, in a few words: the start of its own documentation."""
    text = (inspect.getdoc(importlib.import_module(f"homeport.{room}")) or "").partition("\n")[0]
    return text.partition(". ")[0].partition(":")[0].partition(";")[0].rstrip(".").replace("`", "")


def matrix() -> str:
    """Every import between rooms, in words."""
    found = imports()
    rows = [f"| `{room}` | {_names(found[room])} |" for layer in layers() for room in layer]
    return "\n".join(("| Room | imports |", "| --- | --- |", *rows))


def _names(rooms: set[str]) -> str:
    return ", ".join(f"`{room}`" for layer in layers() for room in layer if room in rooms) or "nothing of ours"
