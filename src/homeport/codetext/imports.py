"""Which files of a project a file imports: where they would be, for whoever can look."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 40
"""Imports of one file that are followed."""
_JS_ENDINGS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".d.ts", "/index.ts", "/index.js")
_JVM = re.compile(r"^import (?:static )?([\w.]+)", re.MULTILINE)
_JS = re.compile(r"(?:from|import|require\() ?['\"](\.{1,2}/[^'\"\n]+)['\"]")
_C = re.compile(r'^\s*#\s*include "([^"\n]+)"', re.MULTILINE)
_PYTHON = re.compile(r"^\s*(?:from (\.*[\w.]*) import \(?([\w ,]*)|import ([\w., ]+))", re.MULTILINE)
_FINDS = {
    "js": _JS,
    "ts": _JS,
    "vue": _JS,
    "svelte": _JS,
    "java": _JVM,
    "kotlin": _JVM,
    "scala": _JVM,
    "c": _C,
    "cpp": _C,
    "go": re.compile(r'^\s*(?:import )?(?:\w+ )?"([\w.-]+(?:/[\w.-]+)+)"', re.MULTILINE),
    "rust": re.compile(r"^\s*(?:pub )?(?:use crate::([\w:]+)|mod (\w+);)", re.MULTILINE),
    "ruby": re.compile(r"^\s*require(?:_relative)? ['\"]([^'\"\n]+)['\"]", re.MULTILINE),
    "php": re.compile(r"^\s*use ([\w\\]+)|(?:require|include)(?:_once)? ?\(?(?:__DIR__ \. )?'([^'\n]+)'", re.MULTILINE),
    "lua": re.compile(r"require ?\(?['\"]([\w./]+)['\"]"),
}


def imported(text: str, language: str) -> tuple[tuple[str, ...], ...]:
    """For each import, the paths at which its file would be, the likeliest first; of Go a folder.

    Paths have slashes. One that begins with a dot is relative to the folder of the file itself; any other to a
    folder above it, or to one in which the project keeps its sources.
    """
    found = _python(text) if language == "python" else _others(text, language)
    return tuple(dict.fromkeys(paths for paths in chain.from_iterable(found) if paths))[:MOST]


def _python(text: str) -> Iterator[Iterator[tuple[str, ...]]]:
    for match in _PYTHON.finditer(text):
        source, names, plain = match.groups()
        if plain:
            yield (_module(each.split()[0]) for each in plain.split(",") if each.strip())
        else:
            yield iter([_module(source, *re.findall(r"\w+", names or ""))])


def _module(name: str, *members: str) -> tuple[str, ...]:
    """Where a module of Python is; what is imported from it may be a module itself."""
    dots = len(name) - len(name.lstrip("."))
    base = "./" + "../" * (dots - 1) if dots else ""
    path = base + name.lstrip(".").replace(".", "/")
    inner = tuple(f"{path.rstrip('/')}/{member}.py" for member in members[:5])
    own = (f"{path}.py", f"{path}/__init__.py") if name.strip(".") else ()
    return (*own, *inner)


def _others(text: str, language: str) -> Iterator[Iterator[tuple[str, ...]]]:
    pattern = _FINDS.get(language)
    for match in pattern.finditer(text) if pattern else ():
        name = next(filter(None, match.groups()), "")
        yield iter([_places(name, language)])


def _places(name: str, language: str) -> tuple[str, ...]:
    if language in {"js", "ts", "vue", "svelte"}:
        stem = re.sub(r"\.(?:js|mjs)$", "", name)
        return (name, *(stem + ending for ending in _JS_ENDINGS))
    if language in {"java", "kotlin", "scala"}:
        path = name.replace(".", "/")
        return tuple(f"{path}.{ending}" for ending in ("java", "kt", "scala"))
    if language == "go":
        parts = name.split("/")
        return tuple("/".join(parts[at:]) for at in range(len(parts)))
    if language == "rust":
        return _rust(name)
    if language == "php":
        path = name.strip("/").replace("\\", "/")
        return (path,) if path.endswith(".php") else (f"{path}.php", f"{path.partition('/')[2]}.php")
    ending = {"ruby": ".rb", "lua": ".lua"}.get(language, "")
    path = name.replace(".", "/") if language == "lua" else name
    return (path + ending, f"./{path}{ending}")


def _rust(name: str) -> tuple[str, ...]:
    """A module, or something in one."""
    parts = name.split("::")
    paths = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return tuple(f"{lead}{path}{ending}" for path in paths for ending in (".rs", "/mod.rs") for lead in ("./", ""))
