"""The catalogue of what the console says: src/homeport/console/texts/homeport.pot, from the code.

python tools/texts.py           writes it
python tools/texts.py --check   says whether it is up to date
"""

from __future__ import annotations

import ast
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po
from texts_below import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLE = Path(__file__).resolve().parent.parent / "src" / "homeport" / "console"
FILE = CONSOLE / "texts" / "homeport.pot"
METHODS = (("assets/codemirror/**", "ignore"), ("assets/uplot/**", "ignore"), ("assets/htmx.js", "ignore"),
           ("**.py", "python"), ("assets/**.js", "javascript"))  # fmt: skip
KEYWORDS = {"t": None, "rich": None, "mark": None, "tn": (1, 2), "Step": (1,)}
"""What marks a message: the functions of homeport.console._texts, and what stands above what is copied."""
HEAD = """\
# What the console of Homeport says. Written by `make docs`: change the code, not this file.
# How to translate it: docs/add/language.md.
msgid ""
msgstr ""
"Project-Id-Version: Homeport\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def catalogue() -> Catalog:
    """Every message, with the files that say it."""
    made = Catalog(charset="utf-8")
    found = extract_from_dir(
        CONSOLE, METHODS, keywords=KEYWORDS, comment_tags=("Translators:",), directory_filter=lambda _: True
    )
    for file, _line, message, comments, _context in found:
        made.add(message, None, [(file, 1)], auto_comments=comments)
    for file, message in _within_texts():
        made.add(message, None, [(file, 1)])
    for said in Room().said():
        made.add(said.message, None, [(f"homeport/{said.file}", 1)])
    return made


def _within_texts() -> Iterator[tuple[str, str]]:
    """Messages of calls that stand within formatted texts, into which Babel does not look."""
    for file in sorted(CONSOLE.rglob("*.py")):
        texts = (each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.JoinedStr))
        for call in (each for text in texts for each in ast.walk(text) if isinstance(each, ast.Call)):
            said = call.args[0] if call.args and ast.unparse(call.func) == "t" else None
            if isinstance(said, ast.Constant):
                yield str(file.relative_to(CONSOLE)), str(said.value)


def text(made: Catalog) -> str:
    """The file: by the code's files, without times and line numbers, so that only another text changes it."""
    out = io.BytesIO()
    write_po(out, made, width=0, omit_header=True, sort_by_file=True, include_lineno=False)
    return HEAD + out.getvalue().decode()


def main() -> int:
    """Write it, or compare."""
    now = text(catalogue())
    if "--check" not in sys.argv:
        FILE.write_text(now)
        return 0
    if FILE.read_text() == now:
        return 0
    print(f"{FILE.name} is not what the code says. Run: make docs")
    return 1


if __name__ == "__main__":
    sys.exit(main())
