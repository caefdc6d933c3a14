"""`homeport sso`: single sign-on to the console."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import SET_UP, Group, json_option
from homeport.cli._output import note, result, sheet, table
from homeport.cli._session import in_store, load, opened, whoami

if TYPE_CHECKING:
    from homeport.access.sso_check import Step
    from homeport.kit.settings import Settings
    from homeport.store.database import Store

PROMPT = "-"
SIGNS = {"ok": "✓", "warn": "!", "fail": "✗"}


@click.group(
    "sso",
    cls=Group,
    section=SET_UP,
    examples=(
        "homeport sso set --issuer https://sso.example.com/realms/main --client-id homeport --client-secret -",
        "homeport sso set --admins homeport-admins --others refuse",
        "homeport sso check",
    ),
)
def command() -> None:
    """Let people sign in with an account of your organisation (OpenID Connect).

    Whatever is set here, `homeport users code NAME` makes a link that signs somebody in.
    """


@command.command("show", examples=("homeport sso show", "homeport sso show --json"))
@json_option
def show(*, as_json: bool) -> None:
    """Show how single sign-on is set; the client's secret is never shown."""
    from homeport.access import sso  # noqa: PLC0415 (loads cryptography)

    settings = load()
    values = sso.gathered(settings, in_store(lambda store: store.settings()))
    shown = {name.removeprefix("sso_"): values.get(name, "") for name in sso.NAMES}
    rows = [(name, ", ".join(sso.listed(value)) or "-") for name, value in shown.items()]
    result({**shown, "version": sso.mark(values)}, as_json=as_json, people=lambda: sheet(rows))
    if not shown["issuer"]:
        note("Single sign-on is off. Set it up with:  homeport sso set --issuer URL --client-id ID --client-secret -")


@command.command("set", examples=("homeport sso set --issuer https://sso.example.com --client-id homeport",))
@click.option("--issuer", help="The provider's issuer, as it writes it; empty switches single sign-on off.")
@click.option("--client-id", help="What Homeport is called there.")
@click.option("--client-secret", help="Its secret: - asks for it, env:VARIABLE or file:/path say where it is.")
@click.option("--name", help="What the button calls the provider.")
@click.option("--scopes", help="What is asked for, with spaces between.")
@click.option("--claim", help="The claim that roles come from, also a path such as realm_access.roles.")
@click.option("--admins", help="Values of it that make administrators, with semicolons between.")
@click.option("--auditors", help="Values of it that make auditors, with semicolons between.")
@click.option("--others", type=click.Choice(["user", "refuse"]), help="What becomes of everybody else.")
@click.option("--create", type=click.Choice(["on", "off"]), help="Whether somebody new gets an account.")
@click.option(
    "--provisioned",
    type=click.Choice(["off", "sub", "oid", "email"]),
    help="What tells that somebody is whom SCIM provisioned: sub or oid as externalId, a proven email as userName.",
)
@click.option("--domains", help="Domains of e-mail addresses that are let in, with semicolons between.")
@click.option("--passwords", type=click.Choice(["on", "off"]), help="Whether passwords sign in, too.")
@click.option(
    "--seen", default="", metavar="VERSION", help="Refuse unless it is still as `show --json` told (version)."
)
@json_option
def set_(*, client_secret: str | None, seen: str, as_json: bool, **given: str | None) -> None:
    """Set some of it; what is not named stays."""
    from homeport.access import sso  # noqa: PLC0415 (loads cryptography)

    if client_secret == PROMPT:
        client_secret = click.prompt("Client secret", hide_input=True, err=True)
    changes = {f"sso_{name}": value for name, value in given.items() if value is not None}
    sso.check_secret(client_secret or "")
    settings = load()
    in_store(lambda store: _changed(store, settings, changes, client_secret, seen), make=True)
    result({"changed": sorted(changes)}, as_json=as_json, people=lambda: "Single sign-on is set.")
    note("See whether it works:  homeport sso check")


async def _changed(store: Store, settings: Settings, changes: dict[str, str], secret: str | None, seen: str) -> None:
    from homeport.access import sso  # noqa: PLC0415 (loads cryptography)

    values = sso.gathered(settings, await store.settings())
    stored = sso.changed(values, changes)
    issuer = {**values, **changes}.get("sso_issuer", "")
    closes = issuer if changes.get("sso_passwords") == "off" else ""
    kept = None if secret is None else (sso.SECRET, issuer, secret)
    check = sso.as_seen(settings, seen)
    await store.set_single_sign_on(stored, kept, closes=closes, check=check, by=whoami())


