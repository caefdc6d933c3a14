"""The one handler behind every protocol's URLs: admit, parse, run, render, log."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Never

import orjson
import structlog
from pydantic import ValidationError

from homeport.access.gate import require
from homeport.domain.errors import (
    BadRequest,
    HomeportError,
    RequestLoop,
    TooLarge,
    Unknown,
    WrongMediaType,
    WrongMethod,
)
from homeport.domain.prompts import PromptRequest
from homeport.domain.requests import CodeRequest
from homeport.features._route import serve, unasked
from homeport.features._turn import COMPLETIONS
from homeport.kit.journal import VIA, came_back, masked, overhear, overheard, trace
from homeport.kit.peers import from_peer
from homeport.kit.server import STOPPING
from homeport.protocols import Arrival, Ask, Look, Talk, method_of
from homeport.protocols._chats import Chats
from homeport.protocols._heard import Heard
from homeport.protocols._kept import Shelf
from homeport.protocols._socket import Line
from homeport.protocols._supersede import Latest
from homeport.protocols._visit import Visit
from homeport.store.acceptance import Suggestion, Suggestions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from homeport.access.federation import Federation
    from homeport.access.gate import Gate
    from homeport.access.passwords import Passwords
    from homeport.diagnostics._connection import Prober
    from homeport.diagnostics._replay import Again
    from homeport.features import Workbench
    from homeport.features._carried import Carrier
    from homeport.kit.settings import LogContent
    from homeport.protocols import Asked, Route, WireProtocol
    from homeport.protocols._book import Book
    from homeport.protocols._graphql._run import Api
    from homeport.protocols._visit import Receive, Scope, Send
    from homeport.store.database import Store
    from homeport.store.request_log import RequestLog

log = structlog.get_logger()

VERBOSE = b"x-gitlab-enabled-instance-verbose-ai-logs"
FLAGS = b"x-gitlab-enabled-feature-flags"
EXPANDED = b"expanded_ai_logging"
CARRIERS = frozenset({b"authorization", b"x-api-key", b"api-key", b"private-token"})
USER = b"x-gitlab-global-user-id"
CAME_BY = VIA.lower().encode()
NOTICEABLE_S = 0.05
"""A wait for a token issuer's keys that counts as a part of the answer's time."""
MESSAGE = 2000
"""Characters of an unexpected error's own words."""
DEPTH = 64
OPENINGS = 200_000
"""Objects and arrays, those in code included: more of them than this would hold up everybody else."""
SWITCHED = 101
"""The status of a request that became a WebSocket."""
FORM = "Send a JSON object; its form is described at /docs."


def _nothing_again(_path: str, _body: str) -> Never:
    raise Unknown("Nothing can be asked again here.", "Ask the instance that serves models.")


