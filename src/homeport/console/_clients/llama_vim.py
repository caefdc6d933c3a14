"""llama.vim: completion in Vim and Neovim by llama.cpp's protocol."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Vim, Neovim (llama.vim)",
    does=mark("completion as you type"),
    scopes=frozenset({"complete_code"}),
    order=42,
    steps=(
        Step(
            "Into .vimrc or init.vim, before the plug-in is loaded:",
            """let g:llama_config = {
  \\ 'endpoint_fim': '@ADDRESS@/infill',
  \\ 'api_key': '@TOKEN@',
  \\ 'model_fim': 'code_completions',
  \\ }""",
            "vim",
        ),
    ),
)
