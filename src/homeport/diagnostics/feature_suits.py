"""Is each feature's model of a family that can serve it?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._scene import together
from homeport.families import resolve
from homeport.features._suits import suits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model, Snapshot


async def look(scene: Scene) -> Finding:
    """Every feature with a model of its own."""
    snapshot = await scene.snapshot()
    faults = list(_faults(scene, snapshot))
    return together(faults) if faults else Finding(status="ok", saw="Every family can serve its features.")


def _faults(scene: Scene, snapshot: Snapshot) -> Iterator[Finding]:
    for key, setting in snapshot.features.items():
        models = [snapshot.models[name] for name in setting.models if name in snapshot.models]
        if key in scene.features and setting.assignment == "model":
            yield from filter(None, (_fault(scene, key, model) for model in models))


def _fault(scene: Scene, feature: str, model: Model) -> Finding | None:
    offer = scene.providers.get(model.platform)
    key, _ = resolve(model.family, scene.families)
    found = suits(scene.features[feature], key, scene.families[key], text=offer is None or offer.text)
    if found.fit != "not":
        return None
    scene.forbidden.add(feature)
    saw = f"{feature} is served by {model.name}, which cannot: {found.why}"
    fix = f"Run: homeport features set {shlex.quote(feature)} MODEL, with one that can (homeport models list)."
    return Finding(status="fail", saw=saw, fix=fix)


CHECK = Check(
    order=55,
    question="Is each feature's model of a family that can serve it?",
    look=look,
    after=("keys",),
    behind=("registry",),
)
