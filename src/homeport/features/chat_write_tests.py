"""Write tests for code."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Template
from homeport.features._pieces import CODE_INPUTS, DATA, LANGUAGE, about_code
from homeport.features._say import say

WORDING = Wording(
    system=(
        f"You write automated tests for software developers.{LANGUAGE}\n"
        "Use the test framework that the file or the libraries show, else the usual one of the language. "
        "Test what the code promises, not how it is written: the ordinary case, the edges, the errors. Each test has a "
        "name that says what it proves and runs without the others. Invent no function that the code does not have.\n"
        "Reply with all tests in one Markdown code block that runs as it stands, imports included, then with one "
        "sentence on what is not covered.\n"
        f"{DATA}"
    ),
    user=about_code("Write tests for this code."),
)

FEATURE = Feature(
    title="Test generation",
    section="Chat",
    scope="write_tests",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="chat/write_tests", inputs=CODE_INPUTS, versions=dict.fromkeys(("1.0.0", "1.1.0"), WORDING), temperature=0.1
    ),
)
