"""Models that a request carries in its body: whether they are called, and as what."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.domain.errors import BadConfiguration, BadRequest, ModelNotAccepted, NotAllowed
from homeport.domain.models import Carried, Limits, Model, Secret, origin_of
from homeport.features._engine_limits import limited

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from homeport.domain.models import Caller, Snapshot
    from homeport.kit.settings import EngineLimits

REMEMBERED = 256
"""Carried models that are kept ready; every request carries one, and most carry the same few."""
MAY_CARRY = frozenset({"instance", "bypass"})
"""Kinds of callers that may name an endpoint: a GitLab, never one of its users."""
OTHER_PLATFORMS = frozenset({"bedrock", "azure", "vertex_ai", "bedrock_mantle", "anthropic", "embedded"})
"""Prefixes that name a platform even where we do not serve it; any other one belongs to the served name."""
OPENAI = "openai"
_PATTERN = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9.*_-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]+|\*))?(/v1)?")
WHERE = "Look in GitLab's Admin area, under GitLab Duo, Self-hosted models."


class Carrier:
    """Turns what a request carries into a model that can be called, or refuses it."""

    def __init__(  # noqa: PLR0913 (the operator's decisions, one by one)
        self,
        *,
        snapshot: Callable[[], Snapshot],
        platforms: Mapping[str, str],
        without_endpoint: Collection[str] = (),
        accepted: bool = True,
        trusted: bool = True,
        origins: Collection[str] = (),
        engine_limits: Mapping[str, Mapping[str, EngineLimits]] = MappingProxyType({}),
        timeout_s: float = 60.0,
    ) -> None:
        """`platforms` maps identifier prefixes; `without_endpoint` are those that know their own address.

        With `trusted`, a carried endpoint is called if it is among `origins` (patterns; none: all that the
        deny-list leaves); without it, what is carried must be registered here. `engine_limits` are by the names
        of GitLab's AI Gateway.
        """
        self._snapshot = snapshot
        self._engine_limits = engine_limits
        self._platforms = platforms
        self._without_endpoint = without_endpoint
        self._accepted = accepted
        self._trusted = trusted
        self._origins = tuple(pattern(each) for each in origins)
        self._limits = limits_of(timeout_s)
        self._ready: dict[tuple[Carried, bool], Model] = {}

    def __call__(self, carried: Carried, caller: Caller, *, code: bool = False) -> Model:
        """The model, for a code suggestion or for anything else; raises NotAllowed, ModelNotAccepted or BadRequest."""
        if not self._accepted:
            raise ModelNotAccepted(
                "The request names a model, and this gateway takes none from requests.",
                "Set AIGW_CUSTOM_MODELS__ENABLED=true.",
            )
        if not self._trusted:
            return self._registered(carried)
        if caller.kind not in MAY_CARRY:
            raise NotAllowed(
                "The request names a model's endpoint, which only a GitLab instance may.",
                "Leave the model fields out; the gateway's own models serve.",
            )
        found = self._ready.get((carried, code))
        if found is None:
            found = self._made(carried)
            found = found.within(FIRST_CODE_S) if code else found
            if len(self._ready) >= REMEMBERED:
                self._ready.clear()
            self._ready[carried, code] = found
        return found

    def models(self) -> list[Model]:
        """Those that are kept ready; may be called by another thread."""
        return list(self._ready.values())

    def _made(self, carried: Carried) -> Model:
        platform, served = split(carried.identifier, self._platforms)
        if platform not in self._platforms.values():
            raise ModelNotAccepted(f"Homeport does not serve models of the platform {platform!r}.", WHERE)
        endpoint = "" if platform in self._without_endpoint else self._endpoint(carried.endpoint)
        return Model(
            name=served or carried.family,
            platform=platform,
            family=carried.family or "general",
            endpoint=endpoint,
            identifier=served or carried.family,
            key=carried.key or Secret(),
            limits=limited(self._limits, self._engine_limits, platform, (carried.identifier, served, carried.family)),
            registered=False,
        )

    def _endpoint(self, given: str) -> str:
        endpoint = given.removesuffix("/")
        if not usable(endpoint):
            saw = "The model's endpoint is missing." if not given else "The model's endpoint is not an http(s) URL."
            raise BadRequest(saw, WHERE, param="model_endpoint")
        origin = origin_of(endpoint)
        # a pattern's brackets are a choice of letters: an IPv6 address is named without any, or letter by letter
        bare = origin.replace("[", "").replace("]", "")
        if self._origins and not any(each == origin or fnmatchcase(bare, each) for each in self._origins):
            raise ModelNotAccepted(
                f"The model's endpoint {origin} is not among those this gateway may call.",
                "An operator adds it to HOMEPORT_ALLOWED_MODEL_ORIGINS.",
            )
        return endpoint

    def _registered(self, carried: Carried) -> Model:
        """The one registered model that is meant: by served name and endpoint, or by either alone."""
        if carried.endpoint and not usable(carried.endpoint):
            raise BadRequest("The model's endpoint is not an http(s) URL.", WHERE, param="model_endpoint")
        served = split(carried.identifier, self._platforms)[1]
        models = [each for each in self._snapshot().models.values() if each.enabled]
        fits = [
            each
            for each in models
            if (not served or served in {each.identifier, each.name})
            and (not carried.endpoint or not each.endpoint or _same(each.endpoint, carried.endpoint))
        ]
        if len(fits) > 1:
            fits = [each for each in fits if each.family == carried.family]
        if len(fits) == 1:
            return fits[0]
        known = ", ".join(sorted(each.identifier or each.name for each in models)) or "none yet"
        saw = f"The model {carried.identifier or carried.family!r} of the request is not registered at this gateway."
        raise ModelNotAccepted(saw, f"Registered models: {known}.")


FIRST_CODE_S = 50.0
"""GitLab's Workhorse gives up a code suggestion after 55 s without a byte; the reason should arrive before that."""
AHEAD_S = 10.0
"""So long before the end of all time the first byte must come, for the same reason: GitLab's limit may be that one."""


