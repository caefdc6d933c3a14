"""The small model that Homeport runs itself, so that everything works before a real one is registered."""

from homeport.providers import Provider
from homeport.providers._openai_compatible import generate, served

PROVIDER = Provider(
    label="Embedded (llama.cpp on this machine's CPU)",
    generate=generate,
    served=served,
    prefixes=("embedded",),
    needs_endpoint=False,
)
