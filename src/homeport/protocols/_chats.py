"""Conversations of editors: who said what, who listens, and the questions that are being answered.

They live in memory, within bounds, and end with the process: nobody's code is kept longer than that.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import structlog

from homeport.domain.agents import AgentRequest, Shown, Turn
from homeport.domain.errors import HomeportError, TooMany
from homeport.features._route import serve
from homeport.features._slash import COMMANDS, TOLD, about_code, split
from homeport.kit.journal import new_id, trace
from homeport.protocols._visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from homeport.domain.models import Caller
    from homeport.protocols import WireProtocol
    from homeport.protocols._endpoint import Door

log = structlog.get_logger()

Role = Literal["USER", "ASSISTANT", "SYSTEM"]
PEOPLE = 1000
"""People whose conversations are remembered; the one who was silent longest is forgotten first."""
SAID = 100
"""Messages of each that are remembered …"""
CHARACTERS = 2_000_000
"""… and characters of them."""
RUNNING = 8
"""Questions of one person that are answered at once."""
REMEMBERED = 40
"""Messages that a model is shown of a conversation; a prompt that is too long loses the oldest."""
NOTHING_SELECTED = "Select some code first, then ask again with {command}; or write the code behind the command."
ANEW = "The conversation begins anew."


class Said(NamedTuple):
    """One message, or a piece of one."""

    request: str
    """The id of the question that it belongs to."""
    role: Role
    content: str = ""
    chunk: int | None = None
    """The number of a piece, from 1; None for a whole message."""
    errors: tuple[str, ...] = ()
    thread: str = ""
    id: str = ""
    at: float = 0.0
    """Unix seconds."""
    shown: tuple[Shown, ...] = ()
    over: bool = False
    """Whether the conversation begins anew behind it."""


class Question(NamedTuple):
    """What somebody asks in an editor."""

    content: str
    file_name: str = ""
    selected: str = ""
    above: str = ""
    below: str = ""
    shown: tuple[Shown, ...] = ()
    thread: str = ""
    listener: str = ""
    """The subscription that hears the answer."""

    @property
    def around(self) -> str:
        """The file, as far as it was sent, when some of it is selected."""
        return self.above + self.selected + self.below if self.above or self.below else ""


@dataclass(slots=True)
class _Person:
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=SAID))
    running: int = 0

    def remember(self, message: Said) -> None:
        self.said.append(message)
        while len(self.said) > 1 and sum(len(each.content) for each in self.said) > CHARACTERS:
            self.said.popleft()


Topic = tuple[str, str]
"""A person and the id of one of their subscriptions."""


class Chats:
    """All of them; one per process."""

    def __init__(self) -> None:
        self._people: OrderedDict[str, _Person] = OrderedDict()
        self._listening: dict[Topic, list[Callable[[Said], None]]] = {}
        self._sockets: Counter[str] = Counter()
        self._tasks: dict[asyncio.Task[None], Topic] = {}

    @contextmanager
    def connected(self, user: str, most: int) -> Iterator[None]:
        """Count a socket of a person while it is open; raises TooMany."""
        if self._sockets[user] >= most:
            raise TooMany(f"There are {most} sockets of yours already.", "Close one.")
        self._sockets[user] += 1
        try:
            yield
        finally:
            self._sockets[user] -= 1
            self._sockets += Counter()

    def said(self, user: str, thread: str | None = None) -> list[Said]:
        """What is remembered of a person's conversations, oldest first, or of one of them."""
        person = self._people.get(user)
        return [each for each in (person.said if person else ()) if thread is None or each.thread == thread]

    def listen(self, topic: Topic, take: Callable[[Said], None]) -> Callable[[], None]:
        """Have `take` called with every message of a topic; returns what ends that.

        When the last listener leaves, what is being said to it is not said any longer.
        """
        self._listening.setdefault(topic, []).append(take)

        def leave() -> None:
            left = self._listening.get(topic, [])
            if take in left:
                left.remove(take)
            if not left and self._listening.pop(topic, None) is not None:
                for task in [each for each, whose in self._tasks.items() if whose == topic]:
                    task.cancel()

        return leave

    def ask(self, door: Door, caller: Caller, question: Question) -> str:
        """Begin to answer, and return the id of the question; raises TooMany."""
        person = self._person(caller.subject)
        if person.running >= RUNNING:
            raise TooMany(f"{RUNNING} of your questions are being answered.", "Wait for one of them.", retry_after_s=5)
        topic, request = (caller.subject, question.listener), new_id()
        person.running += 1
        task = asyncio.create_task(_Answering(self, door, caller, question, request).run(person))
        self._tasks[task] = topic
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return request

    def tell(self, topic: Topic, message: Said) -> None:
        """Pass a message on to whoever listens."""
        for take in list(self._listening.get(topic, ())):
            take(message)

    def remember(self, user: str, message: Said) -> Said:
        """Keep a message, which gets an id and a time."""
        kept = message._replace(id=message.id or new_id(), at=time.time())
        self._person(user).remember(kept)
        return kept

    def forget(self, user: str, thread: str) -> None:
        """Forget one conversation."""
        person = self._person(user)
        person.said = deque((each for each in person.said if each.thread != thread), maxlen=SAID)

    def _person(self, name: str) -> _Person:
        person = self._people.setdefault(name, _Person())
        self._people.move_to_end(name)
        while len(self._people) > PEOPLE:
            self._people.popitem(last=False)
        return person


