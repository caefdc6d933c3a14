"""Any other model that follows instructions: everything is asked in words, nothing is assumed.

The window is that of small models; configure the model's own.
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="General",
    release="beta",
    context_tokens=8192,
    aliases=("base", "other", "generic"),
)
