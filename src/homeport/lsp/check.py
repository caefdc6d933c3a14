"""Whether an editor would get completions: one question, asked as the language server asks it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from homeport import __version__
from homeport.lsp.asking import Homeport, Place
from homeport.lsp.trouble import Trouble

if TYPE_CHECKING:
    from pathlib import Path

    from homeport.lsp.options import Options

_TEXT = "def add(a, b):\n    return "


async def checked(options: Options, ca_file: Path | None) -> dict[str, Any]:
    """What was seen; `saw` says what to do where `ok` is false."""
    homeport = Homeport(options, f"homeport-lsp/{__version__} (check)", ca_file)
    found: dict[str, Any] = {"url": options.url, "token": bool(options.token), "model": options.model}
    began = time.perf_counter()
    try:
        said = await homeport.complete(Place(_TEXT, len(_TEXT), "add.py", "python"))
    except Trouble as trouble:
        return {**found, "ok": False, "saw": trouble.text}
    finally:
        await homeport.close()
    took = round((time.perf_counter() - began) * 1000, 1)
    return {**found, "ok": True, "took_ms": took, "text": said.text, "correlation_id": said.id}
