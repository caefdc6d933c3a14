"""The page of health: every check as it comes, the last result kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from offices import Office, office_at

from homeport.domain.models import FeatureSetting, Model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setenv("HOMEPORT_DATA_DIR", str(tmp_path))
    async with office_at(
        tmp_path, data_dir=tmp_path, database_url=f"sqlite+aiosqlite:///{tmp_path}/office.db"
    ) as found:
        await found.sign_in()
        yield found


async def test_all_hops_are_shown_as_they_come(office: Office) -> None:
    assert "Nobody asked since Homeport started" in (await office.get("/console/health")).text
    model = Model(name="<b>coder", platform="openai", endpoint="http://127.0.0.1:9/v1", identifier="x")
    await office.store.add_model(model, by="test")
    setting = FeatureSetting(feature="chat", assignment="model", model=model.name)
    await office.store.set_feature(setting, by="test")
    begun = await office.send("/console/health", "examine")
    assert (begun.status, begun.location) == (303, "/console/health")
    shown = await office.get("/console/health")
    async with asyncio.timeout(30):
        while "hx-trigger" in shown.body:  # as a browser with scripts goes on asking
            await asyncio.sleep(0.02)
            shown = await office.get("/console/health")
    # its key file is missing here, as there is no real data directory behind it
    assert "The first broken hop is keys." in shown.text
    assert "Is there room on the disk?" in shown.text
    assert "Not tried because keys failed." in shown.text
    part = await office.get("/console/health?list", hx_request="true")
    assert part.body.startswith('<div id="checks"')


async def test_a_browser_chooses_no_address_for_the_checks(office: Office) -> None:
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as trap:
        host = f"127.0.0.1:{trap.sockets[0].getsockname()[1]}"
        form = urlencode({"do": "examine", "key": office.key}).encode()
        begun = await office.ask("POST", "/console/health", form, Host=host, Origin=f"http://{host}")
        examiner = office.house.app.door.prober.examiner
        assert (begun.status, heard) == (303, [])
        assert examiner.known
        assert examiner.known.task
        async with asyncio.timeout(30):
            await examiner.known.task
    assert heard == []
    said, _ = examiner.known.found["server"]
    assert (said.status, f" answers at http://127.0.0.1:{office.house.port}." in said.saw) == ("ok", True)


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("user", 403)])
async def test_who_may_look(office: Office, role: str, status: int) -> None:
    await office.sign_in("eve", role)
    shown = await office.get("/console/health")
    assert shown.status == status
    assert "Ask everything" not in shown.text


async def test_an_auditor_may_not_begin(office: Office) -> None:
    await office.sign_in("eve", "auditor")
    assert (await office.send("/console/health", "examine")).status == 403
