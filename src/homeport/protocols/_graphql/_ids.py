"""Global ids, as clients send them back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.domain.errors import BadRequest, Unknown
from homeport.protocols._instance import gid

if TYPE_CHECKING:
    from homeport.store.database import Store

_GID = re.compile(r"gid://gitlab/(?P<kind>[A-Za-z:]{1,80})/(?P<number>[0-9]{1,18})")
MODEL = "Ai::SelfHostedModel"


def number_of(given: object, kind: str) -> int:
    """The number in a global id of this kind; raises BadRequest."""
    found = _GID.fullmatch(given) if isinstance(given, str) else None
    if found is None or found["kind"] != kind:
        raise BadRequest("That is no id of this kind.", f"Ids look like gid://gitlab/{kind}/1.", param="id")
    return int(found["number"])


def model_number(stored: str) -> int:
    """The number of a model, from the id under which it is stored: the same for good, whatever it is called."""
    return int(stored[:12], 16) or 1


async def names_of_models(store: Store) -> dict[str, str]:
    """The global id of each model by its name."""
    return {name: gid(MODEL, model_number(stored)) for name, stored in (await store.model_ids()).items()}


async def model_named(store: Store, given: object) -> str:
    """The name of the model with this global id; raises BadRequest or Unknown."""
    wanted = gid(MODEL, number_of(given, MODEL))
    for name, known in (await names_of_models(store)).items():
        if known == wanted:
            return name
    raise Unknown("Self-hosted model not found.", "List them with aiSelfHostedModels.", param="id")
