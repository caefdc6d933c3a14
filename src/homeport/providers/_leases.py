"""Credentials that end: fetched when they are needed, renewed shortly before they end."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from homeport.domain.errors import HomeportError, UpstreamRefused, UpstreamUnreachable
from homeport.kit import network
from homeport.kit.upstream import TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from homeport.domain.models import Model
    from homeport.kit.upstream import Call, Upstream

log = structlog.get_logger()
T = TypeVar("T")

RENEW_S = 300.0
"""So long before its end a lease is renewed, by one request; the others go on with the old one."""
LEAST_S = 30.0
"""A lease that ends sooner is no longer used: the answer may take a while to begin."""
AGAIN_S = 5.0
"""So long after a failed attempt an old lease that lasts is used without another one."""
MOST = 256
_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Lease(Generic[T]):
    """A credential and the Unix time at which it ends."""

    value: T
    ends: float


@dataclass(slots=True)
class _Held(Generic[T]):
    lease: Lease[T] | None = None
    renew_at: float = 0.0
    failed_at: float = 0.0
    failure: HomeportError | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Leases(Generic[T]):
    """Leases by what they were fetched for; belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._held: OrderedDict[Hashable, _Held[T]] = OrderedDict()
        self._clock = clock

    async def get(self, key: Hashable, fetch: Callable[[], Awaitable[Lease[T]]]) -> T:
        """A credential that lasts; raises what `fetch` raises, a HomeportError, when there is none.

        One fetches, the others wait, and who waited for an attempt that failed fails with it.
        """
        held = self._of(key)
        old = held.lease
        now = self._clock()
        if old is not None and now < held.renew_at:
            return old.value
        lasting = old if old is not None and now < old.ends - LEAST_S else None
        if lasting and (held.lock.locked() or now < held.failed_at + AGAIN_S):
            return lasting.value
        async with held.lock:
            if held.lease is not old and held.lease is not None:
                return held.lease.value
            if held.failure and held.failed_at >= now:
                raise held.failure.with_traceback(None)
            return (await self._renewed(held, fetch, lasting)).value

    def _of(self, key: Hashable) -> _Held[T]:
        held = self._held.setdefault(key, _Held())
        self._held.move_to_end(key)
        if len(self._held) > MOST:
            self._held.popitem(last=False)
        return held

    async def _renewed(
        self, held: _Held[T], fetch: Callable[[], Awaitable[Lease[T]]], lasting: Lease[T] | None
    ) -> Lease[T]:
        """A new lease, or the old one while it lasts."""
        now = self._clock()
        try:
            lease = await fetch()
        except HomeportError as error:
            held.failed_at, held.failure = self._clock(), None if lasting else error
            if lasting is None:
                raise
            log.warning("credentials not renewed", reason=error.saw)
            return lasting
        held.lease, held.failure = lease, None
        held.renew_at = lease.ends - min(RENEW_S, max(lease.ends - now, 0.0) / 2)
        return lease


async def fetched(upstream: Upstream, model: Model, what: str, call: Call, *, because: Callable[[bytes], str]) -> bytes:
    """The answer of who gives credentials; raises UpstreamUnreachable or UpstreamRefused, with a code that is known."""
    name = model.name
    try:
        reply = await upstream.open(call._replace(network=network.of(model.options)))
        try:
            body = await reply.read(_ANSWER)
        finally:
            reply.close()
    except TransportError as error:
        saw = f"No credentials for the model {name!r}: {what} cannot be reached ({error})."
        raise UpstreamUnreachable(
            saw, "Look at where the model's credentials come from, and at the way there."
        ) from error
    if reply.status == 200:  # noqa: PLR2004 (HTTP's own number)
        return body
    why = because(body)
    saw = f"No credentials for the model {name!r}: {what} answered HTTP {reply.status}{why and f': {why}'}."
    fix = "Look at the identity, at what it may do, and at this machine's clock."
    raise UpstreamRefused(saw, fix, upstream_status=reply.status)
