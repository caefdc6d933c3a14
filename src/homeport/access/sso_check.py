"""Whether single sign-on would work, step by step, without anybody signing in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from homeport.access import jwt, oidc
from homeport.access.keys import Unusable
from homeport.domain.errors import HomeportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.access.oidc import Client, Known
    from homeport.access.sso import SingleSignOn
    from homeport.kit.upstream import Upstream

S256 = "S256"


class Step(NamedTuple):
    """One thing that was looked at."""

    status: Literal["ok", "warn", "fail"]
    saw: str
    fix: str = ""


async def examine(upstream: Upstream, chosen: SingleSignOn, client: Client) -> list[Step]:
    """Discovery, keys, algorithms, PKCE, the client and signing out; ends at the first step that others need."""
    try:
        known = await oidc.fetch(upstream, chosen.issuer)
    except Unusable as error:
        fix = 'Open that address in a browser: the issuer is what it says under "issuer", letter by letter.'
        return [Step("fail", f"{error}.", fix)]
    named = Step("ok", f"{chosen.issuer} answers, and is the issuer that it says it is.")
    return [named, *_published(known), await _client(upstream, known, client), _leaving(known)]


def _published(known: Known) -> Iterator[Step]:
    keys, skipped = known.keys
    used = sorted({key.algorithm for key in keys.values()})
    aside = f" {len(skipped)} more are passed over: {skipped[0]}." if skipped else ""
    yield Step("ok", f"It publishes {len(keys)} key{'s' if len(keys) > 1 else ''} for {' and '.join(used)}.{aside}")
    algorithms = known.provider.algorithms
    if algorithms and not set(algorithms) & set(jwt.ALGORITHMS):
        fix = "Let it sign the ID tokens of Homeport's client with RS256 or ES256."
        yield Step("fail", f"It signs with {', '.join(algorithms)[:200]}, and none of these is accepted.", fix)
    if S256 in known.provider.challenges:
        yield Step("ok", "It knows PKCE (S256).")
    else:
        yield Step("warn", "It does not say that it knows PKCE (S256). It is used all the same.")


async def _client(upstream: Upstream, known: Known, client: Client) -> Step:
    try:
        await oidc.accepts(upstream, known.provider, client)
    except HomeportError as error:
        return Step("fail", error.saw, error.fix)
    how = "with its secret" if client.secret else "as a public client, without a secret"
    return Step("ok", f"It accepts the client {client.id} {how}.")


def _leaving(known: Known) -> Step:
    if known.provider.end_session:
        return Step("ok", "It offers to sign out there, too.")
    return Step("warn", "It offers no way to sign out there: whoever signs out of Homeport stays signed in with it.")
