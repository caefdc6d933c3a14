"""What the console says: one catalogue that has all of it, and pages in any language that somebody drops in."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from offices import office_at
from pseudo import PSEUDO, Seen, left_over, messages
from townsfolk import INVITED, MODELS, PEOPLE, SHOWN, addresses, settle_in

from homeport import diagnostics, families, features, providers
from homeport.codetext.language import LANGUAGES
from homeport.console import _clients, _layout
from homeport.console._clients import Client
from homeport.console._languages import language, languages, spoken_by, wanted
from homeport.console._texts import Language, filled, places, rich, speak, t, tn
from homeport.console._told import LONGEST, known, told
from homeport.diagnostics import Check
from homeport.domain.models import FeatureSetting, Model
from homeport.families import Family
from homeport.features import Feature
from homeport.kit.discover import discover
from homeport.kit.vault import KEY_FILE, Vault
from homeport.providers import COMMON, Provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from offices import Office, Shown

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "src" / "homeport" / "console"
NAMES = (
    "ada",
    "tests",
    "Payments",
    "my editor",
    "nightly build",
    "old laptop",
    "Gina, from Monday",
    "ci",
    SHOWN,
    INVITED,
)
THINGS = (
    "Connection refused",
    "/nothing",
    "/explain, /refactor, /fix, /tests, /clear",
    "https://127.0.0.1:9/.well-known/openid-configuration",
    "Homeport",
    "English",
    "en-XA",
    "admin",
    "auditor",
    "user",
    "beta",
    "king",
    "UTC",
    "ms",
    "CSV",
    "JSON",
    "openai_chat",
    "proxy",
    "VS Code",
    "OpenAI-compatible",
    "http://gpu1:8000/v1",
)
"""Proper names, units, forms of files, keys of roles and options, and examples."""
WHOLE = {"platform": "openai", "family": "general", "endpoint": "http://gpu1:8000/v1", "identifier": "x"}
"""A form of a model that lacks only its name."""
LATIN = re.compile("[A-Za-z][A-Za-z .]*[A-Za-z]|[A-Za-z]")
GERMAN = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "English"
msgstr "Deutsch"

#: overview.py
msgid "Overview"
msgstr "Überblick"

msgid "{count} model is registered."
msgid_plural "{count} models are registered."
msgstr[0] "{count} Modell ist eingetragen."
msgstr[1] "{count} Modelle sind eingetragen."

msgid "No password yet? {command} makes a link that signs you in once."
msgstr ""
"Noch kein Passwort? Ein Verweis, der einmal anmeldet, "
"kommt von {command}."

#, fuzzy
msgid "Sign out"
msgstr "Vielleicht abmelden"

msgid "{name} is saved."
msgstr "{password} ist <b>gespeichert</b>."

msgid "Copied"
msgstr "Kopiert <&\\">"

msgid "{count} token"
msgid_plural "{count} tokens"
msgstr[0] "{count} Zeichen"
msgstr[1] "{count} Zeichen, viele"

#~ msgid "Menu"
#~ msgstr "Speisekarte"
"""


def recipe() -> str:
    """The catalogue that the documentation shows."""
    page = (ROOT / "docs" / "add" / "language.md").read_text()
    [found] = re.findall(
        r'^```po title="src/homeport/console/texts/nl.po"\n(.*?)^```', page, flags=re.DOTALL | re.MULTILINE
    )
    return str(found)


def of_rooms_below() -> Iterator[str]:
    """Names that rooms below give to things: they are the same in every language."""
    yield from discover(features, Feature)
    yield from (each.label for each in discover(_clients, Client).values() if each.label not in messages())
    yield from (each.name for each in LANGUAGES)
    yield from discover(families, Family)
    yield from (family.label for family in discover(families, Family).values())
    for offer in discover(providers, Provider).values():
        for option in {**offer.options, **COMMON}.values():
            yield from (option.default, *option.values, *option.variables)


@pytest.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """An office in full use, for which somebody translated a few texts."""
    folder = tmp_path_factory.mktemp("town")
    (folder / "texts").mkdir()
    (folder / "texts" / "de.po").write_text(GERMAN)
    (folder / "texts" / "nl.po").write_text(recipe())
    (folder / "texts" / "fr.po").write_text("msgid 'broken")
    (folder / "texts" / "notes.txt").write_text("no catalogue")
    async with office_at(folder, data_dir=folder) as office:
        await office.sign_in()
        await settle_in(office)
        yield office


