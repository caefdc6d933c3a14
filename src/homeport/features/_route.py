"""Which model answers: one of those that share the work, and when it cannot, the next."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from homeport.domain.agents import AgentRequest
from homeport.domain.errors import ToolNotAvailable, UpstreamError, UpstreamRejected, UpstreamTimeout
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
"""So many times as long as it or the others usually take is the first byte awaited while another can be asked …"""
LEAST_S = 1.0
"""… but at least so many seconds …"""
STEP_S = 0.25
UNKNOWN_S = (5.0, 2.0)
"""… and at least so many when nothing is known of it; the second for completions, which nobody waits for longer."""


def serve(bench: Workbench, feature: str, wanted: Any) -> Chunks:  # noqa: ANN401 (each feature has a request of its own)
    """The answer of one of the models that serve `feature`.

    A model that the caller named or brought answers alone.
    """
    setting = _setting(bench, feature, wanted.model)
    if setting is None:
        return bench.features[feature].run(bench, wanted)
    if setting.shadow:
        return _shadowed(bench, feature, setting, wanted)
    return _routed(bench, feature, setting, wanted)


def _routed(bench: Workbench, feature: str, setting: FeatureSetting, wanted: Any) -> Chunks:  # noqa: ANN401 (as `serve`)
    models = _models(bench, feature, setting, wanted)
    return _first_that_can(bench, feature, wanted, models) if models else bench.features[feature].run(bench, wanted)


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
    bench.budget.asked(feature)
    for at, model in enumerate(models):
        attempt = _Turn(bench, feature, model.after(time.perf_counter() - started) if failed else model)
        if at + 1 < len(models) and (feature == COMPLETIONS or getattr(wanted, "stream", False)):
            attempt.hurry(models[at + 1 :])
        try:
            with attempt:
                async with aclosing(bench.features[feature].run(bench, wanted._replace(model=attempt.model))) as chunks:
                    async for chunk in chunks:
                        attempt.began = True
                        yield chunk
        except UpstreamError as error:
            if attempt.began or at + 1 == len(models) or not attempt.may_go_on(error):
                raise
            failed.append(facts().get("model", ""))
            note(fallbacks=failed)
        else:
            return


class _Turn:
    """One model's turn to answer while there are others: how long it is waited for, and who pays for another try."""

    __slots__ = ("_bench", "_feature", "_patience_s", "_trial", "began", "model")

    def __init__(self, bench: Workbench, feature: str, model: Model) -> None:
        self._bench = bench
        self._feature = feature
        self.model = model
        self.began = False
        """A piece of the answer was passed on."""
        self._patience_s = 0.0
        """How long its first byte is awaited, when that is shorter than its limit: the next try is paid for then."""
        self._trial = False

    def hurry(self, others: Sequence[Model]) -> None:
        """Wait less long for the first byte, because there is another one to ask and a retry left to do so."""
        completion = self._feature == COMPLETIONS
        own = usual = self._bench.health.first_s(self.model, completion=completion)
        for other in others:
            usual = max(usual, self._bench.health.first_s(other, completion=completion))
        # in whole steps, so that what is made for it can be used again
        patience = max(math.ceil(PATIENCE * usual / STEP_S) * STEP_S, LEAST_S if own else UNKNOWN_S[completion])
        if patience < self.model.limits.first_token_s and self._bench.budget.spend(self._feature):
            self.model = self._bench.health.hurried(self.model, patience)
            self._patience_s = patience

    def may_go_on(self, error: UpstreamError) -> bool:
        """Whether another model may do better, and there is a retry left."""
        if isinstance(error, (UpstreamRejected, ToolNotAvailable)):
            return False
        if self._patience_s:
            self._patience_s = 0.0
            return True
        if self._bench.budget.spend(self._feature):
            return True
        note(retries="spent")
        return False

    def __enter__(self) -> None:
        self._trial = self._bench.health.chosen(self.model)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._trial:
            self._bench.health.released(self.model)
        if not self._patience_s:
            return
        if isinstance(error, UpstreamTimeout) and not self.began:
            self._bench.health.took_at_least(self.model, self._patience_s, completion=self._feature == COMPLETIONS)
        if (
            self.began
            or not isinstance(error, UpstreamError)
            or isinstance(error, (UpstreamRejected, ToolNotAvailable))
        ):
            self._bench.budget.refund(self._feature)
