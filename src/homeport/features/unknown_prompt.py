"""Prompts that we do not know, of a GitLab newer than we are: its inputs are shown, and the id says what is wanted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Input, Template
from homeport.features._pieces import DATA
from homeport.features._say import say
from homeport.features._values import text_of
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench

_WORDS = re.compile(r"[a-z0-9]+(?:[/_-][a-z0-9]+)*")
LONGEST = 100

WORDING = Wording(
    system=(
        "You help people who develop software together. You are told the name of a task and what belongs to it. "
        "Do the task as its name says, briefly and in Markdown. When the name does not tell what to do, answer the "
        "question or summarise the matter that you find there.\n"
        f"{DATA}"
    ),
    user="Task: {task}\n\n<inputs>\n{inputs}\n</inputs>\n\nDo the task.",
)


def run(bench: Workbench, wanted: PromptRequest) -> Chunks:
    """Answer in general words, and leave a mark in the log."""
    known = _WORDS.fullmatch(wanted.prompt) is not None and len(wanted.prompt) <= LONGEST
    note(warning="unknown_prompt", asked_prompt=wanted.prompt if known else "(not a prompt id)")
    task = " ".join(re.split(r"[/_-]", wanted.prompt)) if known else "help"
    shown = ((name, text_of(value)) for name, value in wanted.inputs.items())
    inputs = "\n\n".join(f"{name}:\n{text}" for name, text in shown if text.strip())
    return say(bench, wanted._replace(inputs={"task": task, "inputs": inputs}, version=None))


FEATURE = Feature(
    title="Prompts that we do not know",
    section="Chat",
    scope="duo_chat",
    request=PromptRequest,
    run=run,
    inherits="chat",
    listed=False,
    template=Template(
        id="unknown_prompt", inputs=(Input("inputs", cut="middle"), Input("task")), versions={"1.0.0": WORDING}
    ),
)
