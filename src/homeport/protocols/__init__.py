"""Wire protocols that clients speak. One file per protocol offers one `WireProtocol`: parse in, render out.

What is made for every request (`Asked`, `Answer`, `Reply`) is a named tuple: as frozen as a frozen
dataclass, at a third of its cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pydantic import BaseModel

    from homeport.access import Need
    from homeport.domain.errors import HomeportError
    from homeport.domain.models import Caller, Carried
    from homeport.domain.streams import Chunk, Usage
    from homeport.features import Workbench
    from homeport.protocols._endpoint import Door
    from homeport.protocols._kept import Shelf
    from homeport.protocols._socket import Line


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Arrival(NamedTuple):
    """How a request came: what its parser may know besides the body."""

    tail: str
    """What follows the path of an endpoint that ends in `/{name}`, percent-decoded."""
    headers: list[tuple[bytes, bytes]]
    """As ASGI has them: names in lower case."""
    caller: Caller
    kept: Shelf
    """What is kept for callers between two requests."""
    query: str = ""
    """What follows the question mark, as it was sent."""
    here: str = ""
    """The address of ours at which it came, by the socket's word and not by the caller's; known to an `Act`."""

    def header(self, name: bytes) -> str:
        """The value of a header, or an empty text."""
        return next((value.decode("latin-1") for each, value in self.headers if each == name), "")


class Reported(Protocol):
    """What an editor says of its earlier suggestions."""

    model_engine: str | None
    model_name: str | None
    lang: str | None
    requests: int
    accepts: int
    errors: int


class Writer(Protocol):
    """Keeps the parts of one answer."""

    def add(self, chunk: Chunk) -> object:
        """Take in a chunk of an answer that is collected; a stream's are given to `piece`."""
        ...


class Asked(NamedTuple):
    """A parsed request: which feature, with what, and what the answer needs to echo."""

    feature: str
    request: Any
    """The domain request that the feature takes."""
    stream: bool = False
    model: str = ""
    """The model name to echo."""
    echo: Mapping[str, Any] = MappingProxyType({})
    carried: Carried | None = None
    """The model that the body brought along."""
    scopes: tuple[str, ...] = ()
    """What this request needs besides the scope of its feature."""
    reported: Sequence[Reported] = ()
    """What the client says of earlier answers; only counted."""
    user: str = ""
    """Whom the client asks for, where several share its token."""
    ignored: tuple[str, ...] = ()
    """Options of the client that change nothing here; a header names them."""
    writer: Writer | None = None
    """What remembers the parts of this one answer, where its rendering needs that."""
    suggests: bool = False
    """The answer is a suggestion that an editor may report on."""
    framing: Streaming | None = None
    """How it is streamed, where a header decides; else as the endpoint says."""
    idle: bool = False
    """No model needs to be asked: the client only wants one to be ready."""


class Answer(NamedTuple):
    """A collected answer."""

    id: str
    """The correlation id."""
    created: int
    """Unix seconds."""
    text: str
    finish: str
    model: str
    """Name of the model that answered."""
    family: str = ""
    lang: str = ""
    """Language id of the code, when there is code."""
    usage: Usage | None = None
    noted: Usage | None = None
    """The same, or a guess where its model server did not count."""
    asked_tokens: int = 0
    """Tokens of the prompt as they were estimated before the model server counted them."""
    first_s: float = 0.0
    """Seconds from the request to the first piece of the model's answer; 0 before."""
    took_s: float = 0.0
    """Seconds from the request until now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """How a protocol frames a stream; each function gives bytes, perhaps none.

    A stream that broke gets `failed` and then an aborted connection, never `closing`.
    """

    content_type: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    opening: Callable[[Asked, Answer], bytes] = lambda _asked, _answer: b""
    piece: Callable[[Asked, Answer, Chunk], bytes]
    closing: Callable[[Asked, Answer], bytes] = lambda _asked, _answer: b""
    failed: Callable[[Asked, HomeportError, str], bytes] = lambda _asked, _error, _id: b""
    """Asked, error, correlation id."""
    ends_cleanly: bool = False
    """The failure is said in the stream itself, so the body ends properly after it."""
    says_early: Callable[[HomeportError], bool] = lambda _error: False
    """Whether a failure ahead of the first byte is said there too, in an answer with status 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An endpoint that hands a request to a feature."""

    paths: tuple[str, ...]
    """One that ends in `/{name}` takes every path below it."""
    need: Need
    body: type[BaseModel]
    """What it takes; also its OpenAPI description."""
    parse: Callable[[Any, Arrival], Asked]
    """From the validated body and the way it came."""
    whole: Callable[[Asked, Answer], bytes]
    """The document of a collected answer."""
    streaming: Streaming | None = None
    key: str = ""
    """Where another protocol answers at the same path: the key that only this one's bodies have."""
    summary: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An endpoint that answers by itself, without a feature."""

    paths: tuple[str, ...]
    need: Need
    act: Callable[[Door, Any, Arrival], Awaitable[Reply]]
    """From the validated body, or from None where there is none to take."""
    method: Method = "POST"
    body: type[BaseModel] | None = None
    summary: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An endpoint that only reads."""

    paths: tuple[str, ...]
    need: Need
    look: Callable[[Workbench], Reply]
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A WebSocket: both sides may speak at any time."""

    paths: tuple[str, ...]
    need: Need
    subprotocol: str
    talk: Callable[[Door, Line, Arrival], Awaitable[None]]
    """Talks until it returns, is cancelled because the client left, or raises."""
    refused: Callable[[HomeportError], str]
    """The last text for a client that may not talk, or whose talk went wrong."""
    farewell: str
    """The last text when Homeport stops."""
    summary: str = ""


Route = Ask | Act | Look | Talk


def method_of(route: Route) -> Method:
    """The method that an endpoint speaks."""
    if isinstance(route, Act):
        return route.method
    return "POST" if isinstance(route, Ask) else "GET"


class Reply(NamedTuple):
    """A finished answer."""

    body: bytes
    status: int = 200
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WireProtocol:
    """A family of endpoints that share one error format."""

    label: str
    routes: tuple[Route, ...]
    error: Callable[[HomeportError, str], tuple[int, bytes]]
    """Error and correlation id → status and body."""
    process_time: bool = False
    """Send X-Process-Time."""
    id_header: bytes = b""
    """Another header under which its clients look for the correlation id."""
    kept: bool = True
    """Write its requests into the request log; where not, only those that asked a model."""
    error_headers: Callable[[int], tuple[tuple[bytes, bytes], ...]] = lambda _status: ()
    """Further headers of an error with this status."""
