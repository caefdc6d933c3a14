"""Is there a model, and does each feature's setting lead to one that can serve it?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._scene import together
from homeport.features._ask import setting_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import FeatureSetting, Model, Snapshot

EXPECTED = ("code_completions", "code_generations", "chat")
"""Features without which an editor's user notices."""


async def look(scene: Scene) -> Finding:
    """Models, then settings, then names that we do not know."""
    snapshot = await scene.snapshot()
    if not snapshot.models:
        fix = "Register one: homeport models add NAME --endpoint URL --identifier ID, or start with `homeport up`."
        return Finding(status="fail", saw="No model is registered.", fix=fix)
    serving = [each for each in snapshot.features.values() if each.assignment == "model"]
    if not serving:
        name = shlex.quote(min(snapshot.models))
        fix = f"Assign one: homeport features set code_completions {name}"
        return Finding(status="fail", saw="No feature has a model.", fix=fix)
    faults = list(_unserved(scene, snapshot))
    faults += [fault for setting in serving for fault in _of_setting(snapshot, setting)]
    faults += [fault for model in snapshot.models.values() for fault in _of_model(scene, model)]
    if faults:
        return together(faults)
    served = "; ".join(f"{each.feature} by {each.route}" for each in serving)
    return Finding(status="ok", saw=f"Models: {len(snapshot.models)}. Served: {served}.")


def _unserved(scene: Scene, snapshot: Snapshot) -> Iterator[Finding]:
    """What everybody expects and nobody gets."""
    for key in EXPECTED:
        setting = setting_of(scene.features, snapshot, key)
        if setting is None or setting.assignment != "model":
            off = setting is not None and setting.assignment == "disabled"
            what = "is switched off" if off else "has no model"
            saw = f"{key} {what}: whoever asks for it gets {'feature_disabled' if off else 'feature_unassigned'}."
            yield Finding(status="warn", saw=saw, fix=f"Run: homeport features set {key} {shlex.quote(_any(snapshot))}")


def _any(snapshot: Snapshot) -> str:
    """A model that could serve: one that serves something already, else the first."""
    used = (each.model for each in snapshot.features.values() if each.assignment == "model")
    return next((name for name in used if name in snapshot.models), min(snapshot.models))


def _of_setting(snapshot: Snapshot, setting: FeatureSetting) -> Iterator[Finding]:
    model = snapshot.models.get(setting.model)
    if model is None or not model.enabled:
        saw = f"{setting.feature} is to be served by {setting.model}, which is not registered."
        fix = f"Assign another: homeport features set {setting.feature} MODEL"
        if model is not None:
            saw = f"{setting.feature} is to be served by {setting.model}, which is disabled."
            enable = f"homeport models enable {shlex.quote(setting.model)}"
            fix = f"Run: {enable}, or assign another: homeport features set {setting.feature} MODEL"
        yield Finding(status="fail", saw=saw, fix=fix)


def _of_model(scene: Scene, model: Model) -> Iterator[Finding]:
    if model.platform not in scene.providers:
        fix = (
            f"Known: {', '.join(scene.providers)}. Run: homeport models edit {shlex.quote(model.name)} --platform NAME"
        )
        yield Finding(status="fail", saw=f"{model.name} is on the unknown platform {model.platform!r}.", fix=fix)
    if model.family not in scene.families:
        fix = f"Run: homeport models edit {shlex.quote(model.name)} --family NAME"
        saw = f"{model.name} is of the unknown family {model.family!r} and is asked like a general one."
        yield Finding(status="warn", saw=saw, fix=fix)


CHECK = Check(order=50, question="Does every feature's setting lead to a model?", look=look, after=("keys",))
