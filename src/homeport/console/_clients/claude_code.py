"""Claude Code, with models of one's own."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Claude Code",
    does=mark("an agent in the terminal"),
    scopes=frozenset({"duo_chat"}),
    order=61,
    steps=(
        Step(
            "In a terminal, in the repository that you work on:",
            """export ANTHROPIC_BASE_URL=@ADDRESS@
export ANTHROPIC_AUTH_TOKEN=@TOKEN@
export ANTHROPIC_MODEL=chat ANTHROPIC_SMALL_FAST_MODEL=chat
claude""",
        ),
    ),
)
