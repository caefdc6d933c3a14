"""Options of llama.cpp's sampler that the model server alone understands, which Ollama's clients send too.

Sources: llama.cpp's server README, "POST /completion"; Ollama's documentation of a Modelfile, "PARAMETER".
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

PASSED_ON = {
    "top_k": "top_k",
    "min_p": "min_p",
    "repeat_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
"""What they are called here, and what most model servers call them."""


class SamplerOptions(BaseModel):
    """The options of a body that has them."""

    top_k: int | None = Field(None, ge=-1, le=100_000)
    min_p: float | None = Field(None, ge=0, le=1)
    repeat_penalty: float | None = Field(None, gt=0, le=10)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)

    def passed_on(self) -> dict[str, Any]:
        """Those that were sent, in the model server's words."""
        found: dict[str, Any] = {}
        for theirs in self.model_fields_set & PASSED_ON.keys():
            value = getattr(self, theirs)
            if value is not None:
                found[PASSED_ON[theirs]] = value
        return found
