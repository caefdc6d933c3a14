"""Tokens, direct connections, documentation search, the list of models, and what is not part of a self-hosted setup."""

from __future__ import annotations

import json
import time
from typing import Any

import issuer
from issuer import INSTANCE, REALM, USER

from conformance import Site, case, components, detail, file

V2 = "/v2/code/completions"
SEARCH = "/v1/search/gitlab-docs"
MINT = "/v1/code/user_access_token"


def v2(site: Site) -> dict[str, Any]:
    return {"current_file": file(), **site.flat}


async def with_token(site: Site, token: str, **headers: str) -> Any:
    usual = {"X-Gitlab-Authentication-Type": "oidc", "X-Gitlab-Instance-Id": INSTANCE, "X-Gitlab-Realm": REALM}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.house.ask("POST", V2, v2(site), {**usual, **named}, token)


@case("14.2", "no token is 401 with the key error")
async def no_token(site: Site) -> None:
    answer = await with_token(site, "")
    assert answer.status == 401
    assert detail(answer)


for name, token in (("no JWT", "x"), ("three parts of nothing", "a.b.c"), ("empty parts", "..")):

    @case("14.2", f"what is no token is 401 with the key error | {name}", token)
    async def not_a_token(site: Site, token: str) -> None:
        answer = await with_token(site, token)
        assert answer.status == 401
        assert detail(answer)


for name, claims in (
    ("expired", {"exp": int(time.time()) - 3600}),
    ("not yet valid", {"nbf": int(time.time()) + 3600}),
    ("without an end", {"exp": ...}),
    ("of another issuer", {"iss": "https://gitlab.evil.test"}),
    ("without an issuer", {"iss": ...}),
    ("for another service", {"aud": "other"}),
    ("for nobody", {"aud": ...}),
    ("with scopes as one text", {"scopes": "complete_code"}),
):

    @case("14.3", f"a token that is wrong is 401 with the key error | {name}", claims)
    async def wrong_token(site: Site, claims: dict[str, Any]) -> None:
        answer = await with_token(site, site.token(**claims))
        assert answer.status == 401
        assert detail(answer)
        assert not site.theirs.heard


for audience in ("gitlab-ai-gateway", ["gitlab-ai-gateway"], ["other", "gitlab-ai-gateway"]):

    @case("14.3", f"the audience may be a text or a list | {json.dumps(audience)}", audience)
    async def audiences(site: Site, audience: Any) -> None:
        assert (await with_token(site, site.token(aud=audience))).status == 200


for header, value in (("X_Gitlab_Instance_Id", "another"), ("X_Gitlab_Realm", "saas")):

    @case("14.2", f"a claim that differs from its header is 401 that names the header | {header}", header, value)
    async def mismatch(site: Site, header: str, value: str) -> None:
        answer = await with_token(site, site.token(gitlab_instance_id=INSTANCE), **{header: value})
        assert answer.status == 401
        assert header.replace("_", "-") in detail(answer)


@case("14.2", "X-Gitlab-Authentication-Type must be oidc")
async def authentication_type(site: Site) -> None:
    for given in ("oauth", ""):
        headers = {"X-Gitlab-Authentication-Type": given}
        answer = await site.house.ask("POST", V2, v2(site), headers, site.token())
        assert answer.status == 401
        assert detail(answer)


@case("14.1", "headers that newer versions add are not needed")
async def few_headers(site: Site) -> None:
    assert (await with_token(site, site.token())).status == 200


async def minted(site: Site) -> dict[str, Any]:
    answer = await site.post(MINT, None)
    assert answer.status == 200
    return answer.json


@case("4.6", "a user's token is a text with an end in an hour")
async def mint(site: Site) -> None:
    found = await minted(site)
    assert set(found) == {"token", "expires_at"}
    assert isinstance(found["expires_at"], int)
    assert 3500 < found["expires_at"] - time.time() <= 3601


for header in ("X-Gitlab-Global-User-Id", "X-Gitlab-Realm"):

    @case("4.6", f"without the user or the realm it is 400 | {header}", header)
    async def mint_without(site: Site, header: str) -> None:
        token = site.token(gitlab_realm=...)
        answer = await site.house.ask("POST", MINT, None, {**issuer.headers(), header: ""}, token)
        assert answer.status == 400
        assert header in detail(answer)


@case("4.6", "without the instance it is 401: the token's subject is the instance")
async def mint_without_instance(site: Site) -> None:
    headers = {**issuer.headers(), "X-Gitlab-Instance-Id": ""}
    answer = await site.house.ask("POST", MINT, None, headers, site.token())
    assert answer.status == 401
    assert "X-Gitlab-Instance-Id" in detail(answer)


def direct(token: str, **changes: str) -> dict[str, str]:
    """What an editor sends."""
    known = {
        "X-Gitlab-Authentication-Type": "oidc",
        "X-Gitlab-Global-User-Id": USER,
        "X-Gitlab-Instance-Id": INSTANCE,
        "X-Gitlab-Realm": REALM,
    }
    assert token
    return known | changes


