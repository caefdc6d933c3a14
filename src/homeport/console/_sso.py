"""What pages share about single sign-on: how it is set, and who we are at the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.access import oidc, sso
from homeport.console._texts import t
from homeport.console._told import told
from homeport.domain.errors import BadConfiguration, BadRequest
from homeport.kit.vault import VaultError

if TYPE_CHECKING:
    from homeport.access.sso import SingleSignOn
    from homeport.console import Asked
    from homeport.console._desk import Desk

HERE = "/console/sso"
"""Where a sign-in begins, and where the provider sends browsers back to."""


def values(desk: Desk) -> dict[str, str]:
    """The settings that count, as texts."""
    return sso.gathered(desk.settings, desk.bench.snapshot().settings)


def chosen(desk: Desk) -> SingleSignOn | None:
    """How people sign in; None where nothing is set, or nothing that could be used."""
    try:
        return sso.read(values(desk))
    except BadRequest:
        return None


async def secret_of(desk: Desk, issuer: str) -> str:
    """The client's secret or where it is, as it was given; empty for none. Raises BadConfiguration."""
    given = desk.settings.sso_client_secret.get_secret_value()
    if given:
        return given
    try:
        return (await desk.store.secret(sso.SECRET, issuer)).reveal()
    except VaultError as error:
        raise BadConfiguration(
            t("The client's secret cannot be read. {saw}", saw=told(error.saw)), error.fix
        ) from error


def client(asked: Asked, chosen: SingleSignOn, secret: str) -> oidc.Client:
    """Who we are at the provider; raises BadConfiguration for a secret that is not where it should be."""
    return oidc.Client(chosen.client_id, sso.plain(secret), asked.address + HERE)


async def passwords_open(desk: Desk) -> bool:
    """Whether passwords sign in: always, unless switched off while an administrator has another way in."""
    set_ = chosen(desk)
    return set_ is None or set_.passwords or not await desk.store.administered(set_.issuer)
