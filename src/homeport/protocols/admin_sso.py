"""Single sign-on, as the console and `homeport sso` set it, for programs. The client's secret is never read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from homeport.access import oidc, sso, sso_check
from homeport.domain.errors import BadRequest
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._admin import ADMIN, Strict, by, reply, store_of
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.store.records import Identity

PATH, IDENTITIES, CHECKS = "/api/admin/v1/sso", "/api/admin/v1/sso-identities", "/api/admin/v1/sso-checks"
PREFIX = "sso_"


class Subject(Strict):
    """Who somebody is at a provider."""

    subject: str
    issuer: str = Field("", description="Left out: the one that is set.")


class Changes(Strict):
    """What is said stays or changes; what is left out stays; an empty text is as usual."""

    issuer: str | None = Field(None, description="As the provider writes it; empty switches single sign-on off.")
    client_id: str | None = None
    client_secret: str | None = Field(
        None, description="Written and never read back; env:VARIABLE and file:/path work."
    )
    name: str | None = None
    scopes: str | None = None
    claim: str | None = None
    admins: str | None = Field(None, description="Values of the claim, with semicolons between.")
    auditors: str | None = None
    others: str | None = Field(None, description="user or refuse")
    create: str | None = Field(None, description="on or off")
    provisioned: Literal["", "off", "sub", "oid", "email"] | None = Field(
        None, description="What tells at the first sign-in that somebody is whom SCIM provisioned."
    )
    domains: str | None = None
    passwords: str | None = Field(None, description="on or off")
    seen: str = Field("", description="The `version` that was read: refused with 409 if it is not the latest one.")


async def show(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """What is stored; HOMEPORT_SSO_… variables of the server win over it and are not shown."""
    return await _shown(door)


async def change(door: Door, body: Changes, arrival: Arrival) -> Reply:
    """Set some of it; raises BadRequest, or InUse where passwords may not be switched off yet."""
    said = body.model_dump(exclude_none=True)
    secret, seen = said.pop("client_secret", None), said.pop("seen")
    sso.check_secret(secret or "")
    changes = {PREFIX + name: value for name, value in said.items()}
    store = store_of(door)
    values = {**sso.USUAL, **await store.settings()}
    stored = sso.changed(values, changes)
    issuer = {**values, **changes}.get("sso_issuer", "")
    closes = issuer if changes.get("sso_passwords") == "off" else ""
    kept = None if secret is None else (sso.SECRET, issuer, secret)
    check = sso.as_seen(door.prober.settings, seen)
    await store.set_single_sign_on(stored, kept, closes=closes, check=check, by=by(arrival))
    return await _shown(door)


async def _shown(door: Door) -> Reply:
    store = store_of(door)
    saved = await store.settings()
    values, version = {**sso.USUAL, **saved}, sso.mark(sso.gathered(door.prober.settings, saved))
    told = {name.removeprefix(PREFIX): values.get(name, "") for name in sso.NAMES}
    kept = bool(await store.secret(sso.SECRET, values.get("sso_issuer", "")))
    return reply({**told, "client_secret_set": kept, "version": version})


async def check(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Ask the provider that is set whether it would work, step by step; nobody signs in."""
    store, settings = store_of(door), door.prober.settings
    chosen = sso.read(sso.gathered(settings, await store.settings()))
    if chosen is None:
        raise BadRequest("Single sign-on is not set up.", "Name an issuer first.")
    kept = settings.sso_client_secret.get_secret_value() or (await store.secret(sso.SECRET, chosen.issuer)).reveal()
    redirect = f"{door.url or arrival.here}/console/sso"
    who = oidc.Client(chosen.client_id, sso.plain(kept), redirect)
    steps = await sso_check.examine(door.prober.upstream, chosen, who)
    well = all(each.status != "fail" for each in steps)
    return reply({"well": well, "redirect_uri": redirect, "steps": [each._asdict() for each in steps]})


def _identity(each: Identity) -> dict[str, Any]:
    seen = each.seen and each.seen.isoformat()
    return {"user": each.user, "issuer": each.issuer, "subject": each.subject, "seen": seen}


async def identities(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Who is known to a provider."""
    return reply([_identity(each) for each in await store_of(door).identities()])


async def link(door: Door, body: Subject, arrival: Arrival) -> Reply:
    """Let whom the provider knows as this subject sign in as this person."""
    store = store_of(door)
    issuer = body.issuer or (await store.settings()).get("sso_issuer", "")
    if not issuer:
        raise BadRequest("Single sign-on is not set up here.", "Name its issuer, or set it.", param="issuer")
    await store.link_identity(issuer, body.subject, arrival.tail, by=by(arrival))
    return reply([_identity(each) for each in await store.identities(arrival.tail)])


async def unlink(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Let nobody from a provider sign in as this person."""
    return reply({"unlinked": await store_of(door).unlink_identities(arrival.tail, by=by(arrival))})


PROTOCOL = WireProtocol(
    label="Administration: single sign-on",
    error=error,
    routes=(
        Act(paths=(PATH,), need=ADMIN, act=show, method="GET", summary="Show how single sign-on is set."),
        Act(
            paths=(PATH,),
            need=ADMIN,
            act=change,
            method="PATCH",
            body=Changes,
            summary="Set single sign-on.",
            example={"issuer": "https://sso.example.com/realms/main", "client_id": "homeport"},
        ),
        Act(paths=(CHECKS,), need=ADMIN, act=check, summary="Would single sign-on work?"),
        Act(paths=(IDENTITIES,), need=ADMIN, act=identities, method="GET", summary="Who is known to a provider?"),
        Act(
            paths=(f"{IDENTITIES}/{{name}}",),
            need=ADMIN,
            act=link,
            method="PUT",
            body=Subject,
            summary="Connect a person with who they are at the provider.",
            example={"subject": "248289761001"},
        ),
        Act(
            paths=(f"{IDENTITIES}/{{name}}",),
            need=ADMIN,
            act=unlink,
            method="DELETE",
            summary="Disconnect a person from every provider.",
        ),
    ),
)
