"""Real child processes: started, watched, restarted, stopped, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from homeport.kit.child import LEASH, TAIL_LINES, Child, ChildError, Patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

QUICK = Patience(ready_s=5, grace_s=0.3, first_pause_s=0.01, longest_pause_s=0.05)
IDLE = "import time; print('ready', flush=True); time.sleep(60)"
BRIEF = "import time; print('ready', flush=True); time.sleep(0.1)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {IDLE}"
PARENT_OF_ONE = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("grandchild", child.pid, flush=True)
{IDLE}
"""


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


def child(code: str, patience: Patience = QUICK) -> Child:
    """A Python child that is ready once it has said so."""
    seen: list[str] = []

    async def ready() -> bool:
        return "ready" in seen

    return Child(
        (sys.executable, "-c", code), dict(os.environ), ready, name="sample", on_line=seen.append, patience=patience
    )


@asynccontextmanager
async def started(code: str, patience: Patience = QUICK) -> AsyncGenerator[Child, None]:
    made = child(code, patience)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def until(true: Callable[[], object], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s * 10):
        while not true():  # noqa: ASYNC110 (it waits for another process, which sets no event)
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def exists(pid: int) -> bool:
    """Whether anything is left of the process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


async def test_a_ready_child_runs_in_its_own_group_until_it_is_stopped() -> None:
    async with started(IDLE) as running:
        pid = running.pid
        assert pid
        assert running.running
        assert os.getpgid(pid) == pid
        assert running.tail == ("ready",)
    assert not running.running
    assert running.pid is None
    assert not exists(pid)


async def test_starting_and_stopping_twice_is_harmless() -> None:
    async with started(IDLE) as running:
        pid = running.pid
        await running.start()
        assert running.pid == pid
    await running.stop()


async def test_a_child_that_was_stopped_can_be_started_again() -> None:
    running = child(IDLE)
    for _ in range(2):
        await running.start()
        assert running.running
        await running.stop()
    assert running.restarts == 0


async def test_a_child_that_dies_is_started_again() -> None:
    with structlog.testing.capture_logs() as lines:
        async with started(IDLE) as running:
            first = running.pid
            assert first
            os.kill(first, signal.SIGKILL)
            await until(lambda: running.restarts == 1 and running.running)
            assert running.pid != first
            assert not exists(first)
    died = next(line for line in lines if line["event"] == "child died")
    assert died["how"] == "killed by SIGKILL"


async def test_restarts_come_slower_and_slower() -> None:
    begin = time.monotonic()
    async with started(BRIEF, Patience(first_pause_s=0.02, longest_pause_s=0.08)) as running:
        await until(lambda: running.restarts == 4)
    assert time.monotonic() - begin > 0.02 + 0.04 + 0.08 + 0.08


async def test_a_child_that_ends_while_starting_says_why() -> None:
    failing = child("import sys; print('no such model'); sys.exit(3)")
    with pytest.raises(ChildError) as caught:
        await failing.start()
    assert str(caught.value) == "The sample ended while starting (exit status 3). Its log ends: no such model"
    assert failing.ended == "exit status 3"
    assert failing.pid is None


async def test_a_command_that_does_not_exist_says_so() -> None:
    async def ready() -> bool:
        return False

    missing = Child(("/nowhere/engine",), {}, ready, name="engine", patience=QUICK)
    with pytest.raises(ChildError, match=r"/nowhere/engine cannot be started: No such file or directory"):
        await missing.start()


async def test_a_child_that_never_gets_ready_is_ended() -> None:
    slow = child("import os, time; print(os.getpid(), flush=True); time.sleep(60)", Patience(ready_s=0.3, grace_s=0.3))
    with pytest.raises(ChildError, match=r"was not ready within 0\.3 s"):
        await slow.start()
    assert not alive(int(slow.tail[0]))


async def test_a_cancelled_start_leaves_nothing() -> None:
    slow = child("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    starting = asyncio.create_task(slow.start())
    await until(lambda: slow.tail)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not alive(int(slow.tail[0]))


async def test_a_child_that_will_not_go_is_killed() -> None:
    running = child(STUBBORN)
    await running.start()
    pid = running.pid
    assert pid
    begin = time.monotonic()
    await running.stop()
    assert QUICK.grace_s <= time.monotonic() - begin < 20
    assert not alive(pid)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_what_the_child_started_goes_with_it(how: str) -> None:
    async with started(PARENT_OF_ONE) as running:
        grandchild = int(running.tail[0].split()[1])
        assert alive(grandchild)
        if how == "killed":
            assert running.pid
            os.kill(running.pid, signal.SIGKILL)
            await until(lambda: running.restarts == 1)
            await until(lambda: not alive(grandchild))
    await until(lambda: not alive(grandchild))


async def test_stopping_between_two_restarts_ends_the_restarts() -> None:
    async with started(BRIEF, Patience(first_pause_s=30)) as running:
        await until(lambda: running.pid is None)
    assert running.restarts == 0


async def test_only_the_last_lines_are_kept_and_none_blocks_the_child() -> None:
    chatter = f"print('x' * 3_000_000)\nfor n in range({TAIL_LINES + 50}): print(n)\n{IDLE}"
    async with started(chatter) as running:
        assert len(running.tail) == TAIL_LINES
        assert running.tail[-2:] == (str(TAIL_LINES + 49), "ready")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_no_orphan_when_the_parent_is_killed() -> None:
    program = f"""
import asyncio, os, sys
from homeport.kit.child import Child
async def main():
    seen = []
    async def ready(): return "ready" in seen
    child = Child((sys.executable, "-c", {STUBBORN!r}), dict(os.environ), ready, on_line=seen.append)
    await child.start()
    print(child.pid, file=sys.stderr, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    command = (sys.executable, "-c", program)
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as parent:  # noqa: S603 (ours)
        assert parent.stderr
        pid = int(parent.stderr.readline())
        assert alive(pid)
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 2
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)


def test_nothing_starts_for_a_parent_that_is_gone() -> None:
    done = subprocess.run(  # noqa: S603 (ours)
        (sys.executable, "-I", "-S", LEASH, "1", sys.executable, "-c", "print('ran')"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ran" not in done.stdout
