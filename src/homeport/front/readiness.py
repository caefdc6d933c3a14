"""Why an application cannot serve, in general words: anybody may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.access.federation import Federation
    from homeport.access.gate import Bypass
    from homeport.domain.models import Snapshot
    from homeport.kit.settings import Settings
    from homeport.providers._engine import Engine
    from homeport.store.registry import Registry

MADE_ELSEWHERE = (
    "a gateway takes those of the GitLab that AIGW_GITLAB_URL names, and those under [[tokens]] in its models file "
    "(HOMEPORT_MODELS_FILE)"
)
"""Where a gateway's tokens come from."""


def bypass(settings: Settings) -> Bypass:
    """Who is let in without a token."""
    return "always" if settings.auth_bypass else "header" if settings.auth_bypass_with_header else "never"


def missing_keys(federation: Federation | None) -> str:
    """Which issuers' keys are not known."""
    return "" if federation is None else federation.issuers.trouble


def closed(settings: Settings, federation: Federation | None, snapshot: Snapshot, *, gateway: bool) -> str:
    """Why nobody can be let in: only issuers vouch for callers, and no key of any is known."""
    issuers = federation.issuers if federation else None
    if issuers is not None and issuers.members and issuers.current:
        return ""
    if settings.auth_bypass_signature or bypass(settings) != "never":
        return ""
    if any(token.revoked is None for token in snapshot.tokens.values()):
        return ""
    if issuers is not None and issuers.members:
        return "No key of a token issuer is known yet: every token is refused."
    # an instance has its tokens from a command; a gateway has nobody to ask
    return f"Nobody can be let in: {MADE_ELSEWHERE}, and there are none." if gateway else ""


def missing_models(settings: Settings, snapshot: Snapshot) -> str:
    """Why a gateway has nobody to ask: it knows no model, and nobody may bring one."""
    gitlab = bool(settings.gitlab_url or settings.customer_portal_url)
    brought = settings.custom_models and (gitlab or bypass(settings) != "never")
    if brought or any(model.enabled for model in snapshot.models.values()):
        return ""
    return "No model is known: a models file (HOMEPORT_MODELS_FILE) or HOMEPORT_DEFAULT_… variables name some."


def trouble(registry: Registry, engine: Engine) -> str:
    """What keeps an instance from serving all that is registered."""
    if registry.problem:
        return registry.problem
    return "The embedded model is being restarted." if engine.child is not None and not engine.address else ""
