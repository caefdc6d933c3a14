"""Runs a command that dies with its parent: `python leash.py PARENT_PID COMMAND…`.

The kernel kills the command the moment the process that started it ends, however it ends. This is a
program of its own because the request must be made between fork and exec, where a process with
threads may not run Python. Only Linux knows the request (prctl(2), PR_SET_PDEATHSIG; it survives
exec); elsewhere a command has to watch its standard input, which the parent holds open.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask to be killed with the parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The parent ended before this command began.")
    try:
        os.execvp(command[0], command)  # noqa: S606 (the command is the parent's own, never a caller's)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}.")


if __name__ == "__main__":
    main()
