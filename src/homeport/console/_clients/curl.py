"""curl: a completion and an answer, to see that it works."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="curl",
    does=mark("one completion"),
    scopes=frozenset({"complete_code"}),
    order=80,
    steps=(
        Step(
            "In a terminal:",
            """curl -s @ADDRESS@/v1/completions \\
  -H "Authorization: Bearer @TOKEN@" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "code_completions", "prompt": "def add(a, b):\\n    ", "suffix": "\\n"}'""",
        ),
    ),
)
