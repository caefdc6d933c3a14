"""Asks a model, registered or not, a step at a time: for the console, the API and whoever else tests a connection."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from homeport.diagnostics import Finding, model_answers, model_reachable, model_served
from homeport.diagnostics._front_door import FrontDoor
from homeport.diagnostics._prove import Trial
from homeport.diagnostics._registration import OPENAI
from homeport.diagnostics._scene import EMBEDDED, Scene
from homeport.diagnostics._served import served
from homeport.domain.errors import BadRequest, HomeportError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from homeport.diagnostics._examination import Examiner
    from homeport.diagnostics._served import Served
    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model
    from homeport.families import Family
    from homeport.kit.settings import Settings
    from homeport.kit.upstream import Upstream
    from homeport.providers import Provider


class Step(NamedTuple):
    """One step of testing a connection."""

    key: str
    question: str
    ask: Callable[[Scene, Model], Awaitable[Finding]]


STEPS = (
    Step("address", "Does its server answer at this address?", model_reachable.ask),
    Step("served", "Is the key accepted, and the model served?", model_served.ask),
    Step("answers", "Does it answer a question?", model_answers.ask),
)


class Done(NamedTuple):
    """A step that was taken."""

    step: Step
    found: Finding
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """What models are asked with; one per process."""

    settings: Settings
    upstream: Upstream
    providers: Mapping[str, Provider]
    families: Mapping[str, Family]
    locate: Callable[[Model], Model] = lambda model: model
    """A model with the address where it can be asked: an embedded one knows it only while it runs."""
    examiner: Examiner
    """Asks everything else."""
    tested: Callable[[Model, str], None] = lambda _model, _why: None
    """Told of a model whose test has ended, and why it failed; empty where it passed."""

    async def take(self, model: Model, step: Step) -> Done:
        """What a step saw; the last one, or one that fails, ends the test."""
        done = await self._taken(model, step)
        if done.found.status == "fail" or step is STEPS[-1]:
            self.tested(model, done.found.saw if done.found.status == "fail" else "")
        return done

    async def _taken(self, model: Model, step: Step) -> Done:
        """Of a model that runs inside only whether it answers says anything."""
        if model.platform == EMBEDDED:
            if step.ask is not model_answers.ask:
                return Done(step, Finding(status="skip", saw="It runs inside Homeport."), 0.0)
            model = replace(self.locate(model), platform=OPENAI)
            if not model.endpoint:
                lost = Finding(status="fail", saw="Its engine does not run.", fix="See the log, or restart Homeport.")
                return Done(step, lost, 0.0)
        scene = Scene(settings=self.settings, upstream=self.upstream, door=FrontDoor(self.upstream, ""))
        began = time.perf_counter()
        try:
            found = await step.ask(scene, model)
        except HomeportError as error:
            found = Finding(status="fail", saw=error.saw, fix=error.fix)
        return Done(step, found, time.perf_counter() - began)

    async def steps(self, model: Model) -> AsyncGenerator[Done, None]:
        """Every step, up to the first that fails."""
        for step in STEPS:
            done = await self.take(model, step)
            yield done
            if done.found.status == "fail":
                return

    async def measure(self, stored: Model) -> Capabilities:
        """What a model can do, found out by asking it some twenty questions; raises BadRequest."""
        model = replace(self.locate(stored), platform=OPENAI) if stored.platform == EMBEDDED else stored
        offer = self.providers.get(model.platform)
        if offer is None or (not model.endpoint and offer.needs_endpoint):
            raise BadRequest("It cannot be asked now.", "Test the connection first.")
        return await Trial(provider=offer, upstream=self.upstream, model=model, families=self.families).run()

    async def served(self, model: Model) -> Served:
        """What the model's server serves, at the address where it answers; raises BadRequest or an UpstreamError."""
        offer = self.providers[model.platform]
        if not model.endpoint and offer.needs_endpoint:
            raise BadRequest("There is no endpoint to ask.", "Fill it in, then detect.", param="endpoint")
        nameless = replace(model, name=model.name or "new")
        return await served(self.upstream, offer, nameless, versioned=model.platform == OPENAI)
