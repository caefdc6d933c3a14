"""Which models does a gateway know, beside those that GitLab names with its requests?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport import providers
from homeport.diagnostics import Check, Finding
from homeport.features._default import default_model
from homeport.store import models_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model


async def look(scene: Scene) -> Finding:
    """The models file and the default model, read as a gateway reads them; raises BadConfiguration."""
    known = list(_known(scene))
    if known:
        return Finding(status="ok", saw=" ".join(known))
    if scene.settings.custom_models:
        return Finding(status="ok", saw="None of its own: GitLab names one with each request.")
    fix = (
        "Set HOMEPORT_MODELS_FILE or HOMEPORT_DEFAULT_ENDPOINT, or let GitLab name models: AIGW_CUSTOM_MODELS__ENABLED."
    )
    return Finding(status="fail", saw="No model is known, and requests may name none.", fix=fix)


def _known(scene: Scene) -> Iterator[str]:
    """A sentence for each place that names models."""
    settings, kinds = scene.settings, scene.providers

    def fits(model: Model) -> None:
        providers.check(kinds, model.platform, model.options)

    if settings.models_file:
        found = models_file.load(settings.models_file, str.encode, fits)
        yield f"{settings.models_file} names {', '.join(found.models) or 'none'}."
    prefixes = {prefix: key for key, kind in kinds.items() for prefix in kind.prefixes}
    default = default_model(settings, prefixes, {key for key, kind in kinds.items() if not kind.needs_endpoint})
    if default is not None:
        yield f"Requests that name none are answered by {default.identifier or default.name} at {default.endpoint}."


CHECK = Check(
    order=50,
    question="Which models does the gateway know?",
    look=look,
    role="gateway",
    after=("configuration",),
)