def desk_of(office: Office) -> Any:
    return office.house.app.routes["/console"]._desk  # noqa: SLF001 (what pages work with)


# nothing is left out


async def test_every_page_is_in_the_language_of_who_reads(town: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_of(town), "languages", {PSEUDO.tag: PSEUDO})
    found = {}
    for path, page in addresses().items():
        town.cookie = ""
        if page.see != "anyone":
            await town.be("ada", "admin")
        found[path] = await town.get(path, Accept_Language=PSEUDO.tag)
    assert await english(town, found) == {}


ANSWERS = {
    ("/console/tokens", "add"): {"name": "my editor 2", "scope": "scim", "lasts": "90"},
    ("/console/invitations", "add"): {"note": "Payments", "role": "user", "lasts": "7", "team": "Payments"},
    ("/console/people", "link"): {"name": "bea"},
    ("/console/people", "seats"): {"limit": "7x"},
    ("/console/features/chat", "save"): {"serves": "model:devstral", "share": "qwen-coder", "was": "7"},
    ("/console/playground", "ask"): {"feature": "code_completions", "code": ""},
    ("/console/account", "password"): {"old": "", "new": "1", "again": "2"},
    ("/console/models/qwen-coder", "save"): {"seen": "7"},
    ("/console/teams", "join"): {"team": "Payments"},
    ("/console/tokens", "nothing"): {},
    ("/console/single-sign-on", "check"): {"sso_issuer": "https://127.0.0.1:9/", "sso_client_id": "7"},
}
OTHERWISE = (
    "/console/nothing",
    "/console/models?q=7",
    "/console/people?find=7",
    "/console/people?delete=bea",
    "/console/tokens?find=7",
    "/console/teams?find=7",
    "/console/requests?find=77",
    "/console/features/chat?saved=1",
)


async def test_answers_to_forms_and_what_is_not_there_are_too(town: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_of(town), "languages", {PSEUDO.tag: PSEUDO})
    await town.be("ada", "admin")
    found = {path: await town.get(path, Accept_Language=PSEUDO.tag) for path in OTHERWISE}
    for (path, do), fields in ANSWERS.items():
        body = urlencode({"do": do, "key": town.key, **fields}).encode()
        found[f"{path} {do}"] = await town.ask("POST", path, body, Accept_Language=PSEUDO.tag)
    town.cookie = ""
    found["ended"] = await town.ask("POST", "/console/teams", b"do=add", Accept_Language=PSEUDO.tag)
    assert {key: each.status for key, each in found.items() if not 200 <= each.status < 500 or each.status == 303} == {}
    assert await english(town, found) == {}


REFUSED = (
    ("/console/models/new", "save", {"name": "a b!", "platform": "openai", "family": "general", "endpoint": "no url"}),
    ("/console/models/new", "save", {**WHOLE, "name": "devstral"}),
    ("/console/models/new", "save", {**WHOLE, "name": "m", "endpoint": "http://u:p@gpu1:8000/v1"}),
    ("/console/models/new", "save", {**WHOLE, "name": "m", "limits.context_tokens": "-7"}),
    ("/console/models/new", "save", {**WHOLE, "name": "m", "way.proxy": "7"}),
    ("/console/models/new", "save", {**WHOLE, "name": "inherit"}),
    ("/console/models/qwen-coder", "delete", {}),
    ("/console/features/chat", "save", {"serves": "model:devstral", "fallback": "devstral"}),
    ("/console/teams", "add", {"team": "Payments"}),
    ("/console/teams", "join", {"team": "Payments", "people": "7"}),
    ("/console/teams", "restore", {"team": "7"}),
    ("/console/people", "add", {"name": "bea", "role": "user"}),
    ("/console/people", "add", {"name": "a b", "role": "king"}),
    ("/console/people", "role", {"name": "ada", "role": "user"}),
    ("/console/people", "restore", {"name": "7"}),
    ("/console/people", "seats", {"limit": "-7"}),
    ("/console/invitations", "revoke", {"id": "7"}),
    ("/console/tokens", "add", {"name": "ci", "owner": "7", "scope": "duo_chat", "lasts": "90"}),
    ("/console/tokens", "revoke", {"name": "7"}),
    ("/console/single-sign-on", "save", {"sso_issuer": "http://sso.example.com", "sso_client_id": "7"}),
    ("/console/account", "password", {"new": "1", "again": "1"}),
    ("/console/playground", "ask", {"feature": "chat", "message": "/nothing"}),
    ("/console/playground", "ask", {"feature": "chat", "message": "7", "model": "codestral"}),
)
"""Forms that rooms below refuse."""


