"""JetBrains AI Assistant."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="JetBrains AI Assistant",
    does=mark("chat"),
    scopes=frozenset({"duo_chat"}),
    order=30,
    steps=(
        Step(
            "In the settings under Tools, AI Assistant, API keys: as provider choose OpenAI-compatible and enter:",
            """URL    @ADDRESS@/v1
Key    @TOKEN@
Model  chat""",
        ),
    ),
)
