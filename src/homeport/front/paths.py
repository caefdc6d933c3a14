"""Paths: what an application answers at each, and at every other."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
from typing_extensions import override

from homeport.access import PUBLIC
from homeport.domain.errors import Unknown
from homeport.domain.models import Caller
from homeport.front.files import FOLDER, File
from homeport.protocols import Arrival, Ask, Look, Reply, Talk, WireProtocol, _openai, _sentence
from homeport.protocols._endpoint import Door, Endpoint, Several, formed, opened
from homeport.protocols._kept import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from homeport.domain.errors import HomeportError
    from homeport.protocols._visit import Receive, Scope, Send, Visit


UNTOLD = (
    "/assets",
    "/api/",
    "/oauth/",
    "/scim/",
    "/.well-known/",
    "/-/",
    "/v1/proxy/",
    "/v1/amazon_q/",
    "/v1/embeddings/",
)
"""Where paths begin that strangers are not told: of pages, other clients, administrators, what is not offered."""

NOT_OLLAMAS = ("/api/admin", "/api/v4", "/api/graphql")
"""What is below `/api` and of other clients."""
LONGEST = 64
"""Characters of a path that are compared with those that there are."""
LIKENESS = 0.57
"""As difflib measures it: `/api/embed` is as near as that to `/v1/embeddings`."""


class Homeport:
    """The application: a dictionary of paths in front of bare ASGI endpoints."""

    def __init__(self, routes: Mapping[str, Endpoint | Several], door: Door, lost: Endpoint) -> None:
        self.routes = routes
        self.door = door
        self._lost = lost
        below = ((path[: path.index("{")], each) for path, each in routes.items() if path.endswith("}"))
        self._below = sorted(below, key=lambda each: -len(each[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self.routes.get(scope["path"]) or self._prefixed(scope)
        await found(scope, receive, send)

    def _prefixed(self, scope: Scope) -> Endpoint | Several:
        """The endpoint that takes everything below its path; the longest such path wins."""
        path = scope["path"]
        for prefix, endpoint in self._below:
            if path.startswith(prefix) and len(path) > len(prefix):
                scope["homeport.tail"] = path[len(prefix) :]
                return endpoint
        return self._lost

    @property
    def sockets(self) -> Iterable[str]:
        """The paths that speak WebSocket."""
        return (path for path, each in self.routes.items() if isinstance(each.endpoints[0].route, Talk))

    def stopping(self) -> None:
        """From now on an interrupted request is told that Homeport stops."""
        self.door.stopping = True


def routes(door: Door, every: Iterable[WireProtocol]) -> dict[str, Endpoint | Several]:
    """The endpoint of each path; several where there is one for each method."""
    found: dict[str, list[Endpoint]] = {}
    for protocol in every:
        for route in protocol.routes:
            for path in route.paths:
                made = File if path.startswith(FOLDER) else Endpoint
                found.setdefault(path, []).append(made(door, protocol, route, path))
    return {path: _at_one_path(each) for path, each in found.items()}


def _at_one_path(endpoints: Sequence[Endpoint]) -> Endpoint | Several:
    keyed = {each.route.key: each for each in endpoints if isinstance(each.route, Ask) and each.route.key}
    own = [each for each in endpoints if each not in keyed.values()]
    for each in own:
        if isinstance(each.route, Ask):
            each.others = keyed
    return own[0] if len(own) == 1 else Several(own)


def again(known: Mapping[str, Endpoint | Several], path: str, body: str) -> tuple[str, Any]:
    """The feature and the request that this body once meant at this path; raises Unknown or BadRequest."""
    found, tail = known.get(path), ""
    if found is None:
        stems = sorted((each[: each.index("{")] for each in known if each.endswith("}")), key=len)
        stem = next((each for each in reversed(stems) if path.startswith(each)), "")
        found = next((each for pattern, each in known.items() if pattern.startswith(f"{stem}{{")), None)
        tail = path[len(stem) :]
    asks = [each.route for each in found.endpoints if isinstance(each.route, Ask)] if found else []
    if not asks:
        raise Unknown("Nothing is asked at this path any more.", "Requests to it cannot be repeated.")
    document = opened(body.encode())
    route = next((each for each in asks if each.key and each.key in document), asks[0])
    # whoever repeats a request is not who made it, so nothing is kept and nothing that was kept is found
    arrival = Arrival(tail, [], Caller(subject="", kind="anonymous"), Shelf(0))
    asked = route.parse(formed(route.body, document), arrival)
    return asked.feature, asked.request


class Lost(Endpoint):
    """Answers for every path that nobody offers."""

    def __init__(self, door: Door, known: Iterable[str]) -> None:
        look = Look(paths=("",), need=PUBLIC, look=lambda _bench: Reply(body=b""))
        protocol = WireProtocol(label="", routes=(look,), error=_for_anyone, process_time=True)
        super().__init__(door, protocol, look, "(unknown)")
        self._like_ollama = replace(protocol, error=_sentence.error)
        every = tuple(known)
        self._told = [path for path in every if not path.startswith(UNTOLD)]
        self._of_ollama = [path for path in every if _is_ollamas(path)]

    @override
    async def _serve(self, visit: Visit, receive: Receive) -> None:
        del receive
        path, known = visit.scope["path"], self._told
        if _is_ollamas(path):
            visit.protocol, known = self._like_ollama, self._told + self._of_ollama
        raise Unknown("There is nothing at this path.", f"{_near(path, known)}All paths are at /docs.")


def _is_ollamas(path: str) -> bool:
    return path.startswith("/api/") and not path.startswith(NOT_OLLAMAS)


def _near(path: str, known: Sequence[str]) -> str:
    """A question that names the paths that may be meant; empty without any."""
    if f"/v1{path}" in known:
        return f"Did you mean /v1{path}? Then add /v1 to the base URL. "
    # how long a stranger's path takes to compare grows with the square of its length
    near = difflib.get_close_matches(path[:LONGEST].lower(), known, n=3, cutoff=LIKENESS)
    return f"Did you mean {' or '.join(near)}? " if near else ""


def _for_anyone(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """An error that OpenAI's and GitLab's clients can both read: nobody knows who asks at an unknown path."""
    status, body = _openai.error(problem, correlation_id)
    error = orjson.loads(body)["error"]
    detail = [{"msg": error["message"], "type": error["code"], "loc": ["path"]}]
    return status, orjson.dumps({"error": error, "detail": detail})
