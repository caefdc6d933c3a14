"""The house: what a newcomer, an operator and a contributor find around the code stays true."""

from __future__ import annotations

import ast
import functools
import importlib
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import yaml

import homeport
from homeport.domain.errors import HomeportError
from homeport.kit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "homeport"
DOCS = ROOT / "docs"
LONGEST = 40
TOO_LONG_STILL: frozenset[str] = frozenset()
"""Functions that may exceed the budget: this set may only shrink."""
SHELVES = {
    "providers": "provider",
    "families": "family",
    "features": "feature",
    "protocols": "protocol",
    "console": "page",
    "diagnostics": "check",
    "cli": "command",
}
"""Rooms in which a file is an offer, and the recipe that says how to add one."""
EXAMPLES = {"homeport families"}
INVENTED = ("tests/families/golden/NAME", "tests/families/golden/stable_code")
"""What the recipes invent."""
ADDRESSES_IN_CODE = re.compile(
    r"https?://(127\.0\.0\.1|localhost|\[::1\]|\{|\.\.\.|$)"
    r"|http://www\.w3\.org/|https?://(host|gpu\d|[a-z.-]+\.example(\.com)?|[a-z.-]*internal)\b",
    flags=re.IGNORECASE,
)
"""What an address in the package may be: this machine, a placeholder, a namespace."""


def tool(name: str) -> Any:
    """A module of `tools/`."""
    if str(ROOT / "tools") not in sys.path:
        sys.path.insert(0, str(ROOT / "tools"))
    return importlib.import_module(name)


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def functions() -> Iterator[tuple[str, int]]:
    """Every function of the package with the lines of its body, documentation left out."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                yield f"{path.relative_to(SOURCE)}:{node.name}", (node.end_lineno or 0) - first.lineno + 1


@functools.cache
def files_of_the_repository() -> list[Path]:
    """Every file that belongs to the checkout; what was installed or built does not."""
    skipped = {
        ".git",
        ".venv",
        ".uv",
        ".uv.new",
        ".homeport",
        "site",
        "build",
        "dist",
        ".build",
        ".peers",
        "node_modules",
    }
    found = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in skipped and not name.endswith(("cache", "cache__"))]
        found += [Path(folder, name) for name in names]
    return found


# the rooms


@pytest.mark.parametrize("room", tool("facts").room_names())
def test_a_room_is_one_sentence(room: str) -> None:
    text = importlib.import_module(f"homeport.{room}").__doc__ or ""
    assert re.match(r"[A-Z`].{10,}[.]", text.partition("\n")[0]), f"{room}: say what it is for in the first line"


def test_the_picture_shows_the_imports_that_are_there() -> None:
    picture = tool("picture")
    drawn = re.findall(r'data-from="(\w+)" data-to="(\w+)"', (DOCS / "concepts" / "rooms.svg").read_text())
    assert sorted(drawn) == picture.essential(picture.imports()), "run: make docs"


def test_the_picture_shows_every_room() -> None:
    picture = (DOCS / "concepts" / "rooms.svg").read_text()
    assert re.findall(r'class="name"[^>]*>(\w+)<', picture) == [
        room for layer in tool("picture").layers() for room in layer
    ]


@pytest.mark.parametrize("picture", sorted(DOCS.rglob("*.svg")), ids=lambda file: file.name)
def test_a_picture_is_legible_in_the_dark_and_said_in_words(picture: Path) -> None:
    drawn = picture.read_text()
    root = ET.fromstring(drawn)  # noqa: S314 (our own file)
    assert (root.get("role"), bool(root.get("aria-label"))) == ("img", True)
    assert "prefers-color-scheme: dark" in drawn


def test_arrows_go_down_only() -> None:
    picture = tool("picture")
    height = {room: number for number, layer in enumerate(picture.layers()) for room in layer}
    assert [(a, b) for a, others in picture.imports().items() for b in others if height[a] >= height[b]] == []


# the code


def test_functions_are_short() -> None:
    lengths = dict(functions())
    assert {name for name, length in lengths.items() if length > LONGEST} == TOO_LONG_STILL


def test_most_functions_are_very_short() -> None:
    lengths = sorted(length for _name, length in functions())
    assert statistics.median(lengths) < 10
    assert lengths[int(len(lengths) * 0.9)] <= 31


@pytest.mark.parametrize("folder", ["src", "tests", "tools", "bench", "examples"])
def test_a_silenced_rule_says_why(folder: str) -> None:
    silent = re.compile(r"# noqa(?!: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)* \(.{3,}\))")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files_of_the_repository()
        if path.suffix == ".py" and path.is_relative_to(ROOT / folder) and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if silent.search(line)
    ]
    assert found == []


def texts(path: Path) -> Iterator[ast.Constant]:
    """The texts in a module that the program uses: documentation is left out."""
    tree = ast.parse(path.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node


def test_the_package_names_no_address_but_this_machine() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{text.lineno}: {text.value[at.start() :][:50]}"
        for path in sources()
        for text in texts(path)
        for at in re.finditer(r"https?://", text.value)
        if not ADDRESSES_IN_CODE.match(text.value[at.start() :])
    ]
    assert found == []


def test_pages_load_nothing_from_elsewhere() -> None:
    outside = re.compile(r"""(src|href|url|import|from)\s*[=(]?\s*["']?(https?:)?//[a-z0-9]""")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in (SOURCE / "console").rglob("*")
        if path.suffix in {".css", ".js", ".html", ".svg"}
        for match in outside.finditer(path.read_text())
    ]
    assert found == []


