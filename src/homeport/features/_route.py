"""Which model answers: one of those that share the work, and when it cannot, the next."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from homeport.domain.agents import AgentRequest
from homeport.domain.errors import UpstreamError
from homeport.domain.models import Model
from homeport.domain.requests import ChatRequest, CodeRequest, TextRequest
from homeport.features._ask import choose, setting_of
from homeport.features._turn import COMPLETIONS, Turn
from homeport.kit.journal import facts, note
from homeport.routing.order import Share, order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.domain.models import FeatureSetting
    from homeport.domain.streams import Chunk, Chunks
    from homeport.features import Workbench

BEGINNING = 512
"""Characters of a file or a conversation that tell it from others."""


def serve(bench: Workbench, feature: str, wanted: Any) -> Chunks:  # noqa: ANN401 (each feature has a request of its own)
    """The answer of one of the models that serve `feature`.

    A model that the caller named or brought answers alone.
    """
    bench.budget.asked(feature)
    setting = _setting(bench, feature, wanted.model)
    if setting is None:
        return bench.features[feature].run(bench, wanted)
    if setting.shadow:
        return _shadowed(bench, feature, setting, wanted)
    return _routed(bench, feature, setting, wanted)


async def unasked(bench: Workbench, feature: str, wanted: Any) -> Chunks:  # noqa: ANN401 (as `serve`)
    """An empty answer of the model that would be asked; raises as if it was."""
    choose(bench, feature, wanted.model)
    nothing: tuple[Chunk, ...] = ()
    for chunk in nothing:
        yield chunk


def _routed(bench: Workbench, feature: str, setting: FeatureSetting, wanted: Any) -> Chunks:  # noqa: ANN401 (as `serve`)
    models = _models(bench, feature, setting, wanted)
    if models and bench.health.trouble:
        _try_out(bench, feature, setting, wanted, models)
    return _first_that_can(bench, feature, wanted, models) if models else bench.features[feature].run(bench, wanted)


def _try_out(bench: Workbench, feature: str, setting: FeatureSetting, wanted: Any, models: Sequence[Model]) -> None:  # noqa: ANN401 (as `serve`)
    """Find out with a copy of the request whether those that failed answer again, while a sure one answers it."""
    pool, fallbacks = _able(bench, setting)
    for model in (*(share.model for share in pool), *fallbacks):
        if model is not models[0] and bench.health.is_due(model):
            bench.shadows.try_out(bench, feature, model, wanted)


async def _shadowed(bench: Workbench, feature: str, setting: FeatureSetting, wanted: Any) -> Chunks:  # noqa: ANN401 (as `serve`)
    """The answer; its shadow is asked the same, and given up when whoever asked has left."""
    shadow = bench.shadows.cast(bench, feature, setting.shadow, wanted)
    try:
        async with aclosing(_routed(bench, feature, setting, wanted)) as chunks:
            async for chunk in chunks:
                yield chunk
    except (asyncio.CancelledError, GeneratorExit):
        if shadow is not None:
            shadow.cancel()
        raise


def _setting(bench: Workbench, feature: str, wanted: str | Model) -> FeatureSetting | None:
    """What decides, where there is something to decide."""
    if isinstance(wanted, Model) or bench.features[feature].alone or (wanted and wanted not in bench.features):
        return None
    setting = setting_of(bench.features, bench.snapshot(), wanted or feature)
    if setting is None or setting.assignment != "model":
        return None
    return setting if setting.fallbacks or setting.weights or setting.shadow else None


def _models(bench: Workbench, feature: str, setting: FeatureSetting, wanted: Any) -> list[Model]:  # noqa: ANN401 (as `serve`)
    """Those to ask, in their order; disabled ones are passed over, and when all are, there is none."""
    pool, fallbacks = _able(bench, setting)
    if not pool and not fallbacks:
        return []
    about = about_of(wanted) if setting.sticky else ""
    return order(pool, fallbacks, bench.health, bench.capacity.load, about, completion=feature == COMPLETIONS)


def _able(bench: Workbench, setting: FeatureSetting) -> tuple[Sequence[Share], Sequence[Model]]:
    """Who shares the work and who stands behind them; put together once for each registry."""
    snapshot = bench.snapshot()
    kept = bench.shares.get(setting.feature)
    if kept is not None and kept[0] is snapshot:
        return kept[1:]
    known = {name: model for name, model in snapshot.models.items() if model.enabled}
    pool = [Share(known[name], weight) for name, weight in setting.pool.items() if name in known]
    fallbacks = [known[name] for name in setting.fallbacks if name in known]
    bench.shares[setting.feature] = snapshot, pool, fallbacks
    return pool, fallbacks


def about_of(wanted: Any) -> str:  # noqa: ANN401 (as `serve`)
    """What tells this file or conversation from others; empty for a request that stands alone."""
    if isinstance(wanted, CodeRequest):
        return f"{wanted.file_name}\n{wanted.before[:BEGINNING]}"
    if isinstance(wanted, TextRequest):
        return wanted.prompt[:BEGINNING]
    if isinstance(wanted, ChatRequest):
        return _beginning(wanted)
    return wanted.turns[0].content[:BEGINNING] if isinstance(wanted, AgentRequest) and wanted.turns else ""


def _beginning(wanted: ChatRequest) -> str:
    """The messages up to the first of the user: what stays when a conversation goes on."""
    said = [(message.role, message.content) for message in wanted.messages]
    said = said or [(str(message.get("role")), str(message.get("content"))) for message in wanted.raw_messages[:3]]
    until = next((at for at, (role, _) in enumerate(said) if role == "user"), 0)
    return "\n".join(content for _, content in said[: until + 1])[: 4 * BEGINNING]


async def _first_that_can(bench: Workbench, feature: str, wanted: Any, models: Sequence[Model]) -> Chunks:  # noqa: ANN401 (as `serve`)
    """Each is asked with a prompt of its own; once a piece of an answer was passed on, it is that one's answer.

    A request that a model found wrong is asked of no other one; and when many fail, few are asked again.
    """
    started = time.perf_counter()
    failed: list[str] = []
    rest = list(models)
    while rest:
        model = _next(bench, rest)
        turn = Turn(bench, feature, model.after(time.perf_counter() - started) if failed else model, rest)
        if rest and (feature == COMPLETIONS or getattr(wanted, "stream", False)):
            turn.hurry()
        try:
            with turn:
                async with aclosing(bench.features[feature].run(bench, wanted._replace(model=turn.model))) as chunks:
                    async for chunk in chunks:
                        turn.began = True
                        yield chunk
        except UpstreamError as error:
            if turn.began or not rest or not turn.may_go_on(error):
                raise
            failed.append(facts().get("model", ""))
            note(fallbacks=failed)
        else:
            return


def _next(bench: Workbench, rest: list[Model]) -> Model:
    """Take the next out of those that are left; ones whose circuit opened meanwhile come last."""
    if bench.health.trouble:
        return rest.pop(next((at for at, model in enumerate(rest) if not bench.health.is_shut(model)), 0))
    return rest.pop(0)
