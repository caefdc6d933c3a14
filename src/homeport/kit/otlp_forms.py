"""Spans as bytes: OTLP's JSON, or its binary form where `homeport[otel]` is installed.

Source: OTLP specification 1.10, "JSON Protobuf Encoding": ids in hexadecimal, 64-bit numbers as texts. What is made of
spans a few at a time is put together at the end, so that nobody waits for all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.kit.tracing import Span

KINDS = {"internal": 1, "server": 2, "client": 3}
FAILED = 2
DEPTH = 12
"""How deep an attribute may be nested; what is deeper is a text."""


class Form(Protocol):
    """How spans are written."""

    content_type: str

    def part(self, spans: Sequence[Span]) -> bytes:
        """Some spans."""
        ...

    def whole(self, parts: Sequence[bytes]) -> bytes:
        """The body of a request."""
        ...

    def rejected(self, said: bytes) -> int:
        """How many spans the receiver did not like, by its answer."""
        ...


def form_of(resource: Mapping[str, str]) -> Form:
    """The binary form where it is installed; `resource` says who sends."""
    try:
        return Binary(resource)
    except ImportError:
        return Json(resource)


class Json:
    """As `application/json`."""

    content_type = "application/json"

    def __init__(self, resource: Mapping[str, str]) -> None:
        self._resource = {"attributes": _pairs(resource)}
        self._scope = {"name": "homeport", "version": resource.get("service.version", "")}

    def part(self, spans: Sequence[Span]) -> bytes:
        """An element of the list of resources."""
        scoped = {"scope": self._scope, "spans": [_document(each) for each in spans]}
        return orjson.dumps({"resource": self._resource, "scopeSpans": [scoped]})

    def whole(self, parts: Sequence[bytes]) -> bytes:
        """The list of them."""
        return b'{"resourceSpans":[' + b",".join(parts) + b"]}"

    def rejected(self, said: bytes) -> int:
        """0 for an answer that is none."""
        try:
            return int(orjson.loads(said)["partialSuccess"]["rejectedSpans"])
        except (ValueError, KeyError, TypeError):
            return 0


class Binary:
    """As `application/x-protobuf`."""

    content_type = "application/x-protobuf"

    def __init__(self, resource: Mapping[str, str]) -> None:
        """Raises ImportError where `homeport[otel]` is not installed."""
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415 (an extra)

        self._forms = trace_service_pb2
        self._resource = dict(resource)

    def part(self, spans: Sequence[Span]) -> bytes:
        """A request of its own."""
        request = self._forms.ExportTraceServiceRequest()
        of_us = request.resource_spans.add()
        _fill(of_us.resource.attributes, self._resource)
        scope = of_us.scope_spans.add()
        scope.scope.name, scope.scope.version = "homeport", self._resource.get("service.version", "")
        for span in spans:
            _put(scope.spans.add(), span)
        return bytes(request.SerializeToString())

    def whole(self, parts: Sequence[bytes]) -> bytes:
        """One request: messages behind each other are one message whose lists are joined."""
        return b"".join(parts)

    def rejected(self, said: bytes) -> int:
        """0 for an answer that is none."""
        answer = self._forms.ExportTraceServiceResponse()
        try:
            answer.ParseFromString(said)
        except ValueError:
            return 0
        return int(answer.partial_success.rejected_spans)


def _document(span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {
        "traceId": span.trace,
        "spanId": span.id,
        "parentSpanId": span.parent,
        "flags": 1,
        "name": _text(span.name),
        "kind": KINDS[span.kind],
        "startTimeUnixNano": str(_nanoseconds(span.start)),
        "endTimeUnixNano": str(_nanoseconds(max(span.start, span.end))),
        "attributes": _pairs(span.attributes),
    }
    return found | ({"status": {"code": FAILED, "message": _text(span.error)}} if span.error else {})


def _pairs(values: Mapping[str, Any], depth: int = 0) -> list[dict[str, Any]]:
    found = ((name, value) for name, value in values.items() if value is not None)
    return [{"key": _text(name), "value": _any(value, depth)} for name, value in found]


def _any(value: object, depth: int) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, dict) and depth < DEPTH:
        return {"kvlistValue": {"values": _pairs(value, depth + 1)}}
    if isinstance(value, list | tuple) and depth < DEPTH:
        return {"arrayValue": {"values": [_any(each, depth + 1) for each in value]}}
    return {"stringValue": _text(str(value))}


def _put(form: Any, span: Span) -> None:  # noqa: ANN401 (a generated class)
    form.trace_id, form.span_id = bytes.fromhex(span.trace), bytes.fromhex(span.id)
    form.parent_span_id = bytes.fromhex(span.parent)
    form.name, form.kind, form.flags = _text(span.name), KINDS[span.kind], 1
    form.start_time_unix_nano = _nanoseconds(span.start)
    form.end_time_unix_nano = _nanoseconds(max(span.start, span.end))
    _fill(form.attributes, span.attributes)
    if span.error:
        form.status.code, form.status.message = FAILED, _text(span.error)


def _fill(pairs: Any, values: Mapping[str, Any], depth: int = 0) -> None:  # noqa: ANN401 (a generated class)
    for name, value in values.items():
        if value is not None:
            pair = pairs.add()
            pair.key = _text(name)
            _value(pair.value, value, depth)


def _value(form: Any, value: object, depth: int) -> None:  # noqa: ANN401 (a generated class)
    if isinstance(value, bool):
        form.bool_value = value
    elif isinstance(value, int):
        form.int_value = value
    elif isinstance(value, float):
        form.double_value = value
    elif isinstance(value, dict) and depth < DEPTH:
        form.kvlist_value.SetInParent()
        _fill(form.kvlist_value.values, value, depth + 1)
    elif isinstance(value, list | tuple) and depth < DEPTH:
        form.array_value.SetInParent()
        for each in value:
            _value(form.array_value.values.add(), each, depth + 1)
    else:
        form.string_value = _text(str(value))


def _nanoseconds(at: float) -> int:
    return int(at * 1e9)


def _text(text: str) -> str:
    """Without half a surrogate pair, which no receiver takes."""
    return text.encode("utf-8", "replace").decode()
