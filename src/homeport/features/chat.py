"""General chat: the next turn of a conversation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from homeport.domain.prompts import Prompt
from homeport.domain.requests import ChatRequest, Message, stops
from homeport.features import Feature
from homeport.features._apart import apart
from homeport.features._ask import answer_room, ask, budget, choose
from homeport.features._count import estimated
from homeport.features._measure import note_cut
from homeport.features._seen import thought_begun
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.streams import Chunks
    from homeport.families import Family
    from homeport.features import Workbench

ANSWER_TOKENS = 2048


def run(bench: Workbench, wanted: ChatRequest) -> Chunks:
    """Answer the conversation."""
    model = choose(bench, "chat", wanted.model)
    # messages that are passed on as they came cannot be made shorter
    shorter = partial(build, bench, model, wanted) if wanted.messages else None
    prompt = build(bench, model, wanted)
    if wanted.parts:
        note(prompt_tokens_estimated=estimated(bench, model, prompt))
    answer = ask(bench, model, prompt, shorter)
    # all others take thoughts away by themselves
    return (
        apart(answer, prompt, begun=thought_begun(bench, model, prompt.kind))
        if wanted.relay or wanted.parts
        else answer
    )


def build(bench: Workbench, model: Model, wanted: ChatRequest) -> Prompt:
    """The prompt: messages passed on as they came, or ours within the model's window."""
    family = bench.family(model)
    sampling = wanted.sampling
    messages = wanted.messages
    if messages:
        answer_tokens = answer_room(bench, model, sampling.max_tokens or ANSWER_TOKENS)
        sampling = sampling._replace(
            max_tokens=answer_tokens,
            temperature=sampling.temperature if family.any_temperature else None,
            stop=stops(sampling.stop, family.stops),
        )
        kept = fit(messages, budget(bench, model, answer_tokens))
        note_cut(_length(messages), _length(kept))
        messages = shape(kept, family)
    elif sampling.max_tokens is not None:
        # vLLM refuses an answer longer than its window, which clients ask for by their own settings
        sampling = sampling._replace(max_tokens=answer_room(bench, model, sampling.max_tokens))
    if sampling.temperature is None and family.chat_temperature is not None:
        sampling = sampling._replace(temperature=family.chat_temperature)
    return Prompt(
        kind="chat",
        messages=messages,
        raw_messages=wanted.raw_messages,
        extra=wanted.extra,
        sampling=sampling,
        stream=wanted.stream,
        relay=wanted.relay,
        usage=wanted.usage,
        parts=wanted.parts,
        native=wanted.native,
    )


def fit(messages: tuple[Message, ...], characters: int) -> tuple[Message, ...]:
    """The system message and the newest turns that fit; the last turn always stays, cut at its start."""
    if _length(messages) <= characters:
        return messages
    system = messages[:1] if messages and messages[0].role == "system" else ()
    left = characters - _length(system)
    kept: list[Message] = []
    for message in reversed(messages[len(system) :]):
        if kept and len(message.content) > left:
            break
        kept.append(message if len(message.content) <= left else _cut(message, max(left, characters // 2)))
        left -= len(kept[-1].content)
    return (*system, *reversed(kept))


def _length(messages: tuple[Message, ...]) -> int:
    return sum(len(message.content) for message in messages)


def _cut(message: Message, characters: int) -> Message:
    return message._replace(content=message.content[-characters:])


def shape(messages: tuple[Message, ...], family: Family) -> tuple[Message, ...]:
    """Put the system message into the first user turn where the family knows no system role."""
    if family.system_role or not messages or messages[0].role != "system":
        return messages
    system, *rest = messages
    if rest and rest[0].role == "user":
        return (rest[0]._replace(content=f"{system.content}\n\n{rest[0].content}"), *rest[1:])
    return (system._replace(role="user"), *rest)


FEATURE = Feature(title="General chat", section="Chat", scope="duo_chat", request=ChatRequest, run=run)
