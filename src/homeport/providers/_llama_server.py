"""The child program that runs the embedded model: llama.cpp's server on a free loopback port.

It imports the engine and the standard library only, says `ready URL` when it can answer, and ends
on SIGTERM or when its standard input ends. Its key comes by the environment, where no process list shows it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading


def main() -> None:
    """Serve until told to stop."""
    options = _options()
    # waiting threads must sleep: spinning ones take the core that the gateway needs
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp  # noqa: PLC0415 (reads the variable above when it is loaded)

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [os.environ["HOMEPORT_ENGINE_KEY"]]
    params.n_ctx = options.context
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.use_jinja = True
    params.ui = False
    params.verbosity = 0
    # it waits this long for a stream whose client is gone
    params.sse_ping_interval = 1
    server = xllamacpp.Server(params)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_until_parent_ends, args=(stop,), daemon=True).start()
    print(f"ready {server.listening_address}", flush=True)  # noqa: T201 (how the parent learns the address)
    while not stop.wait(3600):
        pass
    # closing waits for the streams that are left; nobody reads them any more
    os._exit(0)


def _until_parent_ends(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve a GGUF model on a free loopback port.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
