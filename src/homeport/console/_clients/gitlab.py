"""GitLab's own extensions: GitLab asks Homeport for them."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("GitLab Duo with a GitLab of your own"),
    does=mark("suggestions and chat, through GitLab"),
    token=False,
    order=10,
    steps=(
        Step(
            "Install GitLab's extension (GitLab Workflow; GitLab Duo in JetBrains) and sign in to GitLab with it: it "
            "sends GitLab's own token. An administrator of GitLab enters this address once in the Admin area, under "
            "GitLab Duo, Change configuration, Local AI Gateway URL:",
            "@ADDRESS@",
        ),
    ),
)
