"""Does each model's server answer at its address?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from homeport.diagnostics import Change, Check, Finding
from homeport.kit import network
from homeport.kit.upstream import Call, TransportError, Unreachable, UpstreamTooLate

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

FIRST_BYTE_S = 10.0
_WHY = {
    "refused": "nobody listens there",
    "dns": "this machine cannot resolve the host name",
    "tls": "its TLS certificate is not accepted",
    "plain": "it does not speak TLS at that port; an endpoint of plain HTTP begins with http://",
    "denied": "that address is one that no model may have (link-local, a metadata service, or a denied network)",
    "reset": "the connection was reset",
    "closed": "the connection was closed before an answer came",
    "url": "that is no URL",
    "network": "there is no way to it from this machine",
}
_OF_THE_ADDRESS = {"dns", "denied", "url"}
"""Failures that starting the server does not change."""
_OF_THE_WAY = {
    "proxy": "proxy=URL (or HOMEPORT_PROXY, for all)",
    "certificate": "client_cert_file=PATH (client_key_file, ca_file)",
    "tls": "ca_file=PATH (or HOMEPORT_CA_FILE, for all)",
}
"""Failures of what is between us and the server, and the options that say how to get there."""


async def look(scene: Scene) -> Finding:
    """Resolve, connect and, with https, shake hands."""
    return await scene.each(ask)


async def ask(scene: Scene, model: Model) -> Finding:
    """Any answer at all will do."""
    url = model.endpoint.rstrip("/")
    change = Change("endpoint")
    edit = change.command(model.name)
    if not url:
        return Finding(status="skip", saw=f"{model.name} has no endpoint of its own.")
    call = Call(
        method="GET",
        url=f"{url}/models",
        connect_s=model.limits.connect_s,
        first_byte_s=FIRST_BYTE_S,
        network=network.of(model.options),
    )
    try:
        (await scene.upstream.open(call)).close()
    except Unreachable as error:
        way = _OF_THE_WAY.get(error.why)
        saw = f"{model.name} at {url}: {_told(error)}."
        return Finding(status="fail", saw=saw, fix=_fix(model, error, edit), change=None if way else change)
    except UpstreamTooLate as error:
        if error.phase.startswith("connect"):
            fix = f"See that no firewall is in between, or mend the address: {edit}"
            saw = f"{model.name} at {url}: connecting takes too long{error.phase.removeprefix('connect')}."
            return Finding(status="fail", saw=saw, fix=fix, change=change)
    except TransportError:
        fix = f"Mend the address: {edit}"
        saw = f"{model.name} at {url}: what answers does not speak HTTP."
        return Finding(status="fail", saw=saw, fix=fix, change=change)
    return Finding(status="ok", saw=f"{model.name} at {model.origin}.")


def _told(error: Unreachable) -> str:
    detail = f" ({error.detail})" if error.detail and error.why in {"tls", "network"} else ""
    return f"{_WHY.get(error.why, error.detail)}{detail}"


def _fix(model: Model, error: Unreachable, edit: str) -> str:
    if error.why in _OF_THE_WAY:
        option = f"homeport models edit {shlex.quote(model.name)} --option {_OF_THE_WAY[error.why]}"
        return f"Mend it where it is, or what is said of it: {option}"
    begin = "" if error.why in _OF_THE_ADDRESS else "Start the model server, or "
    return f"{begin}{'mend' if begin else 'Mend'} the address: {edit}"


CHECK = Check(
    order=90,
    question="Does each model's server answer at its address?",
    look=look,
    after=("keys",),
    behind=("registry",),
)
