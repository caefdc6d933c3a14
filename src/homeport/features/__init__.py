"""What people can ask for. One file per feature offers one `Feature`, an async generator of chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from homeport.families import resolve
from homeport.routing.budget import Budget
from homeport.routing.health import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homeport.domain.models import Model, Snapshot
    from homeport.domain.passages import Passage
    from homeport.domain.ports import Count, Generate, SearchDocs
    from homeport.domain.streams import Chunks
    from homeport.domain.wording import Wording
    from homeport.families import Family
    from homeport.features._capacity import Capacity
    from homeport.features._measure import Measures
    from homeport.features._shadow import Shadows
    from homeport.routing.order import Share

DATE = "current_date"
"""A slot that every prompt has but those of code, which are asked on every keystroke."""


@dataclass(frozen=True, slots=True)
class Input:
    """A value that a prompt takes."""

    name: str
    cut: Literal["start", "middle", "end"] = "end"
    """Which part goes when everything does not fit the model's window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """The form that a program expects an answer to have, and what mends one that lacks it.

    Nothing is invented: mending moves, closes and leaves out.
    """

    mend: Callable[[str], str]
    """A whole answer."""
    end: Callable[[str], str] = lambda _said: ""
    """What is still to be said after an answer that was passed on as it came."""
    held: bool = False
    """A short answer that nobody reads while it is written: it is mended as a whole even in a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What is said under one prompt id."""

    id: str
    """As callers know it; it may hold slashes."""
    inputs: tuple[Input, ...]
    versions: Mapping[str, Wording]
    temperature: float = 0.0
    max_tokens: int = 2048
    """How long the answer may be."""
    grammar: Grammar | None = None
    dated: bool = True
    """Whether its wordings are told the date."""

    @property
    def slots(self) -> frozenset[str]:
        """What its wordings may ask for."""
        return frozenset((*(each.name for each in self.inputs), *((DATE,) if self.dated else ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an administrator wants said under one prompt id; None leaves it as it is."""

    file: str
    system: str | None = None
    user: str | None = None
    prefill: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something people ask for: what it takes, what it gives, who may use it."""

    title: str
    section: str
    scope: str
    """What a token needs to use it."""
    request: type[Any]
    """The domain type it takes."""
    run: Callable[[Workbench, Any], Chunks]
    inherits: str = ""
    """The feature whose setting serves when this one has none."""
    listed: bool = True
    """Whether an administrator assigns a model to it; one that is not listed only inherits."""
    template: Template | None = None
    """What it says in words, and the prompt id under which callers ask for it."""
    alone: bool = False
    """Asks the model of its setting or nobody: no other one answers for it."""


ASSIGNED_BY = "An administrator assigns one: `homeport features set {} MODEL`."
SPELLINGS = 256
"""Names of families that are remembered; what they mean takes a hundred times longer to find out."""


async def _no_docs(_question: str, _limit: int) -> Sequence[Passage]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """All that a feature works with; put together once, in `app.py`."""

    snapshot: Callable[[], Snapshot]
    """Today's registry: an attribute read, never a query."""
    families: Mapping[str, Family]
    generate: Mapping[str, Generate]
    """By platform: ask a model."""
    features: Mapping[str, Feature]
    capacity: Capacity
    measures: Measures
    health: Health = field(default_factory=Health)
    budget: Budget = field(default_factory=Budget)
    shadows: Shadows
    counts: Mapping[str, Count] = field(default_factory=dict)
    """By platform: count the tokens of a conversation, where its servers can."""
    text_platforms: frozenset[str] = field(default_factory=frozenset)
    """Platforms that can continue plain text."""
    streaming: bool = True
    """Whether agents' answers are passed on as they come."""
    trouble: Callable[[], str] = str
    """What is wrong with the registry right now, or an empty text."""
    assigned_by: str = ASSIGNED_BY
    """How a feature gets a model here; `{}` is the feature."""
    closed: Callable[[], str] = str
    """Why nobody can be let in right now, or an empty text."""
    completion_prompt_tokens: int = 8192
    """The most tokens of a completion prompt, however large the model's window."""
    completion_context_share: float = 0.25
    """The part of a prompt for code that related files may take."""
    completion_suffix_share: float = 0.25
    """The part of the code in a prompt that may stand after the cursor."""
    docs: SearchDocs = _no_docs
    """Searches the documentation."""
    overrides: Mapping[tuple[str, str], Override] = field(default_factory=dict)
    """The administrator's wordings, by prompt id and family; an empty family means all."""
    shares: dict[str, tuple[Snapshot, Sequence[Share], Sequence[Model]]] = field(default_factory=dict)
    """By feature: who shares its work and who stands behind them, in the registry that it was made of."""
    spellings: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Other names of families that were looked up before: GitLab sends one with every request."""

    def family(self, model: Model) -> Family:
        """The model's family, by key or alias; one we do not know is asked like the general one."""
        return self.families.get(model.family) or self.families[self.family_key(model)]

    def family_key(self, model: Model) -> str:
        """The key of `family(model)`."""
        return self.spelled(model.family)[0]

    def spelled(self, name: str) -> tuple[str, bool]:
        """The key of the family that is called so, and whether it is known by that name or was guessed."""
        if name in self.families:
            return name, True
        if name not in self.spellings:
            if len(self.spellings) >= SPELLINGS:
                self.spellings.clear()
            self.spellings[name] = resolve(name, self.families)
        return self.spellings[name]
