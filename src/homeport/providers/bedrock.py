"""AWS Bedrock: every model that its Converse interface offers, streamed in AWS's binary framing.

Source: Amazon Bedrock API Reference, "Converse", "ConverseStream", "InvokeModel", "ListFoundationModels" and
"ListInferenceProfiles".
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from homeport.domain.errors import (
    BadConfiguration,
    UpstreamError,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
)
from homeport.domain.streams import CallPiece, Chunk, Usage
from homeport.providers import Option, Provider, Unlisted, _aws, _bedrock_vectors, _unwanted, _vectors, _wire, option
from homeport.providers._eventstream import BadStream, Decoder
from homeport.providers._tool_calls import rendered
from homeport.providers._turns import Image, Result, Text, conversation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Reply, Upstream
    from homeport.providers._eventstream import Message
    from homeport.providers._turns import Conversation, Part

OPTIONS: Mapping[str, Option] = {
    **_aws.OPTIONS,
    "guardrail": Option(
        text="The guardrail, by id or ARN, that looks at each question and answer.",
        form=r"[a-z0-9]{1,64}|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/[a-z0-9]+",
        variables=("HOMEPORT_BEDROCK_GUARDRAIL",),
    ),
    "guardrail_version": Option(
        text="The guardrail's version.",
        form=r"DRAFT|[0-9]{1,8}",
        variables=("HOMEPORT_BEDROCK_GUARDRAIL_VERSION",),
        default="DRAFT",
    ),
    "input_type": Option(
        text="What vectors of Cohere's Embed models are for.",
        values=_bedrock_vectors.INPUT_TYPES,
        default=_bedrock_vectors.INPUT_TYPES[0],
    ),
}
AT_ONCE = 8
"""Calls of one request for embeddings that run at the same time: Titan takes a single text with each."""
ORIGINALS_GUARDRAIL = "AIGW_BEDROCK_GUARDRAIL_CONFIG"
"""GitLab's AI Gateway takes a guardrail as a JSON object from here."""
EXPECTED = "Expected AWS Bedrock's Converse interface; check the model's endpoint."
TOKENS = "x-amzn-bedrock-input-token-count"
"""Where InvokeModel tells them for models whose own answer does not."""
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
FILTERS = {"guardrail_intervened": "A guardrail of Bedrock", "content_filtered": "Bedrock's content filter"}
_TOO_LONG_TO_EMBED = (b"too many input tokens", b"expected maxlength")
"""How Titan and Cohere say that a text is too long."""
_NOT_ALLOWED = "AWS does not let these credentials use it"
_NOT_ACCEPTED = {
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "MissingAuthenticationTokenException",
    "IncompleteSignatureException",
}


def generate(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """Ask the model by Converse or ConverseStream; one that embeds, by InvokeModel."""
    if prompt.kind == "embed":
        return _embedded(upstream, model, prompt)
    return _unwanted.without(lambda within: rendered(_asked(upstream, within, prompt), model, prompt), model)


async def _asked(upstream: Upstream, model: Model, prompt: Prompt) -> AsyncGenerator[Chunk | CallPiece, None]:
    region = _region(model)
    streamed = prompt.stream and "stream" not in _unwanted.of(model)
    action = "converse-stream" if streamed else "converse"
    url = f"{_endpoint(model, region)}/model/{quote(model.identifier or model.name, safe='')}/{action}"
    call = await _aws.signed(upstream, model, region, _wire.call(model, url, {}, _body(model, prompt)))
    if not streamed:
        body = await _wire.document(upstream, model, call, _refused, expected=EXPECTED)
        for whole in _pieces(model, prompt, body):
            yield whole
        return
    reply = await _wire.opened(upstream, model, call, _refused)
    try:
        ended = False
        decoder = Decoder()
        while part := await _wire.guard(model, reply.part()):
            for message in _messages(decoder, part, model):
                piece = _event(model, prompt, message)
                ended = ended or (isinstance(piece, Chunk) and piece.finish is not None)
                if piece is not None:
                    yield piece
        if decoder.pending or not ended:
            raise _wire.truncated(model)
    finally:
        reply.close()


async def _embedded(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """The document with embeddings, made of as many calls as it takes, within the time of one answer."""
    vendor = _bedrock_vectors.vendor_of(model)
    calls = _bedrock_vectors.bodies(vendor, prompt, option(OPTIONS, "input_type", model))
    seats = asyncio.Semaphore(AT_ONCE)

    async def one(body: bytes) -> _bedrock_vectors.Answered:
        async with seats:
            return await _vectors_of(upstream, model, vendor, body)

    try:
        async with asyncio.timeout(model.limits.total_s), asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(body)) for body in calls]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    except TimeoutError as error:
        saw = f"The model {model.name!r} did not embed {len(calls)} pieces within {model.limits.total_s:g} s."
        raise UpstreamTimeout(saw, "Embed fewer at once.") from error
    document = _bedrock_vectors.document(model, (task.result() for task in tasks))
    usage = Usage(document["usage"]["prompt_tokens"], 0)
    try:
        wire = _vectors.as_wanted(orjson.dumps(document), document, prompt.extra.get("encoding_format", "float"))
    except ValueError as error:
        raise _wire.malformed(model, "vectors that hold no numbers", EXPECTED) from error
    yield Chunk("", "stop", usage, wire)


