"""Health: `/monitoring/healthz` says that the process lives, `/monitoring/ready` that it can serve.

Neither needs a token and neither ever asks a model. llama.cpp's clients know the first as `/health` (llama.cpp's server
README, "GET /health").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from homeport import __version__
from homeport.access import PUBLIC
from homeport.protocols import Look, Reply, WireProtocol
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.features import Workbench

OK, UNAVAILABLE = 200, 503


def healthz(_bench: Workbench) -> Reply:
    """The process answers."""
    return Reply(body=orjson.dumps({"status": "ok", "version": __version__}))


def ready(bench: Workbench) -> Reply:
    """What serving needs is there: a registry, and somebody who can be let in. What is remembered serves on."""
    closed = bench.closed()
    problem = closed or bench.trouble()
    word = "unavailable" if closed else "degraded" if problem else "ok"
    body = {"status": word, **({word: problem} if problem else {})}
    return Reply(status=UNAVAILABLE if closed else OK, body=orjson.dumps(body))


PROTOCOL = WireProtocol(
    label="Monitoring",
    error=error,
    process_time=True,
    kept=False,
    routes=(
        Look(paths=("/monitoring/healthz", "/health"), need=PUBLIC, look=healthz, summary="Is the process alive?"),
        Look(paths=("/monitoring/ready",), need=PUBLIC, look=ready, summary="Can it serve?"),
    ),
)
