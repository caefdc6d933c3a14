"""Neovim: minuet-ai.nvim completes."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Neovim, completion (minuet-ai.nvim)"),
    does=mark("completion as you type"),
    scopes=frozenset({"complete_code"}),
    order=40,
    steps=(
        Step(
            "Into init.lua:",
            """require("minuet").setup({
  provider = "openai_fim_compatible",
  n_completions = 1,
  provider_options = {
    openai_fim_compatible = {
      name = "Homeport",
      end_point = "@ADDRESS@/v1/completions",
      api_key = function() return "@TOKEN@" end,
      model = "code_completions",
      stream = true,
    },
  },
})""",
        ),
    ),
)
