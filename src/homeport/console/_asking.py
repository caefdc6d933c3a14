"""What the playground asks: a form as a request for a feature, and the answer piece by piece or as a whole."""

from __future__ import annotations

import json
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from homeport.access import widen
from homeport.access.gate import withheld
from homeport.console._texts import t
from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import Caller
from homeport.domain.prompts import PromptRequest
from homeport.domain.requests import ChatRequest, CodeRequest, Message
from homeport.features._hearing import Question, Result, heard, named
from homeport.features._slash import COMMANDS, about_code

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

    from homeport.features import Feature, Workbench
    from homeport.store.database import Store

Kind = Literal["code", "chat", "prompt"]
KINDS: Mapping[type[Any], Kind] = {CodeRequest: "code", ChatRequest: "chat"}
CURSOR = "<CURSOR>"
"""Stands in the code where the cursor is, for who has no script."""
CLEAR = "/clear"
_LIKE_A_COMMAND = re.compile(r"/[a-z]+")
INPUT = "in-"
"""Before the name of a prompt's value, in the name of its field."""
TURNS = 200


def can_be_tried(feature: Feature) -> bool:
    """Whether the playground can ask it: it answers in words."""
    return feature.listed and (feature.request in KINDS or feature.template is not None)


def kind_of(feature: Feature) -> Kind:
    """What a feature wants to be given."""
    return KINDS.get(feature.request, "prompt")


def question(bench: Workbench, feature: str, form: Mapping[str, str], model: str, *, stream: bool) -> Question:
    """A form as a request; raises Unknown or BadRequest."""
    offer = bench.features.get(feature)
    if offer is None or not can_be_tried(offer):
        raise Unknown(t("There is no such feature."), t("Choose one from the list."))
    asked = named(bench, model) if model else ""
    kind = kind_of(offer)
    if kind == "code":
        return Question(feature, _code(form)._replace(model=asked, stream=stream))
    if kind == "chat":
        found = _said(feature, form)
        return found._replace(request=found.request._replace(model=asked, stream=stream))
    given = {key.removeprefix(INPUT): value for key, value in form.items() if key.startswith(INPUT)}
    return Question(feature, _prompt(bench, feature, given)._replace(model=asked, stream=stream))


def _code(form: Mapping[str, str]) -> CodeRequest:
    """The code before and after the cursor: a script says where it is, else the marker does, else it is the end."""
    before, after = form.get("before"), form.get("after", "")
    if before is None:
        before, _, after = form.get("code", "").partition(CURSOR)
    if not (before + after).strip() and not form.get("instruction", "").strip():
        raise BadRequest(t("There is no code to complete."), t("Write the beginning of it."))
    return CodeRequest(
        before=before,
        after=after,
        file_name=form.get("file", "").strip(),
        language=form.get("language", ""),
        instruction=form.get("instruction", ""),
    )


def _said(feature: str, form: Mapping[str, str]) -> Question:
    """The conversation with what is said now, or what a command stands for."""
    message = form.get("message", "").strip()
    command, _, rest = message.partition(" ")
    if command in COMMANDS:
        return Question(COMMANDS[command], _about_code(COMMANDS[command], form, rest.strip()))
    if not message:
        raise BadRequest(t("There is nothing to answer."), t("Write a message."))
    if _LIKE_A_COMMAND.fullmatch(command):
        known = ", ".join((*COMMANDS, CLEAR))
        raise BadRequest(t("There is no command {command}.", command=command), t("Known: {names}.", names=known))
    code = form.get("code", "").strip("\n")
    if code:
        message = f"{message}\n\n{fenced(code, form.get('file', ''))}"
    said = (*history(form), Message("user", message))
    return Question(feature, ChatRequest(messages=said))


def fenced(code: str, file: str) -> str:
    """Code as a block of a message, with a fence that does not stand in it."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{file.strip()}\n{fence}\n{code}\n{fence}".strip()


def _about_code(feature: str, form: Mapping[str, str], rest: str) -> PromptRequest:
    """A command about the code beside the message, or about the rest of the message itself."""
    code = form.get("code", "").strip("\n")
    if not code and not rest:
        raise BadRequest(t("There is no code for this command."), t("Open “Code” below the message and paste some."))
    return about_code(feature, code, rest)


def _prompt(bench: Workbench, feature: str, given: Mapping[str, str]) -> PromptRequest:
    template = bench.features[feature].template
    if not any(value.strip() for value in given.values()):
        raise BadRequest(t("There is nothing to work on."), t("Fill at least one field."))
    return PromptRequest(feature=feature, prompt=template.id if template else feature, inputs=given)


def history(form: Mapping[str, str]) -> tuple[Message, ...]:
    """What was said before, as the page kept it; raises BadRequest."""
    try:
        found = json.loads(form.get("history") or "[]")
        said = tuple(Message(turn["role"], turn["content"]) for turn in found)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadRequest(t("The conversation cannot be read."), t("Begin a new one.")) from error
    if len(said) > TURNS or any(
        each.role not in {"user", "assistant"} or not isinstance(each.content, str) for each in said
    ):
        raise BadRequest(t("The conversation is too long, or not one."), t("Begin a new one."))
    return said


async def refuse_unseated(store: Store, bench: Workbench, who: str, features: Iterable[str]) -> None:
    """Raise NotAllowed for a feature that tokens of this person do not open either: no seat, or not allowed."""
    person = await store.user(who)
    for feature in features:
        scope = bench.features[feature].scope
        if not person.seat or (person.scopes is not None and scope not in widen(person.scopes)):
            raise withheld(Caller(subject=who, kind="personal", seat=person.seat), scope)


async def lines(
    bench: Workbench, asked: Question, who: str, close: Callable[[Result], str]
) -> AsyncGenerator[str, None]:
    """The answer as lines of JSON: pieces of `text`, then what came of it, as `close` tells it."""
    async with aclosing(heard(bench, asked, who)) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                yield line(text=piece)
            else:
                yield close(piece)


def line(**fields: Any) -> str:  # noqa: ANN401 (any JSON value)
    """One line of such a stream."""
    return json.dumps(fields) + "\n"
