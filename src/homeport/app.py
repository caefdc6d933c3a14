"""Puts the rooms together; the only place where everything is known."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import gc
import os
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import structlog
import uvloop

from homeport import __version__, console, families, features, protocols, providers
from homeport.access import sessions, tokens
from homeport.access.gate import MAKES, Gate
from homeport.console import Page, _layout
from homeport.console._desk import Desk
from homeport.console._languages import FOLDER, languages
from homeport.diagnostics._connection import Prober
from homeport.diagnostics._examination import Examiner
from homeport.diagnostics._health import take_in
from homeport.domain.errors import BadConfiguration, BadRequest, StoreUnavailable
from homeport.domain.models import FeatureSetting, Model, Snapshot, origin_of
from homeport.domain.requests import EmbeddingRequest
from homeport.domain.verbose import Verbose
from homeport.families import Family, resolve
from homeport.features import Feature, Workbench
from homeport.features._capacity import Capacity
from homeport.features._carried import Carrier
from homeport.features._default import default_model
from homeport.features._folder import load as load_wordings
from homeport.features._measure import Measures
from homeport.features._probe import probe
from homeport.features._shadow import Shadows
from homeport.features._windows import Windows
from homeport.front import papers, paths, readiness
from homeport.front.pages import Pages
from homeport.front.paths import Homeport, Lost
from homeport.kit import server
from homeport.kit.discover import discover
from homeport.kit.extra_headers import listed
from homeport.kit.journal import facts
from homeport.kit.logs import Rotated, Sink
from homeport.kit.metrics import Load, Metrics
from homeport.kit.otlp import Exporter
from homeport.kit.upstream_http import HttpUpstream
from homeport.kit.vault import Vault
from homeport.protocols import WireProtocol
from homeport.protocols._book import Book
from homeport.protocols._endpoint import Door
from homeport.protocols._llm_log import BYTES as LLM_LOG_BYTES
from homeport.protocols._llm_log import LlmLog
from homeport.protocols._spans import Tracing
from homeport.providers import Provider
from homeport.providers._engine import PLATFORM, Engine
from homeport.routing.budget import Budget
from homeport.store import models_file
from homeport.store.docs_index import Docs, search

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from homeport.access.federation import Federation
    from homeport.kit.logs import Logs
    from homeport.kit.settings import LogContent, Settings
    from homeport.kit.upstream import Upstream
    from homeport.protocols._endpoint import Endpoint, Several
    from homeport.store.database import Store
    from homeport.store.following import Following
    from homeport.store.registry import Registry
    from homeport.store.request_log import RequestLog

log = structlog.get_logger()

LAST_USED_S = 15.0
FORGET_S = 60.0
RUN_FILE = "run.json"
"""In the data directory while an instance runs: its URL and process id."""
ASSIGNED_BY = (
    "Choose a model for it in GitLab's Admin area, name one in the models file of the gateway "
    "(HOMEPORT_MODELS_FILE), or set HOMEPORT_DEFAULT_ENDPOINT and HOMEPORT_DEFAULT_IDENTIFIER."
)
"""How a feature gets a model at a gateway without a database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What differs between the roles: where the registry comes from and who is let in."""

    snapshot: Callable[[], Snapshot]
    gate: Gate
    trouble: Callable[[], str] = str
    federation: Federation | None = None
    """What is known about signed tokens; None where none is accepted."""
    locate: Callable[[Model], Model] = lambda model: model
    """A model with the address where it can be asked: an embedded one knows it only while it runs."""
    desk: Callable[[Workbench, Prober], Desk] | None = None
    """Makes what the console's pages work with; None where there is no console."""
    store: Store | None = None
    """What an instance remembers; None at a gateway."""
    request_log: RequestLog | None = None
    """Where an instance writes down requests that have ended; None where none are kept."""
    llm_log: LlmLog | None = None
    tracing: Tracing | None = None
    """Where spans of requests go; None where no traces are collected."""
    assigned_by: str = features.ASSIGNED_BY
    """How a feature gets a model, for people."""
    trusts_bodies: bool = False
    """Whether models that requests carry are called unless the operator says otherwise."""
    log_content: LogContent = "never"
    """When prompts and answers are logged unless the operator says otherwise."""
    follow: Callable[[Callable[[Settings], None]], None] = lambda _listener: None
    """Calls a listener with the settings that count, now and whenever an administrator changed them."""


