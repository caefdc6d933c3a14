"""What a model can do, found out by asking it: small questions whose right answers are known."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.codetext.thinking import END
from homeport.diagnostics import Change, Doubt
from homeport.diagnostics._served import KEY_REFUSED
from homeport.domain.capabilities import REST, Capabilities
from homeport.domain.errors import (
    HomeportError,
    ToolNotAvailable,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamTimeout,
)
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling
from homeport.families import SETTLED
from homeport.features._holes import PREFIX, SUFFIX, own_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from homeport.domain.models import Model
    from homeport.domain.streams import Chunk
    from homeport.families import Family, Fim
    from homeport.kit.upstream import Upstream
    from homeport.providers import Provider


class Hole(NamedTuple):
    """Code with a hole, and what belongs there."""

    before: str
    after: str
    wanted: str


HOLES = (
    Hole("def area(width, height):\n    return ", "\n\n\nprint(area(3, 4))  # 12\n", "width * height"),
    Hole("def greet(", '):\n    print("Hello, " + person)\n\n\ngreet("Ada")\n', "person"),
    Hole("total = 0\nfor ", " in range(10):\n    total = total + index\nprint(total)\n", "index"),
)
"""The second and the third can only be filled by who has seen what follows."""
FEW = 16
MUTE = "It answers a question without a word."
GATEWAY = {502, 503, 504}
"""What a proxy says when the server behind it is not there."""
WITHIN_S = 60.0
SHORT_TEXT = "a b"
TEMPLATE_TOKENS = 8
"""Tokens of `SHORT_TEXT` that only a template around it explains."""
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
FEW_WORDS, MANY_WORDS = 64, 1024
"""Tokens that an answer in words may have: of a model that answers at once, and of one that may be thinking."""
_DULL = Sampling(max_tokens=FEW, temperature=0.0)


def filled(said: str, hole: Hole, stops: tuple[str, ...]) -> float:
    """How well a hole was filled: 1 exactly, half when more follows on the same line, else 0."""
    ends = [at for stop in (*stops, "\n", hole.after[:3]) if stop and (at := said.find(stop)) > 0]
    answer = said[: min(ends, default=len(said))].strip()
    if answer == hole.wanted:
        return 1.0
    return 0.5 if answer.startswith(hole.wanted) else 0.0


def layouts(families: Mapping[str, Family], own: str = "") -> dict[str, Fim]:
    """Every layout once, by the family `own`, else by the first that has it and, as that one does, chats."""
    found: dict[str, Fim] = {}
    seen: set[str] = set()
    talks = families[own].chat if own in families else True
    for key in sorted(families, key=lambda key: (key != own, families[key].chat != talks, key)):
        family = families[key]
        if family.fim is not None and family.fim.layout not in seen:
            seen.add(family.fim.layout)
            found[key] = family.fim
    return found


@dataclass(slots=True, kw_only=True)
class Trial:
    """One model on trial; what it cannot do is written down with what came back."""

    provider: Provider
    upstream: Upstream
    model: Model
    families: Mapping[str, Family]
    told: Callable[[str], None] = lambda _step: None
    """Is told each step before it is taken."""
    missed: Callable[[], None] = lambda: None
    """Is told that nothing came back in the step."""
    problems: dict[str, str] = field(default_factory=dict)
    _found: dict[str, Any] = field(default_factory=dict)
    _heard: bool = False
    """A question was answered."""
    _late: bool = False
    """One was not, in its time."""
    _unable: set[str] = field(default_factory=set)
    """What was refused."""
    _first: HomeportError | None = None

    async def run(self) -> Capabilities:
        """Ask everything, one after the other: a model that is measured should not be busy with measuring.

        Raises the HomeportError that came back when no question is answered. When its server goes away later, what was
        found until then is told, and the reason among the problems as `REST`.
        """
        self.model = replace(self.model, limits=replace(self.model.limits, first_token_s=WITHIN_S, total_s=WITHIN_S))
        self._found["context_tokens"] = await self._window()
        try:
            await self._everything()
        except HomeportError as error:
            self.problems[REST] = str(error)
        if self._first is not None and not self._heard:
            raise self._first
        return Capabilities(problems=self.problems, **self._found)

    async def _everything(self) -> None:
        found = self._found
        found.update(await self._chat())
        found.update(await self._stream(text=found.get("chat") is False, thinks=bool(found.get("thinks"))))
        found["tools"] = await self._tools() if found.get("chat") else None
        if found.get("chat") is False and self.provider.embeds:
            found["embeds"] = await self._embeds()
            if found["embeds"]:
                return
        if self.provider.text:
            found.update(await self._code(layouts(self.families, self.model.family)))

    async def chats(self) -> Capabilities:
        """Ask one question in words alone; raises the HomeportError of a server that is not there."""
        found = await self._chat()
        return Capabilities(problems=self.problems, **found)

    async def fills(self) -> Capabilities:
        """Ask for holes in code by its own layout and by none; by all others too where its own does not help.

        Raises the HomeportError of a server that is not there.
        """
        every = layouts(self.families, self.model.family)
        own = self.families[self.model.family].fim
        mine = {key: fim for key, fim in every.items() if own is not None and fim.layout == own.layout}
        found = await self._code(mine)
        holes = found.get("holes", {})
        if holes and max((holes.get(key, 0.0) for key in (*mine, SUFFIX)), default=0.0) <= holes.get(PREFIX, 0.0):
            found = await self._code(every)
        return Capabilities(problems=self.problems, **found)

    async def _window(self) -> int:
        self.told("the context window")
        if self.provider.window is None:
            return 0
        try:
            return await self.provider.window(self.upstream, self.model)
        except HomeportError as error:
            self.problems["context window"] = str(error)
            self.missed()
            return 0

    async def _chat(self) -> dict[str, Any]:
        self.told("a chat")
        question = Message(role="user", content="What is 2 + 3? Answer with the number alone.")
        asked = Prompt(kind="chat", messages=(question,), sampling=Sampling(max_tokens=FEW_WORDS))
        said = await self._said("chat", asked)
        if said is None:
            return {"chat": False if "chat" in self._unable else None, "thinks": None}
        if said[-1].finish == "length" and not any(map(_thinks, said)):
            # so much for one number may be a thought, of which only the end will tell
            self.told("a chat, at length")
            longer = asked._replace(sampling=Sampling(max_tokens=MANY_WORDS))
            said = await self._said("a chat at length", longer) or said
        if _is_mute(said):
            self.problems["chat"] = MUTE
        return {"chat": True, "thinks": any(map(_thinks, said)), "thought_begun": _begun(said)}

    async def _stream(self, *, text: bool, thinks: bool) -> dict[str, Any]:
        self.told("a stream")
        sampling = Sampling(max_tokens=24, temperature=None)
        count = Message(role="user", content="Count from one to ten in words.")
        asked = Prompt(kind="chat", messages=(count,), sampling=sampling, stream=True)
        if text:
            asked = Prompt(kind="text", text="one two three", sampling=sampling, stream=True)
        began = time.perf_counter()
        first, pieces = 0.0, 0
        try:
            async with aclosing(self.provider.generate(self.upstream, self.model, asked)) as chunks:
                async for chunk in chunks:
                    first = first or time.perf_counter() - began
                    # thoughts that come apart from the text are chunks without any, as is the first one with the role
                    pieces += bool(chunk.text) or (thinks and not chunk.finish and not chunk.usage)
        except HomeportError as error:
            return {"streams": False if self._none("streaming", error) else None}
        self._heard = True
        return {"streams": pieces > 1 + thinks, "first_token_s": round(first, 4)}

    async def _tools(self) -> bool | None:
        self.told("a tool")
        question = Message(role="user", content="What is the weather in Paris? Use the tool.")
        asked = Prompt(kind="chat", messages=(question,), sampling=Sampling(max_tokens=128), extra={"tools": [TOOL]})
        said = await self._said("tools", asked)
        return None if said is None else any(chunk.call is not None for chunk in said)

    async def _embeds(self) -> bool | None:
        self.told("embeddings")
        said = await self._said("embeddings", Prompt(kind="embed", extra={"input": SHORT_TEXT}))
        return bool(said) if said is not None else False if "embeddings" in self._unable else None

    async def _code(self, tried: Mapping[str, Fim]) -> dict[str, Any]:
        self.told("plain text")
        short = await self._said("text", Prompt(kind="text", text=SHORT_TEXT, sampling=Sampling(max_tokens=1)))
        if short is None:
            return {"text": False if "text" in self._unable else None}
        usage = next((chunk.usage for chunk in short if chunk.usage), None)
        holes = {PREFIX: await self._score(PREFIX, [Prompt(kind="text", text=hole.before) for hole in HOLES])}
        for key, fim in tried.items():
            laid_out = [Prompt(kind="text", text=fim.render(hole.before, hole.after)) for hole in HOLES]
            holes[key] = await self._score(key, laid_out, fim.stops)
        native = [Prompt(kind="text", text=hole.before, extra={"suffix": hole.after}) for hole in HOLES]
        holes[SUFFIX] = await self._score(SUFFIX, native)
        wrapped = None if usage is None else usage.prompt_tokens > TEMPLATE_TOKENS
        return {"text": True, "wrapped": wrapped, "holes": {key: score for key, score in holes.items() if score >= 0}}

    async def _score(self, layout: str, prompts: list[Prompt], stops: tuple[str, ...] = ()) -> float:
        """The part of the holes that was filled; -1 where the server does not take the question."""
        self.told(f"a hole, laid out as {layout}" if layout not in {SUFFIX, PREFIX} else f"a hole, by {layout}")
        score = 0.0
        for hole, prompt in zip(HOLES, prompts, strict=True):
            said = await self._said(layout, prompt._replace(sampling=_DULL))
            if said is None:
                return -1.0
            score += filled("".join(chunk.text for chunk in said), hole, stops)
        return round(score / len(HOLES), 2)

    async def _said(self, what: str, prompt: Prompt) -> list[Chunk] | None:
        """The answer; None, and what came back instead is written down, when there is none."""
        try:
            async with aclosing(self.provider.generate(self.upstream, self.model, prompt)) as chunks:
                said = [chunk async for chunk in chunks]
        except HomeportError as error:
            if self._none(what, error):
                self._unable.add(what)
            return None
        self._heard = True
        return said

    def _none(self, what: str, error: HomeportError) -> bool:
        """Write down what came back instead of an answer; whether that says that it cannot.

        Raises the error where it says nothing of the model: asking on would be in vain. One that answered before may
        be late once.
        """
        self._first = self._first or error
        if _refuses(error):
            self.problems[what] = str(error)
            return True
        self.missed()
        if not isinstance(error, UpstreamTimeout) or self._late or not self._heard:
            raise error
        self._late = True
        self.problems[what] = str(error)
        return False


def _refuses(error: HomeportError) -> bool:
    """Whether a server answered that it does not do this; not one that is away, busy or does not know the key."""
    if isinstance(error, UpstreamRefused):
        return not isinstance(error, UpstreamOverloaded) and error.upstream_status not in KEY_REFUSED | GATEWAY
    return isinstance(error, (UpstreamMalformed, ToolNotAvailable))


def _is_mute(said: list[Chunk]) -> bool:
    """Whether an answer that came to its end holds neither text nor thoughts."""
    return said[-1].finish != "length" and not any(chunk.text.strip() or _thinks(chunk) for chunk in said)


def _thinks(chunk: Chunk) -> bool:
    """Whether a piece of a whole answer shows thoughts: in a field of their own, or in the text."""
    return chunk.thinks or "<think" in chunk.text or END in chunk.text


def _begun(said: list[Chunk]) -> bool:
    """Whether a whole answer has the end of a thought in its text, and no beginning."""
    text = "".join(chunk.text for chunk in said)
    return END in text and "<think" not in text.partition(END)[0]


def doubts(model: Model, families: Mapping[str, Family], seen: Capabilities) -> list[Doubt]:
    """Where a registration contradicts what was seen."""
    family = families.get(model.family)
    if family is None:
        return []
    about = _about_the_layout(model, families, family, seen)
    return [*([about] if about else []), *_about_the_server(model, family, seen)]


def _family(families: Mapping[str, Family], key: str) -> Change:
    offer = families.get(key)
    return Change("family", key, beta=offer is not None and offer.release != SETTLED)


def _about_the_layout(model: Model, families: Mapping[str, Family], family: Family, seen: Capabilities) -> Doubt | None:
    best, own = seen.best_layout, own_layout(families, family, seen.holes)
    if family.completion == "fim" and best and best != own and seen.holes[best] > seen.holes.get(own, 0.0):
        better = Doubt(f"It fills holes better laid out as {best}", _family(families, best))
        return better if best != SUFFIX else _by_suffix(model)
    if family.completion == "fim" and own in seen.holes and seen.holes[own] <= seen.holes.get(PREFIX, 0.0):
        return Doubt("The layout of its family does not help it to fill holes: see that it is of that family")
    if family.completion != "fim" and best == SUFFIX:
        return _by_suffix(model)
    if family.completion != "fim" and best:
        return Doubt(f"It can fill holes, laid out as {best}, but its family is not asked so", _family(families, best))
    return None


def _by_suffix(model: Model) -> Doubt | None:
    """Without the option, what was proven decides by itself."""
    if model.options.get("fim") != "layout":
        return None
    return Doubt("Its server fills holes better by its parameter `suffix`", Change("options.fim", SUFFIX))


def _about_the_server(model: Model, family: Family, seen: Capabilities) -> Iterator[Doubt]:
    if seen.wrapped and family.completion in {"fim", "prefix"}:
        yield Doubt("Its server puts a chat template around plain text, where sentinels mean nothing: serve it without")
    if seen.chat is False and family.chat:
        yield Doubt(
            "It does not chat: its server has no chat template, or it is a base model. Let it serve completions only"
        )
    if seen.text is False and family.completion in {"fim", "prefix"}:
        yield Doubt("It does not continue plain text, which its family is asked for: switch /completions on there")
    if seen.tools is False and family.tools:
        yield Doubt("It called no tool, which its family does where the server lets it: switch tool calling on there")
    if seen.streams is False:
        yield Doubt("It does not stream: answers come as a whole, and late")
    if seen.context_tokens and model.limits.context_tokens > seen.context_tokens:
        said = f"Its server allows {seen.context_tokens} tokens, fewer than registered"
        yield Doubt(said, Change("limits.context_tokens", str(seen.context_tokens)))
