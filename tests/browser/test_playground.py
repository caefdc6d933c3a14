"""The playground as people use it: models beside each other in an editor, and a chat with one that is not to trust."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from browsing import button, field, furnish
from playwright.async_api import expect

if TYPE_CHECKING:
    from browsing import Visit
    from playwright.async_api import Locator
    from script import Peer

TIMES = re.compile(r"first after \d+ ms · whole after \d+ ms · 3 tokens")
ANSWER = """\
Sums up. ![a picture](https://evil.example/dot.png) [a way](javascript:evil) <img src=https://evil.example/x>

```python
def total(numbers):
    return sum(numbers)
```

<script>alert(2)</script>
"""


def told(visit: Visit, words: str) -> Locator:
    """What is said beside the buttons."""
    return visit.page.locator("[data-told]").filter(has_text=words)


async def test_two_models_beside_each_other(visit: Visit) -> None:
    page, models, later = visit.page, visit.office.house.models, asyncio.Event()

    async def each_its_own(peer: Peer) -> None:
        if peer.json["model"] == "served-other":
            await later.wait()
        await models.behave(peer, ["from ", "coder"] if peer.json["model"] == "served-coder" else ["from ", "other"])

    await furnish(visit, "coder", "other")
    models.play = each_its_own
    await visit.go("/console/playground")
    await button(visit, "Compare with another").click()
    await field(visit, "Beside it, 2 of 4").select_option("other")
    editor, ghost = page.locator(".cm-content"), page.locator(".cm-ghost")
    await expect(editor).to_be_visible()
    await editor.press("ControlOrMeta+End")
    await editor.press("Control+Space")
    await expect(ghost).to_have_text("from coder")
    first, second = (page.get_by_role("group", name=f"Answer of {name}") for name in ("coder", "other"))
    await expect(first).to_contain_text(TIMES)
    await expect(second).to_contain_text("Waiting for the first word…")
    later.set()
    await expect(second).to_contain_text(TIMES)
    await expect(told(visit, "Tab accepts, Esc dismisses, Alt ] shows the next.")).to_be_visible()
    await expect(ghost).to_have_text("from coder")
    await editor.press("Alt+]")
    await expect(ghost).to_have_text("from other")
    await expect(told(visit, "Shown: other.")).to_be_visible()
    await editor.press("Escape")
    await expect(ghost).to_have_count(0)
    await expect(told(visit, "Dismissed.")).to_be_visible()
    later.clear()
    await editor.press("Control+Space")
    await expect(ghost).to_have_text("from coder")
    later.set()
    await expect(second).to_contain_text(TIMES)
    await editor.press("Alt+]")
    await expect(ghost).to_have_text("from other")
    await editor.press("Tab")
    await expect(editor).to_contain_text("return from other")
    await first.get_by_role("button", name="Insert").click()
    await expect(editor).to_contain_text("from coder")


async def test_a_chat_about_a_file(visit: Visit) -> None:
    page, models = visit.page, visit.office.house.models
    await visit.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=visit.at)
    await furnish(visit, "coder")
    models.words = [ANSWER[at : at + 40] for at in range(0, len(ANSWER), 40)]
    await visit.go("/console/playground?feature=chat")
    message, answer = field(visit, "Message"), page.locator(".turn.assistant")
    async with page.expect_file_chooser() as choosing:
        await button(visit, "Attach a file").click()
    chosen = {"name": "total.py", "mimeType": "text/x-python", "buffer": b"def total(numbers): ...\n"}
    await (await choosing.value).set_files(chosen)  # type: ignore[arg-type]  # a file as a dict of literals
    await expect(page.locator(".attached")).to_contain_text("total.py · 1 line go with the message")
    await message.press_sequentially("/ex")
    await expect(page.get_by_role("listbox", name="Commands").get_by_role("option")).to_contain_text("/explain")
    await message.press("Tab")
    await expect(message).to_have_value("/explain ")
    await message.press("Enter")
    await expect(told(visit, "Answered.")).to_be_visible()
    asked = [each for each in models.heard if each.method == "POST"][-1].json["messages"]
    assert "def total(numbers): ..." in str(asked)

    # drawn as text, and nothing is fetched: the visit notes every request to elsewhere
    await expect(answer.locator("pre .tok-keyword")).to_have_text(["def", "return"])
    await expect(answer).to_contain_text("[image: a picture] (https://evil.example/dot.png)")
    await expect(answer).to_contain_text("a way (javascript:evil)")
    assert await answer.locator("img, a, script, iframe, [onerror], [style]").count() == 0
    await answer.get_by_role("button", name="Copy the code").click()
    assert await copied(visit) == "def total(numbers):\n    return sum(numbers)"
    await answer.get_by_role("button", name="Copy the answer").click()
    await expect(told(visit, "Copied.")).to_be_visible()
    assert await copied(visit) == ANSWER

    # what was said before goes along, is kept in this tab, and comes back
    await page.locator(".attached").get_by_role("button", name="Remove").click()
    models.words = ["Yes."]
    await message.fill("Is that all?")
    await message.press("Enter")
    await expect(answer).to_have_count(2)
    await expect(told(visit, "Answered.")).to_be_visible()
    assert "Sums up." in str([each for each in models.heard if each.method == "POST"][-1].json["messages"])
    await button(visit, "Begin anew").click()
    await expect(answer).to_have_count(0)
    await page.reload()
    kept = page.locator(".kept")
    await kept.get_by_role("button", name="/explain", exact=True).click()
    await expect(answer).to_have_count(2)
    await expect(answer.first.locator("pre .tok-keyword")).to_have_count(2)
    await kept.get_by_role("button", name="Delete “/explain”").click()
    await expect(answer).to_have_count(0)
    await expect(kept).to_be_hidden()


async def copied(visit: Visit) -> str:
    """What the clipboard holds."""
    return await visit.page.evaluate("navigator.clipboard.readText()")
