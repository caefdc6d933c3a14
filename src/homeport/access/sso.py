"""Single sign-on as an administrator sets it, and what it makes of somebody's claims. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from homeport.access.oidc import secure
from homeport.domain.errors import BadConfiguration, BadRequest, NotAllowed, Outdated
from homeport.domain.models import origin_of
from homeport.kit import references

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homeport.kit.settings import Settings

Role = Literal["admin", "auditor", "user"]
NAMES = (
    "sso_issuer",
    "sso_client_id",
    "sso_name",
    "sso_scopes",
    "sso_claim",
    "sso_admins",
    "sso_auditors",
    "sso_others",
    "sso_create",
    "sso_provisioned",
    "sso_domains",
    "sso_passwords",
)
"""The settings, as the database, a configuration file and (in capitals, after HOMEPORT_) the environment call them."""
SECRET = "sso_client_secret"  # noqa: S105 (the name of a setting)
USUAL: Mapping[str, str] = {
    "sso_scopes": "openid profile email",
    "sso_claim": "groups",
    "sso_others": "user",
    "sso_create": "on",
    "sso_provisioned": "off",
    "sso_passwords": "on",
}
PROVISIONED = ("off", "sub", "oid", "email")
_LISTED = re.compile(r"[\n;]")
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleSignOn:
    """How people sign in with a provider."""

    issuer: str
    client_id: str
    name: str
    """What the button calls the provider."""
    scopes: str
    claim: str
    """The claim that roles come from: a name, or a path with dots."""
    admins: tuple[str, ...]
    """Values of the claim, of which one makes an administrator."""
    auditors: tuple[str, ...]
    others: Literal["user", "refuse"]
    """What becomes of those who have no such value."""
    create: bool
    """Whether somebody new gets an account."""
    provisioned: str
    """What tells that somebody is whom a directory provisioned, one of PROVISIONED: `sub` and `oid` are claims that
    are compared with the externalId, letter by letter; `email` is proven, and compared with the userName."""
    domains: tuple[str, ...]
    """Domains of proven e-mail addresses that are let in; empty: all."""
    passwords: bool
    """Whether local passwords open the console too."""

    @property
    def maps(self) -> bool:
        """Whether roles come from claims at all."""
        return bool(self.admins or self.auditors)


def gathered(settings: Settings, stored: Mapping[str, str]) -> dict[str, str]:
    """The values that count: what the operator said before the start wins over what is stored."""
    return {
        name: value for name in NAMES if (value := given(settings, name) or stored.get(name) or USUAL.get(name, ""))
    }


def given(settings: Settings, name: str) -> str:
    """What the operator said of a setting before the start; empty when nothing."""
    return str(getattr(settings, name)) if name in settings.model_fields_set else ""


def mark(values: Mapping[str, str]) -> str:
    """What tells whether the settings are those that somebody saw."""
    said = {name: values.get(name) or USUAL.get(name, "") for name in NAMES}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def as_seen(settings: Settings, seen: str) -> Callable[[Mapping[str, str]], None]:
    """What raises Outdated when the settings are not those that somebody saw, by their mark; empty: nobody looked."""

    def check(stored: Mapping[str, str]) -> None:
        if seen not in {"", mark(gathered(settings, stored))}:
            saw = "Somebody else changed single sign-on since you looked."
            raise Outdated(saw, "Nothing of yours is saved. Look at theirs, or save again to keep yours.")

    return check


def read(values: Mapping[str, str]) -> SingleSignOn | None:
    """What is set, understood; None while there is no issuer. Raises BadRequest that names the setting."""
    said = {name: (values.get(name) or USUAL.get(name, "")).strip() for name in NAMES}
    if not said["sso_issuer"]:
        return None
    return SingleSignOn(
        issuer=_issuer(said["sso_issuer"]),
        client_id=_needed(said, "sso_client_id", "client id"),
        name=said["sso_name"] or origin_of(said["sso_issuer"]).partition("://")[2],
        scopes=_scopes(said["sso_scopes"]),
        claim=said["sso_claim"],
        admins=listed(said["sso_admins"]),
        auditors=listed(said["sso_auditors"]),
        others="refuse" if _one(said, "sso_others", ("user", "refuse")) == "refuse" else "user",
        create=_one(said, "sso_create", ("on", "off")) == "on",
        provisioned=_one(said, "sso_provisioned", PROVISIONED),
        domains=tuple(map(_domain, listed(said["sso_domains"]))),
        passwords=_one(said, "sso_passwords", ("on", "off")) == "on",
    )


def changed(values: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str | None]:
    """What to store so that these settings change; None is as usual. `values`: those that count until then.

    Raises BadRequest for what could not be used; without an issuer there is nothing to use.
    """
    read({**values, **changes})
    said = {name: value.strip() for name, value in changes.items()}
    return {name: None if value in {"", USUAL.get(name, "")} else value for name, value in said.items()}


def check_secret(text: str) -> None:
    """Raise BadRequest for a place that cannot be one."""
    try:
        if references.is_reference(text):
            references.check(text)
    except ValueError as error:
        raise BadRequest(f"The client's secret cannot be had like this: {error}.", "", param=SECRET) from error


def plain(secret: str) -> str:
    """The client's secret, read from where it is; raises BadConfiguration when it is not there."""
    try:
        return references.resolve(secret) if references.is_reference(secret) else secret
    except ValueError as error:
        fix = "Put it there, or set the secret anew in the settings of single sign-on."
        raise BadConfiguration(f"The client's secret cannot be had: {error}.", fix) from error


def listed(text: str) -> tuple[str, ...]:
    """Values, one a line or with semicolons between: names of groups may have commas."""
    return tuple(dict.fromkeys(each.strip() for each in _LISTED.split(text) if each.strip()))