async def test_what_rooms_below_refuse_is_told_in_it(town: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_of(town), "languages", {PSEUDO.tag: PSEUDO})
    await town.be("ada", "admin")
    found = {}
    for number, (path, do, fields) in enumerate(REFUSED):
        body = urlencode({"do": do, "key": town.key, **fields}).encode()
        found[f"{number} {path} {do}"] = await town.ask("POST", path, body, Accept_Language=PSEUDO.tag)
    assert {key: each.status for key, each in found.items() if each.status in {303, 500}} == {}
    assert {key for key, each in found.items() if 'role="alert"' not in each.body} == set()
    assert await english(town, found) == {}


BROKEN = {
    "lost": {"endpoint": "http://127.0.0.1:9/v1"},
    "nameless": {"endpoint": "http://no-such-host.invalid/v1"},
    "encrypted": {"endpoint": "https://127.0.0.1:9/v1"},
    "link-local": {"endpoint": "http://169.254.169.254/v1"},
    "off": {"enabled": False},
    "mistaken": {"identifier": "nobody-serves-this"},
}
"""Models of which none answers, and what is wrong with each."""
SERVED_BY = {"chat": "off", "code_generations": "lost", "code_review": "mistaken", "cli_help": "link-local"}
NAMES_OF_THINGS = re.compile(r"\b[0-9a-f]{32}\b|(?<=[\s(>])[^\s<>\"=]*[/_][^\s<>\"=]*(?=[^<>]*<)|HOMEPORT_\w+")
"""Files, addresses and settings in what is told."""


@pytest.fixture
async def ruin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """An office in which nothing answers, spoken of in the language that nobody speaks."""
    monkeypatch.setenv("HOMEPORT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HOMEPORT_NOTHING", "1")
    Vault(tmp_path / KEY_FILE)
    url = f"sqlite+aiosqlite:///{tmp_path}/office.db"
    async with office_at(tmp_path, data_dir=tmp_path, database_url=url) as office:
        monkeypatch.setattr(desk_of(office), "languages", {PSEUDO.tag: PSEUDO})
        await office.sign_in()
        usual = {
            "platform": "openai",
            "family": "qwen_coder",
            "identifier": "coder",
            "endpoint": office.house.models.url,
        }
        for name, wrong in BROKEN.items():
            await office.store.add_model(Model(name=name, **{**usual, **wrong}), by="ada")
        for feature, name in SERVED_BY.items():
            setting = FeatureSetting(feature=feature, assignment="model", model=name)
            await office.store.set_feature(setting, by="ada")
        yield office


