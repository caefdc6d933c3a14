"""Microsoft Entra ID: tokens for Azure OpenAI, by client secret, workload identity or managed identity.

Sources: Microsoft identity platform, "OAuth 2.0 client credentials flow"; Azure documentation, "How to
use managed identities to acquire an access token" (virtual machines; App Service and Container Apps).
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

import orjson

from homeport.domain.errors import BadConfiguration, UpstreamError
from homeport.domain.models import origin_of
from homeport.kit.upstream import Call
from homeport.providers import Option, option
from homeport.providers._leases import Lease, Leases, fetched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from homeport.domain.models import Model
    from homeport.kit.upstream import Upstream

OPTIONS: Mapping[str, Option] = {
    "auth": Option(
        text="How Homeport shows who it is: by an API key, or as an identity of Entra ID.",
        values=("key", "client_secret", "workload_identity", "managed_identity"),
        variables=("HOMEPORT_AZURE_AUTH",),
        default="key",
    ),
    "tenant": Option(
        text="The Entra ID tenant; for `client_secret` and `workload_identity`.",
        form=r"[A-Za-z0-9.-]{1,253}",
        variables=("AZURE_TENANT_ID",),
    ),
    "client_id": Option(
        text="The application's or the user-assigned identity's client id.",
        form=r"[A-Za-z0-9-]{1,64}",
        variables=("AZURE_CLIENT_ID",),
    ),
}
_NAMING = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
"""Variables that say whose token is meant."""
METADATA = "169.254.169.254"
_CLOUDS = {"us": ("azure.us", "login.microsoftonline.us"), "cn": ("azure.cn", "login.chinacloudapi.cn")}
_PUBLIC = ("azure.com", "login.microsoftonline.com")
_OWN = re.compile(
    r"[a-z0-9-]+\.(?:openai\.azure\.(?:com|us|cn)|cognitiveservices\.azure\.(?:com|us|cn)|services\.ai\.azure\.(?:com|us|cn))"
)

_leases: WeakKeyDictionary[Upstream, Leases[str]] = WeakKeyDictionary()


async def headers(upstream: Upstream, model: Model) -> dict[str, str]:
    """The header that shows who asks; raises BadConfiguration, or UpstreamError where there is no token."""
    auth = _way(model)
    if auth == "key":
        return {"api-key": model.key.reveal()} if model.key else {}
    if auth != "client_secret" or not model.key:
        _keep_inside(model)
    place = (auth, model.origin, model.key, *sorted(model.options.items()), *map(os.environ.get, _NAMING))
    fetch = partial(_WAYS[auth], upstream, model)
    return {"Authorization": f"Bearer {await _leases.setdefault(upstream, Leases()).get(place, fetch)}"}


def _way(model: Model) -> str:
    """What was said of the model itself comes first, then its key, then what holds for all."""
    if not model.options.get("auth") and model.key:
        return "key"
    return option(OPTIONS, "auth", model)


def _keep_inside(model: Model) -> None:
    """A token for Homeport's own identity goes to Azure, or to where the operator's environment says."""
    parts = urlsplit(model.endpoint)
    if parts.scheme == "https" and parts.port in {None, 443} and _OWN.fullmatch(parts.hostname or ""):
        return
    named = os.environ.get("AZURE_OPENAI_ENDPOINT", "")
    if named and origin_of(named) == model.origin:
        return
    raise BadConfiguration(
        f"The endpoint of the model {model.name!r} is not Azure's, and tokens of Homeport's identity go nowhere else.",
        "Use an API key or a client secret of its own, or name the endpoint in AZURE_OPENAI_ENDPOINT.",
    )


def _cloud(model: Model) -> tuple[str, str]:
    """The domain of Azure's services and the host that gives tokens, by the endpoint's cloud."""
    return _CLOUDS.get((urlsplit(model.endpoint).hostname or "").rpartition(".")[2], _PUBLIC)


def _resource(domain: str) -> str:
    """What tokens are asked for."""
    host = f"cognitiveservices.{domain}"
    return f"https://{host}"


async def _secret(upstream: Upstream, model: Model) -> Lease[str]:
    secret = model.key.reveal() or os.environ.get("AZURE_CLIENT_SECRET", "")
    if not secret:
        raise _lacking(model, "client secret", "Store it as the model's key, or set AZURE_CLIENT_SECRET.")
    return await _token(upstream, model, {"client_secret": secret})


async def _workload(upstream: Upstream, model: Model) -> Lease[str]:
    file = os.environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    try:
        assertion = await asyncio.to_thread(Path(file).read_text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _lacking(
            model, "federated token", "AZURE_FEDERATED_TOKEN_FILE names no file that can be read."
        ) from error
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return await _token(upstream, model, {"client_assertion_type": kind, "client_assertion": assertion.strip()})


async def _token(upstream: Upstream, model: Model, proof: Mapping[str, str]) -> Lease[str]:
    tenant, client = option(OPTIONS, "tenant", model), option(OPTIONS, "client_id", model)
    if not tenant or not client:
        raise _lacking(model, "tenant or client id", "Set the options tenant and client_id.")
    domain, login = _cloud(model)
    base = (os.environ.get("AZURE_AUTHORITY_HOST") or f"https://{login}").rstrip("/")
    scope = f"{_resource(domain)}/.default"
    form = {"grant_type": "client_credentials", "client_id": client, "scope": scope, **proof}
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    call = _call(f"{base}/{tenant}/oauth2/v2.0/token", kind, urlencode(form).encode())
    return _lease(model, await fetched(upstream, model, "Entra ID", call, because=_because))


async def _managed(upstream: Upstream, model: Model) -> Lease[str]:
    """From App Service and the like where the platform says so, else from the virtual machine's metadata service."""
    client = option(OPTIONS, "client_id", model)
    query = {"resource": _resource(_cloud(model)[0])} | ({"client_id": client} if client else {})
    own, header = os.environ.get("IDENTITY_ENDPOINT", ""), os.environ.get("IDENTITY_HEADER", "")
    if own and header:
        url, sent = f"{own}?{urlencode({'api-version': '2019-08-01', **query})}", {"X-IDENTITY-HEADER": header}
    else:
        base = (os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or f"http://{METADATA}").rstrip("/")
        url = f"{base}/metadata/identity/oauth2/token?{urlencode({'api-version': '2018-02-01', **query})}"
        sent = {"Metadata": "true"}
    call = _call(url, sent, method="GET", metadata=True)
    return _lease(model, await fetched(upstream, model, "the managed identity service", call, because=_because))


def _call(
    url: str, sent: Mapping[str, str], body: bytes = b"", method: str = "POST", *, metadata: bool = False
) -> Call:
    return Call(url, sent, method, body, connect_s=2.0, first_byte_s=10.0, total_s=15.0, metadata=metadata)


def _because(body: bytes) -> str:
    """Entra's own number for what it refuses."""
    code = re.search(rb"AADSTS[0-9]{1,9}", body)
    return code[0].decode() if code else ""


def _lease(model: Model, answer: bytes) -> Lease[str]:
    try:
        found = orjson.loads(answer)
        ends = float(found["expires_on"]) if "expires_on" in found else time.time() + float(found["expires_in"])
        return Lease(str(found["access_token"]), ends)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        saw = f"No token for the model {model.name!r}: the answer of Azure's identity service holds none."
        raise UpstreamError(saw, "Look at the model's option auth.") from error


def _lacking(model: Model, what: str, fix: str) -> BadConfiguration:
    return BadConfiguration(f"The {what} for the model {model.name!r} is missing.", fix)


_WAYS: Mapping[str, Callable[[Upstream, Model], Awaitable[Lease[str]]]] = {
    "client_secret": _secret,
    "workload_identity": _workload,
    "managed_identity": _managed,
}
