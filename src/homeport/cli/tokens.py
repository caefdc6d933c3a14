"""`homeport tokens`: who may ask."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from homeport.access import COMMON, SCOPES, tokens, widen
from homeport.cli._command import SET_UP, Group, json_option
from homeport.cli._output import note, result, table
from homeport.cli._session import in_store, load, vault_of, whoami
from homeport.domain.models import Token

if TYPE_CHECKING:
    from homeport.store.database import Store

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
_DEFAULT = "complete_code,generate_code,duo_chat,read_models"


class Expiry(click.ParamType[datetime]):
    """A duration from now (30d, 12h, 1y) or a day (2027-01-31)."""

    name = "duration"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment in UTC; fails with both forms."""
        if isinstance(value, datetime):
            return value
        lasting = re.fullmatch(r"([1-9]\d{0,3})([hdwy])", value)
        if lasting:
            return datetime.now(UTC) + int(lasting[1]) * _UNITS[lasting[2]]
        try:
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        except ValueError:
            self.fail(f"{value!r} is neither a duration like 30d, 12h or 1y nor a day like 2027-01-31.", param, ctx)


@click.group(
    "tokens",
    cls=Group,
    section=SET_UP,
    examples=("homeport tokens create --name my-editor", "homeport tokens list", "homeport tokens revoke my-editor"),
)
def command() -> None:
    """Make, list and revoke the tokens that clients send.

    A running server sees each change within two seconds.
    """


@command.command(
    "create",
    examples=(
        "homeport tokens create --name my-editor",
        "homeport tokens create --name ci --scopes complete_code --expires 30d",
        "TOKEN=$(homeport tokens create --name script --json | jq -r .token)",
    ),
)
@click.option("--name", required=True, help="What you will call it; no other valid token may have it.")
@click.option("--user", default="admin", show_default=True, help="Whose token it is.")
@click.option("--service", is_flag=True, help="It belongs to no person but to a program, which is called like it.")
@click.option(
    "--scopes",
    default=_DEFAULT,
    show_default=True,
    help=f"What it may do, separated by commas. Mostly: {', '.join(COMMON)}; all: see docs/reference/endpoints.md.",
)
@click.option("--expires", type=Expiry(), help="When it ends: 30d, 12h, 1y or a day.  [default: never]")
@json_option
def create(*, name: str, user: str, service: bool, scopes: str, expires: datetime | None, as_json: bool) -> None:
    """Make a token; it is shown once and only its digest is kept."""
    granted = _scopes(scopes)
    made = tokens.mint()
    now = datetime.now(UTC)
    token = Token(name=name, owner=user, hint=tokens.hint(made), scopes=granted, created=now, expires=expires)
    token = replace(token, owner=name, kind="service") if service else token
    in_store(partial(_add, token, made), make=True)
    result({"token": made, **_facts(token)}, as_json=as_json, people=lambda: made)
    note(f"This is the only time it is shown. It may: {', '.join(sorted(granted))}.")
    note('Send it as "Authorization: Bearer TOKEN"; the command line sends what is in HOMEPORT_TOKEN.')


async def _add(token: Token, made: str, store: Store) -> None:
    pepper = vault_of(load()).derive(tokens.PEPPER)
    await store.add_token(replace(token, digest=tokens.digest(pepper, made)), by=whoami())


def _scopes(text: str) -> frozenset[str]:
    asked = frozenset(part.strip() for part in text.split(",") if part.strip())
    unknown = sorted(widen(asked) - SCOPES.keys() - {"code_suggestions"})
    if unknown or not asked:
        message = f"Unknown scopes: {', '.join(unknown) or '(none given)'}. {_meant(unknown)}"
        raise click.UsageError(message)
    return asked


def _meant(unknown: list[str]) -> str:
    """Scopes that are spelt almost so, or else the ones that most tokens have."""
    near = [match for name in unknown for match in difflib.get_close_matches(name, SCOPES, n=1)]
    return f"Did you mean {', '.join(near)}?" if near else f"Known: {', '.join(COMMON)}, and GitLab's own."


def _facts(token: Token) -> dict[str, Any]:
    """A token as a JSON document, without itself."""
    shown = ("name", "owner", "kind", "hint", "scopes", "created", "expires", "revoked", "last_used")
    return {name: getattr(token, name) for name in shown}


@command.command("list", examples=("homeport tokens list", "homeport tokens list --all --json"))
@click.option("--all", "also_ended", is_flag=True, help="Also those that are revoked or expired.")
@json_option
def list_(*, also_ended: bool, as_json: bool) -> None:
    """List the tokens: whose they are, what they may do, when they end."""
    found = [token for token in in_store(_all) if also_ended or _state(token) == "valid"]
    head = ("NAME", "USER", "ENDS WITH", "MAY", "EXPIRES", "LAST USED", "STATE")
    rows = [
        (
            token.name,
            token.owner,
            f"…{token.hint}",
            ",".join(sorted(token.scopes)),
            _day(token.expires) or "never",
            _day(token.last_used) or "-",
            _state(token),
        )
        for token in found
    ]
    shown = [{**_facts(token), "state": _state(token)} for token in found]
    result(shown, as_json=as_json, people=lambda: table(head, rows))
    if not found:
        note("Make one:  homeport tokens create --name my-editor")


async def _all(store: Store) -> list[Token]:
    return await store.tokens()


def _state(token: Token) -> str:
    if token.revoked is not None:
        return "revoked"
    return "expired" if token.expires is not None and token.expires <= datetime.now(UTC) else "valid"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


@command.command("revoke", examples=("homeport tokens revoke my-editor",))
@click.argument("name")
@json_option
def revoke(*, name: str, as_json: bool) -> None:
    """End a token for good; within two seconds it is refused."""
    in_store(lambda store: store.revoke_token(name, by=whoami()))
    result({"revoked": name}, as_json=as_json, people=lambda: f"Revoked {name}.")
