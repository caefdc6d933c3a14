"""The AI Gateway protocol, case by case, against the running gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from house import eventually, opened
from issuer import Issuer
from script import ModelServer

from conformance import OWN_KEY, SECTIONS, Case, Site, load_cases
from homeport.access import SCOPES
from homeport.store.docs_build import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CASES = load_cases()
SCOPES_OF_GITLAB = sorted(SCOPES)
PLAIN = str.maketrans(dict.fromkeys(" /[]:,'\"", "-"))


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway for a GitLab, with models of its own and a model server that only GitLab knows."""
    docs = tmp_path_factory.mktemp("docs")
    (docs / "runners.md").write_text("# Runners\n\n## Register\n\nRegister a runner with a token.\n")
    build(docs, docs / "docs.db")
    async with (
        ModelServer().listening() as theirs,
        Issuer().listening() as gitlab,
        opened(gitlab_url=gitlab.url, trust_body_endpoints=True, model_timeout=1, docs_index=docs / "docs.db") as house,
    ):
        theirs.catalogue = theirs.behave
        federation = house.app.door.federation
        assert federation is not None
        await eventually(lambda: len(federation.issuers.current) == 1)
        yield Site(house, theirs, lambda **changes: gitlab.token(**({"scopes": SCOPES_OF_GITLAB} | changes)))


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
    return f"{number:03d}-{case.section}-{case.says}-{case.of}"[:120].translate(PLAIN)


@pytest.mark.parametrize("case", [pytest.param(each, id=_name(n, each)) for n, each in enumerate(CASES)])
async def test_case(site: Site, case: Case) -> None:
    await case.run(site)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 250
    assert len({each[:3] for each in CASES}) == len(CASES)


def test_every_section_has_cases() -> None:
    named = {each.section for each in CASES}
    assert {number for number in SECTIONS if not any(each.startswith(f"{number}.") for each in SECTIONS)} <= named
