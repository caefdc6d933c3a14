"""Code Llama: Meta's code models on Llama 2; 7B and 13B fill in the middle.

A space after `<PRE>`, before `<SUF>` and before `<MID>`, none after `<SUF>`: the reference encodes
the suffix without an implicit leading space. `<EOT>` ends the answer. No layout for several files
was trained, so related files lead the prefix as comments. Window: 16,384 tokens.

Sources: https://github.com/meta-llama/codellama (`llama/generation.py`, `llama/tokenizer.py`),
https://huggingface.co/docs/transformers/model_doc/code_llama
"""

from __future__ import annotations

from homeport.families import Family, Fim

FAMILY = Family(
    label="Code Llama",
    release="beta",
    completion="fim",
    fim=Fim(
        layout="<PRE> {before} <SUF>{after} <MID>",
        layout_with_files="<PRE> {lead}{before} <SUF>{after} <MID>",
        stops=("<EOT>", "<PRE>", "<SUF>", "<MID>"),
    ),
    context_tokens=16_384,
    stops=("</s>", "[INST]", "[/INST]"),
    aliases=("codellama_7b_code", "codellama_13b", "codellama_13b_code", "code_llama"),
    served_as=("codellama",),
)