class Door:
    """What every endpoint works with; one per process."""

    def __init__(  # noqa: PLR0913 (what one process has one of)
        self,
        *,
        bench: Workbench,
        gate: Gate,
        carrier: Carrier,
        book: Book,
        body_limit: int,
        log_content: LogContent = "never",
        verbose: Callable[[], bool] | None = None,
        supersede: bool = False,
        keep_s: float = 3600.0,
        federation: Federation | None = None,
        store: Store | None = None,
        request_log: RequestLog | None = None,
        prober: Prober,
        url: str = "",
        pepper: bytes | None = None,
    ) -> None:
        self.bench = bench
        self.request_log = request_log
        self.store = store
        self.url = url.rstrip("/")
        self.prober = prober
        self.pepper = pepper
        self.passwords: Passwords | None = None
        """Where there is a console: what hashes passwords."""
        self.again: Again = _nothing_again
        """Reads a body that was sent to a path once more; known when every path is."""
        self.gate = gate
        self.federation = federation
        self.carrier = carrier
        self.book = book
        self.body_limit = body_limit
        self.log_content = log_content
        self.verbose = verbose or (lambda: False)
        """Whether an administrator has content logged for a while."""
        self.may_be_verbose = verbose is not None
        """False where the operator said never."""
        self.latest = Latest() if supersede else None
        self.kept = Shelf(keep_s)
        self.chats = Chats()
        self.suggestions = Suggestions()
        self.api: Api | None = None
        """GraphQL, once it was asked."""
        self.stopping = False
        self._told = False

    def hears(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether somebody wants the content of a request with these headers to be logged."""
        return self.log_content == "always" or self.verbose() or wants_content(headers)

    def listen(self, visit: Visit, body: bytes) -> None:
        """Have the current request's content logged, if the operator allows it; else say once who could."""
        headers = visit.headers
        if self.log_content != "never" or self.verbose():
            sent = (value.decode("latin-1").rpartition(" ")[2] for name in CARRIERS if (value := headers.get(name)))
            secrets = tuple(sent)
            overhear(*secrets)
            visit.heard = Heard(visit.scope["path"], body, secrets)
        elif not self._told:
            self._told = True
            log.warning(
                "GitLab asks that prompts and answers be logged, which this gateway does not do",
                fix="Set HOMEPORT_LOG_CONTENT=header to let GitLab's administrator decide, or leave it as it is.",
            )


class Endpoint:
    """One URL of one protocol, as a bare ASGI application."""

    def __init__(self, door: Door, protocol: WireProtocol, route: Route, path: str) -> None:
        self.door = door
        self.protocol = protocol
        self.route = route
        self.path = path

    spoken = ""
    """Every method of this path, where there are several."""

    others: Mapping[str, Endpoint] = MappingProxyType({})
    """Those of other protocols at this path, by the key of a body that means them."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Itself and those that share its path; see `Several`, too."""
        return (self, *self.others.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self.door
        visit = Visit(self.protocol, self.path, scope, send)
        try:
            await self._serve(visit, receive)
        except asyncio.CancelledError as error:
            await visit.interrupted(error, stopping=door.stopping)
        except HomeportError as error:
            await visit.fail(error)
        except Exception as error:  # noqa: BLE001 (the outermost edge: the client gets an answer and we get the line)
            _unexpected(visit, error)
            await visit.fail(HomeportError("Something went wrong in Homeport.", "Report it with the correlation id."))
        finally:
            door.book.enter(visit)

    async def _serve(self, visit: Visit, receive: Receive) -> None:
        route = self.route
        door = self.door
        method = method_of(route)
        if visit.scope["method"] != method and (method, visit.scope["method"]) != ("GET", "HEAD"):
            spoken = self.spoken or method
            raise WrongMethod(f"{visit.scope['method']} is not spoken at {self.path}.", f"Use {spoken}.", spoken=spoken)
        if isinstance(route, Talk):
            await self._talk(visit, receive, route)
            return
        visit.caller = caller = await door.gate.admitted(visit.scope["headers"], route.need, visit.scope.get("client"))
        visit.admitted = time.perf_counter()
        if CAME_BY in visit.headers and came_back(visit.headers[CAME_BY].decode("latin-1")):
            saw = "The request came from this Homeport itself: the endpoint of a model leads back here."
            raise RequestLoop(saw, "An administrator gives the model the address of its own server.")
        if isinstance(route, Look):
            await visit.reply(route.look(door.bench))
            return
        body = await read_body(visit.scope["headers"], receive, door.body_limit)
        visit.received = len(body)
        query = visit.scope["query_string"].decode("latin-1")
        arrival = Arrival(visit.scope.get("homeport.tail", ""), visit.scope["headers"], caller, door.kept, query)
        if isinstance(route, Ask):
            if door.hears(visit.headers):
                door.listen(visit, body)
            found = opened(body)
            route = self._meant(visit, route, found) if self.others else route
            await self._ask(visit, route, route.parse(formed(route.body, found), arrival), arrival)
        else:
            from_peer(visit.scope.get("client"))
            arrival = arrival._replace(here=here(visit.scope))
            await visit.reply(await route.act(door, validated(route.body, body) if route.body else None, arrival))

    def _meant(self, visit: Visit, own: Ask, found: Mapping[str, Any]) -> Ask:
        """Whose body it is, where several protocols share a path; from now on the answer has that one's form."""
        other = next((each for key, each in self.others.items() if found.get(key) is not None), None)
        if other is None or not isinstance(other.route, Ask):
            return own
        visit.protocol = other.protocol
        if visit.caller is not None:
            require(visit.caller, other.route.need.scope)
        return other.route

    async def _talk(self, visit: Visit, receive: Receive, route: Talk) -> None:
        """Talk; who may not is told so in the socket's own language, for browsers hide any other answer."""
        if visit.scope["type"] != "websocket":
            await self.door.gate.admitted(visit.scope["headers"], route.need, visit.scope.get("client"))
            raise BadRequest(
                "This is a WebSocket.", "Ask with `Upgrade: websocket`; proxies between must pass that on."
            )
        line = Line(visit.scope, receive, visit.send)
        await line.accept(route.subprotocol)
        visit.status, visit.phase = SWITCHED, "done"
        try:
            visit.caller = caller = await self.door.gate.admitted(
                visit.scope["headers"], route.need, visit.scope.get("client")
            )
            await route.talk(self.door, line, Arrival("", visit.scope["headers"], caller, self.door.kept))
        except HomeportError as error:
            visit.facts.update(error_code=error.code, error=error.saw)
            await line.say(route.refused(error))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if STOPPING not in error.args or task is None:
                raise
            task.uncancel()
            await line.say(route.farewell)
        await line.end()

    async def _ask(self, visit: Visit, route: Ask, asked: Asked, arrival: Arrival) -> None:
        door = self.door
        visit.facts["feature"] = asked.feature
        door.book.trace(visit)
        visit.streaming, visit.reported = asked.stream, asked.reported
        framing = asked.framing or route.streaming
        visit.framing = (framing, asked) if asked.stream and framing else None
        visit.phase = "waiting"
        visit.ignored = asked.ignored
        # where the body says which feature is meant, only now is it known what it needs
        require(arrival.caller, door.bench.features[asked.feature].scope)
        for scope in asked.scopes:
            require(arrival.caller, scope)
        request = asked.request
        if type(request) is CodeRequest:
            visit.code = request.file_name, request.language
        if asked.carried is not None and asked.carried.named:
            if visit.heard is not None:
                visit.heard.hide(asked.carried.key.reveal())
            request = request._replace(model=door.carrier(asked.carried, arrival.caller, code=bool(visit.code)))
        if type(request) is PromptRequest and (spent := visit.admitted - visit.started) > NOTICEABLE_S:
            request = request._replace(spent_s=spent)
        # two requests without a file's name say nothing about whether they are about the same place
        if door.latest is not None and asked.feature == COMPLETIONS and visit.code and visit.code[0]:
            caller = arrival.caller
            who = caller.subject, caller.token, visit.headers.get(USER), asked.user, visit.code[0]
            door.latest.enter(who)
            try:
                await self._answer(visit, route, asked, request)
            finally:
                door.latest.leave(who)
        else:
            await self._answer(visit, route, asked, request)

    async def _answer(self, visit: Visit, route: Ask, asked: Asked, request: Any) -> None:  # noqa: ANN401 (each feature has a request of its own)
        chunks = (unasked if asked.idle else serve)(self.door.bench, asked.feature, request)
        if visit.heard is not None:
            chunks = visit.heard.listening(chunks)
        async with aclosing(chunks):
            if not asked.stream:
                await visit.whole(asked, route, chunks)
            elif visit.framing:
                await visit.stream(asked, visit.framing[0], chunks)
            else:
                raise BadRequest("This endpoint does not stream.", 'Ask with "stream": false.', param="stream")
        if asked.suggests and visit.caller is not None:
            facts = visit.facts
            made = Suggestion(
                request=visit.id,
                feature=asked.feature,
                model=facts.get("model", ""),
                language=facts.get("lang", ""),
                platform=facts.get("platform", ""),
                team=self.door.book.team(visit.caller, visit.caller.subject),
            )
            self.door.suggestions.made(visit.caller.subject, made)


def here(scope: Scope) -> str:
    """Where the socket of a request listens, as a URL."""
    host, port = scope.get("server") or ("127.0.0.1", None)
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}" if port else ""


class Several:
    """One path at which several methods are spoken."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(each for one in endpoints for each in one.endpoints)
        self._by_method = {method_of(each.route): each for each in endpoints}
        self._first = endpoints[0]
        self._first.spoken = ", ".join(self._by_method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the endpoint of its method, or to the first, which refuses it."""
        await self._by_method.get(scope["method"], self._first)(scope, receive, send)


def _unexpected(visit: Visit, error: Exception) -> None:
    """The line for us to look into; what an error says may be a caller's text, so it is kept back."""
    visit.facts["exception_class"] = type(error).__name__
    secrets = overheard()
    said = {} if secrets is None else {"exception_message": masked(str(error)[:MESSAGE], secrets)}
    log.error(
        "unexpected error",
        correlation_id=visit.id,
        path=visit.path,
        exception_class=type(error).__name__,
        exception_backtrace=trace(error),
        **said,
    )


def wants_content(headers: Mapping[bytes, bytes]) -> bool:
    """Whether GitLab's administrator asks for content in the log: by a header of its own, until 17.10 by a flag."""
    flags = headers.get(FLAGS, b"")
    # most have no such word in them, and need not be taken apart
    flagged = EXPANDED in flags and EXPANDED in map(bytes.strip, flags.split(b","))
    return flagged or headers.get(VERBOSE, b"").lower() == b"true"


async def read_body(headers: list[tuple[bytes, bytes]], receive: Receive, limit: int) -> bytes:
    """The request's body; raises TooLarge or WrongMediaType."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise WrongMediaType("The body is compressed.", "Send it without a Content-Encoding.")
    message = await receive()
    parts = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body") and size <= limit:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > limit:
        raise _too_large(limit)
    return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.", "Send less context; HOMEPORT_BODY_LIMIT sets the limit.")


def validated(form: type[BaseModel], body: bytes) -> Any:  # noqa: ANN401 (an instance of `form`)
    """The body as the endpoint's type; raises BadRequest that names the first wrong field."""
    return formed(form, opened(body))


def opened(body: bytes) -> dict[str, Any]:
    """The object that the body is in JSON; raises BadRequest for any other, and for one that would hold us up."""
    if not body:
        raise BadRequest("The body is empty.", "Send a JSON object.")
    # a look at what was parsed is cheaper than counting, but for a body that could hold so many
    if len(body) > OPENINGS and body.count(b"{") + body.count(b"[") > OPENINGS:
        raise BadRequest(f"The body holds more than {OPENINGS:,} brackets that open.", "Send less.")
    try:
        # orjson first: at half the cost of pydantic's own parser it also refuses NaN, Infinity and half surrogates
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error.msg} at character {error.pos}.", FORM) from error
    if not isinstance(found, dict):
        raise BadRequest("The body is JSON, but not an object.", FORM)
    if _deeper(found, DEPTH):
        raise BadRequest(f"The body is nested more than {DEPTH} levels deep.", FORM)
    return found


