"""One turn of GitLab's chat: an answer, or the one tool that GitLab is to use before it asks again.

A model that can call tools is offered them; any other is asked in words for `Action:` or `Final Answer:`.
A server that refuses tools is asked in words at once, and remembered for a while. A tool that does not exist
and a call that was already made go no further: the model is asked once more.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from homeport.domain.agents import AgentRequest, Step, ToolCall
from homeport.domain.errors import PromptTooLong, ToolNotAvailable, UpstreamMalformed, UpstreamRefused
from homeport.domain.streams import Chunk
from homeport.features import Feature
from homeport.features._agent import TEMPLATE, begun, build
from homeport.features._ask import ask, choose
from homeport.features._calls import argument, offered, plain
from homeport.features._react import ARGUMENT_LENGTH, Plain, Reader, Reading
from homeport.features._seen import thought_begun
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.domain.models import Model
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench

LAST = 9
"""Steps after which there must be an answer: GitLab gives up after ten rounds."""
REFUSALS = frozenset({400, 422, 500, 501})
"""How servers answer that take no tools: vLLM 400, Text Generation Inference 422, older llama.cpp 500."""
UNREADABLE = "(Nothing was looked up: that could not be read. Write the lines as you were told, or the final answer.)"
NO_SUCH_TOOL = "(There is no such tool. Those that there are: {tools}. If none of them helps, give the final answer.)"
AVAILABLE, ACTION = "duo_chat.agent_available_tools", "duo_chat.agent_tool_action"
"""Fields of the access log, as the original calls them."""


async def run(bench: Workbench, wanted: AgentRequest) -> Chunks:
    """Answer, or call a tool. Raises ToolNotAvailable for a model that insists on one that does not exist."""
    model = choose(bench, "chat_agent", wanted.model)
    if len(wanted.steps) >= LAST:
        wanted = wanted._replace(tools=())
    native = bool(wanted.tools) and bench.family(model).tools and bench.measures.takes_tools(model)
    note(**{AVAILABLE: [tool.name for tool in wanted.tools]}, native_tools=native)
    began = False
    try:
        async with aclosing(_turn(bench, model, wanted, native=native)) as chunks:
            async for chunk in chunks:
                began = True
                yield chunk
    except UpstreamRefused as refusal:
        too_long = isinstance(refusal, PromptTooLong)
        if began or not native or too_long or refusal.upstream_status not in REFUSALS:
            raise
    else:
        return
    note(native_tools=False)
    async with aclosing(_remembering(bench, model, _turn(bench, model, wanted, native=False))) as chunks:
        async for chunk in chunks:
            yield chunk


async def _remembering(bench: Workbench, model: Model, chunks: Chunks) -> Chunks:
    """What is answered without tools shows that it was the tools that were refused."""
    known = False
    async with aclosing(chunks):
        async for chunk in chunks:
            if not known:
                bench.measures.refused_tools(model)
                known = True
            yield chunk


async def _turn(bench: Workbench, model: Model, wanted: AgentRequest, *, native: bool) -> Chunks:
    """Ask, and once more where a call cannot be made."""
    tools = [tool.name for tool in wanted.tools]
    for corrected in (False, True):
        call: ToolCall | None = None
        async with aclosing(_read(bench, model, wanted, native=native)) as chunks:
            async for chunk in chunks:
                call = chunk.call
                if call is None:
                    yield chunk
        if call is None:
            return
        tool = offered(call.name, tools)
        if tool and not _repeated(wanted, call):
            note(**{ACTION: tool})
            yield Chunk("", "stop", call=_complete(call, tool, wanted))
            return
        if not corrected:
            wanted, native = _corrected(wanted, call, tools), False
    if call is not None and call.name:
        saw = f"The model {model.name!r} asked for a tool that it was not offered: tool not available."
        raise ToolNotAvailable(saw, "Ask in other words, or choose a model that follows instructions better.")
    yield Chunk("", "stop", call=call)


async def _read(bench: Workbench, model: Model, wanted: AgentRequest, *, native: bool) -> Chunks:
    """What the model says, read as it comes: the text of an answer, or at the end one chunk with a call."""
    again = partial(build, bench, model, wanted, native=native)
    prompt = again()
    note(prompt_length=prompt.size)
    within = thought_begun(bench, model, prompt.kind)
    tools = [tool.name for tool in wanted.tools]
    reader = Reader(tools, native=native, begun=within) if tools or wanted.steps else Plain(begun=within)
    reader.feed(begun(bench, model, wanted))
    shown, held, finish = False, "", ""
    own: ToolCall | None = None
    async with aclosing(ask(bench, model, prompt, again)) as answer:
        async for chunk in answer:
            own, finish = own or chunk.call, chunk.finish or finish
            text = reader.feed(chunk.text)
            if not prompt.stream:
                held, text = held + text, ""
            if text or chunk.usage:
                shown = shown or bool(text)
                yield Chunk(text, None, chunk.usage)
            if reader.done:
                break
    rest = reader.end(finish)
    yield _last(model, rest._replace(text=held + rest.text), own, finish, shown=shown)


def _last(model: Model, rest: Reading, own: ToolCall | None, finish: str, *, shown: bool) -> Chunk:
    """The last chunk: a call, or the end of the answer. Raises UpstreamMalformed where there is neither."""
    if own is not None and not shown:
        thought = rest.call.thought if rest.call else rest.text
        return Chunk(call=ToolCall(name=own.name, argument=argument(own.argument), thought=thought.strip()))
    if rest.call is not None:
        return Chunk(call=rest.call)
    if own is not None:
        note(dropped_call=True)
    if not shown and not rest.text.strip():
        why = "used up its answer without saying anything; it may have been thinking" if finish == "length" else ""
        raise UpstreamMalformed(f"The model {model.name!r} {why or 'gave an empty answer'}.", "Try again.")
    return Chunk(rest.text, "length" if finish == "length" else "stop")


def _repeated(wanted: AgentRequest, call: ToolCall) -> bool:
    """Whether the same was looked up before: what came of it is known."""
    return (plain(call.name), _same(call.argument)) in {
        (plain(step.call.name), _same(step.call.argument)) for step in wanted.steps
    }


def _same(text: str) -> str:
    return " ".join(text.casefold().split())


def _corrected(wanted: AgentRequest, call: ToolCall, tools: Sequence[str]) -> AgentRequest:
    """The request in which the model is told why its call was not made, or asked to answer with what it has."""
    if offered(call.name, tools):
        note(corrected="repeated call")
        return wanted._replace(tools=())
    note(corrected="unknown tool" if call.name else "unreadable call")
    told = NO_SUCH_TOOL.format(tools=", ".join(tools)) if call.name else UNREADABLE
    return wanted._replace(steps=(*wanted.steps, Step(call=call, observation=told)))


def _complete(call: ToolCall, tool: str, wanted: AgentRequest) -> ToolCall:
    """The call as it is made: with the tool's own name, and with the question where nothing is given."""
    given = call.argument.strip() or next(turn.content for turn in reversed(wanted.turns) if turn.role == "user")
    return ToolCall(name=tool, argument=given[:ARGUMENT_LENGTH], thought=call.thought)


FEATURE = Feature(
    title="Chat agent",
    section="Chat",
    scope="duo_chat",
    request=AgentRequest,
    run=run,
    inherits="chat",
    listed=False,
    template=TEMPLATE,
)
