"""The models that answer when the first one cannot."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from homeport.domain.errors import ToolNotAvailable, UpstreamError, UpstreamRejected
from homeport.domain.models import Model
from homeport.features._ask import setting_of
from homeport.kit.journal import facts, note

if TYPE_CHECKING:
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench


def serve(bench: Workbench, feature: str, wanted: Any) -> Chunks:  # noqa: ANN401 (each feature has a request of its own)
    """The answer of the model that serves `feature`, or of the first of its fallbacks that can.

    A model that the caller named or brought answers alone.
    """
    others = _others(bench, feature, wanted.model)
    return _first_that_can(bench, feature, wanted, others) if others else bench.features[feature].run(bench, wanted)


def _others(bench: Workbench, feature: str, wanted: str | Model) -> list[Model]:
    if isinstance(wanted, Model) or bench.features[feature].alone or (wanted and wanted not in bench.features):
        return []
    snapshot = bench.snapshot()
    setting = setting_of(bench, snapshot, wanted or feature)
    if setting is None or setting.assignment != "model":
        return []
    found = (snapshot.models.get(name) for name in setting.fallbacks)
    return [model for model in found if model is not None and model.enabled]


async def _first_that_can(bench: Workbench, feature: str, wanted: Any, others: list[Model]) -> Chunks:  # noqa: ANN401 (as `serve`)
    """Each is asked with a prompt of its own; once a piece of an answer was passed on, it is that one's answer.

    A request that a model found wrong is asked of no other one.
    """
    run = bench.features[feature].run
    failed: list[str] = []
    for request in (wanted, *(wanted._replace(model=model) for model in others)):
        began = False
        try:
            async with aclosing(run(bench, request)) as chunks:
                async for chunk in chunks:
                    began = True
                    yield chunk
        except UpstreamError as error:
            if began or len(failed) == len(others) or isinstance(error, (UpstreamRejected, ToolNotAvailable)):
                raise
            failed.append(facts().get("model", ""))
            note(fallbacks=failed)
        else:
            return
