"""How commands are found, how their help looks, and how they end: the parts that all of them share.

Imports of libraries that take long are inside functions, here and in the commands: `homeport --help`
answers at once, and each command pays only for what it uses.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click
from typing_extensions import override

from homeport import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JSON = "--json"
F = TypeVar("F", bound="Callable[..., Any]")

RUN, SET_UP, USE, LOOK_AFTER = "Run it", "Set it up", "Use it", "Look after it"
SECTIONS = (RUN, SET_UP, USE, LOOK_AFTER)
"""The order in which `homeport --help` shows them."""
_FIRST = ("up", "serve", "gateway", "models", "features", "tokens", "complete", "chat", "doctor")
"""Commands that lead their section; others follow by name."""


class _Taught(click.Command):
    """A command whose help ends with examples."""

    def __init__(self, name: str, *, section: str = LOOK_AFTER, examples: Sequence[str] = (), **more: Any) -> None:  # noqa: ANN401 (click's own arguments)
        super().__init__(name, **more)
        self.section = section
        self.examples = tuple(examples)

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What one types, ready to be copied."""
        if self.examples:
            with formatter.section(_bold("Examples")):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        super().format_epilog(ctx, formatter)

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands, if it has any, then a line for each option."""
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        lines = [line for parameter in self.get_params(ctx) if (line := parameter.get_help_record(ctx))]
        if lines:
            with formatter.section(_bold("Options")):
                formatter.write_dl([(_accent(name), text) for name, text in lines])


class Command(_Taught):
    """A command that does something."""


class Group(_Taught, click.Group):
    """A command that has commands of its own, in the order in which they were written."""

    command_class = Command

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; for a command that there is not, it says which one is meant."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"There is no command {args[0]!r}.{_nearest(self, ctx, args[0])}")
        return super().resolve_command(ctx, args)

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, member.get_short_help_str(100)) for name, member in self.commands.items()]
        with formatter.section(_bold("Commands")):
            formatter.write_dl([(_accent(name), text) for name, text in rows])


def _nearest(group: click.Group, ctx: click.Context, name: str) -> str:
    """A sentence that names the command which was meant, if it is spelt almost so."""
    near = difflib.get_close_matches(name, [each.replace("_", "-") for each in group.list_commands(ctx)], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


class Program(Group):
    """`homeport` itself: its commands are the files beside this one, each loaded when it is asked for."""

    def __init__(self, name: str, **more: Any) -> None:  # noqa: ANN401 (click's own arguments)
        super().__init__(name, **more)
        self.params.append(_version())

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """The files of this room, in the order of the sections."""
        room = importlib.import_module("homeport.cli")
        names = (info.name for info in pkgutil.iter_modules(room.__path__))
        return sorted((name for name in names if not name.startswith("_")), key=_place)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        if name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"homeport.cli.{name}").command
        if not isinstance(command, click.Command):
            message = f"homeport/cli/{name}.py offers no click.Command named `command`"
            raise TypeError(message)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        for section in SECTIONS:
            rows = [
                (_accent(name.replace("_", "-")), command.get_short_help_str(100))
                for name, command in commands.items()
                if command is not None and getattr(command, "section", LOOK_AFTER) == section
            ]
            if rows:
                with formatter.section(_bold(section)):
                    formatter.write_dl(rows)

    @override
    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **more: Any) -> Any:  # type: ignore[override]
        """Run the command and leave the process with 0, 1 or 2; whatever went wrong is said in a sentence."""
        with_colour = False if os.environ.get("NO_COLOR") else None
        try:
            code = super().main(args, prog_name or "homeport", color=with_colour, **{**more, "standalone_mode": False})
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001 (the outermost edge of the program)
            sys.exit(_explained(error, as_json=JSON in (sys.argv[1:] if args is None else args)))
        sys.exit(code if isinstance(code, int) else 0)


def _explained(error: BaseException, *, as_json: bool) -> int:
    from homeport.cli._errors import explain  # noqa: PLC0415 (only a failure pays for it)

    return explain(error, as_json=as_json)


def _place(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def _version() -> click.Option:
    def show(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 (click's own signature)
        if wanted:
            click.echo(f"homeport {__version__}")
            ctx.exit()

    text = "Show the version."
    return click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help=text)


def _bold(text: str) -> str:
    return click.style(text, bold=True) if _coloured() else text


def _accent(text: str) -> str:
    return click.style(text, fg="cyan") if _coloured() else text


def _coloured() -> bool:
    """Whether help may be coloured: a person looks at it and did not say no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def json_option(command: F) -> F:
    """`--json`, the same for every command."""
    text = "Print the result as one JSON document."
    return click.option(JSON, "as_json", is_flag=True, help=text)(command)
