"""Is this machine's clock right, as far as others can tell?"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.errors import HomeportError
from homeport.kit.upstream import Call, TransportError
from homeport.kit.vault import VaultError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from homeport.diagnostics._scene import Scene

MOST_S = 30.0
"""Seconds of difference above which signed tokens begin to be refused."""
_PATH = "/.well-known/openid-configuration"


async def look(scene: Scene) -> Finding:
    """Compare it with the `Date` of everybody who is asked anyway."""
    apart = {name: seconds async for name, seconds in _differences(scene)}
    if not apart:
        return Finding(status="ok", saw="Nobody else's clock can be seen from here.")
    off = {name: seconds for name, seconds in apart.items() if abs(seconds) > MOST_S}
    told = ", ".join(f"{name} by {_told(seconds)}" for name, seconds in (off or apart).items())
    if not off:
        return Finding(status="ok", saw=f"It differs from {told}.")
    whose = "this machine's clock" if len(off) == len(apart) else "the other one's clock"
    saw = f"Clocks differ from {told}: tokens are taken for expired, or for not valid yet."
    return Finding(status="fail", saw=saw, fix=f"Set {whose} (timedatectl set-ntp true, or chronyc makestep).")


def _told(seconds: float) -> str:
    return (
        f"{abs(seconds):.0f} s ({'behind' if seconds > 0 else 'ahead'})" if abs(seconds) >= 1 else "less than a second"
    )


async def _differences(scene: Scene) -> AsyncIterator[tuple[str, float]]:
    """By whom: how many seconds their clock is ahead of ours."""
    for url in filter(None, (scene.settings.gitlab_url, scene.settings.customer_portal_url)):
        if (found := await _of(scene, url)) is not None:
            yield url, found
    if scene.gateway:
        return
    try:
        models = [model for model in await scene.models() if model.platform != EMBEDDED and model.endpoint]
    except (HomeportError, VaultError):
        return
    for model in models:
        knock = await scene.knocked(model)
        if (found := _apart(knock.date, knock.at)) is not None:
            yield model.origin, found


async def _of(scene: Scene, url: str) -> float | None:
    try:
        reply = await scene.upstream.open(Call(url=url + _PATH, method="GET", first_byte_s=3.0, total_s=5.0))
        reply.close()
    except TransportError:
        return None
    return _apart(reply.header("Date"), time.time())


def _apart(date: str, at: float) -> float | None:
    """Seconds between a header and our clock; None for what is no date."""
    try:
        found = parsedate_to_datetime(date)
    except ValueError:
        return None
    return found.timestamp() - at


CHECK = Check(
    order=96,
    question="Does this machine's clock agree with others?",
    look=look,
    role="both",
    after=("configuration",),
    behind=("model_reachable",),
)
