"""Tabby's plug-ins: VS Code, JetBrains, Vim, Emacs."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Tabby (VS Code, JetBrains, Vim)",
    does=mark("completion as you type"),
    scopes=frozenset({"complete_code"}),
    order=44,
    steps=(
        Step(
            "Into ~/.tabby-client/agent/config.toml:",
            """[server]
endpoint = "@ADDRESS@"
token = "@TOKEN@\"""",
            "toml",
        ),
    ),
)
