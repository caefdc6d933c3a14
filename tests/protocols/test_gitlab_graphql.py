"""GraphQL under GitLab's names: the administration with the console's rules and audit, and the limits of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from desks import CHAT, KEY, Desk, desk_at
from house import FIM, WORDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CREATE = """mutation($input: AiSelfHostedModelCreateInput!) { aiSelfHostedModelCreate(input: $input) {
  selfHostedModel { id name model identifier endpoint hasApiToken apiToken releaseState } errors } }"""
UPDATE = """mutation($input: AiSelfHostedModelUpdateInput!) { aiSelfHostedModelUpdate(input: $input) {
  selfHostedModel { id name hasApiToken model } errors } }"""
DELETE = """mutation($input: AiSelfHostedModelDeleteInput!) { aiSelfHostedModelDelete(input: $input) {
  selfHostedModel { name } errors clientMutationId } }"""
ASSIGN = """mutation($input: AiFeatureSettingUpdateInput!) { aiFeatureSettingUpdate(input: $input) {
  aiFeatureSettings { feature provider selfHostedModel { id name } } errors } }"""
LIST = """query($after: String, $id: AiSelfHostedModelID) { aiSelfHostedModels(first: 1, after: $after, id: $id) {
  count nodes { id name featureSettings { nodes { feature } } } pageInfo { hasNextPage endCursor } } }"""
MODEL = {
    "name": "new",
    "model": "CODESTRAL",
    "endpoint": "http://127.0.0.1:9/v1",
    "apiToken": KEY,
    "identifier": "custom_openai/served",
}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path) as made:
        yield made


async def made(desk: Desk, **fields: Any) -> Any:
    """A model, created."""
    found = (await desk.data(CREATE, {"input": MODEL | fields}))["aiSelfHostedModelCreate"]
    assert found["errors"] == []
    return found["selfHostedModel"]


async def test_a_model_from_its_creation_to_its_end(desk: Desk) -> None:
    model = await made(desk)
    assert model["id"].startswith("gid://gitlab/Ai::SelfHostedModel/")
    assert (model["hasApiToken"], model["apiToken"], model["identifier"]) == (True, None, MODEL["identifier"])
    stored = await desk.store.model("new")
    assert (stored.key.reveal(), stored.identifier, stored.platform) == (KEY, "served", "openai")
    changed = await desk.data(UPDATE, {"input": {"id": model["id"], "name": "newer", "model": "MISTRAL"}})
    found = changed["aiSelfHostedModelUpdate"]["selfHostedModel"]
    assert found == {"id": model["id"], "name": "newer", "hasApiToken": True, "model": "MISTRAL"}
    gone = await desk.data(DELETE, {"input": {"id": model["id"], "clientMutationId": "c7"}})
    assert gone["aiSelfHostedModelDelete"] == {
        "selfHostedModel": {"name": "newer"},
        "errors": [],
        "clientMutationId": "c7",
    }
    again = (await desk.data(DELETE, {"input": {"id": model["id"]}}))["aiSelfHostedModelDelete"]
    assert "Self-hosted model not found" in again["errors"][0]
    events = [each for each in await desk.store.audit() if each.who == "api:ada"]
    assert [each.what for each in events] == ["model.remove", "model.edit", "model.add"]
    assert {each.address for each in events} == {"127.0.0.1"}
    assert (events[1].before, events[1].after) == (
        {"name": "new", "family": "codestral"},
        {"name": "newer", "family": "mistral"},
    )
    assert KEY not in str(events)


async def test_features(desk: Desk) -> None:
    model = await made(desk)
    wanted = {
        "features": ["DUO_CHAT", "CODE_GENERATIONS"],
        "provider": "SELF_HOSTED",
        "aiSelfHostedModelId": model["id"],
    }
    found = (await desk.data(ASSIGN, {"input": wanted}))["aiFeatureSettingUpdate"]
    assert [each["selfHostedModel"]["name"] for each in found["aiFeatureSettings"]] == ["new", "new"]
    assert (await desk.store.features())["chat"].model == "new"
    refused = (await desk.data(DELETE, {"input": {"id": model["id"]}}))["aiSelfHostedModelDelete"]
    assert "serves chat, code_generations" in refused["errors"][0]
    off = {"features": ["DUO_CHAT"], "provider": "DISABLED"}
    assert (await desk.data(ASSIGN, {"input": off}))["aiFeatureSettingUpdate"]["errors"] == []
    query = "{ aiFeatureSettings { nodes { feature provider validModels { nodes { name } } } } }"
    settings = {each["feature"]: each for each in (await desk.data(query))["aiFeatureSettings"]["nodes"]}
    assert settings["duo_chat"]["provider"] == "DISABLED"
    assert settings["duo_chat_explain_code"]["provider"] == "UNASSIGNED"
    assert {each["name"] for each in settings["duo_chat"]["validModels"]["nodes"]} == {FIM, WORDS, "new"}
    for wrong in (
        {"features": [], "provider": "DISABLED"},
        {"features": ["DUO_CHAT"], "provider": "VENDORED"},
        {"features": ["DUO_CHAT"], "provider": "SELF_HOSTED"},
        {"features": ["DUO_CHAT"], "provider": "SELF_HOSTED", "aiSelfHostedModelId": "gid://gitlab/User/1"},
    ):
        assert (await desk.data(ASSIGN, {"input": wrong}))["aiFeatureSettingUpdate"]["errors"], wrong


async def test_pages_of_models(desk: Desk) -> None:
    first = (await desk.data(LIST))["aiSelfHostedModels"]
    assert (first["count"], first["pageInfo"]["hasNextPage"]) == (2, True)
    second = (await desk.data(LIST, {"after": first["pageInfo"]["endCursor"]}))["aiSelfHostedModels"]
    assert second["pageInfo"]["hasNextPage"] is False
    assert {first["nodes"][0]["name"], second["nodes"][0]["name"]} == {FIM, WORDS}
    one = (await desk.data(LIST, {"id": second["nodes"][0]["id"]}))["aiSelfHostedModels"]
    assert one["nodes"] == second["nodes"]
    assert "cursor" in (await desk.query(LIST, {"after": "x"}))["errors"][0]["message"]


async def test_the_connection_is_checked(desk: Desk) -> None:
    check = """mutation($input: AiSelfHostedModelConnectionCheckInput!) {
      aiSelfHostedModelConnectionCheck(input: $input) { result { success message errors details } errors } }"""
    given = MODEL | {"endpoint": desk.house.models.url}
    well = (await desk.data(check, {"input": given}))["aiSelfHostedModelConnectionCheck"]["result"]
    assert (well["success"], well["errors"], set(well["details"])) == (True, [], {"address", "served", "answers"})
    lost = (await desk.data(check, {"input": MODEL}))["aiSelfHostedModelConnectionCheck"]["result"]
    assert (lost["success"], lost["message"].startswith("ERROR: ")) == (False, True)
    assert "new" not in {each.name for each in await desk.store.models()}


async def test_only_administrators(desk: Desk) -> None:
    coder = await desk.admit("complete_code", "duo_chat", name="coder")
    for query, variables in ((LIST, {}), (CREATE, {"input": MODEL}), ("{ duoSettings { aiGatewayUrl } }", {})):
        found = await desk.query(query, variables, coder)
        assert found["errors"][0]["extensions"]["code"] == "not_allowed"
        assert not any((found["data"] or {}).values())
    assert "new" not in {each.name for each in await desk.store.models()}
    missing = await desk.ask("POST", "/api/graphql", {"query": LIST}, "")
    assert (missing.status, missing.json["errors"][0]["extensions"]["code"]) == (401, "not_authenticated")


async def test_models_that_cannot_be_stored(desk: Desk) -> None:
    for fields in ({"name": FIM}, {"endpoint": "nonsense"}, {"name": "chat"}, {"name": ""}):
        found = (await desk.data(CREATE, {"input": MODEL | fields}))["aiSelfHostedModelCreate"]
        assert found["errors"], fields
        assert found["selfHostedModel"] is None


DEEP = "{ " + "aiFeatureSettings { nodes { validModels { nodes { featureSettings { nodes { selfHostedModel { " * 3
REFUSED = {
    "unknown field": "{ nope }",
    "no query": "nonsense {",
    "too long": "{ currentUser { id } } " + "#" * 20_000,
    "too many tokens": "{" + " currentUser { id }" * 600 + "}",
    "too many aliases": "{" + " ".join(f"a{n}: currentUser {{ id }}" for n in range(31)) + "}",
    "too deep": DEEP + "id" + " }" * (DEEP.count("{")),
    "too much": "{ aiFeatureSettings { nodes { validModels { nodes {"
    " featureSettings { nodes { feature title } } } } } } }",
    "very deep": "{a" * 900 + "}" * 900,
    "within itself": "query { ...A } fragment A on Query { ...A }",
    "a laugh": "query { ...A0 } "
    + " ".join(f"fragment A{n} on Query {{ {f'...A{n + 1} ' * 9} }}" for n in range(14))
    + " fragment A14 on Query { ...Nothing }",
    "a subscription": "subscription { aiCompletionResponse { id } }",
    "which one": "query A { currentUser { id } } query B { currentUser { id } }",
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_a_document_may_not(desk: Desk, case: str) -> None:
    found = await desk.query(REFUSED[case])
    assert found["errors"][0]["message"]
    assert found["errors"][0]["extensions"]["correlationId"]
    assert "Something went wrong" not in str(found)


async def test_one_document_at_a_time(desk: Desk) -> None:
    batch = await desk.ask("POST", "/api/graphql", b'[{"query": "{ currentUser { id } }"}]')
    assert (batch.status, "not an object" in batch.json["errors"][0]["message"]) == (400, True)
    for variables, status in (('{"x": 1}', 200), ("[", 400), ("[]", 400)):
        body = {"query": "query($x: Int) { currentUser { id } }", "variables": variables}
        assert (await desk.ask("POST", "/api/graphql", body)).status == status


async def test_introspection(desk: Desk) -> None:
    found = await desk.data("{ __schema { queryType { name fields { name } } mutationType { fields { name } } } }")
    assert {each["name"] for each in found["__schema"]["mutationType"]["fields"]} == {
        "aiAction",
        "aiFeatureSettingUpdate",
        "aiSelfHostedModelConnectionCheck",
        "aiSelfHostedModelCreate",
        "aiSelfHostedModelDelete",
        "aiSelfHostedModelUpdate",
    }


async def test_questions_that_cannot_be_asked(desk: Desk) -> None:
    for question in (" ", "x" * 400_001):
        found = (await desk.data(CHAT, {"question": question}))["aiAction"]
        assert (found["requestId"], bool(found["errors"])) == (None, True)
    other = 'mutation { aiAction(input: { summarizeReview: { resourceId: "x" } }) { requestId errors } }'
    assert "here that is chat" in (await desk.data(other))["aiAction"]["errors"][0]


async def test_the_administrations_own_api_has_what_the_console_has(desk: Desk) -> None:
    base = "/api/admin/v1"
    await made(desk, endpoint=desk.house.models.url)
    tested = await desk.ask("POST", f"{base}/model-tests/new")
    assert (tested.json["well"], [each["step"] for each in tested.json["steps"]]) == (
        True,
        ["address", "served", "answers"],
    )
    draft = {"name": "newer", "endpoint": "http://127.0.0.1:9/v1", "identifier": "x"}
    lost = (await desk.ask("POST", f"{base}/model-tests", draft)).json
    assert (lost["well"], lost["steps"][-1]["status"]) == (False, "fail")
    seen = await desk.ask("POST", f"{base}/detections", {"endpoint": desk.house.models.url})
    assert seen.json["models"] == [{"identifier": "served", "family": "general"}]
    section = await desk.ask("PUT", f"{base}/sections/Code%20Suggestions", {"model": WORDS})
    assert {each["model"] for each in section.json} == {WORDS}
    assert (await desk.ask("PUT", f"{base}/sections/Nobody", {"model": WORDS})).status == 404
    moved = await desk.ask("POST", f"{base}/model-replacements/{WORDS}", {"instead": FIM})
    assert (moved.status, set(moved.json["features"])) == (200, {"chat", "code_completions", "code_generations"})
    assert {each.model for each in (await desk.store.features()).values()} == {FIM}
    assert (await desk.ask("POST", f"{base}/model-replacements/{FIM}", {"instead": FIM})).status == 400
