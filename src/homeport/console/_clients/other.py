"""Whatever takes an OpenAI-compatible server."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Any other"),
    does=mark("whatever takes an OpenAI-compatible server"),
    order=99,
    steps=(
        Step(
            "For completion choose the completions API, not chat:",
            """base URL  @ADDRESS@/v1
API key   @TOKEN@
model     code_completions, chat, or the name of a model""",
        ),
    ),
)
