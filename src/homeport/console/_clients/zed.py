"""Zed."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Zed",
    does=mark("chat and edit"),
    scopes=frozenset({"duo_chat"}),
    order=35,
    steps=(
        Step(
            "Into settings.json:",
            """{
  "language_models": {
    "openai_compatible": {
      "Homeport": {
        "api_url": "@ADDRESS@/v1",
        "available_models": [{"name": "chat", "display_name": "Homeport", "max_tokens": 32768}]
      }
    }
  }
}""",
        ),
        Step("Under Agent Settings, LLM Providers, or in the environment:", "export HOMEPORT_API_KEY=@TOKEN@"),
    ),
)
