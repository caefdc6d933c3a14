"""Neovim, with Homeport's language server."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Neovim (homeport lsp)",
    does=mark("completion as you type, code actions"),
    scopes=frozenset({"complete_code", "duo_chat"}),
    order=38,
    steps=(
        Step(
            "Into init.lua; Neovim 0.12 shows suggestions inline, <Tab> accepts; older ones by <C-x><C-o>:",
            """local function attached(client, buffer)
  if vim.lsp.inline_completion then
    vim.lsp.inline_completion.enable(true, { bufnr = buffer })
    vim.keymap.set("i", "<Tab>", function()
      if not vim.lsp.inline_completion.get() then return "<Tab>" end
    end, { buffer = buffer, expr = true })
  else
    vim.bo[buffer].omnifunc = "v:lua.vim.lsp.omnifunc"
  end
end

local config = {
  name = "homeport",
  cmd = { "homeport", "lsp", "--url", "@ADDRESS@" },
  cmd_env = { HOMEPORT_TOKEN = "@TOKEN@" },
  root_dir = vim.fn.getcwd(),
  on_attach = attached,
}
local started
vim.api.nvim_create_autocmd("FileType", {
  callback = function(args)
    if vim.bo[args.buf].buftype ~= "" then return end
    if vim.lsp.start then
      vim.lsp.start(config, { bufnr = args.buf })
    else
      started = started or vim.lsp.start_client(config)
      vim.lsp.buf_attach_client(args.buf, started)
    end
  end,
})""",
            "lua",
        ),
    ),
)
