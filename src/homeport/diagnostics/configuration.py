"""Can the settings be read, and do they agree with each other?"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.kit.settings import Settings, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.diagnostics._scene import Scene

OURS = {"HOMEPORT_CONFIG", "HOMEPORT_DEBUG", "HOMEPORT_ENGINE_KEY"}
"""Variables that are no settings."""
_LOCAL = re.compile(r"127\.\d+\.\d+\.\d+|localhost|::1")


async def look(scene: Scene) -> Finding:
    """Wrong settings, then those that are odd."""
    if scene.wrong_settings:
        return Finding(status="fail", saw=" ".join(scene.wrong_settings), fix="Mend them and ask again.")
    odd = list(_odd(scene.settings))
    if odd:
        saw, fixes = zip(*odd, strict=True)
        return Finding(status="warn", saw=" ".join(saw), fix=" ".join(fixes))
    given = sorted({place for place in sources(scene.settings, os.environ).values() if place != "default"})
    return Finding(status="ok", saw=f"Settings come from {', '.join(given)}." if given else "All defaults.")


def _odd(settings: Settings) -> Iterator[tuple[str, str]]:
    """Settings that can be read and will surprise, each with its remedy."""
    yield from _unknown()
    if settings.auth_bypass and not _LOCAL.fullmatch(settings.host):
        saw = f"Authentication is switched off, and the server listens on {settings.host}."
        yield saw, "Unset HOMEPORT_AUTH_BYPASS (and AIGW_AUTH__BYPASS_EXTERNAL), or listen on 127.0.0.1."
    if settings.auth_bypass_with_header:
        saw = "Whoever sends the header Bypass-Auth has every right."
        yield saw, "Unset HOMEPORT_AUTH_BYPASS_WITH_HEADER (and AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER)."
    if settings.auth_bypass_signature:
        saw = "Signatures of tokens are not checked: anybody can write one."
        yield saw, "Unset HOMEPORT_AUTH_BYPASS_SIGNATURE (and AIGW_AUTH__BYPASS_JWT_SIGNATURE)."
    if settings.ca_file is not None and not settings.ca_file.exists():
        saw = f"There is no file {settings.ca_file} with certificate authorities."
        yield saw, "Set HOMEPORT_CA_FILE (REQUESTS_CA_BUNDLE, SSL_CERT_FILE) to the file that there is."
    if settings.metrics_port > 0 and settings.metrics_port in {settings.port, settings.gateway_port}:
        saw = f"The metrics port {settings.metrics_port} is the port that requests use."
        yield saw, "Set HOMEPORT_METRICS_PORT to another one."
    if settings.models_file is not None and not settings.models_file.is_file():
        yield f"There is no models file {settings.models_file}.", "Set HOMEPORT_MODELS_FILE to the file that there is."


def _unknown() -> Iterator[tuple[str, str]]:
    """Names that look like settings and are none: a typing error would otherwise pass without a word."""
    known = {f"HOMEPORT_{name.upper()}" for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith("HOMEPORT_") and name.upper() not in known | OURS:
            yield f"{name} is set, but there is no such setting.", _perhaps(name, known)
    for name in sorted(_keys_of_the_file() - set(Settings.model_fields)):
        yield f"homeport.toml sets {name}, but there is no such setting.", _perhaps(name, set(Settings.model_fields))


def _keys_of_the_file() -> set[str]:
    file = Path(str(Settings.model_config.get("toml_file")))
    return set(tomllib.loads(file.read_text())) if file.is_file() else set()


def _perhaps(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else "`homeport config show` lists the settings."


CHECK = Check(order=10, question="Can the settings be read, and do they agree?", look=look, role="both")
