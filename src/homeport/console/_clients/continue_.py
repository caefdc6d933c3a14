"""Continue, for VS Code and JetBrains."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Continue (VS Code, JetBrains)",
    does=mark("chat and edit"),
    scopes=frozenset({"duo_chat"}),
    order=20,
    steps=(
        Step(
            "Into ~/.continue/config.yaml:",
            """name: Homeport
version: 1.0.0
schema: v1
models:
  - name: Homeport
    provider: openai
    model: chat
    apiBase: @ADDRESS@/v1
    apiKey: @TOKEN@
    roles: [chat, edit, apply]""",
        ),
    ),
)
