"""What the console says: one catalogue that has all of it, and pages in any language that somebody drops in."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from offices import office_at
from pseudo import PSEUDO, Seen, left_over
from townsfolk import INVITED, MODELS, PEOPLE, SHOWN, addresses, settle_in

from homeport import families, features, providers
from homeport.access import SCOPES
from homeport.console import _layout
from homeport.console._languages import language, languages, spoken_by, wanted
from homeport.console._texts import Language, filled, rich, speak, t, tn
from homeport.families import Family
from homeport.features import Feature
from homeport.kit.discover import discover
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
THINGS = ("Homeport", "UTC", "ms", "CSV", "JSON", "openai_chat", "VS Code", "OpenAI-compatible", "http://gpu1:8000/v1")
"""Proper names, units, forms of files and examples."""
SUITS = (" holds conversations.", " is made to fill code in at the cursor.")
"""Why a model suits a feature, behind the name of its family."""
GERMAN = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

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
    """Texts of rooms that know no language: what the API, the command line and the log say, too."""
    for key, feature in discover(features, Feature).items():
        yield from (key, feature.title, feature.title.lower(), feature.section)
    for key, family in discover(families, Family).items():
        yield from (key, family.label)
    for offer in discover(providers, Provider).values():
        yield offer.label
        for name, option in {**offer.options, **COMMON}.items():
            yield from (name.replace("_", " ").capitalize(), option.text.replace("`", ""), option.default)
            yield from (*option.values, *option.variables)
    yield from (*SCOPES.values(), *SUITS)


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


async def english(town: Office, found: dict[str, Shown]) -> dict[str, list[str]]:
    """What stayed English on pages, and is neither data nor a text of the rooms below."""
    hints = [each.hint for each in await town.store.tokens()]
    data = [*NAMES, *PEOPLE, *THINGS, *of_rooms_below(), *hints, town.house.models.url]
    data += [text for model in MODELS for text in model]
    assert {Seen(each.body).lang for each in found.values() if each.body} == {PSEUDO.tag}
    left = {path: left_over(each.body, data) for path, each in found.items()}
    return {path: each for path, each in left.items() if each}


WORDS = re.compile(r"[A-Z][a-z]+( |$|[.:,…])|[a-z]{2,} [a-z]{2,}")
MARKED = frozenset({"t", "tn", "rich", "mark", "Step"})
"""Functions whose texts are in the catalogue."""
SAME = frozenset(
    {"Homeport", "Homeport ", " · Homeport", "Models", "People", "Operate"}
    | {"Ctrl K", "Esc", "Tab", "Ctrl Space", "Alt \\", "Alt ]", "Alt [", "Enter"}
    | {"never asked", "model disabled", "generally available", "ends soon", "owner disabled", "Run"}
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
