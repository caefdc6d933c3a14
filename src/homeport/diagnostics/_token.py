"""A signed token as anybody can read it: what it says, never whether it is true, and never the token itself."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The claims that decide whether a gateway takes it (RFC 7519, section 4.1)."""

    issuer: str
    audience: tuple[str, ...]
    subject: str
    realm: str
    instance: str
    kid: str
    scopes: tuple[str, ...]
    begins: float
    """Unix seconds; 0 where it does not say."""
    ends: float


def read(token: str) -> Said | None:
    """What a token says of itself; None for one that is not signed."""
    parts = token.split(".")
    if len(parts) != PARTS:
        return None
    header, claims = _part(parts[0]), _part(parts[1])
    if header is None or claims is None:
        return None
    return Said(
        issuer=_text(claims, "iss"),
        audience=_texts(claims.get("aud")),
        subject=_text(claims, "sub"),
        realm=_text(claims, "gitlab_realm"),
        instance=_text(claims, "gitlab_instance_id"),
        kid=_text(header, "kid"),
        scopes=_texts(claims.get("scopes")),
        begins=_number(claims.get("nbf")),
        ends=_number(claims.get("exp")),
    )


def headers(token: str, service: str = "gitlab-ai-gateway") -> dict[str, str]:
    """What a GitLab sends beside a signed token, as the token has it; nothing for any other one."""
    said = read(token)
    if said is None:
        return {}
    user, instance = (said.subject, said.instance) if said.issuer == service else ("", said.instance or said.subject)
    sent = {
        "X-Gitlab-Authentication-Type": "oidc",
        "X-Gitlab-Instance-Id": instance,
        "X-Gitlab-Global-User-Id": user,
        "X-Gitlab-Realm": said.realm,
    }
    return {name: value for name, value in sent.items() if value and value.isascii() and value.isprintable()}


def _part(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