async def test_what_is_broken_is_told_in_it(ruin: Office) -> None:
    await ruin.send("/console/health", "examine")
    known = ruin.house.app.door.prober.examiner.known
    assert known
    assert known.task
    await known.task
    assert {"configuration", "registry", "model_dns", "model_tcp", "model_served"} <= {*known.broken, *known.odd}
    asked = {"platform": "openai", "endpoint": BROKEN["lost"]["endpoint"], "identifier": "x", "family": "general"}
    forms: list[tuple[str, str, dict[str, Any]]] = [
        *(("/console/models/nameless", do, {"name": "nameless", **asked}) for do in ("test", "detect", "measure")),
        ("/console/models/mistaken", "test", {"name": "mistaken", **asked, "endpoint": ruin.house.models.url}),
        ("/console/playground", "ask", {"feature": "chat", "message": "7"}),
        ("/console/playground", "ask", {"feature": "code_generations", "code": "7"}),
    ]
    found = {}
    for number, (path, do, fields) in enumerate(forms):
        body = urlencode({"do": do, "key": ruin.key, **fields}).encode()
        found[f"{number} {path}"] = await ruin.ask("POST", path, body, Accept_Language=PSEUDO.tag)
    await ruin.written()
    for path in ("", "/health", "/models", "/features", "/models/lost", "/features/chat", "/requests"):
        found[path] = await ruin.get(f"/console{path}", Accept_Language=PSEUDO.tag)
    way = '<a href="/console/models/lost">lost</a>'
    command = "<code>homeport models edit lost --endpoint URL"
    assert (command in found["/health"].body, way in found["/health"].body) == (True, True)
    await ruin.sign_in("eve", "auditor")
    health = (await ruin.get("/console/health", Accept_Language=PSEUDO.tag)).body
    assert (command in health, way in health) == (True, False)
    seen = {path: each._replace(body=NAMES_OF_THINGS.sub("", each.body)) for path, each in found.items()}
    data = [str(each) for wrong in BROKEN.values() for each in wrong.values()]
    assert await english(ruin, seen, *BROKEN, *discover(diagnostics, Check), "coder", "served", "delete", *data) == {}


def test_every_sentence_of_rooms_below_is_known_again() -> None:
    fixed, forms = known()
    filled_in = [form.message for each in forms.values() for form in each]
    assert min(len(fixed), len(filled_in)) > 400
    speak(PSEUDO)
    try:
        for message in (*fixed, *filled_in):
            said = filled(message, **dict.fromkeys(places(message), "7"))
            heard = told("".join(map(str, said)))
            assert not re.search("[A-Za-z]", heard), message
    finally:
        speak(None)


@pytest.mark.parametrize("part", ["(a) ", "a, ", "x: ", "http://a/b ", "There is no model x: y (z). "])
def test_a_text_of_many_parts_does_not_take_long(part: str) -> None:
    speak(PSEUDO)
    try:
        began = time.process_time()
        assert told((part * LONGEST)[:LONGEST])
        assert time.process_time() - began < 2
    finally:
        speak(None)


def test_a_sentence_of_several_parts() -> None:
    speak(PSEUDO)
    try:
        said = told("There is no model named 'a b'. Known: x, y. Nobody ever said this. Try again in a moment")
        assert LATIN.findall(said) == ["a b", "x", "y", "Nobody ever said this"]
        assert told("") == ""
        assert LATIN.findall(told("connection test failed 3 minutes ago: nobody listens at its address")) == []
    finally:
        speak(None)
    assert told("Try again in a moment.") == "Try again in a moment."


async def english(town: Office, found: dict[str, Shown], *more: str) -> dict[str, list[str]]:
    """What stayed English on pages and is no data."""
    hints = [each.hint for each in await town.store.tokens()]
    data = [*more, *NAMES, *PEOPLE, *THINGS, *of_rooms_below(), *hints, town.house.models.url]
    data += [text for model in MODELS for text in model]
    assert {Seen(each.body).lang for each in found.values() if each.body} == {PSEUDO.tag}
    left = {path: left_over(each.body, data) for path, each in found.items()}
    return {path: each for path, each in left.items() if each}


WORDS = re.compile(r"[A-Z][a-z]+( |$|[.:,…])|[a-z]{2,} [a-z]{2,}")
MARKED = frozenset({"t", "tn", "rich", "mark", "Step", "Way"})
"""Functions whose texts are in the catalogue, and commands, which are the same in every language."""
SAME = frozenset(
    {"Homeport", "Homeport ", " · Homeport", "Models", "People", "Operate"}
    | {"Ctrl K", "Esc", "Tab", "Ctrl Space", "Alt \\", "Alt ]", "Alt [", "Enter"}
    | {"never asked", "model disabled", "generally available", "ends soon", "owner disabled", "Run", "Run:"}
    | {"light dark", "closest form", "this:queue last", "currentColor", "homeport up", "homeport users code NAME"}
)
"""Names, keys, commands, values of HTML, and words that are keys of a table of marked ones."""
CODE = re.compile(
    r"<svg|class=|<!doctype|preserveAspectRatio|curl |homeport models add|; |Content-Type|delay:|def |\(\?m\)"
)
LOGGED = frozenset(
    {
        "not a line of a catalogue: ",
        "The provider's ID token was not accepted. ",
        " offers no way to sign out from here.",
    }
)
"""What the log and the audit say, too: English."""


