"""AWS credentials: where they come from, and that they go nowhere but to AWS.

They are taken from the model's own key, from what the `AWS_*` variables name, or from a source
that the model's `credentials` option (or HOMEPORT_AWS_CREDENTIALS) chose. A metadata service is
asked only when it was chosen. No program is run to get any.

Sources: AWS SDKs and Tools Reference Guide, "Standardized credential providers"; AWS STS API
Reference; Amazon EC2 User Guide, "Use IMDS".
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from configparser import ConfigParser
from configparser import Error as BadFile
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

import orjson

from homeport.domain.errors import BadConfiguration, UpstreamError, UpstreamRefused
from homeport.domain.models import origin_of
from homeport.kit.upstream import Call
from homeport.providers import Option, _wire, option
from homeport.providers._leases import Lease, Leases, fetched
from homeport.providers._sigv4 import Keys, Scope, sign

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from homeport.domain.models import Model
    from homeport.kit.upstream import Upstream

OPTIONS: Mapping[str, Option] = {
    "region": Option(
        text="The AWS region that is asked.",
        form=r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}",
        like="eu-central-1",
        variables=("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
        needed=True,
    ),
    "credentials": Option(
        text="Where the credentials come from; unset: the model's key, and without one what the `AWS_*` variables say.",
        values=("key", "environment", "profile", "assume_role", "web_identity", "container", "instance"),
        variables=("HOMEPORT_AWS_CREDENTIALS",),
    ),
    "profile": Option(
        text="The profile in AWS's own files; for `credentials=profile`.",
        form=r"[\w.@+-]{1,100}",
        like="default",
        variables=("AWS_PROFILE",),
        default="default",
    ),
    "role_arn": Option(
        text="The role to assume; for `credentials=assume_role` and `web_identity`.",
        form=r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}",
        like="arn:aws:iam::123456789012:role/homeport",
        variables=("AWS_ROLE_ARN",),
    ),
    "external_id": Option(
        text="What the role's trust policy wants to hear.", form=r"[\w+=,.@:/-]{2,1224}", like="homeport-prod"
    ),
}
SESSION = "homeport"
SESSION_S = 3600
STATIC_S = 120.0
"""Keys that do not end are looked up again before so many seconds are over."""
DEPTH = 5
"""Profiles that a profile may stand on."""
_NAMING = ("AWS_PROFILE", "AWS_ROLE_ARN")
"""Variables that say whose credentials are meant."""
METADATA = "169.254.169.254"
CONTAINER = "169.254.170.2"
_CONTAINER_HOSTS = {"localhost", "127.0.0.1", "::1", CONTAINER, "169.254.170.23", "fd00:ec2::23"}
_KEYS = re.compile(r"(A[A-Z0-9]{15,127}):([^:\s]+)(?::(\S+))?")
_KEY = re.compile(rf"{_KEYS.pattern}|ABSK\S+|bedrock-api-key-\S+")
"""Keys that are AWS's beyond doubt: for signing, and long and short Bedrock API keys."""
_OWN = (
    r"(?:vpce-[a-z0-9-]+\.)?bedrock(?:-runtime)?(?:-fips)?\.{region}\."
    r"(?:vpce\.)?(?:amazonaws\.(?:com|com\.cn|eu)|api\.aws)"
)


class Credentials(NamedTuple):
    """What shows AWS who asks: keys that sign, or a Bedrock API key."""

    keys: Keys | None = None
    bearer: str = ""


_leases: WeakKeyDictionary[Upstream, Leases[Credentials]] = WeakKeyDictionary()


async def signed(upstream: Upstream, model: Model, region: str, call: Call) -> Call:
    """A call that shows AWS who asks; raises BadConfiguration or UpstreamError where credentials are lacking."""
    found = await _credentials(upstream, model, region, call.url)
    if found.keys is None:
        return call._replace(headers={**call.headers, "Authorization": f"Bearer {found.bearer}"})
    return call._replace(headers=sign(found.keys, Scope(region, "bedrock"), call))


async def _credentials(upstream: Upstream, model: Model, region: str, url: str) -> Credentials:
    source = _source(model)
    if source == "key":
        return _of_key(model)
    if not (model.key and source == "assume_role"):
        _keep_inside(model, region, url)
    if source == "environment" and (named := _named(os.environ)):
        return named
    leases = _leases.setdefault(upstream, Leases())
    place = (source, region, model.key, *sorted(model.options.items()), *map(os.environ.get, _NAMING))
    return await leases.get(place, partial(_SOURCES[source], Asking(upstream, model, region)))


