"""Continue's command line."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Continue CLI",
    does=mark("an agent in the terminal"),
    scopes=frozenset({"duo_chat"}),
    order=67,
    steps=(
        Step(
            "Into config.yaml:",
            """name: Homeport
version: 0.0.1
schema: v1
models:
  - name: Homeport
    provider: openai
    model: chat
    apiBase: @ADDRESS@/v1
    apiKey: @TOKEN@
    roles: [chat, edit, apply]
    capabilities: [tool_use]""",
            "yaml",
        ),
        Step("In a terminal, in the repository that you work on:", "cn --config config.yaml"),
    ),
)
