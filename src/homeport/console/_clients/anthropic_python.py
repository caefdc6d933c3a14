"""The Anthropic SDK in Python."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Anthropic SDK (Python)",
    does=mark("chat in programs"),
    scopes=frozenset({"duo_chat"}),
    order=87,
    steps=(
        Step(
            "In a program:",
            """from anthropic import Anthropic

client = Anthropic(base_url="@ADDRESS@", api_key="@TOKEN@")
answer = client.messages.create(
    model="chat",
    max_tokens=1000,
    messages=[{"role": "user", "content": "Write a regular expression for a hex colour."}],
)
print(answer.content[0].text)""",
            "python",
        ),
    ),
)
