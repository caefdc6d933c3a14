"""Everything about signed tokens, put together from the settings: issuers, our own key, and who checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.access.direct import Direct, from_settings
from homeport.access.issuers import Issuer, Issuers, Times
from homeport.access.signed import SignedVerifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.kit.settings import Settings
    from homeport.kit.upstream import Upstream


class Federation:
    """What one process knows about signed tokens."""

    def __init__(self, issuers: Issuers, direct: Direct, *, unproven: bool = False) -> None:
        self.issuers = issuers
        self.direct = direct
        self.verifier = SignedVerifier(issuers, direct, unproven=unproven)


def federate(settings: Settings, upstream: Upstream) -> Federation:
    """From the settings; raises BadConfiguration for a key that cannot be used."""
    direct = from_settings(
        settings.service_name,
        settings.jwt_signing_key.get_secret_value(),
        settings.jwt_validation_key.get_secret_value(),
    )
    issuers = Issuers(_issuers(settings, upstream))
    return Federation(issuers, direct, unproven=settings.auth_bypass_signature)


def configured(settings: Settings) -> bool:
    """Whether any signed token could be accepted, or made."""
    keys = (settings.jwt_signing_key, settings.jwt_validation_key)
    bypass = settings.auth_bypass or settings.auth_bypass_with_header or settings.auth_bypass_signature
    return bool(settings.gitlab_url or settings.customer_portal_url or any(keys) or bypass)


def _issuers(settings: Settings, upstream: Upstream) -> Iterator[Issuer]:
    """GitLab, and the portal if it is another address; a request waits for GitLab's keys only."""
    times = Times(settings.issuer_refresh_s, settings.issuer_stale_s)
    if settings.gitlab_url:
        yield Issuer(settings.gitlab_url, upstream, times)
    if settings.customer_portal_url not in {"", settings.gitlab_url}:
        yield Issuer(settings.customer_portal_url, upstream, times, awaited=False)
