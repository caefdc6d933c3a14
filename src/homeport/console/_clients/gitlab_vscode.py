"""GitLab's extension for VS Code, which takes this instance for a GitLab."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("VS Code, GitLab's extension"),
    does=mark("suggestions and chat, without a GitLab"),
    scopes=frozenset({"complete_code", "generate_code", "duo_chat"}),
    order=5,
    steps=(
        Step('Run "GitLab: Authenticate", choose to enter the instance URL by hand, and enter:', "@ADDRESS@"),
        Step("Choose a personal access token, and enter:", "@TOKEN@"),
    ),
)
