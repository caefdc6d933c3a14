"""Where it runs and who answers: the part of the path that every feature shares."""

from __future__ import annotations

import math
import re
import time
from contextlib import aclosing, nullcontext
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from homeport.domain.errors import (
    FeatureDisabled,
    FeatureUnassigned,
    HomeportError,
    PromptTooLong,
    ToolNotAvailable,
    Unknown,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRejected,
)
from homeport.domain.models import Model
from homeport.features._content import written_down
from homeport.features._measure import comparable
from homeport.features._turn import TURN, Turn
from homeport.kit import tracing
from homeport.kit.journal import AT, ESTIMATED, facts, note, overheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from homeport.domain.models import FeatureSetting, Snapshot
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunk, Chunks, Usage
    from homeport.features import Feature, Workbench

SAFETY = 0.9
"""Share of the token budget that is used: characters per token is an average."""
SHORT = 256
"""Tokens of a short answer."""


def choose(bench: Workbench, feature: str, wanted: str | Model = "") -> Model:
    """The model that serves `feature`, or the one that the caller named or brought.

    `wanted` may be a registered name, the identifier of exactly one model, or a feature's name.
    Raises Unknown (with the names that are known), FeatureUnassigned or FeatureDisabled.
    """
    model = wanted if isinstance(wanted, Model) else meant(bench, feature, wanted)
    note(model=model.name, platform=model.platform, family=model.family)
    asked_as, known = bench.spelled(model.family)
    if not known:
        note(asked_as=asked_as)
        facts().setdefault("warning", "unknown_family")
    return model


LATEST = ":latest"
"""The tag that Ollama's clients put behind a name that has none: both mean the same there."""


def meant(bench: Workbench, feature: str, wanted: str) -> Model:
    """As `choose`, for what is no request to the model: nothing is noted."""
    if not wanted or wanted in bench.features:
        return assigned(bench, bench.snapshot(), wanted or feature)
    return named(bench.snapshot(), wanted)


def named(snapshot: Snapshot, wanted: str) -> Model:
    """A model by its name, by the identifier that only one model has, or by an alias."""
    model = _called(snapshot, wanted)
    if model is None and wanted.endswith(LATEST):
        model = _called(snapshot, wanted.removesuffix(LATEST))
    if model is None or not model.enabled:
        known = ", ".join(sorted(name for name, each in snapshot.models.items() if each.enabled)) or "none yet"
        raise Unknown(f"There is no model {wanted!r}.", f"Registered models: {known}.", param="model")
    return model


def _called(snapshot: Snapshot, wanted: str) -> Model | None:
    model = snapshot.models.get(wanted)
    if model is not None:
        return model
    same = [each for each in snapshot.models.values() if each.identifier == wanted]
    return same[0] if len(same) == 1 else aliased(snapshot.models.values(), wanted)


def aliased(models: Iterable[Model], wanted: str) -> Model | None:
    """The enabled model whose alias names `wanted` most exactly; of two that do so equally, the first by name."""
    found = [
        (-len(alias.replace("*", "")), "*" in alias, model.name, model)
        for model in models
        if model.enabled
        for alias in re.split(r"[\s,]+", model.options.get("aliases", ""))
        if fnmatchcase(wanted, alias)
    ]
    return min(found, key=lambda each: each[:3])[3] if found else None


def assigned(bench: Workbench, snapshot: Snapshot, feature: str) -> Model:
    """The model of a feature's setting, or of the feature that it inherits from."""
    setting = setting_of(bench.features, snapshot, feature)
    if setting is None or setting.assignment in {"unassigned", "inherit"}:
        raise FeatureUnassigned(
            f"No model serves {feature!r} yet.",
            bench.assigned_by.format(settable(bench, feature)),
        )
    if setting.assignment == "disabled":
        raise FeatureDisabled(f"An administrator switched {feature!r} off.")
    model = snapshot.models.get(setting.model)
    if model is None or not model.enabled:
        raise FeatureUnassigned(
            f"The model {setting.model!r} that serves {feature!r} is disabled or gone.",
            bench.assigned_by.format(settable(bench, feature)),
        )
    return model