def test_no_package_index_is_named_anywhere() -> None:
    hosts = re.compile("|".join(("py" + "pi.org", "python" + "hosted", "npm" + "js.", "deb." + "debian.org")))
    found = [
        str(path.relative_to(ROOT))
        for path in files_of_the_repository()
        if path.suffix not in {".png", ".ico", ".woff2", ".pyc"} and hosts.search(path.read_text(errors="replace"))
    ]
    assert found == []


# what is documented


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_setting_is_documented(name: str) -> None:
    assert tool("facts").sentences_of_fields(Settings).get(name), f"{name}: write a sentence under the field"
    assert f"`HOMEPORT_{name.upper()}`" in (DOCS / "reference" / "settings.md").read_text(), "run: make docs"


def test_every_error_code_is_documented() -> None:
    text = (DOCS / "reference" / "errors.md").read_text()
    assert [kind.code for kind in tool("facts").error_kinds(HomeportError) if f"`{kind.code}`" not in text] == []


def test_every_command_is_documented() -> None:
    text = (DOCS / "reference" / "commands.md").read_text()
    assert [words for words, _command in tool("facts").command_tree() if f"## `{words}`" not in text] == []


def test_every_endpoint_is_documented() -> None:
    text = (DOCS / "reference" / "endpoints.md").read_text()
    assert [path for path in tool("facts").all_paths() if f" {path}`" not in text] == [], "run: make docs"


@pytest.mark.parametrize(("room", "recipe"), SHELVES.items())
def test_a_shelf_has_a_recipe(room: str, recipe: str) -> None:
    text = (DOCS / "add" / f"{recipe}.md").read_text()
    assert f"src/homeport/{room}/" in text
    assert "tests/" in text


def test_the_navigation_and_the_pages_are_the_same() -> None:
    listed = set(re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")) + sorted(ROOT.glob("*.md")), ids=str)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if not target.startswith(("http", "mailto"))]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")) + sorted(ROOT.glob("*.md")), ids=str)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    names = re.findall(r"`((?:tests|tools|requirements|\.ci)/[\w./-]+\.(?:py|txt|sh))`", page.read_text())
    assert [name for name in names if not (ROOT / name).exists() and not name.startswith(INVENTED)] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "concepts" / "a-requests-life.md"], ids=str)
def test_the_hops_of_a_request_are_files(page: Path) -> None:
    hops = re.findall(r"^ (?:\d |  [├└]─) +(\w+/\w+\.py)", page.read_text(), flags=re.MULTILINE)
    assert len(hops) >= 6
    assert [hop for hop in hops if not (SOURCE / hop).exists()] == []


