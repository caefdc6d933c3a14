"""Any server that speaks the OpenAI wire format: vLLM, SGLang, llama.cpp, TGI, Ollama, LM Studio."""

from homeport.providers import Provider
from homeport.providers._openai_compatible import generate, served, window

PROVIDER = Provider(
    label="OpenAI-compatible (vLLM, SGLang, llama.cpp, …)",
    generate=generate,
    served=served,
    window=window,
    prefixes=("custom_openai", "openai"),
)
