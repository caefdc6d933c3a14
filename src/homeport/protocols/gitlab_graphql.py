"""GraphQL as GitLab's clients ask for it: `/api/graphql`. Its fields are the files of `_graphql/`.

Source: instance and editors reference, section 4. Queries that can be executed are answered with 200, whatever
comes of them; one request is one document, so that its limits are limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field

from homeport.access import KNOWN
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._gitlab import Lenient
from homeport.protocols._graphql import Asking, Call, api_of, variables
from homeport.protocols._instance import error_headers

if TYPE_CHECKING:
    from homeport.domain.errors import HomeportError
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door


class GraphqlBody(Lenient):
    """One document with its variables."""

    query: str = Field(description="A query or a mutation.")
    variables: dict[str, Any] | str | None = Field(None, description="Values of its variables, perhaps as a text.")
    operation_name: str | None = Field(None, alias="operationName", max_length=255)


async def ask(door: Door, body: GraphqlBody, arrival: Arrival) -> Reply:
    """Answer one document."""
    asking = Asking(body.query, variables(body.variables), body.operation_name)
    return Reply(orjson.dumps(await (await api_of(door)).answer(Call(door, arrival), asking)))


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """An error of the request as a whole, in the form of those within an answer."""
    text = f"{problem} (correlation id {correlation_id})"
    said = {"message": text, "extensions": {"code": problem.code, "correlationId": correlation_id}}
    return problem.status, orjson.dumps({"errors": [said]})


PROTOCOL = WireProtocol(
    label="GitLab instance: GraphQL",
    error=error,
    error_headers=error_headers,
    routes=(
        Act(
            paths=("/api/graphql",),
            need=KNOWN,
            act=ask,
            body=GraphqlBody,
            summary="Queries and mutations of GitLab's names (scope by field).",
            example={"query": "{ currentUser { username duoChatAvailable } }"},
        ),
    ),
)