async def _vectors_of(
    upstream: Upstream, model: Model, vendor: _bedrock_vectors.Vendor, body: bytes
) -> _bedrock_vectors.Answered:
    region = _region(model)
    url = f"{_endpoint(model, region)}/model/{quote(model.identifier or model.name, safe='')}/invoke"
    reply = await _wire.opened(
        upstream, model, await _aws.signed(upstream, model, region, _wire.call(model, url, {}, body)), _refused
    )
    try:
        told = reply.header(TOKENS)
        data = await _wire.guard(model, reply.read(_wire.DOCUMENT_LIMIT))
    finally:
        reply.close()
    try:
        found = vendor.read(_wire.parse(data, model, EXPECTED), orjson.loads(body))
    except (KeyError, TypeError, ValueError) as error:
        raise _wire.malformed(model, "a document without embeddings", EXPECTED) from error
    return found if found.tokens else found._replace(tokens=int(told) if told.isdecimal() else 0)


def _messages(decoder: Decoder, part: bytes, model: Model) -> Sequence[Message]:
    try:
        return list(decoder.feed(part))
    except BadStream as error:
        raise _wire.malformed(model, f"a damaged event stream ({error})", EXPECTED) from error


def _region(model: Model) -> str:
    found = option(OPTIONS, "region", model)
    if found:
        return found
    saw = f"No AWS region is set for the model {model.name!r}."
    raise BadConfiguration(saw, "Set its option region, or the variable AWS_REGION_NAME or AWS_REGION.")


def _endpoint(model: Model, region: str) -> str:
    """What was registered, else what the operator's environment says, else AWS's own."""
    known = (model.endpoint, *_aws.endpoints(), _aws.own("bedrock-runtime", region))
    return next(each for each in known if each).rstrip("/")


def _body(model: Model, prompt: Prompt) -> bytes:
    unwanted = _unwanted.of(model)
    said = conversation(prompt, "bedrock", unwanted)
    turns = [{"role": turn.role, "content": [_part(part) for part in turn.parts]} for turn in said.turns]
    body: dict[str, Any] = {"messages": turns, "inferenceConfig": _sampling(prompt, unwanted)}
    if said.system and "system" in unwanted:
        turns[0]["content"] = [{"text": said.system}, *turns[0]["content"]]
    elif said.system:
        body["system"] = [{"text": said.system}]
    if said.tools:
        body["toolConfig"] = _tools(said)
    guardrail = _guardrail(model)
    if guardrail:
        body["guardrailConfig"] = guardrail
    return _wire.dumped(body)


def _sampling(prompt: Prompt, unwanted: frozenset[str]) -> dict[str, Any]:
    """Temperatures above 1 are OpenAI's, not Bedrock's; Claude takes `top_p` or a temperature, not both."""
    sampling = prompt.sampling
    both = sampling.temperature is not None and "temperature" not in unwanted
    named = {
        "max_tokens": ("maxTokens", sampling.max_tokens),
        "temperature": ("temperature", None if sampling.temperature is None else min(sampling.temperature, 1.0)),
        "top_p": ("topP", None if both and sampling.top_p == 1.0 else sampling.top_p),
        "stop": ("stopSequences", [text for text in sampling.stop if text.strip()] or None),
    }
    return {theirs: value for name, (theirs, value) in named.items() if value is not None and name not in unwanted}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Image):
        return {"image": {"format": part.format, "source": {"bytes": part.data}}}
    if isinstance(part, Result):
        return {"toolResult": {"toolUseId": part.id, "content": [{"text": part.text or "(nothing)"}]}}
    return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": part.input}}