@case("4.6", "an editor completes with it, through the gateway's own model")
async def editor(site: Site) -> None:
    token = (await minted(site))["token"]
    body = {"current_file": file(), "prompt_version": 1, "project_path": "a/b", "project_id": -1, "telemetry": []}
    answer = await site.house.ask("POST", "/v2/completions", body, direct(token), token)
    assert answer.status == 200
    assert answer.json["choices"]
    assert not site.theirs.heard


@case("13.1", "an editor's token may not come with an endpoint")
async def editor_endpoint(site: Site) -> None:
    token = (await minted(site))["token"]
    answer = await site.house.ask("POST", V2, v2(site), direct(token), token)
    assert answer.status == 403
    assert not site.theirs.heard


@case("14.2", "an editor's token with another user's header is 401")
async def other_user(site: Site) -> None:
    token = (await minted(site))["token"]
    headers = direct(token, **{"X-Gitlab-Global-User-Id": "somebody-else"})
    answer = await site.house.ask("POST", "/v2/completions", {"current_file": file()}, headers, token)
    assert answer.status == 401
    assert "X-Gitlab-Global-User-Id" in detail(answer)


for path, body in (
    ("/v2/code/generations", {"current_file": file(), "prompt": ""}),
    ("/v3/code/completions", components("completion")),
    (MINT, None),
):

    @case("14.5", f"an editor's token opens neither generations, nor v3, nor makes more tokens | {path}", path, body)
    async def editor_only_completes(site: Site, path: str, body: Any) -> None:
        token = (await minted(site))["token"]
        answer = await site.house.ask("POST", path, body, direct(token), token)
        assert answer.status == 403
        assert detail(answer)


def query(words: Any, **payload: Any) -> dict[str, Any]:
    metadata = {"source": "GitLab EE", "version": "18.2.0"}
    return {"type": "search-docs", "metadata": metadata, "payload": {"query": words, **payload}}


@case("7", "results have id, content and metadata")
async def search(site: Site) -> None:
    found = (await site.post(SEARCH, query("How do I register a runner?", page_size=4))).json
    assert set(found) == {"response", "metadata"}
    assert set(found["metadata"]) == {"provider", "timestamp"}
    first = found["response"]["results"][0]
    assert set(first) == {"id", "content", "metadata"}
    assert first["id"] == first["metadata"]["filename"] == "runners.md"
    assert "Register a runner" in first["content"]


for words in ("zebra quantum", "", "AND OR NOT", '"unbalanced', "a*b:c^d(e)", "NEAR(", "💥", "x" * 5000):

    @case("7", f"any question is answered, if only with nothing | {words[:14]!r}", words)
    async def any_question(site: Site, words: str) -> None:
        answer = await site.post(SEARCH, query(words))
        assert answer.status == 200
        assert isinstance(answer.json["response"]["results"], list)


for size in (0, 21, "many"):

    @case("7", f"page_size is 1 to 20, else 422 with a list | {size}", size)
    async def page_size(site: Site, size: Any) -> None:
        answer = await site.post(SEARCH, query("runner", page_size=size))
        assert answer.status == 422
        assert "page_size" in detail(answer)


@case("7", "it needs documentation_search")
async def search_scope(site: Site) -> None:
    assert (await site.post(SEARCH, query("runner"), scopes=("documentation_search",))).status == 200
    answer = await site.post(SEARCH, query("runner"), scopes=("duo_chat",))
    assert answer.status == 403
    assert "documentation_search" in detail(answer)


@case("8", "models and features, without a token, and without any address")
async def definitions(site: Site) -> None:
    answer = await site.house.get("/v1/models/definitions", token="")
    assert answer.status == 200
    assert set(answer.json) == {"models", "unit_primitives"}
    assert {"name", "identifier"} == set(answer.json["models"][0])
    assert "127.0.0.1" not in answer.body.decode()


for section, path in (
    ("4.7", "/v1/x-ray/libraries"),
    ("9", "/v1/proxy/anthropic/v1/messages"),
    ("9", "/v1/proxy/vertex-ai/v1/projects/x"),
    ("9", "/v1/proxy/openai/v1/chat/completions"),
    ("10", "/v1/embeddings/code_embeddings"),
    ("10", "/v1/embeddings/code_embeddings/index"),
    ("11", "/v1/amazon_q/oauth/application"),
    ("11", "/v1/amazon_q/events"),
):

    @case(section, f"what only GitLab's cloud has is 404 with a sentence that says so | {path}", path)
    async def cloud_only(site: Site, path: str) -> None:
        answer = await site.post(path, {}, X_Gitlab_Unit_Primitive="duo_chat")
        assert answer.status == 404
        assert "GitLab's cloud" in detail(answer)
        assert (await site.house.ask("POST", path, {}, {}, "")).status == 401
