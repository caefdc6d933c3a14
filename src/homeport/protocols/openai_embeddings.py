"""OpenAI's `/v1/embeddings`: the input goes to the model as it came, and the model server's document comes back.

Source: the OpenAI API reference, "Create embeddings".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from homeport.access import Need
from homeport.domain.errors import UpstreamMalformed
from homeport.domain.requests import EmbeddingRequest
from homeport.protocols import Answer, Arrival, Ask, Asked, WireProtocol
from homeport.protocols._openai import error, unknown

MOST = 2048
"""Texts of one request: OpenAI's own limit, which its clients keep to."""
PASSED_ON = ("encoding_format", "dimensions")
Tokens = Annotated[list[Annotated[int, Field(ge=0, strict=True)]], Field(min_length=1)]


def _inputs(value: object) -> object:
    """The input; raises ValueError for what is neither text nor tokens."""
    several = value if isinstance(value, list) else [value]
    kinds = {type(each) for each in several}
    if not kinds or len(kinds) > 1 or not kinds <= {str, int, list} or (kinds == {int} and value is not several):
        message = "input is a text, a list of texts, the tokens of one text or a list of such lists"
        raise ValueError(message)
    if len(several) > MOST and kinds != {int}:
        message = f"at most {MOST} texts are embedded at once; ask again for the rest"
        raise ValueError(message)
    return value


class EmbeddingBody(BaseModel):
    """Texts to embed. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow")

    input: Annotated[
        str | list[str] | Tokens | list[Tokens], Field(union_mode="left_to_right"), BeforeValidator(_inputs)
    ] = Field(description="A text, several, or tokens of the model.")
    model: str = Field("", max_length=512, description="A registered model, an alias, or empty: the feature's own.")
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, ge=1, le=1_000_000, description="Where the model can make vectors shorter.")
    user: str | None = Field(None, max_length=512, description="Who asks, where several share a token.")


def parse(body: EmbeddingBody, _arrival: Arrival) -> Asked:
    """The texts as the embedding feature takes them."""
    options = {name: getattr(body, name) for name in PASSED_ON}
    request = EmbeddingRequest(
        input=body.input,
        model=body.model,
        extra={name: value for name, value in options.items() if value is not None},
    )
    return Asked(feature="embeddings", request=request, ignored=unknown(body), user=body.user or "")


def whole(_asked: Asked, answer: Answer) -> NoReturn:
    """Raise UpstreamMalformed: vectors come as the document of a model server or not at all."""
    saw = f"The model {answer.model!r} gave no document with embeddings."
    raise UpstreamMalformed(saw, "Choose a model whose platform embeds.")


EXAMPLE: dict[str, Any] = {"input": ["def add(a, b):", "def subtract(a, b):"]}
PROTOCOL = WireProtocol(
    label="OpenAI embeddings",
    error=error,
    routes=(
        Ask(
            paths=("/v1/embeddings",),
            need=Need("duo_chat"),
            body=EmbeddingBody,
            parse=parse,
            whole=whole,
            summary="Turn texts into vectors.",
            example=EXAMPLE,
        ),
    ),
)
