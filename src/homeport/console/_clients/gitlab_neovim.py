"""GitLab's plugin for Neovim, which takes this instance for a GitLab."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Neovim, GitLab's plugin"),
    does=mark("suggestions, without a GitLab"),
    scopes=frozenset({"complete_code", "generate_code"}),
    order=7,
    steps=(
        Step("Into init.lua:", "require('gitlab').setup({ gitlab_url = '@ADDRESS@' })"),
        Step("Where the shell finds it:", "export GITLAB_TOKEN=@TOKEN@"),
    ),
)
