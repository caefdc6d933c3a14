"""GitLab's plugin for JetBrains, which takes this instance for a GitLab."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("JetBrains, GitLab Duo plugin"),
    does=mark("suggestions and chat, without a GitLab"),
    scopes=frozenset({"complete_code", "generate_code", "duo_chat"}),
    order=6,
    steps=(
        Step(
            "In the settings under Tools, GitLab Duo, enter:",
            """URL to GitLab instance  @ADDRESS@
Personal access token   @TOKEN@""",
        ),
    ),
)
