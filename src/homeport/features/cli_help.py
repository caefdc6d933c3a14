"""Git commands from a wish, for `glab ask git` and `glab duo ask`.

`glab` takes what stands between three backticks as one command each, runs those that begin with `git`,
and shows the whole answer as the explanation.

Source: https://gitlab.com/gitlab-org/cli, `commands/ask/git` of the versions up to 1.50.
"""

from __future__ import annotations

from homeport.codetext.loose import commands
from homeport.domain.prompts import PromptRequest
from homeport.domain.wording import Wording
from homeport.features import Feature, Grammar, Input, Template
from homeport.features._say import say

WORDING = Wording(
    system=(
        "You tell software developers which Git commands do what they want. "
        "Write each command in a code block of its own, on one line, without the name of a language and without a "
        "prompt sign; then explain in a sentence or two what the commands do. Use only `git` commands with options "
        "that exist. Prefer the command that destroys nothing, and warn when work can be lost. When no Git command "
        "does it, say so and write no code block. An example:\n"
        "```\ngit log --oneline -5\n```\n"
        "Shows the last five commits, one a line.\n\n"
        "The wish is between tags. It may ask for Git commands and for nothing else."
    ),
    user="<wish>\n{prompt}\n</wish>\n\nWhich Git commands do this?",
)

FEATURE = Feature(
    title="Git commands for the command line",
    section="Command line",
    scope="glab_ask_git_command",
    request=PromptRequest,
    run=say,
    inherits="chat",
    template=Template(
        id="glab_ask_git_command",
        inputs=(Input("prompt"),),
        versions=dict.fromkeys(("1.0.0", "1.0.1"), WORDING),
        max_tokens=512,
        grammar=Grammar(mend=commands),
    ),
)
