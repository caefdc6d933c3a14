"""What goes into a support bundle: facts for whoever helps, without keys, tokens, prompts and answers."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import re
import sqlite3
import sys
import tarfile
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from homeport import __version__
from homeport.cli._data_dir import kept_token
from homeport.cli._output import document
from homeport.domain.errors import HomeportError
from homeport.kit.effective import SECRETS
from homeport.kit.journal import masked
from homeport.kit.vault import KEY_FILE, VaultError
from homeport.store import schema
from homeport.store.live import placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from homeport.domain.models import Model, Snapshot
    from homeport.kit.settings import Settings

TAIL = 1024 * 1024
"""Bytes of each log's end."""
REQUESTS = 100
"""Requests of each kind that are told."""
SAID = frozenset({"prompt", "response_from_llm"})
"""Fields of llm.log that hold prompts and answers."""
CONTENT = "api.content"
"""The logger whose lines hold prompts and answers."""
_ALSO_SECRET = re.compile(r"(\b(?:bearer|basic) |://[^\s:/@\"]*:)[\w.~+/=-]{8,}", re.IGNORECASE)
"""Credentials of other programs, as they stand in a header or an address."""
PACKAGES = ("click", "cryptography", "httptools", "llama-cpp-python", "pydantic", "sqlalchemy", "uvicorn", "uvloop")


def files_of(
    settings: Settings, snapshot: Snapshot | None, checked: Mapping[str, Any], requests: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Each file of the bundle, by name; everything secret that is known, or looks so, is masked."""
    stored = {} if snapshot is None else snapshot.settings
    found = {
        "doctor.json": document(checked),
        "versions.json": document(versions()),
        "configuration.json": document([_told(each) for each in placed(settings, stored, os.environ)]),
    }
    if snapshot is not None:
        found["registry.json"] = document(_registry(snapshot))
    for name, file in (("homeport.log", settings.log_file), ("error.log", settings.data_dir / "error.log")):
        if file is not None and file.is_file():
            found[name] = "".join(line for line in _end(file) if CONTENT not in line)
    if settings.llm_log_file.is_file():
        found["llm.log"] = "".join(_facts(_end(settings.llm_log_file)))
    if requests:
        found["requests.json"] = document(requests)
    hidden = tuple(secrets_of(settings, snapshot))
    return {name: _ALSO_SECRET.sub(r"\1***", masked(text, hidden)) for name, text in found.items()}


async def schema_of(settings: Settings) -> str:
    """The state of the tables."""
    try:
        return document(asdict(await schema.status(settings.sqlalchemy_url())))
    except HomeportError as error:
        return document({"problem": error.saw, "code": error.code})


def versions() -> dict[str, Any]:
    """Of this program, of what it runs on, and of the packages that matter."""
    known = {each.metadata["Name"].lower(): each.version for each in importlib.metadata.distributions()}
    return {
        "homeport": __version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: known[name] for name in PACKAGES if name in known},
    }


def _told(each: Any) -> dict[str, Any]:  # noqa: ANN401 (an Effective)
    return {"setting": each.name, "value": each.value, "from": each.place}


def _registry(snapshot: Snapshot) -> dict[str, Any]:
    models = [_model(each) for each in snapshot.models.values()]
    features = [asdict(each) for each in snapshot.features.values()]
    tokens = [{"name": each.name, "scopes": sorted(each.scopes)} for each in snapshot.tokens.values()]
    return {"revision": snapshot.revision, "models": models, "features": features, "tokens": tokens}


def _model(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "platform": model.platform,
        "family": model.family,
        "identifier": model.identifier,
        "endpoint": model.endpoint,
        "key": "configured" if model.key else "missing",
        "enabled": model.enabled,
        "limits": asdict(model.limits),
        # headers and bodies of one's own may hold anything
        "options": {
            name: "***" if name in {"headers", "extra_body"} else value for name, value in model.options.items()
        },
    }


def _end(file: Path) -> Iterator[str]:
    """The last whole lines of a log: of one that is cut, nobody could see whether it holds what people wrote."""
    with file.open("rb") as log:
        if (before := file.stat().st_size - TAIL) > 0:
            log.seek(before - 1)
            log.readline()
        for line in log:
            yield line.decode("utf-8", "replace")


def _facts(lines: Iterator[str]) -> Iterator[str]:
    """Lines of llm.log without what people and models said."""
    for line in lines:
        with suppress(ValueError):
            yield json.dumps({name: value for name, value in json.loads(line).items() if name not in SAID}) + "\n"


async def requests_of(settings: Settings) -> list[dict[str, Any]]:
    """The newest requests, and the newest that failed or were refused; none where their log cannot be read."""
    from homeport.cli._logged_requests import document as told  # noqa: PLC0415 (loads SQLAlchemy)
    from homeport.cli._request_log import opened as log_of  # noqa: PLC0415 (the same)
    from homeport.store.log_search import Sought  # noqa: PLC0415 (the same)

    found: dict[int, dict[str, Any]] = {}
    with suppress(HomeportError):
        async with log_of(settings) as log:
            for status in ("", "failed", "refused"):
                found |= {each.row: told(each) for each in await log.search(Sought(status=status), REQUESTS)}
    return [{name: found[row][name] for name in found[row] if name != "context"} for row in sorted(found)]


def secrets_of(settings: Settings, snapshot: Snapshot | None) -> Iterator[str]:
    """Everything secret that this program knows of."""
    for name in SECRETS:
        value = getattr(settings, name)
        yield value if isinstance(value, str) else value.get_secret_value()
    for url in (settings.database_url, settings.proxy):
        yield urlsplit(url).password or ""
    yield kept_token(settings.data_dir)
    for model in snapshot.models.values() if snapshot else ():
        yield model.key.reveal()
        yield urlsplit(model.endpoint).password or ""
    try:
        yield from (settings.data_dir / KEY_FILE).read_text().split()
    except OSError:
        return


async def snapshot_of(settings: Settings) -> Snapshot | None:
    """What the store holds; None where it cannot be read."""
    from homeport.cli._session import opened  # noqa: PLC0415 (loads SQLAlchemy)

    try:
        async with opened(settings) as store:
            return await store.snapshot()
    except (HomeportError, VaultError, OSError):
        return None


def packed(files: Mapping[str, str], folder: str) -> bytes:
    """The files below `folder`, as a compressed tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()
