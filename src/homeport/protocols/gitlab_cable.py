"""GitLab's chat as it comes: `/-/cable`, ActionCable with GraphQL subscriptions.

Source: instance and editors reference, sections 4.4 and 6.3. Clients read the first message without looking whether
it holds data, so it always does; they take a piece with the number 0 for the whole answer, so numbers begin at 1.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from homeport.access import Need
from homeport.domain.errors import BadRequest, HomeportError, NotAllowed, NotAuthenticated, TooMany
from homeport.protocols import Talk, WireProtocol
from homeport.protocols._graphql import Asking, Call, api_of, variables
from homeport.protocols._graphql._messages import shown
from homeport.protocols._instance import CHAT, error, error_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homeport.protocols import Arrival
    from homeport.protocols._chats import Said
    from homeport.protocols._endpoint import Door
    from homeport.protocols._socket import Line

PING_S = 3.0
CHANNEL = "GraphqlChannel"
SUBSCRIPTIONS = 20
"""Subscriptions of one socket."""
SOCKETS = 20
"""Sockets of one person."""
WAITING = 1000
"""Messages that may wait for a client that does not read …"""
WAITING_BYTES = 1_000_000
"""… and bytes of them. Beyond either the socket ends: a gap in an answer would go by unseen."""
BEHIND = "behind"
"""The message of the CancelledError of a socket whose client does not keep up."""
FIELD = "aiCompletionResponse"


def _text(**said: Any) -> str:  # noqa: ANN401 (any JSON value)
    return orjson.dumps(said).decode()


def _goodbye(reason: str, *, reconnect: bool) -> str:
    return _text(type="disconnect", reason=reason, reconnect=reconnect)


class Outbox:
    """What waits to be sent, within bounds."""

    def __init__(self, overflow: Callable[[], object]) -> None:
        self.overflow = overflow
        self._texts: asyncio.Queue[str] = asyncio.Queue()
        self._bytes = 0

    def put(self, text: str) -> None:
        """Have a text sent, or end it all."""
        self._bytes += len(text)
        if self._texts.qsize() >= WAITING or self._bytes > WAITING_BYTES:
            self.overflow()
        else:
            self._texts.put_nowait(text)

    async def send(self, line: Line) -> None:
        """Send, until cancelled."""
        while True:
            text = await self._texts.get()
            await line.say(text)
            self._bytes -= len(text)

    async def ping(self) -> None:
        """Say that we are here, until cancelled: clients reconnect after two that are missing."""
        while True:
            await asyncio.sleep(PING_S)
            self.put(_text(type="ping", message=int(time.time())))


class Heard(NamedTuple):
    """What a subscription hears is rendered by a task, one message after the other."""

    task: asyncio.Task[None]
    leave: Callable[[], None]


class Cable:
    """One client's subscriptions."""

    def __init__(self, call: Call, outbox: Outbox) -> None:
        self._call = call
        self._outbox = outbox
        self._heard: dict[str, Heard] = {}

    async def take(self, text: str) -> None:
        """Carry out a command; what is none is passed over, as ActionCable does."""
        command = _object(text)
        identifier = command.get("identifier")
        if not isinstance(identifier, str):
            return
        if command.get("command") == "subscribe":
            await self._subscribe(identifier)
        elif command.get("command") == "unsubscribe":
            self._leave(identifier)

    async def _subscribe(self, identifier: str) -> None:
        """Confirm and send the first message, or reject; the identifier comes back exactly as it came."""
        wanted = _object(identifier)
        if identifier in self._heard:
            return
        if wanted.get("channel") != CHANNEL or len(self._heard) >= SUBSCRIPTIONS:
            self._outbox.put(_text(type="reject_subscription", identifier=identifier))
            return
        try:
            topic, render = await _subscribed(self._call, wanted)
        except HomeportError as problem:
            self._outbox.put(_text(type="confirm_subscription", identifier=identifier))
            said = {"data": {FIELD: None}, "errors": [{"message": str(problem), "extensions": {"code": problem.code}}]}
            self._outbox.put(_text(identifier=identifier, message={"result": said, "more": False}))
            return
        first = await render(None)
        self._outbox.put(_text(type="confirm_subscription", identifier=identifier))
        self._outbox.put(_text(identifier=identifier, message={"result": first, "more": True}))
        queue: asyncio.Queue[Said] = asyncio.Queue()

        def take(message: Said) -> None:
            queue.put_nowait(message)
            if queue.qsize() > WAITING:
                self._outbox.overflow()

        task = asyncio.create_task(self._pass_on(identifier, queue, render))
        self._heard[identifier] = Heard(task, self._call.door.chats.listen(topic, take))

    async def _pass_on(self, identifier: str, queue: asyncio.Queue[Said], render: Callable[[Any], Any]) -> None:
        while True:
            result = await render(shown(await queue.get()))
            self._outbox.put(_text(identifier=identifier, message={"result": result, "more": True}))

    def _leave(self, identifier: str) -> None:
        heard = self._heard.pop(identifier, None)
        if heard is not None:
            heard.leave()
            heard.task.cancel()

    async def end(self) -> None:
        """Leave everything."""
        tasks = [each.task for each in self._heard.values()]
        for identifier in list(self._heard):
            self._leave(identifier)
        await asyncio.gather(*tasks, return_exceptions=True)


