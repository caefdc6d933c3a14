"""Neovim: codecompanion.nvim chats."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Neovim, chat (codecompanion.nvim)"),
    does=mark("chat and edit"),
    scopes=frozenset({"duo_chat"}),
    order=41,
    steps=(
        Step(
            "Into init.lua; HOMEPORT_API_KEY is read from the environment:",
            """require("codecompanion").setup({
  adapters = { http = { homeport = function()
    return require("codecompanion.adapters").extend("openai_compatible", {
      formatted_name = "Homeport",
      env = { url = "@ADDRESS@", api_key = "HOMEPORT_API_KEY" },
      schema = { model = { default = "chat" } },
    })
  end } },
  interactions = { chat = { adapter = "homeport" }, inline = { adapter = "homeport" } },
})""",
        ),
        Step("Where the shell finds it:", "export HOMEPORT_API_KEY=@TOKEN@"),
    ),
)