def limits_of(timeout_s: float) -> Limits:
    """The limits of a model that is registered nowhere (AI Gateway protocol, section 3.5)."""
    first_byte_s = max(min(timeout_s, FIRST_CODE_S), timeout_s - AHEAD_S)
    return Limits(total_s=timeout_s, first_token_s=first_byte_s, idle_s=timeout_s)


def pattern(text: str) -> str:
    """A pattern of origins with its port written out; raises BadConfiguration for what is none."""
    found = _PATTERN.fullmatch(text.strip().removesuffix("/").lower())
    if not found:
        saw = f"HOMEPORT_ALLOWED_MODEL_ORIGINS holds {text!r}, which is no origin."
        raise BadConfiguration(
            saw, "Write scheme, host and port, such as http://vllm.internal:8000; * stands for anything."
        )
    # an origin's address of version 6 has no brackets either, which would be a class of characters in a pattern
    scheme, host, port = found["scheme"], found["host"].strip("[]"), found["port"]
    return f"{scheme}://{host}:{port or (443 if scheme == 'https' else 80)}"


def split(identifier: str, platforms: Mapping[str, str]) -> tuple[str, str]:
    """Platform and served name; a prefix that names no platform belongs to the name ("Qwen/Qwen2.5-Coder-7B")."""
    prefix, slash, rest = identifier.partition("/")
    if not slash:
        return OPENAI, identifier
    if prefix in platforms:
        return platforms[prefix], rest
    return (prefix, rest) if prefix in OTHER_PLATFORMS else (OPENAI, identifier)


def usable(endpoint: str) -> bool:
    """Whether it is an http(s) URL with a host, and with nothing that would change the request made to it."""
    try:
        parts = urlsplit(endpoint)
        clean = not (parts.username or parts.password or parts.query or parts.fragment)
        return bool(clean and origin_of(endpoint) and endpoint.isprintable() and " " not in endpoint)
    except ValueError:
        return False


def _same(one: str, other: str) -> bool:
    """Whether two endpoints are the same server: GitLab may have been given it without `/v1`."""
    return origin_of(one) == origin_of(other)
