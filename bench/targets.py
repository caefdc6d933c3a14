"""Who is measured: how each server starts, where it answers, and what it needs to be there."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import gitlab
import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE = Path(__file__).resolve().parent
BUILD = HERE / ".build"
PEERS = HERE / ".peers"
UPSTREAM_PORT = 18280
TOKEN = "hp_BenchmarkTokenForLoopbackOnly01abolk"  # noqa: S105 (known to everyone, good on 127.0.0.1 while the benchmark runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server that relays to the upstream, or the upstream itself."""

    name: str
    port: int
    command: tuple[str, ...] = ()
    """Empty for the upstream, which runs anyway."""
    env: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    needs: Path | None = None
    """Must exist for the target to be measured."""
    install: str = ""
    """What to do when it does not."""
    slow: bool = False
    """Takes part in two rounds only."""
    version: Callable[[], str] = lambda: ""

    @property
    def present(self) -> bool:
        """Whether it can be started here."""
        return self.needs is None or self.needs.exists()


def _nginx() -> Path:
    return Path(shutil.which("nginx") or "/usr/sbin/nginx")


def _distribution(python: Path, name: str) -> str:
    return machine.said(python, "-c", f"import importlib.metadata as m; print(m.version({name!r}))")


def _npm_version(package: Path) -> str:
    found = re.search(r'"version": *"([^"]+)"', (package / "package.json").read_text())
    return f"{found[1] if found else ''}, Node {machine.said('node', '--version')}"


def _homeport(python: Path) -> Target:
    return Target(
        name="homeport",
        port=18282,
        command=(str(python.with_name("homeport")), "gateway"),
        env={
            "HOMEPORT_MODELS_FILE": str(HERE / "models.toml"),
            "BENCH_TOKEN": TOKEN,
            "AIGW_GITLAB_URL": gitlab.URL,
            "HOMEPORT_DATA_DIR": str(BUILD / "homeport"),
            "AIGW_FASTAPI__API_HOST": "127.0.0.1",
            "AIGW_FASTAPI__API_PORT": "18282",
            "AIGW_FASTAPI__METRICS_PORT": "0",
            "AIGW_LOGGING__FORMAT_JSON": "true",
            "AIGW_LOGGING__TO_FILE": str(BUILD / "logs" / "homeport.json"),
        },
        headers=(f"authorization: Bearer {gitlab.token()}", *gitlab.HEADERS),
        version=lambda: _distribution(python, "homeport"),
    )


def _litellm() -> Target:
    python = PEERS / "litellm" / "bin" / "python"
    return Target(
        name="litellm",
        port=18283,
        command=(
            *(str(python.with_name("litellm")), "--config", str(HERE / "peers" / "litellm.yaml")),
            *("--host", "127.0.0.1", "--port", "18283", "--telemetry", "False"),
        ),
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": f"sk-{TOKEN}-0b6c1f"},
        headers=(f"authorization: Bearer sk-{TOKEN}-0b6c1f",),
        needs=python,
        install="sh bench/peers.sh litellm",
        slow=True,
        version=lambda: _distribution(python, "litellm"),
    )


def _portkey() -> Target:
    package = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
    return Target(
        name="portkey",
        port=18284,
        command=("node", str(package / "build" / "start-server.js"), "--port=18284", "--headless"),
        env={"NODE_ENV": "production"},
        headers=(
            *("authorization: Bearer none", "x-portkey-provider: openai"),
            f"x-portkey-custom-host: http://127.0.0.1:{UPSTREAM_PORT}/v1",
        ),
        needs=package,
        install="sh bench/peers.sh portkey",
        slow=True,
        version=lambda: _npm_version(package),
    )


def targets() -> tuple[Target, ...]:
    """All of them, in the order in which they take their turns."""
    nginx = _nginx()
    return (
        Target(name="direct", port=UPSTREAM_PORT),
        Target(
            name="nginx",
            port=18281,
            command=(str(nginx), "-e", "stderr", "-p", str(BUILD / "nginx"), "-c", str(HERE / "nginx.conf")),
            needs=nginx,
            install="sh bench/setup.sh",
            version=lambda: machine.said(nginx, "-v").rpartition("/")[2],
        ),
        _homeport(Path(sys.executable)),
        _portkey(),
        _litellm(),
    )
