"""`homeport support-bundle`: what whoever helps wants to know, in one file without secrets."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._output import note, result
from homeport.cli._session import load
from homeport.domain.errors import HomeportError


@click.command(
    "support-bundle",
    cls=Command,
    section=LOOK_AFTER,
    examples=("homeport support-bundle", "homeport support-bundle --file /tmp/bundle.tar.gz"),
)
@click.option("--file", type=click.Path(path_type=Path), help="Write it there; it must not be there yet.")
@json_option
def command(*, file: Path | None, as_json: bool) -> None:
    """Write a tar for support: doctor's findings, versions, settings, models, the end of the logs.

    The newest requests and failures are in it, with names of users; keys, tokens, passwords, prompts and
    answers are not. Look into it before you send it.
    """
    from homeport.cli import _bundle, _doctor  # noqa: PLC0415 (loads the checks)

    settings = load()
    name = f"homeport-support-{time.strftime('%Y%m%d-%H%M%S')}"
    path = file or Path(f"{name}.tar.gz")
    if path.exists():
        raise HomeportError(f"There is a file {path} already.", "Choose another one with --file.")
    note("Asking what `homeport doctor` asks …")
    checked = asyncio.run(_doctor.checked(settings))
    requests = asyncio.run(_bundle.requests_of(settings))
    files = _bundle.files_of(settings, asyncio.run(_bundle.snapshot_of(settings)), checked, requests)
    files["schema.json"] = asyncio.run(_bundle.schema_of(settings))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(_bundle.packed(files, name))
    result(
        {"file": str(path), "files": sorted(files)},
        as_json=as_json,
        people=lambda: f"{path}: {', '.join(sorted(files))}",
    )
