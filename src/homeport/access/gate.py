"""The door: takes the credential from a request, finds out whose it is and what it may be used for."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from homeport.access import OWN, SCOPES, tokens, widen
from homeport.access.alarm import Alarm
from homeport.access.editors import EditorTokens
from homeport.access.guesses import Guesses
from homeport.domain.errors import AuthUnavailable, BadRequest, NotAllowed, NotAuthenticated
from homeport.domain.models import Caller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from homeport.access import Need
    from homeport.access.editors import Given
    from homeport.domain.models import Snapshot, Token

Bypass = Literal["never", "header", "always"]
"""Who is let in with every right: nobody, who sends `Bypass-Auth: true`, or everybody."""

CACHED_TOKENS = 4096
"""Verified tokens that are remembered until the next change."""

ANYONE = Caller(subject="", kind="anonymous")
"""The caller of a public endpoint."""

BYPASS = Caller(subject="bypass", kind="bypass", scopes=frozenset(SCOPES))
"""The caller of every endpoint while authentication is switched off."""

_BEARER = b"bearer "
_KEY_HEADERS = frozenset({b"x-api-key", b"api-key", b"private-token"})
_PASS = (b"bypass-auth", b"true")
_SIGNED = frozenset({"instance", "direct"})
MAKES = "`homeport tokens create` makes one"
"""Where a token comes from, if nobody says otherwise."""
_HOW_TO_SEND = "Send one as `Authorization: Bearer <token>`; {}."
_WHO_GRANTS = "GitLab puts into it what its licence and add-ons cover: look at the user's seats under GitLab Duo."
_ASK_GITLAB = "Ask through GitLab; such tokens are for code completion only."
_HOW_TO_RENEW = "It may be mistyped, expired or revoked; {}."


class KeysNeeded(NotAuthenticated):
    """What the credential is checked with may come soon: after `arrival`, ask once more."""

    def __init__(self, saw: str, fix: str, arrival: Callable[[], Awaitable[object]]) -> None:
        super().__init__(saw, fix)
        self.arrival = arrival


class Verifier(Protocol):
    """Tells whose credential it is, if it is of its kind; raises Unavailable when it cannot know."""

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        """The caller, or None for a credential of another kind; raises NotAuthenticated to say why it is not valid."""
        ...


class TokenVerifier:
    """Knows the tokens of the snapshot; what it verified once it remembers until the snapshot changes."""

    def __init__(
        self, snapshot: Callable[[], Snapshot], pepper: bytes, *, fresh: Callable[[], bool] = lambda: True
    ) -> None:
        self._snapshot = snapshot
        self._pepper = pepper
        self._fresh = fresh
        self._seen: Mapping[bytes, Token] | None = None
        self._known: dict[bytes, tuple[Caller, bytes, float]] = {}
        self._last_used: dict[bytes, float] = {}

    def digest(self, token: str) -> bytes:
        """What is stored of a token."""
        return tokens.digest(self._pepper, token)

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        """The token's owner; raises AuthUnavailable for an unknown one while the snapshot may be out of date."""
        del headers
        current = self._snapshot().tokens
        if current is not self._seen:
            self._seen, self._known = current, {}
        key = hashlib.sha256(token.encode()).digest()
        found = self._known.get(key) or self._find(current, key, token)
        now = time.time()
        if found is None or found[2] <= now:
            return None
        self._last_used[found[1]] = now
        return found[0]

    def drain_last_used(self) -> dict[bytes, datetime]:
        """When each token was used since the last call, by digest; for whoever writes it down."""
        used, self._last_used = self._last_used, {}
        return {digest: datetime.fromtimestamp(at, UTC) for digest, at in used.items()}

    def _find(self, known: Mapping[bytes, Token], key: bytes, token: str) -> tuple[Caller, bytes, float] | None:
        """Look the token up by its digest, after its checksum; what was found is remembered."""
        if not tokens.well_formed(token):
            return None
        digest = tokens.digest(self._pepper, token)
        row = known.get(digest)
        if row is None and not self._fresh():
            saw = "This credential is not among those remembered, and the database cannot be asked now."
            raise AuthUnavailable(saw, "Try again in a few seconds.", retry_after_s=5)
        if row is None or row.revoked is not None:
            return None
        if len(self._known) >= CACHED_TOKENS:
            self._known.clear()
        caller = _caller(row)
        found = self._known[key] = caller, digest, float("inf") if caller.expires is None else caller.expires
        return found


