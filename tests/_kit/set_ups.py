"""What the console tells people to type for a client, filled in for a house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from house import TOKEN

from homeport.console._clients import filled
from homeport.console._connect import clients

if TYPE_CHECKING:
    from house import House


def texts(house: House, key: str) -> list[str]:
    """The texts to copy, with the house's address and its token."""
    return [filled(step.text, f"http://127.0.0.1:{house.port}", TOKEN) for step in clients()[key].steps]
