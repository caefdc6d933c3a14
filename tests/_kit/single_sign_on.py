"""Single sign-on from outside: a browser without script, a real provider (Node) and one that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import shutil
import time
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from issuer import ec_key, jwk, rsa_key, signed
from middlemen import free_port
from offices import Shown
from script import ModelServer
from typing_extensions import override
from wire import line, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from issuer import PrivateKey
    from offices import Office
    from script import Peer

RECIPE = Path(__file__).with_name("provider")
INSTALLED = Path(__file__).resolve().parents[1] / ".build" / "provider"
NODE, NPM = shutil.which("node") or "", shutil.which("npm") or ""
MISSING = "" if NODE and NPM else "needs Node.js and npm, for a real OpenID provider"
HERE, DOOR = "/console/sso", "/console/sign-in"
SECRET = "s:e c/r%e&t"


class Browser:
    """Somebody's browser: keeps the cookies of this machine, and follows where it is told to."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    async def ask(self, url: str, fields: dict[str, str] | None = None, **headers: str) -> Shown:
        """One request, of a form where there are `fields`."""
        parts = urlsplit(url)
        sent = {"Host": parts.netloc, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if fields is not None:
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{parts.netloc}"}
        body = None if fields is None else urlencode(fields).encode()
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {name: value for name, value in (sent | headers).items() if value}
        async with line(parts.port or 80) as wire:
            await wire.send(request("GET" if fields is None else "POST", target, body, sent))
            answer = await wire.answer()
        for name, value in answer.headers:
            if name == "set-cookie":
                self._keep(value)
        return Shown(answer.status, answer.body.decode(), urljoin(url, answer.header("location") or ""))

    def _keep(self, header: str) -> None:
        name, _, rest = header.partition("=")
        value = rest.partition(";")[0]
        gone = not value or "max-age=0" in header.lower() or "expires=thu, 01 jan 1970" in header.lower()
        self.cookies.pop(name, None) if gone else self.cookies.__setitem__(name, value)

    async def follow(self, shown: Shown, until: str = " ") -> Shown:
        """Where redirects lead, or the redirect to an address that begins with `until`."""
        while 300 <= shown.status < 400 and not shown.location.startswith(until):
            shown = await self.ask(shown.location)
        return shown


async def fill(browser: Browser, shown: Shown, login: str, until: str) -> Shown:
    """Sign in on the pages of the provider's development forms and consent, until its answer leads to `until`."""
    for _page in range(4):
        if shown.status >= 300:
            break
        action = re.search(r'<form[^>]*action="([^"]+)"', shown.body)
        assert action is not None, shown.text
        hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', shown.body))
        typed = {"login": login, "password": "any"} if 'name="login"' in shown.body else {}
        shown = await browser.follow(await browser.ask(unescape(action[1]), hidden | typed), until)
    return shown


class Real(NamedTuple):
    """A real provider that runs."""

    url: str


@contextlib.asynccontextmanager
async def real_provider(at: str, *, slim: bool = True) -> AsyncIterator[Real]:
    """One for the Homeport at this address; with `slim`, claims are at its userinfo alone."""
    folder, port = await _installed(), free_port()
    told = {"port": port, "redirect": at + HERE, "after": at + DOOR, "slim": slim}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        NODE, str(folder / "provider.js"), json.dumps(told), stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n"
        yield Real(f"http://127.0.0.1:{port}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _installed() -> Path:
    """The folder with everything, installed by its lock where it is not yet; of two that do it at once, one wins."""
    if not _current():
        draft = INSTALLED.with_name(f"{INSTALLED.name}.{secrets.token_hex(4)}")
        await asyncio.to_thread(shutil.copytree, RECIPE, draft)
        command = (NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        npm = await asyncio.create_subprocess_exec(*command, cwd=draft)
        assert await npm.wait() == 0, "npm ci"
        await asyncio.to_thread(_put, draft)
    return INSTALLED


def _put(draft: Path) -> None:
    if not _current():
        shutil.rmtree(INSTALLED, ignore_errors=True)
        with contextlib.suppress(OSError):
            draft.rename(INSTALLED)
    shutil.rmtree(draft, ignore_errors=True)


def _current() -> bool:
    """Whether what is installed is what is wanted."""
    names = ("package-lock.json", "provider.js")
    return all((INSTALLED / each).exists() and _same(INSTALLED / each, RECIPE / each) for each in names)


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


class Rogue(ModelServer):
    """A provider whose every word a test decides; well-behaved at first."""

    def __init__(self) -> None:
        super().__init__()
        self.behave_again()

    def behave_again(self) -> None:
        """Forget everything, and be honest."""
        self.forget()
        self.keys: dict[str, PrivateKey] = {"k1": rsa_key(), "e1": ec_key()}
        self.published: dict[str, Any] = {}
        """What its discovery document says otherwise; `...` leaves it out."""
        self.claims: dict[str, Any] = {}
        """The same of its ID tokens."""
        self.more: dict[str, Any] = {"sub": "s-1"}
        """What its userinfo says."""
        self.nonce = ""
        self.kid = "k1"
        self.token: Callable[[], str] = self.honest
        self.answers: dict[str, Any] = {}
        """By path: plays that take a Peer, in place of the usual answer."""

    @property
    @override
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> dict[str, Any]:
        """The claims of an ID token."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": "homeport",
            "sub": "s-1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "email": "ada@example.com",
            "email_verified": True,
            "preferred_username": "ada",
            "groups": ["staff"],
        }
        return {name: value for name, value in (usual | self.claims).items() if value is not ...}

    def honest(self) -> str:
        """An ID token that is as it should be."""
        return signed(self.keys[self.kid], {"kid": self.kid, "typ": "JWT"}, self.said())

    def asked(self, path: str) -> list[Peer]:
        """What came to a path."""
        return [peer for peer in self.heard if peer.target.partition("?")[0] == path]

    @override
    async def behave(self, peer: Peer) -> None:
        path = peer.target.partition("?")[0]
        if path in self.answers:
            await self.answers[path](peer)
            return
        await peer.document(self._document(path), 200)

    def _document(self, path: str) -> Any:
        if path == "/token":
            return {"access_token": "at", "token_type": "Bearer", "id_token": self.token()}
        if path == "/jwks":
            return {"keys": [jwk(kid, key) for kid, key in self.keys.items()]}
        return self.more if path == "/me" else self._discovery()

    def _discovery(self) -> dict[str, Any]:
        usual = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/me",
            "end_session_endpoint": f"{self.url}/end",
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return {name: value for name, value in (usual | self.published).items() if value is not ...}


class Visitor(Browser):
    """A browser in front of an office whose provider is a rogue."""

    def __init__(self, office: Office, rogue: Rogue) -> None:
        super().__init__()
        self.at = f"http://127.0.0.1:{office.house.port}"
        self.rogue = rogue

    async def begin(self, query: str = "") -> dict[str, str]:
        """To the provider; gives what it was told there."""
        shown = await self.ask(f"{self.at}{HERE}{query}")
        assert shown.status == 303, shown.text
        assert shown.location.startswith(f"{self.rogue.url}/auth?"), shown.location
        told = {name: values[0] for name, values in parse_qs(urlsplit(shown.location).query).items()}
        self.rogue.nonce = told["nonce"]
        return told

    async def back(self, **query: str) -> Shown:
        """From the provider."""
        return await self.ask(f"{self.at}{HERE}?{urlencode(query)}")

    async def sign_in(self, query: str = "", **more: str) -> Shown:
        """There and back."""
        told = await self.begin(query)
        return await self.back(**({"state": told["state"], "code": "c-1"} | more))

    @property
    def signed_in(self) -> bool:
        """Whether there is a session's cookie."""
        return "homeport" in self.cookies


async def set_up(office: Office, issuer: str, secret: str = SECRET, client_id: str = "homeport", **more: str) -> None:
    """Single sign-on as an administrator would set it."""
    values = {"sso_issuer": issuer, "sso_client_id": client_id, **{f"sso_{name}": text for name, text in more.items()}}
    await office.store.set_single_sign_on(values, ("sso_client_secret", issuer, secret), by="tests")
