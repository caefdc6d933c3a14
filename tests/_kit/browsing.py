"""A real browser in front of the console: Debian's Chromium, driven from the tests' own event loop."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from playwright.async_api import async_playwright, expect

from homeport.domain.models import FeatureSetting, Model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from offices import Office
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request

CHROMIUM = (
    os.environ.get("HOMEPORT_TEST_CHROMIUM")
    or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    or ""
)
MISSING = "" if CHROMIUM else "needs Chromium (Debian: apt-get install chromium), or HOMEPORT_TEST_CHROMIUM=/path/to/it"
PATIENCE_MS = 20_000
"""How long a page may take where this machine is busy; a quiet one waits for none of it."""
expect.set_options(timeout=PATIENCE_MS)


class Look(NamedTuple):
    """How somebody looks at a page."""

    theme: str
    width: int

    @property
    def name(self) -> str:
        """What it is called in the name of a test."""
        return f"{self.theme} {'phone' if self.phone else 'desktop'}"

    @property
    def phone(self) -> bool:
        """Whether there is room for a phone's page only."""
        return self.width < 600


THEMES, WIDTHS = ("light", "dark"), (1280, 360)
LOOKS = tuple(Look(theme, width) for theme in THEMES for width in WIDTHS)


class Visit:
    """Somebody's browser at a console, which notes what no page may do."""

    def __init__(self, office: Office, context: BrowserContext, page: Page, look: Look) -> None:
        self.office = office
        self.context = context
        self.page = page
        self.look = look
        self.at = f"http://127.0.0.1:{office.house.port}"
        self.odd: list[str] = []
        """Errors of scripts, breaches of the policy, dialogs, requests to elsewhere."""
        self.agrees = False
        """Whether it says yes to a question of the page, which is odd otherwise."""
        self.declines = False
        """Whether it says no to one, and notes the question."""
        self.questions: list[str] = []

    def watch(self) -> None:
        """Note what is odd from now on, on every page of this browser."""
        for page in self.context.pages:
            self._watch(page)
        self.context.on("page", self._watch)
        self.context.on("request", self._requested)

    def _watch(self, page: Page) -> None:
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.odd.append(f"error: {error}"))
        page.on("dialog", self._asked)

    def _told(self, message: ConsoleMessage) -> None:
        # an answer that is an error is one that a test asked for
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.odd.append(f"console: {message.text}")

    async def _asked(self, dialog: Dialog) -> None:
        if self.declines:
            self.questions.append(dialog.message)
            await dialog.dismiss()
            return
        if not self.agrees:
            self.odd.append(f"{dialog.type}: {dialog.message}")
        await dialog.accept()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((f"{self.at}/", "data:image/svg+xml,")):
            self.odd.append(f"elsewhere: {request.url}")

    async def sign_in(self, name: str = "ada", role: str = "admin") -> None:
        """Be somebody of this role, as after a sign-in."""
        await self.office.sign_in(name, role)
        await self.keep_cookie()

    async def keep_cookie(self) -> None:
        """Be who signed in last."""
        await self.context.add_cookies([{"name": "homeport", "value": self.office.cookie, "url": self.at}])

    async def go(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(self.at + path)

    async def shown(self, look: Look) -> None:
        """Look at the same page in another way."""
        self.look = look
        await self.page.emulate_media(color_scheme="dark" if look.theme == "dark" else "light")
        await self.page.set_viewport_size({"width": look.width, "height": 900})


@contextlib.asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser that runs until the block ends."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def visiting(browser: Browser, office: Office, look: Look = LOOKS[0]) -> AsyncIterator[Visit]:
    """Somebody's visit; nothing odd may have been seen at its end."""
    size = {"width": look.width, "height": 900}
    context = await browser.new_context(color_scheme=look.theme, viewport=size, reduced_motion="reduce")  # type: ignore[arg-type]  # words
    context.set_default_timeout(PATIENCE_MS)
    visit = Visit(office, context, await context.new_page(), look)
    visit.watch()
    try:
        yield visit
        assert not visit.odd, visit.odd
    finally:
        await context.close()


async def furnish(visit: Visit, *names: str) -> None:
    """Models that the scripted server serves; the first one completes code and chats."""
    store, first = visit.office.store, names[0]
    for name in names:
        endpoint = visit.office.house.models.url
        model = Model(name=name, platform="openai", family="qwen_coder", endpoint=endpoint, identifier=f"served-{name}")
        await store.add_model(model, by="tests")
    for feature in ("code_completions", "chat"):
        await store.set_feature(FeatureSetting(feature=feature, assignment="model", model=first), by="tests")


def button(visit: Visit, name: str) -> Locator:
    """A button of the page itself."""
    return visit.page.locator("main").get_by_role("button", name=name, exact=True)


def link(visit: Visit, name: str) -> Locator:
    """A link of the page itself."""
    return visit.page.locator("main").get_by_role("link", name=name, exact=True)


def field(visit: Visit, label: str) -> Locator:
    """A control by its label."""
    return visit.page.locator("main").get_by_label(label, exact=True)


def said(visit: Visit) -> Locator:
    """What the page says came of a form."""
    return visit.page.locator("main .note").first


async def heading(visit: Visit, name: str) -> None:
    """Wait for a page."""
    await expect(visit.page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
