"""Emacs: gptel."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Emacs (gptel)",
    does=mark("chat"),
    scopes=frozenset({"duo_chat"}),
    order=45,
    steps=(
        Step(
            "Into init.el:",
            """(setq gptel-model 'chat
      gptel-backend (gptel-make-openai "Homeport"
                      :protocol "@SCHEME@" :host "@HOST@"
                      :endpoint "/v1/chat/completions"
                      :key "@TOKEN@" :stream t :models '(chat)))""",
        ),
    ),
)
