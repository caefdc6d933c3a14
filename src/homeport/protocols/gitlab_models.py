"""GitLab's AI Gateway: `/v1/models/definitions`, which models there are and which feature each serves.

Source: gateway protocol, "Model list". Anybody may read it, so it holds names alone: no endpoint, and no
identifier under which a model server knows a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from homeport.access import PUBLIC
from homeport.protocols import Look, Reply, WireProtocol
from homeport.protocols._gitlab import GITLABS, error

if TYPE_CHECKING:
    from homeport.domain.models import Snapshot
    from homeport.features import Workbench


def look(bench: Workbench) -> Reply:
    """Enabled models, and the model of each feature that has one."""
    snapshot = bench.snapshot()
    names = sorted(name for name, model in snapshot.models.items() if model.enabled)
    features = [
        {
            "feature_setting": theirs,
            "default_model": model,
            "selectable_models": names,
            "beta_models": [],
            "unit_primitives": [bench.features[key].scope],
        }
        for key, theirs in GITLABS.items()
        if key in bench.features and (model := _serving(bench, snapshot, key)) in names
    ]
    models = [{"name": name, "identifier": name} for name in names]
    return Reply(orjson.dumps({"models": models, "unit_primitives": features}))


def _serving(bench: Workbench, snapshot: Snapshot, feature: str) -> str:
    """Name of the model that the setting leads to, as features do it; empty when there is none."""
    setting, parent = snapshot.features.get(feature), bench.features[feature].inherits
    if parent and (setting is None or setting.assignment in {"inherit", "unassigned"}):
        return _serving(bench, snapshot, parent)
    return setting.model if setting is not None and setting.assignment == "model" else ""


PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: model list",
    error=error,
    process_time=True,
    routes=(Look(paths=("/v1/models/definitions",), need=PUBLIC, look=look, summary="List models and features."),),
)
