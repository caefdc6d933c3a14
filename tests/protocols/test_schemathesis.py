"""Every endpoint of our own OpenAPI description, with what a generator makes of it: no answer is a 5xx.

A small slice of it. All of it takes minutes: `FUZZ_EXAMPLES=200 make test ARGS="-k generated"`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from house import TOKEN

if TYPE_CHECKING:
    from house import House

ST = Path(sys.executable).with_name("st")
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
PHASES = "examples,coverage,fuzzing" if EXAMPLES > 10 else "examples,fuzzing"


async def test_no_generated_request_is_a_server_error(house: House, tmp_path: Path) -> None:
    command = (
        *(str(ST), "run", f"http://127.0.0.1:{house.port}/openapi.json", "--phases", PHASES),
        *("--checks", "not_a_server_error", "--header", f"Authorization: Bearer {TOKEN}"),
        *("--max-examples", str(EXAMPLES), "--seed", "1", "--no-color", "--request-timeout", "10"),
    )
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert house.asked > 2 * len(house.app.routes)
