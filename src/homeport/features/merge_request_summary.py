"""Describe a merge request from its changes."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Input, Template
from homeport.features._pieces import DATA
from homeport.features._say import say

WORDING = Wording(
    system=(
        "You write the description of a merge request from its changes, for the person who will review it. "
        "Begin with two or three sentences: what changes for users or developers, and why as far as the changes show "
        "it. Then list the notable changes, at most eight points, grouped by what they are about and not by file. "
        "End with what a reviewer should look at closely, if anything. "
        "Say only what the changes show; do not praise and do not repeat code. Reply with the Markdown of the "
        "description and nothing else.\n"
        f"{DATA}"
    ),
    user="<changes>\n{extracted_diff}\n</changes>\n\nWrite the description of this merge request.",
)

FEATURE = Feature(
    title="Merge request summary",
    section="Merge requests",
    scope="summarize_new_merge_request",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="summarize_new_merge_request",
        inputs=(Input("extracted_diff"),),
        versions=dict.fromkeys(("1.0.0", "2.0.0", "2.0.1"), WORDING),
        max_tokens=1024,
    ),
)
