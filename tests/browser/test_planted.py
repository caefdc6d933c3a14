"""Two hundred texts in every field, in a real browser: no dialog, no breach of the policy, no request to elsewhere."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from browsing import LOOKS, PATIENCE_MS, visiting
from offices import office_at
from payloads import PAYLOADS
from planted import plant
from playwright.async_api import expect

from homeport.domain.models import FeatureSetting, Model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from browsing import Visit
    from playwright.async_api import Browser

expect.set_options(timeout=PATIENCE_MS)
PAGES = (
    "models",
    "people",
    "teams",
    "tokens",
    "invitations",
    "requests",
    "requests/id-of-000003",
    "audit",
    "usage?by=who",
)
MADE = {
    "a", "b", "blockquote", "button", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol",
    "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
"""What an answer of a model may be drawn with."""

NAMED = {
    "class", "href", "rel", "target", "title", "type", "aria-label", "tabindex", "start", "data-language", "data-copy",
    "id",
}  # fmt: skip
"""The attributes that its elements may have; every id is of our own making."""


@pytest.fixture
async def visit(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visit]:
    """An administrator of an office with texts everywhere."""
    async with office_at(tmp_path_factory.mktemp("bad")) as office:
        await plant(office, PAYLOADS)
        endpoint = office.house.models.url
        model = Model(name="zz", platform="openai", family="qwen_coder", endpoint=endpoint, identifier="z")
        await office.store.add_model(model, by="tests")
        for feature in ("chat", "code_completions"):
            chosen = FeatureSetting(feature=feature, assignment="model", model="zz")
            await office.store.set_feature(chosen, by="tests")
        async with visiting(browser, office, LOOKS[0]) as made:
            await made.sign_in()
            yield made


async def test_pages_and_answers_in_a_browser(visit: Visit) -> None:
    page = visit.page
    for path in PAGES:
        await visit.go(f"/console/{path}")
        assert not visit.odd, path
    # what a script draws as Markdown: conversations as they come back, and an answer as it comes
    turns = [{"role": ("user", "assistant")[number % 2], "content": each} for number, each in enumerate(PAYLOADS[:190])]
    await visit.go("/console/playground?feature=chat")
    visit.office.house.models.words = [f"{each}\n\n" for each in PAYLOADS]
    await page.evaluate(
        """(history) => {
            const { form } = document.querySelector("[name=history]");
            form.elements.history.value = history;
            form.elements.message.value = "and now?";
            HTMLFormElement.prototype.submit.call(form);
        }""",
        json.dumps(turns),
    )
    await expect(page.locator(".turn")).to_have_count(len(turns) + 2)
    await page.locator("#message").fill("more")
    await page.locator("#message").press("Enter")
    await expect(page.get_by_role("status").filter(has_text="Answered.")).to_be_visible()
    tags = await page.evaluate("[...document.querySelectorAll('.said *')].map((each) => each.localName)")
    assert set(tags) <= MADE
    named = await page.evaluate("[...document.querySelectorAll('.said *')].flatMap((each) => each.getAttributeNames())")
    assert set(named) <= NAMED
    ids = await page.evaluate("[...document.querySelectorAll('.said [id]')].map((each) => each.id)")
    assert not [each for each in ids if not re.fullmatch(r"[a-z]+-?[\w-]+", each)]
    assert not await page.locator(".said a[href^=javascript], .said a[href^=data]").count()
    await visit.go("/console/find")
    await page.get_by_role("searchbox").fill('"><img src=x onerror=alert(1)>')
    await expect(page.locator("#found")).to_contain_text("onerror")
