"""Facts about Homeport as Markdown, read from the code itself; cog puts them into the documentation."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import itertools
import os
import pkgutil
import re
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import AliasChoices
from tables import NOTHING, table

import homeport
from clients import agent, clients_in_full, clients_in_short, proven, set_up  # noqa: F401 (pages call them)
from homeport import access, console, diagnostics, families, features, protocols, providers
from homeport.cli import _welcome
from homeport.cli._errors import FAILURES
from homeport.domain import errors
from homeport.domain.models import Limits
from homeport.kit import environment, server
from homeport.kit.discover import discover
from homeport.kit.metrics import Metrics
from homeport.kit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic.fields import FieldInfo

PACKAGE = Path(homeport.__file__).parent
COMPUTED = {"data_dir": "`.homeport/` in a checkout, else the platform's data directory"}
UNEXPECTED = "Something that should not happen; the log has more under the correlation id."
ALSO = re.compile(r"[;,:] also `AIGW_\w+`\.$")
"""The end of a sentence that names the second variable, which has a column of its own."""
COMPLETES = {"fim": "fills in the middle", "prefix": "continues the prefix", "chat": "asked in words"}


def code(*words: str) -> str:
    """Words as code, separated by commas."""
    return ", ".join(f"`{word}`" for word in words if word)


def first_line(thing: object) -> str:
    """The first sentence of something's documentation."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def sentence(text: str) -> str:
    """A text as one sentence with a full stop."""
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def room_names() -> list[str]:
    """Every room of the package, `app` included."""
    return sorted(info.name for info in pkgutil.iter_modules([str(PACKAGE)]))


def rooms() -> str:
    """What each room is for: the first line of its own documentation."""
    sentences = ((name, first_line(importlib.import_module(f"homeport.{name}"))) for name in room_names())
    return table(("Room", "What it is for"), ((f"`{name}`", text) for name, text in sentences))


def sentences_of_fields(kind: type) -> dict[str, str]:
    """The sentence under each field of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    found: dict[str, str] = {}
    for field, text in itertools.pairwise(statements):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return found


def variables(name: str, field: FieldInfo) -> list[str]:
    """The environment variables that set a field, ours first."""
    alias = field.validation_alias
    names = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [f"HOMEPORT_{name}"]
    return sorted({each.upper() for each in names if "_" in each and each.upper() != name.upper()}, reverse=True)


def default(name: str, field: FieldInfo) -> str:
    """A field's default as a reader would write it."""
    value = field.default
    if name in COMPUTED:
        return COMPUTED[name]
    if value in (None, "", ()):
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings() -> str:
    """Every setting: its variables, its default, its sentence."""
    told = sentences_of_fields(Settings)
    rows = (
        ("<br>".join(f"`{each}`" for each in variables(name, field)), default(name, field), ALSO.sub(".", told[name]))
        for name, field in Settings.model_fields.items()
    )
    return table(("Variable", "Default", "What it decides"), rows)


def limits() -> str:
    """Every limit of one model with its default."""
    told = sentences_of_fields(Limits)
    rows = ((f"`{field.name}`", f"`{field.default}`", told.get(field.name, "")) for field in dataclasses.fields(Limits))
    return table(("Limit", "Default", "What it decides"), rows)


def models_file() -> str:
    """The example of a models file that its reader carries in its documentation."""
    from homeport.store import models_file as reader  # noqa: PLC0415 (only this page needs the room)

    example = (reader.__doc__ or "").partition("\n\n")[2].rstrip()
    return f"```toml\n{example}\n```"


def error_kinds(root: type[errors.HomeportError] = errors.HomeportError) -> Iterator[type[errors.HomeportError]]:
    """The error tree, parents before children."""
    yield root
    for kind in root.__subclasses__():
        yield from error_kinds(kind)


def error_codes() -> str:
    """Every code a client may see; the first class that carries a code explains it, the server's own come last."""
    rows: dict[str, tuple[str, ...]] = {}
    for kind in error_kinds():
        told = UNEXPECTED if kind is errors.HomeportError else first_line(kind)
        rows.setdefault(kind.code, (f"`{kind.code}`", str(kind.status), told, sentence(kind.mend), kind.gitlab))
    for name, refused in server.REFUSED.items():
        rows.setdefault(name, (f"`{name}`", str(refused.status), refused.meaning, refused.mend, "A1001"))
    return table(("Code", "Status", "What it means", "How to fix it", "In GitLab's chat"), rows.values())


def codes_of_commands() -> str:
    """What a command that fails says with `--json`, beside the codes above."""
    rows = ((f"`{name}`", str(each.exit), each.meaning, each.mend) for name, each in FAILURES.items())
    return table(("Code", "Exit status", "What it means", "How to fix it"), rows)


def shelf_of_providers() -> str:
    """Where models run."""
    rows = (
        (f"`{key}`", offer.label, code(*offer.prefixes), "yes" if offer.text else "no")
        for key, offer in discover(providers, providers.Provider).items()
    )
    return table(("Platform", "What it reaches", "Identifier prefixes", "Continues plain text"), rows)


