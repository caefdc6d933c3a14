"""The engine behind the platform "embedded": a supervised llama.cpp on this machine's CPU."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from homeport.domain.errors import BadConfiguration
from homeport.domain.models import Limits, Model, Secret
from homeport.kit.child import Child, ChildError
from homeport.providers import _weights

if TYPE_CHECKING:
    from pathlib import Path

PLATFORM = "embedded"
NAME = "smollm2"
SLOTS = 2
SLOT_TOKENS = 4096
MOST_THREADS = 4
PROMPT_TOKENS = 160
"""A two-core machine reads some 300 tokens a second: this keeps the first token within 0.6 s."""
NOWHERE = "http://127.0.0.1:9/v1"
"""The endpoint of a model whose engine does not run: nobody listens there."""


def default_model() -> Model:
    """The registration that `homeport up` makes."""
    return Model(
        name=NAME,
        platform=PLATFORM,
        family="smollm",
        identifier=NAME,
        limits=Limits(
            context_tokens=SLOT_TOKENS,
            output_tokens=1024,
            prompt_tokens=PROMPT_TOKENS,
            concurrency=SLOTS,
            queue=32,
            queue_s=20.0,
        ),
    )


class Engine:
    """Runs the weights in a child process and tells where it answers."""

    def __init__(self, *, threads: int = 0, weights: Path | None = None) -> None:
        self._threads = threads or max(1, min(MOST_THREADS, os.cpu_count() or 1))
        self._weights = weights
        self._key = Secret(secrets.token_urlsafe(24))
        self.child: Child | None = None

    async def start(self) -> None:
        """Verify the weights and start; raises BadConfiguration."""
        if find_spec("xllamacpp") is None:
            raise BadConfiguration(
                "The package xllamacpp, which runs the embedded model, is missing.", _weights.INSTALL
            )
        file = self._weights or _weights.find()
        if self._weights is None:
            await asyncio.to_thread(_weights.verify, file)
        self.child = Child("embedded model", self._command(file), env={"HOMEPORT_ENGINE_KEY": self._key.reveal()})
        try:
            await self.child.start()
        except ChildError as error:
            raise BadConfiguration(f"The embedded model did not start: {error}.", "See the log for more.") from error

    def _command(self, file: Path) -> list[str]:
        options = {
            "model": file,
            "alias": NAME,
            "context": SLOTS * SLOT_TOKENS,
            "parallel": SLOTS,
            "threads": self._threads,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "homeport.providers._llama_server", *arguments]

    async def stop(self) -> None:
        """Stop the child; it leaves nothing behind."""
        if self.child is not None:
            await self.child.stop()

    @property
    def address(self) -> str:
        """Where it answers now; empty while it does not run."""
        return self.child.said if self.child else ""

    def locate(self, model: Model) -> Model:
        """An embedded model as it can be reached now."""
        return replace(model, endpoint=f"{self.address}/v1" if self.address else NOWHERE, key=self._key)
