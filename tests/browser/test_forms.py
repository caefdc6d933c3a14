"""Nothing that was typed is lost without a word: forms that are left, refused, or cannot be sent."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from browsing import button, field, furnish, heading
from house import eventually
from playwright.async_api import expect

if TYPE_CHECKING:
    from browsing import Visit
    from playwright.async_api import Locator, Route

QUESTION = "Go on without saving what you changed?"
HOLDS = """() => {
  const leaving = new Event("beforeunload", { cancelable: true });
  window.dispatchEvent(leaving);
  return leaving.defaultPrevented;
}"""
"""Whether the browser asks before its tab is closed."""


def way(visit: Visit, name: str) -> Locator:
    """A link of the menu."""
    return visit.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True)


async def asked(visit: Visit) -> None:
    """It was asked whether to go, and stayed."""
    await eventually(lambda: visit.questions)
    assert visit.questions == [QUESTION]
    visit.questions.clear()


async def test_what_is_typed_is_not_left_without_a_word(visit: Visit) -> None:
    page, at = visit.page, f"{visit.at}/console/models/coder"
    await furnish(visit, "coder", "spare")
    await visit.go("/console")
    await way(visit, "Self-hosted models").click()
    await page.locator("main").get_by_role("link", name="coder", exact=True).click()
    await heading(visit, "coder")
    await expect(page.get_by_role("heading", name="coder", level=1)).to_be_focused()
    assert not await page.evaluate(HOLDS)
    await field(visit, "Model identifier").fill("mine")
    assert await page.evaluate(HOLDS)
    visit.declines = True
    await way(visit, "Tokens").click()
    await asked(visit)
    await button(visit, "Disable").click()
    await asked(visit)
    await page.evaluate("history.back()")
    await asked(visit)
    await expect(page).to_have_url(at)
    await expect(field(visit, "Model identifier")).to_have_value("mine")

    # refused, it is as unsaved as before
    await visit.office.store.edit_model("coder", {"identifier": "theirs"}, by="bea")
    await button(visit, "Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("Somebody changed this model while you did.")
    await expect(page.get_by_role("alert")).to_be_focused()
    assert await page.evaluate(HOLDS)
    await way(visit, "Tokens").click()
    await asked(visit)
    await expect(field(visit, "Model identifier")).to_have_value("mine")

    await button(visit, "Detect").click()
    await expect(page.locator("#help")).not_to_be_empty()
    await expect(button(visit, "Detect")).to_be_focused()

    visit.declines, visit.agrees = False, True
    await page.evaluate("history.back()")
    await expect(field(visit, "Model identifier")).to_have_value("theirs")
    assert not await page.evaluate(HOLDS)


async def test_a_panel_over_the_features_is_left_by_keys_and_nothing_is_lost(visit: Visit) -> None:
    page, opener, panel = visit.page, visit.page.locator("#open-code_review"), visit.page.get_by_role("dialog")
    await furnish(visit, "coder", "spare")
    await visit.go("/console")
    await way(visit, "AI-powered features").click()
    await heading(visit, "AI-powered features")
    await field(visit, "What serves Code completion").select_option("model:spare")
    await opener.scroll_into_view_if_needed()
    there = await page.evaluate("scrollY")
    await opener.press("Enter")
    await expect(panel.get_by_label("Served by", exact=True)).to_be_focused()
    await expect(page).to_have_url(f"{visit.at}/console/features/code_review")
    for _ in range(25):
        await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('dialog') || document.activeElement === document.body")
    await page.keyboard.press("Escape")
    await expect(panel).to_have_count(0)
    await expect(opener).to_be_focused()
    await expect(page).to_have_url(f"{visit.at}/console/features")

    await opener.press("Enter")
    await panel.get_by_label("Weight of the model above").fill("x")
    visit.declines = True
    for leave in ("Escape", "ControlOrMeta+k"):
        await page.keyboard.press(leave)
        await asked(visit)
    await page.evaluate("history.back()")
    await asked(visit)
    await panel.get_by_label("Served by", exact=True).select_option("model:spare")
    await panel.get_by_label("Model 2", exact=True).select_option("coder")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.get_by_role("alert")).to_contain_text("'x' is no weight.")
    await expect(panel.get_by_label("Weight of the model above")).to_be_focused()
    await expect(panel.get_by_label("Weight of the model above")).to_have_value("x")
    await page.keyboard.press("Escape")
    await asked(visit)
    await panel.get_by_label("Weight of the model above").fill("2")
    await panel.get_by_role("button", name="Save").click()
    await expect(page.locator("#row-code_review")).to_contain_text("Code review now uses spare, coder.")
    await expect(panel).to_have_count(0)
    await expect(opener).to_be_focused()
    assert await page.evaluate("scrollY") == there
    await expect(field(visit, "What serves Code completion")).to_have_value("model:spare")
    visit.declines, visit.agrees = False, True

    await opener.press("Enter")
    await expect(panel.get_by_label("Served by", exact=True)).to_be_focused()
    await page.reload()
    await heading(visit, "Code review")
    await expect(panel).to_have_count(0)


async def test_choices_of_other_rows_outlive_a_saved_one(visit: Visit) -> None:
    page = visit.page
    await furnish(visit, "coder", "spare")
    await visit.go("/console/features")
    await field(visit, "What serves Code completion").select_option("model:spare")
    await field(visit, "What serves General chat").select_option("model:spare")
    await button(visit, "Save General chat").click()
    await expect(page.locator("#row-chat .answering")).to_have_text("spare")
    await expect(button(visit, "Save General chat")).to_be_focused()
    await expect(field(visit, "What serves Code completion")).to_have_value("model:spare")
    visit.declines = True
    await way(visit, "Playground").click()
    await asked(visit)
    await button(visit, "Save Code completion").click()
    await expect(page.locator("#row-code_completions .answering")).to_have_text("spare")
    assert (await visit.office.store.features())["code_completions"].model == "spare"
    await way(visit, "Playground").click()
    await heading(visit, "Playground")

    await expect(field(visit, "while I type")).to_be_visible()
    await page.locator("textarea.code").focus()
    await expect(page.locator(".cm-content")).to_be_focused()
    assert not await page.evaluate(HOLDS)
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Chat", exact=True).click()
    await asked(visit)
    visit.declines, visit.agrees = False, True
    await page.get_by_role("link", name="Chat", exact=True).click()
    await field(visit, "Message").fill("half a question")
    assert await page.evaluate(HOLDS)
    await field(visit, "Message").fill("")
    assert not await page.evaluate(HOLDS)
    assert not visit.questions


async def test_a_server_that_is_slow_or_gone_is_told_of(visit: Visit) -> None:
    page = visit.page
    await furnish(visit, "coder", "spare")
    await visit.go("/console/models/coder")
    await field(visit, "Model identifier").fill("mine")
    await visit.context.set_offline(offline=True)
    await button(visit, "Save").click()
    told = page.get_by_role("alert")
    await expect(told).to_contain_text("Homeport cannot be reached, and as far as is known nothing was saved.")
    await expect(field(visit, "Model identifier")).to_have_value("mine")
    assert await page.evaluate(HOLDS)
    await visit.context.set_offline(offline=False)

    async def gone(route: Route) -> None:
        await route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")

    await page.route("**/console/models/coder", gone)
    await field(visit, "Model identifier").fill("mine still")
    await button(visit, "Save").click()
    await expect(told).to_be_visible()
    await expect(page.get_by_text("Bad Gateway")).to_have_count(0)
    await expect(field(visit, "Model identifier")).to_have_value("mine still")
    await page.unroute("**/console/models/coder")

    async def away(route: Route) -> None:
        """A page of ours that could not draw the form, as its database is away."""
        ours = {"content-security-policy": "default-src 'self'"}
        await route.fulfill(status=503, headers=ours, content_type="text/html", body="<h1>That did not work</h1>")

    await page.route("**/console/models/coder", away)
    await button(visit, "Save").click()
    await expect(told).to_contain_text("Homeport could not do that. What you typed is still here: try again.")
    await expect(page.get_by_text("That did not work")).to_have_count(0)
    await expect(field(visit, "Model identifier")).to_have_value("mine still")
    await page.unroute("**/console/models/coder")

    late = asyncio.Event()

    async def slow(route: Route) -> None:
        await late.wait()
        await route.continue_()

    await page.route("**/console/models/coder", slow)
    await button(visit, "Save").click()
    await expect(page.get_by_role("status").filter(has_text="Saving …")).to_be_visible()
    late.set()
    await expect(page.locator("main .note").first).to_contain_text("coder is saved")
    await expect(page.get_by_text("Saving …")).to_have_count(0)
    assert not await page.evaluate(HOLDS)
    # htmx says in the browser's own console what could not be sent
    assert all("htmx:sendError" in each or "htmx:afterRequest" in each for each in visit.odd)
    visit.odd.clear()


async def test_times_grow_old_and_paper_is_light(visit: Visit) -> None:
    page = visit.page
    await furnish(visit, "coder", "spare")
    await page.clock.install()
    await visit.go("/console/audit")
    first = page.locator("tbody time").first
    await expect(first).to_have_text(re.compile("second|now"))
    await page.clock.fast_forward("05:00")
    await expect(first).to_have_text("5 minutes ago")
    await page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert await first.inner_text() == await first.get_attribute("title")
    await page.evaluate("dispatchEvent(new Event('afterprint'))")
    await expect(first).to_have_text("5 minutes ago")

    ink = "() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    light = await page.evaluate(ink)
    await page.evaluate("setTheme('dark')")
    assert await page.evaluate(ink) != light
    await page.emulate_media(media="print")
    assert await page.evaluate(ink) == light
    await page.emulate_media(media="screen", forced_colors="active")
    assert await way(visit, "Audit").evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    assert await way(visit, "Health").evaluate("each => getComputedStyle(each).outlineStyle") == "none"