async def _subscribed(call: Call, wanted: Mapping[str, Any]) -> tuple[Any, Callable[[Any], Any]]:
    query, operation = wanted.get("query"), wanted.get("operationName")
    if not isinstance(query, str) or not isinstance(operation, str | None):
        raise BadRequest("The subscription has no query.", "Send it in the identifier.", param="query")
    asking = Asking(query, variables(wanted.get("variables")), operation)
    return await (await api_of(call.door)).subscribed(call, asking)


def _object(text: str) -> dict[str, Any]:
    """The object that a text holds, or an empty one."""
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(text)
        if isinstance(found, dict):
            return found
    return {}


async def talk(door: Door, line: Line, arrival: Arrival) -> None:
    """Talk to one client until it leaves."""
    _check_origin(door, arrival)
    main = asyncio.current_task()
    outbox = Outbox(lambda: main and main.cancel(BEHIND))
    cable = Cable(Call(door, arrival), outbox)
    with door.chats.connected(arrival.caller.subject, SOCKETS):
        outbox.put(_text(type="welcome"))
        tasks = [asyncio.create_task(each) for each in (outbox.send(line), outbox.ping())]
        try:
            while (text := await line.hear()) is not None:
                await cable.take(text)
        except asyncio.CancelledError as left:
            if BEHIND not in left.args or main is None:
                raise
            main.uncancel()
            saw = "The client does not read what it is sent."
            raise TooMany(saw, "Connect again.") from None
        finally:
            for task in tasks:
                task.cancel()
            await cable.end()
            await asyncio.gather(*tasks, return_exceptions=True)


def _check_origin(door: Door, arrival: Arrival) -> None:
    """Raise NotAllowed for a page of another site; programs say nothing, or the address that they were given."""
    origin = arrival.header(b"origin").rstrip("/")
    host = arrival.header(b"host")
    ours = {f"http://{host}", f"https://{host}", _site(door.url)}
    if origin and _site(origin) not in ours:
        raise NotAllowed("The socket was opened by a page of another site.", "Open it from here.", param="origin")


def _site(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".lower()


def refused(problem: HomeportError) -> str:
    """Why it ends: who may not talk need not come back."""
    if isinstance(problem, NotAuthenticated):
        return _goodbye("unauthorized", reconnect=False)
    if isinstance(problem, NotAllowed):
        return _goodbye("invalid_request" if problem.param == "origin" else "unauthorized", reconnect=False)
    return _goodbye("remote", reconnect=problem.status >= 500 or isinstance(problem, TooMany))  # noqa: PLR2004 (HTTP's own number)


PROTOCOL = WireProtocol(
    label="GitLab instance: subscriptions",
    error=error,
    error_headers=error_headers,
    routes=(
        Talk(
            paths=("/-/cable",),
            need=Need(CHAT),
            subprotocol="actioncable-v1-json",
            talk=talk,
            refused=refused,
            farewell=_goodbye("server_restart", reconnect=True),
            summary="ActionCable over WebSocket: answers of chat, piece by piece.",
        ),
    ),
)
