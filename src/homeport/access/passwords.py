"""Passwords of local accounts: argon2id, computed beside the event loop.

Parameters: OWASP Password Storage Cheat Sheet (19 MiB, two passes, one lane): 20 to 25 ms of CPU.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from homeport.domain.errors import BadRequest, TooMany

LEAST, MOST = 12, 256
"""Characters of a password."""
AT_ONCE = 2
WAITING = 32
"""Sign-ins that may wait for a processor; more are told to come back."""


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@cache
def _nobodys() -> str:
    """What the password of a name that does not exist is compared with, so that it takes as long."""
    return _hasher().hash("nobody has this password")


class Passwords:
    """Hashes and verifies in a few threads; belongs to one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._open = 0

    async def hash(self, password: str) -> str:
        """What is stored; raises BadRequest for one that is too short or too long."""
        if not LEAST <= len(password) <= MOST:
            saw = f"The password has {len(password)} characters."
            raise BadRequest(saw, f"Choose one of {LEAST} to {MOST}.", param="password")
        return await asyncio.get_running_loop().run_in_executor(self._threads, _hasher().hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether it is the one; as slow for a name that does not exist. Raises TooMany when too many wait."""
        if self._open >= WAITING:
            raise TooMany("Too many people are signing in.", "Try again in a moment.", retry_after_s=1)
        self._open += 1
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._threads, _verified, stored or _nobodys(), password[: MOST + 1])
        finally:
            self._open -= 1
        return found and stored is not None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _verified(stored: str, password: str) -> bool:
    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
