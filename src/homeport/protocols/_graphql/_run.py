"""Runs GraphQL: the schema from the shelf, the limits, the execution, the form of errors.

Source: GraphQL specification, October 2021, chapters "Validation", "Execution" and "Response"; instance and
editors reference, section 4.
"""

from __future__ import annotations

import asyncio
import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import structlog
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    KnownDirectivesRule,
    NoUnusedVariablesRule,
    build_schema,
    execute,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from typing_extensions import override

from homeport.access.gate import require
from homeport.domain.errors import BadRequest, HomeportError
from homeport.kit.discover import discover
from homeport.kit.journal import correlation_id, trace
from homeport.protocols import _graphql
from homeport.protocols._graphql import Asking, Call, Fields, Resolver
from homeport.protocols._graphql._limits import check
from homeport.protocols._graphql._newer import without_newer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from graphql import ExecutionResult

    from homeport.features import Workbench

log = structlog.get_logger()

CHARACTERS = 20_000
TOKENS = 2_000
WITHIN_S = 30.0
ERRORS = 20
ROOTS = ("Query", "Mutation", "Subscription")
COMMON = """
scalar JSON
scalar Time
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
"""
RULES = [rule for rule in specified_rules if rule not in {KnownDirectivesRule, NoUnusedVariablesRule}]
"""Unknown directives are tolerated, as are variables that only they or newer fields use."""


class Api:
    """The schema, and how it is asked."""

    def __init__(self, bench: Workbench) -> None:
        self._shelf = discover(_graphql, Fields)
        self.schema = _schema(self._shelf.values(), bench)
        self._read = lru_cache(maxsize=256)(self._read_once)

    async def answer(self, call: Call, asking: Asking) -> dict[str, Any]:
        """Data, errors, or both; never raises for what the caller did."""
        try:
            document = self._read(asking.query)
            kind = _operation(document, asking.operation)
            if kind == "subscription":
                raise BadRequest("A subscription is not answered here.", "Subscribe over the WebSocket at /-/cable.")
            async with asyncio.timeout(WITHIN_S):
                return _formed(await self._execute(document, asking, call))
        except (GraphQLError, HomeportError, _Invalid) as error:
            return {"errors": _told(error)}
        except TimeoutError:
            return {"errors": [_error(f"The query took longer than {WITHIN_S:g} s.", "timeout")]}

    async def subscribed(self, call: Call, asking: Asking) -> tuple[Any, Callable[[Any], Any]]:
        """What a subscription's resolver answers, and what gives the result for each message.

        Raises BadRequest for what is no subscription, and whatever the resolver does.
        """
        try:
            document = self._read(asking.query)
            if _operation(document, asking.operation) != "subscription":
                raise BadRequest("That is no subscription.", "Send queries to /api/graphql.")
        except (GraphQLError, _Invalid) as error:
            raise BadRequest("; ".join(each["message"] for each in _told(error)[:3])) from error
        given: dict[str, dict[str, Any]] = {}
        first = self._execute(document, asking, call, _Overheard(given))
        failed = _formed(await first).get("errors")
        if failed or not given:
            raise BadRequest(failed[0]["message"] if failed else "The subscription asks for nothing.")
        name, arguments = next(iter(given.items()))
        resolver = self._resolver(f"Subscription.{name}")
        require(call.arrival.caller, resolver.need.scope)
        topic = resolver.run(call, arguments)

        async def result(message: Any) -> dict[str, Any]:  # noqa: ANN401 (what the field's type says)
            return _formed(await self._execute(document, asking, call, {name: message}))

        return topic, result

    def _resolver(self, name: str) -> Resolver:
        return next(each.resolvers[name] for each in self._shelf.values() if name in each.resolvers)

    async def _execute(
        self,
        document: DocumentNode,
        asking: Asking,
        call: Call,
        root: Any = None,  # noqa: ANN401 (whatever the root fields are taken from)
    ) -> ExecutionResult:
        found = execute(
            self.schema,
            document,
            root_value=root,
            context_value=call,
            variable_values=dict(asking.variables),
            operation_name=asking.operation,
        )
        return await found if inspect.isawaitable(found) else found

    def _read_once(self, query: str) -> DocumentNode:
        """Parse and check a document; raises GraphQLError, BadRequest or _Invalid."""
        if len(query) > CHARACTERS:
            raise BadRequest(f"The query is longer than {CHARACTERS:,} characters.", "Ask for less at a time.")
        try:
            document = without_newer(self.schema, parse(query, max_tokens=TOKENS))
        except RecursionError:
            raise BadRequest("The query is nested too deeply.", "Ask for less at a time.") from None
        check(self.schema, document)
        errors = validate(self.schema, document, RULES, max_errors=ERRORS)
        if errors:
            raise _Invalid(errors)
        return document


