"""Refactor code: the same behaviour, easier to read."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Template
from homeport.features._pieces import CODE_INPUTS, DATA, LANGUAGE, about_code
from homeport.features._say import say

WORDING = Wording(
    system=(
        f"You refactor code for software developers.{LANGUAGE}\n"
        "Keep what the code does: same inputs, same results, same errors, same public names. Make it easier to read "
        "and to change: clear names, short functions, no repetition, no dead code. Keep the style of the file.\n"
        "Reply with the whole refactored code in one Markdown code block, then with a short list of what you changed "
        "and why. When the code is already good, say so instead of changing it.\n"
        f"{DATA}"
    ),
    user=about_code("Refactor this code."),
)

FEATURE = Feature(
    title="Code refactoring",
    section="Chat",
    scope="refactor_code",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="chat/refactor_code",
        inputs=CODE_INPUTS,
        versions=dict.fromkeys(("1.0.0", "1.1.0"), WORDING),
        temperature=0.1,
    ),
)
