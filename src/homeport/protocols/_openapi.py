"""The OpenAPI description of every endpoint, made from the types that validate the bodies.

Source of the format: OpenAPI Specification 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from homeport import __version__
from homeport.protocols import Ask, Look, WireProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REF = "#/components/schemas/{model}"


def describe(protocols: Iterable[WireProtocol]) -> dict[str, Any]:
    """The document for `/openapi.json`."""
    protocols = tuple(protocols)
    bodies = [
        (route.body, "validation") for protocol in protocols for route in protocol.routes if isinstance(route, Ask)
    ]
    references, definitions = models_json_schema(bodies, ref_template=REF)  # type: ignore[arg-type]
    paths: dict[str, Any] = {}
    for protocol in protocols:
        for route in protocol.routes:
            body = references[(route.body, "validation")] if isinstance(route, Ask) else None
            paths |= {path: _operation(protocol, route, path, body) for path in route.paths}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Homeport", "version": __version__, "description": "Self-hosted AI for code."},
        "tags": [{"name": protocol.label} for protocol in protocols],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(protocol: WireProtocol, route: Ask | Look, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": path.strip("/").replace("/", "_").replace(".", "_"),
        "summary": route.summary,
        "tags": [protocol.label],
        "responses": {
            "200": {"description": "The answer."},
            "default": {"description": "What went wrong, and what to do."},
        },
        "security": [] if route.need.public else [{"token": [route.need.scope] if route.need.scope else []}],
    }
    if isinstance(route, Look):
        return {"get": operation}
    content = {"schema": body, "example": dict(route.example)}
    operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return {"post": operation}