class _Invalid(Exception):
    """A document that asks for what there is not."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class _Overheard(dict[str, Any]):
    """Stands for the root of a subscription, and writes down which field is asked for, and how."""

    def __init__(self, given: dict[str, dict[str, Any]]) -> None:
        super().__init__()
        self._given = given

    @override
    def get(self, name: str, default: Any = None) -> Any:
        """A function that graphql-core calls with the arguments."""
        del default
        return lambda _info, **arguments: self._given.setdefault(name, arguments) and None


def _schema(shelf: Iterable[Fields], bench: Workbench) -> GraphQLSchema:
    shelf = list(shelf)
    types = [each.types if isinstance(each.types, str) else each.types(bench) for each in shelf]
    roots = {root: "\n".join(getattr(each, root.lower()) for each in shelf) for root in ROOTS}
    declared = (f"type {root} {{ {fields} }}" for root, fields in roots.items())
    schema = build_schema("\n".join((COMMON, *types, *declared)), no_location=True)
    for each in shelf:
        for name, resolver in each.resolvers.items():
            root, field = name.split(".")
            if root != "Subscription":
                schema.type_map[root].fields[field].resolve = _resolving(resolver)  # type: ignore[attr-defined]
    for root in ("Query", "Mutation"):
        for field, found in schema.type_map[root].fields.items():  # type: ignore[attr-defined]
            if found.resolve is None:
                message = f"{root}.{field} has no resolver, so that nobody knows who may ask for it"
                raise TypeError(message)
    return schema


def _resolving(resolver: Resolver) -> Callable[..., Any]:
    async def resolve(_root: object, info: Any, **arguments: Any) -> Any:  # noqa: ANN401 (graphql-core's signature)
        call: Call = info.context
        require(call.arrival.caller, resolver.need.scope)
        found = resolver.run(call, arguments)
        return await found if inspect.isawaitable(found) else found

    return resolve


def _operation(document: DocumentNode, name: str | None) -> str:
    found = get_operation_ast(document, name)
    if found is None:
        raise BadRequest("It is not said which operation is meant.", "Name one with operationName.")
    return found.operation.value


def _formed(result: ExecutionResult) -> dict[str, Any]:
    formed: dict[str, Any] = {"data": result.data}
    if result.errors:
        formed["errors"] = [each for error in result.errors[:ERRORS] for each in _told(error)]
    return formed


def _told(error: Exception) -> list[dict[str, Any]]:
    """Errors as the specification has them; of an unexpected one nothing is shown but the correlation id."""
    if isinstance(error, _Invalid):
        return [each for one in error.errors for each in _told(one)]
    if isinstance(error, HomeportError):
        return [_error(str(error), error.code)]
    cause = error.original_error if isinstance(error, GraphQLError) else error
    where = _place(error) if isinstance(error, GraphQLError) else {}
    if isinstance(cause, HomeportError):
        return [_error(str(cause), cause.code) | where]
    if cause is None and isinstance(error, GraphQLError):
        return [_error(error.message, "graphql") | where]
    log.error(
        "unexpected error",
        correlation_id=correlation_id(),
        exception_class=type(cause).__name__,
        exception_backtrace=trace(cause or error),
    )
    return [_error("Something went wrong in Homeport. Report it with the correlation id.", "internal_error") | where]


def _place(error: GraphQLError) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if error.locations:
        where["locations"] = [{"line": each.line, "column": each.column} for each in error.locations]
    if error.path:
        where["path"] = error.path
    return where


def _error(message: str, code: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code, "correlationId": correlation_id()}}
