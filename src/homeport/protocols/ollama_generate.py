"""Ollama's `/api/generate`: code around a cursor, text to continue (`raw`), or one question.

Source: Ollama's API documentation, "Generate a completion".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field

from homeport.access import KNOWN
from homeport.domain.errors import BadRequest
from homeport.domain.requests import ChatRequest, CodeRequest, TextRequest
from homeport.protocols import Answer, Arrival, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._ollama import LINES, OllamaBody, content_of, document, ended, failed, line
from homeport.protocols._parts import Parts, writer_of
from homeport.protocols._sampler import PASSED_ON
from homeport.protocols._sentence import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.domain.streams import Chunk


class GenerateBody(OllamaBody):
    """Something to go on from. An empty one asks whether the model is ready."""

    prompt: str | None = Field("", description="What stands before the cursor; or a question.")
    suffix: str | None = Field(None, description="What stands behind the cursor.")
    system: str | None = None
    raw: bool | None = Field(None, description="The prompt is continued exactly as it stands.")
    images: list[str] | None = Field(None, max_length=64, description="Base64, for models that see.")
    template: str | None = None

    @property
    def idle(self) -> str:
        """What is told where nothing is to be written; empty where something is."""
        if self.prompt or self.suffix or self.images:
            return ""
        return "unload" if self.unloads else "load"


def parse(body: GenerateBody, arrival: Arrival) -> Asked:
    """A hole, a text, or a conversation of one turn; raises BadRequest."""
    if body.template:
        raise BadRequest(
            "Templates of clients are not taken.", "Put the prompt together, and send raw.", param="template"
        )
    if body.suffix:
        return _asked("code_completions", _code(body), body)
    if body.raw or (body.idle and "duo_chat" not in arrival.caller.scopes):
        return _asked("text_completions", _text(body), body)
    return _asked("chat", _chat(body), body)


def _asked(feature: str, request: Any, body: GenerateBody) -> Asked:  # noqa: ANN401 (each feature has a request of its own)
    return Asked(
        feature,
        request,
        body.streams,
        echo={"idle": body.idle},
        ignored=(*body.ignored(), *_unfelt(feature, body)),
        writer=Parts(thoughts=body.think is not False),
        idle=bool(body.idle),
    )


def _unfelt(feature: str, body: GenerateBody) -> Iterator[str]:
    """The options that change nothing of what this feature does."""
    if feature != "chat" and body.think is not None:
        yield "think"
    if feature == "code_completions":
        options = body.chosen()
        yield from (f"options.{name}" for name in PASSED_ON if getattr(options, name) is not None)


def _code(body: GenerateBody) -> CodeRequest:
    sampling = _plain(body).chosen().sampling()
    before, after = body.prompt or "", body.suffix or ""
    return CodeRequest(before=before, after=after, model=body.model, sampling=sampling, stream=body.streams)


def _text(body: GenerateBody) -> TextRequest:
    options = _plain(body).chosen()
    return TextRequest(
        prompt=body.prompt or "",
        model=body.model,
        extra=options.passed_on(),
        sampling=options.sampling(),
        stream=body.streams,
    )


def _plain(body: GenerateBody) -> GenerateBody:
    """The same; raises BadRequest for what only a conversation can have."""
    for name in ("format", "images", "system"):
        if getattr(body, name):
            saw = f"{name} is not for code or text that is just continued."
            raise BadRequest(saw, "Leave it out, or ask without suffix and raw.", param=name)
    return body


def _chat(body: GenerateBody) -> ChatRequest:
    turn = {"role": "user", "content": content_of(body.prompt or "", body.images or ())}
    return ChatRequest(
        raw_messages=({"role": "system", "content": body.system}, turn) if body.system else (turn,),
        extra=body.extra(),
        model=body.model,
        sampling=body.chosen().sampling(),
        stream=body.streams,
        parts=True,
    )


def whole(asked: Asked, answer: Answer) -> bytes:
    """The answer as one document."""
    thoughts = [part.text for part in writer_of(asked, Parts).all if part.kind == "thought"]
    said = {"response": answer.text} | ({"thinking": "".join(thoughts)} if thoughts else {})
    return document(asked, answer, said)


def piece(asked: Asked, answer: Answer, chunk: Chunk) -> bytes:
    """A line of text, and one of thoughts."""
    found = b""
    if chunk.thought and writer_of(asked, Parts).shows_thoughts:
        found = line(answer, b'"response":"","thinking":%b' % orjson.dumps(chunk.thought))
    return found + line(answer, b'"response":%b' % orjson.dumps(chunk.text)) if chunk.text else found


def closing(asked: Asked, answer: Answer) -> bytes:
    """The last line."""
    return ended(asked, answer, b'"response":""') + b"\n"


PROTOCOL = WireProtocol(
    label="Ollama generate",
    error=error,
    routes=(
        Ask(
            paths=("/api/generate",),
            need=KNOWN,
            body=GenerateBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(content_type=LINES, piece=piece, closing=closing, failed=failed),
            summary="Fill in the middle, continue text or answer, as Ollama's clients ask.",
            example={
                "model": "",
                "prompt": "def add(a, b):\n    ",
                "suffix": "\n\nprint(add(1, 2))\n",
                "stream": False,
            },
        ),
    ),
)
