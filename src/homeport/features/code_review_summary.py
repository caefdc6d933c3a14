"""Summarise the draft comments of a review, for its opening comment."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Input, Template
from homeport.features._pieces import DATA
from homeport.features._say import say

WORDING = Wording(
    system=(
        "You write the opening comment of a code review from the reviewer's draft comments, in the reviewer's voice. "
        "Say in a friendly and factual way what must change before the merge, then what is only a suggestion, then "
        "what is good if a comment says so. Three to six sentences or a short list; no new findings, no quotes of "
        "code. Reply with the Markdown of the comment and nothing else.\n"
        f"{DATA}"
    ),
    user="<comments>\n{draft_notes_content}\n</comments>\n\nWrite the opening comment of this review.",
)

FEATURE = Feature(
    title="Code review summary",
    section="Merge requests",
    scope="summarize_review",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="summarize_review",
        inputs=(Input("draft_notes_content", cut="middle"),),
        versions=dict.fromkeys(("1.0.0", "2.0.0", "2.1.0"), WORDING),
        max_tokens=1024,
    ),
)
