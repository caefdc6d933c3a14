"""A receiver of traces on loopback that speaks OTLP/HTTP and understands what it gets."""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from aiohttp import web
from google.protobuf import json_format
from house import eventually
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


BINARY, JSON = "application/x-protobuf", "application/json"
IDS = {"traceId", "spanId", "parentSpanId"}


def of_json(body: bytes) -> ExportTraceServiceRequest:
    """A body in OTLP's JSON, which differs from protobuf's in that ids are hexadecimal; unknown fields are refused."""

    def with_ids(found: dict[str, Any]) -> dict[str, Any]:
        return {name: b64encode(bytes.fromhex(each)).decode() if name in IDS else each for name, each in found.items()}

    return json_format.ParseDict(json.loads(body, object_hook=with_ids), ExportTraceServiceRequest())


FORMS = {BINARY: ExportTraceServiceRequest.FromString, JSON: of_json}


class Got:
    """A span as it arrived."""

    def __init__(self, form: Any) -> None:
        self.trace = form.trace_id.hex()
        self.id = form.span_id.hex()
        self.parent = form.parent_span_id.hex()
        self.name = form.name
        self.kind = form.kind
        self.start, self.end = form.start_time_unix_nano, form.end_time_unix_nano
        self.error = form.status.message if form.status.code == form.status.STATUS_CODE_ERROR else ""
        self.attributes = {pair.key: value(pair.value) for pair in form.attributes}


def value(form: Any) -> Any:
    """What an attribute holds."""
    kind = form.WhichOneof("value")
    if kind == "kvlist_value":
        return {pair.key: value(pair.value) for pair in form.kvlist_value.values}
    if kind == "array_value":
        return [value(each) for each in form.array_value.values]
    return getattr(form, kind)


class Receiver:
    """Takes spans, or refuses them as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Got] = []
        self.resource: dict[str, Any] = {}
        self.headers: list[dict[str, str]] = []
        self.content_types: list[str] = []
        self.answers: list[int] = []
        """Statuses of the next answers; 200 once there is none left."""
        self.rejects = 0
        """Spans that it says it did not like."""

    async def take(self, request: web.Request) -> web.Response:
        """One export."""
        self.headers.append({name.lower(): text for name, text in request.headers.items()})
        status = self.answers.pop(0) if self.answers else 200
        self.content_types.append(request.content_type)
        form = FORMS[request.content_type](await request.read())
        if status == 200:
            for each in form.resource_spans:
                self.resource = {pair.key: value(pair.value) for pair in each.resource.attributes}
                self.spans += [Got(span) for scope in each.scope_spans for span in scope.spans]
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self.rejects
        binary = request.content_type == BINARY
        said = answer.SerializeToString() if binary else json_format.MessageToJson(answer).encode()
        return web.Response(status=status, body=said, content_type=request.content_type)

    async def of(self, trace: str) -> dict[str, Got]:
        """The spans of one trace by their names, once they are there."""
        await eventually(lambda: any(each.trace == trace for each in self.spans))
        return {each.name: each for each in self.spans if each.trace == trace}


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """One that listens until the block ends."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
