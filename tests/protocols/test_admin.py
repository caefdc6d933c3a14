"""The administration's own API: what the console does, for programs, with the same rules and the same audit."""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from house import PEPPER, asking, eventually
from offices import Office, office_at

from homeport.access import SCOPES, tokens
from homeport.diagnostics._health import how_is
from homeport.domain.models import Model, Snapshot, Token
from homeport.store.records import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from house import House
    from wire import Answer

BASE = "/api/admin/v1"
KEY = "sk-canary-of-the-api"
CODER = {"name": "coder", "endpoint": "http://127.0.0.1:9/v1", "identifier": "qwen2.5-coder-7b", "api_key": KEY}


class Api:
    """An administrator's token, and the requests that it may make."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.token = tokens.mint()

    async def admit(self, *scopes: str) -> None:
        digest = tokens.digest(PEPPER, self.token)
        token = Token(name="robot", owner="ada", digest=digest, scopes=frozenset(scopes or SCOPES))
        await self.office.store.add_token(token, by="tests")

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        async with self.office.house.line() as wire:
            await wire.send(asking(method, BASE + path, body, None, self.token))
            return await wire.answer()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with office_at(tmp_path) as office:
        made = Api(office)
        await made.admit()
        yield made


async def test_a_model_from_its_registration_to_its_end(api: Api) -> None:
    made = await api.ask("POST", "/models", {**CODER, "limits": {"concurrency": 8}, "options": {"fim": "suffix"}})
    assert made.status == 201, made.body
    assert (made.json["family"], made.json["api_key_set"], made.json["limits"]["concurrency"]) == (
        "qwen_coder",
        True,
        8,
    )
    assert (await api.ask("GET", "/models")).json == [made.json]
    changed = await api.ask("PATCH", "/models/coder", {"enabled": False, "name": "other"})
    assert (changed.status, changed.json["enabled"], changed.json["name"]) == (200, False, "other")
    assert (await api.ask("GET", "/models/coder")).status == 404
    moved = await api.ask("PATCH", "/models/other", {"endpoint": "http://127.0.0.2:9/v1"})
    assert "The stored key was removed" in moved.json["notes"][0]
    assert (await api.ask("DELETE", "/models/other")).json == {"removed": "other"}
    assert (await api.ask("GET", "/models")).json == []
    done = [(each["who"], each["what"]) for each in (await api.ask("GET", "/audit")).json]
    assert done[:4] == [("api:ada", what) for what in ("model.remove", "model.edit", "model.edit", "model.add")]


async def test_a_removed_model_is_brought_back(api: Api) -> None:
    made = await api.ask("POST", "/models", CODER)
    await api.ask("PUT", "/features/chat", {"model": "coder"})
    await api.ask("POST", "/models", {**CODER, "name": "big"})
    await api.ask("POST", "/model-replacements/coder", {"instead": "big"})
    (kept,) = (await api.ask("GET", "/deleted-models")).json
    assert kept["name"] == "coder"
    back = await api.ask("DELETE", "/deleted-models/coder")
    assert back.json == {**made.json, "notes": []}
    assert KEY not in back.body.decode()
    again = await api.ask("DELETE", "/deleted-models/coder")
    assert (again.status, again.json["error"]["param"]) == (404, "model")
    assert (await api.office.store.features())["chat"].model == "coder"


async def test_a_key_is_never_read_back(api: Api) -> None:
    answers = [
        await api.ask("POST", "/models", CODER),
        await api.ask("GET", "/models"),
        await api.ask("GET", "/models/coder"),
        await api.ask("PATCH", "/models/coder", {"clean": False}),
        await api.ask("GET", "/audit"),
    ]
    assert not [answer for answer in answers if KEY.encode() in answer.body]


async def test_a_feature_and_what_is_in_use(api: Api) -> None:
    await api.ask("POST", "/models", CODER)
    await api.ask("POST", "/models", {**CODER, "name": "spare"})
    wanted = {"model": "coder", "fallbacks": ["spare"], "sticky": True}
    found = await api.ask("PUT", "/features/chat", wanted)
    assert (found.json["assignment"], found.json["fallbacks"], found.json["sticky"]) == ("model", ["spare"], True)
    listed = {each["feature"]: each for each in (await api.ask("GET", "/features")).json}
    assert listed["chat"] == found.json
    assert listed["code_completions"]["assignment"] == "unassigned"
    refused = await api.ask("DELETE", "/models/coder")
    assert (refused.status, "serves chat" in refused.json["error"]["message"]) == (409, True)
    assert (await api.ask("PUT", "/features/chat", {"assignment": "disabled"})).status == 200
    assert (await api.ask("DELETE", "/models/coder")).status == 200


async def test_a_change_of_features_is_undone(api: Api) -> None:
    for name in ("coder", "spare"):
        await api.ask("POST", "/models", {**CODER, "name": name})
    await api.ask("PUT", "/features/chat", {"model": "coder", "fallbacks": ["spare"]})
    before = (await api.ask("GET", "/features")).json
    await api.ask("PUT", "/sections/Chat", {"model": "spare"})
    (latest,) = (await api.ask("GET", "/feature-changes")).json
    assert latest["by"] == "api:ada"
    assert latest["features"][0]["before"]["fallbacks"] == ["spare"]
    undone = await api.ask("DELETE", f"/feature-changes/{latest['id']}")
    assert (undone.status, undone.json["notes"]) == (200, [])
    assert {each["feature"] for each in undone.json["features"]} == {each["feature"] for each in latest["features"]}
    assert (await api.ask("GET", "/features")).json == before
    again = await api.ask("DELETE", f"/feature-changes/{latest['id']}")
    assert (again.status, "chat stays as it is: it was set otherwise since." in again.json["error"]["message"]) == (
        409,
        True,
    )
    for wrong in ("0", "x", "9" * 30, "-1"):
        assert (await api.ask("DELETE", f"/feature-changes/{wrong}")).status == 404


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(api: Api) -> None:
    made = await api.ask("POST", "/tokens", {"name": "laptop", "user": "ada", "scopes": ["duo_chat"]})
    assert made.status == 201
    house = api.office.house
    await eventually(lambda: len(house.app.door.bench.snapshot().tokens) == 2)
    assert (await house.get("/v1/models", token=made.json["token"])).status == 200
    listed = (await api.ask("GET", "/tokens")).json
    assert {each["name"] for each in listed} == {"robot", "laptop"}
    assert "token" not in listed[0]
    assert (await api.ask("DELETE", "/tokens/laptop")).status == 200
    await eventually(lambda: len(house.app.door.bench.snapshot().tokens) == 1)
    assert (await house.get("/v1/models", token=made.json["token"])).status == 401


WRONG: dict[str, tuple[str, str, Any, int]] = {
    "no body": ("POST", "/models", b"", 400),
    "no json": ("POST", "/models", b"{", 400),
    "no name": ("POST", "/models", {}, 400),
    "unknown field": ("POST", "/models", {**CODER, "key": "x"}, 400),
    "unknown family": ("POST", "/models", {**CODER, "family": "nobody"}, 400),
    "unknown platform": ("POST", "/models", {**CODER, "platform": "nobody"}, 400),
    "unknown option": ("POST", "/models", {**CODER, "options": {"x": "y"}}, 400),
    "unknown limit": ("POST", "/models", {**CODER, "limits": {"x": 1}}, 400),
    "a feature's name": ("POST", "/models", {**CODER, "name": "chat"}, 400),
    "no endpoint": ("POST", "/models", {**CODER, "endpoint": "nonsense"}, 400),
    "nothing to change": ("PATCH", "/models/coder", {}, 400),
    "no such model": ("PATCH", "/models/nobody", {"clean": True}, 404),
    "no such feature": ("PUT", "/features/nobody", {"model": "x"}, 404),
    "no such assignment": ("PUT", "/features/chat", {"assignment": "on"}, 400),
    "nothing to inherit": ("PUT", "/features/chat", {"assignment": "inherit"}, 400),
    "unknown model": ("PUT", "/features/chat", {"model": "nobody"}, 404),
    "no weight": ("PUT", "/features/chat", {"model": "coder", "weights": {"coder": 0}}, 400),
    "no scopes": ("POST", "/tokens", {"name": "x", "scopes": []}, 400),
    "unknown scope": ("POST", "/tokens", {"name": "x", "scopes": ["fly"]}, 400),
    "name twice": ("POST", "/tokens", {"name": "robot", "scopes": ["duo_chat"]}, 400),
    "no such token": ("DELETE", "/tokens/nobody", None, 404),
    "no such method": ("PUT", "/models", {}, 405),
    "post to one model": ("POST", "/models/coder", {}, 405),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_said(api: Api, case: str) -> None:
    await api.ask("POST", "/models", CODER)
    method, path, body, status = WRONG[case]
    answer = await api.ask(method, path, body)
    assert answer.status == status, answer.body
    assert len(answer.json["error"]["message"]) > 20
    assert KEY.encode() not in answer.body


async def test_methods_of_one_path_are_named(api: Api) -> None:
    answer = await api.ask("PUT", "/models", {})
    assert answer.header("allow") == "GET, POST"


@pytest.mark.parametrize("path", ["/models", "/features", "/tokens", "/audit"])
async def test_only_administrators(tmp_path: Path, path: str) -> None:
    async with office_at(tmp_path) as office:
        api = Api(office)
        assert (await api.ask("GET", path)).status == 401
        await api.admit("complete_code", "duo_chat", "read_models")
        assert (await api.ask("GET", path)).status == 403


async def test_a_gateway_without_a_database_says_so(house: House) -> None:
    answer = await house.get(f"{BASE}/models")
    assert (answer.status, "has no database" in answer.json["error"]["message"]) == (404, True)


async def test_a_new_root_key(api: Api) -> None:
    await api.ask("POST", "/models", CODER)
    made = await api.ask("POST", "/keys/rotate")
    assert (made.status, made.json) == (200, {"key": api.office.vault.sealing_id, "sealed": 1})
    assert len(api.office.vault.key_ids) == 2
    (latest, *_rest) = (await api.ask("GET", "/audit")).json
    assert (latest["who"], latest["what"], latest["after"]) == ("api:ada", "keys.rotate", {"models": ["coder"]})


async def test_single_sign_on(api: Api) -> None:
    assert (await api.ask("GET", "/sso")).json["issuer"] == ""
    said = {"issuer": "https://sso.example.com", "client_id": "homeport", "client_secret": KEY, "admins": "a;b"}
    made = await api.ask("PATCH", "/sso", said)
    assert made.status == 200, made.body
    assert (made.json["issuer"], made.json["client_secret_set"]) == ("https://sso.example.com", True)
    assert KEY.encode() not in made.body
    for wrong in ({"others": "all"}, {"issuer": "no url"}, {"magic": "x"}, {"client_secret": "env:"}):
        refused = await api.ask("PATCH", "/sso", wrong)
        assert refused.status == 400, (wrong, refused.body)
    closed = await api.ask("PATCH", "/sso", {"passwords": "off"})
    assert (closed.status, closed.json["error"]["code"]) == (409, "in_use")
    assert (await api.ask("GET", "/sso")).json == made.json
    assert ("api:ada", "setting.set") in [(each["who"], each["what"]) for each in (await api.ask("GET", "/audit")).json]


async def test_a_deleted_team_comes_back(api: Api) -> None:
    await api.ask("POST", "/teams", {"name": "Platform"})
    made = (await api.ask("GET", "/teams/Platform")).json
    await api.ask("DELETE", "/teams/Platform")
    assert (await api.ask("GET", "/deleted-teams")).json == ["Platform"]
    assert (await api.ask("DELETE", "/deleted-teams/Platform")).json == made
    assert (await api.ask("DELETE", "/deleted-teams/Platform")).status == 404


async def test_verbose_logging_ends_by_itself_or_at_once(api: Api) -> None:
    assert (await api.ask("GET", "/verbose-logging")).json == {"on": False, "until": None}
    assert (await api.ask("PUT", "/verbose-logging", {"minutes": 1441})).status == 400
    begun = (await api.ask("PUT", "/verbose-logging", {"minutes": 1440})).json
    assert begun["on"] is True
    assert timedelta(hours=23) < datetime.fromisoformat(begun["until"]) - datetime.now(UTC) < timedelta(hours=24)
    assert (await api.ask("DELETE", "/verbose-logging")).json["on"] is False
    assert [e.who for e in await api.office.store.audit() if e.subject == "verbose_until"] == ["api:ada"] * 2


async def test_content_that_is_never_logged_is_not_by_a_program_either(tmp_path: Path) -> None:
    async with office_at(tmp_path, log_content="never") as office:
        made = Api(office)
        await made.admit()
        answer = await made.ask("PUT", "/verbose-logging", {"minutes": 5})
        assert (answer.status, "HOMEPORT_LOG_CONTENT" in answer.body.decode()) == (403, True)


async def test_families_that_are_not_settled(api: Api) -> None:
    found = (await api.ask("GET", "/beta-families")).json
    assert (found["allowed"], found["families"]["llama3"]) == (False, "beta")
    assert (await api.ask("PUT", "/beta-families", {"allowed": True})).json["allowed"] is True
    assert (await api.office.store.settings())["beta_families"] == "on"


async def test_the_configuration_without_keys(api: Api) -> None:
    await api.ask("POST", "/models", CODER)
    answer = await api.ask("GET", "/configuration")
    assert answer.header("content-type") == "application/toml; charset=utf-8"
    [model] = tomllib.loads(answer.body.decode())["models"]
    assert (model["name"], model["identifier"]) == ("coder", "qwen2.5-coder-7b")
    assert KEY not in answer.body.decode()


async def test_who_somebody_is_at_a_provider(api: Api) -> None:
    await api.office.sign_in("ada")
    assert (await api.ask("PUT", "/sso-identities/ada", {"subject": "s-1"})).status == 400
    theirs = {"subject": "s-1", "issuer": "https://sso.example.com"}
    [made] = (await api.ask("PUT", "/sso-identities/ada", theirs)).json
    assert (made["user"], made["subject"]) == ("ada", "s-1")
    assert (await api.ask("PUT", "/sso-identities/nobody", theirs)).status == 404
    assert (await api.ask("GET", "/sso-identities")).json == [made]
    assert (await api.ask("DELETE", "/sso-identities/ada")).json == {"unlinked": 1}


# what else the console does


async def test_a_model_is_copied_with_its_key(api: Api) -> None:
    await api.ask("POST", "/models", {**CODER, "limits": {"concurrency": 8}})
    made = await api.ask("POST", "/model-copies/coder", {})
    assert (made.status, made.json["name"], made.json["limits"]["concurrency"]) == (201, "coder-2", 8)
    assert (await api.office.store.model("coder-2")).key.reveal() == KEY
    assert (await api.ask("POST", "/model-copies/coder", {"name": "other"})).json["name"] == "other"
    assert (await api.ask("POST", "/model-copies/coder", {})).json["name"] == "coder-3"
    for body in ({"name": "other"}, {"name": "chat"}, {"name": "a b"}):
        assert (await api.ask("POST", "/model-copies/coder", body)).status == 400
    assert (await api.ask("POST", "/model-copies/nobody", {})).status == 404
    (last, *_) = (await api.ask("GET", "/audit")).json
    assert (last["who"], last["what"], last["subject"]) == ("api:ada", "model.add", "coder-3")
    assert KEY not in str(last)


async def test_a_list_of_models_tells_how_they_are(api: Api) -> None:
    await api.ask("POST", "/models", CODER)
    (found,) = (await api.ask("GET", "/models")).json
    assert (found["health"]["state"], found["health"]["running"]) == ("never asked", 0)
    await api.ask("PATCH", "/models/coder", {"enabled": False})
    assert (await api.ask("GET", "/models/coder")).json["health"]["state"] == "disabled"


async def test_an_embedded_model_is_as_well_as_what_answers_at_its_engine(api: Api) -> None:
    stored = Model(name="small", platform="embedded", family="smollm", identifier="smollm2")
    at_engine = replace(stored, endpoint="http://127.0.0.1:1/v1")
    bench = replace(api.office.house.app.door.bench, snapshot=lambda: Snapshot(models={"small": at_engine}))
    assert how_is(bench, stored).state == "never asked"
    bench.health.answered(at_engine, 0.25)
    assert how_is(bench, stored) == how_is(bench, at_engine) == ("well", 0, 0.25, None, "first token 250 ms")


async def test_changes_are_found_and_exported(api: Api) -> None:
    for name in ("coder", "=evil"):
        await api.ask("POST", "/models", {**CODER, "name": name})
    await api.ask("DELETE", "/models/coder")
    assert [each["what"] for each in (await api.ask("GET", "/audit?find=CODER")).json] == ["model.remove", "model.add"]
    assert {each["what"] for each in (await api.ask("GET", "/audit?thing=token")).json} == {"token.add"}
    assert {each["who"] for each in (await api.ask("GET", "/audit?who=api:ada")).json} == {"api:ada"}
    models = (await api.ask("GET", "/audit?thing=model&address=127.0.0.1")).json
    assert [each["address"] for each in models] == ["127.0.0.1"] * 3
    assert (await api.ask("GET", "/audit?thing=model&address=local")).json == []
    (newest,) = (await api.ask("GET", "/audit?limit=1")).json
    (older,) = (await api.ask("GET", f"/audit?limit=1&below={newest['id']}")).json
    assert older["id"] < newest["id"]
    today, tomorrow = (f"{datetime.now(UTC) + timedelta(days=day):%Y-%m-%d}" for day in (0, 1))
    assert len((await api.ask("GET", f"/audit?from={today}&to={tomorrow}&thing=model")).json) == 3
    assert (await api.ask("GET", f"/audit?from={tomorrow}")).json == []
    table = await api.ask("GET", "/audit?format=csv&thing=model")
    assert table.header("content-type") == "text/csv; charset=utf-8"
    assert "'=evil" in table.body.decode()
    for wrong in ("limit=0", "limit=x", "limit=99999", "format=xml", "from=soon"):
        assert (await api.ask("GET", f"/audit?{wrong}")).status == 400


async def test_a_password_is_set_and_signs_in(api: Api) -> None:
    await api.office.store.set_user(User(name="ben", role="user"), by="tests")
    short = await api.ask("PUT", "/passwords/ben", {"password": "short"})
    assert (short.status, "5 characters" in short.json["error"]["message"]) == (400, True)
    set_ = await api.ask("PUT", "/passwords/ben", {"password": "four words are enough"})
    assert (set_.status, set_.json) == (200, {"user": "ben", "changed": True})
    signed = await api.office.send("/console/sign-in", "password", name="ben", password="four words are enough")
    assert (signed.status, signed.location) == (303, "/console")
    assert (await api.ask("PUT", "/passwords/nobody", {"password": "four words are enough"})).status == 404
    assert "enough" not in str((await api.ask("GET", "/audit")).json)


async def test_every_check_is_asked_and_told(api: Api) -> None:
    assert (await api.ask("GET", "/health")).status == 404
    begun = await api.ask("POST", "/health")
    assert (begun.status, begun.json["running"]) == (202, True)
    examiner = api.office.house.app.door.prober.examiner
    assert examiner.known
    assert examiner.known.task
    async with asyncio.timeout(60):
        await examiner.known.task
    told = (await api.ask("GET", "/health")).json
    assert told["running"] is False
    assert len(told["checks"]) == len(examiner.known.checks)
    assert {each["status"] for each in told["checks"]} <= {"ok", "warn", "fail", "skip"}
    assert told["well"] is (told["first_broken"] is None)


async def test_whoever_asks_chooses_no_address_for_the_checks(api: Api) -> None:
    async with api.office.house.line() as wire:
        sent = asking("POST", f"{BASE}/health", None, None, api.token)
        await wire.send(sent.replace(f"127.0.0.1:{api.office.house.port}".encode(), b"evil.test"))
        assert (await wire.answer()).status == 202
    examiner = api.office.house.app.door.prober.examiner
    assert examiner.known
    assert examiner.known.task
    async with asyncio.timeout(60):
        await examiner.known.task
    assert "evil.test" not in str(examiner.known.found)


async def test_the_second_of_two_who_set_single_sign_on_is_told(api: Api) -> None:
    seen = (await api.ask("GET", "/sso")).json["version"]
    assert (await api.ask("POST", "/sso-checks")).status == 400
    first = {"issuer": "http://127.0.0.1:9", "client_id": "homeport", "seen": seen}
    told = await api.ask("PATCH", "/sso", first)
    assert told.status == 200
    assert told.json["version"] != seen
    late = await api.ask("PATCH", "/sso", {"name": "Other", "seen": seen})
    assert (late.status, "Somebody else changed" in late.json["error"]["message"]) == (409, True)
    assert (await api.ask("GET", "/sso")).json["name"] == ""
    assert (await api.ask("PATCH", "/sso", {"name": "Other", "seen": told.json["version"]})).json["name"] == "Other"
    checked = (await api.ask("POST", "/sso-checks")).json
    assert (checked["well"], checked["steps"][0]["status"]) == (False, "fail")
    assert checked["redirect_uri"] == f"http://127.0.0.1:{api.office.house.port}/console/sso"


async def test_a_family_that_is_not_generally_available_is_opted_into_once(api: Api) -> None:
    llama = {**CODER, "family": "codellama"}
    refused = await api.ask("POST", "/models", llama)
    assert (refused.status, "Code Llama is beta" in refused.json["error"]["message"]) == (400, True)
    create = """mutation($input: AiSelfHostedModelCreateInput!) {
        aiSelfHostedModelCreate(input: $input) { errors selfHostedModel { name } } }"""
    given = {"name": "b", "model": "CODELLAMA", "endpoint": "http://127.0.0.1:9/v1", "identifier": "custom_openai/x"}
    asked = {"query": create, "variables": {"input": given}}
    told = await api.office.house.ask("POST", "/api/graphql", asked, token=api.token)
    assert "Code Llama is beta" in told.json["data"]["aiSelfHostedModelCreate"]["errors"][0]
    assert (await api.ask("POST", "/models", {**llama, "beta": True})).status == 201
    assert (await api.ask("GET", "/beta-families")).json["allowed"] is True
    told = await api.office.house.ask("POST", "/api/graphql", asked, token=api.token)
    assert told.json["data"]["aiSelfHostedModelCreate"] == {"errors": [], "selfHostedModel": {"name": "b"}}
    await api.ask("PUT", "/beta-families", {"allowed": False})
    assert (await api.ask("PATCH", "/models/b", {"family": "llama3"})).status == 400
    assert (await api.ask("PATCH", "/models/b", {"enabled": False})).status == 200


async def test_settings_are_changed_while_it_runs(api: Api) -> None:
    before = (await api.ask("GET", "/settings")).json
    assert before["settings"]["usage_days"] | {"about": ""} == {
        "value": 400,
        "default": 400,
        "from": "default",
        "fixed": False,
        "group": "retention",
        "about": "",
        "may_be": "a whole number from 1 to 3,650",
    }
    sent = {"usage_days": 90, "model_connect_s": 1.5, "url": "http://ai.example", "seen": before["version"]}
    after = (await api.ask("PATCH", "/settings", sent)).json
    told = {name: (each["value"], each["from"]) for name, each in after["settings"].items()}
    assert (told["usage_days"], told["model_connect_s"]) == ((90, "database"), (1.5, "database"))
    await api.ask("POST", "/users", {"name": "ben"})
    link = (await api.ask("POST", "/sign-in-links", {"user": "ben"})).json
    assert "http://ai.example/console/sign-in?code=" in str(link)
    late = await api.ask("PATCH", "/settings", {"audit_days": 30, "seen": before["version"]})
    assert (late.status, late.json["error"]["code"]) == (409, "outdated")
    unsure = await api.ask("PATCH", "/settings", {"allowed_networks": ["10.0.0.0/8"]})
    assert unsure.status == 200
    unsure = await api.ask("PATCH", "/settings", {"allowed_networks": ["10.0.0.0/8", "172.16.0.0/12"]})
    assert (unsure.status, unsure.json["error"]["code"]) == (409, "unconfirmed")
    sure = await api.ask("PATCH", "/settings", {"allowed_networks": None, "usage_days": None, "sure": True})
    assert sure.json["settings"]["allowed_networks"]["value"] == []
    assert await api.office.store.settings() == {"model_connect_s": "1.5", "url": "http://ai.example"}
    for wrong in (
        {"usage_days": 0},
        {"url": "x"},
        {"denied_networks": ["x"]},
        {"audit_days": 3},
        {"model_idle_s": "x"},
    ):
        refused = await api.ask("PATCH", "/settings", wrong)
        assert (refused.status, refused.json["error"]["code"]) == (400, "bad_request")
        assert next(iter(wrong)) in refused.json["error"]["message"]
