"""Whose tokens are accepted: the keys of each configured issuer, fetched in the background and kept current.

A key counts only for the issuer that it was fetched from. What worked is kept: an answer that cannot be
used never replaces one that could, until that one is too old. Source: gateway protocol, "JWT validation and keys".
"""

from __future__ import annotations

import asyncio
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import structlog

from homeport.access.discovery import fetch
from homeport.access.keys import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from homeport.access.discovery import Published
    from homeport.access.keys import Key
    from homeport.kit.upstream import Upstream

log = structlog.get_logger()

FIRST_TRY_AGAIN_S = 1.0
"""Seconds after the first failure; doubled with each further one."""
PATIENCE_S = 2.0
"""Seconds that a request with an unknown key waits for a fetch."""
WAITING = 256
"""Requests that wait for one issuer at once; further ones are refused."""

_SHORTEST_REST_S = 0.01


class Times(NamedTuple):
    """How keys age, in seconds."""

    refresh_s: float = 600.0
    """Until they are asked for again; a withdrawn key is dead by then."""
    stale_s: float = 86_400.0
    """How long they serve while the issuer does not answer."""
    again_s: float = 30.0
    """Between fetches that unknown keys in requests cause, and between tries while the issuer is away."""


class State(NamedTuple):
    """How it stands with one issuer, for people."""

    url: str
    issuer: str
    key_ids: tuple[str, ...]
    age_s: float | None
    """Seconds since the keys were fetched; None when there are none."""
    problem: str
    """Why the last fetch failed."""


class Issuer:
    """One configured issuer."""

    def __init__(self, url: str, upstream: Upstream, times: Times, *, awaited: bool = True) -> None:
        """With `awaited`, requests may wait for its keys; without it, they are refused until it answered."""
        self.url = url
        self.awaited = awaited
        self.published: Published | None = None
        self.problem = ""
        self.changed: Callable[[], None] = lambda: None
        self._upstream = upstream
        self._times = times
        self._fetched = 0.0
        self._failures = 0
        self._not_before = 0.0
        self._fetching = False
        self._wanted = asyncio.Event()
        self._round = asyncio.Event()
        self._waiting = 0

    async def follow(self) -> None:
        """Keep the keys current until cancelled."""
        while True:
            await self._fetch()
            rest = self._not_before - time.monotonic() if self._failures else self._times.refresh_s
            try:
                async with asyncio.timeout(max(rest, _SHORTEST_REST_S)):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    def ask(self) -> bool:
        """Ask for a fetch; gives whether one is under way, or comes now: they are not made as often as asked for."""
        if not self._fetching and time.monotonic() < self._not_before:
            return False
        self._wanted.set()
        return True

    async def arrival(self) -> None:
        """Wait until the fetch has ended, but not for long."""
        if self._waiting >= WAITING:
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._round.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1

    def state(self) -> State:
        """How it stands."""
        known = self.published
        age = None if known is None else time.monotonic() - self._fetched
        return State(
            self.url, known.issuer if known else "", tuple(known.keys.keys) if known else (), age, self.problem
        )

    async def _fetch(self) -> None:
        self._fetching = True
        try:
            self._take(await fetch(self._upstream, self.url))
        except Unusable as error:
            self._endure(str(error))
        except Exception:  # the outermost edge: whatever it was, keys must be asked for again
            log.exception("unexpected error while keys were fetched", url=self.url)
            self._endure("something unexpected happened; the log has more")
        finally:
            self._fetching = False
            self._wanted.clear()
            ended, self._round = self._round, asyncio.Event()
            ended.set()

    def _take(self, found: Published) -> None:
        before, self.published = self.published, found
        self._fetched = time.monotonic()
        self._failures = 0
        self._not_before = self._fetched + self._times.again_s
        self.problem = ""
        if before != found:
            told = {"url": self.url, "issuer": found.issuer, "key_ids": list(found.keys.keys)}
            log.info("keys of a token issuer fetched", **told, skipped=list(found.keys.skipped[:5]))
            self.changed()

    def _endure(self, problem: str) -> None:
        """Go on with the keys that there are, until they are too old."""
        now = time.monotonic()
        self._not_before = now + min(FIRST_TRY_AGAIN_S * 2**self._failures, self._times.again_s)
        self._failures = min(self._failures + 1, 16)
        if problem != self.problem:
            log.warning("keys of a token issuer not fetched", url=self.url, reason=problem, keys=self._count())
        self.problem = problem
        if self.published is not None and now - self._fetched > self._times.stale_s:
            log.error("keys of a token issuer are too old to be used", url=self.url, reason=problem)
            self.published = None
            self.changed()

    def _count(self) -> int:
        return len(self.published.keys.keys) if self.published else 0


class Issuers:
    """All configured issuers."""

    def __init__(self, members: Iterable[Issuer]) -> None:
        self.members = tuple(members)
        self.current: Mapping[str, Mapping[str, Key]] = MappingProxyType({})
        """Keys by issuer and id; another mapping after each change."""
        for each in self.members:
            each.changed = self._gather

    async def follow(self) -> None:
        """Keep all keys current until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self.members:
                group.create_task(each.follow())

    def missing(self, issuer: str) -> list[Issuer]:
        """Ask for keys that are lacking for tokens of `issuer`; gives whom a request may wait for."""
        owner = [each for each in self.members if each.published and each.published.issuer == issuer]
        asked = owner[:1] or [each for each in self.members if each.published is None]
        return [each for each in asked if each.ask() and each.awaited]

    @property
    def trouble(self) -> str:
        """What keeps tokens from being accepted, in words that anybody may read."""
        if any(each.published is None and each.problem for each in self.members):
            return "The keys of a token issuer could not be fetched; its tokens are refused."
        if any(each.problem for each in self.members):
            return "A token issuer does not answer; its tokens are checked with the keys that are remembered."
        return ""

    def states(self) -> tuple[State, ...]:
        """How it stands with each."""
        return tuple(each.state() for each in self.members)

    def _gather(self) -> None:
        """Of two that claim one name, the first that was configured has it."""
        found: dict[str, Mapping[str, Key]] = {}
        for each in self.members:
            if each.published is None:
                continue
            if each.published.issuer in found:
                log.warning("two configured addresses claim to be one token issuer", url=each.url)
            found.setdefault(each.published.issuer, each.published.keys.keys)
        self.current = MappingProxyType(found)
