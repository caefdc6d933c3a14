"""The way to a model's server, tried once: at which hop it ended, and what came back."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import ssl
import time
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from homeport.diagnostics import Change, Finding
from homeport.kit import network
from homeport.kit.upstream import Call, Malformed, TransportError, Truncated, Unreachable, UpstreamTooLate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model
    from homeport.kit.upstream import Reply

Hop = Literal["dns", "proxy", "tcp", "tls", "http"]
FIRST_BYTE_S = 10.0
PEEK_S = 3.0
OK, REDIRECTS = 200, range(300, 400)
_HOPS: Mapping[str, Hop] = {
    "dns": "dns",
    "denied": "dns",
    "url": "dns",
    "header": "http",
    "proxy": "proxy",
    "refused": "tcp",
    "network": "tcp",
    "tls": "tls",
    "certificate": "tls",
    "plain": "tls",
    "reset": "http",
    "closed": "http",
}
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


class Knock(NamedTuple):
    """What came of one request for the list of models."""

    ended: Hop | None = None
    """The hop that failed; None when an answer came."""
    finding: Finding | None = None
    date: str = ""
    """The answer's own `Date`."""
    at: float = 0.0
    """Unix time at which it came."""


def url_of(model: Model) -> str:
    """Where the model's list is asked for; empty where its platform knows the address."""
    endpoint = model.endpoint.rstrip("/")
    return f"{endpoint}/models" if endpoint else ""


async def knock(scene: Scene, model: Model) -> Knock:
    """Resolve, connect, shake hands and ask, as a request would: any proper answer will do."""
    url = url_of(model)
    call = Call(
        method="GET",
        url=url,
        connect_s=model.limits.connect_s,
        first_byte_s=min(FIRST_BYTE_S, model.limits.first_token_s),
        network=network.of(model.options),
    )
    try:
        reply = await scene.upstream.open(call)
        return await _answered(model, reply)
    except Unreachable as error:
        return await _unreached(model, error)
    except UpstreamTooLate as error:
        return _too_late(model, error)
    except TransportError as error:
        return await _misunderstood(model, error)


async def hop(scene: Scene, model: Model, name: Hop, well: str) -> Finding:
    """What one hop of the way came to; `well` is what is said when it is not where the way ended."""
    if not url_of(model):
        return Finding(status="skip", saw=f"{model.name} has no endpoint of its own.")
    found = await scene.knocked(model)
    if found.ended == name and found.finding is not None:
        return found.finding
    return Finding(status="ok", saw=f"{model.name}: {well}")


async def _answered(model: Model, reply: Reply) -> Knock:
    """An answer that is no web page; a server that sends nothing behind its head says nothing."""
    try:
        kind, location = reply.header("Content-Type").partition(";")[0].strip().lower(), reply.header("Location")
        date = reply.header("Date")
        if reply.status in REDIRECTS or (kind == "text/html" and reply.status == OK):
            where = f" (it redirects to {urlsplit(location).netloc or location[:100]})" if location else ""
            saw = f"{model.name} at {model.endpoint}: what answers is a web page{where}, not a model server."
            fix = (
                "A login page, a portal or a proxy is in the way: pass it by (options proxy and no_proxy), or "
                f"mend the address: {Change('endpoint').command(model.name)}"
            )
            return Knock("http", Finding(status="fail", saw=saw, fix=fix, change=Change("endpoint")))
        await reply.part()
    finally:
        reply.close()
    return Knock(date=date, at=time.time())


async def _unreached(model: Model, error: Unreachable) -> Knock:
    if error.why in {"reset", "closed"}:
        return await _misunderstood(model, error)
    detail = f" ({error.detail})" if error.detail and error.why in {"tls", "network"} else ""
    here = await _here(model) if error.why == "denied" else ""
    saw = f"{model.name} at {model.endpoint.rstrip('/')}: {_WHY.get(error.why, error.detail)}{detail}{here}."
    change = Change("endpoint") if error.why not in {"proxy", "certificate", "tls"} else None
    found = Finding(status="fail", saw=saw, fix=_fix(model, error), change=change)
    if error.why == "tls" and (better := await _name_of_the_certificate(model, error)):
        found = better
    return Knock(_HOPS[error.why], found)


async def _here(model: Model) -> str:
    """What the host name means on this machine, where that is not written there already."""
    host = urlsplit(model.endpoint).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError:
        return ""
    addresses = sorted({str(each[4][0]) for each in found} - {host})
    return f"; {host} is {', '.join(addresses)} here" if addresses else ""