class _Answering:
    """One question on its way to its answer."""

    def __init__(self, chats: Chats, door: Door, caller: Caller, question: Question, request: str) -> None:
        self._chats = chats
        self._door = door
        self._caller = caller
        self._question = question
        self._request = request
        self._topic = caller.subject, question.listener

    async def run(self, person: _Person) -> None:
        """Say the answer piece by piece and then as a whole, or what went wrong."""
        visit = self._visit()
        try:
            await self._run(visit)
        except asyncio.CancelledError:
            visit.facts["outcome"] = "client_closed"
        except HomeportError as error:
            visit.facts.update(error_code=error.code, error=error.saw)
            visit.status, visit.error = error.status, error
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 (the outermost edge of a task: its asker gets an answer)
            visit.status = 500
            kind, where = type(error).__name__, trace(error)
            log.error("unexpected error", correlation_id=self._request, exception_class=kind, exception_backtrace=where)  # noqa: TRY400 (an error's own words may be somebody's code)
            self._failed("Something went wrong in Homeport. Report it with the correlation id.")
        finally:
            person.running -= 1
            self._door.book.enter(visit)

    def _visit(self) -> Visit:
        """What the log and the metrics are told of it."""
        headers = [(b"x-request-id", self._request.encode())]
        scope = {"type": "http", "method": "POST", "path": PATH, "http_version": "1.1", "headers": headers}
        visit = Visit(_protocol(), PATH, scope, _unsent)
        visit.caller, visit.status, visit.streaming = self._caller, 200, True
        return visit

    async def _run(self, visit: Visit) -> None:
        user, question = self._caller.subject, self._question
        command, rest = split(question.content)
        earlier = _earlier(self._chats.said(user, question.thread))
        if command == "/clear":
            self._chats.forget(user, question.thread)
            self._chats.tell(self._topic, self._message("ASSISTANT", ANEW))
            return
        asked = self._message("USER", question.content)._replace(shown=question.shown, over=command == "/reset")
        self._chats.remember(user, asked)
        told = _told(command, rest, question)
        if told:
            self._whole(told)
            return
        feature, request = wanted(question, earlier)
        visit.facts["feature"] = feature
        await self._say(visit, feature, request)

    async def _say(self, visit: Visit, feature: str, request: Any) -> None:  # noqa: ANN401 (each feature has its own)
        parts: list[str] = []
        async with aclosing(serve(self._door.bench, feature, request)) as chunks:
            async for chunk in chunks:
                visit.seen(chunk)
                if chunk.text:
                    parts.append(chunk.text)
                    piece = self._message("ASSISTANT", chunk.text)._replace(chunk=len(parts))
                    self._chats.tell(self._topic, piece)
        visit.length = sum(map(len, parts))
        self._whole("".join(parts))

    def _whole(self, content: str) -> None:
        kept = self._chats.remember(self._caller.subject, self._message("ASSISTANT", content))
        self._chats.tell(self._topic, kept)

    def _failed(self, text: str) -> None:
        said = f"{text} (correlation id {self._request})"
        kept = self._chats.remember(self._caller.subject, self._message("ASSISTANT", "")._replace(errors=(said,)))
        self._chats.tell(self._topic, kept)

    def _message(self, role: Role, content: str) -> Said:
        return Said(self._request, role, content, thread=self._question.thread, id=new_id(), at=time.time())


PATH = "/api/graphql (chat)"
"""What the log calls a question that is answered over a subscription."""


def _protocol() -> WireProtocol:
    from homeport.protocols import WireProtocol  # noqa: PLC0415 (it imports this room's endpoints for its types)
    from homeport.protocols._instance import error  # noqa: PLC0415 (as above)

    return WireProtocol(label="", routes=(), error=error)


async def _unsent(_message: object) -> None:
    """Nobody waits for an answer of HTTP."""


def _earlier(said: Iterable[Said]) -> list[Said]:
    """What a model may be reminded of: questions that were answered, since the conversation began anew."""
    kept: list[Said] = []
    for each in said:
        kept = [] if each.over else [*kept, each]
    answered = {each.request for each in kept if each.role == "ASSISTANT" and each.content}
    return [each for each in kept if each.request in answered][-REMEMBERED:]


def _told(command: str, rest: str, question: Question) -> str:
    """What is answered without a model."""
    if command in COMMANDS and not question.selected.strip() and not rest:
        return NOTHING_SELECTED.format(command=command)
    if command == "/help":
        return "\n".join(f"- `{name}`: {what}" for name, what in TOLD.items())
    return ANEW if command == "/reset" else ""


def wanted(question: Question, earlier: Sequence[Said] = ()) -> tuple[str, Any]:
    """The feature that answers a question, and what it is asked."""
    command, rest = split(question.content)
    if command in COMMANDS:
        feature = COMMANDS[command]
        asked = about_code(feature, question.selected.strip("\n"), rest, question.around)
        return feature, asked._replace(stream=True)
    before = (Turn(each.role.lower(), each.content, each.shown) for each in earlier)
    return "chat_agent", AgentRequest(turns=(*before, Turn("user", question.content, tuple(_shown(question)))))


def _shown(question: Question) -> Iterator[Shown]:
    if question.selected.strip():
        yield Shown("selected code", question.file_name, question.selected)
    if question.around.strip():
        yield Shown("current file", question.file_name, question.around)
    yield from question.shown
