"""A real Neovim without a screen, driven by what is typed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from house import eventually
from node import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NVIM = shutil.which("nvim") or ""
MISSING = "" if NVIM else "needs Neovim (Debian: apt-get install neovim)"


class Neovim:
    """A running one."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def type(self, keys: str) -> None:
        """Type these keys, in Neovim's notation."""
        await self._ask("--remote-send", keys)

    async def says(self, lua: str) -> Any:
        """The value of an expression of Lua."""
        quoted = lua.replace("'", "''")
        return json.loads(await self._ask("--remote-expr", f"luaeval('vim.fn.json_encode({quoted})')"))

    async def until(self, lua: str) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(30):
            while not await self.says(lua):  # noqa: ASYNC110 (another process has no event)
                await asyncio.sleep(0.1)

    async def text(self) -> str:
        """The buffer."""
        return "\n".join(await self.says("vim.api.nvim_buf_get_lines(0, 0, -1, true)"))

    async def _ask(self, how: str, what: str) -> str:
        return await run(NVIM, "--server", str(self._socket), how, what, folder=self._socket.parent)


@asynccontextmanager
async def editing(folder: Path, init: str, file: Path) -> AsyncIterator[Neovim]:
    """Neovim with this init.lua and this file, alone in a folder."""
    (folder / "init.lua").write_text(init)
    socket = folder / "socket"
    kept = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    arguments = ["--headless", "-n", "-i", "NONE", "-u", str(folder / "init.lua"), "--listen", str(socket), str(file)]
    pipe = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        NVIM, *arguments, cwd=file.parent, env=kept, stdin=pipe, stdout=pipe, stderr=pipe
    )
    neovim = Neovim(socket)
    try:
        await eventually(socket.exists)
        yield neovim
        await neovim.type("<Esc>:qa!<CR>")
        async with asyncio.timeout(30):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