def settable(bench: Workbench, feature: str) -> str:
    """The feature whose setting decides: one that is not listed only inherits."""
    offer = bench.features.get(feature)
    return feature if offer is None or offer.listed or not offer.inherits else settable(bench, offer.inherits)


def setting_of(features: Mapping[str, Feature], snapshot: Snapshot, feature: str) -> FeatureSetting | None:
    """A feature's own setting, or that of the feature that it inherits from."""
    setting = snapshot.features.get(feature)
    parent = features[feature].inherits if feature in features else ""
    if parent and (setting is None or setting.assignment in {"inherit", "unassigned"}):
        return setting_of(features, snapshot, parent)
    return setting


def answer_room(bench: Workbench, model: Model, wanted: int) -> int:
    """Tokens that an answer may have: what is wanted, within the model's limit and three quarters of its window."""
    return min(wanted, model.limits.output_tokens, window(bench, model) * 3 // 4)


def window(bench: Workbench, model: Model) -> int:
    """Tokens that a prompt and its answer may have together; fewer where the model refused that many."""
    tokens = model.limits.context_tokens or bench.measures.windows.of(model) or bench.family(model).context_tokens
    return min(tokens, bench.measures.window(model) or tokens)


def budget(bench: Workbench, model: Model, answer_tokens: int, most_tokens: int = 0) -> int:
    """Characters that a prompt may have so that it and the answer fit the model's window."""
    room = window(bench, model)
    tokens = max(room - answer_tokens, room // 4)
    return int(min(tokens, most_tokens or tokens) * SAFETY * bench.measures.characters_per_token(model))


async def ask(
    bench: Workbench,
    model: Model,
    prompt: Prompt,
    shorter: Callable[[], Prompt] | None = None,
    *,
    gives_way: bool = False,
) -> Chunks:
    """The model's answer, once it has a seat; learns from the usage that the model reports, and of its health.

    A prompt that is too long for the model is asked once more, as `shorter` makes it then, if nothing came yet.
    One that `gives_way` waits behind the others for its seat. While the model's `Retry-After` lasts it is not asked.
    """
    _respect(bench, model)
    turn = TURN.get()
    around = nullcontext if turn is None else turn.seated
    async with bench.capacity.seat(model, gives_way=gives_way, around=around) as waited:
        if waited:
            _respect(bench, model)
            model = model.after(waited)
            note(queue_duration_s=int(waited * 1e4) / 1e4)
        again: Prompt | None = prompt
        while again is not None:
            prompt, again = again, None
            attempt = _Attempt(bench, model, prompt, completion=gives_way)
            try:
                with attempt:
                    async with aclosing(_answer(bench, model, prompt, turn)) as answer:
                        async for chunk in answer:
                            if not attempt.first_s:
                                attempt.began(chunk)
                            attempt.length += len(chunk.text or chunk.wire or chunk.thought)
                            if chunk.usage is not None:
                                bench.measures.learn(model, comparable(prompt), chunk.usage)
                                attempt.usage = chunk.usage
                            yield chunk
            except PromptTooLong:
                again, shorter = _shorter(bench, model, prompt, None if attempt.first_s else shorter), None
                if again is None:
                    raise
                model = model.after(attempt.seconds())


def _respect(bench: Workbench, model: Model) -> None:
    """Raise UpstreamOverloaded while its server wants to be left alone, as often as it said so."""
    pause = bench.health.pause(model)
    if pause is not None:
        seconds = math.ceil(pause.left_s)
        raise UpstreamOverloaded(
            f"The model {model.name!r} asked to be left alone for {seconds} s more (HTTP {pause.status}, Retry-After).",
            "Try again then; an administrator can give the feature another model to fall back on.",
            upstream_status=pause.status,
            retry_after_s=seconds,
        )


class _Attempt:
    """Measures one attempt to get an answer, and tells the model's health how it went."""

    __slots__ = (
        *("_bench", "_completion", "_model", "_prompt", "_span", "_start", "_trace"),
        *("event_size", "first_s", "length", "usage"),
    )

    def __init__(self, bench: Workbench, model: Model, prompt: Prompt, *, completion: bool) -> None:
        self._bench = bench
        self._completion = completion
        self._model = model
        self._prompt = prompt
        self._start = time.perf_counter()
        self._trace = tracing.current()
        self._span = "" if self._trace is None else self._trace.attempt()
        self.usage: Usage | None = None
        """What the model server counted."""
        self.first_s = 0.0
        """Seconds until the first piece came; 0 before."""
        self.length = 0
        """Characters of the answer as far as it was read, or its bytes where they are passed on unread."""
        self.event_size = 0
        """Bytes of an event where they are passed on unread; 0 elsewhere."""

    def seconds(self) -> float:
        """How long it takes already."""
        return time.perf_counter() - self._start

    def began(self, chunk: Chunk) -> None:
        """Take in that the first piece has come."""
        self.first_s = time.perf_counter() - self._start
        if chunk.wire and self._prompt.stream:
            self.event_size = len(chunk.wire) // max(chunk.wire.count(b"data:"), 1)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        took = int((time.perf_counter() - self._start) * 1e4) / 1e4
        note(inference_duration_s=took, asked_at=self._start)
        self._note_tokens()
        if self._trace is not None:
            self._trace.tried(self._as_try(took, error))
        if isinstance(error, UpstreamError):
            tried = {"model": self._model.name, "error": error.code, "duration_s": took, AT: self._start}
            facts().setdefault("attempts", []).append(tried)
        if kind is None:
            prompt = self._prompt
            # of a long answer that comes as a whole, the first byte says how long it is and not how fast the server
            tells = prompt.stream or (prompt.sampling.max_tokens or SHORT + 1) <= SHORT
            first_s = self.first_s if tells else 0.0
            self._bench.health.answered(self._model, first_s, completion=self._completion)
        elif isinstance(error, UpstreamError) and not isinstance(error, (UpstreamRejected, ToolNotAvailable)):
            status = error.upstream_status if isinstance(error, UpstreamOverloaded) else 0
            self._bench.health.failed(self._model, error.saw, float(error.retry_after_s or 0), status)
        elif self.first_s or isinstance(error, UpstreamError):
            # it found the request wrong, or nobody wants the rest: that it answers is all that can be said
            self._bench.health.answered(self._model)

    def _note_tokens(self) -> None:
        """What the server counted, or a guess where nobody reads the answer to its end, or it tells nothing there.

        Engines send an event for each token, so events that were passed on unread are counted by their size.
        """
        if self.usage is not None:
            note(prompt_tokens=self.usage.prompt_tokens, answer_tokens=self.usage.completion_tokens)
            facts().pop(ESTIMATED, None)
        elif self.length:
            per_token = self._bench.measures.characters_per_token(self._model)
            asked, answered = self._prompt.size / per_token, self.length / (self.event_size or per_token)
            note(prompt_tokens=math.ceil(asked), answer_tokens=math.ceil(answered), **{ESTIMATED: True})

    def _as_try(self, took: float, error: BaseException | None) -> tracing.Try:
        """How it went, for the trace; that nobody wants the rest is no error of the model's."""
        code = error.code if isinstance(error, HomeportError) else ""
        return tracing.Try(self._span, self._model, self._prompt, self._start, took, self.first_s, code, self.usage)


def _shorter(bench: Workbench, model: Model, prompt: Prompt, shorter: Callable[[], Prompt] | None) -> Prompt | None:
    """The prompt made anew within the window that is believed in now, if that leaves anything away.

    Nothing is learned from a prompt that is not ours: a caller's may hold pictures, which have no length.
    """
    if shorter is None:
        return None
    answer_tokens = prompt.sampling.max_tokens or 0
    bench.measures.too_long(model, prompt.size, answer_tokens)
    again = shorter()
    if again.size >= prompt.size and (again.sampling.max_tokens or 0) >= answer_tokens:
        return None
    note(prompt_shortened=True, prompt_length=again.size)
    return again


def _answer(bench: Workbench, model: Model, prompt: Prompt, turn: Turn | None) -> Chunks:
    answer = bench.generate[model.platform](model, prompt)
    if turn is not None:
        answer = turn.answer(answer)
    secrets = overheard()
    return answer if secrets is None else written_down(model, prompt, answer, secrets)
