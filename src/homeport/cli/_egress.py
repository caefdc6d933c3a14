"""Proves that nothing leaves: a copy of this Homeport, run in a network of its own while every packet is counted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.access import SCOPES, tokens
from homeport.cli._doctor import scene_of
from homeport.cli._output import result
from homeport.cli._sealed import NOT_ALLOWED
from homeport.cli._session import whoami
from homeport.cli._steps import screen
from homeport.diagnostics import _packets, air_gap
from homeport.domain.errors import HomeportError
from homeport.domain.models import Token
from homeport.kit.vault import KEY_FILE, Vault
from homeport.store import schema
from homeport.store.database import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.diagnostics._packets import Packet
    from homeport.kit.settings import Settings

SHOWN = 20
"""So many destinations are listed, those with the most packets first."""
OURS = "HOMEPORT_"


def prove(settings: Settings, *, as_json: bool) -> int:
    """Run it, tell what left; gives the exit status: 0 nothing astray, 1 something, or it could not be tried."""
    with tempfile.TemporaryDirectory(prefix="homeport-egress-") as name:
        folder = Path(name)
        with screen().status("A copy of this Homeport runs in a network of its own …"):
            hosts, token = asyncio.run(_prepared(settings, folder))
            found = _run(folder, token)
    packets = [_packets.Packet(*(each[field] for field in _packets.Packet._fields)) for each in found["packets"]]
    addresses = asyncio.run(_addresses(hosts))
    strays = _packets.astray(packets, hosts, addresses)
    counts = {packet: each["count"] for packet, each in zip(packets, found["packets"], strict=True)}
    told = {
        "packets": sum(counts.values()),
        "astray": sum(counts[each] for each in strays),
        "destinations": [
            {**each, "configured": packet not in strays} for packet, each in zip(packets, found["packets"], strict=True)
        ],
        "asked": _asked(found["doctor"]),
        "served": found["served"],
    }
    result(told, as_json=as_json, people=lambda: "\n".join(lines(told, strays, counts)))
    return int(bool(strays) or not found["served"])


async def _prepared(settings: Settings, folder: Path) -> tuple[dict[str, str], str]:
    """Copy what is remembered into `folder`, with a token that exists only there; gives the configured hosts too."""
    async with scene_of(settings) as scene:
        hosts = await air_gap.hosts_of(scene)
    copy, database = folder / "copy.jsonl", f"sqlite+aiosqlite:///{folder / 'homeport.db'}"
    await schema.backup(settings.sqlalchemy_url(), copy)
    await schema.restore(database, copy)
    shutil.copy(settings.data_dir / KEY_FILE, folder / KEY_FILE)
    vault, token = Vault.at(folder), tokens.mint()
    store = await Store.open(database, vault)
    try:
        digest = tokens.digest(vault.derive(tokens.PEPPER), token)
        row = Token(name="proof of egress", owner=whoami(), digest=digest, scopes=frozenset(SCOPES))
        await store.add_token(row, by=whoami())
    finally:
        await store.close()
    return hosts, token


def _run(folder: Path, token: str) -> dict[str, Any]:
    """What was seen in there; raises HomeportError where there is no such place."""
    own = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'homeport.db'}",
        "METRICS_PORT": "-1",
        "PORT": "5050",
        "TOKEN": token,
        "URL": "",
    }
    env = {**os.environ, **{OURS + name: value for name, value in own.items()}}
    words = (sys.executable, "-P", "-m", "homeport.cli._sealed", str(folder))
    done = subprocess.run(words, env=env, capture_output=True, check=False)  # noqa: S603 (ourselves)
    if done.returncode == NOT_ALLOWED:
        saw = f"This system gives no network of its own: {done.stderr.decode(errors='replace').strip()}."
        raise HomeportError(saw, "Run it as root on Linux, with /dev/net/tun, or allow user namespaces.")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise HomeportError(f"The copy could not be run: {' '.join(last)}", "Look at `homeport doctor` first.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def _addresses(hosts: dict[str, str]) -> set[str]:
    """Addresses of the configured hosts, as this machine finds them."""
    found = await asyncio.gather(*map(air_gap.addresses, hosts))
    return {address for them in found for address in them}


def _asked(doctor: Sequence[dict[str, Any]] | dict[str, Any]) -> int:
    """How many checks were carried out in there."""
    checks = doctor["checks"] if isinstance(doctor, dict) else doctor
    return sum(each["status"] != "skip" for each in checks)


def lines(told: dict[str, Any], strays: Sequence[Packet], counts: dict[Packet, int]) -> list[str]:
    """What was seen, for people."""
    if not told["served"]:
        return ["✗ The copy did not start in there: look at `homeport doctor` first."]
    lines = [f"{told['asked']} checks were carried out there; {told['packets']} packets would have left."]
    for packet in list(counts)[:SHOWN]:
        mark, why = ("✗", "NOT configured") if packet in strays else ("✓", "configured")
        lines.append(f"  {mark} {packet.told}: {counts[packet]} ({why})")
    verdict = "✗ Something would have left" if strays else "✓ Nothing would have left"
    return [*lines, f"{verdict} to anywhere that is not configured."]
