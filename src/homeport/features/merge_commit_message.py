"""Write the message of a merge commit from its changes. GitLab shows the answer as it stands."""

from __future__ import annotations

from homeport.codetext.loose import unfenced
from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Grammar, Input, Template
from homeport.features._pieces import DATA
from homeport.features._say import say

WORDING = Wording(
    system=(
        "You write Git commit messages. The first line says in the imperative what the commit does, has at most 72 "
        "characters and no full stop. Then comes an empty line, then a body of one to five lines of at most 72 "
        "characters each that say what changes and why, as far as the changes show it. "
        "Leave the body out when the first line says it all. Invent no reasons, issue numbers or names.\n"
        "Reply with the message alone: no Markdown, no quotes, no explanation. An example:\n"
        "Retry uploads that the server cut off\n\n"
        "Large files failed when a proxy closed the connection. The upload\n"
        "now continues where it stopped, at most three times.\n\n"
        f"{DATA}"
    ),
    user="<changes>\n{diff}\n</changes>\n\nWrite the commit message.",
)

FEATURE = Feature(
    title="Merge commit message",
    section="Merge requests",
    scope="generate_commit_message",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="generate_commit_message",
        inputs=(Input("diff"),),
        versions=dict.fromkeys(("1.0.0", "1.1.0", "1.2.0"), WORDING),
        max_tokens=512,
        grammar=Grammar(mend=unfenced),
    ),
)
