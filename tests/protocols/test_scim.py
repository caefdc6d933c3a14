"""SCIM 2.0 against the running server: as RFC 7643 and 7644 say, and as directories really ask."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2
import pytest
from house import PEPPER, TOKEN
from offices import office_at

from homeport.access import tokens
from homeport.domain.models import Token
from homeport.store.records import User

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

    async def make(self, user: str, **more: Any) -> dict[str, Any]:
        answer = await self.ask("POST", "/Users", {"schemas": [USER], "userName": user, **more})
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
    from scim2_client.engines.httpx2 import SyncSCIMClient  # noqa: PLC0415 (seconds of every worker that collects)
    from scim2_tester import Status, check_server  # noqa: PLC0415 (see above)

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


# filters


@pytest.fixture
async def staffed(directory: Directory) -> Directory:
    """Three people, one of them away."""
    await directory.make(
        "ada@x.example",
        name={"givenName": "Ada", "familyName": "Lovelace"},
        externalId="A-1",
        emails=[
            {"value": "ada@work.example", "type": "work", "primary": True},
            {"value": "a@home.example", "type": "home"},
        ],
        **{ENTERPRISE: {"department": "Engines"}},
    )
    await directory.make("ben@x.example", displayName='Ben "B" O\'Neil', title="Poet")
    await directory.make("eve@y.example", active=False, externalId="a-1")
    return directory


FOUND = [
    ('userName eq "ada@x.example"', "ada"),
    ('USERNAME Eq "ADA@X.EXAMPLE"', "ada"),
    ('externalId eq "A-1"', "ada"),
    ('userName sw "b" or userName sw "e"', "ben eve"),
    ('userName co "x.example" and not (userName sw "a")', "ben"),
    ('userName ew "y.example"', "eve"),
    ('userName ne "ada@x.example"', "ben eve"),
    ("active eq false", "eve"),
    ('active eq "True"', "ada ben"),
    ("title pr", "ben"),
    ("not (title pr)", "ada eve"),
    ('name.familyName eq "lovelace"', "ada"),
    ('emails eq "ada@work.example"', "ada"),
    ('emails.value ew "home.example"', "ada"),
    ('emails[type eq "work" and value co "@work"]', "ada"),
    ('emails[type eq "home" and value co "@work"]', ""),
    ('emails[not (type eq "work")]', "ada"),
    (f'{USER}:userName sw "ada"', "ada"),
    (f'{ENTERPRISE}:department eq "engines"', "ada"),
    ('displayName eq "Ben \\"B\\" O\'Neil"', "ben"),
    ('meta.created gt "2020-01-01T00:00:00Z"', "ada ben eve"),
    ('meta.lastModified lt "2020-01-01T00:00:00+01:00"', ""),
    ('meta.resourceType eq "User"', "ada ben eve"),
    ('userName gt "b" and userName le "ben@x.example"', "ben"),
    ("title eq null", "ada eve"),
    ('nonsense eq "x"', ""),
    ('userName eq "x" or title pr and active eq true', "ben"),
    ('(userName eq "x" or title pr) and active eq false', ""),
    ('userName eq "\' OR 1=1 --"', ""),
    ('userName co "%"', ""),
    ('userName sw "_da"', ""),
    ('userName eq "ada@x.example\\u0000"', ""),
]


async def test_what_a_filter_finds(staffed: Directory) -> None:
    for filter_, found in FOUND:
        names = [name.partition("@")[0] for name in await staffed.names(filter_)]
        assert (filter_, names) == (filter_, found.split())


WRONG = [
    *("userName", "userName eq", 'userName is "x"', 'userName eq "x', "userName eq x", "userName eq 'x'"),
    *('eq "x"', "userName pr pr", "userName pr and", "(userName pr", "userName pr)", "emails[type pr", "[type pr]"),
    *(
        "emails[]",
        "not userName pr",
        'userName eq "x"; DROP TABLE users',
        "active co true",
        "1 eq 1",
        "userName pr or",
    ),
    *("http://x:y pr", "user..Name pr", "name.a.b pr", "userName eq 01x", 'userName eq "\\x"', "\x00", "é pr"),
    "(" * 200 + "userName pr" + ")" * 200,
    "not (" * 200 + "userName pr" + ")" * 200,
    "userName pr " + "and userName pr " * 1000,
]


async def test_what_is_no_filter(directory: Directory) -> None:
    for filter_ in WRONG:
        answer = await directory.ask("GET", f"/Users?{urlencode({'filter': filter_})}")
        assert (filter_, answer.status, answer.json["scimType"]) == (filter_, 400, "invalidFilter")
        assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert answer.json["status"] == "400"


# as directories ask


async def test_how_entra_changes_people(directory: Directory) -> None:
    made = await directory.make("ada@x.example", displayName="Ada", externalId="e-1")
    where = f"/Users/{made['id']}"
    shown = await directory.patch(
        where,
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "ada@work.example"},
        {"op": "Replace", "path": "name.givenName", "value": "Ada"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Engines"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": "m-1"},
        {"op": "Replace", "value": {"displayName": "Ada L.", "name.familyName": "Lovelace", "title": "Countess"}},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+44 1"},
    )
    assert shown["emails"] == [{"type": "work", "value": "ada@work.example"}]
    assert shown["name"] == {"givenName": "Ada", "familyName": "Lovelace"}
    assert shown[ENTERPRISE] == {"department": "Engines", "manager": {"value": "m-1"}}
    assert (shown["displayName"], shown["title"]) == ("Ada L.", "Countess")
    assert shown["phoneNumbers"] == [{"type": "mobile", "value": "+44 1"}]
    shown = await directory.patch(where, {"op": "Replace", "path": "active", "value": "False"})
    assert shown["active"] is False
    assert (await directory.store.user("ada@x.example")).disabled
    shown = await directory.patch(
        where, {"op": "Remove", "path": 'emails[type eq "work"]'}, {"op": "Remove", "path": "title"}
    )
    assert "emails" not in shown
    assert "title" not in shown


async def test_how_okta_changes_people(directory: Directory) -> None:
    made = await directory.make("ben@x.example", name={"givenName": "Ben", "familyName": "B"}, password="canary-9")
    assert "canary-9" not in json.dumps(made)
    where = f"/Users/{made['id']}"
    assert (await directory.patch(where, {"op": "replace", "value": {"active": False}}))["active"] is False
    answer = await directory.ask("PUT", where, {**made, "active": True, "userName": "benjamin@x.example"})
    assert (answer.status, answer.json["userName"], answer.json["id"]) == (200, "benjamin@x.example", made["id"])
    assert await directory.names('userName eq "ben@x.example"') == []


async def test_groups_are_teams(directory: Directory) -> None:
    ids = [(await directory.make(f"{name}@x.example"))["id"] for name in ("ada", "ben", "eve")]
    made = await directory.ask("POST", "/Groups", {"displayName": "Platform", "members": [{"value": ids[0]}]})
    assert made.status == 201
    where = f"/Groups/{made.json['id']}"
    await directory.patch(where, {"op": "Add", "path": "members", "value": [{"value": ids[1]}, {"value": ids[2]}]})
    assert len((await directory.store.team("Platform")).members) == 3
    await directory.patch(where, {"op": "Remove", "path": "members", "value": [{"value": ids[0]}]})
    await directory.patch(where, {"op": "remove", "path": f'members[value eq "{ids[1]}"]'})
    assert (await directory.store.team("Platform")).members == ("eve@x.example",)
    await directory.patch(where, {"op": "Replace", "path": "displayName", "value": "Base"})
    shown = await directory.found("/Groups", filter='displayName eq "base"', excludedAttributes="members")
    assert [each["displayName"] for each in shown["Resources"]] == ["Base"]
    assert "members" not in shown["Resources"][0]
    (group,) = (await directory.found(f"/Users/{ids[2]}"))["groups"]
    assert (group["display"], group["value"]) == ("Base", made.json["id"])
    lost = await directory.ask(
        "PATCH", where, {"Operations": [{"op": "add", "path": "members", "value": [{"value": "nobody"}]}]}
    )
    assert (lost.status, lost.json["scimType"]) == (400, "invalidValue")
    assert (await directory.ask("DELETE", where)).status == 204
    assert await directory.store.team_ids() == {}
    assert len(await directory.store.users()) == 3


async def test_deactivation_ends_sessions_and_tokens_at_once(directory: Directory) -> None:
    made = await directory.make("ada")
    office = directory.office
    token = await key(office, "laptop", "ada", "read_models")
    await office.sign_in("ada", "user")
    assert (await office.house.get("/v1/models", token)).status == 200
    await directory.patch(f"/Users/{made['id']}", {"op": "replace", "path": "active", "value": False})
    assert (await office.house.get("/v1/models", token)).status == 401
    assert (await office.get("/console")).status == 303
    await directory.patch(f"/Users/{made['id']}", {"op": "replace", "path": "active", "value": True})
    assert (await office.house.get("/v1/models", token)).status == 200
    assert (await directory.ask("DELETE", f"/Users/{made['id']}")).status == 204
    assert (await office.house.get("/v1/models", token)).status == 401
    assert (await directory.ask("GET", f"/Users/{made['id']}")).status == 404
    (removed,) = [event for event in await office.store.audit() if event.what == "user.remove"]
    assert (removed.who, removed.address) == ("SCIM", "127.0.0.1")


async def test_whoever_comes_again_inherits_nothing(directory: Directory) -> None:
    made = await directory.make("ada")
    token = await key(directory.office, "laptop", "ada", "read_models")
    await directory.ask("DELETE", f"/Users/{made['id']}")
    again = await directory.make("ada")
    assert again["id"] != made["id"]
    assert (await directory.office.house.get("/v1/models", token)).status == 401


# errors, versions, pages


async def test_what_cannot_be(directory: Directory) -> None:
    made = await directory.make("ada", displayName="Ada")
    where = f"/Users/{made['id']}"
    taken = await directory.ask("POST", "/Users", {"userName": "ADA"})
    assert (taken.status, taken.json["scimType"]) == (409, "uniqueness")
    for method, path, body, status, kind in (
        ("POST", "/Users", {}, 400, "invalidValue"),
        ("POST", "/Users", {"userName": 7}, 400, "invalidValue"),
        ("POST", "/Users", {"userName": "x", "title": "t" * 20_000}, 400, "invalidValue"),
        ("POST", "/Groups", {"displayName": " "}, 400, "invalidValue"),
        ("PATCH", where, {"Operations": []}, 400, "invalidSyntax"),
        ("PATCH", where, {"Operations": [{"op": "burn"}]}, 400, "invalidSyntax"),
        ("PATCH", where, {"Operations": [{"op": "add", "path": "nonsense", "value": 1}]}, 400, "invalidPath"),
        ("PATCH", where, {"Operations": [{"op": "add", "path": "emails[", "value": 1}]}, 400, "invalidPath"),
        ("PATCH", where, {"Operations": [{"op": "add", "path": "groups", "value": []}]}, 400, "mutability"),
        ("PATCH", where, {"Operations": [{"op": "remove"}]}, 400, "noTarget"),
        ("PATCH", where, {"Operations": [{"op": "remove", "path": "userName"}]}, 400, "invalidValue"),
        (
            "PATCH",
            where,
            {"Operations": [{"op": "replace", "path": 'emails[type sw "w"].value', "value": "x"}]},
            400,
            "noTarget",
        ),
        ("GET", "/Users/nobody", None, 404, None),
        ("GET", "/Me", None, 404, None),
        ("POST", "/Bulk", {}, 404, None),
        ("PATCH", "/ServiceProviderConfig", {}, 405, None),
    ):
        answer = await directory.ask(method, path, body)
        assert (answer.status, answer.json.get("scimType")) == (status, kind), (path, body, answer.body)
        assert answer.json["status"] == str(status)
    assert (await directory.found(where)) == made
    broken = await directory.ask("POST", "/Users", b"{")
    assert (broken.status, broken.json["scimType"]) == (400, "invalidSyntax")


async def test_only_a_token_for_it_opens_it(directory: Directory) -> None:
    for token, status in ((TOKEN, 401), (await key(directory.office, "chat", "x", "duo_chat", "admin"), 403)):
        answer = await directory.office.house.get(f"{ROOT}/Users", token)
        assert (answer.status, answer.json["status"]) == (status, str(status))
    await directory.store.set_user(User(name="ben"), by="tests")
    assert (
        await directory.office.house.get(f"{ROOT}/Users", await key(directory.office, "b", "ben", "scim"))
    ).status == 403


async def test_versions(directory: Directory) -> None:
    made = await directory.make("ada")
    where, version = f"/Users/{made['id']}", made["meta"]["version"]
    assert (await directory.ask("GET", where, If_None_Match=version)).status == 304
    body = {"Operations": [{"op": "replace", "path": "title", "value": "Countess"}]}
    assert (await directory.ask("PATCH", where, body, If_Match=version)).status == 200
    late = await directory.ask("PATCH", where, body, If_Match=version)
    assert (late.status, late.json["status"]) == (412, "412")
    now = await directory.ask("GET", where)
    assert now.header("etag") not in {None, version}


async def test_a_thousand_people_a_page_at_a_time(directory: Directory) -> None:
    await asyncio.to_thread(_crowd, directory.office)
    started = time.process_time()
    first = await directory.found("/Users", count="100", startIndex="901")
    paged = time.process_time() - started
    assert (first["totalResults"], first["itemsPerPage"], first["startIndex"]) == (1000, 100, 901)
    assert first["Resources"][0]["userName"] == "p0900"
    started = time.process_time()
    assert await directory.names('userName eq "P0500"') == ["p0500"]
    looked_up = time.process_time() - started
    assert await directory.names('userName sw "p00" and active eq true and displayName co "5 "') != []
    # of the processor's time, the directory's own part too: a busy machine does not count
    assert max(paged, looked_up) < 0.25
    counted = await directory.found("/Users", count="0")
    assert (counted["totalResults"], counted["Resources"]) == (1000, [])
    turned = await directory.found(
        "/Users", sortBy="userName", sortOrder="descending", count="1", attributes="userName"
    )
    assert [each.keys() - {"schemas", "id"} for each in turned["Resources"]] == [{"userName"}]
    assert turned["Resources"][0]["userName"] == "p0999"


def _crowd(office: Office) -> None:
    """A thousand people, put there at once."""
    import sqlite3  # noqa: PLC0415 (beside its only use)

    file = str(office.store._engine.url.database)  # noqa: SLF001 (a test's way to its file)
    rows = [(f"p{n:04}", f"{n:032x}", f"Person {n} x") for n in range(1000)]
    added = "INSERT INTO users (name, role, created, id, display) VALUES (?, 'user', '2026-01-01 00:00:00', ?, ?)"
    connection = sqlite3.connect(file)
    with connection:
        connection.executemany(added, rows)
    connection.close()
