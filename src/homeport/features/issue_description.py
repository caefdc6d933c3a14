"""Write the description of an issue from a few words, in the project's template if there is one."""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Input, Template
from homeport.features._pieces import DATA
from homeport.features._say import say

WORDING = Wording(
    system=(
        "You turn notes into the description of an issue for a software project. "
        "Keep every fact of the notes and add none; where something important is missing, write what is missing in "
        "italics, for example *Version: not given*. Use plain, precise sentences.\n"
        "{#template}\nFill in the template: keep its headings, its order, its check boxes and its quick actions (lines "
        "that begin with a slash), replace its instructions by content, and drop its comments.\n{/template}\n"
        "{^template}\nUse short Markdown sections: what happens or is wanted, why it matters, how to see it or how to "
        "tell that it is done. Leave out sections for which the notes say nothing.\n{/template}\n"
        "Reply with the Markdown of the description and nothing else.\n"
        f"{DATA}"
    ),
    user=(
        "{#template}\n<template>\n{template}\n</template>\n\n{/template}\n"
        "<notes>\n{content}\n</notes>\n\nWrite the description."
    ),
)

FEATURE = Feature(
    title="Issue description",
    section="Issues",
    scope="generate_issue_description",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="generate_description",
        inputs=(Input("content", cut="middle"), Input("template")),
        versions={"1.0.0": WORDING},
        temperature=0.2,
    ),
)