def bare(node: ast.AST) -> Iterator[str]:
    """Texts that look like words and that no function marks; what documents the code is none."""
    name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    if name in MARKED or name.startswith("log."):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and WORDS.search(node.value):
        yield node.value
    for each in ast.iter_child_nodes(node):
        yield from bare(each)


def test_no_text_of_the_code_is_outside_of_the_catalogue() -> None:
    found: dict[str, list[str]] = {}
    for file in sorted(CONSOLE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        for call in ast.walk(tree):
            # names of clients are their own
            if isinstance(call, ast.Call) and file.parent != CONSOLE:
                call.keywords = [each for each in call.keywords if each.arg != "label"]
        found[file.name] = [each for each in bare(tree) if each not in SAME | LOGGED and not CODE.search(each)]
    # the API's reference is made of what the API says of itself
    found.pop("_reference.py")
    assert {name: each for name, each in found.items() if each} == {}


def test_no_text_of_a_script_is_outside_of_the_catalogue() -> None:
    sentence = re.compile(r"^[A-Z][a-z]+ [a-z]|^[A-Z].*[a-z][.?!…]$")
    for script in _layout.scripts():
        rest = re.sub(r'(?m)^\s*//.*$|\btn?\((?:"(?:[^"\\]|\\.)*"(?:, )?)+', "", script)
        texts = [one or other for one, other in re.findall(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', rest)]
        assert [each for each in texts if sentence.search(each)] == []


def test_the_catalogue_is_what_the_code_says() -> None:
    if str(ROOT / "tools") not in sys.path:
        sys.path.insert(0, str(ROOT / "tools"))
    tool = importlib.import_module("texts")
    made = tool.catalogue()
    assert tool.FILE.read_text() == tool.text(made), "run: make docs"
    messages = [one for each in made for one in ([each.id] if isinstance(each.id, str) else each.id)]
    assert [each for each in messages if each != each.strip()] == []
    assert {one for one, _ in spoken_by(_layout.scripts())} <= set(messages)


# a language that somebody drops in


async def test_a_catalogue_in_the_folder_is_offered(town: Office) -> None:
    assert set(desk_of(town).languages) == {"de", "nl"}
    await town.be("ada", "admin")
    for asked, tag, title in (
        ("de-AT,de;q=0.9,en;q=0.5", "de", "Überblick"),
        ("en-GB,de;q=0.9", "en", "Overview"),
        ("fr, de;q=0.1", "de", "Überblick"),
        ("fr", "en", "Overview"),
        ("nl-BE", "nl", "Overzicht"),
        ("", "en", "Overview"),
    ):
        shown = await town.get("/console", Accept_Language=asked)
        assert Seen(shown.body).lang == tag
        assert f"<h1>{title}</h1>" in shown.body
        assert f">{title}</a>" in shown.body
        assert ('<meta name="texts"' in shown.body) is (tag != "en")


async def test_who_chose_a_language_is_spoken_to_in_it(town: Office) -> None:
    await town.sign_in("gus", "user")
    shown = await town.get("/console/account", Accept_Language="nl")
    assert 'value="de">Deutsch (de)<' in shown.body
    assert 'value="nl">nl<' in shown.body
    for chosen, accepted, tag in (("de", "nl", "de"), ("en", "nl", "en"), ("", "nl", "nl")):
        kept = await town.send("/console/account", "language", language=chosen)
        assert (kept.status, kept.location) == (303, "/console/account?said=set")
        shown = await town.get("/console/account", Accept_Language=accepted)
        assert Seen(shown.body).lang == tag
        assert f'<option value="{chosen}" selected>' in shown.body
    refused = await town.send("/console/account", "language", language="xx")
    assert (refused.status, "There is no such language." in refused.text) == (400, True)
    latest = [(each.what, each.after) for each in await town.store.audit(20) if each.who == "gus"]
    assert ("user.set", {"language": "de"}) in latest
    await town.store.set_language("gus", "fr", by="gus")  # its catalogue was taken away
    assert Seen((await town.get("/console", Accept_Language="nl")).body).lang == "nl"


async def test_nothing_is_chosen_where_there_is_only_english(office: Office) -> None:
    await office.sign_in()
    assert 'name="language"' not in (await office.get("/console/account")).body


async def test_sentences_with_parts_and_numbers(town: Office) -> None:
    town.cookie = ""
    shown = await town.get("/console/sign-in", Accept_Language="de")
    words = "Ein Verweis, der einmal anmeldet, kommt von <code>homeport users code NAME</code>."
    assert words in shown.body
    shown = await town.get("/console/sign-in", Accept_Language="nl")
    assert "Nog geen wachtwoord? <code>homeport users code NAME</code> maakt een link" in shown.body
    assert "2 Modelle sind eingetragen." in (await town.get("/", Accept_Language="de")).text
    assert "2 models are registered." in (await town.get("/")).text


async def test_what_is_unsure_obsolete_or_names_other_places_stays_english(town: Office) -> None:
    await town.be("ada", "admin")
    shown = await town.get("/console?said=saved&about=<i>It</i>", Accept_Language="de")
    assert "Sign out" in shown.text
    assert "Menu" in shown.text
    assert "&lt;i&gt;It&lt;/i&gt; is saved." in shown.body


def speaking(catalogue: str, scripts: tuple[str, ...] = ()) -> Language:
    return language(
        "xx", f'msgid ""\nmsgstr "Plural-Forms: nplurals=3; plural=n==1 ? 0 : n==2 ? 1 : 2;\\n"\n{catalogue}', scripts
    )


def test_scripts_know_the_form_of_a_number() -> None:
    found = speaking(
        'msgid "{count} token"\nmsgid_plural "{count} tokens"\nmsgstr[0] "one"\nmsgstr[1] "two"\nmsgstr[2] "many"\n'
        'msgid "Copied"\nmsgstr "C"',
        ('tell(t("Copied")); tn("{count} token", "{count} tokens", 3); t("Else, \\"so\\"", { a: 1 })',),
    )
    said = json.loads(found.for_scripts)
    which, *forms = said.pop("{count} token")
    assert forms == ["many", "one", "two"]
    assert (which[:5], len(which), set(which[3:])) == ("01200", 200, {"0"})
    assert said == {"Copied": "C", 'Else, "so"': 'Else, "so"'}


def test_a_text_reaches_nothing_but_its_places() -> None:
    found = speaking('msgid "{name} is saved."\nmsgstr "{name} {name} {name.real} {0} {}"')
    speak(found)
    try:
        assert t("{name} is saved.", name="{name}x") == "{name}x {name}x {name.real} {0} {}"
        assert t("{name} is saved.") == "{name} {name} {name.real} {0} {}"
        assert t("") == ""
        assert rich("{name} is saved.", name=7) == [7, " ", 7, " {name.real} {0} {}"]
        assert tn("{count} a", "{count} b", 2) == "2 b"
    finally:
        speak(None)
    assert filled("{a}{b}", a="x") == ["x", "{b}"]
    assert tn("{count} a", "{count} b", 1, count="I") == "I a"


@pytest.mark.parametrize("broken", ["msgid 'x'", 'msgid "x', 'msgid "x"\nmsgstr "y"\nno line', '"\\xff\\U99999999"'])
def test_a_file_that_is_no_catalogue_is_left_out(tmp_path: Path, broken: str) -> None:
    (tmp_path / "de.po").write_text(broken)
    (tmp_path / "pt_BR.po").write_text('msgid "Menu"\nmsgstr "Cardápio"')
    (tmp_path / "it.po").mkdir()
    found = languages((tmp_path, tmp_path / "none"))
    assert list(found) == ["pt-BR"]
    assert found["pt-BR"].catalogue.gettext("Menu") == "Cardápio"
    for accepted, tag in (("pt-BR", "pt-BR"), ("pt-br;q=0.5, en;q=0.4", "pt-BR"), ("pt", None), ("en, pt-BR", None)):
        chosen = wanted(found, accepted)
        assert (chosen and chosen.tag) == tag
    assert wanted({}, "de") is None
    assert wanted(found, "pt-BR;q=0, ;;,=") is None
