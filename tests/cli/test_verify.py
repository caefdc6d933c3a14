"""`homeport verify`: the facts of a set-up for one user."""

from __future__ import annotations

from typing import Any

from commands import KEY, Instance

from homeport.domain.models import Secret
from homeport.store.records import User


async def test_all_is_well_for_the_administrator(instance: Instance) -> None:
    ran = await instance.run("verify", "--json")
    found = ran.json
    assert (ran.code, found["ok"], found["user"]) == (0, True, "admin")
    assert found["ai_gateway_url"] == {"url": instance.url, "status": "ok"}
    assert found["license"]["features"]["code_completions"] is True
    assert found["ai_gateway_health"]["status"] == found["request_flow"]["status"] == "ok"
    (model,) = found["self_hosted_models"]
    assert (model["identifier"], model["api_token"], model["status"]) == ("served-coder", "Configured", "ok")
    assert found["feature_settings"]["models"] == {"coder": 3}
    assert KEY not in ran.out


async def test_its_questions_are_answered_to_their_end(instance: Instance) -> None:
    await instance.run("verify")
    found: list[dict[str, Any]] = []
    while len(found) < 3:
        found = (await instance.run("logs", "--json")).json
    assert {(each["feature"], each["outcome"]) for each in found} == {
        (feature, "completed") for feature in ("code_completions", "code_generations", "chat")
    }
    asked = [each.json for each in instance.models.heard if each.body]
    assert max(each.get("max_tokens", 0) for each in asked) == 16


async def test_people_read_it(instance: Instance) -> None:
    ran = await instance.run("verify", "admin")
    assert ran.code == 0
    assert "✔ code_completions" in ran.out
    assert "✓ Models      coder" in ran.out
    assert "key configured" in ran.out


async def test_a_model_without_a_key_lacks_none(instance: Instance) -> None:
    await instance.edit(key=Secret(), enabled=False)
    ran = await instance.run("verify")
    assert ", no key): " in ran.out
    assert "missing" not in ran.out.lower()


async def test_a_model_that_cannot_be_reached_fails_it(instance: Instance) -> None:
    await instance.edit(endpoint="http://127.0.0.1:9/v1")
    ran = await instance.run("verify", "--json")
    assert (ran.code, ran.json["ok"]) == (1, False)
    assert "nobody listens there" in ran.json["self_hosted_models"][0]["saw"]


async def test_a_user_without_a_token_is_told_of(instance: Instance) -> None:
    async with instance.store() as store:
        await store.set_user(User(name="bob"), by="test")
    ran = await instance.run("verify", "bob", "--json")
    assert ran.json["license"]["status"] == "warn"
    assert "bob has no token" in ran.json["license"]["saw"]
    async with instance.store() as store:
        await store.set_user(User(name="bob", disabled=True), by="test")
    ran = await instance.run("verify", "bob", "--json")
    assert (ran.code, ran.json["license"]["saw"]) == (1, "bob is disabled.")


async def test_an_unknown_user(instance: Instance) -> None:
    ran = await instance.run("verify", "nobody", "--json")
    assert ran.code == 1
    assert ran.json["error"]["code"] == "not_found"
    assert "admin" in ran.json["error"]["message"]


async def test_without_a_server(instance: Instance) -> None:
    ran = await instance.run("verify", "--json", HOMEPORT_URL="http://127.0.0.1:9")
    assert ran.code == 1
    assert ran.json["ai_gateway_health"]["status"] == "fail"
    assert ran.json["request_flow"]["status"] == "skip"
