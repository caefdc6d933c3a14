"""Does each model's server accept our key and serve the model under the name we send?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from homeport.diagnostics import Change, Check, Finding, _inside
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.errors import UpstreamError, UpstreamRefused
from homeport.providers import Unlisted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

FIRST_BYTE_S = 10.0
OPENAI = "openai"
"""The platform whose endpoints end in `/v1`; the others say themselves what is wrong with a key or an address."""
KEY_REFUSED = {401, 403}
NO_SUCH_PATH = {404, 405, 501}
_SHOWN = 5


async def look(scene: Scene) -> Finding:
    """Read the list of models of each server."""
    return await scene.each(ask, embedded=True)


async def ask(scene: Scene, model: Model) -> Finding:
    """The model's name should be on the list."""
    if model.platform == EMBEDDED:
        return await _inside.through(scene, model, _inside.served)
    try:
        names = await _list(scene, model)
    except Unlisted as error:
        return Finding(status="ok", saw=f"{model.name}: {error.saw}")
    except UpstreamRefused as error:
        return await _refused(scene, model, error)
    wanted = model.identifier or model.name
    if wanted in names:
        return Finding(status="ok", saw=f"{model.name} is served as {wanted}.")
    saw = f"{model.name}: {_where(scene, model)} serves {_told(names)}, not {wanted}."
    return _to_change(model, saw, Change("identifier", names[0] if len(names) == 1 else ""))


async def _list(scene: Scene, model: Model) -> Sequence[str]:
    patient = replace(model, limits=replace(model.limits, first_token_s=FIRST_BYTE_S, total_s=FIRST_BYTE_S * 2))
    return await scene.providers[model.platform].served(scene.upstream, patient)


async def _refused(scene: Scene, model: Model, error: UpstreamRefused) -> Finding:
    status = error.upstream_status
    if model.platform != OPENAI and status not in NO_SUCH_PATH:
        return Finding(status="fail", saw=error.saw, fix=error.fix)
    if status in KEY_REFUSED:
        what = "does not accept the key" if model.key else "wants a key"
        saw = f"{model.name}: {model.origin} {what} (HTTP {status})."
        return _to_change(model, saw, Change("key"))
    if status not in NO_SUCH_PATH:
        return Finding(status="fail", saw=error.saw, fix=error.fix)
    if model.platform == OPENAI and (better := await _elsewhere(scene, model)):
        lacks = "lacks its /v1" if better == f"{model.endpoint.rstrip('/')}/v1" else "has a wrong path"
        saw = f"{model.name}: the endpoint {model.endpoint} {lacks} (HTTP {status}); at {better} there is an answer."
        return _to_change(model, saw, Change("endpoint", better))
    return Finding(status="ok", saw=f"{model.name}: {_where(scene, model)} lists no models (HTTP {status}).")


async def _elsewhere(scene: Scene, model: Model) -> str:
    """Where the same server does answer, if only to refuse the key: below its path, or at the usual one."""
    for endpoint in dict.fromkeys((f"{model.endpoint.rstrip('/')}/v1", f"{model.origin}/v1")):
        if await _answers(scene, replace(model, endpoint=endpoint)):
            return endpoint
    return ""


def _where(scene: Scene, model: Model) -> str:
    """The server, or the platform where that knows its own address."""
    return model.origin or scene.providers[model.platform].label


async def _answers(scene: Scene, model: Model) -> bool:
    try:
        await _list(scene, model)
    except UpstreamRefused as error:
        return error.upstream_status in KEY_REFUSED
    except UpstreamError:
        return False
    return True


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}" if names else "nothing"


def _to_change(model: Model, saw: str, change: Change) -> Finding:
    return Finding(status="fail", saw=saw, fix=f"Run: {change.command(model.name)}", change=change)


CHECK = Check(
    order=100,
    question="Does each server accept our key and know the model?",
    look=look,
    after=("keys",),
    behind=("model_reachable", "clock", "token_accepted"),
)
