"""`homeport support-bundle`: what helps is in it, and no secret that was planted anywhere."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from commands import KEY, Instance, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CANARY = "canary-7d1f"


@pytest.fixture(scope="module")
async def instance(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Instance]:
    async with running(tmp_path_factory.mktemp("instance") / "data") as found:
        yield found


def unpacked(file: Path) -> dict[str, str]:
    with tarfile.open(file) as tar:
        return {
            each.name.rpartition("/")[2]: found.read().decode()
            for each in tar.getmembers()
            if (found := tar.extractfile(each))
        }


async def test_what_helps_is_in_it_and_nothing_secret(instance: Instance, tmp_path: Path) -> None:
    headers = json.dumps({"X-Pass": f"{CANARY}-header"})
    await instance.edit(options={"headers": headers, "proxy": "none"})
    log = tmp_path / "homeport.log"
    lines = [
        {"logger": "api.access", "message": "request", "correlation_id": "kept-id"},
        {"logger": "api.content", "message": "prompt", "prompt": f"{CANARY}-prompt"},
        {"logger": "homeport", "message": f"a key {KEY} and Bearer {CANARY}-abcdefghijklmnop.qrstuvwxyz"},
    ]
    cut = json.dumps({"logger": "api.content", "prompt": f"{CANARY}-of-a-line-that-is-cut " * 50_000}) + "\n"
    log.write_text(cut + "".join(json.dumps(line) + "\n" for line in lines))
    said = {"correlation_id": "told-id", "prompt": [f"{CANARY}-asked"], "response_from_llm": [f"{CANARY}-said"]}
    (instance.settings.data_dir / "llm.log").write_text(json.dumps(said) + "\n{\n")
    asked = (await instance.run("chat", f"{CANARY}-question", "--json")).json["correlation_id"]
    while not (await instance.run("logs", "--feature", "chat", "--json")).json:
        pass
    file = tmp_path / "bundle.tar.gz"
    secrets = {
        "HOMEPORT_DEFAULT_API_KEY": f"{CANARY}-default-key",
        "HOMEPORT_JWT_SIGNING_KEY": f"{CANARY}-signing-key",
        "HOMEPORT_LOG_FILE": str(log),
    }
    ran = await instance.run("support-bundle", "--file", str(file), "--json", **secrets)
    assert ran.code == 0, ran.err
    files = unpacked(file)
    assert sorted(files) == sorted(ran.json["files"])
    whole = "\n".join(files.values())
    roots = (instance.settings.data_dir / "keys").read_text().split()
    token = (instance.settings.data_dir / "token").read_text().strip()
    for secret in (CANARY, KEY, token, *(each for each in roots if len(each) > len("v1-20261127"))):
        assert secret not in whole
    assert file.stat().st_mode & 0o077 == 0
    assert "kept-id" in files["homeport.log"]
    assert files["llm.log"].startswith('{"correlation_id": "told-id"}\n')
    (kept,) = [each for each in json.loads(files["requests.json"]) if each["correlation_id"] == asked]
    assert (kept["feature"], kept["model"], kept["ending"], "context" in kept) == ("chat", "coder", "answered", False)
    assert {check["id"] for check in json.loads(files["doctor.json"])["checks"]} >= {"database", "model_served"}
    assert json.loads(files["schema.json"])["state"] == "current"
    (model,) = json.loads(files["registry.json"])["models"]
    assert (model["name"], model["key"], model["options"]["headers"]) == ("coder", "configured", "***")
    assert "HOMEPORT_LOG_FILE" in files["configuration.json"]
    assert json.loads(files["versions.json"])["homeport"]


async def test_a_file_that_is_there_is_kept(instance: Instance, tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    file.write_text("mine")
    ran = await instance.run("support-bundle", "--file", str(file))
    assert ran.code == 1
    assert file.read_text() == "mine"


async def test_without_a_database_there_is_a_bundle_too(instance: Instance, tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    where = f"postgresql://homeport:{CANARY}@127.0.0.1:9/homeport"
    ran = await instance.run("support-bundle", "--file", str(file), HOMEPORT_DATABASE_URL=where)
    assert ran.code == 0, ran.err
    files = unpacked(file)
    assert CANARY not in "\n".join(files.values())
    assert json.loads(files["schema.json"])["code"] == "db_unreachable"