class Gate:
    """Admits requests: one extractor for every carrier, then the verifiers in order."""

    def __init__(  # noqa: PLR0913 (each decides who is let in, or how that is said)
        self,
        snapshot: Callable[[], Snapshot],
        pepper: bytes,
        *,
        bypass: Bypass = "never",
        verifiers: Sequence[Verifier] = (),
        fresh: Callable[[], bool] = lambda: True,
        makes: str = MAKES,
        editors: bool = False,
    ) -> None:
        """Further kinds of credentials are known to `verifiers`.

        `fresh` tells whether the snapshot is up to date: an unknown token is then wrong, else not yet known.
        `makes` says where a token comes from. With `editors`, users' editors are given tokens of their own.
        """
        self._tokens = TokenVerifier(snapshot, pepper, fresh=fresh)
        self.editors = EditorTokens(snapshot, pepper, _caller) if editors else None
        last = (self._tokens, self.editors) if self.editors else (self._tokens,)
        self._verifiers: Sequence[Verifier] = (*verifiers, *last)
        self._bypass = bypass
        self._makes = makes
        self._guesses = Guesses()
        self._alarm = Alarm("a request was let in without authentication, which is switched off")

    def admit(
        self, headers: Collection[tuple[bytes, bytes]], need: Need, client: tuple[str, int] | None = None
    ) -> Caller:
        """Who calls, if they may: raises NotAuthenticated, NotAllowed, BadRequest, AuthUnavailable or TooMany.

        `headers` are those of an ASGI scope: names in lower case. `client` is its, too: where wrong ones come from.
        """
        if need.public:
            return ANYONE
        if self._bypass != "never" and (self._bypass == "always" or _PASS in headers):
            self._alarm.ring()
            return BYPASS
        caller = self._identify(credential(headers, self._makes), headers, client)
        try:
            _judge(caller, need)
        except NotAllowed as error:
            error.caller = caller
            raise
        return caller

    async def admitted(
        self, headers: Collection[tuple[bytes, bytes]], need: Need, client: tuple[str, int] | None = None
    ) -> Caller:
        """As `admit`; waits a moment where the only thing amiss is a key that is being fetched."""
        try:
            return self.admit(headers, need, client)
        except KeysNeeded as error:
            await error.arrival()
        return self.admit(headers, need, client)

    def digest(self, token: str) -> bytes:
        """What is stored of a token of ours."""
        return self._tokens.digest(token)

    def for_editor(self, headers: Collection[tuple[bytes, bytes]]) -> Given | None:
        """A token of its own for the editor that sent a token of ours; None where there is none to be had."""
        return self.editors.give(self.digest(credential(headers, self._makes))) if self.editors else None

    def drain_last_used(self) -> dict[bytes, datetime]:
        """When each token was used since the last call, by digest."""
        return self._tokens.drain_last_used()

    def _identify(self, token: str, headers: Collection[tuple[bytes, bytes]], client: tuple[str, int] | None) -> Caller:
        for verifier in self._verifiers:
            caller = verifier.verify(token, headers)
            if caller is not None:
                return caller
        self._guesses.refused(client[0] if client else "", token)
        saw = "The credential was not accepted."
        raise NotAuthenticated(saw, _HOW_TO_RENEW.format(self._makes))


def _judge(caller: Caller, need: Need) -> None:
    if caller.kind == "direct" and not need.direct:
        raise NotAllowed("The token of a user's editor does not open this endpoint.", _ASK_GITLAB)
    require(caller, need.scope)


def require(caller: Caller, scope: str) -> None:
    """Raise NotAllowed when the caller lacks `scope`; an empty one is nobody's to lack."""
    if scope and scope not in caller.scopes:
        raise _lacks(caller, scope)


def credential(headers: Collection[tuple[bytes, bytes]], makes: str = MAKES) -> str:
    """The one credential of a request: from Authorization (Bearer), x-api-key, api-key or GitLab's private-token.

    Raises NotAuthenticated when there is none and BadRequest when there are two that differ:
    if they disagreed, one part of the system might judge by this one and another by that.
    """
    found = b""
    for name, value in headers:
        if name == b"authorization":
            sent = _bearer(value)
        elif name in _KEY_HEADERS:
            sent = value.strip()
        else:
            continue
        if found and sent and sent != found:
            saw = "The request carries two different credentials."
            raise BadRequest(
                saw, "Send one only: `Authorization: Bearer <token>`, `x-api-key`, `api-key` or `private-token`."
            )
        found = sent or found
    if not found:
        saw = "The request carries no credential."
        raise NotAuthenticated(saw, _HOW_TO_SEND.format(makes))
    return found.decode("latin-1")


def _bearer(value: bytes) -> bytes:
    """The token of an Authorization header; one of another scheme is kept whole, and nobody will know it."""
    if value[:7].lower() == _BEARER:
        return value[7:].strip()
    return value.strip()


def _caller(token: Token) -> Caller:
    return Caller(
        subject=token.owner,
        kind=token.kind,
        scopes=widen(token.scopes),
        token=token.name,
        expires=None if token.expires is None else token.expires.timestamp(),
        withheld=widen(token.withheld) if token.withheld else token.withheld,
        seat=token.seat,
    )


def _lacks(caller: Caller, scope: str) -> NotAllowed:
    """What is missing, and the command that makes a token that has it."""
    held = caller.scopes & SCOPES.keys()
    if caller.issuer and caller.kind in _SIGNED:
        return NotAllowed(f"GitLab's token lacks the scope {scope}.", _WHO_GRANTS)
    if scope in caller.withheld:
        return withheld(caller, scope)
    wanted = ",".join(name for name in SCOPES if name in held or name == scope)
    saw = f"The credential lacks the scope {scope}; it has {', '.join(sorted(held)) or 'none'}."
    return NotAllowed(saw, f"Make one with: homeport tokens create --name NAME --scopes {wanted}")


def withheld(caller: Caller, scope: str) -> NotAllowed:
    """What to say where a token or a session would do, and whoever it belongs to may not."""
    if scope in OWN:
        return NotAllowed(f"{caller.subject} is no administrator now.", "Ask one, or use another token.")
    if not caller.seat:
        saw = f"{caller.subject} has no seat, and {scope} needs one."
        return NotAllowed(saw, "An administrator gives seats under People, or with: homeport users seat NAME")
    saw = f"{caller.subject} may not use {scope}."
    return NotAllowed(saw, "An administrator decides that under People, or with: homeport users allow NAME")
