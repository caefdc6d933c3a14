"""What keeps suggestions from coming: said once, with what to do, and then not asked for at every keystroke."""

from __future__ import annotations

import time

from homeport.diagnostics._nobody import START

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
"""How long nothing is asked after a failure; it doubles with each one that follows."""
_QUIET = frozenset({408, 409, 425, 429, 499, 503, 504, 529})
"""Statuses of a Homeport or a model that is busy, which passes by itself."""
_MAKE = "Make a token with `homeport tokens create --name my-editor`"
_GIVE = "give it as HOMEPORT_TOKEN, --token-file or initializationOptions.token."
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404


class Trouble(Exception):
    """A question that was not answered: `kind` is the same for what has one cause, `text` is for people."""

    def __init__(self, kind: str, text: str, *, quiet: bool = False) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.quiet = quiet
        """It passes by itself; nobody needs to know."""


def unreachable(url: str, saw: str, fix: str = START) -> Trouble:
    """Nobody answers there, or nobody who should."""
    if fix != START:
        where = " (or with --url, or initializationOptions.url)" if "HOMEPORT_URL=" in fix else ""
        return Trouble("unreachable", f"{saw} {fix}{where}")
    fix = "Start it with `homeport up`, or say where it is: HOMEPORT_URL, --url or initializationOptions.url."
    return Trouble("unreachable", f"{saw if url in saw else f'{url}: {saw}'} {fix}")


def trouble_of(status: int, problem: str, *, known: bool) -> Trouble:
    """What an answer with this status means; `known`: a token was sent with the question."""
    if status == UNAUTHORIZED and not known:
        return Trouble("no token", f"Homeport wants a token and none is set. {_MAKE} and {_GIVE}")
    if status == UNAUTHORIZED:
        return Trouble("token", f"{problem} Then {_GIVE}")
    if status == FORBIDDEN:
        return Trouble("forbidden", f"{problem} The token needs the scope complete_code.")
    return Trouble(str(status), problem, quiet=status in _QUIET)


class Troubles:
    """Which were said already, and how long nothing is asked."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._until = 0.0
        self._pause = 0.0

    @property
    def pausing(self) -> bool:
        """Whether only what somebody asks for by hand is tried."""
        return time.monotonic() < self._until

    def seen(self, trouble: Trouble) -> str:
        """Note it; gives what to tell, or nothing where that was said since it last worked."""
        self._pause = min(max(self._pause * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self._until = time.monotonic() + self._pause
        if trouble.quiet or trouble.kind in self._said:
            return ""
        self._said.add(trouble.kind)
        return trouble.text

    def over(self) -> None:
        """It works."""
        self._said.clear()
        self._until = self._pause = 0.0
