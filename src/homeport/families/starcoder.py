"""StarCoder 2 of BigCode: base models that fill in the middle and do not chat.

Several files: each after `<file_sep>` and its path; the current file's path stands inside the
prefix sentinel. The chat template of the one instruct model refuses a system message.
Window: 16,384 tokens.

Sources: https://arxiv.org/abs/2402.19173 (section 5.1), https://huggingface.co/bigcode/starcoder2-15b
"""

from __future__ import annotations

from homeport.families import Family, Fim

FAMILY = Family(
    label="StarCoder",
    completion="fim",
    fim=Fim(
        layout="<fim_prefix>{before}<fim_suffix>{after}<fim_middle>",
        layout_with_files="<repo_name>project{lead}{before}<fim_suffix>{after}<fim_middle>",
        stops=("<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"),
        file="<file_sep>{name}\n{content}",
        current="<file_sep><fim_prefix>{name}\n",
    ),
    chat=False,
    system_role=False,
    context_tokens=16_384,
    stops=("<|endoftext|>",),
    aliases=("starcoder2", "star_coder"),
    served_as=("starcoder",),
)
