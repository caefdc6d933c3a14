"""The real console on a real port: with its database, and somebody who signed in."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from house import House, opened
from wire import request

from homeport import app
from homeport.access import sessions
from homeport.kit.vault import Vault
from homeport.store import people, schema
from homeport.store import sessions as session_rows
from homeport.store.database import Store
from homeport.store.records import User
from homeport.store.registry import Registry
from homeport.store.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Shown(NamedTuple):
    """A page as it came."""

    status: int
    body: str
    location: str

    @property
    def text(self) -> str:
        """What a reader sees of it."""
        return unescape(re.sub(r"<[^>]+>", " ", self.body))


class Office:
    """A console, and one browser in front of it."""

    def __init__(self, house: House, store: Store, vault: Vault) -> None:
        self.house = house
        self.store = store
        self.vault = vault
        self.cookie = ""
        self.cookies: dict[str, str] = {}
        self.request_log: RequestLog

    async def written(self) -> None:
        """Wait until every request that has ended is in the request log."""
        self.house.app.door.book.settle()
        await self.request_log.settle()

    async def sign_in(self, name: str = "ada", role: Any = "admin") -> None:
        """Be somebody of this role, who is made if need be."""
        value = sessions.mint()
        digest = sessions.digest(self.vault.derive(sessions.PEPPER), value)
        async with self.store._change("tests") as change:  # noqa: SLF001 (one of the store's own changes, not two)
            await people.put(change, User(name=name, role=role))
            await session_rows.begin(replace(change, by=name), digest, name, sessions.LONGEST)
        self.cookie = value

    async def be(self, name: str, role: Any) -> None:
        """Be somebody who goes on where they were signed in, if that session still lasts."""
        self.cookie = self.cookies.get(name, "")
        digest = sessions.digest(self.vault.derive(sessions.PEPPER), self.cookie)
        if not self.cookie or not await self.store.session(digest, sessions.LONGEST):
            await self.sign_in(name, role)
            self.cookies[name] = self.cookie

    @property
    def key(self) -> str:
        """What forms of this session carry."""
        return sessions.form_key(self.vault.derive(sessions.PEPPER), self.cookie)

    async def get(self, path: str, **headers: str) -> Shown:
        """A page."""
        return await self.ask("GET", path, **headers)

    async def send(self, path: str, do: str, **fields: str) -> Shown:
        """A form, as a browser sends it from its page."""
        body = urlencode({"do": do, "key": self.key if self.cookie else "", **fields})
        return await self.ask("POST", path, body.encode())

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Shown:
        """One request; `headers` win over what a browser would send."""
        async with self.house.line() as wire:
            await wire.send(self.asking(method, path, body, **headers))
            answer = await wire.answer()
        for name, value in answer.headers:
            if name == "set-cookie":
                self.cookie = value.partition("=")[2].partition(";")[0]
        return Shown(answer.status, answer.body.decode(), answer.header("location") or "")

    def asking(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """The bytes of a request."""
        usual = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://127.0.0.1:{self.house.port}",
            "Host": f"127.0.0.1:{self.house.port}",
            "Sec-Fetch-Site": "same-origin",
        }
        if method == "GET":
            usual = {"Host": usual["Host"]}
        if self.cookie:
            usual["Cookie"] = f"homeport={self.cookie}"
        sent = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return request(method, path, body, {name: value for name, value in sent.items() if value})


async def _empty() -> Path:
    """A folder of databases with tables and nothing in them, made once for each process of tests."""
    if not _made:
        folder = Path(tempfile.mkdtemp())
        await schema.upgrade(f"sqlite+aiosqlite:///{folder / 'office.db'}")
        log = await RequestLog.open(f"sqlite+aiosqlite:///{folder / 'requests.db'}")
        await log.close()
        _made.append(folder)
    return _made[0]


_made: list[Path] = []


@contextlib.asynccontextmanager
async def office_at(folder: Path, database: str = "", **settings: Any) -> AsyncIterator[Office]:
    """A console with a database of its own, whose models are those of the scripted server; one that is there stays.

    `database` is the address of another one, with our tables.
    """
    if not (folder / "office.db").exists():
        shutil.copytree(await _empty(), folder, dirs_exist_ok=True)
    database = database or f"sqlite+aiosqlite:///{folder / 'office.db'}"
    vault = Vault()
    store = await Store.open(database, vault)
    registry = Registry(store, 60.0)
    await registry.refresh()
    made = partial(_desk, store, vault)
    log = await RequestLog.open(f"sqlite+aiosqlite:///{folder / 'requests.db'}")
    try:
        async with opened(desk=made, registry=registry, store=store, request_log=log, **settings) as house:
            office = Office(house, store, vault)
            office.request_log = log
            yield office
    finally:
        await log.close()
        await store.close()


def _desk(store: Store, vault: Vault, settings: Any, bench: Any, prober: Any) -> Any:
    return app._desk(settings, store, vault, bench, prober)  # noqa: SLF001 (as the instance does it)
