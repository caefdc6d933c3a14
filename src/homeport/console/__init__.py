"""Pages for people. One file per page offers one `Page`; the menu is the list of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from htpy import Renderable

    from homeport.access import Need
    from homeport.features import Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: its address, who may see it, and how it is drawn."""

    path: str
    title: str
    need: Need
    draw: Callable[[Workbench], Renderable]