def _issuer(text: str) -> str:
    try:
        fits = bool(origin_of(text)) and text.isascii() and text.isprintable() and not set(text) & set("?#@ ")
    except ValueError:
        fits = False
    if not fits:
        fix = "It is an address such as https://sso.example.com/realms/main, without anything behind the path."
        raise BadRequest("The issuer is not one.", fix, param="sso_issuer")
    if not secure(text):
        fix = "Only a provider on this machine may go without; others would show passwords and tokens to everybody."
        raise BadRequest("The issuer must begin with https, not http.", fix, param="sso_issuer")
    return text


def _needed(said: Mapping[str, str], name: str, called: str) -> str:
    value = said[name]
    if not value or not value.isprintable():
        raise BadRequest(f"The {called} is missing.", "The provider shows it where Homeport is registered.", param=name)
    return value


def _scopes(text: str) -> str:
    if not _SCOPES.fullmatch(text) or "openid" not in text.split():
        fix = "Write them with spaces between, for example: openid profile email"
        raise BadRequest("The scopes must have openid among them.", fix, param="sso_scopes")
    return text


def _one(said: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    if said[name] not in known:
        raise BadRequest(f"{name} cannot be {said[name][:_SHOWN]!r}.", f"It is one of: {', '.join(known)}.", param=name)
    return said[name]


def _domain(text: str) -> str:
    domain = text.lower().removeprefix("@")
    if not _DOMAIN.fullmatch(domain):
        raise BadRequest(f"{text[:_SHOWN]!r} is no domain.", "Write it like example.com.", param="sso_domains")
    return domain


# what becomes of somebody


class Person(NamedTuple):
    """Somebody whom a provider vouches for."""

    issuer: str
    subject: str
    name: str
    """What a new account is called."""
    role: Role | None
    """The role that the claims give; None where roles do not come from claims."""
    external_id: str = ""
    """The externalId of the account that a directory provisioned for them; empty where none is looked for by it."""
    user_name: str = ""
    """The same, its userName in lower case."""


def lacking(sso: SingleSignOn, claims: Mapping[str, Any]) -> bool:
    """Whether userinfo should be asked: some ID tokens are slim."""
    wanted = {"email", "email_verified"} if sso.domains or sso.provisioned == "email" else set()
    roles = sso.maps and not values_of(claims, sso.claim)
    return roles or not wanted <= claims.keys() or not {"email", "preferred_username"} & claims.keys()


def person(sso: SingleSignOn, claims: Mapping[str, Any]) -> Person:
    """Who it is and what they may; raises NotAllowed for somebody who is not let in."""
    _check_domain(sso, claims)
    external_id, user_name = provisioned(sso, claims)
    return Person(sso.issuer, str(claims["sub"]), called(claims), role(sso, claims), external_id, user_name)


def provisioned(sso: SingleSignOn, claims: Mapping[str, Any]) -> tuple[str, str]:
    """The externalId or the userName under which a directory may have provisioned them; empty where it tells nothing.

    Okta and Keycloak send the subject as externalId, Microsoft Entra ID the object id (claim `oid`).
    """
    if sso.provisioned == "email":
        return "", proven_email(claims)
    value = claims.get(sso.provisioned)
    return (value if isinstance(value, str) and value.isprintable() else ""), ""


def _check_domain(sso: SingleSignOn, claims: Mapping[str, Any]) -> None:
    if not sso.domains:
        return
    email = proven_email(claims)
    if not email:
        saw = "Only people with certain e-mail addresses are let in, and the provider does not vouch for yours."
        raise NotAllowed(saw, "Ask whoever runs the provider for the claims email and email_verified.")
    if email.rpartition("@")[2] not in sso.domains:
        raise NotAllowed("E-mail addresses of your domain are not let in here.", "Ask an administrator of Homeport.")


def proven_email(claims: Mapping[str, Any]) -> str:
    """The e-mail address that the provider has proven, in lower case; else nothing."""
    email = claims.get("email")
    # Some providers write the flag as a text
    proven = claims.get("email_verified") is True or claims.get("email_verified") == "true"
    sober = isinstance(email, str) and email.count("@") == 1 and email.isascii() and email.isprintable()
    return email.lower() if proven and isinstance(email, str) and sober else ""


def called(claims: Mapping[str, Any]) -> str:
    """What a new account is called: the proven address, else the name that the provider prefers; else nothing.

    Accounts are found by issuer and subject alone; a name that is taken never opens what is there.
    """
    preferred = claims.get("preferred_username")
    fits = isinstance(preferred, str) and preferred == preferred.strip() and preferred.isprintable()
    return proven_email(claims) or (str(preferred) if fits else "")


def role(sso: SingleSignOn, claims: Mapping[str, Any]) -> Role | None:
    """The role that the claims give; raises NotAllowed for those who get none."""
    if not sso.maps and sso.others == "user":
        return None
    values = set(values_of(claims, sso.claim))
    if values & set(sso.admins):
        return "admin"
    if values & set(sso.auditors):
        return "auditor"
    if sso.others == "user":
        return "user"
    aside = claims.get("_claim_names")
    if isinstance(aside, dict) and sso.claim in aside:
        saw = f"You are in so many groups that the provider leaves {sso.claim} out."
        raise NotAllowed(saw, "Let the provider send only the groups that are assigned to Homeport.")
    raise NotAllowed(f"None of your {sso.claim} gives you access.", "Ask an administrator of the provider for it.")


def values_of(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The texts of a claim, found by its whole name or by its path."""
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    listed_ = found if isinstance(found, list) else [found]
    return tuple(each for each in listed_ if isinstance(each, str))
