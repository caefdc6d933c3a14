"""What people do in the console, in a real browser: each flow in two looks, and all four looks by several."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from browsing import LOOKS, Look, button, field, furnish, heading, link, said, visiting
from house import PEPPER, eventually
from playwright.async_api import expect
from script import piece
from townsfolk import settle_in

from homeport.access import SCOPES, sessions, tokens
from homeport.cli._first_run import provision
from homeport.domain.models import Token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browsing import Visit
    from playwright.async_api import Browser
    from script import Peer

DAY, NIGHT = (LOOKS[0], LOOKS[3]), (LOOKS[1], LOOKS[2])
"""Light at a desk and dark on a phone; light on a phone and dark at a desk."""
CODER = "Qwen/Qwen2.5-Coder-7B"
PASSWORD = "correct horse battery"


def seen(looks: tuple[Look, ...]) -> Callable[[Any], Any]:
    """Run a test in each of these looks."""
    return pytest.mark.parametrize("look", looks, ids=[each.name for each in looks])


async def unfold(visit: Visit) -> None:
    """Open the menu, which is folded on a phone."""
    if visit.look.phone:
        await visit.page.locator(".unfold summary").click()


async def lists(peer: Peer) -> None:
    """Serve one model, below /v1."""
    if peer.target != "/v1/models":
        await peer.document({"detail": "Not Found"}, 404)
    await peer.document({"object": "list", "data": [{"id": CODER}]})


async def sign_in(visit: Visit, name: str, password: str) -> None:
    await field(visit, "Name").fill(name)
    await field(visit, "Password").fill(password)
    await button(visit, "Sign in").click()


@seen(DAY)
async def test_the_menu_is_folded_on_a_phone_alone(visit: Visit) -> None:
    page, phone = visit.page, visit.look.phone
    await visit.go("/console")
    way = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Tokens", exact=True)
    await expect(way).to_be_visible(visible=not phone)
    if phone:
        height = await page.locator(".side").evaluate("side => side.offsetHeight")
        assert height < 90
        await page.locator(".unfold summary").focus()
        await page.keyboard.press("Enter")
    await way.click()
    await heading(visit, "Tokens")
    await expect(way).to_be_visible(visible=not phone)


# an administrator sets everything up


@seen(DAY)
async def test_the_first_sign_in(stranger: Visit, tmp_path: Path) -> None:
    visit, page = stranger, stranger.page
    made = await provision(visit.office.store, tmp_path, visit.office.vault)
    await visit.go(f"/console/sign-in?code={made.code}")
    await button(visit, "Sign in").click()
    await heading(visit, "Overview")
    await expect(link(visit, "Add a model").first).to_be_visible()

    await unfold(visit)
    await page.get_by_role("link", name="admin", exact=True).click()
    await field(visit, "New password").fill(PASSWORD)
    await field(visit, "New password, once more").fill(PASSWORD)
    await button(visit, "Keep it").click()
    await expect(said(visit)).to_contain_text("The new password counts from now on")

    await unfold(visit)
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await heading(visit, "Sign in")
    await sign_in(visit, "admin", "correct horse bakery")
    await expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong")
    await sign_in(visit, "admin", PASSWORD)
    await heading(visit, "Overview")


@seen(NIGHT)
async def test_a_model_is_added_tested_and_serves(visit: Visit) -> None:
    visit.office.house.models.catalogue = lists
    page = visit.page
    await visit.go("/console")
    await link(visit, "Add a model").first.click()
    await heading(visit, "Add self-hosted model")
    await field(visit, "Deployment name").fill("coder")
    await field(visit, "Endpoint").fill(visit.office.house.models.url.removesuffix("/v1"))
    await button(visit, "Detect").click()
    await expect(page.locator("#help")).to_contain_text("the endpoint is set to that")
    await expect(page.locator("#help .note")).to_be_in_viewport()
    await expect(field(visit, "Model identifier")).to_have_value(CODER)
    await expect(field(visit, "Model family")).to_have_value("qwen_coder")
    await button(visit, "Test connection").click()
    await expect(page.locator("#help")).to_contain_text("It works.")
    await expect(page.locator("#help .steps li")).to_have_count(4)
    await expect(page.locator("#help h2")).to_be_in_viewport()
    await button(visit, "Add self-hosted model").click()
    await expect(said(visit)).to_contain_text("coder is registered")
    await expect(page.locator("#help .steps li")).to_have_count(4)
    await expect(page.locator("#help")).to_contain_text("It works.")

    await link(visit, "Choose which ones do").click()
    await heading(visit, "AI-powered features")
    for key, feature in (("code_completions", "Code completion"), ("chat", "General chat")):
        await field(visit, f"What serves {feature}").select_option("model:coder")
        await button(visit, f"Save {feature}").click()
        await expect(page.locator(f"#row-{key} .answering")).to_have_text("coder")
    await eventually(lambda: len(visit.office.house.app.door.bench.snapshot().features) == 2)
    await link(visit, "Try it: Code completion").click()
    await expect(page.locator(".lead")).to_have_text("Code completion, served by coder.")


# both are tried


@seen(DAY)
async def test_grey_text_is_accepted_and_dismissed(visit: Visit) -> None:
    await furnish(visit, "coder")
    await visit.go("/console/playground")
    editor, ghost = visit.page.locator(".cm-content"), visit.page.locator(".cm-ghost")
    await expect(editor).to_have_count(0)  # it is loaded when somebody reaches for it
    await visit.page.locator("textarea.code").focus()
    await expect(editor).to_be_focused()
    await editor.press("ControlOrMeta+End")
    await editor.press("Control+Space")
    await expect(ghost).to_have_text("one + two")
    await expect(visit.page.locator(".result")).to_contain_text(re.compile(r"coder.*first after \d+ ms.*3 tokens"))
    await editor.press("Tab")
    await expect(ghost).to_have_count(0)
    await expect(editor).to_contain_text("return one + two")

    await editor.press("Control+Space")
    await expect(ghost).to_be_visible()
    await editor.press("Escape")
    await expect(ghost).to_have_count(0)
    await expect(visit.page.get_by_role("status").filter(has_text="Dismissed.")).to_be_visible()
    assert (await editor.inner_text()).count("one + two") == 1


@seen(NIGHT)
async def test_chat_streams_and_is_stopped(visit: Visit) -> None:
    async def begins_and_hangs(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "Begun, **and"))
        await peer.hang()

    await furnish(visit, "coder")
    models = visit.office.house.models
    models.words = ["Use `sum`:\n\n", "```python\nsum(", "numbers)\n```\n"]
    await visit.go("/console/playground?feature=chat")
    await field(visit, "Message").fill("How are numbers added?")
    await field(visit, "Message").press("Enter")
    answers = visit.page.locator(".turn.assistant")
    await expect(answers.locator("pre code")).to_have_text("sum(numbers)\n")
    await expect(answers.get_by_role("button", name="Copy the answer")).to_be_visible()

    models.play = begins_and_hangs
    await field(visit, "Message").fill("And more?")
    await button(visit, "Send").click()
    await expect(answers.nth(1)).to_contain_text("Begun, **and")
    await button(visit, "Stop").click()
    await expect(visit.page.get_by_role("status").filter(has_text="Stopped.")).to_be_visible()
    await expect(answers).to_have_count(2)
    heard = [each for each in models.heard if each.method == "POST"]
    await eventually(heard[-1].closed.is_set)


# others come


@seen(DAY)
async def test_a_token_is_seen_once(visit: Visit) -> None:
    await visit.go("/console/tokens?new")
    await field(visit, "Name").fill("my editor")
    await button(visit, "Make it").dblclick()
    shown = visit.page.locator("#token")
    await expect(shown).to_have_text(re.compile(r"^hp_\w{20,}$"))
    token = await shown.inner_text()
    assert (await visit.office.house.get("/v1/models", token)).status in {200, 401}
    await link(visit, "Back to the tokens").click()
    await heading(visit, "Tokens")
    # two clicks made one
    await expect(visit.page.get_by_role("rowheader")).to_have_count(1)
    assert token not in await visit.page.content()
    assert [each.name for each in await visit.office.store.tokens()] == ["my editor"]


@seen(NIGHT)
async def test_the_first_requests_arrive(visit: Visit) -> None:
    await furnish(visit, "coder")
    await visit.go("/console/requests")
    await expect(visit.page.locator(".empty")).to_contain_text("Nobody asked for anything yet")
    token = tokens.mint()
    row = Token(name="t", owner="uma", digest=tokens.digest(PEPPER, token), hint="abcd", scopes=frozenset(SCOPES))
    await visit.office.store.add_token(row, by="tests")
    asks = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
    assert (await visit.office.house.post("/v1/chat/completions", asks, token)).status == 200
    await visit.office.written()
    await visit.page.reload()
    await expect(visit.page.locator("tbody tr")).to_have_count(1)
    await expect(visit.page.locator("tbody tr")).to_contain_text(re.compile("uma.*coder", re.DOTALL))
    await visit.page.locator("tbody tr a").first.click()
    await expect(visit.page.locator("main")).to_contain_text("coder")
    await visit.go("/console")
    await expect(visit.page.locator("main")).to_contain_text("1 in the last hour, 0 of them failed")


INKED = """figure => {
  const canvas = figure.querySelector("canvas"), wanted = getComputedStyle(document.documentElement);
  const shade = [...figure.querySelectorAll("details th[data-shade]")].at(-1).dataset.shade;
  const probe = Object.assign(document.createElement("i"), { style: `color: var(--${shade})` });
  document.body.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4)
    if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) found += 1;
  return found;
}"""
"""How many pixels of a chart have the colour of its last line, which is drawn over the others."""


DRAWN = """const times = new Map(), clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...area) {
  times.set(this.canvas, (times.get(this.canvas) ?? 0) + 1);
  window.drawn = [...times.values()];
  clear.apply(this, area);
};"""
"""Counts how often each chart is drawn, which begins with clearing it."""


async def test_a_value_between_gaps_is_seen(visit: Visit) -> None:
    await settle_in(visit.office)
    await visit.go("/console")
    waits = visit.page.locator("figure[data-chart]", has_text="Time to the first token")
    await expect(waits.locator("canvas")).to_be_visible()
    await expect(waits.locator("canvas")).to_have_count(1)
    assert await waits.evaluate(INKED) > 0


async def test_links_and_forms_leave_the_scripts_where_they_are(visit: Visit) -> None:
    page = visit.page
    await settle_in(visit.office)
    await visit.go("/console/people")
    await page.evaluate("window.same = true")
    await page.locator('nav a[href="/console/audit"]').click()
    await heading(visit, "Audit")
    await page.get_by_role("searchbox").fill("qwen")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("find=qwen"))
    await page.locator('nav a[href="/console/teams"]').click()
    await link(visit, "Make a team").click()
    await page.locator("#team").fill("Search")
    await page.keyboard.press("Enter")
    await expect(said(visit)).to_contain_text("Search is there")
    assert await page.evaluate("window.same")


async def test_charts_are_drawn_once_and_again_in_another_size(visit: Visit) -> None:
    await settle_in(visit.office)
    await visit.page.add_init_script(DRAWN)
    await visit.go("/console")
    first = visit.page.locator(".plot canvas").first
    await expect(visit.page.locator(".plot canvas")).to_have_count(2)
    await visit.page.wait_for_load_state("networkidle")
    assert await visit.page.evaluate("window.drawn") == [1, 1]
    wide = await first.evaluate("each => each.clientWidth")
    await visit.page.set_viewport_size({"width": 700, "height": 900})
    await expect(first).not_to_have_js_property("clientWidth", wide)


@seen(DAY)
async def test_a_colleague_is_invited(visit: Visit, browser: Browser) -> None:
    await visit.go("/console/people?new")
    await visit.page.locator("form.stack").get_by_label("Name", exact=True).fill("bea")
    await button(visit, "Add them and make a link").click()
    way = await visit.page.locator("#link").inner_text()
    async with visiting(browser, visit.office, visit.look) as other:
        await other.page.goto(way)
        await button(other, "Sign in").click()
        await heading(other, "Overview")
        await expect(other.page.locator('nav a[href="/console/settings"]')).to_have_count(0)
        await other.go("/console/account")
        await expect(other.page.locator(".lead")).to_contain_text("Signed in as bea, a user")
        await other.page.goto(way)
        await button(other, "Sign in").click()
        await expect(other.page.get_by_role("alert")).to_contain_text("This link was used already")


# features


@seen(NIGHT)
async def test_a_feature_gets_a_fallback(visit: Visit) -> None:
    await furnish(visit, "coder", "spare")
    await visit.go("/console/features")
    await link(visit, "General chat").first.click()
    panel = visit.page.get_by_role("dialog", name="General chat")
    await expect(panel.locator(".lead")).to_have_text("coder answers.")
    await panel.get_by_label("Fallback 1", exact=True).select_option("spare")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel).to_have_count(0)
    await expect(visit.page.locator("#row-chat")).to_contain_text("General chat is set otherwise now.")
    assert (await visit.office.store.features())["chat"].fallbacks == ("spare",)
    await visit.page.locator("#row-chat").get_by_role("button", name="Undo").click()
    await expect(visit.page.locator("#row-chat")).not_to_contain_text("1 fallback")
    await expect(visit.page.locator("#undo")).to_be_focused()
    assert (await visit.office.store.features())["chat"].fallbacks == ()


@seen(DAY)
async def test_the_audit_is_filtered(visit: Visit) -> None:
    await furnish(visit, "coder")
    await visit.go("/console/audit")
    rows = visit.page.locator("tbody tr")
    await field(visit, "Kind").select_option("model")
    await button(visit, "Show").click()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("added model coder")
    await field(visit, "Who, exactly").fill("nobody")
    await button(visit, "Show").click()
    await expect(visit.page.locator(".empty")).to_be_visible()
    assert "who=nobody" in visit.page.url


@seen(NIGHT)
async def test_the_palette_with_the_keyboard(visit: Visit) -> None:
    page = visit.page
    await visit.go("/console")
    await page.keyboard.press("ControlOrMeta+k")
    line = page.get_by_role("dialog").get_by_role("searchbox")
    await expect(line).to_be_focused()
    await page.keyboard.type("audit")
    await expect(page.locator("dialog #found a")).to_have_count(1)
    await page.keyboard.press("Enter")
    await heading(visit, "Audit")
    await page.keyboard.press("ControlOrMeta+k")
    await expect(line).to_be_focused()
    await expect(page.locator("dialog #found a").nth(1)).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("dialog #found a").nth(1)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("ControlOrMeta+k")
    await expect(line).to_be_focused()
    await line.fill("ada")
    await expect(page.locator("dialog #found a").last).to_have_attribute("href", "/console/people?name=ada")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Ctrl")


# what goes wrong


@seen(DAY)
async def test_the_second_of_two_editors_is_told(visit: Visit, browser: Browser) -> None:
    await furnish(visit, "coder")
    await visit.go("/console/models/coder")
    async with visiting(browser, visit.office, visit.look) as other:
        await other.sign_in("bea")
        await other.go("/console/models/coder")
        await field(other, "Model identifier").fill("theirs")
        await button(other, "Save").click()
        await expect(said(other)).to_contain_text("coder is saved")
    await field(visit, "Model identifier").fill("mine")
    await button(visit, "Save").click()
    await expect(visit.page.get_by_role("alert").first).to_contain_text("Somebody changed this model while you did.")
    await expect(field(visit, "Model identifier")).to_have_value("mine")
    assert (await visit.office.store.model("coder")).identifier == "theirs"


@seen(NIGHT)
async def test_nothing_is_lost_when_a_session_ends_in_between(visit: Visit) -> None:
    await visit.go("/console/models/new")
    await field(visit, "Deployment name").fill("coder")
    await field(visit, "Endpoint").fill(visit.office.house.models.url)
    await field(visit, "Model identifier").fill(CODER)
    await field(visit, "API key").fill("sk-typed-once")
    await visit.office.store.end_sessions("ada", by="tests")
    await button(visit, "Add self-hosted model").click()
    await heading(visit, "Your session has ended")
    assert "sk-typed-once" not in await visit.page.content()

    value = sessions.mint()
    digest = sessions.digest(visit.office.vault.derive(sessions.PEPPER), value)
    await visit.office.store.begin_session(digest, "ada", sessions.LONGEST)
    await visit.context.add_cookies([{"name": "homeport", "value": value, "url": visit.at}])
    await button(visit, "Then go back to the form").click()
    await heading(visit, "Add self-hosted model")
    await expect(said(visit)).to_contain_text("Look at it and send it again")
    await expect(field(visit, "Deployment name")).to_have_value("coder")
    await expect(field(visit, "Model identifier")).to_have_value(CODER)
    assert not await visit.office.store.models()
    await button(visit, "Add self-hosted model").click()
    await expect(said(visit)).to_contain_text("coder is registered")


@seen(DAY)
async def test_what_is_sent_twice_happens_once(visit: Visit) -> None:
    await visit.go("/console/models/new")
    await field(visit, "Deployment name").fill("coder")
    await field(visit, "Endpoint").fill(visit.office.house.models.url)
    await field(visit, "Model identifier").fill(CODER)
    await button(visit, "Add self-hosted model").dblclick()
    await expect(said(visit)).to_contain_text("coder is registered")
    assert len(await visit.office.store.models()) == 1


# what an administrator does besides, in one visit


async def test_models_and_features_are_kept_in_order(visit: Visit) -> None:
    visit.agrees = True
    await furnish(visit, "coder", "spare")
    store, page = visit.office.store, visit.page
    await visit.go("/console/models/spare")
    await button(visit, "Disable").click()
    await expect(said(visit)).to_have_text("spare serves nobody until you enable it.")
    await eventually(lambda: not visit.office.house.app.door.bench.snapshot().models["spare"].enabled)
    await page.reload()
    await button(visit, "Undo: enable it again spare").click()
    await expect(said(visit)).to_have_text("spare may serve again.")
    assert (await store.model("spare")).enabled

    await visit.go("/console/models/spare")
    await link(visit, "Duplicate").click()
    await heading(visit, "Add self-hosted model")
    await expect(field(visit, "Model identifier")).to_have_value("served-spare")

    await visit.go("/console/features")
    await field(visit, "What shall serve all of Merge requests").select_option("model:spare")
    await page.locator("#save-all-merge-requests").click()
    await expect(page.locator("#row-code_review .answering")).to_have_text("spare")
    changed = await store.features()
    assert {name: each.model for name, each in changed.items() if each.model == "spare"}.keys() >= {"code_review"}
    assert changed["chat"].model == "coder"

    # deleted while it is in use: another one takes its place, and all of it is undone
    await visit.go("/console/models/coder")
    await link(visit, "Delete …").click()
    await heading(visit, "Delete coder?")
    await expect(page.locator(".note.warn li")).to_contain_text(["General chat", "Code completion"])
    await field(visit, "Who shall serve them instead?").select_option("spare")
    await button(visit, "Reassign and delete").click()
    await expect(said(visit)).to_have_text("coder is deleted. For an hour you can bring it back.")
    assert {name: each.model for name, each in (await store.features()).items()}["chat"] == "spare"
    await button(visit, "Undo: bring it back coder").click()
    await expect(said(visit)).to_have_text("coder is back as it was.")
    assert (await store.features())["chat"].model == "coder"


async def test_settings_keys_and_the_verbose_banner(visit: Visit) -> None:
    page, vault = visit.page, visit.office.vault
    await furnish(visit, "coder")
    await visit.go("/console/settings")
    async with page.expect_download() as loading:
        await link(visit, "Download the configuration").click()
    assert (await loading.value).suggested_filename == "configuration.toml"
    await link(visit, "Make a new root key").click()
    await heading(visit, "Make a new root key?")
    assert len(vault.key_ids) == 1
    await button(visit, "Make it").click()
    await expect(said(visit)).to_contain_text("A new root key seals every API key now.")
    assert len(vault.key_ids) == 2

    banner = page.get_by_role("status").filter(has_text="Verbose logging is on until")
    await visit.go("/console/verbose")
    await button(visit, "Switch it on").click()
    await expect(banner).to_be_visible()
    await visit.go("/console/models")
    await expect(banner).to_be_visible()
    await banner.get_by_role("link", name="More").click()
    await button(visit, "Switch it off now").click()
    await expect(page.get_by_role("heading", name="Off", exact=True)).to_be_visible()
    await expect(banner).to_have_count(0)


async def test_everything_is_set_up_without_a_script(visit: Visit, browser: Browser) -> None:
    visit.office.house.models.catalogue = lists
    context = await browser.new_context(java_script_enabled=False)
    try:
        page = await context.new_page()
        await context.add_cookies([{"name": "homeport", "value": visit.office.cookie, "url": visit.at}])
        await page.goto(f"{visit.at}/console/people?new")
        await page.locator("form.stack").get_by_label("Name", exact=True).fill("bea")
        await page.locator("form.stack").get_by_label("Role", exact=True).select_option("admin")
        await page.get_by_role("button", name="Add them and make a link").click()
        way = await page.locator("#link").inner_text()
        await context.clear_cookies()
        await page.goto(way)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        await page.goto(f"{visit.at}/console/models/new")
        name = page.get_by_label("Deployment name", exact=True)
        await name.fill("my coder")
        await page.get_by_label("Endpoint", exact=True).fill(visit.office.house.models.url)
        await page.get_by_role("button", name="Detect", exact=True).click()
        await expect(page.get_by_label("Model identifier", exact=True)).to_have_value(CODER)
        # the session ends in between: everything comes back after a sign-in in another tab
        await visit.office.store.end_sessions("bea", by="tests")
        await page.get_by_role("button", name="Add self-hosted model", exact=True).click()
        await expect(page.get_by_role("heading", name="Your session has ended", level=1)).to_be_visible()
        await visit.sign_in()
        await context.add_cookies([{"name": "homeport", "value": visit.office.cookie, "url": visit.at}])
        await page.get_by_role("button", name="Then go back to the form").click()
        await expect(page.get_by_label("Model identifier", exact=True)).to_have_value(CODER)
        await expect(name).to_have_value("my coder")
        await page.get_by_role("button", name="Add self-hosted model", exact=True).click()
        await expect(name).to_be_focused()
        await expect(name).to_have_accessible_description(re.compile("Write it like my-coder"))
        await name.fill("coder")
        await page.get_by_role("button", name="Add self-hosted model", exact=True).click()
        await expect(page.locator("main .note").first).to_contain_text("coder is registered")
        await page.goto(f"{visit.at}/console/features")
        await page.get_by_label("What serves General chat", exact=True).select_option("model:coder")
        await page.get_by_role("button", name="Save General chat", exact=True).click()
        await expect(page.locator("#row-chat .answering")).to_have_text("coder")
        assert (await visit.office.store.features())["chat"].model == "coder"
    finally:
        await context.close()
