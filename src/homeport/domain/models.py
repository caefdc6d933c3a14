"""Registered models, feature settings and the snapshot that serves requests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from homeport.domain.capabilities import Capabilities


class Secret:
    """A key that cannot be printed by accident: only `reveal()` shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself; call it where the outgoing header is built and nowhere else."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    @override
    def __hash__(self) -> int:
        return hash(self._value)

    @override
    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"

    __str__ = __repr__

    @override
    def __reduce__(self) -> str:
        msg = "a Secret is not serialisable"
        raise TypeError(msg)


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`, lower-cased: what a stored key is bound to; empty where it is no server's."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host.lower()}:{port}"


def free_name(name: str, taken: Collection[str]) -> str:
    """A name for a copy (NAME-2, NAME-3 …) that is not taken."""
    return next(each for number in range(2, len(taken) + 3) if (each := f"{name}-{number}") not in taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one model may take; tokens, seconds and requests."""

    context_tokens: int = 0
    """The model's context window in tokens; 0 means the family's own."""
    output_tokens: int = 4096
    """The most tokens one answer may have."""
    prompt_tokens: int = 0
    """The most tokens a completion prompt may have; 0 means the context window allows."""
    concurrency: int = 64
    """How many requests run at the model at once."""
    queue: int = 256
    """How many more may wait for their turn; the next one is refused with 503."""
    queue_s: float = 10.0
    """How long one may wait for its turn."""
    connect_s: float = 3.0
    """How long connecting may take, TLS included."""
    first_token_s: float = 60.0
    """How long the first byte of the answer may take."""
    idle_s: float = 60.0
    """How long a stream may stay silent."""
    total_s: float = 900.0
    """How long one answer may take in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A registered, callable model (a deployment): one row of *Self-hosted models*."""

    name: str
    """What people call it; unique."""
    platform: str
    """A file of `providers/`: how it is reached."""
    family: str = "general"
    """A file of `families/`: how it likes to be asked."""
    endpoint: str = ""
    """Base URL up to and including `/v1`; empty where the platform knows it."""
    identifier: str = ""
    """The name the model server knows it by."""
    key: Secret = field(default_factory=Secret)
    """Sent to `endpoint`'s origin only."""
    enabled: bool = True
    limits: Limits = field(default_factory=Limits)
    options: Mapping[str, str] = field(default_factory=dict)
    """What else its platform wants to know, for example a region; the platform says what there is."""
    clean: bool = True
    """Whether its code is cleaned: sentinels, fences and repetitions taken away."""
    registered: bool = True
    """False for one that a request carried: it cannot be mended here, only where the request came from."""
    trouble: str = ""
    """Why it cannot be asked now, where that is known; never stored."""

    @property
    def origin(self) -> str:
        """Scheme, host and port that the key is bound to."""
        return origin_of(self.endpoint)

    def after(self, seconds: float) -> Model:
        """The same with so much less time for an answer."""
        return replace(self, limits=replace(self.limits, total_s=max(self.limits.total_s - seconds, 0.0)))

    def within(self, seconds: float) -> Model:
        """The same with at most so much time for the first byte."""
        return replace(self, limits=replace(self.limits, first_token_s=min(self.limits.first_token_s, seconds)))


class Carried(NamedTuple):
    """A model as a request's body describes it (GitLab's `model_metadata`, or its older `model_*` fields)."""

    provider: str = ""
    """"openai" for every self-hosted model, "gitlab" for a model of GitLab's choice, or a vendor."""
    family: str = ""
    endpoint: str = ""
    identifier: str = ""
    """`provider/served name`, or the served name alone."""
    key: Secret = Secret()

    @property
    def named(self) -> bool:
        """Whether it says which model is meant; otherwise the feature's setting decides."""
        return bool(self.endpoint or self.identifier)


Assignment = Literal["unassigned", "disabled", "model", "inherit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSetting:
    """Which model serves a feature."""

    feature: str
    assignment: Assignment = "unassigned"
    model: str = ""
    """Name of a model when `assignment` is "model"."""
    fallbacks: tuple[str, ...] = ()
    """Tried in this order after `model` and those that share its work."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Models that share the work and how much each takes, `model` among them; empty: `model` takes it all."""
    sticky: bool = False
    """Requests about one file or conversation go to one model, whose server still knows their beginning."""
    shadow: str = ""
    """A model that is asked the same and whose answers nobody sees."""

    def said(self) -> dict[str, Any]:
        """All of it but the feature's name, for JSON."""
        return {
            "assignment": self.assignment,
            "model": self.model,
            "fallbacks": list(self.fallbacks),
            "weights": dict(self.weights),
            "sticky": self.sticky,
            "shadow": self.shadow,
        }

    def led_by(self, name: str) -> FeatureSetting:
        """The same with `name` as its first model: those that help the first stay."""
        weights = {name if each == self.model else each: n for each, n in self.weights.items() if each != name}
        return replace(
            self,
            assignment="model",
            model=name,
            weights=weights,
            fallbacks=tuple(each for each in self.fallbacks if each != name),
            shadow="" if self.shadow == name else self.shadow,
        )

    def replaced(self, old: str, new: str) -> FeatureSetting:
        """The same with one model in place of another, each named once."""
        first = new if self.model == old else self.model
        weights: dict[str, int] = {}
        for name, weight in self.weights.items():
            named = new if name == old else name
            weights[named] = max(weight, weights.get(named, 0))
        taken = {first, *weights}
        fallbacks = tuple(dict.fromkeys(new if name == old else name for name in self.fallbacks))
        kept = tuple(name for name in fallbacks if name not in taken)
        shadow = new if self.shadow == old else self.shadow
        return replace(
            self, model=first, weights=weights, fallbacks=kept, shadow="" if shadow in {*taken, *kept} else shadow
        )

    @property
    def pool(self) -> Mapping[str, int]:
        """The models that share the work, and how much each takes: 1 where nothing is said."""
        return {self.model: 1, **self.weights} if self.model else {}

    @property
    def shared(self) -> str:
        """Who shares the work, for people: a name, or several with their parts."""
        pool = self.pool
        names = " ".join(f"{name}={weight}" for name, weight in pool.items()) if len(pool) > 1 else self.model
        return f"{names}{' sticky' if self.sticky else ''}{f' (shadow {self.shadow})' if self.shadow else ''}"

    @property
    def route(self) -> str:
        """All of its models, for people, in the order in which they are asked."""
        return ", then ".join((self.shared, *self.fallbacks))

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that it names."""
        return (*self.pool, *self.fallbacks, *((self.shadow,) if self.shadow else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking, and what they may do."""

    subject: str
    """User name, name of the service token, or what a signed token says: a GitLab's id, or its user's."""
    kind: Literal["personal", "service", "instance", "direct", "bypass", "anonymous"] = "personal"
    scopes: frozenset[str] = frozenset()
    token: str = ""
    """Public name of the token: never the token itself."""
    expires: float | None = None
    """Unix seconds, or None for never."""
    issuer: str = ""
    """Who signed the token; empty for one of ours that is not signed."""
    withheld: frozenset[str] = frozenset()
    """What the token was made for and its owner may not do now."""
    seat: bool = True
    """Whether the owner has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A stored token: everything but the token."""

    name: str
    owner: str
    kind: Literal["personal", "service"] = "personal"
    digest: bytes = b""
    """HMAC-SHA-256 of the token under the instance's pepper."""
    hint: str = ""
    """Last four characters, to tell tokens apart."""
    scopes: frozenset[str] = frozenset()
    created: datetime | None = None
    expires: datetime | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None
    withheld: frozenset[str] = frozenset()
    """What it was made for and its owner may not do now: no longer, or not without a seat."""
    seat: bool = True
    """Whether its owner has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that serving a request needs to know, frozen; replaced as a whole on every change."""

    revision: int = 0
    models: Mapping[str, Model] = field(default_factory=dict)
    features: Mapping[str, FeatureSetting] = field(default_factory=dict)
    tokens: Mapping[bytes, Token] = field(default_factory=dict)
    """By digest; revoked ones are left out."""
    settings: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The teams of each person who is in one, by the person's name."""
    measured: Mapping[str, Capabilities] = field(default_factory=dict)
    """What models were seen to do, by name, where that was found out."""
    problems: tuple[str, ...] = ()
    """What the administrator must mend, one sentence each: a key that cannot be read, for example."""

    def with_models(self, *models: Model) -> Snapshot:
        """A copy that also knows `models`."""
        return replace(self, models={**self.models, **{model.name: model for model in models}})