def build(settings: Settings, parts: Parts, upstream: Upstream, metrics: Metrics, logs: Logs) -> Homeport:
    """The application, from finished parts."""
    shelf = discover(protocols, WireProtocol)
    kinds = discover(providers, Provider)
    bench = _workbench(settings, parts, upstream, kinds)
    _look_at_docs(settings)
    carrier = _carrier(settings, parts, kinds)
    metrics.loads = partial(loads, bench, carrier)
    prober = Prober(
        settings=settings,
        upstream=upstream,
        providers=kinds,
        families=bench.families,
        locate=parts.locate,
        examiner=Examiner(settings=settings, upstream=upstream),
        tested=partial(take_in, bench),
    )
    door = Door(
        bench=bench,
        gate=parts.gate,
        carrier=carrier,
        federation=parts.federation,
        book=_book(metrics, logs, bench, parts),
        body_limit=settings.body_limit,
        log_content=settings.content_logged(parts.log_content),
        verbose=_verbose(settings, parts),
        supersede=settings.supersede,
        keep_s=settings.responses_s,
        store=parts.store,
        request_log=parts.request_log,
        url=settings.url,
        prober=prober,
    )
    _measure(metrics, bench, logs, parts)
    desk = parts.desk(bench, prober) if parts.desk is not None else None
    routes = _routes(door, shelf, desk)
    parts.follow(partial(_obey, door, desk, upstream))
    return Homeport(routes, door, Lost(door, sorted(routes)))


def _obey(door: Door, desk: Desk | None, upstream: Upstream, settings: Settings) -> None:
    """Take in what an administrator set: others read it where it stands, without asking anybody."""
    door.url = settings.url.rstrip("/")
    if desk is not None:
        desk.settings = settings
    if isinstance(upstream, HttpUpstream):
        upstream.deny(settings.closed_networks)


def _routes(door: Door, shelf: Mapping[str, WireProtocol], desk: Desk | None) -> dict[str, Endpoint | Several]:
    """Which path leads where; `desk` is what the console's pages work with."""
    first = papers.first(desk.languages if desk else None)
    routes = paths.routes(door, (*shelf.values(), first, papers.documents(shelf.values())))
    door.again = partial(paths.again, routes)
    return routes | _console(door, desk) if desk is not None else routes


def _console(door: Door, desk: Desk) -> dict[str, Pages]:
    """The console's routes; both sides know what they share."""
    desk.request_log, desk.again = door.request_log, door.again
    door.pepper, door.passwords = desk.pepper, desk.passwords
    pages = Pages(door, desk)
    return dict.fromkeys(("/console", "/console/", "/console/{page}"), pages)


def _book(metrics: Metrics, logs: Logs, bench: Workbench, parts: Parts) -> Book:
    return Book(
        metrics,
        logs.request,
        bench.features,
        keep=None if parts.request_log is None else parts.request_log.enter,
        llm_log=parts.llm_log,
        teams=lambda: parts.snapshot().teams,
        tracing=parts.tracing,
    )


def _verbose(settings: Settings, parts: Parts) -> Callable[[], bool] | None:
    """Whether an administrator has content logged for a while; None: an operator who said never has the last word."""
    return None if settings.log_content == "never" else Verbose(parts.snapshot)


def _measure_log(metrics: Metrics, request_log: RequestLog) -> None:
    """Show whether the request log keeps up."""
    lost = "Requests that were not written into the request log"
    metrics.watch("homeport_request_log_lost", lost, lambda: request_log.lost)
    silent = "Requests that were written into the request log without what was said in them"
    metrics.watch("homeport_request_log_content_lost", silent, lambda: request_log.lost_content)
    waiting = "Requests that wait to be written into the request log"
    metrics.watch("homeport_request_log_waiting", waiting, lambda: request_log.waiting)


