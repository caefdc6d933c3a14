"""Options that several commands take, so that they are called and explained the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def options(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order in which help shows them."""

    def decorate(command: F) -> F:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def listening(command: F) -> F:
    """Where a server listens and keeps its data."""
    places = options(
        click.option(
            "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 5050]"
        ),
        click.option("--host", help="Address to listen on.  [default: 127.0.0.1]"),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path),
            help="Where everything is kept.  [default: .homeport/ in a checkout, else the platform's data directory]",
        ),
    )
    return places(command)
