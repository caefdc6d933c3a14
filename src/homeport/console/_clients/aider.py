"""aider."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="aider",
    does=mark("an agent in the terminal"),
    scopes=frozenset({"duo_chat"}),
    order=60,
    steps=(
        Step(
            "In a terminal, in the repository that you work on:",
            "aider --openai-api-base @ADDRESS@/v1 --openai-api-key @TOKEN@ --model openai/chat "
            "--no-show-model-warnings",
        ),
    ),
)
