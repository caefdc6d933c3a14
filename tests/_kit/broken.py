"""Set-ups that are broken in one place each: how they break, which check must say so, and that its advice works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from commands import KEY, Instance, Ran, homeport
from files import run_all

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from house import House
    from issuer import Issuer
    from script import Peer

FOLDER = Path(__file__).resolve().parents[1] / "diagnostics" / "broken"
Where = Literal["instance", "gateway", "bare"]


@dataclass(slots=True, kw_only=True)
class Site:
    """What is broken: a running instance, a gateway that wants signed tokens, or a data directory alone."""

    folder: Path
    stack: AsyncExitStack
    """What lasts until the end of the test."""
    environment: dict[str, str | None] = field(default_factory=dict)
    postgres: str = ""
    """A PostgreSQL database that works."""
    monkeypatch: Any = None
    instance: Instance = None  # type: ignore[assignment]  # where there is one
    house: House = None  # type: ignore[assignment]  # the same
    issuer: Issuer = None  # type: ignore[assignment]  # the same

    async def doctor(self) -> Ran:
        """Ask it, as an administrator would."""
        if self.house is not None:
            url = f"http://127.0.0.1:{self.house.port}"
            variables = {"AIGW_GITLAB_URL": self.issuer.url, "HOMEPORT_TOKEN": self.issuer.token()} | self.environment
            url = variables.pop("GATEWAY", None) or url
            return await asyncio.to_thread(homeport, "doctor", "--json", "--gateway", url, **variables)
        if self.instance is not None:
            return await self.instance.run("doctor", "--json", **self.environment)
        return await asyncio.to_thread(homeport, "doctor", "--json", **self.environment)

    async def run(self, command: str, **environment: str) -> None:
        """Type what doctor advises."""
        ran = await self.instance.run(*command.split()[1:], **environment)
        assert ran.code == 0, ran.err
        await self.instance.seen()

    def play(self, answer: Callable[[Peer], Any]) -> None:
        """Have the model server answer questions so; it lists its models as before."""
        usual = self.instance.play

        async def played(peer: Peer) -> None:
            await (usual(peer) if peer.method == "GET" else answer(peer))

        self.instance.models.play = played


Breaking = AsyncGenerator[None, None]
Breaks = Callable[[Site], Breaking]


class Broken(NamedTuple):
    """One set-up; its function breaks something, waits, and does what doctor advised."""

    name: str
    says: str
    hop: str
    fix: str
    breaks: Breaks
    where: Where = "instance"
    saw: str = ""


CASES: list[Broken] = []


def broken(hop: str, *, fix: str, saw: str = "", where: Where = "instance") -> Callable[[Breaks], Breaks]:
    """A set-up, whose sentence is its function's; `fix` and `saw` must stand in what the check `hop` says."""

    def entered(breaks: Breaks) -> Breaks:
        name = getattr(breaks, "__name__", "")
        CASES.append(Broken(name, (breaks.__doc__ or "").strip().rstrip("."), hop, fix, breaks, where, saw))
        return breaks

    return entered


def load_cases() -> list[Broken]:
    """Every set-up of every file of tests/diagnostics/broken."""
    run_all(FOLDER, "*.py", "broken")
    return CASES


def of(where: Where) -> list[Broken]:
    """Those of one kind of site."""
    return [case for case in load_cases() if case.where == where]


def blamed(ran: Ran) -> dict[str, dict[str, Any]]:
    """What is broken or odd, by check; no secret is ever shown."""
    assert not ran.err, ran.err
    assert KEY not in ran.out
    assert "canary" not in ran.out
    assert "eyJ" not in ran.out
    return {each["id"]: each for each in ran.json["checks"] if each["status"] in {"fail", "warn"}}


async def examine(case: Broken, site: Site, *, afterwards: tuple[str, ...] = ()) -> None:
    """Break it, ask, do as advised, ask again."""
    breaking = case.breaks(site)
    await anext(breaking)
    found = blamed(await site.doctor())
    assert list(found) == [case.hop], json.dumps(found, indent=1)
    told = found[case.hop]
    assert case.saw in told["saw"]
    assert case.fix in told["fix"]
    assert told["fix"]
    assert await anext(breaking, None) is None
    again = blamed(await site.doctor())
    assert tuple(again) == afterwards, json.dumps(again, indent=1)
