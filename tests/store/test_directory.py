"""A request of a directory, through the front door, is one change: a failure in its middle leaves nothing of it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from databases import run_sql
from house import PEPPER
from offices import office_at

from homeport.access import tokens
from homeport.domain.models import Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from house import House
    from offices import Office
    from wire import Answer

USER, GROUP = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"
REFUSAL = {
    "sqlite": """
        CREATE TRIGGER refusal BEFORE INSERT ON audit_events WHEN NEW.what = '{what}'
        BEGIN SELECT RAISE(ABORT, 'refused'); END
    """,
    "postgresql": """
        CREATE TRIGGER refusal BEFORE INSERT ON audit_events
        FOR EACH ROW WHEN (NEW.what = '{what}') EXECUTE FUNCTION refuse()
    """,
}
REFUSE = "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$"
ACCEPTANCE = {"sqlite": "DROP TRIGGER refusal", "postgresql": "DROP FUNCTION refuse CASCADE"}


class Entra:
    """What provisions people, and the instance that it does that to."""

    def __init__(self, office: Office, token: str) -> None:
        self.house: House = office.house
        self.store = office.store
        self.token = token

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        given = {"Content-Type": "application/scim+json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await self.house.ask(method, f"/scim/v2{path}", body, given, self.token)

    async def state(self) -> Any:
        """People, teams, the audit and the number of changes."""
        users, teams = await self.store.users(), await self.store.teams()
        events = [(each.what, each.subject) for each in await self.store.audit()]
        return users, teams, events, await self.store.revision()


@pytest.fixture
async def entra(url: str, tmp_path: Path) -> AsyncIterator[Entra]:
    async with office_at(tmp_path, url) as office:
        made = tokens.mint()
        digest = tokens.digest(PEPPER, made)
        key = Token(name="entra", owner="entra", digest=digest, scopes=frozenset({"scim"}), kind="service")
        await office.store.add_token(key, by="tests")
        yield Entra(office, made)


@asynccontextmanager
async def refusing(url: str, kind: str, what: str) -> AsyncIterator[None]:
    """A database that refuses one kind of change."""
    await run_sql(url, *(REFUSE,) * (kind == "postgresql"), REFUSAL[kind].format(what=what))
    yield
    await run_sql(url, ACCEPTANCE[kind])


async def staffed(entra: Entra) -> tuple[dict[str, str], Answer]:
    """Three people and a team of two of them; gives ids by name, and the team as it came."""
    ids = {}
    for name in ("ada", "ben", "eve"):
        made = await entra.ask("POST", "/Users", {"schemas": [USER], "userName": name})
        ids[name] = json.loads(made.body)["id"]
    members = [{"value": ids[name]} for name in ("ada", "ben")]
    team = await entra.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": "Core", "members": members})
    assert team.status == 201
    return ids, team


async def test_a_failure_in_the_middle_leaves_nothing_half_done(entra: Entra, url: str, kind: str) -> None:
    """A group's members and its name are two changes: the database takes the first and refuses the second."""
    ids, team = await staffed(entra)
    where = f"/Groups/{json.loads(team.body)['id']}"
    wanted = {"schemas": [GROUP], "displayName": "Kernel", "members": [{"value": ids["eve"]}]}
    before = await entra.state()
    async with refusing(url, kind, "team.set"):
        refused = await entra.ask("PUT", where, wanted)
        assert (refused.status, await entra.state()) == (503, before)
    async with refusing(url, kind, "team.members"):
        patch = [{"op": "replace", "path": "displayName", "value": "Kernel"}, {"op": "remove", "path": "members"}]
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": patch}
        refused = await entra.ask("PATCH", where, body)
        assert (refused.status, await entra.state()) == (503, before)
    assert (await entra.ask("PUT", where, wanted)).status == 200
    users, (found,), events, revision = await entra.state()
    assert (found.name, found.members) == ("Kernel", ("eve",))
    assert [(each.name, each.teams) for each in users] == [("ada", ()), ("ben", ()), ("eve", ("Kernel",))]
    assert events[:2] == [("team.set", "Kernel"), ("team.members", "Core")]
    assert revision == before[3] + 1


async def test_what_changes_nothing_is_no_change(entra: Entra) -> None:
    ids, team = await staffed(entra)
    group, where = json.loads(team.body), f"/Users/{ids['ada']}"
    before = await entra.state()
    assert (await entra.ask("PUT", where, {"schemas": [USER], "userName": "ada"})).status == 200
    assert (await entra.ask("PUT", f"/Groups/{group['id']}", group)).status == 200
    assert (await entra.ask("PUT", where, {"schemas": [USER], "userName": "BEN"})).status == 409
    assert (await entra.ask("DELETE", where, If_Match='W/"older"')).status == 412
    assert await entra.state() == before


async def test_of_two_who_mean_the_same_state_one_is_told(entra: Entra) -> None:
    """Whether a resource is as it was read is looked at where nobody else can change it any more."""
    ids, team = await staffed(entra)
    group = json.loads(team.body)
    version = team.header("etag") or ""
    answers = await asyncio.gather(
        *(
            entra.ask("PUT", f"/Groups/{group['id']}", {**group, "displayName": name}, If_Match=version)
            for name in ("One", "Two", "Three")
        ),
        *(entra.ask("POST", "/Users", {"schemas": [USER], "userName": name}) for name in ("grace", "Grace", "GRACE")),
    )
    assert sorted(each.status for each in answers) == [200, 201, 409, 409, 412, 412]
    assert len(await entra.store.users()) == len(ids) + 1
