"""`/v1/code/user_access_token`, and what the token it makes opens.

Source: gateway protocol, `POST /v1/code/user_access_token`, "Direct-access tokens" and "Scopes per endpoint".
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import issuer as gitlab
import pytest
from house import House, eventually, opened
from issuer import INSTANCE, REALM, SERVICE, USER, Issuer

from homeport.access import SCOPES
from homeport.protocols import method_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wire import Answer

PATH = "/v1/code/user_access_token"
BODY = {"current_file": {"file_name": "a.py", "content_above_cursor": "def a():\n", "content_below_cursor": ""}}
OPEN_TO_EDITORS = {"/v2/code/completions", "/v2/completions"}
"""All that a user's own token opens."""


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer().listening() as found:
        yield found


@pytest.fixture(scope="module")
async def gateway(issuer: Issuer) -> AsyncIterator[House]:
    async with opened(gitlab_url=issuer.url) as house:
        await eventually(lambda: house.app.door.federation.issuers.current)  # type: ignore[union-attr]  # there is one
        yield house


@pytest.fixture
def house(gateway: House) -> House:
    gateway.models.forget()
    return gateway


async def minted(house: House, token: str, body: Any = None, **changes: str) -> Answer:
    return await house.ask("POST", PATH, body, gitlab.headers(**changes), token)


async def an_editors(house: House, issuer: Issuer) -> str:
    """A token for an editor."""
    answer = await minted(house, issuer.token())
    assert answer.status == 200
    return str(answer.json["token"])


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


@pytest.mark.parametrize("scopes", [["complete_code"], ["code_suggestions"], ["complete_code", "duo_chat"]])
@pytest.mark.parametrize("body", [None, b"", b"{}", b"x"])
async def test_a_gitlab_gets_a_token_for_its_user(
    house: House, issuer: Issuer, scopes: list[str], body: bytes | None
) -> None:
    before = int(time.time())
    answer = await minted(house, issuer.token(scopes=scopes), body)
    assert answer.status == 200
    assert set(answer.json) == {"token", "expires_at"}
    assert type(answer.json["expires_at"]) is int
    assert before + 3600 <= answer.json["expires_at"] <= time.time() + 3600
    assert answer.header("cache-control") == "no-store"
    assert answer.header("x-request-id")
    assert answer.header("x-process-time")
    said = claims(answer.json["token"])
    assert said["exp"] == answer.json["expires_at"]
    assert (said["iss"], said["aud"], said["sub"]) == (SERVICE, SERVICE, USER)
    assert (said["gitlab_realm"], said["gitlab_instance_id"]) == (REALM, INSTANCE)
    assert said["scopes"] == ["complete_code"]


async def test_the_editor_completes_code_with_it(house: House, issuer: Issuer) -> None:
    token = await an_editors(house, issuer)
    for path in sorted(OPEN_TO_EDITORS):
        answer = await house.ask("POST", path, BODY, gitlab.headers(), token)
        assert answer.status == 200, answer.body
        assert answer.json["choices"][0]["text"]
    assert len(house.models.heard) == len(OPEN_TO_EDITORS)


async def test_it_opens_nothing_else(house: House, issuer: Issuer) -> None:
    token = await an_editors(house, issuer)
    every = {path: found.endpoints[0] for path, found in house.app.routes.items()}
    guarded = {path: each for path, each in every.items() if not each.route.need.public}
    assert guarded.keys() > OPEN_TO_EDITORS
    for path in guarded.keys() - OPEN_TO_EDITORS:
        answer = await house.ask(method_of(guarded[path].route), path, {}, gitlab.headers(), token)
        assert answer.status == 403, path
        assert "does not open this endpoint" in answer.body.decode()
    assert not house.models.heard


async def test_it_is_no_use_to_another_user(house: House, issuer: Issuer) -> None:
    token = await an_editors(house, issuer)
    for name, value in (
        ("X-Gitlab-Global-User-Id", "another"),
        ("X-Gitlab-Instance-Id", "another"),
        ("X-Gitlab-Realm", "saas"),
        ("X-Gitlab-Authentication-Type", ""),
    ):
        headers = gitlab.headers() | {name: value}
        answer = await house.ask("POST", "/v2/code/completions", BODY, headers, token)
        assert answer.status == 401
        assert name in answer.json["error"]
    assert not house.models.heard


