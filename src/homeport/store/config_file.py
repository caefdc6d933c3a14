"""A configuration file: what a database shall hold, in the words of a models file, and back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from homeport.domain.models import Limits, Secret
from homeport.store.documents import Reader
from homeport.store.places import line_of
from homeport.store.plan import Desired, Key, Wanted, assigned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from homeport.domain.errors import BadConfiguration, BadRequest
    from homeport.domain.models import FeatureSetting, Model, Snapshot
    from homeport.store.documents import Document, ModelEntry
    from homeport.store.plan import Kind

HEAD = """\
# What this Homeport serves: its models, which of them serves each feature, its settings.
# `homeport config export` wrote it. Keep it in version control, edit it, then:
#
#   homeport config plan FILE     shows what would change
#   homeport config apply FILE    changes it, as a whole or not at all
#
# An entry says all about its model or feature: what it leaves out is as usual. Whatever has no entry
# stays as it is, unless you apply with --prune. Tokens and people are not in here.
"""
MODELS = """
# A model per [[models]]; `homeport models list`. Its key is never in this file:
#   key = "stored"        stays as the database has it for this endpoint
#   key = "env:VARIABLE"  is read from a variable when the file is applied
#   key = "file:PATH"     is read from a file; a relative path begins beside this one
#   key = "none"          is forgotten
"""
FEATURES = """
# NAME = "MODEL", or ["FIRST", "FALLBACK", …], "disabled", "inherit" or "unassigned";
# `homeport features list` has the names. A table says more: weights, fallbacks, sticky, shadow.
[features]
"""
SETTINGS = """
# What administrators set while it runs; the settings of before the start are in homeport.toml.
[settings]
"""
_TABLES: dict[Kind, str] = {"model": "models", "feature": "features", "setting": "settings"}
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(slots=True, kw_only=True)
class _Reader(Reader):
    family: Callable[[str], str]
    guess: Callable[[str], str]
    resolve: bool

    what: ClassVar[str] = "configuration file"
    fix: ClassVar[str] = "Nothing was changed."

    def desired(self) -> Desired:
        document = self.document()
        if document.tokens:
            said = (
                "tokens are made with `homeport tokens create`, and a database keeps nothing that could make one again"
            )
            raise self.wrong(said, "tokens")
        entries = self.named("models", document.models)
        return Desired(
            models={name: self.wanted(at, entry) for at, (name, entry) in enumerate(entries.items())},
            features={name: self.setting(name, value) for name, value in document.features.items()},
            settings=document.settings,
            kinds=frozenset(kind for kind, table in _TABLES.items() if table in document.model_fields_set),
            at=self.placed(document),
        )

    def wanted(self, at: int, entry: ModelEntry) -> Wanted:
        key, value = self.key(at, entry)
        named = "family" in entry.model_fields_set
        family = self.family(entry.family) if named else self.guess(entry.identifier or entry.name)
        return Wanted(model=self.plain_model(at, entry.model_copy(update={"family": family}), value), key=key)

    def key(self, at: int, entry: ModelEntry) -> tuple[Key, Secret]:
        """What the entry says of its key, and the key if it is at hand."""
        if entry.key in {"stored", "none"} and not (entry.key_env or entry.key_file):
            return Key("stored" if entry.key == "stored" else "none"), Secret()
        source = self.source(at, "key", entry)
        if source is None:
            return Key(), Secret()
        if self.resolve:
            return Key("given"), Secret(self.reveal(at, source))
        value, problem = self.held(source)
        if problem:
            line = line_of(self.text, "models", at, source.field)
            return Key("unknown", f"{self.file}, line {line}: {problem}."), Secret()
        return Key("given"), Secret(value)

    def placed(self, document: Document) -> Callable[[BadRequest, Kind, str], BadConfiguration]:
        """What tells an error about an entry with the entry's line."""
        at = {entry.name: at for at, entry in enumerate(document.models)}

        def place(error: BadRequest, kind: Kind, name: str) -> BadConfiguration:
            if kind == "model":
                return self.unfit(error, "models", at[name]) if name in at else self.wrong(str(error))
            return self.wrong(f"{name}: {error}", _TABLES[kind], 0, name)

        return place


def _general(_identifier: str) -> str:
    return "general"


def read(
    file: Path,
    *,
    family: Callable[[str], str] = str,
    guess: Callable[[str], str] = _general,
    resolve: bool = False,
) -> Desired:
    """What the file wants; raises BadConfiguration that names the line, the table and the field.

    `family` gives the key of a family by any of its names, `guess` that of a model whose entry names none. With
    `resolve`, a key that is not where the file says is an error; otherwise it is left open.
    """
    return _Reader(file, family=family, guess=guess, resolve=resolve).desired()


def write(snapshot: Snapshot) -> str:
    """A configuration file of all that a database holds, always in the same order; keys are left out of it."""
    models = [snapshot.models[name] for name in sorted(snapshot.models)]
    parts = [HEAD, MODELS, *map(_model, models)] if models else [HEAD, MODELS, "models = []\n"]
    parts += [FEATURES, *_features(assigned(snapshot))]
    parts += [SETTINGS, *_lines(sorted(snapshot.settings.items()))]
    return "".join(parts)


def _model(model: Model) -> str:
    said = {name: getattr(model, name) for name in ("name", "platform", "family", "endpoint", "identifier")}
    named = {name: value for name, value in said.items() if value}
    key = {"key": "stored"} if model.key else {}
    switches = {name: False for name in ("enabled", "clean") if not getattr(model, name)}
    usual = Limits()
    names = (each.name for each in fields(Limits))
    limits = {name: value for name in names if (value := getattr(model.limits, name)) != getattr(usual, name)}
    head = "".join(("\n[[models]]\n", *_lines({**named, **key, **switches}.items())))
    return head + _table("models.options", sorted(model.options.items())) + _table("models.limits", limits.items())


def _table(name: str, pairs: Iterable[tuple[str, Any]]) -> str:
    lines = "".join(_lines(pairs))
    return f"[{name}]\n{lines}" if lines else ""


def _lines(pairs: Iterable[tuple[str, Any]]) -> Iterator[str]:
    return (f"{key(name)} = {literal(value)}\n" for name, value in pairs)


def _features(settings: Mapping[str, FeatureSetting]) -> Iterator[str]:
    """Those that fit on a line, then those with a table: TOML wants it so."""
    said = {name: route(settings[name]) for name in sorted(settings)}
    yield from _lines((name, value) for name, value in said.items() if not isinstance(value, dict))
    for name, value in said.items():
        if isinstance(value, dict):
            yield f"\n{_table(f'features.{key(name)}', value.items())}"


def route(setting: FeatureSetting) -> str | list[str] | dict[str, Any]:
    """What serves a feature, in the shortest way to say it."""
    if not setting.model:
        return setting.assignment
    if not (setting.weights or setting.sticky or setting.shadow):
        return [setting.model, *setting.fallbacks] if setting.fallbacks else setting.model
    weights = {name: setting.weights[name] for name in sorted(setting.weights)}
    more = {"weights": weights, "fallbacks": list(setting.fallbacks), "sticky": setting.sticky}
    told = {name: value for name, value in {**more, "shadow": setting.shadow}.items() if value}
    return {"model": setting.model, **told}


def key(name: str) -> str:
    """A name as TOML has it to the left of a value."""
    return name if _BARE.fullmatch(name) else literal(name)


def literal(value: Any) -> str:  # noqa: ANN401 (whatever a configuration may hold)
    """A value as TOML writes it, on one line; equal numbers look alike."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key(name)} = {literal(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
