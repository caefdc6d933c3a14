"""The OpenAPI description of every endpoint, made from the types that validate the bodies.

Source of the format: OpenAPI Specification 3.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from pydantic.json_schema import models_json_schema

from homeport import __version__
from homeport.protocols import Act, Ask, WireProtocol, method_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from homeport.protocols import Route

_NO_NAME = re.compile(r"[^a-zA-Z0-9]+")
_LONG = re.compile(r"\bhomeport__protocols__+([a-z]\w*?)__([A-Z]\w*)")
REF = "#/components/schemas/{model}"


def describe(protocols: Iterable[WireProtocol]) -> dict[str, Any]:
    """The document for `/openapi.json`."""
    protocols = tuple(protocols)
    bodies = [(_form(route), "validation") for protocol in protocols for route in protocol.routes if _form(route)]
    references, definitions = models_json_schema(bodies, ref_template=REF)  # type: ignore[arg-type]
    paths: dict[str, Any] = {}
    for protocol in protocols:
        for route in protocol.routes:
            form = _form(route)
            body = references[(form, "validation")] if form else None
            for path in route.paths:
                _add(paths.setdefault(path, {}), _operation(protocol, route, path, body))
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Homeport", "version": __version__, "description": "Self-hosted AI for code."},
        "tags": [{"name": protocol.label} for protocol in protocols],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return _short(document)


def _short(document: dict[str, Any]) -> dict[str, Any]:
    """With types of one name told apart by their module's own name alone, also where they are referred to."""
    short: dict[str, Any] = orjson.loads(_LONG.sub(r"\2_\1", orjson.dumps(document).decode()))
    return short


def _form(route: Route) -> type[BaseModel] | None:
    return route.body if isinstance(route, Ask | Act) else None


def _operation(protocol: WireProtocol, route: Route, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(route, path),
        "summary": route.summary,
        "tags": [protocol.label],
        "responses": {
            "200": {"description": "The answer."},
            "default": {"description": "What went wrong, and what to do."},
        },
        "security": [] if route.need.public else [{"token": [route.need.scope] if route.need.scope else []}],
    }
    if path.endswith("}"):
        name = path[path.index("{") + 1 : -1]
        operation["parameters"] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}]
    if body is None or not isinstance(route, Ask | Act):
        return {method_of(route).lower(): operation}
    content = {"schema": body, "example": dict(route.example)}
    operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return {method_of(route).lower(): operation}


def _add(item: dict[str, Any], operation: Mapping[str, Any]) -> None:
    """Take an operation in; one at the same path and method that other bodies mean is described as one with it."""
    for method, found in operation.items():
        known = item.setdefault(method, found)
        if known is not found:
            known["tags"] = [*known["tags"], *found["tags"]]
            known["summary"] = f"{known['summary']} {found['summary']}"
            content, more = (each["requestBody"]["content"]["application/json"] for each in (known, found))
            content["schema"] = {"anyOf": [*content["schema"].get("anyOf", [content["schema"]]), more["schema"]]}


def _name(route: Route, path: str) -> str:
    """The name of an operation: its path, with its method in front where there may be several."""
    plain = _NO_NAME.sub("_", path.strip("/")).rstrip("_")
    method = method_of(route).lower()
    several = plain.startswith(("api_admin", "scim")) or (isinstance(route, Act) and path.endswith("}"))
    return f"{method}_{plain}" if several else plain
