"""The real application on a real loopback port, in front of a scripted model server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from script import ModelServer
from typing_extensions import override
from wire import Answer, Line, line, request

from homeport import app
from homeport.access import SCOPES, tokens
from homeport.access.gate import Gate
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Snapshot, Token
from homeport.front import readiness
from homeport.kit import server
from homeport.kit.logs import Logs
from homeport.kit.metrics import Metrics
from homeport.kit.settings import load
from homeport.kit.upstream_http import HttpUpstream
from homeport.store.following import Following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping, Sequence
    from pathlib import Path

    from homeport.access.federation import Federation
    from homeport.access.gate import Verifier
    from homeport.store.registry import Registry

PEPPER = b"p" * 32
KEY = "sk-canary-of-the-model-9f2c"
TOKEN = tokens.mint()
FIM, PREFIX, WORDS = "fim-model", "prefix-model", "words-model"
LIMITS = Limits(connect_s=8, first_token_s=8, idle_s=8, total_s=20, queue_s=8, context_tokens=32_768)
SHORT = {"connect_s": 0.4, "first_token_s": 0.4, "idle_s": 0.4}
"""Limits for tests that wait until one has passed."""


class Ledger(Logs):
    """The real logs, which also keep each line."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(level="DEBUG", as_json=False, file=file)
        self.lines: list[dict[str, Any]] = []

    @override
    def _emit(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        self.lines.append(dict(line))
        return super()._emit(_logger, _method, line)


class House:
    """Homeport and its model server, and short ways to talk to both."""

    def __init__(self, model_server: ModelServer, logs: Ledger) -> None:
        self.models = model_server
        self.logs = logs
        self.metrics = Metrics()
        self.snapshot = Snapshot()
        self.asked = 0
        self.questions: list[tuple[Any, bytearray]] | None = None
        """Each scope with its body as far as it was read, for who puts a list here."""
        self.app: app.Homeport
        self.server: server.Server
        self.transport: HttpUpstream
        self.port = 0
        self.stopped: asyncio.Task[None]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count requests on their way in: each must have its line in the log."""
        self.asked += 1
        noted = receive if self.questions is None else noting(receive, scope, self.questions)
        await self.app(scope, noted, send)

    def furnish(self, limits: Limits = LIMITS) -> None:
        """Three models, every feature assigned, one token that may do everything; nothing known of their health."""
        self.app.door.bench.health._records.clear()  # noqa: SLF001 (nothing but a new process forgets it)
        self.app.door.bench.budget._left.clear()  # noqa: SLF001 (the same)
        self.app.door.gate._guesses._of.clear()  # noqa: SLF001 (the same)
        families = {FIM: "qwen_coder", PREFIX: "smollm", WORDS: "general"}
        serves = {"code_completions": FIM, "code_generations": WORDS, "chat": WORDS}
        self.snapshot = Snapshot(
            models={name: self.model(name, family=family, limits=limits) for name, family in families.items()},
            features={
                name: FeatureSetting(feature=name, assignment="model", model=model) for name, model in serves.items()
            },
            tokens={tokens.digest(PEPPER, TOKEN): Token(name="all", owner="ada", scopes=frozenset(SCOPES))},
        )

    def model(self, name: str, **fields: Any) -> Model:
        """A model that the scripted server serves."""
        usual = {"endpoint": self.models.url, "identifier": f"served-{name}", "key": Secret(KEY), "limits": LIMITS}
        return Model(name=name, platform="openai", **(usual | fields))

    def limit(self, **limits: Any) -> None:
        """Change a limit of every model."""
        models = self.snapshot.models.values()
        changed = (replace(each, limits=replace(each.limits, **limits)) for each in models)
        self.snapshot = self.snapshot.with_models(*changed)

    def assign(self, feature: str, assignment: Any, model: str = "", *fallbacks: str) -> None:
        """Change one feature's setting."""
        setting = FeatureSetting(feature=feature, assignment=assignment, model=model, fallbacks=fallbacks)
        self.snapshot = replace(self.snapshot, features={**self.snapshot.features, feature: setting})

    def admit(self, **fields: Any) -> str:
        """A new token with these fields."""
        token = tokens.mint()
        row = Token(**({"name": "t", "owner": "bob"} | fields))
        self.snapshot = replace(self.snapshot, tokens={**self.snapshot.tokens, tokens.digest(PEPPER, token): row})
        return token

    def line(self, **options: Any) -> contextlib.AbstractAsyncContextManager[Line]:
        """A raw connection."""
        return line(self.port, **options)

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, token: str = TOKEN
    ) -> Answer:
        """One request on a connection of its own."""
        async with self.line() as wire:
            await wire.send(asking(method, path, body, headers, token))
            return await wire.answer(bodiless=method == "HEAD")

    async def post(self, path: str, body: Any, token: str = TOKEN, **headers: str) -> Answer:
        """A POST of JSON, or of bytes as they stand."""
        return await self.ask("POST", path, body, {name.replace("_", "-"): v for name, v in headers.items()}, token)

    async def get(self, path: str, token: str = TOKEN, **headers: str) -> Answer:
        """A GET."""
        return await self.ask("GET", path, None, {name.replace("_", "-"): v for name, v in headers.items()}, token)

    def records(self) -> list[dict[str, Any]]:
        """The lines of finished requests."""
        self.app.door.book.settle()
        return [each for each in self.logs.lines if each["logger"] == "api.access"]

    async def record(self, number: int = 1) -> dict[str, Any]:
        """The line of the request with this number, once there is one."""
        await eventually(lambda: len(self.records()) >= number)
        return self.records()[number - 1]

    @property
    def capacity(self) -> Any:
        """Seats at the models."""
        return self.app.door.bench.capacity

    def quiet(self) -> bool:
        """Whether nothing is going on."""
        seats = sum(self.capacity.running(model) for model in self.snapshot.models.values())
        return not seats and not self.capacity.queued() and len(self.records()) == self.asked


