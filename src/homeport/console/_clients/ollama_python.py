"""Ollama's client in Python; its other clients take the same address and header."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Ollama client (Python)"),
    does=mark("completion and chat in programs"),
    scopes=frozenset({"complete_code", "duo_chat"}),
    order=88,
    steps=(
        Step(
            "Clients that read the environment, in the shell they start from:",
            """export OLLAMA_HOST=@ADDRESS@
export OLLAMA_API_KEY=@TOKEN@""",
            "sh",
        ),
        Step(
            "Or in a program; others take the address and the header, too:",
            """from ollama import Client

with Client(host="@ADDRESS@", headers={"Authorization": "Bearer @TOKEN@"}) as client:
    answer = client.chat(
        model="chat",
        messages=[{"role": "user", "content": "Write a regular expression for a hex colour."}],
    )
print(answer.message.content)""",
            "python",
        ),
    ),
)
