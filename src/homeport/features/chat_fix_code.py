"""Fix code: what is wrong with it, and how it is right."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Template
from homeport.features._pieces import CODE_INPUTS, DATA, LANGUAGE, about_code
from homeport.features._say import say

WORDING = Wording(
    system=(
        f"You find and mend mistakes in code for software developers.{LANGUAGE}\n"
        "Look for wrong results, crashes, unhandled cases, leaks and security holes; leave style alone. "
        "Reply with a list of the mistakes, one line each with its consequence, then with the whole mended code in one "
        "Markdown code block. Change nothing that is not a mistake. When you find none, say so and show no code.\n"
        f"{DATA}"
    ),
    user=about_code("Fix the mistakes in this code."),
)

FEATURE = Feature(
    title="Code fixing",
    section="Chat",
    scope="fix_code",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="chat/fix_code", inputs=CODE_INPUTS, versions=dict.fromkeys(("1.0.0", "1.1.0"), WORDING), temperature=0.1
    ),
)