def _source(model: Model) -> str:
    """What was said of the model itself comes first, then its key, then what holds for all.

    A carried key that is no AWS one is what GitLab's form wants to see filled in, and passed over.
    """
    said = model.options.get("credentials")
    if not said and model.key and (model.registered or _KEY.fullmatch(model.key.reveal())):
        return "key"
    return option(OPTIONS, "credentials", model) or "environment"


def _keep_inside(model: Model, region: str, url: str) -> None:
    """Credentials that are not the model's own go to AWS, or to where the operator's environment says."""
    parts = urlsplit(url)
    theirs = _OWN.replace("{region}", re.escape(region))
    if parts.scheme == "https" and parts.port in {None, 443} and re.fullmatch(theirs, parts.hostname or ""):
        return
    if origin_of(url) in {origin_of(each) for each in endpoints() if each}:
        return
    raise BadConfiguration(
        f"The endpoint of the model {model.name!r} is not AWS's, and Homeport's own AWS credentials go nowhere else.",
        "Store a key with the model, or name the endpoint in AWS_BEDROCK_RUNTIME_ENDPOINT.",
    )


def endpoints() -> tuple[str, ...]:
    """Where the operator's environment says that Bedrock is."""
    return tuple(
        os.environ.get(name, "") for name in ("AWS_BEDROCK_RUNTIME_ENDPOINT", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    )


def _of_key(model: Model) -> Credentials:
    """`ACCESS_KEY_ID:SECRET_ACCESS_KEY`, perhaps with `:SESSION_TOKEN`; anything else is a Bedrock API key."""
    plain = model.key.reveal()
    if not plain:
        raise BadConfiguration(
            f"The model {model.name!r} shall use its own key, and has none.",
            "Give it ACCESS_KEY_ID:SECRET_ACCESS_KEY or a Bedrock API key (--api-key-env).",
        )
    found = _KEYS.fullmatch(plain)
    return Credentials(keys=Keys(found[1], found[2], found[3] or "")) if found else Credentials(bearer=plain)


def _named(environ: Mapping[str, str], *, bearer: bool = True) -> Credentials | None:
    """What the variables hold themselves."""
    if bearer and environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return Credentials(bearer=environ["AWS_BEARER_TOKEN_BEDROCK"])
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if access and secret:
        return Credentials(keys=Keys(access, secret, environ.get("AWS_SESSION_TOKEN", "")))
    return None


class Asking(NamedTuple):
    """For whom credentials are fetched, and by which way."""

    upstream: Upstream
    model: Model
    region: str


async def _environment(asking: Asking, *, bearer: bool = True) -> Lease[Credentials]:
    """What the variables hold or name, in AWS's own order, metadata services left out."""
    named = _named(os.environ, bearer=bearer)
    if named:
        return _static(named)
    if os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and os.environ.get("AWS_ROLE_ARN"):
        return await _web_identity(asking)
    if os.environ.get("AWS_PROFILE") or "default" in await asyncio.to_thread(_profiles):
        return await _profile(asking)
    raise BadConfiguration(
        f"No AWS credentials are configured for the model {asking.model.name!r}.",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_BEARER_TOKEN_BEDROCK or AWS_PROFILE, store a key with "
        "the model, or choose a source: HOMEPORT_AWS_CREDENTIALS=instance, container or another.",
    )


async def _profile(asking: Asking) -> Lease[Credentials]:
    profiles = await asyncio.to_thread(_profiles)
    return await _resolved(asking, profiles, option(OPTIONS, "profile", asking.model), DEPTH)


async def _resolved(
    asking: Asking, profiles: Mapping[str, Mapping[str, str]], name: str, depth: int
) -> Lease[Credentials]:
    """The credentials of a profile, which may be those of a role that another one assumes."""
    if name not in profiles or not depth:
        saw = f"There is no AWS profile {name!r}." if depth else "The AWS profiles stand on one another without end."
        raise BadConfiguration(saw, f"Known: {', '.join(profiles) or 'none'} (in {' and '.join(map(str, _files()))}).")
    found = profiles[name]
    if found.get("role_arn") and found.get("web_identity_token_file"):
        return await _web_identity(asking, found["role_arn"], found["web_identity_token_file"])
    if found.get("role_arn") and found.get("credential_source") in _BY_NAME:
        base = await _BY_NAME[found["credential_source"]](asking)
        return await _assumed(asking, base, found["role_arn"], found.get("external_id", ""))
    if found.get("role_arn") and found.get("source_profile", name) != name:
        base = await _resolved(asking, profiles, found["source_profile"], depth - 1)
        return await _assumed(asking, base, found["role_arn"], found.get("external_id", ""))
    access, secret = found.get("aws_access_key_id"), found.get("aws_secret_access_key")
    if not access or not secret:
        saw = f"The AWS profile {name!r} holds no keys and no role that Homeport could assume."
        raise BadConfiguration(
            saw, "Programs (credential_process) and single sign-on are not used: give keys or a role."
        )
    base = _static(Credentials(keys=Keys(access, secret, found.get("aws_session_token", ""))))
    role = found.get("role_arn")
    return await _assumed(asking, base, role, found.get("external_id", "")) if role else base


def _files() -> tuple[Path, Path]:
    """AWS's own files, the one with credentials last."""
    home = os.environ.get("HOME", "/")
    config = os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    credentials = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    found = (Path(home, each[2:]) if each.startswith("~/") else Path(each) for each in (config, credentials))
    return next(found), next(found)


def _profiles() -> dict[str, dict[str, str]]:
    """Every profile of both files; what the credentials file says wins. Raises BadConfiguration."""
    found: dict[str, dict[str, str]] = {}
    for file in _files():
        parser = ConfigParser(interpolation=None, default_section="", strict=False)
        try:
            parser.read(file, encoding="utf-8")
        except (BadFile, OSError, UnicodeDecodeError) as error:
            raise BadConfiguration(
                f"The AWS file {file} cannot be read.", "See its form with `aws configure`."
            ) from error
        for section in parser.sections():
            found.setdefault(section.removeprefix("profile "), {}).update(parser[section])
    return found


def _static(found: Credentials) -> Lease[Credentials]:
    return Lease(found, time.time() + STATIC_S)


async def _assume_role(asking: Asking) -> Lease[Credentials]:
    model = asking.model
    role = option(OPTIONS, "role_arn", model)
    if not role:
        raise _no_role(model)
    base = _static(_of_key(model)) if model.key else await _environment(asking, bearer=False)
    return await _assumed(asking, base, role, option(OPTIONS, "external_id", model))


async def _assumed(asking: Asking, base: Lease[Credentials], role: str, external_id: str) -> Lease[Credentials]:
    """A role's temporary credentials, asked for with others (STS AssumeRole)."""
    if base.value.keys is None:
        saw = f"A role is assumed with access keys, and the model {asking.model.name!r} has a Bedrock API key."
        raise BadConfiguration(saw, "Give ACCESS_KEY_ID:SECRET_ACCESS_KEY.")
    more = {"ExternalId": external_id} if external_id else {}
    form = {"RoleArn": role, "RoleSessionName": SESSION, "DurationSeconds": SESSION_S} | more
    return await _sts(asking, "AssumeRole", form, base.value.keys)


async def _web_identity(asking: Asking, role: str = "", file: str = "") -> Lease[Credentials]:
    """A role's temporary credentials, asked for with a token that the platform keeps fresh in a file."""
    role = role or option(OPTIONS, "role_arn", asking.model)
    file = file or os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    if not role:
        raise _no_role(asking.model)
    token = await asyncio.to_thread(_read, file, "AWS_WEB_IDENTITY_TOKEN_FILE")
    session = os.environ.get("AWS_ROLE_SESSION_NAME") or SESSION
    form = {"RoleArn": role, "RoleSessionName": session, "WebIdentityToken": token}
    return await _sts(asking, "AssumeRoleWithWebIdentity", form, None)


def _no_role(model: Model) -> BadConfiguration:
    return BadConfiguration(
        f"No role is named for the model {model.name!r}.", "Set its option role_arn, or AWS_ROLE_ARN."
    )


def _read(file: str, variable: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(
            f"The token file of AWS cannot be read: {file or 'none'}.", f"Correct {variable}."
        ) from error


async def _sts(asking: Asking, action: str, form: Mapping[str, Any], keys: Keys | None) -> Lease[Credentials]:
    url = f"{sts_endpoint(asking.region)}/"
    body = urlencode({"Action": action, "Version": "2011-06-15", **form}).encode()
    sent = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    call = _call(url, sent, body, metadata=False)
    if keys:
        call = call._replace(headers=sign(keys, Scope(asking.region, "sts"), call))
    answer = await _fetched(asking, f"AWS STS ({action})", call)
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    found = {name: re.search(rf"<{name}>\s*([^<]+?)\s*</{name}>", answer.decode(errors="replace")) for name in names}
    return _lease("AWS STS", asking, {name: match[1] for name, match in found.items() if match}, token="SessionToken")  # noqa: S106 (the name of a field)


def sts_endpoint(region: str) -> str:
    """Where STS of the region is, or where the operator's environment says."""
    return (os.environ.get("AWS_ENDPOINT_URL_STS") or own("sts", region)).rstrip("/")


def own(service: str, region: str) -> str:
    """AWS's own address of a service in a region."""
    domain = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}.get(region.partition("-")[0], "amazonaws.com")
    host = f"{service}.{region}.{domain}"
    return f"https://{host}"


async def _instance(asking: Asking) -> Lease[Credentials]:
    """The role of the virtual machine, from its metadata service in version 2."""
    base = (os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or f"http://{METADATA}").rstrip("/")
    what = "the metadata service of the instance"
    ask = {"X-aws-ec2-metadata-token-ttl-seconds": "60", "Content-Length": "0"}
    token = await _fetched(asking, what, _call(f"{base}/latest/api/token", ask, method="PUT"))
    known = {"X-aws-ec2-metadata-token": token.decode(errors="replace").strip()}
    place = f"{base}/latest/meta-data/iam/security-credentials/"
    try:
        roles = (await _fetched(asking, what, _call(place, known, method="GET"))).decode(errors="replace").split()
    except UpstreamRefused as error:
        if error.upstream_status != _wire.NOT_FOUND:
            raise
        roles = []
    if not roles or not re.fullmatch(r"[\w+=,.@-]{1,128}", roles[0]):
        raise BadConfiguration("The instance has no role.", "Attach one that may call Bedrock.")
    answer = await _fetched(asking, what, _call(place + roles[0], known, method="GET"))
    return _lease(what, asking, _json(answer))


async def _container(asking: Asking) -> Lease[Credentials]:
    """The role of the container or pod, from the address that the platform put into the environment."""
    relative, full = (os.environ.get(f"AWS_CONTAINER_CREDENTIALS_{each}_URI", "") for each in ("RELATIVE", "FULL"))
    url = f"http://{CONTAINER}/{relative.lstrip('/')}" if relative else full
    parts = urlsplit(url)
    if not url or (parts.scheme != "https" and parts.hostname not in _CONTAINER_HOSTS):
        saw = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and …FULL_URI name no address that may be asked."
        raise BadConfiguration(saw, "Give the task or the pod a role; its platform sets them.")
    file = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if file:
        token = await asyncio.to_thread(_read, file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    call = _call(url, {"Authorization": token} if token else {}, method="GET")
    what = "the credentials service of the container"
    return _lease(what, asking, _json(await _fetched(asking, what, call)))


def _call(url: str, sent: Mapping[str, str], body: bytes = b"", method: str = "POST", *, metadata: bool = True) -> Call:
    """A quick question; only a source that was chosen may be a metadata service."""
    return Call(url, sent, method, body, connect_s=2.0, first_byte_s=5.0, total_s=10.0, metadata=metadata)


async def _fetched(asking: Asking, what: str, call: Call) -> bytes:
    return await fetched(asking.upstream, asking.model, what, call, because=_because)


def _because(body: bytes) -> str:
    """STS's own code for what it refuses."""
    code = re.search(rb"<Code>([A-Za-z.]{1,60})</Code>", body)
    return code[1].decode() if code else ""


def _json(answer: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _lease(what: str, asking: Asking, found: Mapping[str, Any], token: str = "Token") -> Lease[Credentials]:  # noqa: S107 (the name of a field)
    """Temporary credentials as AWS's services write them."""
    try:
        keys = Keys(str(found["AccessKeyId"]), str(found["SecretAccessKey"]), str(found.get(token) or ""))
        ends = datetime.fromisoformat(found["Expiration"]).timestamp()
    except (KeyError, TypeError, ValueError) as error:
        saw = f"No credentials for the model {asking.model.name!r}: the answer of {what} holds none."
        raise UpstreamError(saw, "Look at the model's option credentials.") from error
    return Lease(Credentials(keys=keys), ends)


_SOURCES: Mapping[str, Callable[[Asking], Awaitable[Lease[Credentials]]]] = {
    "environment": _environment,
    "profile": _profile,
    "assume_role": _assume_role,
    "web_identity": _web_identity,
    "container": _container,
    "instance": _instance,
}
_BY_NAME: Mapping[str, Callable[[Asking], Awaitable[Lease[Credentials]]]] = {
    "Environment": partial(_environment, bearer=False),
    "EcsContainer": _container,
    "Ec2InstanceMetadata": _instance,
}
