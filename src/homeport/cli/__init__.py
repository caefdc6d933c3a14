"""The `homeport` command. One file per subcommand offers one `click.Command`, named `command`."""

from __future__ import annotations

from homeport.cli._command import Program

main = Program(
    "homeport",
    help="Self-hosted AI for code: completions, generation and chat from models that you run yourself.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
"""What the console script calls."""
