"""Progress on standard error: a spinner while a step runs, a tick when it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape

from homeport.cli._output import seconds

if TYPE_CHECKING:
    from types import TracebackType

    from rich.status import Status

SLOW_S = 0.5
"""A step that took longer says how long."""


def screen() -> Console:
    """Standard error as rich sees it: no colour when nobody watches or NO_COLOR is set."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


class Steps:
    """One line per step; calling it with the next step ticks the one before."""

    def __init__(self) -> None:
        self.screen = screen()
        self._step = ""
        self._since = 0.0
        self._spinner: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end("[red]✗[/]" if error is not None else "[green]✓[/]")

    def __call__(self, step: str) -> None:
        """The next step begins."""
        self.done()
        self._step, self._since = escape(step), time.perf_counter()
        if self.screen.is_terminal:
            self._spinner = self.screen.status(self._step, spinner="dots")
            self._spinner.start()

    def done(self) -> None:
        """The last step is complete."""
        self._end("[green]✓[/]")

    def failed(self) -> None:
        """The last step did not succeed."""
        self._end("[red]✗[/]")

    def _end(self, mark: str) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None
        if self._step:
            took = time.perf_counter() - self._since
            late = f" [dim]{seconds(took)}[/]" if took > SLOW_S else ""
            self.screen.print(f"{mark} {self._step}{late}")
            self._step = ""
