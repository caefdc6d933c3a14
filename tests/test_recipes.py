"""The recipes in docs/add are not prose about code: they are code, and this runs it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r'^```python title="(?P<path>[^"]+)"\n(?P<code>.*?)^```', flags=re.DOTALL | re.MULTILINE)
NO_PYTHON = {"index", "language"}
"""Pages that tell to write none; what the one on languages tells is tried in tests/console/test_texts.py."""
PAGES = sorted(page.stem for page in (ROOT / "docs" / "add").glob("*.md") if page.stem not in NO_PYTHON)
KINDS = {
    "providers": "Provider",
    "families": "Family",
    "features": "Feature",
    "protocols": "WireProtocol",
    "console": "Page",
    "diagnostics": "Check",
    "cli": "Command",
    "_clients": "Client",
    "_graphql": "Fields",
}
CONFTEST = """
import importlib, importlib.util, pathlib, sys

source = pathlib.Path(__file__).parent / "src"
for path in source.rglob("*.py"):
    above = ".".join(path.relative_to(source).parent.parts)
    name = f"{above}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    room = importlib.import_module(above)
    room.__path__.append(str(path.parent))
    setattr(room, path.stem, module)
    spec.loader.exec_module(module)

exec(compile((pathlib.Path("{office}")).read_text(), "{office}", "exec"))
"""


def files(page: str) -> dict[str, str]:
    """The offer and its test, as the recipe tells to write them."""
    text = (ROOT / "docs" / "add" / f"{page}.md").read_text()
    found = {match["path"]: match["code"] for match in BLOCK.finditer(text)}
    assert [path.partition("/")[0] for path in found] == ["src", "tests"]
    return found


def write(folder: Path) -> None:
    """What all recipes tell to write."""
    for page in PAGES:
        for name, code in files(page).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)


def run(*command: str | Path) -> None:
    lean = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=lean)  # noqa: S603 (our own tools)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_a_recipe_offers_one_object(page: str, tmp_path: Path) -> None:
    name, code = next(iter(files(page).items()))
    path = tmp_path / Path(name).name
    path.write_text(code)
    spec = importlib.util.spec_from_file_location(f"recipe_{page}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    offers = [type(value).__name__ for value in vars(module).values()]
    assert offers.count(KINDS[Path(name).parent.name]) == 1


def test_the_tests_of_the_recipes_pass(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "conftest.py").write_text(CONFTEST.replace("{office}", str(ROOT / "tests" / "console" / "conftest.py")))
    config = tmp_path / "pytest.ini"
    config.write_text(
        "[pytest]\nanyio_mode = auto\naddopts = --import-mode=importlib -p no:cacheprovider\n"
        f"pythonpath = {ROOT / 'tests' / '_kit'}\n"
    )
    run(sys.executable, "-m", "pytest", "-q", "-p", "anyio", "-c", config, tmp_path / "tests")


def test_recipes_are_written_as_everything_is(tmp_path: Path) -> None:
    write(tmp_path)
    ruff = Path(sys.executable).with_name("ruff")
    config = (
        "--no-cache",
        "--config",
        ROOT / "pyproject.toml",
        "--config",
        'lint.isort.known-first-party=["homeport"]',
    )
    # what per-file-ignores would leave out if the files were where the recipes say, and imports for types in tests
    left_out = "INP001,D,S101,S105,S106,PLR2004,TC001,TC003"
    run(ruff, "check", "--quiet", "--ignore", left_out, *config, tmp_path)
    run(ruff, "format", "--diff", *config, tmp_path)
