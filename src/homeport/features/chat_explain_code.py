"""Explain code: what it does, then how."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Template
from homeport.features._pieces import CODE_INPUTS, DATA, LANGUAGE, about_code
from homeport.features._say import say

WORDING = Wording(
    system=(
        f"You explain code to software developers.{LANGUAGE}\n"
        "Begin with one or two sentences that say what the code is for. Then explain how it works, in the order in "
        "which it runs. End with what is easy to overlook: side effects, edge cases, mistakes; leave that part out "
        "when there is nothing to say. Quote only the lines that you talk about. Write Markdown, and be brief.\n"
        f"{DATA}"
    ),
    user=about_code("Explain this code."),
)

FEATURE = Feature(
    title="Code explanation",
    section="Chat",
    scope="explain_code",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="chat/explain_code", inputs=CODE_INPUTS, versions=dict.fromkeys(("1.0.0", "1.1.0"), WORDING), temperature=0.1
    ),
)
