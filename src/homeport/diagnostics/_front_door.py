"""Homeport as a client sees it: one address, one token."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeport import __version__
from homeport.diagnostics import _token
from homeport.diagnostics._nobody import nobody, unspoken
from homeport.domain.entries import EXAMINER
from homeport.domain.errors import HomeportError
from homeport.kit.journal import new_id
from homeport.kit.upstream import Call, TransportError, Truncated, Unreachable, UpstreamTooLate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from homeport.kit.upstream import Reply, Upstream

OK = 200
_LIMIT = 16 * 1024 * 1024
FIRST_BYTE_S = 120.0
AGENT = f"{EXAMINER}/{__version__}"
"""What checks call themselves; our commands and editors are called otherwise."""
_DATA = b"data:"
_END = b"[DONE]"
_UNSERVED = ("feature_unassigned", "feature_disabled")
"""Codes of errors; protocols put them in different places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    id: str
    """The correlation id that the server used."""
    body: Any
    """The parsed document; None when it is not JSON."""
    raw: bytes = b""

    def says(self, text: str) -> bool:
        """Whether a text stands in it, whatever its form."""
        return text.encode() in self.raw

    @property
    def fine(self) -> bool:
        """Whether it is the answer that was asked for."""
        return self.status == OK

    @property
    def unserved(self) -> bool:
        """Whether it says that nobody decided which model serves this, or decided that none does."""
        return any(code in json.dumps(self.body) for code in _UNSERVED)

    @property
    def problem(self) -> str:
        """The server's own sentence about what went wrong."""
        return _sentence(self.body) or f"The server answered HTTP {self.status}."


class FrontDoor:
    """Asks a running Homeport over HTTP, as an editor would."""

    def __init__(self, upstream: Upstream, url: str, token: str = "", agent: str = "") -> None:
        """`agent`: as which program it asks."""
        self.url = url.rstrip("/")
        self.token = token
        self.agent = agent
        self.upstream = upstream

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        id: str = "",  # noqa: A002 (the header's name)
        more: Mapping[str, str] | None = None,
        within_s: float = FIRST_BYTE_S,
    ) -> Answer:
        """One document, or a stream to its end; raises HomeportError when nobody answers, and for nothing else."""
        reply = await self._open(path, body, id, more, within_s)
        try:
            data = await reply.read(_LIMIT)
        except TransportError as error:
            raise self._broken(error) from error
        finally:
            reply.close()
        return Answer(status=reply.status, id=reply.header("X-Request-ID"), body=_parsed(data), raw=data)

    @asynccontextmanager
    async def stream(
        self, path: str, body: Mapping[str, Any], *, more: Mapping[str, str] | None = None
    ) -> AsyncIterator[tuple[str, AsyncGenerator[Any, None]]]:
        """Correlation id and events of a stream; raises HomeportError, also when the stream breaks."""
        reply = await self._open(path, {**body, "stream": True}, "", more)
        try:
            if reply.status != OK:
                body = _parsed(await reply.read(_LIMIT))
                raise HomeportError(Answer(status=reply.status, id=reply.header("X-Request-ID"), body=body).problem)
            yield reply.header("X-Request-ID"), self._events(reply)
        except TransportError as error:
            raise self._broken(error) from error
        finally:
            reply.close()

    async def _events(self, reply: Reply) -> AsyncGenerator[Any, None]:
        """The events up to the end mark; one that reports an error is raised."""
        held = b""
        while part := await reply.part():
            *lines, held = (held + part).split(b"\n")
            for line in lines:
                data = line[len(_DATA) :].strip() if line.startswith(_DATA) else b""
                if data == _END:
                    return
                if not data:
                    continue
                event = _parsed(data)
                if isinstance(event, dict) and event.get("error"):
                    raise HomeportError(_sentence(event) or "The answer broke off.")
                yield event
        raise Truncated

    async def _open(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        correlation_id: str,
        more: Mapping[str, str] | None = None,
        within_s: float = FIRST_BYTE_S,
    ) -> Reply:
        headers = {"X-Request-ID": correlation_id or new_id(), "Accept-Encoding": "identity"}
        headers |= {"User-Agent": self.agent} if self.agent else {}
        headers |= {**_token.headers(self.token), **(more or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        call = Call(
            method="GET" if body is None else "POST",
            url=self.url + path,
            headers=headers,
            body=b"" if body is None else json.dumps(body).encode(),
            first_byte_s=within_s,
        )
        try:
            return await self.upstream.open(call)
        except TransportError as error:
            raise self._broken(error) from error

    def _broken(self, error: TransportError) -> HomeportError:
        """What a failure on the wire means to somebody who typed a command."""
        if isinstance(error, Unreachable):
            return nobody(self.url, error)
        if isinstance(error, UpstreamTooLate):
            saw = f"Homeport at {self.url} takes too long to answer ({error.phase})."
            return HomeportError(saw, "`homeport doctor` finds out where it waits.")
        if isinstance(error, Truncated):
            return HomeportError("The answer broke off.", "Try again; `homeport doctor` looks at the whole path.")
        return unspoken(self.url)


def _parsed(data: bytes) -> Any:  # noqa: ANN401 (any JSON document)
    try:
        return json.loads(data)
    except ValueError:
        return None


def _sentence(body: Any) -> str:  # noqa: ANN401 (any JSON document)
    """The message of an error in OpenAI's or GitLab's form, or an empty text."""
    if not isinstance(body, dict):
        return ""
    said = body.get("error") or body.get("detail")
    if isinstance(said, list) and said:
        said = said[0]
    if isinstance(said, dict):
        said = said.get("message") or said.get("msg")
    return said if isinstance(said, str) else ""
