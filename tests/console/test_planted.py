"""Two hundred texts in every field: pages are made of what they are made of with plain words, and say the texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from offices import office_at
from payloads import PAYLOADS
from planted import plant, skeleton

from homeport.domain.models import FeatureSetting, Model
from homeport.store.log_search import Sought

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from offices import Office, Shown
    from script import Peer

SAID = ("who", "client", "protocol", "feature", "model", "platform", "family", "language", "error_code", "error")
"""Traits of a request that are texts of somebody else's."""
IN_ADDRESS, IN_FORM = 70, 70
"""Texts at once."""
PLAIN = tuple(f"plain-{number:03d}" for number in range(12))
PAGER = {("nav", "aria-label", "class"), ("a", "class", "href"), ("span", "class"), ("option", "value")}
"""What long lists have beside."""
LEADS = re.compile(r"(/(?![/\\])|\?|#|data:image/svg\+xml,)")
LISTS = (
    "/console",
    "/console/models",
    "/console/models?page=2",
    "/console/models?page=3",
    "/console/people",
    "/console/teams",
    "/console/people?page=2",
    "/console/people?page=3",
    "/console/tokens",
    "/console/tokens?page=2",
    "/console/tokens?page=3",
    "/console/invitations",
    "/console/requests",
    "/console/usage?by=who",
    "/console/usage?by=model",
    "/console/usage?by=error_code",
    "/console/audit",
    "/console/audit?page=2",
    "/console/audit?page=4",
    "/console/features",
    "/console/find",
)
ABOUT = (
    "/console?said=added&about=",
    "/console/models?q=",
    "/console/people?find=",
    "/console/teams?find=",
    "/console/tokens?find=",
    "/console/audit?find=",
    "/console/audit?who=",
    "/console/requests?find=",
    "/console/requests?who=",
    "/console/find?q=",
    "/console/people?name=",
    "/console/teams?name=",
    "/console/tokens?revoke=",
    "/console/models/new?like=",
    "/console/playground?feature=",
    "/console/models/",
    "/console/features/",
    "/console/requests/",
    "/console/nothing/",
    "/console/join?code=",
    "/console/usage?by=",
)
"""Addresses that take a text, which the page shows or not."""


@pytest.fixture(scope="module")
async def towns(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Office, Office]]:
    """An office with texts everywhere, and one with a few plain words in the same places."""
    async with office_at(tmp_path_factory.mktemp("bad")) as bad, office_at(tmp_path_factory.mktemp("plain")) as plain:
        await plant(bad, PAYLOADS)
        await plant(plain, PLAIN)
        for office in (bad, plain):
            endpoint = office.house.models.url
            model = Model(name="zz", platform="openai", family="qwen_coder", endpoint=endpoint, identifier="z")
            await office.store.add_model(model, by="tests")
            for feature in ("chat", "code_completions"):
                chosen = FeatureSetting(feature=feature, assignment="model", model="zz")
                await office.store.set_feature(chosen, by="tests")
            await office.sign_in()
        yield bad, plain


def alike(bad: Shown, plain: Shown) -> None:
    """A page has no element with attributes that it would not have with plain words, and leads nowhere else."""
    assert bad.status == plain.status
    ours = skeleton(bad.body)
    assert not set(ours.made) - set(skeleton(plain.body).made) - PAGER
    assert not [each for each in ours.leads if each and not LEADS.match(each)]


async def in_fields(office: Office) -> dict[str, set[str]]:
    """What is in each field that somebody may fill, and that pages show."""
    store, log = office.store, office.request_log
    kinds: dict[str, tuple[Any, tuple[str, ...]]] = {
        "model": (await store.models(), ("name", "identifier", "endpoint")),
        "person": (await store.users(), ("name", "display", "email", "external_id")),
        "team": (await store.teams(), ("name", "external_id")),
        "token": (await store.tokens(), ("name", "owner")),
        "invitation": (await store.invitations(), ("note",)),
    }
    found = {
        f"{kind}'s {name}": {getattr(each, name).removeprefix("http://127.0.0.1:9/") for each in every}
        for kind, (every, names) in kinds.items()
        for name in names
    }
    rows = await log.search(Sought(), len(PAYLOADS) + 10)
    for name in SAID:
        found[f"request's {name}"] = {getattr(each.traits, name) for each in rows}
    contents = [content for each in rows if (content := await log.content(each.row))]
    for name in ("body", "answer"):
        found[f"request's {name}"] = {getattr(each, name) for each in contents}
    for name in ("model", "prompt", "answer"):
        found[f"exchange's {name}"] = {getattr(each.exchanges[0], name) for each in contents}
    return found


async def test_two_hundred_texts_are_in_twenty_five_fields(towns: tuple[Office, Office]) -> None:
    found = {name: len(texts & set(PAYLOADS)) for name, texts in (await in_fields(towns[0])).items()}
    # an address of a server takes no spaces
    assert found.pop("model's endpoint") > 60
    assert len(found) >= 25
    assert {name: count for name, count in found.items() if count < 200} == {}


