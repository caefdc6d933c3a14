"""Python programs of other people that tests run, each in an environment of its own, from a lock with hashes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from pathlib import Path

from node import CLIENTS, run

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there."""


async def isolated(name: str) -> Path:
    """Where the programs of `tests/clients/NAME/requirements.txt` are; one of several processes installs them."""
    folder = CLIENTS / name
    lock, done = folder / "requirements.txt", folder / ".venv" / ".done"
    with (folder / ".lock").open("w") as held:
        await asyncio.to_thread(fcntl.flock, held, fcntl.LOCK_EX)
        if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
            env = {**os.environ, "PYTHON": sys.executable}
            await run("sh", "tools/install.sh", str(folder.relative_to(ROOT)), folder=ROOT, env=env)
            done.touch()
    return folder / ".venv" / "bin"


def alone(home: Path, programs: Path, **more: str) -> dict[str, str]:
    """An environment with a home of its own, and no way to the network but this machine."""
    home.mkdir(parents=True, exist_ok=True)
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE)
    here = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    return {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), **nowhere, **here, **more}
