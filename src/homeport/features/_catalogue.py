"""Which feature says what is known under a prompt id."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from homeport import features
from homeport.features import Feature
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "unknown_prompt"
"""The feature that answers under ids that we do not know."""


@cache
def by_prompt() -> Mapping[str, str]:
    """Every prompt id with the key of its feature: the files of this room are the truth, looked at once."""
    return {each.template.id: key for key, each in discover(features, Feature).items() if each.template}