@pytest.mark.parametrize("record", sorted((DOCS / "decisions").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_is_short_and_enforced(record: Path) -> None:
    text = record.read_text()
    assert len(text.splitlines()) <= 40
    heads = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert heads == ["Context", "Decision", "Consequences", "Alternatives", "References", "Enforced by"]


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    zensical = Path(sys.executable).with_name("zensical")
    done = subprocess.run([zensical, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 (our own tool)
    assert done.returncode == 0, done.stdout + done.stderr
    loads = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*\ssrc="?(?:https?:)?//|<link[^>]*\shref="?(?:https?:)?//"""
    )
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md"))) / 2
    assert [str(page) for page in pages if loads.search(page.read_text())] == []


# the front of the house


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 180


def test_the_contribution_guide_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 100


def make_targets() -> dict[str, str]:
    """The Makefile's targets with their sentences."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    return dict(re.findall(r"^([a-z-]+):.*?## (.+)$", "\n".join(lines), flags=re.MULTILINE))


def test_the_makefile_explains_itself() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[0].split()
    assert sorted(make_targets()) == sorted(phony)
    assert len(phony) <= 10


def typed(page: Path) -> str:
    """What stands in a page as code, and so may be typed."""
    return "\n".join(re.findall(r"^```\w*\n.*?^```|`[^`\n]+`", page.read_text(), flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")) + sorted(ROOT.glob("*.md")), ids=str)
def test_what_a_page_tells_to_type_exists(page: Path) -> None:
    told = typed(page)
    assert set(re.findall(r"^(?:\$ )?make ([a-z-]+)|`make ([a-z-]+)`", told, flags=re.MULTILINE)) <= make_matches()
    known = {words for words, _command in tool("facts").command_tree()}
    groups = {words.rpartition(" ")[0] for words in known} - {"", "homeport"}
    commands = re.findall(r"(?:^|[/`]|\$ )homeport ([a-z][a-z-]*)((?: [a-z-]+)?)(?![\w.:/])", told, flags=re.MULTILINE)
    asked = {f"homeport {first}{second if f'homeport {first}' in groups else ''}" for first, second in commands}
    assert asked - known - EXAMPLES == set()


def make_matches() -> set[tuple[str, str]]:
    """Every target as either half of the pattern finds it."""
    return {pair for name in make_targets() for pair in ((name, ""), ("", name))}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", ".ci/run"])
def test_the_house_has(name: str) -> None:
    assert (ROOT / name).stat().st_size > 200


def test_the_licence_is_the_one_declared() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


def test_the_changelog_knows_this_version() -> None:
    assert f"[{homeport.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


# what is installed


ISOLATED = [
    str(path.relative_to(ROOT).with_suffix(""))
    for folder in ("examples", "tests/clients")
    for path in sorted((ROOT / folder).glob("*/requirements.txt"))
]
"""Locks of what runs in an environment of its own."""


def pins(name: str) -> dict[str, int]:
    """Each pinned package of a lock with the number of its hashes."""
    found: dict[str, int] = {}
    pin = ""
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        if line.lstrip().startswith("--hash=sha256:"):
            found[pin] += 1
        else:
            pin = line.removesuffix("\\").strip()
            assert re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==[\w.]+", pin), pin
            found[pin] = 0
    return found


@pytest.mark.parametrize("name", [f"requirements/{name}" for name in ("run", "dev", "uv")] + ISOLATED)
def test_every_pin_has_hashes(name: str) -> None:
    assert [pin for pin, hashes in pins(name).items() if not hashes] == []


def test_developers_run_what_is_shipped() -> None:
    names = {pin.partition(" ;")[0] for pin in pins("requirements/dev")}
    assert {pin.partition(" ;")[0] for pin in pins("requirements/run")} <= names


def test_locks_hold_no_addresses() -> None:
    locks = [*(ROOT / "requirements").iterdir(), *(ROOT / f"{name}.txt" for name in ISOLATED)]
    assert [path.name for path in locks if "://" in path.read_text()] == []
    assert not list(ROOT.glob("uv.lock"))


def test_hooks_are_not_fetched() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {entry["repo"] for entry in hooks["repos"]} <= {"local", "builtin"}