def noting(receive: Any, scope: Any, questions: list[tuple[Any, bytearray]]) -> Any:
    """A `receive` that adds the request to these."""
    body = bytearray()
    questions.append((scope, body))

    async def noted() -> Any:
        message = await receive()
        body.extend(message.get("body", b""))
        return message

    return noted


def asking(
    method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, token: str = TOKEN
) -> bytes:
    """The bytes of a request to Homeport."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    return request(method, path, data, fields | (headers or {}))


async def eventually(true: Any, seconds: float = 30.0) -> None:
    """Wait until `true()` is; raises TimeoutError when it does not become so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def opened(  # noqa: PLR0913 (what a house may be given)
    *,
    file: Path | None = None,
    verifiers: Sequence[Verifier] = (),
    registry: Registry | None = None,
    desk: Any = None,
    store: Any = None,
    request_log: Any = None,
    llm_log: Any = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """A house that is furnished and serves until the block ends.

    With a `registry`, that says what there is; with a `desk`, from the settings, it has a console.
    """
    logs = Ledger(file)
    logs.install()
    async with ModelServer().listening() as model_server, contextlib.AsyncExitStack() as stack:
        house = House(model_server, logs)
        chosen = load(metrics_port=-1, **settings)
        house.transport = HttpUpstream()
        parts = _parts(house, chosen, verifiers, app._federation(chosen, stack))  # noqa: SLF001 (as the roles do it)
        if registry is not None:
            known = partial(getattr, registry, "current")
            gate = Gate(known, PEPPER, verifiers=verifiers, editors=chosen.direct_connections)
            parts = replace(parts, snapshot=known, gate=gate, desk=desk and partial(desk, chosen), store=store)
            parts = replace(parts, follow=Following(chosen, registry).tell)
        tracing = app._tracing(chosen, house.metrics, stack)  # noqa: SLF001 (as serve() does it)
        parts = replace(parts, request_log=request_log, llm_log=llm_log, tracing=tracing)
        house.app = app.build(chosen, parts, house.transport, house.metrics, logs)
        house.furnish()
        model_server.catalogue = model_server.behave
        try:
            async with contextlib.AsyncExitStack() as asking_servers, _serving(house, chosen):
                follow = house.app.door.bench.measures.windows.follow(app._tells_windows(house.transport))  # noqa: SLF001 (as serve() does it)
                app._background(asking_servers, follow)  # noqa: SLF001 (see above)
                yield house
        finally:
            await house.transport.close()
            logs.close()
            structlog.reset_defaults()
            logging.getLogger().handlers.clear()


def _parts(house: House, settings: Any, verifiers: Sequence[Verifier], federation: Federation | None) -> app.Parts:
    known = () if federation is None else (federation.verifier,)
    bypass = readiness.bypass(settings)
    gate = Gate(lambda: house.snapshot, PEPPER, bypass=bypass, verifiers=(*verifiers, *known))
    return app.Parts(snapshot=lambda: house.snapshot, gate=gate, federation=federation)


@contextlib.asynccontextmanager
async def _serving(house: House, settings: Any) -> AsyncIterator[None]:
    listener = server.listen("127.0.0.1", 0)
    house.port = listener.getsockname()[1]
    started = asyncio.Event()
    house.server = server.Server(
        server.configure(house, app._times(settings), house.app.sockets),  # noqa: SLF001 (what serve() does itself)
        on_start=started.set,
        on_stop=house.app.stopping,
    )
    house.stopped = asyncio.create_task(house.server.serve(sockets=[listener]))
    await started.wait()
    try:
        yield
    finally:
        house.server.should_exit = True
        await house.stopped
