"""What a change of settings would bring about that somebody should know before it is made."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.access import sso
from homeport.diagnostics.air_gap import addresses
from homeport.domain.errors import Unconfirmed
from homeport.kit.addresses import EVERYWHERE, LOOPBACK, NEVER, denied, parse_networks, without
from homeport.kit.network import NONE
from homeport.store import live

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from homeport.domain.models import Model, Snapshot
    from homeport.kit.addresses import Network
    from homeport.kit.settings import Settings

LOOK_UP_S = 3.0
"""How long names may take to be looked up; who is not found by then is told as not found."""
TOLD = 5
_CALLBACK = "/console/sso"


async def checked(
    settings: Settings, snapshot: Snapshot, wanted: Mapping[str, str], *, sure: bool
) -> dict[str, str | None]:
    """What to store so that the settings are as wanted, by name; an empty text is the default.

    `settings` are the operator's, or those that count. Raises BadRequest for what cannot be, and Unconfirmed for
    what somebody should know first, unless they are `sure`.
    """
    changes = live.changed(settings, wanted)
    now = live.counting(settings, snapshot.settings)
    then = live.counting(settings, live.after(snapshot.settings, changes))
    if not sure and (told := await concerns(now, then, snapshot)):
        raise Unconfirmed(" ".join(told), "Nothing was changed: say that you are sure if that is what you want.")
    return changes


async def concerns(before: Settings, after: Settings, snapshot: Snapshot) -> list[str]:
    """Sentences about where models may be and about single sign-on; none for a change that harms nobody.

    `before` and `after` are the settings that count now and then.
    """
    issuer = sso.gathered(before, snapshot.settings).get("sso_issuer", "")
    return [*_opened(before, after), *await _cut_off(before, after, snapshot, issuer), *_moved(before, after, issuer)]


def _moved(before: Settings, after: Settings, issuer: str) -> list[str]:
    """A provider sends people back to addresses that it knows, and to no other."""
    if not issuer or before.url == after.url:
        return []
    where = f"{after.url}{_CALLBACK}" if after.url else f"the address that browsers use, with {_CALLBACK} behind it"
    return [f"Single sign-on works only if its provider knows this redirect URI: {where}."]


def _opened(before: Settings, after: Settings) -> list[str]:
    """Where models may be then, and may not be now."""
    if _lists(before) == _lists(after):
        return []
    then = without(parse_networks(after.allowed_networks) or EVERYWHERE, parse_networks(after.denied_networks))
    strange = without(then, (*(parse_networks(before.allowed_networks) or EVERYWHERE), *LOOPBACK, *NEVER))
    fresh = _joined((*strange, *_common(then, parse_networks(before.denied_networks))))
    if not fresh:
        return []
    where = ", ".join(fresh[:TOLD]) + (" and more" if len(fresh) > TOLD else "")
    if before.allowed_networks and not after.allowed_networks:
        where = "any network" + (f" but {', '.join(after.denied_networks)}" if after.denied_networks else "")
    return [f"This opens the way out: models may then be in {where}, and get code, prompts and keys there."]


def _lists(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return settings.allowed_networks, settings.denied_networks


def _common(these: Iterable[Network], those: Collection[Network]) -> list[Network]:
    """What is in both: of two networks that overlap, one holds the other."""
    return [one if one.prefixlen >= two.prefixlen else two for one in these for two in those if one.overlaps(two)]


def _joined(networks: Iterable[Network]) -> list[str]:
    found = tuple(networks)
    old = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv4Network))
    new = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv6Network))
    return [*map(str, old), *map(str, new)]


async def _cut_off(before: Settings, after: Settings, snapshot: Snapshot, issuer: str) -> list[str]:
    """Who is reached now and cannot be then; and whom nobody finds now."""
    if _lists(before) == _lists(after):
        return []
    hosts = _hosts(before, snapshot.models.values(), issuer)
    found = await _found(hosts)
    now, then = before.closed_networks, after.closed_networks
    lost = [
        f"{', '.join(hosts[host])} at {host} ({', '.join(out)})"
        for host, them in found.items()
        if (out := [each for each in them if denied(each, then) and not denied(each, now)])
    ]
    told = [f"Cut off by this: {'; '.join(lost)}."] if lost else []
    unknown = [host for host in hosts if not found.get(host)]
    return told + ([f"Nobody can tell of {', '.join(unknown)}: not found now."] if unknown and then != now else [])


def _hosts(settings: Settings, models: Iterable[Model], issuer: str) -> dict[str, list[str]]:
    """Who is at each host that we look up ourselves; a proxy looks up those behind it."""
    found: dict[str, list[str]] = {}
    named = [(f"the model {each.name}", each.endpoint) for each in models if each.enabled and _direct(settings, each)]
    for who, url in (*named, ("single sign-on", "" if settings.proxy else issuer)):
        if host := urlsplit(url).hostname:
            found.setdefault(host, []).append(who)
    return found


def _direct(settings: Settings, model: Model) -> bool:
    return model.options.get("proxy", settings.proxy) in {"", NONE}


async def _found(hosts: Collection[str]) -> Mapping[str, Sequence[str]]:
    """The addresses of each host that was found in time."""
    asked = {host: asyncio.create_task(addresses(host)) for host in hosts}
    if asked:
        _, late = await asyncio.wait(asked.values(), timeout=LOOK_UP_S)
        for task in late:
            task.cancel()
    return {host: task.result() for host, task in asked.items() if task.done() and not task.cancelled()}
