"""Homeport's own command line."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Homeport's own command line"),
    does=mark("completion and chat, to try"),
    scopes=frozenset({"duo_chat"}),
    order=70,
    steps=(
        Step(
            "In a terminal:",
            """export HOMEPORT_URL=@ADDRESS@
export HOMEPORT_TOKEN=@TOKEN@
homeport chat "What does HTTP stand for?\"""",
        ),
    ),
)