def _workbench(settings: Settings, parts: Parts, upstream: Upstream, kinds: Mapping[str, Provider]) -> Workbench:
    every_family, every_feature = discover(families, Family), discover(features, Feature)
    return Workbench(
        snapshot=parts.snapshot,
        families=every_family,
        generate={key: partial(kind.generate, upstream) for key, kind in kinds.items()},
        counts={key: partial(kind.count, upstream) for key, kind in kinds.items() if kind.count},
        features=every_feature,
        overrides=load_wordings(settings.prompts_dir, every_feature, every_family),
        capacity=Capacity(),
        shadows=Shadows(),
        budget=_budget(upstream),
        measures=Measures(Windows(settings.default_context_tokens)),
        docs=Docs(settings.docs_file),
        text_platforms=frozenset(key for key, kind in kinds.items() if kind.text),
        streaming=not settings.disable_streaming,
        trouble=parts.trouble,
        assigned_by=parts.assigned_by,
        closed=lambda: readiness.closed(settings, parts.federation, parts.snapshot(), gateway=parts.trusts_bodies),
        completion_prompt_tokens=settings.completion_prompt_tokens,
        completion_context_share=settings.completion_context_share,
        completion_suffix_share=settings.completion_suffix_share,
    )


def _budget(upstream: Upstream) -> Budget:
    """Of retries, those on a new connection to the same server among them."""
    budget = Budget()
    if isinstance(upstream, HttpUpstream):
        upstream.may_resend = partial(_may_resend, budget)
    return budget


def _may_resend(budget: Budget) -> bool:
    """Whether the request at hand has a retry left; what is no request of a feature's, as a probe, always has."""
    feature = facts().get("feature")
    return not feature or budget.spend(feature)


def _carrier(settings: Settings, parts: Parts, kinds: Mapping[str, Provider]) -> Carrier:
    return Carrier(
        snapshot=parts.snapshot,
        platforms=_prefixes(kinds),
        without_endpoint=_without_endpoint(kinds),
        accepted=settings.custom_models,
        trusted=parts.trusts_bodies if settings.trust_body_endpoints is None else settings.trust_body_endpoints,
        origins=settings.allowed_model_origins,
        engine_limits=settings.model_engine_limits,
        timeout_s=settings.model_timeout,
    )


def _measure(metrics: Metrics, bench: Workbench, logs: Logs, parts: Parts) -> None:
    """Show what only this process knows: who is busy, who is left alone, what was lost."""
    metrics.watch("homeport_lost_log_lines", "Log lines lost to a full disk or a slow reader", lambda: logs.dropped)
    if parts.llm_log is not None:
        metrics.watch("homeport_llm_log_lost", "Lines lost to llm.log: a full disk", parts.llm_log.lost)
    if parts.request_log is not None:
        _measure_log(metrics, parts.request_log)
    bench.health.on_change = _told_of_health
    metrics.watch(
        "homeport_models_left_alone",
        "Model servers that are left alone because they failed",
        bench.health.left_alone,
    )
    for what in ("asked", "failed", "dropped"):
        text = f"Requests copied to a shadow model: {what}"
        metrics.watch(f"homeport_shadow_{what}", text, partial(getattr, bench.shadows, what))
    metrics.watch("homeport_queued_requests", "Requests that wait for a model", bench.capacity.queued)


def _told_of_health(server: tuple[str, str], healthy: bool) -> None:  # noqa: FBT001 (a callback)
    name, endpoint = server
    if healthy:
        log.info("model answers again", model=name, origin=origin_of(endpoint))
    else:
        log.warning("model left alone for a while: it failed several times", model=name, origin=origin_of(endpoint))


def _tells_windows(upstream: Upstream) -> dict[str, Callable[[Model], Awaitable[int]]]:
    """By platform: what asks its servers how many tokens a model takes."""
    kinds = discover(providers, Provider).items()
    return {key: partial(kind.window, upstream) for key, kind in kinds if kind.window is not None}


def _prefixes(kinds: Mapping[str, Provider]) -> dict[str, str]:
    """What an identifier may begin with, and the platform that each names."""
    return {prefix: key for key, kind in kinds.items() for prefix in kind.prefixes}


def _without_endpoint(kinds: Mapping[str, Provider]) -> set[str]:
    return {key for key, kind in kinds.items() if not kind.needs_endpoint}


def loads(bench: Workbench, carrier: Carrier) -> Iterable[Load]:
    """How busy each model is, registered or named in requests; read by another thread whenever somebody scrapes."""
    registered = [model for model in list(bench.snapshot().models.values()) if model.enabled]
    # one that came with two keys is one model still
    for model in {(each.name, each.endpoint): each for each in (*carrier.models(), *registered)}.values():
        told = model.limits.context_tokens or bench.measures.windows.told(model)
        window = told or bench.family(model).context_tokens
        running, limits = bench.capacity.running(model), model.limits
        yield Load(model.platform, model.name, running, limits.concurrency, window, limits.output_tokens)