def _tools(said: Conversation) -> dict[str, Any]:
    specs = []
    for tool in said.tools:
        more = {"description": tool.description} if tool.description else {}
        specs.append({"toolSpec": {"name": tool.name, **more, "inputSchema": {"json": tool.schema}}})
    config: dict[str, Any] = {"tools": specs}
    if said.choice.startswith(":"):
        config["toolChoice"] = {"tool": {"name": said.choice[1:]}}
    elif said.choice == "any":
        config["toolChoice"] = {"any": {}}
    return config


def _guardrail(model: Model) -> dict[str, str]:
    """The guardrail of the model, of the environment, or of the variable of GitLab's AI Gateway."""
    wanted = option(OPTIONS, "guardrail", model)
    if wanted:
        version = option(OPTIONS, "guardrail_version", model)
        return {"guardrailIdentifier": wanted, "guardrailVersion": version}
    given = os.environ.get(ORIGINALS_GUARDRAIL, "")
    if not given:
        return {}
    try:
        found = orjson.loads(given)
        return {name: str(found[name]) for name in ("guardrailIdentifier", "guardrailVersion")}
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        fix = f"Write {ORIGINALS_GUARDRAIL} as a JSON object with guardrailIdentifier and guardrailVersion."
        raise BadConfiguration("The guardrail of the environment cannot be read.", fix) from error


def _pieces(model: Model, prompt: Prompt, body: Mapping[str, Any]) -> list[Chunk | CallPiece]:
    """What an answer holds that came as one document."""
    try:
        content = body["output"]["message"]["content"]
        thinks = any("reasoningContent" in part for part in content)
        found: list[Chunk | CallPiece] = [Chunk("".join(part.get("text", "") for part in content), thinks=thinks)]
        used = [part["toolUse"] for part in content if "toolUse" in part]
        for at, use in enumerate(used):
            found.append(CallPiece(at, use["toolUseId"], use["name"], orjson.dumps(use.get("input") or {}).decode()))
        found.append(Chunk(finish=_finish(model, prompt, body["stopReason"]), usage=_usage(body.get("usage"))))
    except (KeyError, TypeError, AttributeError) as error:
        raise _wire.malformed(model, "a document without a message", EXPECTED) from error
    return found


def _event(model: Model, prompt: Prompt, message: Message) -> Chunk | CallPiece | None:
    """What one message of the stream holds; raises UpstreamError for an exception in it."""
    kind = message.headers.get(":message-type")
    if kind in {"exception", "error"}:
        raise _broke(model, message.headers.get(":exception-type") or message.headers.get(":error-code", ""))
    event = message.headers.get(":event-type")
    data = _wire.parse(message.payload, model, EXPECTED) if kind == "event" else {}
    try:
        if event == "contentBlockDelta":
            return _delta(data)
        if event == "contentBlockStart" and "toolUse" in data.get("start", {}):
            use = data["start"]["toolUse"]
            return CallPiece(data["contentBlockIndex"], use["toolUseId"], use["name"])
        if event == "messageStop":
            return Chunk(finish=_finish(model, prompt, data["stopReason"]))
        if event == "metadata":
            return Chunk(usage=_usage(data.get("usage")))
    except (KeyError, TypeError, AttributeError) as error:
        raise _wire.malformed(model, "an event that lacks what it should hold", EXPECTED) from error
    return None


def _delta(data: Mapping[str, Any]) -> Chunk | CallPiece | None:
    delta = data["delta"]
    if isinstance(delta.get("text"), str):
        return Chunk(delta["text"])
    if "toolUse" in delta:
        return CallPiece(_wire.number_of(data["contentBlockIndex"]), arguments=_wire.text_of(delta["toolUse"]["input"]))
    return None


def _finish(model: Model, prompt: Prompt, reason: str) -> str:
    """OpenAI's word for it; raises UpstreamRejected where only an error can say that a filter stepped in."""
    if reason in FILTERS and not (prompt.relay or prompt.parts):
        raise _wire.declined(model, FILTERS[reason])
    return FINISH.get(reason, "stop")


def _usage(found: Mapping[str, Any] | None) -> Usage | None:
    """Tokens as Bedrock counted them, those of its prompt cache included."""
    if not isinstance(found, dict):
        return None
    asked = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    return Usage(sum(_wire.count(found.get(name)) for name in asked), _wire.count(found.get("outputTokens")))


def _broke(model: Model, kind: str) -> UpstreamError:
    """An exception in the middle of a stream."""
    kind = kind[:1].lower() + kind[1:]
    if kind in {"throttlingException", "serviceUnavailableException"}:
        return _wire.overloaded(model, 429 if kind == "throttlingException" else 503)
    if kind == "modelTimeoutException":
        return UpstreamTimeout(f"The model {model.name!r} took too long, says Bedrock.", "Ask for less, or try again.")
    if kind == "validationException":
        saw = f"The model {model.name!r} rejected the request in the middle of its answer."
        return UpstreamRejected(saw, "Check the options of the request.", upstream_status=400)
    return UpstreamError(f"The model {model.name!r} failed in the middle of its answer.", "Try again.")


