"""What a file offers to others: its declarations, without what is in them.

Read line by line with one pattern for each language: no grammar is needed, and code that does not parse yet, as
code in an editor mostly does not, is read as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = 6
"""Lines that the head of one declaration may have."""
WIDTH = 240
"""Characters of a head; what is longer is cut."""
_MODIFIERS = (
    r"(?:(?:public|protected|internal|static|abstract|final|sealed|override|virtual|async|open|data|partial) )*"
)
_C = (
    r"^(?:(?:typedef |extern |static |inline |const )*(?:struct|class|enum|union|namespace) \w+"
    r"|#define [A-Z]\w+|[A-Za-z_][\w:<>,*& ]*[ *&][\w:~]+\()"
)
_JVM = (
    rf"^\s{{0,8}}{_MODIFIERS}"
    r"(?:(?:class|interface|enum|record|object|trait|fun|def|val|@interface) \w|[\w<>\[\], ?.]+ \w+\()"
)
_JS = (
    r"^(?:export )?(?:default )?(?:declare )?(?:async )?(?:abstract )?"
    r"(?:function\*?|class|interface|type|enum|namespace) \w|^export (?:const|let|var) \w"
    r"|^\s{2,4}(?:(?:static|async|readonly|get|set|public|protected|abstract) )*\w+\([^)]*\)[^;{=]*\{"
)
_DECLARATIONS = {
    "python": (
        r"^\s*(?:async )?(?:def|class) (?!_(?!_))\w|^[A-Z][A-Z0-9_]+(?:: [^=]+)? = "
        r"|^    [a-z]\w*: [\w\"\[\]|., ]*[\w\"\]](?: = .*[^,(])?$"
    ),
    "go": r"^(?:func|type|const|var) ",
    "rust": (
        r"^\s{0,4}pub(?:\([^)]*\))? (?:async |const |unsafe )*(?:fn|struct|enum|trait|type|const|mod|static) "
        r"|^(?:impl|trait)\b"
    ),
    "js": _JS,
    "ts": _JS,
    "java": _JVM,
    "kotlin": _JVM,
    "scala": _JVM,
    "csharp": _JVM.replace("interface", "interface|struct|namespace|delegate"),
    "swift": rf"^\s{{0,4}}{_MODIFIERS}(?:func|class|struct|enum|protocol|extension|init|typealias)\b",
    "ruby": r"^\s*(?:class|module|def) |^\s*attr_\w+ ",
    "php": r"^\s{0,4}(?:(?:public|protected|static|abstract|final) )*(?:function|class|interface|trait|enum) \w",
    "c": _C,
    "cpp": _C,
    "lua": r"^(?:local )?function ",
    "dart": rf"^\s{{0,2}}{_MODIFIERS}(?:class|enum|mixin|extension) \w|^\s{{0,2}}[\w<>?]+ \w+\(",
    "elixir": r"^\s*(?:defmodule|def|defmacro|defstruct|@callback|@spec) ",
}
_PATTERNS = {language: re.compile(pattern) for language, pattern in _DECLARATIONS.items()}
_NOT = re.compile(r"^\s*(?:return|else|if|for|while|switch|catch|new|throw|await|using|case|do)\b")


def known(language: str) -> bool:
    """Whether declarations are recognised in this language, by its id."""
    return language in _PATTERNS


def signatures(text: str, language: str, room: int) -> str:
    """The heads of the declarations of a file, one after the other, in at most `room` characters.

    `language` is an id of `codetext.language`. Empty where nothing is declared, or nothing is known of the language.
    """
    kept: list[str] = []
    for head in _heads(text.split("\n"), language):
        room -= len(head) + 1
        if room < 0:
            break
        kept.append(head)
    return "\n".join(kept)


def _heads(lines: list[str], language: str) -> Iterator[str]:
    pattern = _PATTERNS.get(language)
    for at, line in enumerate(lines):
        if pattern and len(line) < WIDTH and pattern.match(line) and not _NOT.match(line):
            yield _head(lines[at : at + HEADER])


def _head(lines: list[str]) -> str:
    """The first of these lines, with those that follow while a bracket is open."""
    head = ""
    for line in lines:
        head = f"{head} {line.strip()}" if head else line.rstrip()
        if head.count("(") <= head.count(")"):
            break
    return head[:WIDTH].rstrip().removesuffix("{").rstrip()
