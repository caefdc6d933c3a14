"""What a model can do, for protocols that tell their clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.capabilities import Capabilities

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.features import Workbench

UNSEEN = Capabilities()


class Abilities(NamedTuple):
    """None is what nobody found out; what was seen of a model counts for more than what its family is known for."""

    chats: bool
    fills: bool
    """Code at a cursor: there is a way for every model that writes."""
    embeds: bool
    tools: bool | None
    thinks: bool | None


def abilities(bench: Workbench, model: Model) -> Abilities:
    """What a registered model can do."""
    seen, family = bench.snapshot().measured.get(model.name, UNSEEN), bench.family(model)
    embeds = family.embeds or bool(seen.embeds)
    chats = family.chat if seen.chat is None else seen.chat
    return Abilities(chats and not embeds, not embeds, embeds, seen.tools, seen.thinks)