async def test_it_carries_no_model(house: House, issuer: Issuer) -> None:
    """A user may not choose which server is called."""
    token = await an_editors(house, issuer)
    carried = {"model_provider": "litellm", "model_endpoint": house.models.url, "model_name": "codestral"}
    answer = await house.ask("POST", "/v2/code/completions", BODY | carried, gitlab.headers(), token)
    assert answer.status in {403, 421}
    assert not house.models.heard


@pytest.mark.parametrize("name", ["X-Gitlab-Global-User-Id", "X-Gitlab-Instance-Id", "X-Gitlab-Realm"])
@pytest.mark.parametrize("value", ["", "x" * 300])
async def test_each_header_is_needed(house: House, issuer: Issuer, name: str, value: str) -> None:
    token = issuer.token(gitlab_realm=...)
    answer = await minted(house, token, **{name: value})
    if name == "X-Gitlab-Instance-Id":
        # the token itself is bound to it
        assert (answer.status, list(answer.json)) == (401, ["error"])
        assert name in answer.json["error"]
    else:
        assert answer.status == 400
        (only,) = answer.json["detail"]
        assert name in only["msg"]


async def test_without_the_scope(house: House, issuer: Issuer) -> None:
    answer = await minted(house, issuer.token(scopes=["duo_chat"]))
    assert answer.status == 403
    (only,) = answer.json["detail"]
    assert "lacks the scope complete_code" in only["msg"]


async def test_a_person_cannot_make_one(house: House) -> None:
    for scopes in (SCOPES, ["complete_code"]):
        answer = await minted(house, house.admit(scopes=frozenset(scopes)))
        assert answer.status == 403
        (only,) = answer.json["detail"]
        assert "Only a GitLab" in only["msg"]


async def test_nobody_cannot_make_one(house: House) -> None:
    for token in ("", "x", "a.b.c"):
        assert (await minted(house, token)).status == 401


async def test_a_bypass_may(issuer: Issuer) -> None:
    async with opened(gitlab_url=issuer.url, auth_bypass_with_header=True) as house:
        headers = gitlab.headers() | {"Bypass-Auth": "true"}
        answer = await house.ask("POST", PATH, None, headers, "")
        assert answer.status == 200
        assert (
            await house.ask("POST", "/v2/code/completions", BODY, gitlab.headers(), answer.json["token"])
        ).status == 200
        assert (await house.ask("POST", PATH, None, gitlab.headers(), "")).status == 401
        assert [line["level"] for line in house.logs.lines if "without authentication" in line["message"]] == [
            "critical"
        ]


async def test_two_gateways_with_one_key_take_each_others_tokens(issuer: Issuer) -> None:
    old, new = gitlab.pem(gitlab.rsa_key("own")), gitlab.pem(gitlab.rsa_key("second"))
    async with (
        opened(gitlab_url=issuer.url, jwt_signing_key=old) as first,
        opened(gitlab_url=issuer.url, jwt_signing_key=new, jwt_validation_key=old) as second,
        opened(gitlab_url=issuer.url) as third,
    ):
        for each in (first, second, third):
            await eventually(lambda each=each: each.app.door.federation.issuers.current)
        token = await an_editors(first, issuer)
        statuses = [
            (await each.ask("POST", "/v2/code/completions", BODY, gitlab.headers(), token)).status
            for each in (first, second, third)
        ]
        assert statuses == [200, 200, 401]


async def test_the_keys_are_never_shown(issuer: Issuer) -> None:
    key = gitlab.pem(gitlab.rsa_key("own"))
    async with opened(gitlab_url=issuer.url, jwt_signing_key=key) as house:
        await eventually(lambda: house.app.door.federation.issuers.current)
        token = await an_editors(house, issuer)
        await house.record()
        seen = json.dumps([line | {} for line in house.logs.lines], default=str)
        for secret in (token, token.split(".")[2], key.splitlines()[3], issuer.name + ".x"):
            assert secret not in seen
