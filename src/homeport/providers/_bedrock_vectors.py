"""Embeddings of Bedrock: what each vendor's models are asked by InvokeModel, and what they answer, as OpenAI has it.

Sources: Amazon Bedrock User Guide, "Amazon Titan Embeddings Text" (one text a call; `inputText`, `dimensions`;
`embedding`, `inputTextTokenCount`), "Cohere Embed v3" and "Cohere Embed v4" (96 texts a call; `texts`, `input_type`,
`truncate`, `output_dimension`; `embeddings` as a list, or by type); API reference, "InvokeModel".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.domain.errors import BadRequest
from homeport.providers import _wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt

INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")
"""What Cohere's models make vectors for: those of different kinds are laid out apart."""


class Answered(NamedTuple):
    """The vectors of one call."""

    vectors: list[list[float]]
    tokens: int


class Vendor(NamedTuple):
    """How the models of one vendor are asked."""

    mark: str
    """Stands in the identifiers of its models that embed, behind the prefix of an inference profile too."""
    most: int
    """Texts of one call."""
    body: Callable[[Sequence[str], int | None, str], dict[str, Any]]
    """Of texts, of the dimensions that are wanted, and of what the vectors are for."""
    read: Callable[[Mapping[str, Any], Mapping[str, Any]], Answered]
    """Of the answer to a body; raises KeyError, TypeError, or ValueError where there is not a vector for each text."""


def _titan_body(texts: Sequence[str], dimensions: int | None, _purpose: str) -> dict[str, Any]:
    return {"inputText": texts[0]} | ({"dimensions": dimensions} if dimensions else {})


def _titan_read(body: Mapping[str, Any], _asked: Mapping[str, Any]) -> Answered:
    return Answered([_vector(body["embedding"])], _wire.count(body.get("inputTextTokenCount")))


def _cohere_body(texts: Sequence[str], dimensions: int | None, purpose: str) -> dict[str, Any]:
    # what is cut off in silence would not be found again
    body: dict[str, Any] = {"texts": list(texts), "input_type": purpose, "truncate": "NONE"}
    return body | ({"output_dimension": dimensions} if dimensions else {})


def _cohere_read(body: Mapping[str, Any], asked: Mapping[str, Any]) -> Answered:
    found = body["embeddings"]
    vectors = [_vector(each) for each in (found["float"] if isinstance(found, dict) else found)]
    if len(vectors) != len(asked["texts"]):
        raise ValueError
    return Answered(vectors, 0)


def _vector(found: object) -> list[float]:
    if not isinstance(found, list) or not found:
        raise TypeError
    return found


VENDORS = (
    Vendor("amazon.titan-embed", 1, _titan_body, _titan_read),
    Vendor("cohere.embed", 96, _cohere_body, _cohere_read),
)


def vendor_of(model: Model) -> Vendor:
    """Whose model it is; raises BadRequest for one that is not known to embed."""
    identifier = model.identifier or model.name
    found = next((vendor for vendor in VENDORS if vendor.mark in identifier), None)
    if found is None:
        saw = f"The model {model.name!r} is not known to embed: of Bedrock's, Amazon's Titan and Cohere's Embed are."
        fix = (
            "Name one of them, of an OpenAI-compatible server or of Azure OpenAI. An ARN has to name the model itself."
        )
        raise BadRequest(saw, fix, param="model")
    return found


def bodies(vendor: Vendor, prompt: Prompt, purpose: str) -> list[bytes]:
    """What is sent, call by call; raises BadRequest for tokens, which belong to one model's own vocabulary."""
    given = prompt.extra["input"]
    texts = [given] if isinstance(given, str) else given
    if not all(isinstance(text, str) for text in texts):
        raise BadRequest("Bedrock's models embed texts, not tokens.", "Send texts as `input`.", param="input")
    dimensions = prompt.extra.get("dimensions")
    parts = (texts[at : at + vendor.most] for at in range(0, len(texts), vendor.most))
    return [_wire.dumped(vendor.body(part, dimensions, purpose)) for part in parts]


def document(model: Model, answers: Iterable[Answered]) -> dict[str, Any]:
    """The answer in OpenAI's format."""
    vectors, tokens = [], 0
    for answer in answers:
        vectors += answer.vectors
        tokens += answer.tokens
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model.identifier or model.name, "usage": usage}