@command.command("check", examples=("homeport sso check", "homeport sso check --json"))
@json_option
def check(*, as_json: bool) -> None:
    """Ask the provider whether it would work, and say exactly what is wrong; nobody signs in."""
    steps = asyncio.run(_examined(load()))
    result(
        [step._asdict() for step in steps],
        as_json=as_json,
        people=lambda: "\n".join(line for step in steps for line in _lines(step)),
    )
    if any(step.status == "fail" for step in steps):
        raise SystemExit(1)


async def _examined(settings: Settings) -> list[Step]:
    from homeport.access import oidc, sso, sso_check  # noqa: PLC0415 (loads cryptography)
    from homeport.cli._server import handed_out  # noqa: PLC0415 (beside its only use)
    from homeport.domain.errors import BadConfiguration  # noqa: PLC0415 (as above)
    from homeport.kit.upstream_http import HttpUpstream  # noqa: PLC0415 (as above)
    from homeport.store import live  # noqa: PLC0415 (as above)

    async with opened(settings) as store:
        stored = await store.settings()
        chosen = sso.read(sso.gathered(settings, stored))
        if chosen is None:
            raise BadConfiguration("Single sign-on is not set up.", "Name an issuer: homeport sso set --issuer URL")
        kept = (await store.secret(sso.SECRET, chosen.issuer)).reveal()
    secret = sso.plain(settings.sso_client_secret.get_secret_value() or kept)
    upstream = HttpUpstream(
        denied_networks=live.counting(settings, stored).closed_networks,
        ca_file=settings.ca_file,
        proxy=settings.proxy,
        no_proxy=settings.no_proxy,
    )
    redirect = f"{handed_out(settings, stored)}/console/sso"
    try:
        found = await sso_check.examine(upstream, chosen, oidc.Client(chosen.client_id, secret, redirect))
    finally:
        await upstream.close()
    return [*found, sso_check.Step("ok", f"Register this redirect URI there: {redirect}")]


def _lines(step: Step) -> list[str]:
    return [f"{SIGNS[step.status]} {step.saw}", *([f"  {step.fix}"] if step.fix else [])]


@command.command("list", examples=("homeport sso list",))
@json_option
def list_(*, as_json: bool) -> None:
    """List who is known to a provider."""
    found = in_store(lambda store: store.identities())
    rows = [{"user": e.user, "issuer": e.issuer, "subject": e.subject, "seen": e.seen} for e in found]
    result(
        rows,
        as_json=as_json,
        people=lambda: table(
            ("USER", "ISSUER", "SUBJECT", "LAST SIGN-IN"),
            [(e.user, e.issuer, e.subject, f"{e.seen:%Y-%m-%d %H:%M}" if e.seen else "never") for e in found],
        ),
    )


@command.command("link", examples=("homeport sso link ada 248289761001",))
@click.argument("name")
@click.argument("subject")
@json_option
def link(*, name: str, subject: str, as_json: bool) -> None:
    """Let whom the provider knows as SUBJECT sign in as NAME."""
    issuer = in_store(lambda store: _linked(store, load(), name, subject))
    shown: dict[str, Any] = {"user": name, "issuer": issuer, "subject": subject}
    result(shown, as_json=as_json, people=lambda: f"{subject} at {issuer} signs in as {name}.")


async def _linked(store: Store, settings: Settings, name: str, subject: str) -> str:
    from homeport.access import sso  # noqa: PLC0415 (loads cryptography)
    from homeport.domain.errors import BadConfiguration  # noqa: PLC0415 (beside its only use)

    issuer = sso.gathered(settings, await store.settings()).get("sso_issuer", "")
    if not issuer:
        raise BadConfiguration("Single sign-on is not set up.", "Name an issuer: homeport sso set --issuer URL")
    await store.link_identity(issuer, subject, name, by=whoami())
    return issuer


@command.command("unlink", examples=("homeport sso unlink ada",))
@click.argument("name")
@json_option
def unlink(*, name: str, as_json: bool) -> None:
    """Let nobody from a provider sign in as NAME; their sessions last until they end."""
    count = in_store(lambda store: store.unlink_identities(name, by=whoami()))
    said = f"{name} is known to no provider any longer." if count else f"{name} was known to no provider."
    result({"user": name, "unlinked": count}, as_json=as_json, people=lambda: said)
