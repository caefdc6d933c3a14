"""The AI Gateway protocol, case by case, against the running gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from house import eventually, opened
from script import ModelServer

from conformance import OWN_KEY, SECTIONS, Case, Site, load_cases
from homeport.access import SCOPES, widen
from homeport.domain.models import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

CASES = load_cases()
PLAIN = str.maketrans(dict.fromkeys(" /[]:,'\"", "-"))


class KnowsGitLab:
    """Takes "gl scope scope" for a token of the instance."""

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        """The instance with those scopes, or nobody."""
        del headers
        first, *scopes = token.split()
        return Caller(subject="gitlab", kind="instance", scopes=widen(frozenset(scopes))) if first == "gl" else None


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[Site]:
    """A gateway for a GitLab, with models of its own and a model server that only GitLab knows."""
    async with (
        ModelServer().listening() as theirs,
        opened(verifiers=[KnowsGitLab()], trust_body_endpoints=True, model_timeout=1) as house,
    ):
        yield Site(house, theirs, lambda **claims: "gl " + " ".join(claims.get("scopes", SCOPES)))


@pytest.fixture
async def site(gateway: Site) -> AsyncIterator[Site]:
    """As if nothing had been asked before; afterwards nothing went wrong and no key was written down."""
    house = gateway.house
    house.furnish()
    house.models.forget()
    gateway.theirs.forget()
    house.records()
    house.logs.lines.clear()
    house.asked = 0
    yield gateway
    await eventually(house.quiet)
    assert OWN_KEY not in str(house.logs.lines)
    assert not [line for line in house.logs.lines if line["level"] in {"error", "critical"}]


def _name(number: int, case: Case) -> str:
    return f"{number:03d}-{SECTIONS[case.section]}-{case.says}-{case.of}"[:120].translate(PLAIN)


@pytest.mark.parametrize("case", [pytest.param(each, id=_name(n, each)) for n, each in enumerate(CASES)])
async def test_case(site: Site, case: Case) -> None:
    await case.run(site)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 250
    assert len({each[:3] for each in CASES}) == len(CASES)
