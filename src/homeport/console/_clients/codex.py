"""Codex CLI."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Codex CLI",
    does=mark("an agent in the terminal"),
    scopes=frozenset({"duo_chat"}),
    order=62,
    steps=(
        Step(
            "Into ~/.codex/config.toml:",
            """model = "chat"
model_provider = "homeport"

[model_providers.homeport]
name = "Homeport"
base_url = "@ADDRESS@/v1"
env_key = "HOMEPORT_API_KEY"
wire_api = "responses\"""",
        ),
        Step("Where the shell finds it:", "export HOMEPORT_API_KEY=@TOKEN@"),
    ),
)
