"""llama.vscode: completion in VS Code by llama.cpp's protocol."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="VS Code (llama.vscode)",
    does=mark("completion as you type"),
    scopes=frozenset({"complete_code"}),
    order=43,
    steps=(
        Step(
            "Into settings.json:",
            """{
  "llama-vscode.endpoint": "@ADDRESS@",
  "llama-vscode.api_key": "@TOKEN@"
}""",
            "json",
        ),
    ),
)
