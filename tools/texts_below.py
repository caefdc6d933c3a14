"""What the rooms below the console say to people: errors, findings, and what things are called, from the code.

They say it in English, composed: `BadRequest(f"There is no model {name!r}.")`. A message is the sentence with a named
place for each value, as the console knows it again: "There is no model {name}."
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOMEPORT = Path(__file__).resolve().parent.parent / "src" / "homeport"
ROOMS = (
    "access",
    "diagnostics",
    "domain",
    "families",
    "features",
    "front",
    "kit",
    "protocols",
    "providers",
    "routing",
    "store",
)
ROOT = "HomeportError"
ERROR = (0, 1, "saw", "fix")
SAID_IN: dict[str, tuple[int | str, ...]] = {
    "Check": ("question",),
    "Doubt": (0,),
    "Family": ("label",),
    "Feature": ("title", "section"),
    "Finding": ("saw", "fix"),
    "Health": ("note",),
    "Option": ("text",),
    "Provider": ("label",),
    "Step": (1, 2),
    "Suits": (1,),
    "Refusal": (1,),
    "Refused": (0,),
    "Unusable": (0,),
    "ValueError": (0,),
    "VaultError": ERROR,
    "WireProtocol": ("label",),
}
"""By class: which of its arguments people read. Errors of ours say both of theirs."""
TABLES = frozenset({"AGES", "ASSIGNED_BY", "SCOPES", "_REACH", "_WORDS"})
"""Constants of which people read the values."""
FINDINGS = "diagnostics/"
"""Here sentences are put together of parts: whatever looks like words is a message."""
LIKE_WORDS = re.compile(r"[A-Za-z{][a-z_]+[}.,:;?]* [({]?[a-z]")
NO_WORDS = re.compile(r"[^A-Za-z]*([A-Za-z][^A-Za-z]*)?$|\S*_\S*$|[a-z.]\S*$|homeport |# |http|def |.*[\n\\]")
"""Forms of values, names of settings, commands, and words that are a part of a sentence."""
ASKED = "providers/"
"""What is said here is about a model, or about a server that is none yet."""
ABOUT_A_MODEL = re.compile(r"^The model \{\w+\} (cannot be reached: )?")
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
INSIDE: dict[type[ast.expr], tuple[str, ...]] = {
    ast.Await: ("value",),
    ast.BoolOp: ("values",),
    ast.Dict: ("values",),
    ast.DictComp: ("value",),
    ast.GeneratorExp: ("elt",),
    ast.IfExp: ("body", "orelse"),
    ast.List: ("elts",),
    ast.ListComp: ("elt",),
    ast.Starred: ("value",),
    ast.Subscript: ("value",),
    ast.Tuple: ("elts",),
}
"""By kind of expression: the parts of it that it may give."""
DEEP = 8
"""Expressions within each other that are followed."""
Names = Mapping[str, list[ast.expr]]


class Said(NamedTuple):
    """A message and where it is."""

    file: str
    message: str


class Room:
    """The code below, as far as it says something."""

    def __init__(self) -> None:
        files = sorted(file for room in ROOMS for file in (HOMEPORT / room).rglob("*.py"))
        self.trees = {str(file.relative_to(HOMEPORT)): ast.parse(file.read_text()) for file in files}
        self.errors = _descendants(self.trees.values(), ROOT)
        self.constants = _by_name(each for tree in self.trees.values() for each in tree.body)
        self.dark: list[str] = []
        """Arguments of which nothing here tells what they say: they pass on what was said elsewhere."""

    def said(self) -> Iterator[Said]:
        """Every message."""
        for file, tree in self.trees.items():
            for message in _File(self, file, tree).messages():
                yield from (Said(file, each) for each in _with_words(file, message.strip()))


def _with_words(file: str, message: str) -> Iterator[str]:
    """The message, if it has words; of one about a model also what is told beside its name, or before it has one."""
    if NO_WORDS.match(re.sub(r"\{[a-z_0-9]+\}", "", message)):
        return
    yield message
    beside = ABOUT_A_MODEL.sub("", message)
    if beside != message and " " in beside and file.startswith((ASKED, "features/")):
        yield beside
    if beside != message and file.startswith(ASKED):
        yield re.sub(r"^The model \{\w+\}", "The server at {address}", message)


class _File:
    def __init__(self, room: Room, name: str, tree: ast.Module) -> None:
        self.room, self.name, self.tree = room, name, tree
        self.constants = _by_name(tree.body)
        self.functions = {each.name: each for each in _tops(tree) if isinstance(each, ast.FunctionDef)}

    def messages(self) -> Iterator[str]:
        """Everything that is said in it; names mean what they are assigned in the outermost function."""
        for name in sorted(TABLES & self.constants.keys()):
            yield from (each for value in self.constants[name] for each in self.of(value, {}))
        for top in _tops(self.tree):
            nodes = list(ast.walk(top))
            names = _by_name(nodes) if isinstance(top, FUNCTION) else {}
            yield from (message for node in nodes for message in self.at(node, names))

    def at(self, node: ast.AST, names: Names) -> Iterator[str]:
        """What one node says by itself."""
        if isinstance(node, ast.Dict):
            yield from _labels(node)
        if self.name.startswith(FINDINGS):
            yield from _findings(node)
        for argument in self.read(node) if isinstance(node, ast.Call) else ():
            said = list(self.of(argument, names))
            self.room.dark += [] if said else [f"{self.name}: {ast.unparse(argument)}"]
            yield from said

    def read(self, call: ast.Call) -> Iterator[ast.expr]:
        """The arguments that people read."""
        name = _called(call)
        wanted = ERROR if name in self.room.errors else SAID_IN.get(name, ())
        yield from (value for at, value in enumerate(call.args) if at in wanted)
        yield from (each.value for each in call.keywords if each.arg in wanted)

    def of(self, said: ast.expr, names: Names, depth: int = 0) -> Iterator[str]:
        """The messages that an expression may be."""
        if isinstance(said, ast.Constant) and isinstance(said.value, str):
            yield said.value.replace("{}", "{value}")
        if isinstance(said, ast.JoinedStr):
            yield template(said)
        for each in self.within(said, names) if depth < DEEP else ():
            yield from self.of(each, names, depth + 1)

    def within(self, said: ast.expr, names: Names) -> Iterable[ast.expr]:
        """The expressions of which one is made."""
        match said:
            case ast.JoinedStr(values=parts):
                values = [each.value for each in parts if isinstance(each, ast.FormattedValue)]
                return [each for each in values if isinstance(each, ast.IfExp | ast.Call | ast.Name)]
            case ast.Name(id=name):
                return names.get(name) or self.constants.get(name) or self.room.constants.get(name, ())
            case ast.Attribute(attr=name):
                return self.room.constants.get(name, ()) if name.isupper() else ()
            case ast.Call():
                return self.given(said)
        found = [getattr(said, each) for each in INSIDE.get(type(said), ())]
        return [one for each in found for one in (each if isinstance(each, list) else [each])]

    def given(self, call: ast.Call) -> Iterable[ast.expr]:
        """What a function of the same file may give, or what a method of texts works on."""
        name = _called(call)
        if isinstance(call.func, ast.Name) and name in self.functions:
            return [*_returned(self.functions[name]), *call.args]
        if name in {"MappingProxyType", "join"}:
            return call.args
        of_texts = isinstance(call.func, ast.Attribute) and name in {"format", "get", "replace", "removeprefix"}
        return [call.func.value] if of_texts else []


def _tops(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements of a module, and those of its classes in the place of these."""
    for each in tree.body:
        yield from each.body if isinstance(each, ast.ClassDef) else [each]


