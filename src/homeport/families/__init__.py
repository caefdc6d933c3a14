"""Model families: how each likes to be asked. One file per family offers one `Family`; data only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from homeport.domain.errors import BadRequest
from homeport.domain.wording import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.wording import Wording

SLOTS = ("language", "file_name", "before", "after", "related", "instruction")
"""What a wording may ask for, as `{slots}`."""
BETA = "beta_families"
"""The setting that lets new models be of a family that is not generally available, where it is "on"."""
ALLOW = "allow beta and experimental families in the settings or with `homeport models beta on`"
SETTLED = "generally available"
UNKNOWN = "general"
"""The family of a model that belongs to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fim:
    """A fill-in-the-middle layout: the sentinels a model was trained with, as a template.

    The server adds the token that begins a text (`<s>`, `<bos>`), so no layout holds it.
    """

    layout: str
    """Holds `{before}` and `{after}`, for example "<PRE> {before} <SUF>{after} <MID>"."""
    layout_with_files: str = ""
    """The layout when there are related files, with `{lead}` where they belong; empty means
    ahead of everything."""
    stops: tuple[str, ...] = ()
    """Sentinels that end the answer."""
    file: str = ""
    """How a related file is written, with `{name}` and `{content}`; empty means as a comment
    block in the language of the code."""
    current: str = ""
    """Written between related files and the code, with `{name}` of the current file."""

    def render(self, before: str, after: str, *, lead: str = "") -> str:
        """The prompt text, with `lead` (rendered related files) where the family wants it."""
        layout = (self.layout_with_files or "{lead}" + self.layout) if lead else self.layout
        return fill(layout, {"before": before, "after": after, "lead": lead})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What is true of every model of a family, whoever hosts it."""

    label: str
    release: Literal["generally available", "beta", "experimental"] = "generally available"
    completion: Literal["fim", "prefix", "chat"] = "chat"
    """How code is completed: by sentinels, by continuing the prefix, or by asking in words."""
    fim: Fim | None = None
    chat: bool = True
    """Whether it can hold a conversation."""
    embeds: bool = False
    """Whether it turns texts into vectors, and does nothing else."""
    tools: bool = False
    """Whether it calls tools by itself where its server lets it; otherwise it is asked to in words."""
    system_role: bool = True
    """Whether its chat template knows a system message."""
    context_tokens: int = 8192
    """Used when the model's own window is not configured: that of the smallest member."""
    completion_tokens: int = 128
    """How long a completion may be unless the caller says otherwise."""
    completion_temperature: float = 0.0
    generation_tokens: int = 1024
    generation_temperature: float = 0.0
    chat_temperature: float | None = None
    any_temperature: bool = True
    """Whether it may be asked with the temperature that suits a prompt; otherwise the server's own is used."""
    thinking_tokens: int = 0
    """Tokens that it may spend on thinking before it answers a prompt; the answer's own come on top."""
    stops: tuple[str, ...] = ()
    """End-of-turn tokens that leak out of a badly configured server."""
    aliases: tuple[str, ...] = ()
    """Other names under which registrations and GitLab versions send this family."""
    served_as: tuple[str, ...] = ()
    """What the names of its served models look like, in lower-case letters and digits only;
    `*` stands for anything between. The longest pattern that is found wins."""
    rewords: Mapping[str, Wording] = field(default_factory=dict)
    """By feature: wording that serves this family better than the feature's own; see `SLOTS`."""


def opted_in(family: Family, settings: Mapping[str, str], *, now: bool, way: str = ALLOW) -> bool:
    """Whether to keep an opt-in that comes `now`, with a model of this family.

    Raises BadRequest for a family that is not generally available while nobody opted in; `way` says how to.
    """
    if family.release == SETTLED or settings.get(BETA) == "on":
        return False
    if not now:
        saw = f"The family {family.label} is {family.release}."
        raise BadRequest(saw, f"Choose another one, or {way}.", param="family")
    return True


def resolve(name: str, families: Mapping[str, Family]) -> tuple[str, bool]:
    """The key of the family called `name`, and whether we know it by that name.

    By key, alias or another spelling of either; failing that by what the name looks like,
    and at last "general", both with False.
    """
    if name in families:
        return name, True
    wanted = _plain(name)
    for key, family in families.items():
        if wanted and wanted in {_plain(spelling) for spelling in (key, *family.aliases)}:
            return key, True
    return guess(name, families) or UNKNOWN, False


def guess(identifier: str, families: Mapping[str, Family]) -> str | None:
    """The family that a served model's name points to ("Qwen/Qwen2.5-Coder-7B-Instruct" → qwen_coder), or None."""
    own_name = identifier.strip("/").rsplit("/", 1)[-1]
    return _look(_plain(own_name), families) or _look(_plain(identifier), families)


def _look(name: str, families: Mapping[str, Family]) -> str | None:
    found = [
        (len(pattern), key)
        for key, family in families.items()
        for pattern in family.served_as
        if fnmatchcase(name, f"*{pattern}*")
    ]
    return max(found)[1] if found else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
