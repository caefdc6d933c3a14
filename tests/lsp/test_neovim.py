"""Neovim from Debian with the set-up that the console shows: what its user types, sees and accepts.

Debian's 0.7 has no inline completion: it shows suggestions in its menu, and asks for inline ones only by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from house import FIM, House, eventually
from neovim import MISSING, Neovim, editing
from script import document, stream
from set_ups import texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from script import Peer

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
CODE = "def area(width, height):\n    return \n\nprint(area(2, 3))\n"
INLINE = """(function()
  local params = vim.lsp.util.make_position_params()
  params.context = { triggerKind = 1 }
  local found = vim.lsp.buf_request_sync(0, "textDocument/inlineCompletion", params, 20000)
  local item = found[next(found)].result.items[1]
  local row, at = item.range.start.line, item.range.start.character
  vim.api.nvim_buf_set_text(0, row, at, row, at, { item.insertText })
  vim.lsp.buf_request_sync(0, "workspace/executeCommand", item.command, 20000)
  return item.insertText
end)()"""
FIX = """(function()
  local all = { start = { line = 0, character = 0 }, ["end"] = { line = 2, character = 0 } }
  local params = { textDocument = vim.lsp.util.make_text_document_params(), range = all }
  params.context = { diagnostics = {} }
  local found = vim.lsp.buf_request_sync(0, "textDocument/codeAction", params, 20000)
  for _, action in ipairs(found[next(found)].result) do
    if action.title == "Homeport: fix" then
      vim.lsp.buf_request(0, "workspace/executeCommand", action.command, function() end)
      return true
    end
  end
end)()"""


@pytest.fixture
async def neovim(house: House, tmp_path: Path) -> AsyncIterator[Neovim]:
    """Neovim with a file of a project, and its language server attached."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "shapes.py").write_text(CODE)
    (project / "units.py").write_text("def metres(feet: float) -> float:\n    return feet * 0.3048\n")
    (init,) = texts(house, "neovim_lsp")
    async with editing(tmp_path, f"vim.cmd('filetype on')\n{init}", project / "shapes.py") as started:
        await started.until("#vim.lsp.buf_get_clients() > 0 and vim.bo.omnifunc ~= ''")
        yield started


def told(house: House, what: str) -> float:
    """How many suggestions an editor said this of."""
    labels = {"model_name": FIM, "feature": "code_completions", "what": what}
    return house.metrics.registry.get_sample_value("homeport_suggestions_total", labels) or 0


@pytest.mark.proves("neovim", "completion", "fill-in-the-middle", "chat", "acceptance", "edits files")
async def test_a_suggestion_in_the_menu_one_inline_and_a_fix(house: House, neovim: Neovim) -> None:
    accepted = told(house, "accepted")

    async def play(peer: Peer) -> None:
        if peer.kind == "chat":
            await peer.head()
            fixed = "```python\ndef area(width, height):\n    return abs(width * height)\n```"
            await peer.events(stream("chat", [fixed]))
            await peer.end()
        else:
            said = "width * height" if "metres" in peer.json["prompt"] else "nothing"
            await peer.document(document("text", said))

    house.models.play = play
    await neovim.type("jA<C-x><C-o>")
    await neovim.until("vim.fn.getline(2) == '    return width * height'")
    await neovim.type("<Esc>")
    await eventually(lambda: told(house, "accepted") == accepted + 1)
    await neovim.type("cchalf = <Esc>")
    await neovim.until("vim.fn.mode() == 'n' and vim.fn.getline(2) == '    half = '")
    await neovim.type("A")
    assert await neovim.says(INLINE) == "width * height"
    await eventually(lambda: told(house, "accepted") == accepted + 2)
    await neovim.type("<Esc>")
    assert await neovim.says(FIX) is True
    await neovim.until("vim.fn.getline(2) == '    return abs(width * height)'")
    assert (await neovim.text()).endswith("print(area(2, 3))")
    agents = {record["user_agent"] for record in house.records() if record["path"].startswith("/v1/")}
    assert all("Neovim" in each for each in agents), agents