def options_of_providers() -> str:
    """What may be said of a model with `--option`, platform by platform."""
    parts = [f"### Every platform\n\n{_options(providers.COMMON)}"]
    for key, offer in discover(providers, providers.Provider).items():
        if offer.options:
            parts.append(f"### {offer.label} (`{key}`)\n\n{_options(offer.options)}")
    return "\n\n".join(parts)


def _options(known: Mapping[str, providers.Option]) -> str:
    rows = (
        (f"`{name}`", _allowed(each), "<br>".join(map(code, each.variables)), code(each.default), each.text)
        for name, each in known.items()
    )
    return table(("Option", "May be", "Else from the environment", "Else", "What it decides"), rows)


def _allowed(option: providers.Option) -> str:
    """The values of an option; one with a form of its own is explained by its sentence."""
    return code(*option.values) or "a text"


def shelf_of_families() -> str:
    """How models like to be asked."""
    rows = (
        (
            f"`{key}`",
            offer.label,
            COMPLETES[offer.completion],
            "yes" if offer.chat else "no",
            f"{offer.context_tokens:,}",
            offer.release,
        )
        for key, offer in discover(families, families.Family).items()
    )
    return table(("Family", "Models", "Completes code", "Chat", "Context, tokens", "State"), rows)


def family_names() -> str:
    """Every family's key in one sentence."""
    return code(*discover(families, families.Family)) + "."


def transcript() -> str:
    """What `tools/transcript.py` saw the last time it ran."""
    seen = PACKAGE.parent.parent / "docs" / "guides" / "transcript.txt"
    return f"```text\n{seen.read_text().rstrip()}\n```" if seen.exists() else NOTHING


def shelf_of_features() -> str:
    """What people can ask for."""
    rows = (
        (
            f"`{key}`",
            offer.title,
            code(offer.scope),
            code(offer.inherits),
            code(offer.template.id) if offer.template else "",
            "yes" if offer.listed else "no",
        )
        for key, offer in discover(features, features.Feature).items()
    )
    heads = ("Feature", "What it is", "Scope it needs", "Falls back to the setting of", "Prompt id", "Assigned")
    return table(heads, rows)


def wording_limits() -> str:
    """What a file of an administrator's own wording may hold."""
    from homeport.features import _folder  # noqa: PLC0415 (only this page needs it)

    return (
        f"At most {_folder.MOST_FILES} files of {_folder.MOST_BYTES // 1024} KiB, "
        f"{_folder.DEEPEST} folders deep; names that begin with a dot and files of other kinds are passed over."
    )


MANY = 7
"""So many paths are listed one by one in a short table."""


def shelf_of_protocols() -> str:
    """What Homeport speaks: one row a protocol, those of one kind (what stands before a colon) together."""
    rows: dict[str, list[str]] = {}
    for offer in discover(protocols, protocols.WireProtocol).values():
        rows.setdefault(offer.label.partition(":")[0], []).extend(in_short(offer))
    return table(
        ("Protocol", "Paths"),
        ((kind, code(*dict.fromkeys(found)).replace(", ", "<br>")) for kind, found in rows.items()),
    )


def in_short(offer: protocols.WireProtocol) -> list[str]:
    """Every path once; where there are many below one, that one and an ellipsis."""
    every = list(dict.fromkeys(path for route in offer.routes for path in route.paths))
    above = os.path.commonpath(every)
    return [f"{above}/…"] if len(every) > MANY and above != "/" else every


def paths(route: protocols.Ask | protocols.Act | protocols.Look) -> str:
    """The method and every path of an endpoint."""
    return "<br>".join(f"`{protocols.method_of(route)} {path}`" for path in route.paths)


def all_paths() -> list[str]:
    """Every path that a protocol serves."""
    shelf = discover(protocols, protocols.WireProtocol).values()
    return [path for offer in shelf for route in offer.routes for path in route.paths]


def need(wanted: access.Need) -> str:
    """What an endpoint asks of its caller."""
    if wanted.public:
        return "nobody asks"
    return f"`{wanted.scope}`" if wanted.scope else "any token"


def endpoints() -> str:
    """Every path of every protocol: one row an endpoint."""
    parts = []
    for key, offer in discover(protocols, protocols.WireProtocol).items():
        rows = ((paths(route), need(route.need), sentence(route.summary)) for route in offer.routes)
        source = f"`protocols/{key}.py`"
        parts.append(f"## {offer.label}\n\n{source}\n\n{table(('Endpoint', 'Scope', 'What it does'), rows)}")
    return "\n\n".join(parts) or NOTHING


def scopes() -> str:
    """What a token can be allowed."""
    return table(("Scope", "Allows to"), ((f"`{name}`", sentence(text)) for name, text in access.SCOPES.items()))


def shelf_of_checks() -> str:
    """What `homeport doctor` asks, in its order."""
    checks = discover(diagnostics, diagnostics.Check).items()
    ordered = sorted(checks, key=lambda item: item[1].order)
    return table(("Check", "Question"), ((f"`{key}`", offer.question) for key, offer in ordered))


