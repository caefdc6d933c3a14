"""Running the instance: claim the data directory, set up what is missing, serve until told to stop."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from homeport import app
from homeport.cli import _first_run
from homeport.cli._data_dir import TOKEN, claimed
from homeport.cli._logged import logged, warn_of_bypass
from homeport.cli._session import vault_of
from homeport.cli._steps import Steps
from homeport.cli._welcome import greet

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.models import Model
    from homeport.kit.settings import Settings
    from homeport.store.database import Store


@dataclass(slots=True, kw_only=True)
class _Opening:
    """What happens between the first step and the first request."""

    settings: Settings
    steps: Steps
    as_json: bool
    first_run: bool
    embedded: Callable[[], Model] | None
    made: _first_run.FirstRun = field(default_factory=_first_run.FirstRun)
    models: bool = False
    """Whether there is one that may serve."""

    async def before(self, store: Store) -> None:
        """Set up what a newcomer lacks; a production server gets nothing it was not given."""
        if self.first_run:
            self.steps("Administrator, token, model")
            vault = vault_of(self.settings)
            self.made = await _first_run.provision(store, self.settings.data_dir, vault, embedded=self.embedded)
        self.models = any(model.enabled for model in await store.models())

    def ready(self, url: str) -> None:
        """Say where it is."""
        self.steps.done()
        greet(self.steps.screen, self.settings, url, self.made, models=self.models)
        if self.as_json:
            facts = {"url": url, "pid": os.getpid(), "data_dir": str(self.settings.data_dir)}
            click.echo(json.dumps({**facts, "token_file": str(self.settings.data_dir / TOKEN)}))


def serve_instance(
    settings: Settings, *, as_json: bool, first_run: bool, embedded: Callable[[], Model] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM."""
    with Steps() as steps:
        steps(f"Data directory {settings.data_dir}")
        with claimed(settings.data_dir):
            steps.done()
            opening = _Opening(
                settings=settings,
                steps=steps,
                as_json=as_json,
                first_run=first_run,
                embedded=embedded,
            )
            warn_of_bypass(settings)
            logged(
                settings,
                lambda logs: app.run_instance(
                    settings, logs, ready=opening.ready, on_step=_named(steps), before=opening.before
                ),
            )
            if steps.screen.is_terminal:
                # the terminal shows ^C, and the next prompt belongs on a line of its own
                steps.screen.print("\nStopped.")


def _named(steps: Steps) -> Callable[[str], None]:
    """Steps of the application with a capital letter, for people."""
    return lambda step: steps(step[:1].upper() + step[1:])
