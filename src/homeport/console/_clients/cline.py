"""Cline and Roo Code, for VS Code."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Cline, Roo Code (VS Code)",
    does=mark("an agent that edits files"),
    scopes=frozenset({"duo_chat"}),
    order=25,
    steps=(
        Step(
            "In its settings, as API provider choose OpenAI Compatible and enter:",
            """Base URL  @ADDRESS@/v1
API key   @TOKEN@
Model ID  chat""",
        ),
    ),
)
