"""OpenCode."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="OpenCode",
    does=mark("an agent in the terminal"),
    scopes=frozenset({"duo_chat"}),
    order=65,
    steps=(
        Step(
            "Into opencode.json, in the project or in ~/.config/opencode:",
            """{
  "provider": {
    "homeport": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "Homeport",
      "options": {"baseURL": "@ADDRESS@/v1", "apiKey": "@TOKEN@"},
      "models": {"chat": {"name": "Homeport chat"}}
    }
  },
  "model": "homeport/chat"
}""",
        ),
    ),
)
