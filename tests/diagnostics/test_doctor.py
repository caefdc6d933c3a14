"""`homeport doctor` on set-ups that are broken in one place each: it names that place and no other."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from commands import KEY, Instance, Ran, clean_environment, homeport

from homeport import diagnostics
from homeport.diagnostics import Check
from homeport.kit import server
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from pathlib import Path

_SHELF = discover(diagnostics, Check)
CHECKS = [
    name for name in sorted(_SHELF, key=lambda name: (_SHELF[name].order, name)) if _SHELF[name].role != "gateway"
]


async def examined(instance: Instance, **environment: str | None) -> dict[str, dict[str, Any]]:
    """The findings by check."""
    return findings(await instance.run("doctor", "--json", **environment))


def findings(ran: Ran) -> dict[str, dict[str, Any]]:
    assert not ran.err, ran.err
    document = ran.json
    found = {check["id"]: check for check in document["checks"]}
    assert list(found) == CHECKS
    broken = any(check["status"] == "fail" for check in found.values())
    warned = any(check["status"] == "warn" for check in found.values())
    assert document["ok"] is not broken
    assert ran.code == (1 if broken else 2 if warned else 0)
    assert all(check["fix"] for check in found.values() if check["status"] in {"fail", "warn"})
    assert KEY not in ran.out
    return found


def failed(found: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, check in found.items() if check["status"] in {"fail", "warn"}]


def nobody_listens() -> int:
    """A port that was free a moment ago."""
    with closing(server.listen("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_all_is_well(instance: Instance) -> None:
    found = await examined(instance)
    skipped = {name for name, check in found.items() if check["status"] != "ok"}
    assert skipped == {"metrics", "model_proxy", "model_tls"}
    assert "first token after" in found["stream"]["saw"]
    assert instance.url in found["server"]["saw"]


async def test_people_read_marks_and_remedies(instance: Instance) -> None:
    ran = await instance.run("doctor")
    assert ran.code == 0
    assert ran.out.count("✓") == len(CHECKS) - 3
    assert "All is well." in ran.err
    await instance.edit(endpoint=f"http://127.0.0.1:{nobody_listens()}/v1")
    ran = await instance.run("doctor")
    assert ran.code == 1
    assert "✗ model_tcp" in ran.out
    assert "→ Start the model server, or mend the address: homeport models edit coder --endpoint URL" in ran.out
    assert "The first broken hop is model_tcp." in ran.err


async def test_metrics_are_where_the_server_says_not_where_this_terminal_would_have_them(instance: Instance) -> None:
    found = await examined(instance, HOMEPORT_METRICS_PORT=str(nobody_listens()))
    assert found["metrics"] == {
        "id": "metrics",
        "status": "skip",
        "saw": "Metrics are switched off.",
        "fix": "",
    }


def test_no_data_directory(tmp_path: Path) -> None:
    with clean_environment(tmp_path / "data"):
        found = findings(homeport("doctor", "--json"))
    assert failed(found) == ["data_dir"]
    assert "homeport up" in found["data_dir"]["fix"]
    assert found["server"]["status"] == "skip"
    assert not (tmp_path / "data").exists()


async def test_no_server(instance: Instance) -> None:
    url = f"http://127.0.0.1:{nobody_listens()}"
    found = await examined(instance, HOMEPORT_URL=url)
    assert failed(found) == ["server"]
    assert found["server"]["saw"] == f"Nothing answers at {url}."
    assert found["server"]["fix"] == "Start it with `homeport up`."
    assert found["model_answers"]["status"] == "ok"
    assert found["feature_answers"]["status"] == "skip"


async def test_a_server_of_another_data_directory(instance: Instance, tmp_path: Path) -> None:
    """The usual port may be another checkout's: it is not asked for this one's features, nor sent its token."""
    port = instance.url.rpartition(":")[2]
    with clean_environment(tmp_path / "data"):
        await asyncio.to_thread(homeport, "tokens", "create", "--name", "any")
        before = len(instance.models.heard)
        found = findings(await asyncio.to_thread(homeport, "doctor", "--json", HOMEPORT_PORT=port))
    assert found["server"]["status"] == "fail"
    assert f"answers at {instance.url}" in found["server"]["saw"]
    assert f"no server runs from the data directory {tmp_path / 'data'}" in found["server"]["saw"]
    assert "HOMEPORT_URL" in found["server"]["fix"]
    assert {found[name]["status"] for name in ("token_accepted", "feature_answers", "stream")} == {"skip"}
    assert len(instance.models.heard) == before


def test_no_server_of_this_data_directory(tmp_path: Path) -> None:
    with clean_environment(tmp_path / "data"):
        homeport("tokens", "create", "--name", "any")
        found = findings(homeport("doctor", "--json"))
    assert failed(found) == ["registry", "server"]
    saw = f"No server runs from the data directory {tmp_path / 'data'}. Nothing answers at http://127.0.0.1:9."
    assert found["server"]["saw"] == saw
    assert found["server"]["fix"] == "Start it with `homeport up`."


async def test_something_else_answers(instance: Instance) -> None:
    found = await examined(instance, HOMEPORT_URL=instance.models.url.removesuffix("/v1"))
    assert failed(found) == ["server"]
    assert "is not Homeport" in found["server"]["saw"]


async def test_a_model_that_does_not_answer(instance: Instance) -> None:
    async def play(peer: Any) -> None:
        await (instance.play(peer) if peer.method == "GET" else peer.document({"error": "no"}, status=500))

    instance.models.play = play
    found = await examined(instance)
    assert failed(found) == ["model_answers"]
    assert "HTTP 500" in found["model_answers"]["saw"]
    asked = [peer.headers["x-request-id"] for peer in instance.models.heard if peer.method == "POST"]
    assert found["model_answers"]["fix"] == f"Look for the correlation id {asked[0]} in the model server's log."


async def test_a_broken_model_that_nobody_uses_is_a_warning(instance: Instance) -> None:
    async with instance.store() as store:
        spare = await store.model("coder")
        await store.add_model(
            type(spare)(name="spare", platform="openai", endpoint=f"http://127.0.0.1:{nobody_listens()}/v1"), by="test"
        )
    found = await examined(instance)
    assert failed(found) == ["model_tcp"]
    assert found["model_tcp"]["status"] == "warn"
    assert "No feature uses it" in found["model_tcp"]["saw"]
    assert found["feature_answers"]["status"] == "ok"


async def test_a_model_that_embeds(instance: Instance) -> None:
    """It is asked for a vector and for nothing else."""

    async def play(peer: Any) -> None:
        if peer.method == "GET" or peer.json["model"] != "bge-m3":
            await instance.play(peer)
        elif peer.target == "/v1/embeddings":
            await instance.models.behave(peer)
        else:
            await peer.document({"error": "it writes nothing"}, status=400)

    instance.served.append("bge-m3")
    instance.models.play = play
    where = ("--endpoint", instance.models.url, "--identifier", "bge-m3", "--api-key-env", "VECTORS_KEY")
    added = await instance.run("models", "add", "vectors", *where, VECTORS_KEY=KEY)
    assert "homeport features set embeddings vectors" in added.err
    assert (await instance.run("features", "set", "embeddings", "vectors")).code == 0
    await instance.seen()
    found = await examined(instance)
    assert failed(found) == []
    assert "vectors made a vector" in found["model_answers"]["saw"]
    assert "embeddings answered" in found["feature_answers"]["saw"]


def test_an_old_schema(tmp_path: Path) -> None:
    with clean_environment(tmp_path / "data"):
        homeport("db", "upgrade")
        with closing(sqlite3.connect(tmp_path / "data" / "homeport.db")) as database:
            database.execute("UPDATE alembic_version SET version_num = '0000'")
            database.commit()
        found = findings(homeport("doctor", "--json"))
    assert failed(found) == ["database"]
    assert "homeport db upgrade" in found["database"]["fix"]
    assert found["server"]["status"] == "skip"


def test_no_database_yet(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    with clean_environment(tmp_path / "data"):
        found = findings(homeport("doctor", "--json"))
    assert failed(found) == ["database"]
    assert found["server"]["status"] == "skip"


async def test_the_key_file_of_another_database(instance: Instance, tmp_path: Path) -> None:
    with clean_environment(tmp_path / "other"):
        await asyncio.to_thread(homeport, "tokens", "create", "--name", "any")
    (tmp_path / "other" / "keys").replace(instance.settings.data_dir / "keys")
    found = await examined(instance)
    assert failed(found) == ["keys"]
    assert "coder" in found["keys"]["saw"]


async def test_wrong_settings(instance: Instance) -> None:
    found = await examined(instance, HOMEPORT_PORT="x", HOMEPORT_LOG_JSON="perhaps")
    assert failed(found) == ["configuration"]
    assert "HOMEPORT_PORT (environment) cannot be 'x'" in found["configuration"]["saw"]
    assert "HOMEPORT_LOG_JSON (environment)" in found["configuration"]["saw"]


async def test_a_setting_that_does_not_exist(instance: Instance) -> None:
    found = await examined(instance, HOMEPORT_PROT="5051")
    assert failed(found) == ["configuration"]
    assert found["configuration"]["status"] == "warn"
    assert found["configuration"]["fix"] == "Did you mean HOMEPORT_PORT?"


async def test_it_changes_nothing(instance: Instance) -> None:
    async with instance.store() as store:
        before = await store.revision()
        await instance.run("doctor")
        assert await store.revision() == before


@pytest.mark.parametrize("server_url", ["http://127.0.0.1:9"])
def test_a_machine_that_only_asks_needs_no_data(tmp_path: Path, server_url: str) -> None:
    with clean_environment(tmp_path / "data"):
        found = findings(homeport("doctor", "--json", HOMEPORT_URL=server_url))
    assert failed(found) == ["server"]
    assert found["data_dir"]["status"] == "skip"


async def test_each_broken_model_has_a_line(instance: Instance) -> None:
    for name in ("one", "two"):
        await instance.run("models", "add", name, "--beta", "--endpoint", "http://127.0.0.1:9/v1", "--identifier", "x")
    lines = (await instance.run("doctor")).out.splitlines()
    told = [line for line in lines if "nobody listens there" in line]
    assert len(told) == 2
    assert sum("Start the model server" in line for line in lines) == 2


async def test_a_host_that_is_not_known_is_not_started(instance: Instance) -> None:
    await instance.edit(endpoint="http://no-such-host.invalid/v1")
    fix = (await examined(instance))["model_dns"]["fix"]
    assert fix.startswith("Mend the address")
