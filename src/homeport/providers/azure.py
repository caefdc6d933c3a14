"""Azure OpenAI: the OpenAI wire format at Azure's addresses, with Azure's credentials and content filters.

Sources: Azure OpenAI documentation, "Azure OpenAI in Microsoft Foundry Models v1 API", "REST API
reference" and "Content filtering".
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson

from homeport.domain.errors import UpstreamRejected
from homeport.kit.journal import note, note_dropped
from homeport.providers import Option, Provider, Unlisted, _entra, _unwanted, _wire, option
from homeport.providers import _openai_compatible as openai

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.domain.errors import UpstreamError
    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Reply, Upstream

OPTIONS: Mapping[str, Option] = {
    "api_version": Option(
        text="`v1`, or the date of a version of the older interface (2024-10-21).",
        form=r"v1|20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview)?",
        like="v1 or 2024-10-21",
        variables=("AZURE_API_VERSION", "OPENAI_API_VERSION"),
        default="v1",
    ),
    **_entra.OPTIONS,
}
CATEGORIES = ("hate", "self_harm", "sexual", "violence", "jailbreak", "indirect_attack", "profanity")
RENAMED = {"max_tokens": "max_completion_tokens"}
FOREIGN = ("top_k", "min_p", "repetition_penalty")
"""Options of other servers: Azure refuses a request that names one."""
FILTER = b"content_filter"


def generate(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """Ask the deployment; an answer that a content filter ended says so."""
    return _unwanted.without(lambda within: _asked(upstream, within, prompt), model)


async def _asked(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    dialect = await _dialect(upstream, model)
    async with aclosing(openai.generate(upstream, model, prompt, dialect)) as answer:
        async for chunk in answer:
            yield chunk
            # a client of the OpenAI format sees the reason in the answer itself
            if chunk.finish == "content_filter" and not prompt.relay:
                raise _wire.declined(model, "Azure's content filter")


async def served(upstream: Upstream, model: Model) -> Sequence[str]:
    """Whether the key is accepted; Azure lists base models, not deployments, so it raises Unlisted."""
    await openai.served(upstream, model, await _dialect(upstream, model))
    saw = f"{model.origin} accepts the credentials; Azure does not list deployments."
    raise Unlisted(saw)


async def _dialect(upstream: Upstream, model: Model) -> openai.Dialect:
    sent = await _entra.headers(upstream, model)
    version = option(OPTIONS, "api_version", model)
    return openai.Dialect(url=partial(_url, version), headers=lambda _model: sent, refuse=_refused, adapt=_adapted)


def _url(version: str, model: Model, path: str) -> str:
    """The address on either surface, whichever part of it was registered as the endpoint."""
    parts = urlsplit(model.endpoint)
    base = f"{parts.scheme}://{parts.netloc}{parts.path.partition('/openai')[0].rstrip('/')}/openai"
    if version == "v1":
        return f"{base}/v1{path}"
    place = "" if path == "/models" else f"/deployments/{quote(model.identifier or model.name, safe='')}"
    return f"{base}{place}{path}?api-version={version}"


def _adapted(model: Model, body: dict[str, Any]) -> dict[str, Any]:
    """Without what this deployment refuses, or with what it wants instead."""
    note_dropped([name for name in FOREIGN if body.pop(name, None) is not None])
    for name in _unwanted.of(model):
        value = body.pop(name, None)
        if value is not None and name in RENAMED:
            body[RENAMED[name]] = value
    return body


def _refused(model: Model, reply: Reply, body: bytes) -> UpstreamError:
    if reply.status in _wire.WRONG_REQUEST:
        if FILTER in body:
            return _filtered(model, _categories(body), reply.status)
        if unwanted := _unwanted.found(model, reply.status, body):
            return unwanted
    if reply.status == _wire.NOT_FOUND:
        fix = (
            f"Is there a deployment called {model.identifier!r} at {model.origin}, and does the option api_version "
            "fit? A new deployment takes some minutes."
        )
        return _wire.refusal(model, reply, fix=fix)
    why = _wire.TOO_LONG if _wire.too_long(body) else ""
    return _wire.refusal(model, reply, why=why if reply.status in _wire.WRONG_REQUEST else "", key_fix=_key_fix(model))


def _key_fix(model: Model) -> str:
    """What to do about credentials that were refused; an API key has the usual advice."""
    if not model.registered or "auth" not in model.options:
        return ""
    return "Give the identity the role Cognitive Services OpenAI User on the resource; that takes some minutes."


def _filtered(model: Model, why: str, status: int) -> UpstreamRejected:
    """A content filter refused the prompt; what it saw stays there, its categories are Azure's own words."""
    note(content_filter=why or "prompt")
    return UpstreamRejected(
        f"Azure's content filter refused the prompt for the model {model.name!r}{why and f' ({why})'}.",
        "Say it differently; an administrator of the Azure resource decides what its content filters let through.",
        upstream_status=status,
    )


def _categories(body: bytes) -> str:
    """The categories that were filtered, by name, with their severity."""
    try:
        found = orjson.loads(body)["error"]["innererror"]["content_filter_result"]
        hits = {name: found[name] for name in CATEGORIES if found.get(name, {}).get("filtered")}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ""
    severities = ("low", "medium", "high")
    told = (f"{name} {hit['severity']}" if hit.get("severity") in severities else name for name, hit in hits.items())
    return ", ".join(told).replace("_", " ")


PROVIDER = Provider(
    label="Azure OpenAI",
    generate=generate,
    served=served,
    hosts=(".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"),
    prefixes=("azure",),
    text=False,
    options=OPTIONS,
)