def _called(call: ast.Call) -> str:
    """The last word of what is called."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _findings(node: ast.AST) -> Iterator[str]:
    """Texts right below a node that look like words, and that do not document the code."""
    if isinstance(node, ast.Expr | ast.JoinedStr) or _asks_a_model(node):
        return
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and LIKE_WORDS.search(each.value):
            yield each.value
        if isinstance(each, ast.JoinedStr) and LIKE_WORDS.search(template(each)):
            yield template(each)


def _asks_a_model(node: ast.AST) -> bool:
    keys = [each.value for each in node.keys if isinstance(each, ast.Constant)] if isinstance(node, ast.Dict) else []
    return "content" in keys or (isinstance(node, ast.keyword) and node.arg == "prompt")


def _labels(table: ast.Dict) -> Iterator[str]:
    """What a form calls the options of a platform: their names, in words."""
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(value, ast.Call) and ast.unparse(value.func) == "Option":
            yield str(key.value).replace("_", " ").capitalize()


def _returned(function: ast.FunctionDef) -> Iterator[ast.expr]:
    nodes = list(ast.walk(function))
    names = _by_name(nodes)
    for each in nodes:
        if isinstance(each, ast.Return | ast.Yield) and each.value is not None:
            yield from names.get(each.value.id, ()) if isinstance(each.value, ast.Name) else (each.value,)


def _by_name(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """What each name may stand for."""
    found: dict[str, list[ast.expr]] = {}
    for name, value in _assigned(nodes):
        found.setdefault(name, []).append(value)
    return found


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Names and what is assigned to them, pairwise where several are."""
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and value else ():
            if isinstance(target, ast.Name):
                yield target.id, value
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                yield from (
                    (each.id, one)
                    for each, one in zip(target.elts, value.elts, strict=False)
                    if isinstance(each, ast.Name)
                )


