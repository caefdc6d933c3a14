"""Starting servers as people do: real processes, real signals."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from commands import Ran, homeport

from homeport.cli import _data_dir, main
from homeport.kit import server
from homeport.store import engine, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(sys.executable).with_name("homeport")
BENCH = Path(__file__).resolve().parents[2] / "bench"
LIMIT_S = 60


@contextlib.contextmanager
def started(*arguments: str, **environment: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """A server process that is ready; gives what it printed for programs."""
    errors = Path(os.environ["HOMEPORT_DATA_DIR"]).parent / "stderr.txt"
    with errors.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [PROGRAM, *arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            env=os.environ | environment,
        )
    assert process.stdout is not None
    with process:
        signal.alarm(LIMIT_S)
        line = process.stdout.readline()
        signal.alarm(0)
        assert line, errors.read_text()
        try:
            yield json.loads(line), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


@pytest.fixture
def give_up(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Runs a server that cannot start, with the real standard error that its logs want."""

    def run(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        printed = capfd.readouterr()
        return Ran(code=int(end.value.code or 0), out=printed.out, err=printed.err)

    yield run
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


def said(data_dir: Path) -> str:
    return (data_dir.parent / "stderr.txt").read_text()


def stopped(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(LIMIT_S)


def health(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/monitoring/healthz", timeout=5) as answer:  # noqa: S310 (loopback)
        return json.load(answer)


def test_up_the_first_time_the_second_time_and_twice_at_once(data_dir: Path) -> None:
    with started("up", "--no-embedded", "--port", "0") as (facts, process):
        assert health(facts["url"])["status"] == "ok"
        token = Path(facts["token_file"]).read_text().strip()
        assert Path(facts["token_file"]).stat().st_mode & 0o077 == 0
        first = said(data_dir)
        assert token in first
        assert "There is no model yet: register one" in first
        assert "models add coder" in first
        assert "features set code_completions coder" in first
        assert "curl" not in first
        assert "Ctrl-C stops everything." in first
        assert next(line for line in first.splitlines() if line.startswith("✓")) == f"✓ Data directory {data_dir}"

        second = homeport("up", "--port", "0")
        assert second.code == 1
        assert f"already running from this data directory (pid {process.pid}) at {facts['url']}" in second.err

        assert "no model" in homeport("chat", "hello").err.lower()
        assert homeport("doctor", "--json").json["checks"][5]["status"] == "ok"
        assert stopped(process) == 0
    assert not (data_dir / "run.json").exists()

    with started("up", "--no-embedded", "--port", "0") as (facts, process):
        again = said(data_dir)
        assert token not in again
        assert "Token    in " in again
        assert Path(facts["token_file"]).read_text().strip() == token
        assert stopped(process) == 0


def test_up_after_the_key_file_was_lost(data_dir: Path, give_up: Callable[..., Ran]) -> None:
    """It says what to do instead of making other keys; then it starts, beside tokens of the same name."""
    name = f"command line of {getpass.getuser()}"
    assert homeport("tokens", "create", "--name", name).code == 0
    assert homeport("tokens", "create", "--name", f"{name} 2", "--expires", "1d").code == 0
    (data_dir / "keys").unlink()
    ran = give_up("up", "--no-embedded", "--port", "0")
    assert ran.code == 1
    assert f"error: The key file {data_dir / 'keys'} is missing. The database holds 2 tokens" in ran.err
    assert "`homeport db new-keys`" in ran.err
    assert not (data_dir / "keys").exists()

    assert homeport("db", "new-keys", "--yes").code == 0
    with started("up", "--no-embedded", "--port", "0") as (facts, process):
        token = Path(facts["token_file"]).read_text().strip()
        asked = urllib.request.Request(f"{facts['url']}/v1/models", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 (loopback)
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 (loopback)
            assert answer.status == 200
        assert stopped(process) == 0
    names = [each["name"] for each in homeport("tokens", "list", "--json").json]
    assert names == [name, f"{name} 2", f"{name} 3"]
    assert "2 of 3 tokens were made with another key file and are not accepted" in said(data_dir)


def test_serve_registers_nothing(data_dir: Path) -> None:
    with started("serve", "--port", "0") as (facts, process):
        assert health(facts["url"])["status"] == "ok"
        assert not (data_dir / "token").exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0


def test_the_gateway_loads_no_sql_and_warns_that_nobody_is_let_in(data_dir: Path) -> None:
    environment = {"PYTHONPROFILEIMPORTTIME": "1", "AIGW_FASTAPI__API_PORT": "0", "AIGW_FASTAPI__METRICS_PORT": "-1"}
    with started("gateway", "--host", "127.0.0.1", **environment) as (facts, process):
        assert health(facts["url"])["status"] == "ok"
        assert stopped(process) == 0
    out = said(data_dir)
    assert "homeport.app" in out
    assert "sqlalchemy" not in out
    assert "warning: Nobody can authenticate yet" in out
    assert "HOMEPORT_MODELS_FILE" in out
    assert not data_dir.exists()


def test_bypass_is_warned_of_on_every_start(data_dir: Path) -> None:
    with started("gateway", "--port", "0", AIGW_AUTH__BYPASS_EXTERNAL="true") as (_facts, process):
        assert stopped(process) == 0
    assert "warning: Authentication is switched off" in said(data_dir)
    assert "Nobody can authenticate" not in said(data_dir)


def test_a_remote_gateway_comes_later() -> None:
    ran = homeport("serve", "--role", "instance")
    assert ran.code == 2
    assert "not there yet" in ran.err


@pytest.mark.parametrize("command", ["up", "serve", "gateway"])
def test_a_port_that_is_taken(command: str, data_dir: Path, give_up: Callable[..., Ran]) -> None:
    del data_dir
    with closing(server.listen("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        more = ["--no-embedded"] if command == "up" else []
        ran = give_up(command, *more, "--host", "127.0.0.1", "--port", port)
    assert ran.code == 1
    assert f"error: Port {port} on 127.0.0.1 cannot be used: Address already in use." in ran.err
    assert "--port" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is nobody's address")
@pytest.mark.parametrize(
    ("command", "given", "from_afar"), [("gateway", "", True), ("gateway", "127.0.0.1", False), ("serve", "", False)]
)
def test_who_can_read_the_metrics(data_dir: Path, command: str, given: str, *, from_afar: bool) -> None:
    """The gateway's are for every address, as the original's; those of an instance for this machine."""
    del data_dir
    with closing(server.listen("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    more = {"HOMEPORT_METRICS_PORT": port, "HOMEPORT_METRICS_HOST": given}
    with started(command, "--port", "0", **more) as (_facts, process):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT_S) as page:
            assert b"ai_gateway_threads_count" in page.read()
        with closing(socket.socket()) as afar:
            assert (afar.connect_ex(("127.0.0.2", int(port))) == 0) is from_afar
        assert stopped(process) == 0


@pytest.mark.parametrize("command", ["up", "serve", "gateway"])
def test_a_metrics_port_that_is_taken(
    command: str, data_dir: Path, give_up: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told at once, not when a model has been loaded for nothing."""
    with closing(server.listen("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("HOMEPORT_METRICS_PORT", str(listener.getsockname()[1]))
        ran = give_up(command, "--port", "0")
    assert ran.code == 1
    assert "HOMEPORT_METRICS_PORT" in ran.err
    assert not (data_dir / "homeport.db").exists()


def test_a_database_that_is_locked(
    data_dir: Path, give_up: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sits in front of a silent start: first it says what it waits for, then it gives up."""
    monkeypatch.setattr(schema, "TELL_S", 0.05)
    monkeypatch.setattr(schema, "CHECK_S", 0.3)
    monkeypatch.setattr(engine, "journal_mode", lambda: "delete")
    assert homeport("db", "upgrade").code == 0
    with closing(sqlite3.connect(data_dir / "homeport.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ran = give_up("serve", "--port", "0")
    assert ran.code == 1
    told = ran.err.index(f"Waiting up to 0.3 s for the database {data_dir / 'homeport.db'}: another program has locked")
    given_up = ran.err.index(f"error: The database {data_dir / 'homeport.db'} was locked for more than 0.3 s.")
    assert told < given_up
    assert "fuser" in ran.err


def test_an_address_of_another_machine(data_dir: Path, give_up: Callable[..., Ran]) -> None:
    del data_dir
    ran = give_up("serve", "--host", "192.0.2.1", "--port", "0")
    assert ran.code == 1
    assert "choose another one with --host" in ran.err


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = homeport("up", "--data-dir", str(tmp_path / "file"), HOMEPORT_METRICS_PORT="-1")
    assert ran.code == 1
    assert f"The data directory {tmp_path / 'file'} is a file." in ran.err


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody can write to")
def test_a_data_directory_that_cannot_be_written() -> None:
    for folder in ("/proc/homeport", "/proc"):
        ran = homeport("up", "--data-dir", folder, HOMEPORT_METRICS_PORT="-1")
        assert ran.code == 1
        assert ran.err.splitlines()[-1].startswith(f"error: The data directory {folder} cannot be ")
        assert "HOMEPORT_DATA_DIR" in ran.err


def test_a_disk_that_is_nearly_full(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(_data_dir.shutil, "disk_usage", lambda _folder: usage._replace(free=10 * 1024**2))
    ran = homeport("up")
    assert ran.code == 1
    assert f"Only 10 MiB are free under {data_dir}" in ran.err


def test_a_full_disk_is_a_sentence(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_folder: Path) -> bool:
        raise OSError(28, "No space left on device", str(data_dir / "lock"))

    monkeypatch.setattr(_data_dir, "writable", full)
    ran = homeport("up")
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: The disk is full (")


def test_who_stops_it_is_told_what_it_waits_for(data_dir: Path) -> None:
    with started("up", "--no-embedded", "--port", "0", HOMEPORT_DRAIN_S="0.5") as (facts, process):
        token = Path(facts["token_file"]).read_text().strip()
        head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(facts["url"].rpartition(":")[2]))) as client:
            client.sendall(head.encode())
            health(facts["url"])  # what came before is being served by now
            assert stopped(process) == 0
    assert "stopping, waiting for open requests" in said(data_dir)
    assert '"open_requests":1' in said(data_dir)


@pytest.mark.real_model
@pytest.mark.usefixtures("data_dir")
def test_a_restart_and_a_first_token_stay_within_twice_their_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """3 s and 0.6 s (bench/arithmetic.py), here in CPU time per core: a machine that does more takes longer."""
    monkeypatch.syspath_prepend(str(BENCH))
    import machine  # noqa: PLC0415 (on the path only within this test)
    from embedded import CODE, NAMES  # noqa: PLC0415 (as above)

    with started("up", "--port", "0") as (_facts, process):
        assert stopped(process) == 0
    with started("up", "--port", "0") as (facts, process):
        assert machine.cpu_ns(process.pid) / 1e9 < 2 * 3
        token = Path(facts["token_file"]).read_text().strip()
        used = []
        for name in NAMES[:3]:
            before = machine.cpu_ns(process.pid)
            assert first_text(facts["url"], token, CODE.format(name=name))
            used.append((machine.cpu_ns(process.pid) - before) / 1e9 / (os.cpu_count() or 1))
        assert min(used) < 2 * 0.6
        assert stopped(process) == 0


def first_text(url: str, token: str, prompt: str) -> str:
    """The first piece of a completion."""
    body = json.dumps({"prompt": prompt, "max_tokens": 16, "stream": True}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/v1/completions", body, headers)  # noqa: S310 (loopback)
    with urllib.request.urlopen(asked, timeout=LIMIT_S) as answer:  # noqa: S310 (loopback)
        pieces = (json.loads(line[6:])["choices"][0]["text"] for line in answer if line.startswith(b"data: {"))
        return next(filter(None, pieces), "")


@pytest.mark.real_model
def test_up_with_the_embedded_model_completes_code(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    for patience in ("model_streams.LATE_S", "stream.LATE_S", "_inside.WITHIN_S"):  # others may work here, too
        monkeypatch.setattr(f"homeport.diagnostics.{patience}", 60.0)
    file = tmp_path / "add.py"
    file.write_text("def add(a, b):\n    return ")
    with started("up", "--port", "0") as (_facts, process):
        assert "smollm2" in said(data_dir)
        assert "def is_even(n)" in said(data_dir)
        found = homeport("complete", f"{file}:2", "--max-tokens", "8", "--json").json
        assert found["model"] == "smollm2"
        assert found["text"]
        _all_green_in_ten_seconds(process.pid)
        assert stopped(process) == 0


INSIDE = {"model_dns", "model_proxy", "model_tcp", "model_tls", "model_reachable", "model_fills", "model_window"}
"""What there is not between the server and its own model, or that this one is not asked for."""
TESTS = {"metrics"}
"""What tests switch off."""


def _all_green_in_ten_seconds(pid: int) -> None:
    """By the processors' time of everybody, which is more than a quiet machine takes: others may work here now."""
    import machine  # noqa: PLC0415 (on the path only within this test)

    ours, theirs = time.process_time(), machine.cpu_ns(pid)
    found = homeport("doctor", "--json")
    spent = time.process_time() - ours + (machine.cpu_ns(pid) - theirs) / 1e9
    statuses = {each["id"]: each["status"] for each in found.json["checks"]}
    assert {name: status for name, status in statuses.items() if status != "ok"} == dict.fromkeys(
        INSIDE | TESTS, "skip"
    )
    assert found.code == 0
    assert spent < 10
