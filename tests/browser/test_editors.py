"""Editors of web pages complete what is typed by way of Homeport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from node import installed
from web_pages import web_page

if TYPE_CHECKING:
    from house import House
    from playwright.async_api import Browser

IMPORTED = (
    "@codemirror/state",
    "@codemirror/view",
    "@marijn/find-cluster-break",
    "codemirror-copilot",
    "crelt",
    "style-mod",
    "w3c-keyname",
)


@pytest.mark.proves("codemirror-copilot", "fill-in-the-middle", "refusals")
async def test_codemirror_copilot(house: House, browser: Browser) -> None:
    await installed()
    async with web_page(house, browser, "codemirror_copilot", *IMPORTED) as page:
        await page.locator(".cm-content").focus()
        await page.keyboard.type(")")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.type("print(")
        ghost = page.locator(".cm-inline-suggestion")
        await ghost.wait_for()
        assert await ghost.inner_text() == "one + two"
        await page.keyboard.press("Tab")
        assert await page.locator(".cm-line").inner_text() == "print(one + two)"
        assert house.models.heard[-1].json["prompt"] == "<|fim_prefix|>print(<|fim_suffix|>)<|fim_middle|>"
        house.assign("code_completions", "unassigned")
        async with page.expect_console_message(lambda message: message.type == "warning") as told:
            await page.keyboard.type("x")
        assert "homeport features set code_completions MODEL" in (await told.value).text
