"""Claude 3 and later, by way of AWS Bedrock or an endpoint of the same kind; completion asks in words.

Code in tags is how Anthropic advises to tell parts of a prompt apart. Window: 200,000 tokens.

Sources: https://docs.anthropic.com/en/docs/build-with-claude/prompt-engineering/use-xml-tags,
https://docs.anthropic.com/en/docs/about-claude/models
"""

from __future__ import annotations

from homeport.domain.wording import Wording
from homeport.families import Family

FAMILY = Family(
    label="Claude",
    tools=True,
    context_tokens=200_000,
    generation_tokens=2048,
    aliases=("claude", "claude_3.5", "claude_3_5", "claude_3_7", "claude_4"),
    served_as=("claude",),
    rewords={
        "code_completions": Wording(
            system=(
                "You are the completion engine of a code editor. You are given a file with a cursor in it. "
                "Reply with the text that belongs at the cursor, exactly as it must be inserted: "
                "no explanation, no tags, no Markdown fence, and none of the code that already stands around it. "
                "Continue the cursor's line before you begin another. Stop as soon as the thought is complete."
            ),
            user=(
                "<related_files>\n{related}</related_files>\n"
                "<file>\n<name>{file_name}</name>\n<language>{language}</language>\n"
                "<before_cursor>{before}</before_cursor>\n<after_cursor>{after}</after_cursor>\n</file>\n\n"
                "Reply with the text to insert between before_cursor and after_cursor."
            ),
        ),
    },
)