def _kit(name: str) -> Any:  # noqa: ANN401 (a module)
    """A module of the tests' kit."""
    kit = str(PACKAGE.parents[1] / "tests" / "_kit")
    if kit not in sys.path:
        sys.path.append(kit)
    return importlib.import_module(name)


def openai_parameters() -> str:
    """What becomes of each parameter of OpenAI's completions, as the tests prove it."""
    found = _kit("parameters").fates()
    heads = ("Parameter", "Chat", "… of Anthropic", "… of Bedrock", "Completions", "… with `suffix`")
    rows = (
        (f"`{name}`", each.chat, each.turns["anthropic"], each.turns["bedrock"], each.text, each.hole)
        for name, each in found.items()
    )
    return table(heads, rows)


def completion_parameters() -> str:
    """What becomes of each parameter of completion clients' protocols, as the tests prove it: a table for each."""
    kit = _kit("tongues")
    parts = []
    for tongue in kit.TONGUES:
        fates: dict[str, list[str]] = {}
        for name in tongue.samples:
            fates.setdefault(kit.fate(tongue, name), []).append(f"`{name}`")
        given = ", ".join(f"`{name}`" for name in tongue.plain)
        rows = [("understood", ", ".join((given, *fates.pop("understood", ())))), *_joined(fates)]
        heading = f"## `{tongue.path}` {tongue.about}".rstrip()
        parts.append(f"{heading}\n\n{table(('What becomes of it', 'Parameters'), rows)}")
    return "\n\n".join(parts)


def _joined(fates: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(fate, ", ".join(names)) for fate, names in sorted(fates.items(), reverse=True)]


def broken_setups() -> str:
    """What the tests break, what doctor must name and what it must advise; the test's own words."""
    cases = _kit("broken").load_cases()
    rows = (
        (str(number), each.says, f"`{each.hop}`", f"… {each.saw} …", f"… {each.fix} …")
        for number, each in enumerate(cases, 1)
    )
    return table(("", "What is broken", "Hop that is named", "What doctor saw", "What it advises"), rows)


def shelf_of_pages() -> str:
    """The console's pages."""
    pages = discover(console, console.Page).values()
    return table(("Page", "Address", "Needs"), ((page.title, f"`{page.path}`", page.see) for page in pages))


def series() -> str:
    """Every metric that the code names."""
    rows = [
        (
            f"`{told.name}{'_total' * (told.type == 'counter')}`",
            told.type,
            code(*_labels(told)),
            sentence(told.documentation),
        )
        for told in Metrics().collect()
    ]
    return table(("Series", "Kind", "Labels", "What it counts"), sorted(rows))


def _labels(thing: Any) -> Sequence[str]:  # noqa: ANN401 (prometheus_client names no common base in public)
    return tuple(getattr(thing, "_labelnames", ()))


def foreign_variables() -> str:
    """Every variable of GitLab's AI Gateway, and what it does here."""
    known = environment.honoured()
    rows = (
        (
            f"`{each.name}`",
            f"honoured: `HOMEPORT_{known[each.name].upper()}`" if each.name in known else f"no effect: {each.why}",
        )
        for each in environment.FOREIGN
    )
    return table(("Variable", "What it does here"), rows)


def command_tree() -> Iterator[tuple[str, click.Command]]:
    """Every command by what one types, groups before their members."""
    main = importlib.import_module("homeport.cli").main
    yield from _below("homeport", main)


def _below(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if command.hidden:
        return
    yield words, command
    if isinstance(command, click.Group):
        with click.Context(command, info_name=words) as context:
            for name in command.list_commands(context):
                member = command.get_command(context, name)
                if member:
                    yield from _below(f"{words} {name.replace('_', '-')}", member)


def help_of(words: str, command: click.Command) -> str:
    """What `--help` prints, at a fixed width."""
    inherited = importlib.import_module("homeport.cli").main.context_settings | {"terminal_width": 100}
    return command.get_help(click.Context(command, info_name=words, **inherited))


def commands() -> str:
    """The help of every command."""
    parts = (f"## `{words}`\n\n```text\n{help_of(words, command)}\n```" for words, command in command_tree())
    return "\n\n".join(parts) or NOTHING


def compatibility() -> str:
    """What the conformance suite proves, section by section, in the suite's own sentences."""
    suite = _kit("conformance")
    found = suite.load_cases()
    parts = [f"{len(found)} cases."]
    for number, title in suite.SECTIONS.items():
        parts.append(f"{'###' if '.' in number else '##'} {number} {title}")
        said = Counter(case.says for case in found if case.section == number)
        if said:
            parts.append("\n".join(f"- {text_of(rule)}{_times(count)}" for rule, count in said.items()))
    return "\n\n".join(parts)


def _times(count: int) -> str:
    return f" ({count} cases)" if count > 1 else ""


def text_of(said: str) -> str:
    """A sentence as Markdown shows it word for word."""
    return re.sub(r"([\\`*_<>\[\]{}|])", r"\\\1", said)


def sample() -> str:
    """The command that completes a file of this checkout, as `homeport up` prints it."""
    return f"```\n.venv/bin/homeport complete {_welcome._place()}\n```"  # noqa: SLF001 (the sentence is its own)
