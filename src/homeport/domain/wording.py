"""What is said in words: a template that can hold values and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeport.domain.requests import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

_SLOT = re.compile(r"\{([a-z_]+)\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put `values` into the `{slots}` of `template` in one pass; an unknown slot stays as it is.

    One pass, so that a value that looks like a slot is never filled again, and no
    attribute access, so that a template cannot run anything.
    """
    return _SLOT.sub(lambda slot: values.get(slot[1], slot[0]), template)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a feature asks: a system message, a user message and, if any, how the answer starts."""

    system: str = ""
    user: str = ""
    prefill: str = ""

    def messages(self, values: Mapping[str, str], *, system_role: bool = True) -> tuple[Message, ...]:
        """The filled-in messages; without a system role its text leads the user message."""
        system, user = fill(self.system, values), fill(self.user, values)
        if system and not system_role:
            system, user = "", f"{system}\n\n{user}"
        turns = (("system", system), ("user", user), ("assistant", fill(self.prefill, values)))
        return tuple(Message(role=role, content=text) for role, text in turns if text)
