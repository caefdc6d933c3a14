"""A refused form says at the field itself what was wrong with it, and begins there, with a script or without."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, NamedTuple

import pytest
from offices import Office, office_at

from homeport.domain.models import Model
from homeport.store.records import Team, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVED = "http://gpu1:8000/v1"
MODEL = {"name": "new", "platform": "openai", "endpoint": SERVED, "identifier": "x", "family": "qwen_coder"}


class Control(NamedTuple):
    """What a page has in one place."""

    attributes: dict[str, str | None]
    text: str


class Controls(HTMLParser):
    """Every element with an id, what is sent by name, and which of all elements take the focus."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.known: dict[str, dict[str, str | None]] = {}
        self.values: dict[str, str | None] = {}
        self.texts: dict[str, str] = {}
        self.focused: list[dict[str, str | None]] = []
        self._open = ""
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the parser's)
        found = dict(attrs)
        if "autofocus" in found:
            self.focused.append(found)
        self._open = found.get("id") or ""
        self.values[found.get("name") or ""] = found.get("value")
        if self._open:
            self.known[self._open] = found

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open] = self.texts.get(self._open, "") + data


@pytest.fixture(scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """An administrator's, with one of everything."""
    async with office_at(tmp_path_factory.mktemp("refused")) as made:
        await made.sign_in()
        model = Model(name="coder", platform="openai", family="qwen_coder", endpoint=SERVED, identifier="x")
        await made.store.add_model(model, by="tests")
        await made.store.set_user(User(name="bea", role="user"), by="tests")
        await made.store.add_team(Team(name="Payments", members=("bea",)), by="tests")
        yield made


REFUSED = [
    ("models/new", "save", {**MODEL, "name": "two words"}, "name"),
    ("models/new", "save", {**MODEL, "endpoint": "gpu1"}, "endpoint"),
    ("models/new", "save", {**MODEL, "api_key": "two\tlines"}, "api_key"),
    ("models/new", "save", {**MODEL, "limits.output_tokens": "-1"}, "limits.output_tokens"),
    ("models/new", "save", {**MODEL, "way.proxy": "ftp://x"}, "way.proxy"),
    ("models/new", "save", {**MODEL, "platform": "azure", "azure.api_version": "soon"}, "azure.api_version"),
    ("features/chat", "save", {"serves": "model:coder", "share": "coder"}, "share-1"),
    ("features/chat", "save", {"serves": "model:coder", "share": "spare", "own": "0.5"}, "own"),
    ("features/chat", "save", {"serves": "model:coder", "share": "spare", "weight": "x"}, "weight-1"),
    ("features/chat", "save", {"serves": "?"}, "serves"),
    ("people", "add", {"name": "bea", "role": "user"}, "name"),
    ("people", "add", {"name": "gina", "role": "user", "teams": "Nobodies"}, "teams"),
    ("people", "seats", {"limit": "many"}, "limit"),
    ("people", "role", {"name": "ada", "role": "user", "was": "admin"}, "role"),
    ("teams", "add", {"team": "Payments"}, "team"),
    ("teams", "rename", {"team": "Payments", "to": ""}, "to"),
    ("teams", "join", {"team": "Payments", "people": "nobody"}, "people"),
    ("invitations", "add", {"note": "Gina", "team": "Nobodies"}, "team"),
    ("invitations", "add", {"note": "G" * 101}, "note"),
    ("tokens", "add", {"name": "my editor"}, "scope"),
    ("tokens", "add", {"name": "", "scope": "duo_chat"}, "name"),
    ("tokens", "add", {"name": "my editor", "scope": "duo_chat", "owner": "nobody"}, "owner"),
    ("single-sign-on", "save", {"sso_issuer": "sso"}, "sso_issuer"),
    ("single-sign-on", "check", {"sso_issuer": ""}, "sso_issuer"),
    ("account", "password", {"new": "short", "again": "short"}, "new"),
    ("account", "password", {"new": "correct horse battery", "again": "other"}, "again"),
    ("verbose", "on", {"minutes": "7"}, "minutes"),
]
QUERIES = {"seats": "?seats"}


@pytest.mark.parametrize(
    ("page", "do", "fields", "name"), REFUSED, ids=[" ".join((each[0], each[1], each[3])) for each in REFUSED]
)
async def test_a_refused_field_says_so(office: Office, page: str, do: str, fields: dict[str, str], name: str) -> None:
    if page.startswith("features"):
        fields = {**fields, "was": Controls((await office.get(f"/console/{page}")).body).values["was"] or ""}
    shown = await office.send(f"/console/{page}{QUERIES.get(do, '')}", do, **fields)
    assert 400 <= shown.status < 500
    check_refused(shown.body, name)


def check_refused(body: str, name: str) -> None:
    """The field has its reason, and its help where it has some, for its description; the focus is there alone."""
    drawn = Controls(body)
    group = f"{name}-duo_chat"
    control = drawn.known.get(name) or drawn.known[group]
    assert control["aria-invalid"] == "true"
    described = (control["aria-describedby"] or "").split()
    assert described[0] == f"{name}-wrong"
    assert described[1:] == ([f"{name}-help"] if f"{name}-help" in drawn.known else [])
    assert drawn.texts[described[0]] in unescape(body.partition('role="alert"')[2])
    assert len(drawn.focused) == 1
    assert drawn.focused[0].get("id", name) == name


async def test_nothing_is_refused_where_nothing_was_sent(office: Office) -> None:
    for page in ("models/new", "people?new", "teams?new", "tokens?new", "single-sign-on", "account", "sign-in"):
        body = (await office.get(f"/console/{page}")).body
        assert "aria-invalid" not in body
        assert "-wrong" not in body


async def test_what_is_no_fields_fault_is_read_first(office: Office) -> None:
    shown = await office.send("/console/models/coder", "save", **MODEL, seen="another")
    (focused,) = Controls(shown.body).focused
    assert (shown.status, focused["role"], focused["tabindex"]) == (409, "alert", "-1")


async def test_who_signs_in_or_joins_is_told_where(office: Office) -> None:
    kept, office.cookie = office.cookie, ""
    try:
        shown = await office.send("/console/sign-in", "password", name="bea", password="no")
        assert Controls(shown.body).known["name"]["value"] == "bea"
        assert Controls(shown.body).known["password"]["aria-invalid"] == "true"
        check_refused(shown.body, "name")
    finally:
        office.cookie = kept
