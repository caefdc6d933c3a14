"""Programs of Node.js that tests run: clients of other people, installed on first use from a lock file."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLIENTS = Path(__file__).resolve().parents[1] / "clients"


def program(name: str) -> str:
    """Where a program is; raises AssertionError for one that is missing."""
    found = shutil.which(name)
    assert found, f"{name} of Node.js is needed for the clients in tests/clients"
    return found


async def installed(folder: Path = CLIENTS, how: Sequence[str] = ("ci",)) -> Path:
    """The folder's packages, as its lock file says; one of several processes installs them.

    `how` is npm's command: `ci` wants every platform's packages in the lock, which not every registry has.
    """
    packages = folder / "node_modules"
    with (folder / ".lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        wanted, found = folder / "package-lock.json", packages / ".installed-lock"
        if not found.exists() or found.read_bytes() != wanted.read_bytes():
            await run(program("npm"), *how, "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
            shutil.copyfile(wanted, found)
    return packages


async def run(*command: str, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """What a command says; raises AssertionError with that when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(110):
            said = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said
    return said
