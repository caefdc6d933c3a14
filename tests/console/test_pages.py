"""Pages for people: nothing from elsewhere, a strict policy, well-formed HTML, nothing that is nobody's business."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from house import FIM, KEY
from typing_extensions import override

from homeport.console import _layout

if TYPE_CHECKING:
    from house import House
    from offices import Office

PAGES = ("/", "/docs")
each_page = pytest.mark.parametrize("path", PAGES)
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Reader(HTMLParser):
    """Collects what a page refers to and checks that its elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


async def read(house: House, path: str) -> Reader:
    answer = await house.get(path, token="")
    assert (answer.status, answer.header("content-type")) == (200, "text/html; charset=utf-8")
    reader = Reader()
    reader.feed(answer.body.decode())
    reader.close()
    assert reader.open == []
    return reader


@each_page
async def test_strict_policy(house: House, path: str) -> None:
    answer = await house.get(path, token="")
    policy = dict(
        part.strip().partition(" ")[::2] for part in (answer.header("content-security-policy") or "").split(";")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["script-src"] == "'self'"
    assert "unsafe" not in str(policy)
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "same-origin"
    assert answer.header("cross-origin-opener-policy") == "same-origin"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("set-cookie") is None


@each_page
async def test_nothing_from_elsewhere_and_nothing_that_the_policy_blocks(house: House, path: str) -> None:
    reader = await read(house, path)
    for tag, attributes in reader.seen:
        assert tag not in {"script", "style", "iframe", "object", "embed", "base", "form"}
        assert not any(name == "style" or name.startswith("on") for name in attributes)
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            address = attributes.get(name) or "/"
            assert re.match(r"/(?!/)|data:image/svg|#", address), address
        if tag == "a" and (attributes.get("href") or "").startswith("/"):
            assert (await house.get(attributes["href"] or "", token="")).status == 200


@each_page
async def test_page_is_usable_without_eyes_or_mouse(house: House, path: str) -> None:
    reader = await read(house, path)
    tags = [tag for tag, _ in reader.seen]
    assert dict(reader.seen)["html"]["lang"] == "en"
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    assert {"header", "nav", "footer"} <= set(tags)
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))


async def test_style_sheet(house: House) -> None:
    address = _layout.asset("homeport.css")
    text = _layout.assets()[address][1]
    answer = await house.get(address, token="")
    assert (answer.status, answer.body) == (200, text)
    assert answer.header("content-type") == "text/css; charset=utf-8"
    assert [value for name, value in answer.headers if name == "cache-control"] == [
        "public, max-age=31536000, immutable"
    ]
    assert not re.search(rb"https?:|@import|url\(", text)
    assert (await house.get("/assets/old/homeport.css", token="")).status == 404


async def test_without_a_console_there_is_no_script(house: House) -> None:
    assert not [path for path in house.app.routes if path.endswith(".js")]


async def test_welcome_tells_a_stranger_no_names(house: House) -> None:
    reader = await read(house, "/")
    assert "3 models are registered" in reader.text
    for name in (FIM, house.models.url, "served-", KEY, "ada"):
        assert name not in reader.text
    one = {FIM: house.snapshot.models[FIM]}
    house.snapshot = replace(house.snapshot, models=one, features={})
    reader = await read(house, "/")
    assert "1 model is registered" in reader.text
    assert "unassigned" in reader.text
    assert "curl -s http://ai.lan:8080/v1/completions" in (await house.get("/", Host="ai.lan:8080")).body.decode()


async def test_reference_shows_every_endpoint_and_field(house: House) -> None:
    text = (await read(house, "/docs")).text
    description = (await house.get("/openapi.json")).json
    for path in description["paths"]:
        assert path in text
    for path in ("/v1/chat/completions", "/v1/completions", "/v2/code/completions"):
        schema = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        for each in schema.get("anyOf", [schema]):
            name = each["$ref"].rpartition("/")[2]
            for field in description["components"]["schemas"][name]["properties"]:
                assert field in text


async def test_a_models_name_cannot_write_html(house: House) -> None:
    bad = "<script>alert(1)</script>"
    house.snapshot = house.snapshot.with_models(house.model(bad))
    house.assign("chat", "model", bad)
    for path in (*PAGES, "/v1/models"):
        answer = await house.get(path)
        assert bad.encode() not in answer.body or answer.header("content-type") == "application/json"


async def test_health(house: House) -> None:
    healthz = await house.get("/monitoring/healthz", token="")
    assert healthz.json["status"] == "ok"
    assert set(healthz.json) == {"status", "version"}
    assert (await house.get("/monitoring/ready", token="")).json == {"status": "ok"}
    assert not house.models.heard


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/console/", "/console"),
        ("/console/?span=day", "/console?span=day"),
        ("/console/models/", "/console/models"),
        ("/console/sign-in//?next=%2F", "/console/sign-in?next=%2F"),
    ],
)
async def test_a_slash_too_many_leads_to_the_page(office: Office, path: str, meant: str) -> None:
    for method in ("GET", "HEAD"):
        shown = await office.ask(method, path)
        assert (shown.status, shown.location) == (308, meant)


async def test_a_form_is_not_led_on(office: Office) -> None:
    await office.sign_in()
    assert (await office.send("/console/models/", "add")).status == 404
