"""Answer a question from documents that a search found, and name the ones used.

GitLab shows what stands before the line of `content_id` (it sends "ATTRS") and links the documents whose
ids (`CNT-IDX-…`) stand behind it; an answer that begins with "I do not know" gets no links.
"""

from __future__ import annotations

from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Input, Template
from homeport.features._pieces import DATA
from homeport.features._say import say

FIELD = "{content_id}{^content_id}ATTRS{/content_id}"

WORDING = Wording(
    system=(
        "You answer questions from the documents that you are given, and from nothing else. "
        "Reply in Markdown, briefly, with the steps or the setting that the question asks for. Do not name addresses "
        "that the documents do not name.\n"
        f"After the answer write a line `{FIELD}:` and below it the ids of the documents that you used, one a line, "
        "exactly as the documents write them. An example:\n"
        f"Push the tag; the pipeline then runs by itself.\n\n{FIELD}:\nCNT-IDX-17\n\n"
        "When the documents do not answer the question, reply only: I do not know; the documentation that was found "
        f"does not say. Then write the line `{FIELD}:` with nothing below it.\n"
        f"{DATA}"
    ),
    user="<documents>\n{documents}\n</documents>\n\n<question>\n{question}\n</question>\n\nAnswer the question.",
)

FEATURE = Feature(
    title="Answers from documentation",
    section="Chat",
    scope="documentation_search",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="chat/documentation_search",
        inputs=(Input("documents"), Input("question"), Input("content_id")),
        versions={"1.0.0": WORDING},
        max_tokens=1024,
    ),
)
