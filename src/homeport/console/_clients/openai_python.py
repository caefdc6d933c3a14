"""The OpenAI SDK in Python."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="OpenAI SDK (Python)",
    does=mark("chat in programs"),
    scopes=frozenset({"duo_chat"}),
    order=85,
    steps=(
        Step(
            "Other languages take the same base URL and key:",
            """from openai import OpenAI

client = OpenAI(base_url="@ADDRESS@/v1", api_key="@TOKEN@")
answer = client.chat.completions.create(
    model="chat",
    messages=[{"role": "user", "content": "Write a regular expression for a hex colour."}],
)
print(answer.choices[0].message.content)""",
            "python",
        ),
    ),
)
