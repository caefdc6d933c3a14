"""An office in full use: models, features, people, teams, tokens, invitations, requests, all with the same words."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from homeport import console
from homeport.access import sessions, tokens
from homeport.console import Page
from homeport.domain.capabilities import Capabilities
from homeport.domain.entries import Content, Entry, Exchange, Offered, Phases, Traits
from homeport.domain.models import FeatureSetting, Model, Token
from homeport.kit.discover import discover
from homeport.store.records import Invitation, Team, User

if TYPE_CHECKING:
    from offices import Office

PEOPLE = ("bea", "carlos.mendes@example.com", "dewi", "emre", "fatou")
SHOWN = "20261127-5f2a9c41"
"""The id of a request that is in the log with everything that was said."""
INVITED = "a-link-of-an-invitation"
TAILS = {"feature": "chat", "model": "qwen-coder", "request": SHOWN}
"""What stands for the last part of the address of pages that show one of several things."""
MORE = {
    "people": ("?new", "?name=bea"),
    "invitations": ("?new",),
    "tokens": ("?new", "?revoke=my+editor"),
    "teams": ("?new", "?name=Payments"),
    "model": ("?delete",),
    "settings": ("?rotate",),
    "playground": ("?feature=chat", "?feature=merge_commit_message"),
    "join": (f"?code={INVITED}",),
    "sign_in": ("?code=x",),
    "audit": ("?find=nothing-is-called-so",),
    "find": ("?q=chat",),
    "usage": ("?by=who",),
}
"""Other states of pages, by the page."""


def addresses() -> dict[str, Page]:
    """Every page in every state, with an address that shows something, and the page."""
    found: dict[str, Page] = {}
    for name, page in discover(console, Page).items():
        stem, brace, _ = page.path.partition("{")
        plain = stem + TAILS[name] if brace else page.path
        found |= {plain + query: page for query in ("", *MORE.get(name, ()))}
    return found


class Served(NamedTuple):
    """A model as it is registered."""

    name: str
    family: str
    platform: str
    identifier: str


MODELS = (
    Served("qwen-coder", "qwen_coder", "openai", "Qwen/Qwen2.5-Coder-7B"),
    Served("devstral", "mistral", "openai", "mistralai/Devstral-Small-2507"),
    Served("codestral", "codestral", "openai", "mistralai/Codestral-22B-v0.1"),
)


async def settle_in(office: Office) -> None:
    """Everything that pages show, so that none is empty; the same each time but for the hour."""
    await _models(office)
    await _people(office)
    await _requests(office)
    await office.request_log.settle()


async def _models(office: Office) -> None:
    store = office.store
    for each in MODELS:
        model = Model(endpoint=office.house.models.url, **each._asdict())
        await store.add_model(model, by="ada")
    holes = {"qwen_coder": 0.9, "codestral": 0.6, "prefix": 0.2}
    seen = Capabilities(
        context_tokens=32_768, chat=True, text=True, streams=True, tools=True, thinks=False, first_token_s=0.18,
        holes=holes,
    )  # fmt: skip
    await store.measured("qwen-coder", seen, by="ada")
    await store.edit_model("codestral", {"enabled": False}, by="bea")
    for feature in ("code_completions", "code_generations"):
        await store.set_feature(FeatureSetting(feature=feature, assignment="model", model="qwen-coder"), by="ada")
    chat = FeatureSetting(feature="chat", assignment="model", model="devstral", fallbacks=("qwen-coder",))
    await store.set_feature(chat, by="ada")


async def _people(office: Office) -> None:
    store, now = office.store, datetime.now(UTC)
    for name in PEOPLE:
        role = "auditor" if name == "dewi" else "user"
        await store.set_user(User(name=name, role=role, disabled=name == "emre"), by="ada")
    await store.add_team(Team(name="Payments", members=("bea", "dewi")), by="ada")
    for name, owner, days in (("my editor", "bea", 90), ("nightly build", "ci", None), ("old laptop", "dewi", 3)):
        made = tokens.mint()
        token = Token(
            name=name, owner=owner, digest=tokens.digest(b"p" * 32, made), hint=tokens.hint(made),
            scopes=frozenset({"complete_code", "duo_chat"}), created=now, expires=days and now + timedelta(days=days),
        )  # fmt: skip
        await store.add_token(token, by="ada")
    week = timedelta(days=7)
    invited = Invitation(id="", team="Payments", note="Gina, from Monday", created=now, expires=now + week)
    await store.invite(sessions.digest(office.vault.derive(sessions.PEPPER), INVITED), invited, week, by="ada")


async def _requests(office: Office) -> None:
    dice, now = random.Random(7), time.time()  # noqa: S311 (a picture, no secret)
    for number in reversed(range(60)):
        failed = number % 20 == 5
        first = dice.uniform(0.08, 0.4)
        code = number % 3 > 0
        traits = Traits(
            who=PEOPLE[number % 3], client="VS Code", protocol="openai_chat",
            feature="code_completions" if code else "chat", model="qwen-coder" if code else "devstral",
            platform="openai", family="qwen_coder" if code else "mistral", language="python" if code else "",
            status=502 if failed else 200, outcome="rejected" if failed else "completed",
            error_code="upstream_timeout" if failed else "",
            error="devstral did not begin to answer within 30 s." if failed else "",
        )  # fmt: skip
        took, at = int(first * 2.5e6), now - number * 1_200 * dice.uniform(0.5, 1)
        phases = Phases(took=took, admitted=400, asked=2_000, first=int(first * 1e6), told=took - 900)
        offered = (Offered("qwen-coder", "python", 9, 4),) if code else ()
        content = Content("/v1/completions", '{"prompt": "def add("}', "a, b)", (Exchange("qwen-coder", "def add("),))
        entry = Entry(
            at, SHOWN if number == 0 else f"20261127-{number:08x}", traits, phases, 180 + number, 24, 900, 400,
            offered=offered, content=content if number == 0 else None,
        )  # fmt: skip
        office.request_log.enter(entry)
