"""Does every configured host stay within the networks that are allowed?"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.diagnostics import Check, Finding
from homeport.domain.errors import HomeportError
from homeport.kit.addresses import parse_networks
from homeport.kit.vault import VaultError
from homeport.store import live

if TYPE_CHECKING:
    from collections.abc import Collection

    from homeport.diagnostics._scene import Scene


async def look(scene: Scene) -> Finding:
    """Resolve each; without HOMEPORT_ALLOWED_NETWORKS what is public is only told."""
    hosts = await hosts_of(scene)
    only = await _allowed(scene)
    found = dict(zip(hosts, await asyncio.gather(*map(addresses, hosts)), strict=True))
    allowed = parse_networks(only)
    out = [
        f"{hosts[host]} {host} ({', '.join(each)})" for host, them in found.items() if (each := _outside(them, allowed))
    ]
    if not out:
        return Finding(status="ok", saw=f"{_count(hosts)} within {', '.join(only) or 'private networks'}.")
    if not allowed:
        saw = f"Outside of private networks: {'; '.join(out)}. HOMEPORT_ALLOWED_NETWORKS would forbid it."
        return Finding(status="ok", saw=saw)
    saw = f"Outside of {', '.join(only)}: {'; '.join(out)}."
    fix = "Mend its address or the name server, or add its network to HOMEPORT_ALLOWED_NETWORKS (Settings, Outbound)."
    return Finding(status="fail", saw=saw, fix=fix)


async def _allowed(scene: Scene) -> tuple[str, ...]:
    """The networks that are allowed, as they count now."""
    try:
        stored = {} if scene.gateway else (await scene.snapshot()).settings
    except (HomeportError, VaultError):
        stored = {}
    return live.counting(scene.settings, stored).allowed_networks


async def hosts_of(scene: Scene) -> dict[str, str]:
    """Every host that is configured, and what it is for."""
    settings = scene.settings
    named = [("issuer", settings.gitlab_url), ("issuer", settings.customer_portal_url), ("proxy", settings.proxy)]
    named += [("database", settings.database_url), ("default model", settings.default_endpoint)]
    named += [("issuer", settings.sso_issuer), ("collector of traces", settings.otlp_endpoint)]
    if not scene.gateway:
        try:
            models = [model for model in await scene.models() if model.endpoint]
            named += [("issuer", (await scene.snapshot()).settings.get("sso_issuer", ""))]
        except (HomeportError, VaultError):
            models = []
        named += [("proxy", model.options.get("proxy", "")) for model in models]
        named += [("model", model.endpoint) for model in models if not _proxied(scene, model.options)]
    return {host: what for what, url in named if url and (host := _host(url))}


def _proxied(scene: Scene, options: object) -> bool:
    """Whether the host is for a proxy to resolve, and none of ours."""
    said = options.get("proxy", scene.settings.proxy) if hasattr(options, "get") else ""
    return bool(said and said != "none")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def addresses(host: str) -> list[str]:
    """Where a host is, as this machine finds it; nothing for one that it does not find."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return []
    return sorted({str(each[4][0]).partition("%")[0] for each in found})


def _outside(addresses: list[str], allowed: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> list[str]:
    return [each for each in addresses if not _within(ipaddress.ip_address(each), allowed)]


def _within(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    allowed: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
) -> bool:
    if address.is_loopback or not allowed:
        return address.is_loopback or address.is_private
    return any(address.version == network.version and address in network for network in allowed)


def _count(hosts: Collection[str]) -> str:
    return "No host is configured that is not" if not hosts else f"{len(hosts)} host{'s' * (len(hosts) > 1)},"


CHECK = Check(
    order=98,
    question="Does every configured host stay within the networks that are allowed?",
    look=look,
    role="both",
    after=("configuration",),
    behind=("model_reachable",),
)
