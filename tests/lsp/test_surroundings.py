"""Which other files are sent along, and how much of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homeport.codetext.imports import imported
from homeport.codetext.signatures import signatures
from homeport.lsp.surroundings import Open, surroundings

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "python": (
        "main.py",
        "from shapes.round import Circle\n",
        "src/shapes/round.py",
        "class Circle:\n    radius: float\n\n    def area(self,\n        scale: int) -> float:\n        inner = 3\n",
        "class Circle:\n    radius: float\n    def area(self, scale: int) -> float:",
    ),
    "ts": (
        "web/page.ts",
        'import { total } from "./sums.js"\n',
        "web/sums.ts",
        "export function total(items: number[]): number {\n  const inner = 1\n}\nconst hidden = 2\n",
        "export function total(items: number[]): number",
    ),
    "go": (
        "cmd/main.go",
        'import (\n\t"fmt"\n\t"example.com/shop/stock"\n)\n',
        "stock/stock.go",
        "package stock\n\nfunc Count(items []Item) int {\n\tinner := 0\n}\n",
        "func Count(items []Item) int",
    ),
    "rust": (
        "src/main.rs",
        "mod stock;\nuse crate::stock::Item;\n",
        "src/stock.rs",
        "pub struct Item {\n    inner: u8,\n}\n\npub fn count(items: &[Item]) -> usize {\n    0\n}\n",
        "pub struct Item\npub fn count(items: &[Item]) -> usize",
    ),
    "java": (
        "src/main/java/com/shop/Main.java",
        "package com.shop;\nimport com.shop.stock.Item;\n",
        "src/main/java/com/shop/stock/Item.java",
        "public class Item {\n    private int inner;\n    public int count(String sku) {\n    }\n}\n",
        "public class Item\n    public int count(String sku)",
    ),
    "c": (
        "src/main.c",
        '#include <stdio.h>\n#include "stock.h"\n',
        "include/stock.h",
        "#define LIMIT 3\nstruct item;\nint count(const struct item *items, int n);\n",
        "#define LIMIT 3\nstruct item;\nint count(const struct item *items, int n);",
    ),
    "ruby": (
        "app/main.rb",
        "require_relative 'stock'\n",
        "app/stock.rb",
        "class Stock\n  def count(items)\n    inner\n  end\nend\n",
        "class Stock\n  def count(items)",
    ),
    "php": (
        "public/index.php",
        "<?php\nuse Shop\\Stock\\Item;\n",
        "src/Stock/Item.php",
        "<?php\nclass Item {\n    public function count(array $items): int {\n        $inner = 1;\n    }\n}\n",
        "class Item\n    public function count(array $items): int",
    ),
}


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("language", FILES)
def test_what_is_imported_is_found_and_only_its_declarations_are_sent(language: str, tmp_path: Path) -> None:
    name, text, other, content, declared = FILES[language]
    write(tmp_path, other, content)
    (found,) = surroundings(Open(write(tmp_path, name, text), text), [], tmp_path, 10_000)
    assert (found.name, found.content, found.type) == (other, declared, "snippet")


def test_nothing_outside_of_the_project_is_read(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", "def secret(key: str) -> str:\n    return key\n"
    write(tmp_path, "outside.py", outside)
    text = "from ..outside import secret\nfrom ...etc import passwd\nimport linked\n"
    current = write(project, "package/main.py", text)
    write(project, ".hidden.py", outside)
    (project / "package" / "linked.py").symlink_to(tmp_path / "outside.py")
    assert surroundings(Open(current, text), [], project, 10_000) == ()
    assert surroundings(Open(current, text), [], None, 10_000) == ()


def test_the_budget_holds(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path, f"n{number:02}.py", f"def function_{number}(argument: int) -> int:\n    return 1\n" * 20)
    current = Open(write(tmp_path, "main.py", "x = 1\n"), "x = 1\n")
    opened = [Open(tmp_path / f"open{number}.py", "y = 2\n" * 100) for number in range(9)]
    found = surroundings(current, opened, tmp_path, 4000)
    assert sum(len(each.content) for each in found) <= 4000
    assert {each.type for each in found} == {"file", "snippet"}
    assert all(len(each.content) <= 1000 for each in found)
    assert all(each.name != "main.py" for each in found)


def test_a_long_open_file_is_sent_as_what_it_declares(tmp_path: Path) -> None:
    text = "def first(a):\n    return a\n" + "# filler\n" * 500
    (found,) = surroundings(Open(tmp_path / "a.py", "x"), [Open(tmp_path / "b.py", text)], None, 4000)
    assert (found.content, found.type) == ("def first(a):", "snippet")


def test_code_that_is_none_declares_nothing() -> None:
    assert signatures("def f():\n", "no-language", 100) == ""
    assert signatures("def f(" + "(" * 5000, "python", 100) == ""
    assert imported("import {x} from './y'", "no-language") == ()
    assert len(imported("\n".join(f"import m{n}" for n in range(500)), "python")) == 40
