"""What fields of the administration have in common: who changes, what a model and a feature look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.access import Need
from homeport.domain.errors import CallerError, SetupError
from homeport.domain.models import FeatureSetting
from homeport.features._suits import of_model
from homeport.protocols._admin import ModelChanges, by, store_of
from homeport.protocols._gitlab import GITLABS
from homeport.protocols._graphql._connection import page
from homeport.protocols._graphql._ids import names_of_models

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model
    from homeport.features import Workbench
    from homeport.protocols._graphql import Call
    from homeport.providers import Provider

ADMIN = Need("admin")
STATES = {"generally available": "GA", "beta": "BETA", "experimental": "EXPERIMENTAL"}
PROVIDERS = {"model": "SELF_HOSTED", "disabled": "DISABLED"}
"""What GitLab calls an assignment; any other is not assigned."""
OURS = {theirs: key for key, theirs in GITLABS.items()}


FIELDS = {"name": "name", "model": "family", "endpoint": "endpoint", "apiToken": "api_key", "identifier": "identifier"}
"""GitLab's fields of a model, and ours."""
NOWHERE = "bedrockselfhostedmodel.com"
"""The host that GitLab's console writes into the endpoint of a model that has none."""


class Known(NamedTuple):
    """The registry at one moment, with what GitLab calls its parts."""

    bench: Workbench
    models: Mapping[str, Model]
    ids: Mapping[str, str]
    settings: Mapping[str, FeatureSetting]
    providers: Mapping[str, Provider]
    seen: Mapping[str, Capabilities]

    def model(self, name: str) -> dict[str, Any]:
        """A model; its key is never read, only whether there is one."""
        found = self.models[name]
        key = self.bench.family_key(found)
        family = self.bench.families[key]
        return {
            "id": self.ids[name],
            "name": name,
            "model": key.upper(),
            "modelDisplayName": family.label,
            "endpoint": found.endpoint,
            "identifier": self._identifier(found),
            "hasApiToken": bool(found.key),
            "apiToken": None,
            "releaseState": STATES[family.release],
            "enabled": found.enabled,
            "featureSettings": lambda _info, **arguments: page(self.features_of(name), arguments),
        }

    def _identifier(self, model: Model) -> str:
        """As GitLab writes it, with the platform before it."""
        offer = self.providers.get(model.platform)
        return f"{offer.prefixes[0]}/{model.identifier}" if offer and offer.prefixes else model.identifier

    def features_of(self, name: str) -> list[dict[str, Any]]:
        """The features that a model serves."""
        using = [key for key, each in self.settings.items() if name in each.models]
        return [self.feature(key) for key in using if key in GITLABS]

    def feature(self, key: str) -> dict[str, Any]:
        """A feature and its setting."""
        offer, setting = self.bench.features[key], self.settings.get(key, FeatureSetting(feature=key))
        serving = setting.model if setting.model in self.models else ""
        return {
            "feature": GITLABS[key],
            "title": offer.title,
            "mainFeature": offer.section,
            "provider": PROVIDERS.get(setting.assignment, "UNASSIGNED"),
            "releaseState": "GA",
            "compatibleLlms": lambda _info: self._families(key),
            "selfHostedModel": lambda _info: self.model(serving) if serving else None,
            "gitlabModel": None,
            "defaultGitlabModel": None,
            "validModels": lambda _info, **arguments: page([self.model(each) for each in self.valid(key)], arguments),
            "validGitlabModels": lambda _info, **arguments: page([], arguments),
        }

    def valid(self, key: str) -> list[str]:
        """Models that can serve a feature, by name."""
        offer = self.bench.features[key]
        fits = (name for name, each in self.models.items() if each.enabled and self._fits(offer, each))
        return sorted(fits)

    def _fits(self, offer: Any, model: Model) -> bool:  # noqa: ANN401 (a Feature)
        return of_model(self.bench, offer, model, self.seen.get(model.name)).fit != "not"

    def _families(self, key: str) -> list[str]:
        completes = key == "code_completions"
        return [name.upper() for name, each in self.bench.families.items() if each.chat or completes]


async def known(call: Call) -> Known:
    """The registry now; raises Unknown at a gateway, which has none."""
    store = store_of(call.door)
    models = {each.name: each for each in await store.models()}
    seen = {name: each for name, (_, each) in (await store.capabilities()).items()}
    return Known(
        call.door.bench, models, await names_of_models(store), await store.features(), call.door.prober.providers, seen
    )


async def told(work: Awaitable[dict[str, Any]], arguments: Mapping[str, Any], *empty: str) -> dict[str, Any]:
    """What a mutation answers: its result, or `errors` that say why there is none and nothing in the fields `empty`."""
    same = {"clientMutationId": arguments["input"].get("clientMutationId")}
    try:
        return {**await work, "errors": [], **same}
    except (CallerError, SetupError) as error:
        return {**dict.fromkeys(empty), "errors": [str(error)], **same}


def changer(call: Call) -> str:
    """Who is written down as the one who made a change."""
    return by(call.arrival)


def changes(call: Call, given: Mapping[str, Any]) -> ModelChanges:
    """GitLab's fields of a model as ours: its identifier begins with the platform, as in `custom_openai/coder`."""
    fields: dict[str, Any] = {ours: given[theirs] for theirs, ours in FIELDS.items() if theirs in given}
    prefix, slash, rest = (fields.get("identifier") or "").partition("/")
    platform = platform_of(call.door.prober.providers, prefix) if slash else ""
    if platform:
        fields |= {"identifier": rest, "platform": platform}
    if fields.get("family"):
        fields["family"] = fields["family"].lower()
    if (fields.get("endpoint") or "").partition("://")[2].rstrip("/") == NOWHERE:
        fields["endpoint"] = ""
    return ModelChanges(**fields)


def platform_of(providers: Mapping[str, Provider], prefix: str) -> str:
    """The platform that an identifier's prefix names, or nothing."""
    return next((key for key, each in providers.items() if prefix in each.prefixes), "")
