"""Find out why a CI/CD job failed."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Input, Template
from homeport.features._pieces import DATA, LANGUAGE
from homeport.features._say import say

WORDING = Wording(
    system=(
        f"You find out why a CI/CD job failed, from its log.{LANGUAGE}\n"
        "The first error usually causes the others; a later one may only be its consequence. "
        "Reply in Markdown under two headings. `## Cause`: what failed and why, with the one or two lines of the log "
        "that show it. `## Fix`: what to change, as a command or as code where that is possible. "
        "When the log does not show the cause, say so and name what to look at next; do not guess.\n"
        f"{DATA}"
    ),
    user="<job_log>\n{selected_text}\n</job_log>\n\nWhy did this job fail, and what mends it?",
)

FEATURE = Feature(
    title="Root cause analysis of jobs",
    section="Chat",
    scope="troubleshoot_job",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="chat/troubleshoot_job",
        inputs=(Input("selected_text", cut="start"), Input("language_info")),
        versions={"1.0.0": WORDING},
        temperature=0.1,
    ),
)
