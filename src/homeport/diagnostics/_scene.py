"""What checks look at: the settings, the store, the model servers and the running Homeport."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from homeport import families, features, providers
from homeport.diagnostics import Finding
from homeport.diagnostics._way import Knock, knock
from homeport.domain.errors import HomeportError, UpstreamTruncated
from homeport.domain.requests import EmbeddingRequest
from homeport.families import Family
from homeport.features import Feature
from homeport.features._ask import setting_of
from homeport.kit.discover import discover
from homeport.kit.journal import new_id, open_event
from homeport.kit.vault import KEY_FILE, Vault
from homeport.providers import Provider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from homeport.diagnostics._front_door import FrontDoor
    from homeport.domain.models import Model, Snapshot
    from homeport.kit.settings import Settings
    from homeport.kit.upstream import Upstream

EMBEDDED = "embedded"
"""The platform whose engine belongs to the server: only the server can ask it."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """Everything a check may look at; checks change nothing, but note which models they blamed."""

    settings: Settings
    upstream: Upstream
    """For model servers; refuses the addresses that requests would be refused."""
    door: FrontDoor
    gateway: bool = False
    """Whether it is a gateway's host: no data directory, no database, no token."""
    guessed: bool = False
    """Whether the door is only where a Homeport usually is: none of this data directory says where it runs."""
    noted: Mapping[str, Any] = field(default_factory=dict)
    """What the server behind the door wrote down of its own settings, if it runs from this data directory."""
    wrong_settings: tuple[str, ...] = ()
    """One sentence per setting that could not be read."""
    only: str = ""
    """The one model that is asked about; empty for all of them."""
    remembered: Snapshot | None = None
    """What the store holds, once it was read."""
    heed: Callable[[Snapshot], None] = lambda _snapshot: None
    """Told of what the store holds when it is read."""
    blamed: set[str] = field(default_factory=set)
    """Models that an earlier check found at fault: later ones leave them alone."""
    answered: set[str] = field(default_factory=set)
    """Features that answered through the front door."""
    failed: set[str] = field(default_factory=set)
    """Checks that failed."""
    passed: set[str] = field(default_factory=set)
    """Checks that found what they looked for."""
    forbidden: set[str] = field(default_factory=set)
    """Features that an earlier check saw cannot be used: later ones leave them alone."""
    sent: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By feature: the correlation id that was sent through the front door, and the one that came back."""
    _knocks: dict[str, asyncio.Task[Knock]] = field(default_factory=dict)

    async def knocked(self, model: Model) -> Knock:
        """What came of the way to a model's server, which is tried once."""
        if model.name not in self._knocks:
            self._knocks[model.name] = asyncio.create_task(knock(self, model))
        return await self._knocks[model.name]

    @property
    def key_file(self) -> Path:
        """The root keys."""
        return self.settings.data_dir / KEY_FILE

    async def snapshot(self) -> Snapshot:
        """What the store holds, read once; raises HomeportError or VaultError."""
        from homeport.store.database import Store  # noqa: PLC0415 (loads SQLAlchemy, which `models test` may not need)

        if self.remembered is None:
            # no file is made by looking: without one nothing opens, which is what its check tells
            vault = Vault(self.key_file if self.key_file.exists() else None)
            store = await Store.open(self.settings.sqlalchemy_url(), vault)
            try:
                self.remembered = await store.snapshot()
                self.heed(self.remembered)
            finally:
                await store.close()
        return self.remembered

    @property
    def families(self) -> Mapping[str, Family]:
        """Every family, by key."""
        return _families()

    @property
    def features(self) -> Mapping[str, Feature]:
        """Every feature, by key."""
        return _features()

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Every platform, by key."""
        return _providers()

    async def models(self) -> list[Model]:
        """The models to ask: enabled, of a known platform and not blamed yet."""
        known = (await self.snapshot()).models.values()
        asked = [model for model in known if (model.name == self.only if self.only else model.enabled)]
        return [model for model in asked if model.name not in self.blamed and model.platform in self.providers]

    async def serves(self, name: str) -> bool:
        """Whether anybody would notice: a feature uses the model, or it is the one that is asked about."""
        settings = (await self.snapshot()).features.values()
        return name == self.only or any(name in each.models for each in settings)

    async def features_of(self, name: str) -> list[str]:
        """The features whose requests a model may get, by their settings and what inherits from them."""
        snapshot = await self.snapshot()
        return [
            key for key in self.features if (found := setting_of(self.features, snapshot, key)) and name in found.models
        ]

    async def embeds(self, model: Model) -> bool:
        """Whether it makes vectors and writes nothing: its family does, or it is known to serve nothing else."""
        family = self.families.get(model.family)
        if family is not None and family.embeds:
            return True
        serves = [] if self.remembered is None else await self.features_of(model.name)
        return bool(serves) and all(self.features[key].request is EmbeddingRequest for key in serves)

    async def able(self, feature: str) -> bool:
        """Whether a feature's setting leads to a model that can answer, as far as earlier checks saw."""
        if self.gateway or (self.remembered is None and (self.settings.url or self.failed)):
            # the store cannot be read from here: only the server knows
            return True
        snapshot = await self.snapshot()
        setting = setting_of(self.features, snapshot, feature)
        model = snapshot.models.get(setting.model) if setting else None
        return model is not None and model.enabled and model.name not in self.blamed

    async def each(self, ask: Callable[[Scene, Model], Awaitable[Finding]], *, embedded: bool = False) -> Finding:
        """Ask about every model at once and say in one finding what was seen."""
        models = [model for model in await self.models() if embedded or model.platform != EMBEDDED]
        if not models:
            return Finding(status="skip", saw=await self._nobody())
        findings = await asyncio.gather(*(self._one(ask, model) for model in models))
        self.blamed |= {model.name for model, found in zip(models, findings, strict=True) if found.status == "fail"}
        weighed = [await self._weigh(model, found) for model, found in zip(models, findings, strict=True)]
        return together(weighed)

    async def _nobody(self) -> str:
        """Why there is no model to ask."""
        if self.blamed:
            return f"Not asked about {', '.join(sorted(self.blamed))}: an earlier hop failed."
        inside = any(model.platform == EMBEDDED for model in await self.models())
        return "The only model runs inside the server." if inside else "There is no model to ask."

    async def _one(self, ask: Callable[[Scene, Model], Awaitable[Finding]], model: Model) -> Finding:
        asked = new_id()
        open_event({"correlation_id": asked})
        try:
            return await ask(self, model)
        except UpstreamTruncated as error:
            return Finding(status="fail", saw=error.saw, fix=_CUT)
        except HomeportError as error:
            fix = error.fix.replace("the correlation id", f"the correlation id {asked}")
            return Finding(status="fail", saw=error.saw, fix=fix)

    async def _weigh(self, model: Model, found: Finding) -> Finding:
        """A fault of a model that no feature uses is only a warning."""
        if found.status != "fail" or await self.serves(model.name):
            return found
        return Finding(status="warn", saw=f"{found.saw} (No feature uses it.)", fix=found.fix)


_CUT = (
    "Something ends connections before an answer is whole: see the model server's log, and the time limits of what is "
    "in between (nginx: proxy_read_timeout)."
)


# questions look at these hundreds of times, and to look into the folders takes milliseconds
@cache
def _families() -> Mapping[str, Family]:
    return discover(families, Family)


@cache
def _features() -> Mapping[str, Feature]:
    return discover(features, Feature)


@cache
def _providers() -> Mapping[str, Provider]:
    return discover(providers, Provider)


_WORST = ("fail", "warn", "ok", "skip")


def together(findings: list[Finding]) -> Finding:
    """Several findings as one: the worst status, and only what belongs to it."""
    worst = min((found.status for found in findings), key=_WORST.index)
    told = [found for found in findings if found.status == worst]
    fixes = dict.fromkeys(found.fix for found in told if found.fix)
    return Finding(status=worst, saw="\n".join(found.saw for found in told), fix="\n".join(fixes))