def formed(form: type[BaseModel], found: Mapping[str, Any]) -> Any:  # noqa: ANN401 (as `validated`)
    """The same as the endpoint's type."""
    try:
        return form.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        names = _names(form)
        # a key that the caller chose is content, which has no place in a log
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in names)
        message = _without_input(first)
        saw = f"{where}: {message}." if where else f"{message}."
        raise BadRequest(saw.replace("..", "."), FORM, param=where or None) from error


def _without_input(error: ErrorDetails) -> str:
    """What pydantic says is wrong, without what it was given: that is content, which has no place in a log."""
    if error["type"] == "union_tag_invalid":
        return f"type must be one of {error['ctx']['expected_tags']}"
    if error["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return "Input should be an object"
    return error["msg"].removeprefix("Value error, ")


def _deeper(found: dict[str, Any], levels: int) -> bool:
    """Whether `found`, parsed JSON, is nested deeper than `levels`."""
    level: list[Any] = [found]
    for _ in range(levels):
        level = [
            child
            for each in level
            for child in (each.values() if type(each) is dict else each)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


@cache
def _names(body: type[BaseModel]) -> frozenset[str]:
    """The names of all fields of a body, those of nested objects too."""
    schema = body.model_json_schema()
    return frozenset(
        name for each in (schema, *schema.get("$defs", {}).values()) for name in each.get("properties", ())
    )