def _fix(model: Model, error: Unreachable) -> str:
    edit = Change("endpoint").command(model.name)
    option = f"homeport models edit {shlex.quote(model.name)} --option"
    plain = Change("endpoint", model.endpoint.replace("https:", "http:", 1)).command(model.name)
    trust = f"Trust the authority that signed it: {option} ca_file=PATH (or HOMEPORT_CA_FILE, for all)"
    files = "client_cert_file=PATH (client_key_file, ca_file)"
    known = {
        "proxy": f"Mend it where it is, or what is said of it: {option} proxy=URL (or HOMEPORT_PROXY, for all)",
        "certificate": f"Mend it where it is, or what is said of it: {option} {files}",
        "tls": _EXPIRED if "expired" in error.detail else trust,
        "plain": f"Run: {plain}",
        "dns": f"Mend the address, or the name server that this machine asks: {edit}",
        "denied": f"Mend the address: {edit} ({_OF_NETWORKS})",
        "url": f"Mend the address: {edit}",
    }
    return known.get(error.why, f"Start the model server, or mend the address: {edit}")


_EXPIRED = "Renew the certificate on the model's server; if it is valid, mend this machine's clock."
_OF_NETWORKS = "or HOMEPORT_DENIED_NETWORKS, HOMEPORT_ALLOWED_NETWORKS; in a split DNS, ask the inner name server"


def _too_late(model: Model, error: UpstreamTooLate) -> Knock:
    change = Change("endpoint")
    at = f"{model.name} at {model.endpoint.rstrip('/')}"
    if error.phase.startswith("connect"):
        fix = f"See that no firewall is in between, or mend the address: {change.command(model.name)}"
        by = error.phase.removeprefix("connect")
        return Knock(
            "proxy" if by else "tcp",
            Finding(status="fail", saw=f"{at}: connecting takes too long{by}.", fix=fix, change=change),
        )
    saw = f"{at}: the connection is taken, but no answer comes."
    fix = "Its server hangs or is busy beyond measure: see its log, and restart it."
    return Knock("http", Finding(status="fail", saw=saw, fix=fix))


async def _misunderstood(model: Model, error: TransportError) -> Knock:
    at, parts = f"{model.name} at {model.endpoint.rstrip('/')}", urlsplit(model.endpoint)
    if parts.scheme == "http" and await _shown(model):
        better = Change("endpoint", model.endpoint.replace("http:", "https:", 1))
        saw = f"{at}: it speaks TLS at that port; its endpoint should begin with https, not http."
        return Knock("tls", Finding(status="fail", saw=saw, fix=f"Run: {better.command(model.name)}", change=better))
    change = Change("endpoint")
    if isinstance(error, Malformed):
        saw = f"{at}: what answers does not speak HTTP."
    else:
        saw = f"{at}: {_WHY['reset' if isinstance(error, Unreachable) and error.why == 'reset' else 'closed']}."
    fix = (
        f"See the log of the model server and of what is in between, or mend the address: {change.command(model.name)}"
    )
    if isinstance(error, Truncated):
        saw = f"{at}: its answer broke off."
    return Knock("http", Finding(status="fail", saw=saw, fix=fix, change=change))


# certificates


class Shown(NamedTuple):
    """A server's certificate, believed or not."""

    names: tuple[str, ...]
    ends: float
    """Unix time."""


async def _shown(model: Model) -> Shown | None:
    """The certificate that is shown at the model's address; None where nobody speaks TLS."""
    parts = urlsplit(model.endpoint)
    # nothing is sent on this connection: the certificate is only looked at
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(PEEK_S):
            _, writer = await asyncio.open_connection(
                parts.hostname, parts.port or 443, ssl=context, server_hostname=parts.hostname
            )
    except (OSError, TimeoutError):
        return None
    data = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return await asyncio.to_thread(_read, data) if data else None


async def certificate(model: Model) -> Shown | None:
    """The same, for a model whose certificate was accepted: when it ends, and for which names it is."""
    return await _shown(model)


def _read(data: bytes) -> Shown:
    from cryptography import x509  # noqa: PLC0415 (takes a while to load)

    found = x509.load_der_x509_certificate(data)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Shown((), found.not_valid_after_utc.timestamp())
    addresses = (str(each) for each in names.get_values_for_type(x509.IPAddress))
    return Shown((*names.get_values_for_type(x509.DNSName), *addresses), found.not_valid_after_utc.timestamp())


async def _name_of_the_certificate(model: Model, error: Unreachable) -> Finding | None:
    """What a certificate for another name says, with the name that it is for."""
    if "mismatch" not in error.detail.lower() or (shown := await _shown(model)) is None:
        return None
    parts = urlsplit(model.endpoint)
    saw = f"{model.name}: the certificate at {model.endpoint} is for {', '.join(shown.names) or 'nobody'}."
    if len(shown.names) != 1 or "*" in shown.names[0]:
        edit = Change("endpoint").command(model.name)
        return Finding(status="fail", saw=saw, fix=f"Use a name that it is for: {edit}", change=Change("endpoint"))
    port = f":{parts.port}" if parts.port else ""
    better = Change("endpoint", parts._replace(netloc=f"{shown.names[0]}{port}").geturl())
    return Finding(status="fail", saw=saw, fix=f"Run: {better.command(model.name)}", change=better)
