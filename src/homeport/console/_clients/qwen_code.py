"""Qwen Code."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Qwen Code",
    does=mark("an agent in the terminal"),
    scopes=frozenset({"duo_chat"}),
    order=66,
    steps=(
        Step(
            "In a terminal, in the repository that you work on:",
            """export OPENAI_BASE_URL=@ADDRESS@/v1
export OPENAI_API_KEY=@TOKEN@
export OPENAI_MODEL=chat
qwen --auth-type openai""",
        ),
    ),
)
