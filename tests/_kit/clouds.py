"""Clouds on loopback: AWS that checks signatures and speaks its binary framing, and who gives tokens in Azure."""

from __future__ import annotations

import json
import struct
import time
from binascii import crc32
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from typing_extensions import override

from homeport.kit.upstream import Reply, Truncated, Upstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from script import Peer

    from homeport.kit.upstream import Call

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"
WORDS = ("one", " + ", "two")
EVENT_STREAM = "application/vnd.amazon.eventstream"


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of AWS's event stream."""
    head = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    whole = prelude + struct.pack("!I", crc32(prelude)) + head + payload
    return whole + struct.pack("!I", crc32(whole))


def message(kind: str, data: Any) -> bytes:
    """An event of a converse stream, padded as Bedrock pads."""
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(named, json.dumps(data | {"p": "abcdefgh"[: 1 + len(kind) % 7]}).encode())


def exception(kind: str, text: str = "canary words of the server") -> bytes:
    """An exception in a stream."""
    named = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(named, json.dumps({"message": text}).encode())


def delta(text: str, index: int = 0) -> bytes:
    """A piece of text."""
    return message("contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": text}})


USAGE = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 14, "cacheReadInputTokens": 4}


def converse_stream(words: Iterable[str] = WORDS, stop: str = "end_turn") -> list[bytes]:
    """Every message of a proper stream."""
    return [
        message("messageStart", {"role": "assistant"}),
        *(delta(word) for word in words),
        message("contentBlockStop", {"contentBlockIndex": 0}),
        message("messageStop", {"stopReason": stop}),
        message("metadata", {"usage": USAGE, "metrics": {"latencyMs": 5}}),
    ]


def converse(words: Iterable[str] = WORDS, stop: str = "end_turn") -> dict[str, Any]:
    """A proper answer that is not streamed."""
    content = {"role": "assistant", "content": [{"text": "".join(words)}]}
    return {"output": {"message": content}, "stopReason": stop, "usage": USAGE, "metrics": {"latencyMs": 5}}