async def serve(
    settings: Settings,
    parts: Parts,
    logs: Logs,
    *,
    metrics: Metrics,
    listener: socket.socket,
    ready: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM."""
    async with contextlib.AsyncExitStack() as stack:
        upstream = HttpUpstream(
            denied_networks=settings.closed_networks,
            ca_file=settings.ca_file,
            proxy=settings.proxy,
            no_proxy=settings.no_proxy,
        )
        stack.push_async_callback(upstream.close)
        parts = replace(parts, tracing=_tracing(settings, metrics, stack))
        app = build(settings, parts, upstream, metrics, logs)
        bench = app.door.bench
        stack.push_async_callback(bench.shadows.close)
        kinds = discover(providers, Provider).items()
        _background(stack, probe(bench, {key: partial(kind.served, upstream) for key, kind in kinds}))
        _background(stack, app.door.bench.measures.windows.follow(_tells_windows(upstream)))
        if parts.federation:
            _watch(metrics, parts.federation)

        def stop() -> None:
            app.stopping()
            if running.server_state.tasks:
                count = len(running.server_state.tasks)
                log.warning("stopping, waiting for open requests", open_requests=count, at_most_s=settings.drain_s)

        running = server.Server(server.configure(app, _times(settings), app.sockets), on_start=ready, on_stop=stop)
        # what exists now lives as long as the process: the collector need not look at it again
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)
        await running.serve(sockets=[listener])
        app.door.book.settle()


def _tracing(settings: Settings, metrics: Metrics, stack: contextlib.AsyncExitStack) -> Tracing | None:
    """Where spans go, sent off until the stack closes."""
    if not settings.otlp_endpoint:
        return None
    upstream = HttpUpstream(ca_file=settings.ca_file, proxy=settings.proxy, no_proxy=settings.no_proxy)
    stack.push_async_callback(upstream.close)
    resource = {"service.name": "homeport", "service.version": __version__, "service.instance.id": uuid4().hex}
    exporter = Exporter(upstream, settings.otlp_endpoint, listed(settings.otlp_headers.get_secret_value()), resource)
    stack.push_async_callback(exporter.close)
    _background(stack, exporter.follow())
    metrics.watch("homeport_lost_traces", "Requests whose traces nobody got", lambda: exporter.lost)
    metrics.watch("homeport_waiting_traces", "Requests whose traces wait to be sent", lambda: exporter.waiting)
    return Tracing(exporter, settings.otlp_share, settings.otlp_content)


def _times(settings: Settings) -> server.Times:
    return server.Times(
        head_s=settings.head_s,
        body_s=settings.body_s,
        keep_alive_s=settings.keep_alive_s,
        stall_s=settings.write_stall_s,
        drain_s=settings.drain_s,
        connections=settings.connections,
    )


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a program on uvloop."""

    async def unlisted() -> None:
        # whoever makes a generator closes it: a list of those that are open costs each request several microseconds
        sys.set_asyncgen_hooks(firstiter=None)
        await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(unlisted())


async def run_instance(
    settings: Settings,
    logs: Logs,
    *,
    ready: Callable[[str], None],
    on_step: Callable[[str], None] = lambda _step: None,
    before: Callable[[Store], Awaitable[None]] | None = None,
) -> None:
    """Both roles in one process, with the database. `before` may provision; `ready` is told the address."""
    # here, so that the gateway role never loads what knows SQL
    from homeport.store.following import Following  # noqa: PLC0415 (see above)
    from homeport.store.registry import Registry  # noqa: PLC0415 (see above)

    async with contextlib.AsyncExitStack() as stack:
        # first of all, so that a taken port is told before anything was started
        listener, where = _listen(stack, settings.host, settings.port)
        metrics = _measured(stack, settings, "127.0.0.1")
        on_step("database")
        store, vault = await _store(settings, stack, before)
        registry = Registry(store, settings.refresh_s)
        await registry.refresh()
        federation = _federation(settings, stack)
        pepper = vault.derive(tokens.PEPPER)
        gate = _gate(settings, lambda: registry.current, pepper, federation, lambda: registry.healthy)
        following = Following(settings, registry)
        engine = Engine(threads=settings.embedded_threads, weights=settings.embedded_model)
        await _start(engine, registry.current, on_step, stack)
        _background(stack, registry.follow())
        _background(stack, _note_use(store, gate))
        _background(stack, _forget_audit(store, following))
        on_step("listening")
        parts = Parts(
            snapshot=_Located(registry, engine, following),
            gate=gate,
            request_log=await _request_log(settings, following, stack),
            llm_log=_llm_log(settings, stack),
            trouble=lambda: readiness.trouble(registry, engine) or readiness.missing_keys(federation),
            federation=federation,
            store=store,
            locate=engine.locate,
            desk=partial(_desk, settings, store, vault),
            follow=following.tell,
        )
        told = partial(_announce, settings, stack, where, ready)
        await serve(settings, parts, logs, metrics=metrics, listener=listener, ready=told)


async def _start(
    engine: Engine, snapshot: Snapshot, on_step: Callable[[str], None], stack: contextlib.AsyncExitStack
) -> None:
    """Start the embedded model, if one is registered; the stack stops it."""
    if any(model.platform == PLATFORM and model.enabled for model in snapshot.models.values()):
        on_step("embedded model")
        await engine.start()
        stack.push_async_callback(engine.stop)


async def _store(
    settings: Settings, stack: contextlib.AsyncExitStack, before: Callable[[Store], Awaitable[None]] | None
) -> tuple[Store, Vault]:
    """The database, brought up to date and open until the stack closes, and its root keys."""
    from homeport.store import root_keys, schema  # noqa: PLC0415 (as in run_instance)
    from homeport.store.database import Store  # noqa: PLC0415 (as above)

    url = settings.sqlalchemy_url()
    await schema.upgrade(url, on_wait=lambda what: log.warning("database locked", reason=what))
    vault = await root_keys.vault_of(url, settings.data_dir)
    store = await Store.open(url, vault)
    stack.push_async_callback(store.close)
    if before is not None:
        await before(store)
    return store, vault


async def _request_log(settings: Settings, following: Following, stack: contextlib.AsyncExitStack) -> RequestLog | None:
    """The request log, written until the stack closes; what is wrong with it keeps nobody from being served."""
    from homeport.store import request_log  # noqa: PLC0415 (as in run_instance)

    if not settings.request_log_days:
        return None
    address = request_log.address(settings.sqlalchemy_url(), str(settings.data_dir))
    try:
        opened = await request_log.RequestLog.open(address)
    except StoreUnavailable as error:
        log.warning("no request is written down: the request log cannot be opened", reason=str(error))
        return None
    stack.push_async_callback(opened.close)
    following.tell(lambda found: opened.keep(request_log.kept(found)))
    _background(stack, opened.follow())
    _background(stack, opened.tidy_up())
    _background(stack, opened.catch_up())
    return opened


def _llm_log(settings: Settings, stack: contextlib.AsyncExitStack) -> LlmLog | None:
    """The log of what models were asked, written until the stack closes; without a file that can be, there is none."""
    file = settings.llm_log_file
    try:
        sink = Sink(Rotated(file, LLM_LOG_BYTES))
    except OSError as error:
        log.warning("llm.log is not written: the file cannot be opened", file=str(file), reason=str(error))
        return None
    stack.callback(sink.close)
    return LlmLog(sink.write, lambda: sink.dropped)


def _desk(settings: Settings, store: Store, vault: Vault, bench: Workbench, prober: Prober) -> Desk:
    """What the console's pages work with."""
    # here, so that the gateway role does not load what knows passwords
    from homeport.access.oidc import Providers  # noqa: PLC0415 (see above)
    from homeport.access.passwords import Passwords  # noqa: PLC0415 (see above)

    return Desk(
        store=store,
        vault=vault,
        bench=bench,
        settings=settings,
        pepper=vault.derive(sessions.PEPPER),
        token_pepper=vault.derive(tokens.PEPPER),
        passwords=Passwords(),
        upstream=prober.upstream,
        providers=prober.providers,
        single_sign_on=Providers(),
        prober=prober,
        pages={page.path: page for page in discover(console, Page).values()},
        languages=languages((FOLDER, settings.data_dir / "texts"), _layout.scripts()),
    )


def _announce(settings: Settings, stack: contextlib.AsyncExitStack, url: str, ready: Callable[[str], None]) -> None:
    """Leave a note of where we run for the command line, for as long as we do."""
    note = settings.data_dir / RUN_FILE
    known = {"url": url, "pid": os.getpid(), **settings.model_dump(include={"metrics_host", "metrics_port"})}
    note.write_bytes(orjson.dumps(known))
    stack.callback(note.unlink, missing_ok=True)
    ready(url)


async def run_gateway(settings: Settings, logs: Logs, *, ready: Callable[[str], None]) -> None:
    """The gateway alone: no database; models, features and tokens from a file, if there is one."""
    vault = Vault()
    pepper = vault.derive(tokens.PEPPER)
    seal = partial(tokens.seal, pepper)
    registry = models_file.Watched(settings.models_file, seal, _fits) if settings.models_file else None
    if registry and settings.models_file:
        _known(registry.current, settings.models_file)
    snapshot = _default(settings)
    current: Callable[[], Snapshot] = (lambda: registry.current) if registry else (lambda: snapshot)
    async with contextlib.AsyncExitStack() as stack:
        listener, where = _listen(stack, settings.gateway_host, settings.gateway_port)
        metrics = _measured(stack, settings, "0.0.0.0")  # noqa: S104 (as the original; it shows no content)
        if registry:
            _background(stack, registry.follow())
        federation = _federation(settings, stack)
        await serve(
            settings,
            Parts(
                snapshot=current,
                gate=_gate(settings, current, pepper, federation, makes=readiness.MADE_ELSEWHERE),
                trouble=lambda: readiness.missing_keys(federation) or readiness.missing_models(settings, current()),
                federation=federation,
                assigned_by=ASSIGNED_BY,
                trusts_bodies=True,
                log_content="header" if settings.gitlab_url else "never",
            ),
            logs,
            metrics=metrics,
            listener=listener,
            ready=lambda: ready(where),
        )


def _fits(model: Model) -> None:
    """Raise BadRequest for a platform that a gateway does not have or an option that the platform does not have."""
    if model.platform == PLATFORM:
        saw = "The embedded model runs inside `homeport up` and `homeport serve`, not in a gateway."
        raise BadRequest(saw, "Reach it there, as an OpenAI-compatible endpoint.", param="platform")
    providers.check(discover(providers, Provider), model.platform, model.options)


def _known(snapshot: Snapshot, file: Path) -> Snapshot:
    """The same; raises BadConfiguration for settings of a feature that there is not."""
    known = discover(features, Feature)
    for name in snapshot.features:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            listed = ", ".join(each for each, feature in known.items() if feature.listed)
            fix = f"Did you mean {near[0]}?" if near else f"There are: {listed}."
            raise BadConfiguration(f"The models file {file} names a feature {name!r}, and there is none.", fix)
    return snapshot


def _look_at_docs(settings: Settings) -> None:
    """Say that an index is missing that was named; raises BadConfiguration for another file."""
    if settings.docs_index is None:
        return
    try:
        search(settings.docs_index, "homeport", 1)
    except FileNotFoundError:
        log.warning(
            "the documentation index is not there: chat answers without documents",
            file=str(settings.docs_index),
            by="HOMEPORT_DOCS_INDEX",
            fix="homeport docs index DIR makes it",
        )


def _default(settings: Settings) -> Snapshot:
    """A registry of the one model that the settings name, for requests that name none, or an empty one.

    Raises BadConfiguration for one that cannot be called.
    """
    kinds = {key: kind for key, kind in discover(providers, Provider).items() if key != PLATFORM}
    model = default_model(settings, _prefixes(kinds), _without_endpoint(kinds))
    if model is None:
        return Snapshot()
    asked_as, known = resolve(model.family, discover(families, Family))
    if not known:
        log.warning("unknown family of the default model", by="HOMEPORT_DEFAULT_FAMILY", asked_as=asked_as)
    every = discover(features, Feature).items()
    family = discover(families, Family)[asked_as]
    serves = (
        name
        for name, feature in every
        if feature.listed and not feature.inherits and (feature.request is EmbeddingRequest) is family.embeds
    )
    return Snapshot(
        models={model.name: model},
        features={name: FeatureSetting(feature=name, assignment="model", model=model.name) for name in serves},
    )


def _federation(settings: Settings, stack: contextlib.AsyncExitStack) -> Federation | None:
    """What is known about signed tokens, kept current until the stack closes; raises BadConfiguration."""
    # here, because its cryptography takes a while to load
    from homeport.access.federation import configured, federate  # noqa: PLC0415 (see above)

    if not configured(settings):
        return None
    upstream = HttpUpstream(ca_file=settings.ca_file)
    stack.push_async_callback(upstream.close)
    federation = federate(settings, upstream)
    _background(stack, federation.issuers.follow())
    return federation


def _watch(metrics: Metrics, federation: Federation) -> None:
    """Show how fresh the keys of token issuers are."""
    states = federation.issuers.states
    metrics.watch(
        "homeport_token_issuers_without_keys",
        "Token issuers whose keys are not known",
        lambda: sum(state.age_s is None for state in states()),
    )
    metrics.watch(
        "homeport_token_keys_age_seconds",
        "Age of the oldest keys of a token issuer",
        lambda: max((state.age_s or 0.0 for state in states()), default=0.0),
    )


def _gate(
    settings: Settings,
    snapshot: Callable[[], Snapshot],
    pepper: bytes,
    federation: Federation | None,
    fresh: Callable[[], bool] = lambda: True,
    makes: str = MAKES,
) -> Gate:
    verifiers = () if federation is None else (federation.verifier,)
    return Gate(
        snapshot,
        pepper,
        bypass=readiness.bypass(settings),
        verifiers=verifiers,
        fresh=fresh,
        makes=makes,
        editors=settings.direct_connections,
    )


class _Located:
    """The registry's snapshot in which embedded models know where their engine answers, and all how long to wait.

    It is made anew only on change.
    """

    def __init__(self, registry: Registry, engine: Engine, following: Following) -> None:
        self._registry = registry
        self._engine = engine
        self._following = following
        self._of: tuple[Snapshot, str, str] | None = None
        self._made = Snapshot()

    def __call__(self) -> Snapshot:
        """The snapshot of this moment."""
        current, where = self._registry.current, self._engine.address
        why = "" if where else self._engine.trouble
        if self._of is None or self._of[0] is not current or self._of[1:] != (where, why):
            self._of = current, where, why
            waiting = current.with_models(*self._following.waiting(current.models.values()))
            models = (each for each in waiting.models.values() if each.platform == PLATFORM)
            self._made = waiting.with_models(*(self._engine.locate(model) for model in models))
        return self._made


def _listen(stack: contextlib.AsyncExitStack, host: str, port: int) -> tuple[socket.socket, str]:
    """A listener that the stack closes, and its URL."""
    listener = server.listen(host, port)
    stack.callback(listener.close)
    return listener, address(host, listener.getsockname()[1])


def _measured(stack: contextlib.AsyncExitStack, settings: Settings, usual: str) -> Metrics:
    """Metrics, at their port until the stack closes, on the `usual` address; raises OSError when it is taken."""
    metrics = Metrics()
    if settings.metrics_port >= 0:
        host = settings.metrics_host or usual
        try:
            stack.callback(metrics.serve(host, settings.metrics_port))
        except OSError as error:
            if "HOMEPORT_" in str(error):
                raise
            saw = f"The metrics page cannot be shown at {host}: {str(error.strerror).rstrip('.')}."
            fix = "Choose another address with HOMEPORT_METRICS_HOST (or AIGW_FASTAPI__METRICS_HOST)."
            raise OSError(error.errno, f"{saw} {fix}") from error
    return metrics


def address(host: str, port: int) -> str:
    """The URL at which this machine reaches a listener."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 (compared, not bound)
    return f"http://{name}:{port}"


def _background(stack: contextlib.AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until the stack closes."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(stop)


async def _note_use(store: Store, gate: Gate) -> None:
    """Write down now and then when tokens were used, and forget removed models whose time is over.

    What a database that is away did not take is kept.
    """
    used: dict[bytes, datetime] = {}
    while True:
        await asyncio.sleep(LAST_USED_S)
        used |= gate.drain_last_used()
        try:
            await store.touch_tokens(used)
            used = {}
            await store.forget_removed()
        except StoreUnavailable as error:
            log.warning("last use of tokens not written", reason=error.code)


async def _forget_audit(store: Store, following: Following) -> None:
    """Forget changes that are older than the settings say, now and then and when those were changed."""
    changed = asyncio.Event()
    following.tell(lambda _settings: changed.set())
    while True:
        changed.clear()
        try:
            days = following.current.audit_days
            if gone := await store.forget_audit(days) if days else 0:
                log.info("old changes forgotten in the audit", count=gone, older_than_days=days)
        except StoreUnavailable as error:
            log.warning("old changes not forgotten yet", reason=error.code)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), FORGET_S)
