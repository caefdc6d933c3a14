"""Real reverse proxies, nginx and HAProxy, as programs on loopback; `sh bench/setup.sh` installs them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

UNPACKED = Path(__file__).resolve().parents[2] / "bench" / ".build" / "haproxy"
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx") or ""
HAPROXY = shutil.which("haproxy") or shutil.which(str(UNPACKED / "usr" / "sbin" / "haproxy")) or ""
MISSING = "" if NGINX and HAPROXY else "needs nginx and HAProxy: sh bench/setup.sh"
_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        location / {{
            proxy_pass http://127.0.0.1:{to};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Request-Id $request_id;
            {more}
        }}
    }}
}}
"""
_HAPROXY = """
global
    maxconn 200
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    {more}
frontend front
    bind 127.0.0.1:{port}{tls}
    default_backend back
backend back
    server one 127.0.0.1:{to}
"""


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def nginx(folder: Path, to: int, more: str = "", paper: Path | None = None) -> AsyncIterator[int]:
    """nginx in front of a port, with TLS where there is a `paper`; gives its own port."""
    port = free_port()
    tls = f" ssl; ssl_certificate {paper}; ssl_certificate_key {paper}" if paper else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, to=to, more=more, tls=tls))
    async with _running(port, NGINX, "-e", "stderr", "-p", str(folder), "-c", str(config)):
        yield port


@contextlib.asynccontextmanager
async def haproxy(folder: Path, to: int, more: str = "", paper: Path | None = None) -> AsyncIterator[int]:
    """HAProxy in front of a port, with TLS where there is a `paper`; gives its own port."""
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(port=port, to=to, more=more, tls=f" ssl crt {paper}" if paper else ""))
    async with _running(port, HAPROXY, "-db", "-q", "-f", str(config)):
        yield port


@contextlib.asynccontextmanager
async def _running(port: int, *command: str) -> AsyncIterator[None]:
    libraries = ":".join(str(folder) for folder in UNPACKED.glob("usr/lib/*"))
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries} if libraries else None
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        await _listening(port, process)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)
    msg = f"it ended with status {process.returncode}"
    raise RuntimeError(msg)
