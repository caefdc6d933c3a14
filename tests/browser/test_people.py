"""How people come in and what they set up, in a real browser: by an invitation, in a team, with an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browsing import LOOKS, button, field, heading, link, said, visiting
from playwright.async_api import expect

from homeport.store.records import User

if TYPE_CHECKING:
    from browsing import Visit
    from playwright.async_api import Browser

PASSWORD = "correct horse battery"


async def test_somebody_joins_a_team_by_a_link_and_connects_an_editor(visit: Visit, browser: Browser) -> None:
    visit.agrees = True
    await visit.office.store.add_user(User(name="bea"), by="tests")
    await visit.go("/console/teams")
    await link(visit, "Make the first").click()
    await field(visit, "Name").first.fill("Payments")
    await button(visit, "Make it").click()
    await expect(said(visit)).to_have_text("Payments is there: let people in.")
    await field(visit, "Let people in").fill("bea, nobody")
    await button(visit, "Let them in").click()
    # nobody is let in, and what was typed is marked with what was wrong with it
    people = field(visit, "Let people in")
    await expect(people).to_be_focused()
    await expect(people).to_have_value("bea, nobody")
    await expect(people).to_have_accessible_description(
        "There is no user named 'nobody'. Add them first. Names, one a line or separated by commas."
    )
    await people.fill("bea")
    await button(visit, "Let them in").click()
    await expect(said(visit)).to_have_text("Whoever you named is in Payments now.")

    await visit.go("/console/invitations?new")
    await field(visit, "Whom it is for").fill("Gina, from Monday")
    await field(visit, "Team").select_option("Payments")
    await button(visit, "Make the link").click()
    way = await visit.page.locator("#link").inner_text()
    async with visiting(browser, visit.office, LOOKS[3]) as gina:
        await gina.page.goto(way)
        await joins(gina)
        await connects(gina)

    await visit.go("/console/teams?name=Payments")
    await expect(visit.page.get_by_role("rowheader", name="gina", exact=True)).to_be_visible()
    await button(visit, "Take out bea, of Payments").click()
    await expect(said(visit)).to_have_text("They are no longer in Payments.")
    assert (await visit.office.store.team("Payments")).members == ("gina",)
    await button(visit, "Delete the team").click()
    await expect(said(visit)).to_have_text("The team Payments is gone; its members stay.")
    await button(visit, "Bring back Payments").click()
    await expect(said(visit)).to_contain_text("The team Payments is back")
    assert (await visit.office.store.team("Payments")).members == ("gina",)


async def joins(gina: Visit) -> None:
    """From the link to the first page; what is wrong with a name is said at it."""
    await expect(gina.page.locator("main")).to_contain_text("ada invited you in the team Payments.")
    for name in ("gi  na", "gina "):
        await field(gina, "Name").fill(name)
        await field(gina, "Password").fill(PASSWORD)
        await field(gina, "Password, once more").fill(PASSWORD)
        await button(gina, "Join").click()
        if name == "gi  na":
            await expect(gina.page.get_by_role("alert")).to_contain_text("Write it like gi na")
            await expect(field(gina, "Name")).to_be_focused()
    await heading(gina, "Overview")
    await expect(said(gina)).to_have_text("Welcome. From now on you sign in as gina.")


async def connects(gina: Visit) -> None:
    """A token, in the set-up of an editor, in the clipboard."""
    await gina.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=gina.at)
    await gina.go("/console/connect")
    await link(gina, "Make a token and fill it in").click()
    await field(gina, "Name").fill("my editor")
    await button(gina, "Make it").click()
    token = await gina.page.locator("#token").inner_text()
    setup = gina.page.locator("#client-cline")
    await setup.locator("summary").click()
    await setup.get_by_role("button", name="Copy").click()
    await expect(setup.get_by_role("button", name="Copied")).to_be_visible()
    copied = await gina.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"Base URL  {gina.at}/v1\nAPI key   {token}\nModel ID  chat"
    (kept,) = await gina.office.store.tokens()
    assert (kept.owner, kept.name, token.endswith(kept.hint)) == ("gina", "my editor", True)