def _refused(model: Model, reply: Reply, body: bytes) -> UpstreamError:
    kind = reply.header("x-amzn-ErrorType").partition(":")[0]
    if kind in {"ThrottlingException", "ServiceQuotaExceededException", "ModelNotReadyException"}:
        return _wire.overloaded(model, 429, _wire.retry_after(reply))
    if kind == "ModelTimeoutException":
        return _broke(model, kind)
    if reply.status in _wire.WRONG_REQUEST and (unwanted := _unwanted.found(model, reply.status, body)):
        return unwanted
    why, fix = _advice(model, kind, body.lower())
    return _wire.refusal(model, reply, why=why, fix=fix, key_fix=fix)


def _advice(model: Model, kind: str, text: bytes) -> tuple[str, str]:
    """A reason that we know and what to do about it, never AWS's own words: they may repeat the prompt."""
    region = option(OPTIONS, "region", model)
    if kind in _NOT_ACCEPTED:
        fix = "Are they complete, of this account, not expired, and is this machine's clock right?"
        return "AWS does not accept the credentials", fix
    if kind == "AccessDeniedException" and (b"not authorized to perform" in text or b"bedrock:" in text):
        fix = "Their IAM policy needs bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream for this model."
        return _NOT_ALLOWED, fix
    if kind == "AccessDeniedException":
        return "this AWS account has no access to it", f"Request access to the model in Bedrock's console ({region})."
    if b"on-demand throughput" in text:
        fix = f"Register one of its inference profiles instead: {_profile(region)}.{model.identifier} may be one."
        return "it is only served by inference profiles", fix
    if kind == "ResourceNotFoundException" or b"model identifier is invalid" in text:
        fix = f"Is {model.identifier!r} spelt as Bedrock spells it, and offered in {region}?"
        return "Bedrock does not know it", fix
    too_long = _wire.too_long(text) or any(words in text for words in _TOO_LONG_TO_EMBED)
    return (_wire.TOO_LONG if too_long else ""), ""


def _profile(region: str) -> str:
    """The prefix of inference profiles that a region usually has."""
    return {"eu": "eu", "us": "us", "ap": "apac"}.get(region[:2], "global")


async def served(upstream: Upstream, model: Model) -> Sequence[str]:
    """Base models and inference profiles of the region; raises Unlisted where the credentials may not list them."""
    try:
        models = await _listed(upstream, model, "/foundation-models", "modelSummaries")
        profiles = await _listed(upstream, model, "/inference-profiles?maxResults=1000", "inferenceProfileSummaries")
    except UpstreamRefused as error:
        raise _unlisted(model, error) from error
    names = ("modelId", "inferenceProfileId", "inferenceProfileArn")
    known = [str(each[name]) for each in (*models, *profiles) for name in names if name in each]
    if model.identifier.startswith("arn:") and model.identifier not in known:
        raise Unlisted(f"AWS accepts the credentials; {model.identifier!r} is of a kind that it does not list.")
    return known


def _unlisted(model: Model, error: UpstreamRefused) -> UpstreamError:
    """Credentials that may ask a model need not be allowed to list them; and a private endpoint may only answer."""
    if error.upstream_status == _wire.NOT_FOUND or _NOT_ALLOWED in error.saw:
        return Unlisted(f"What may ask {model.name!r} may not list models, or not at this endpoint.")
    return error


async def _listed(upstream: Upstream, model: Model, path: str, name: str) -> Sequence[Mapping[str, Any]]:
    region = _region(model)
    endpoint = _endpoint(model, region)
    base = _aws.own("bedrock", region) if endpoint == _aws.own("bedrock-runtime", region) else endpoint
    call = await _aws.signed(upstream, model, region, _wire.call(model, base + path, {}, method="GET"))
    body = await _wire.document(upstream, model, call, _refused, expected=EXPECTED)
    found = body.get(name)
    if not isinstance(found, list):
        raise _wire.malformed(model, f"no list of models under {name!r}", EXPECTED)
    return [each for each in found if isinstance(each, dict)]


PROVIDER = Provider(
    label="AWS Bedrock",
    generate=generate,
    served=served,
    hosts=(".amazonaws.com", ".amazonaws.com.cn"),
    prefixes=("bedrock",),
    needs_endpoint=False,
    text=False,
    options=OPTIONS,
)