@pytest.mark.parametrize("path", LISTS)
async def test_lists(towns: tuple[Office, Office], path: str) -> None:
    bad, plain = await towns[0].get(path), await towns[1].get(path.replace("page=", "no="))
    alike(bad, plain)


@pytest.mark.parametrize("path", ["models", "people", "tokens", "requests", "teams", "invitations"])
async def test_texts_are_said_as_they_are(towns: tuple[Office, Office], path: str) -> None:
    said: set[str] = set()
    for number in range(1, 6):
        said |= set(skeleton((await towns[0].get(f"/console/{path}?page={number}")).body).said)
    assert len(said & set(PAYLOADS)) > 90


@pytest.mark.parametrize("about", ABOUT)
async def test_addresses(towns: tuple[Office, Office], about: str) -> None:
    plain = await towns[0].get(about + quote("plain words " * 20, safe=""))
    for first in range(0, len(PAYLOADS), IN_ADDRESS):
        words = " ".join(PAYLOADS[first : first + IN_ADDRESS])
        alike(await towns[0].get(about + quote(words, safe="")), plain)


@pytest.mark.parametrize("number", range(0, len(PAYLOADS), 25))
async def test_a_request(towns: tuple[Office, Office], number: int) -> None:
    bad = await towns[0].get(f"/console/requests/id-of-{number:06d}")
    plain = await towns[1].get("/console/requests/id-of-000001")
    alike(bad, plain)
    assert PAYLOADS[number] in skeleton(bad.body).said


async def sent(office: Office, path: str, do: str, fields: dict[str, str]) -> Shown:
    return await office.ask("POST", path, urlencode({"do": do, "key": office.key, **fields}).encode())


FORMS: dict[str, tuple[str, str, dict[str, str]]] = {
    "a model": ("/console/models/new", "save", {"platform": "", "name": "", "endpoint": "", "identifier": ""}),
    "options": (
        "/console/models/new",
        "save",
        {"platform": "openai", "way.headers": "", "limits.queue": "", "family": ""},
    ),
    "a person": ("/console/people", "add", {"name": "", "role": "", "email": "", "display": ""}),
    "a team": ("/console/teams", "add", {"name": "", "members": ""}),
    "a token": ("/console/tokens", "add", {"name": "", "owner": "", "lasts": "", "scope": ""}),
    "an invitation": ("/console/invitations", "add", {"note": "", "role": "", "lasts": "", "team": ""}),
    "a feature": (
        "/console/features/chat",
        "save",
        {"serves": "", "share": "", "weight": "", "fallback": "", "shadow": ""},
    ),
    "single sign-on": ("/console/single-sign-on", "save", {"sso_issuer": "", "sso_name": "", "sso_client_id": ""}),
    "chat": ("/console/playground", "ask", {"feature": "chat", "message": "", "file": "", "code": "", "model": ""}),
}


@pytest.mark.parametrize("form", FORMS)
async def test_what_was_typed(towns: tuple[Office, Office], form: str) -> None:
    path, do, fields = FORMS[form]

    async def typed(text: str) -> Shown:
        return await sent(towns[1], path, do, {name: value or text for name, value in fields.items()})

    plain = await typed("plain words! " * 300)
    for first in range(0, len(PAYLOADS), IN_FORM):
        bad = await typed(" ".join(PAYLOADS[first : first + IN_FORM]))
        alike(bad, plain)
        assert bad.status < 500


async def test_what_servers_serve_and_say(towns: tuple[Office, Office]) -> None:
    office = towns[0]
    words = [" ".join(PAYLOADS[first : first + 10]) for first in range(0, len(PAYLOADS), 10)]
    fields = {"platform": "openai", "endpoint": office.house.models.url, "name": "new", "identifier": "x"}
    pages = []
    for texts in (words, [f"plain {number}" for number in range(len(words))]):

        async def lists(peer: Peer, texts: list[str] = texts) -> None:
            await peer.document({"object": "list", "data": [{"id": text} for text in texts]})

        async def fails(peer: Peer, texts: list[str] = texts) -> None:
            await peer.document({"error": {"message": " ".join(texts), "code": texts[0]}}, 400)

        office.house.models.catalogue, office.house.models.play = lists, fails
        told = [await sent(office, "/console/models/new", do, fields) for do in ("detect", "test")]
        asked = await sent(office, "/console/playground", "ask", {"feature": "chat", "message": "hello"})
        pages.append([*told, asked])
    office.house.models.forget()
    for bad, plain in zip(*pages, strict=True):
        alike(bad, plain)
    assert words[0] in skeleton(pages[0][0].body).said or words[0] in pages[0][0].text


@pytest.mark.parametrize(
    "fields", [{"feature": "chat", "message": "hello"}, {"feature": "code_completions", "code": "x"}]
)
async def test_answers_of_models(towns: tuple[Office, Office], fields: dict[str, Any]) -> None:
    office = towns[0]
    pages = []
    for text in (" ".join(PAYLOADS), "plain words"):
        office.house.models.words = [text]
        pages.append(await sent(office, "/console/playground", "ask", fields))
    office.house.models.forget()
    alike(*pages)
    assert "onerror" in pages[0].body
