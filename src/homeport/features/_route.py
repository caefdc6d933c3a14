"""Which model answers: one of those that share the work, and when it cannot, the next."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from homeport.domain.agents import AgentRequest
from homeport.domain.errors import ToolNotAvailable, UpstreamError, UpstreamRejected
from homeport.domain.models import Model
from homeport.domain.requests import ChatRequest, CodeRequest, TextRequest
from homeport.features._ask import setting_of
from homeport.kit.journal import facts, note
from homeport.routing.order import Share, order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.domain.models import FeatureSetting
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench

COMPLETIONS = "code_completions"
"""Their answers are short: whether one is streamed or not, its first byte is awaited as impatiently."""
BEGINNING = 512
"""Characters of a file or a conversation that tell it from others."""
PATIENCE = 4.0
"""So many times as long as the others usually take does the first byte of one have, while another can be asked …"""
LEAST_S, UNKNOWN_S = 1.0, 5.0
"""… but at least so many seconds, and so many when nothing is known of the others."""


def serve(bench: Workbench, feature: str, wanted: Any) -> Chunks:  # noqa: ANN401 (each feature has a request of its own)
    """The answer of one of the models that serve `feature`.

    A model that the caller named or brought answers alone.
    """
    setting = _setting(bench, feature, wanted.model)
    if setting is None:
        return bench.features[feature].run(bench, wanted)
    if setting.shadow:
        bench.shadows.cast(bench, feature, setting.shadow, wanted)
    models = _models(bench, setting, wanted)
    if not models:
        return bench.features[feature].run(bench, wanted)
    return _first_that_can(bench, feature, wanted, models)


def _setting(bench: Workbench, feature: str, wanted: str | Model) -> FeatureSetting | None:
    """What decides, where there is something to decide."""
    if isinstance(wanted, Model) or bench.features[feature].alone or (wanted and wanted not in bench.features):
        return None
    setting = setting_of(bench, bench.snapshot(), wanted or feature)
    if setting is None or setting.assignment != "model":
        return None
    return setting if setting.fallbacks or setting.weights or setting.shadow else None


def _models(bench: Workbench, setting: FeatureSetting, wanted: Any) -> list[Model]:  # noqa: ANN401 (as `serve`)
    """Those to ask, in their order; disabled ones are passed over, and when all are, there is none."""
    known = bench.snapshot().models
    pool = [
        Share(known[name], weight) for name, weight in setting.pool.items() if name in known and known[name].enabled
    ]
    fallbacks = [known[name] for name in setting.fallbacks if name in known and known[name].enabled]
    if not pool and not fallbacks:
        return []
    about = about_of(wanted) if setting.sticky else ""
    return order(pool, fallbacks, bench.health, bench.capacity.load, about)


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
    run, started = bench.features[feature].run, time.perf_counter()
    failed: list[str] = []
    bench.budget.asked(feature)
    for at, model in enumerate(models):
        others = models[at + 1 :]
        given = model.after(time.perf_counter() - started) if failed else model
        if others and (feature == COMPLETIONS or getattr(wanted, "stream", False)):
            given = _hurried(bench, feature, given, others)
        bench.health.chosen(model)
        began = False
        try:
            async with aclosing(run(bench, wanted._replace(model=given))) as chunks:
                async for chunk in chunks:
                    began = True
                    yield chunk
        except UpstreamError as error:
            if began or not others or not _may_go_on(bench, feature, error):
                raise
            failed.append(facts().get("model", ""))
            note(fallbacks=failed)
        else:
            return


def _hurried(bench: Workbench, feature: str, model: Model, others: Sequence[Model]) -> Model:
    """The model with less time for its first byte, because there is another one to ask."""
    if not bench.budget.has(feature):
        return model
    usual = max(map(bench.health.first_s, others))
    patience = max(PATIENCE * usual, LEAST_S) if usual else UNKNOWN_S
    return model.within(patience) if patience < model.limits.first_token_s else model


def _may_go_on(bench: Workbench, feature: str, error: UpstreamError) -> bool:
    """Whether another model may do better, and there is a retry left."""
    if isinstance(error, (UpstreamRejected, ToolNotAvailable)):
        return False
    if bench.budget.spend(feature):
        return True
    note(retries="spent")
    return False