def _descendants(trees: Iterable[ast.Module], root: str) -> frozenset[str]:
    """Names of a class and of all below it."""
    classes = [each for tree in trees for each in tree.body if isinstance(each, ast.ClassDef)]
    above = [(each.name, {ast.unparse(base).rpartition(".")[2] for base in each.bases}) for each in classes]
    found, more = {root}, {root}
    while more:
        more = {name for name, bases in above if bases & found} - found
        found |= more
    return frozenset(found)


def template(said: ast.JoinedStr) -> str:
    """A formatted text as a message: `f"{len(names)} of {all}"` is "{names} of {all}"."""
    names: dict[str, str] = {}
    made = ""
    for part in said.values:
        if isinstance(part, ast.FormattedValue):
            source = ast.unparse(part.value)
            name = names.get(source) or _named(part.value)
            while name in {each for known, each in names.items() if known != source}:
                name += "_"
            names[source] = name
            made += f"{{{name}}}"
        else:
            made += str(part.value)  # type: ignore[attr-defined]  (the other kind)
    return made


def _named(value: ast.expr) -> str:
    """What a value had best be called: by the name that it is made of."""
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lower().strip("_")
        case (
            ast.Call(func=ast.Name(id=("map")), args=[*_, inner])
            | ast.Call(func=ast.Name(id=("len" | "min" | "max" | "sorted" | "str" | "repr" | "list")), args=[inner, *_])
            | ast.Call(func=ast.Attribute(attr=("join" | "quote" | "ceil")), args=[inner, *_])
            | ast.Call(func=ast.Attribute(attr=("lower" | "strip" | "rstrip" | "capitalize" | "items"), value=inner))
            | (ast.Call(func=inner) | ast.Subscript(value=inner) | ast.BinOp(left=inner) | ast.Await(value=inner))
            | (ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner) | ast.Starred(value=inner))
            | ast.BoolOp(values=[inner, *_])
        ):
            return _named(inner)
    return "value"


if __name__ == "__main__":
    for each in sorted(set(Room().said())):
        print(each.file, "|", each.message)
