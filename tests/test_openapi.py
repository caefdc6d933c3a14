"""The description of the API is well formed, complete and true."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from house import WORDS

from homeport.access import SCOPES
from homeport.protocols import method_of
from homeport.protocols.gitlab_cloud_only import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from house import House

OTHERWISE = {
    "/v1/responses/{response_id}": 404,
    "/v1/code/user_access_token": 403,  # a person's token is refused there, whatever it may
    "/api/v4/code_suggestions/direct_access": 403,
    "/api/v4/code_suggestions/connection_details": 201,
    "/v1/embeddings": 409,  # assigned to nobody here
    "/-/cable": 400,  # a WebSocket, which this is not
}
STORED = (
    *("/api/admin/", "/scim/v2/Users", "/scim/v2/Groups", "/scim/v2/.search"),
    *("/scim/v2/{", "/scim/v2/Schemas/", "/scim/v2/ResourceTypes/"),
)
"""What needs a database, which this house has not, or the name of something that is there."""
METHODS = {"get", "post", "put", "patch", "delete"}


async def document(house: House) -> dict[str, Any]:
    answer = await house.get("/openapi.json", token="")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    return answer.json


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in found["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


async def test_structure(house: House) -> None:
    """What OpenAPI 3.1 demands: see its chapters "OpenAPI Object", "Operation Object" and "Components Object"."""
    found = await document(house)
    assert re.fullmatch(r"3\.1\.\d", found["openapi"])
    assert found["info"]["title"]
    assert found["info"]["version"]
    assert found["paths"]
    assert all(path.startswith("/") for path in found["paths"])
    assert not any("homeport" in name for name in found["components"]["schemas"])
    names = [operation["operationId"] for _, _, operation in operations(found)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in found["tags"]}
    for _, method, operation in operations(found):
        assert method in METHODS
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        assert all(response["description"] for response in operation["responses"].values())
        assert all(set(need) <= set(found["components"]["securitySchemes"]) for need in operation["security"])
    for name in found["components"]["schemas"]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


async def test_every_reference_leads_somewhere(house: House) -> None:
    found = await document(house)
    for reference in references(found):
        at: Any = found
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
        assert at


async def test_schemas_are_described(house: House) -> None:
    found = await document(house)
    for name, schema in found["components"]["schemas"].items():
        assert schema["type"] == "object", name
        assert schema.get("description"), name
        assert set(schema.get("required", ())) <= set(schema.get("properties", {}))


async def test_it_describes_what_is_served(house: House) -> None:
    found = await document(house)
    pages = {"/", "/docs", "/openapi.json"}
    served = {path for path in house.app.routes if path not in pages and not path.startswith("/assets/")}
    assert set(found["paths"]) == served
    for path, method, operation in operations(found):
        routes = {method_of(each.route).lower(): each.route for each in house.app.routes[path].endpoints}
        need = routes[method].need
        assert operation["security"] == ([] if need.public else [{"token": [need.scope] if need.scope else []}])
        assert need.scope in {"", *SCOPES}


TAILS = {
    "id": "x",
    "name": "x",
    "urn": "x",
    "feature": "chat",
    "section": "Chat",
    "prompt_id": "chat/explain_code",
    "path": "v1/messages",
    "model": WORDS,
    "response_id": "resp_x",
}
"""What may follow a path that goes on."""


async def test_each_example_is_accepted(house: House) -> None:
    found = await document(house)
    examples = 0
    for path, method, operation in operations(found):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        assert (body is not None) is ("requestBody" in operation)
        answer = await house.ask(method.upper(), re.sub(r"\{(\w+)\}", lambda name: TAILS[name[1]], path), body)
        usual = 404 if path in ABSENT or path.startswith(STORED) else 200
        assert answer.status == OTHERWISE.get(path, usual), path
        examples += method == "post"
    assert examples >= 6


async def test_what_needs_no_token_is_on_a_short_list(house: House) -> None:
    every = [(path, each.route) for path, found in house.app.routes.items() for each in found.endpoints]
    public = {path for path, route in every if route.need.public}
    assert {path for path in public if not path.startswith("/assets/")} == {
        "/",
        "/.well-known/openid-configuration",
        "/docs",
        "/health",
        "/monitoring/healthz",
        "/monitoring/ready",
        "/oauth/discovery/keys",
        "/openapi.json",
        "/v1/models/definitions",
    }
    for path, route in every:
        assert path in public or (await house.ask(method_of(route), path, token="")).status == 401
