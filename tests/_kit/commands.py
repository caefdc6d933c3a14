"""The real command line, and a real instance for it to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from dataclasses import dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any

import structlog
from click.testing import CliRunner
from script import WORDS, ModelServer, Peer, document

from homeport import app
from homeport.cli import _first_run, main
from homeport.diagnostics._prove import HOLES, SHORT_TEXT
from homeport.domain.models import FeatureSetting, Limits, Model, Secret
from homeport.kit.logs import Logs
from homeport.kit.settings import load
from homeport.kit.vault import Vault
from homeport.store import schema
from homeport.store.database import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from homeport.kit.settings import Settings

KEY = "sk-canary-of-the-model-9f2c"
SERVED = "served-coder"
LIMITS = Limits(connect_s=1, first_token_s=5, idle_s=5, total_s=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one document."""
        return json.loads(self.out)


def homeport(*arguments: str, typed: str = "", **environment: str | None) -> Ran:
    """Run a command to its end."""
    result = CliRunner().invoke(main, list(arguments), input=typed, env=environment, prog_name="homeport")
    return Ran(code=result.exit_code, out=result.stdout, err=result.stderr)


@contextlib.contextmanager
def clean_environment(folder: Path) -> Iterator[None]:
    """No setting but the data directory, and nothing of the checkout in sight."""
    before, here = dict(os.environ), os.getcwd()  # noqa: PTH109 (what chdir takes back)
    for name in before:
        if name.startswith(("HOMEPORT_", "AIGW_", "NO_COLOR")):
            del os.environ[name]
    os.environ["HOMEPORT_DATA_DIR"] = str(folder)
    os.environ["HOMEPORT_METRICS_PORT"] = "-1"
    os.environ["HOMEPORT_PORT"] = "9"  # nobody listens there, whatever else runs on this machine
    os.chdir(folder.parent)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def _words(peer: Peer) -> list[str]:
    """What a good model would say: only a hole whose other side it was shown is filled."""
    asked = peer.json
    if peer.kind == "chat":
        return ["5"] if "2 + 3" in str(asked["messages"]) else ["one", " + ", "two"]
    filled = (hole.wanted for hole in HOLES if hole.after in asked["prompt"] or hole.after == asked.get("suffix"))
    return [next(filled, "one"), "\n"]


class Instance:
    """A running Homeport with one model, and the scripted server behind it."""

    def __init__(self, settings: Settings, models: ModelServer) -> None:
        self.settings = settings
        self.models = models
        self.served = [SERVED]
        self.template = 0
        """Tokens that its server puts around plain text."""
        self.url = ""
        self.used: Store
        """The server's own."""
        self._files: dict[str, bytes] = {}
        self._as_kept: list[tuple[str, int, int, int]] = []
        models.play = self.play

    async def play(self, peer: Peer) -> None:
        """Behave like vLLM: a list of models, a key, nothing outside /v1; it can add, and fill holes in code."""
        if not peer.target.startswith("/v1/"):
            await peer.document({"detail": "Not Found"}, status=404)
        elif peer.headers.get("authorization") != f"Bearer {KEY}":
            await peer.document({"error": "Unauthorized"}, status=401)
        elif peer.method == "GET":
            await peer.document({"object": "list", "data": [{"id": name} for name in self.served]})
        elif peer.json.get("prompt") == SHORT_TEXT:
            usage = {"prompt_tokens": self.template + 2, "completion_tokens": 1, "total_tokens": self.template + 3}
            await peer.document({**document("text", " c"), "usage": usage})
        else:
            told = self.models.words != list(WORDS)
            await self.models.behave(peer, () if told else _words(peer))

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The store, for changes that are seen at once."""
        store = await Store.open(self.settings.sqlalchemy_url(), Vault.at(self.settings.data_dir))
        try:
            yield store
        finally:
            await store.close()

    async def edit(self, name: str = "coder", **changes: Any) -> None:
        """Change a model."""
        async with self.store() as store:
            await store.edit_model(name, changes, by="test")
        await self.seen()

    async def keep(self) -> None:
        """Remember how everything is now."""
        await schema.backup(self.settings.sqlalchemy_url(), self.settings.data_dir / "kept.db")
        self._files = {name: (self.settings.data_dir / name).read_bytes() for name in ("keys", "token")}

    async def reset(self) -> None:
        """Make everything as it was kept."""
        self.models.forget()
        self.models.play = self.play
        self.served = [SERVED]
        self.template = 0
        for name, content in self._files.items():
            file = self.settings.data_dir / name
            file.write_bytes(content)
            file.chmod(0o600)
        if self._database() != self._as_kept:
            await schema.restore(self.settings.sqlalchemy_url(), self.settings.data_dir / "kept.db")
            await self.seen()
            self._as_kept = self._database()

    def _database(self) -> list[tuple[str, int, int, int]]:
        """What changes with every write: to open and close the file would end SQLite's locks on it."""
        stats = ((file.name, file.stat()) for file in sorted(self.settings.data_dir.glob("homeport.db*")))
        return [(name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats]

    async def seen(self) -> None:
        """Have the server look at what the store holds now, as it soon would."""
        follower = next(each for each in self.used._listeners if isinstance(each, MethodType))  # noqa: SLF001 (what the server follows)
        await follower.__self__.refresh()

    async def run(self, *arguments: str, typed: str = "", **environment: str | None) -> Ran:
        """Run a command beside the server."""
        here: dict[str, str | None] = {"HOMEPORT_DATA_DIR": str(self.settings.data_dir)}
        return await asyncio.to_thread(homeport, *arguments, typed=typed, **(here | environment))


async def _begin(instance: Instance, store: Store) -> None:
    instance.used = store
    await furnish(store, instance.settings, instance.models.url)


async def furnish(store: Store, settings: Settings, endpoint: str) -> None:
    """What `up` sets up, but for the model, which is the scripted one."""
    await _first_run.provision(store, settings.data_dir, Vault.at(settings.data_dir))
    model = Model(
        name="coder",
        platform="openai",
        family="qwen_coder",
        endpoint=endpoint,
        identifier=SERVED,
        key=Secret(KEY),
        limits=LIMITS,
    )
    await store.add_model(model, by="test")
    for feature in _first_run.FEATURES:
        await store.set_feature(FeatureSetting(feature=feature, assignment="model", model="coder"), by="test")


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Instance]:
    """An instance that serves until the block ends."""
    with clean_environment(folder):
        async with ModelServer().listening() as models:
            instance = Instance(load(port=0, refresh_s=0.1), models)
            logs = Logs(level="ERROR", as_json=True)
            logs.install()
            try:
                async with _served(instance, logs):
                    yield instance
            finally:
                logs.close()
                structlog.reset_defaults()
                logging.getLogger().handlers.clear()


@contextlib.asynccontextmanager
async def _served(instance: Instance, logs: Logs) -> AsyncIterator[None]:
    at = asyncio.get_running_loop().create_future()
    settings = instance.settings
    main_task = asyncio.create_task(
        app.run_instance(
            settings,
            logs,
            ready=at.set_result,
            before=lambda store: _begin(instance, store),
        )
    )
    await asyncio.wait([at, main_task], return_when=asyncio.FIRST_COMPLETED)
    if main_task.done():
        await main_task
    instance.url = at.result()
    await instance.keep()
    try:
        yield
    finally:
        if not main_task.done():
            signal.raise_signal(signal.SIGTERM)
            await main_task
