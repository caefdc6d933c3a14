"""Rows of tokens: a digest and what the token may do, never the token."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, insert, or_, select, update

from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import Token
from homeport.store import checks, people
from homeport.store.tables import tokens, users

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.records import WantedTokens
    from homeport.store.writing import Writing

_DIGEST_BYTES = 32
ADMINISTRATION = frozenset({"admin", "scim"})
"""What only tokens of administrators, or of nobody, may do."""
WITHOUT_SEAT = ADMINISTRATION | {"read_models"}
"""What takes no seat, and no licence of a feature."""
_LIVE = tokens.c.revoked.is_(None)
_PERSONAL = tokens.c.kind == "personal"


async def load(connection: AsyncConnection) -> list[Token]:
    """Every token, the revoked ones too, oldest first."""
    found = await connection.execute(select(tokens).order_by(tokens.c.created, tokens.c.name))
    return [_token(row) for row in found]


async def search(
    connection: AsyncConnection, wanted: WantedTokens, at: datetime, limit: int, offset: int
) -> list[Token]:
    """Those that are wanted at this moment, newest first."""
    newest = (tokens.c.created.desc(), tokens.c.name.desc())
    asked = select(tokens).where(*_wanted(wanted, at)).order_by(*newest).limit(limit).offset(offset)
    return [_token(row) for row in await connection.execute(asked)]


async def count(connection: AsyncConnection, wanted: WantedTokens, at: datetime) -> int:
    """How many those are."""
    asked = select(func.count()).select_from(tokens).where(*_wanted(wanted, at))
    return int(await connection.scalar(asked) or 0)


def _wanted(wanted: WantedTokens, at: datetime) -> Iterator[ColumnElement[bool]]:
    columns, text = tokens.c, wanted.find.replace("\0", "")  # PostgreSQL takes none
    if text:
        named = (each.icontains(text, autoescape=True) for each in (columns.name, columns.owner))
        yield or_(*named, func.lower(columns.hint) == text.lower())
    if wanted.owner:
        yield (columns.owner == wanted.owner) & _PERSONAL
    if wanted.name:
        yield (columns.name == wanted.name) & _LIVE
    if wanted.lasting or wanted.ends_by:
        yield _LIVE & or_(columns.expires.is_(None), columns.expires > at)
    if wanted.ends_by:
        yield columns.expires <= wanted.ends_by


async def valid(connection: AsyncConnection, at: datetime) -> Sequence[Row[Any]]:
    """Rows of the tokens that are neither revoked nor expired, and whose owner is let in, beside that owner."""
    lasting = or_(tokens.c.expires.is_(None), tokens.c.expires > at)
    theirs = (users.c.name == tokens.c.owner) & (tokens.c.kind == "personal")
    let_in = or_(users.c.name.is_(None), users.c.disabled.is_(False) & users.c.deleted.is_(None))
    about = (users.c.role, users.c.seat, users.c.scopes.label("allowed"))
    asked = select(tokens, *about).select_from(tokens.outerjoin(users, theirs)).where(_LIVE, lasting, let_in)
    return (await connection.execute(asked)).all()


def build(found: Sequence[Row[Any]], key_id: str) -> tuple[dict[bytes, Token], tuple[str, ...]]:
    """The tokens by digest, without those whose digests come from another key file, and a sentence about these."""
    made = {row.digest: _granted(_token(row), row) for row in found if row.key_id == key_id}
    lost = len(found) - len(made)
    if not lost:
        return made, ()
    saw = f"{lost} of {len(found)} tokens were made with another key file and are not accepted."
    return made, (f"{saw} Restore the key file that belongs to this database, or make new tokens.",)


def _granted(token: Token, owner: Row[Any]) -> Token:
    """The token with what its owner may not do held back; one that belongs to no person we know keeps all."""
    if owner.role is None:
        return token
    allowed = token.scopes if owner.allowed is None else token.scopes & (WITHOUT_SEAT | frozenset(owner.allowed))
    allowed = allowed if owner.seat else allowed & WITHOUT_SEAT
    allowed = allowed if owner.role == "admin" else allowed - ADMINISTRATION
    if allowed == token.scopes:
        return token
    return replace(token, scopes=allowed, withheld=token.scopes - allowed, seat=owner.seat)


def _token(row: Row[Any]) -> Token:
    return Token(
        name=row.name,
        owner=row.owner,
        kind=row.kind,
        digest=row.digest,
        hint=row.hint,
        scopes=frozenset(row.scopes),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        last_used=row.last_used,
    )


async def add(writing: Writing, token: Token) -> None:
    """Store a new token under a name that no other valid one has; raises BadRequest."""
    _check(token, writing.at)
    live = await _live_names(writing.connection)
    if token.name in live:
        saw = f"There is already a token named {token.name!r}."
        raise BadRequest(saw, "Choose another name, or revoke that one first.", param="name")
    values = {column.name: getattr(token, column.name) for column in tokens.c if column.name != "key_id"}
    values |= {"key_id": writing.vault.key_ids[0], "scopes": sorted(token.scopes)}
    values["created"] = token.created or writing.at
    await writing.connection.execute(insert(tokens).values(values))
    await writing.record("token.add", token.name, after=_shown(token))


def _check(token: Token, at: datetime) -> None:
    checks.name(token.name, of="token")
    checks.name(token.owner, of="token's owner")
    for scope in token.scopes:
        checks.keyword(scope, "scope")
    if len(token.digest) != _DIGEST_BYTES:
        saw = f"The digest of the token {token.name!r} has {len(token.digest)} bytes, not {_DIGEST_BYTES}."
        raise BadRequest(saw, "Store the digest of the token, not the token.", param="digest")
    if token.expires is not None and token.expires <= at:
        saw = f"The token {token.name!r} would have expired already."
        raise BadRequest(saw, "Choose a time to come.", param="expires")


async def _live_names(connection: AsyncConnection, owner: str | None = None) -> list[str]:
    whose = () if owner is None else (tokens.c.owner == owner, _PERSONAL)
    return list(await connection.scalars(select(tokens.c.name).where(_LIVE, *whose).order_by(tokens.c.name)))


async def revoke(writing: Writing, name: str, owner: str | None = None) -> None:
    """End a token for good, whosever it is or only if it is `owner`'s; raises Unknown with the names there are."""
    live = await _live_names(writing.connection, owner)
    if name in live:
        mine = (_LIVE, tokens.c.name == name)
        await writing.connection.execute(update(tokens).where(*mine).values(revoked=writing.at))
    else:
        saw = f"There is no token named {name!r} that could be revoked."
        raise Unknown(saw, f"Known: {', '.join(live)}." if live else "", param="name")
    await writing.record("token.revoke", name)


async def touch(connection: AsyncConnection, used: Mapping[bytes, datetime]) -> None:
    """Note when tokens were last used; an older time never replaces a newer one."""
    older = or_(tokens.c.last_used.is_(None), tokens.c.last_used < bindparam("when"))
    change = update(tokens).where(tokens.c.digest == bindparam("which"), older).values(last_used=bindparam("when"))
    await connection.execute(change, [{"which": digest, "when": when} for digest, when in used.items()])
    owners: dict[str, datetime] = {}
    for row in await connection.execute(select(tokens.c.digest, tokens.c.owner).where(_PERSONAL)):
        if row.digest in used:
            owners[row.owner] = max(used[row.digest], owners.get(row.owner, used[row.digest]))
    for name, when in owners.items():
        await people.saw(connection, name, when)


def _shown(token: Token) -> dict[str, Any]:
    return {
        "owner": token.owner,
        "kind": token.kind,
        "hint": token.hint,
        "scopes": sorted(token.scopes),
        "expires": None if token.expires is None else token.expires.isoformat(),
    }