@dataclass(kw_only=True)
class Aws:
    """Bedrock, STS and both metadata services in one server; every signature is computed again by botocore."""

    known: dict[str, Credentials] = field(default_factory=lambda: {ACCESS: Credentials(ACCESS, SECRET)})
    """Who may ask: access keys with their secrets."""
    bearers: set[str] = field(default_factory=set)
    play: Callable[[Peer], Awaitable[None]] | None = None
    """How Bedrock itself answers, once the signature is right."""
    life_s: float = 3600.0
    issued: int = 0
    seen: list[str] = field(default_factory=list)
    """Services that were asked."""
    refuse_sts: str = ""
    """A code with which STS refuses."""

    async def __call__(self, peer: Peer) -> None:
        """Answer as the service at the path would."""
        path = urlsplit(peer.target).path
        if path.startswith("/latest/"):
            await self._instance(peer, path)
        elif path.startswith("/v2/credentials"):
            await self._container(peer)
        elif peer.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            await self._sts(peer)
        else:
            await self._bedrock(peer, path)

    async def _bedrock(self, peer: Peer, path: str) -> None:
        self.seen.append("bedrock")
        wrong = (
            "" if peer.headers.get("authorization", "").removeprefix("Bearer ") in self.bearers else self.wrong(peer)
        )
        if wrong:
            await refuse(peer, 403, wrong, "canary words")
        elif self.play is not None:
            await self.play(peer)
        elif path == "/foundation-models":
            await peer.document({"modelSummaries": [{"modelId": "meta.llama3-1-8b-instruct-v1:0"}]})
        elif path == "/inference-profiles":
            profile = {"inferenceProfileId": "eu.anthropic.claude-x", "inferenceProfileArn": "arn:aws:bedrock:p/1"}
            await peer.document({"inferenceProfileSummaries": [profile]})
        elif path.endswith("/converse"):
            await peer.document(converse())
        else:
            await peer.head(200, EVENT_STREAM)
            await peer.events(converse_stream())
            await peer.end()

    def wrong(self, peer: Peer, service: str = "bedrock") -> str:
        """What AWS would say of the signature, computed by AWS's own library; empty when it is right."""
        given = peer.headers.get("authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return "MissingAuthenticationTokenException"
        parts = dict(part.strip().split("=", 1) for part in given[17:].split(","))
        access, date, region, scope, end = parts["Credential"].split("/")
        keys = self.known.get(access)
        token = peer.headers.get("x-amz-security-token")
        if keys is None or token != keys.token:
            return "UnrecognizedClientException"
        request = AWSRequest(peer.method, f"http://{peer.headers['host']}{peer.target}", data=peer.body)
        for name in parts["SignedHeaders"].split(";"):
            request.headers[name] = peer.headers[name]
        request.context["timestamp"] = peer.headers["x-amz-date"]
        auth = SigV4Auth(keys, service, region)
        signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        late = abs(
            datetime.strptime(peer.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
            - time.time()
        )
        right = signature == parts["Signature"] and (scope, end, date) == (
            service,
            "aws4_request",
            peer.headers["x-amz-date"][:8],
        )
        return "" if right and late < 300 else "InvalidSignatureException"

    def temporary(self, access: str) -> dict[str, str]:
        """New temporary credentials that Bedrock accepts."""
        self.issued += 1
        keys = Credentials(access, f"secret{self.issued}", f"token{self.issued}")
        self.known[access] = keys
        ends = datetime.fromtimestamp(time.time() + self.life_s, UTC).isoformat().replace("+00:00", "Z")
        return {
            "AccessKeyId": access,
            "SecretAccessKey": keys.secret_key,
            "Token": keys.token or "",
            "Expiration": ends,
        }

    async def _sts(self, peer: Peer) -> None:
        form = {name: values[0] for name, values in parse_qs(peer.body.decode()).items()}
        action = form["Action"]
        self.seen.append(action)
        wrong = self.refuse_sts or (self.wrong(peer, "sts") if action == "AssumeRole" else "")
        if not wrong and form.get("WebIdentityToken", "good") != "good":
            wrong = "InvalidIdentityToken"
        if wrong:
            body = f"<ErrorResponse><Error><Code>{wrong}</Code><Message>canary</Message></Error></ErrorResponse>"
            await peer.document(body.encode(), 403, "text/xml")
            return
        made = self.temporary(f"ASIA{form['RoleArn'].rpartition('/')[2].upper():X<16}")
        made["SessionToken"] = made.pop("Token")
        inner = "".join(f"<{name}>{value}</{name}>\n" for name, value in made.items())
        await peer.document(f"<R><Credentials>\n{inner}</Credentials></R>".encode(), 200, "text/xml")

    async def _instance(self, peer: Peer, path: str) -> None:
        self.seen.append("instance")
        if peer.method == "PUT":
            assert peer.headers["x-aws-ec2-metadata-token-ttl-seconds"]
            await peer.document(b"imds-token", 200, "text/plain")
        elif peer.headers.get("x-aws-ec2-metadata-token") != "imds-token":
            await peer.document(b"", 401)
        elif path.endswith("/security-credentials/"):
            await peer.document(b"my-role\n", 200, "text/plain")
        else:
            assert path.endswith("/security-credentials/my-role")
            await peer.document({"Code": "Success", **self.temporary("ASIAINSTANCEXXXXXXXX")})

    async def _container(self, peer: Peer) -> None:
        self.seen.append("container")
        if peer.headers.get("authorization") == "container-token":
            await peer.document(self.temporary("ASIACONTAINERXXXXXXX"))
        else:
            await peer.document({"message": "canary"}, 401)


async def refuse(peer: Peer, status: int, kind: str, text: str, **more: Any) -> None:
    """An error as Bedrock sends it."""
    await peer.document({"message": text}, status, x_amzn_ErrorType=f"{kind}:http://internal.amazon.com/", **more)


def model_of(peer: Peer) -> str:
    """The model that a request to Bedrock names."""
    return unquote(peer.target.split("/")[2])


@dataclass(kw_only=True)
class Entra:
    """Whoever gives tokens in Azure: the login, App Service's endpoint and the virtual machine's."""

    life_s: float = 3600.0
    given: list[dict[str, str]] = field(default_factory=list)
    """What each token was asked for with."""
    refusal: tuple[int, Any] | None = None

    @property
    def token(self) -> str:
        """The newest token."""
        return f"entra-{len(self.given)}"

    async def __call__(self, peer: Peer) -> bool:
        """Answer, if it is for us."""
        parts = urlsplit(peer.target)
        asked = {name: values[0] for name, values in parse_qs(parts.query or peer.body.decode()).items()}
        if parts.path.endswith("/oauth2/v2.0/token"):
            asked["path"] = parts.path
            ends = {"expires_in": int(self.life_s)}
        elif parts.path.startswith(("/metadata/identity", "/msi/token")):
            proof = peer.headers.get("metadata") or peer.headers.get("x-identity-header")
            asked["proof"] = str(proof)
            ends = {"expires_on": str(int(time.time() + self.life_s))}  # type: ignore[dict-item]  # Azure's own form
        else:
            return False
        if self.refusal:
            await peer.document(self.refusal[1], self.refusal[0])
            return True
        self.given.append(asked)
        await peer.document({"token_type": "Bearer", "access_token": self.token, **ends})
        return True


class Played(Upstream):
    """An upstream without a network: a set answer, in set pieces; it remembers what was asked."""

    def __init__(self, *parts: bytes, status: int = 200, cut: bool = False, **headers: str) -> None:
        self.parts = parts
        self.status = status
        self.cut = cut
        self.headers = {name.lower().replace("_", "-"): value for name, value in headers.items()}
        self.calls: list[Call] = []

    @override
    async def open(self, call: Call) -> Reply:
        self.calls.append(call)
        return _Played(self)

    @override
    async def close(self) -> None:
        pass


class _Played(Reply):
    def __init__(self, play: Played) -> None:
        self.status = play.status
        self._left = [part for part in play.parts if part]
        self._play = play

    @override
    def header(self, name: str) -> str:
        return self._play.headers.get(name.lower(), "")

    @override
    async def read(self, limit: int) -> bytes:
        return b"".join(self._left)[:limit]

    @override
    async def part(self) -> bytes:
        if self._left:
            return self._left.pop(0)
        if self._play.cut:
            raise Truncated
        return b""

    @override
    def close(self) -> None:
        pass
