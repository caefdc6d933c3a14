"""The program of the embedded model's engine: llama.cpp's own server on a free loopback port.

It imports the engine and the standard library only, says `ready PID URL` when it can answer, and
ends on SIGTERM or when its standard input ends. Its key comes by the environment, where no list of
processes shows it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from typing import Any

KEY_VARIABLE = "HOMEPORT_ENGINE_KEY"
SPINS = "500"
"""How often an engine thread looks for its next piece of work before it sleeps.

A token is hundreds of small pieces shared out among the threads. Tokens per second of SmolLM2-135M
with two threads on two cores, idle and beside one busy process: spinning without end (OpenMP's
default) 80 and 3, sleeping at once 30 and 40, this 55 and 35.
"""
KEPT_MIB = 64
"""Memory for prompts whose slot was given to another; llama.cpp's own default is 8 GiB."""


def main() -> None:
    """Serve until told to stop."""
    options = _options()
    key = os.environ.pop(KEY_VARIABLE)
    os.environ |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": SPINS}
    import xllamacpp  # noqa: PLC0415 (its threads read the variables above when it is loaded)

    server = xllamacpp.Server(_fill(xllamacpp.CommonParams(), options, key))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_until_parent_ends, args=(stop,), daemon=True).start()
    print(f"ready {os.getpid()} {server.listening_address}", flush=True)  # noqa: T201 (how the parent learns the address)
    stop.wait()
    # unwinding would wait for streams that nobody reads any more
    os._exit(0)


def _fill(params: Any, options: argparse.Namespace, key: str) -> Any:  # noqa: ANN401 (the engine's module has no types)
    """The engine's parameters; it has one for everything and good defaults for the rest."""
    params.model.path = options.model
    params.model_alias = {options.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_ctx = options.context
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.cache_ram_mib = KEPT_MIB
    params.use_jinja = True
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_metrics = True
    # errors only: anything more talkative repeats prompts
    params.verbosity = 1
    # a stream whose client left is noticed at its next sign of life; seconds
    params.sse_ping_interval = 1
    return params


def _until_parent_ends(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve a GGUF model on a free loopback port.")
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument("--alias", required=True, help="the name under which it is served")
    parser.add_argument("--context", type=int, required=True, help="tokens, shared out among the slots")
    parser.add_argument("--parallel", type=int, required=True, help="slots: requests served at once")
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
