"""Helix, with Homeport's language server."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Helix (homeport lsp)",
    does=mark("completion in the menu, code actions"),
    scopes=frozenset({"complete_code", "duo_chat"}),
    order=42,
    steps=(
        Step(
            "Into ~/.config/helix/languages.toml; the list names a language's usual servers, too:",
            """[language-server.homeport]
command = "homeport"
args = ["lsp", "--url", "@ADDRESS@"]
environment = { HOMEPORT_TOKEN = "@TOKEN@" }

[[language]]
name = "python"
language-servers = ["pylsp", "homeport"]""",
            "toml",
        ),
    ),
)
