"""What may be written in a models file or a configuration file, and how a mistake in one is told."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from typing_extensions import override

from homeport.domain.errors import BadConfiguration, BadRequest
from homeport.domain.models import FeatureSetting, Limits, Model, Secret
from homeport.store import checks
from homeport.store.places import line_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

T = TypeVar("T")

Assigned = Literal["disabled", "inherit", "unassigned"]
ASSIGNED: dict[str, Assigned] = {"disabled": "disabled", "inherit": "inherit", "unassigned": "unassigned"}
"""What may stand in place of a model."""
_MOST_BYTES = 4_000_000
_ARRAYS = frozenset({"models", "tokens"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ModelEntry(_Strict):
    """A `[[models]]` table."""

    name: str
    platform: str = "openai"
    family: str = "general"
    endpoint: str = ""
    identifier: str = ""
    key: str = ""
    key_env: str = ""
    key_file: str = ""
    enabled: bool = True
    limits: dict[str, float | int] = Field(default={})
    options: dict[str, str] = Field(default={})
    clean: bool = True


class RouteEntry(_Strict):
    """A `[features.NAME]` table."""

    model: str
    weights: dict[str, Annotated[int, Field(ge=1, le=1000)]] = Field(default={})
    fallbacks: list[str] = Field(default=[])
    sticky: bool = False
    shadow: str = ""


class TokenEntry(_Strict):
    """A `[[tokens]]` table."""

    name: str
    scopes: Annotated[list[str], Field(min_length=1)]
    token_env: str = ""
    token_file: str = ""


Said = str | Annotated[list[str], Field(min_length=1)] | RouteEntry
"""The ways to say what serves a feature."""


def _text(value: object) -> object:
    """Raise ValueError for what was written without quotes."""
    if not isinstance(value, str):
        message = "settings are texts: write it in quotes"
        raise ValueError(message)  # noqa: TRY004 (pydantic tells these)
    return value


class Document(_Strict):
    """The whole file."""

    models: list[ModelEntry] = Field(default=[])
    features: dict[str, Said] = Field(default={})
    settings: dict[str, Annotated[str, BeforeValidator(_text)]] = Field(default={})
    tokens: list[TokenEntry] = Field(default=[])


Place = Literal["env", "file"]
_PLACES: dict[str, Place] = {"env": "env", "file": "file"}


class Source(NamedTuple):
    """Where a secret is: never in the file itself."""

    kind: Place
    name: str
    field: str
    """What the file says it with."""

    @override
    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(slots=True)
class Reader:
    """One reading of one file; every error names the line, the table and the field."""

    file: Path
    text: str = ""

    what: ClassVar[str] = "file"
    fix: ClassVar[str] = "Mend it."

    def document(self) -> Document:
        """The file's content; raises BadConfiguration."""
        try:
            content = self.file.read_bytes()
            if len(content) > _MOST_BYTES:
                raise self.wrong(f"it has {len(content)} bytes, and {_MOST_BYTES} are the most")
            self.text = content.decode("utf-8-sig")
            return Document.model_validate(tomllib.loads(self.text))
        except OSError as error:
            raise self.wrong(f"it cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self.wrong(f"it is not TOML: {error}") from error
        except ValidationError as error:
            raise self.misfit(error) from error

    def misfit(self, error: ValidationError) -> BadConfiguration:
        """The first of what does not fit, at its place; what was written is not shown: it may be a key."""
        errors = error.errors(include_url=False, include_input=False)
        # a feature may be said in several ways: the error that went deepest is about the way that was meant
        first = max(errors, key=lambda each: len(each["loc"])) if errors[0]["loc"][0] == "features" else errors[0]
        table, *rest = (part for part in first["loc"] if part != RouteEntry.__name__)
        at = int(rest.pop(0)) if rest and str(rest[0]).isdigit() else 0
        field = [str(part) for part in rest]
        said = (
            "there is no such field"
            if first["type"] == "extra_forbidden"
            else first["msg"].removeprefix("Value error, ")[:1].lower() + first["msg"].removeprefix("Value error, ")[1:]
        )
        if field == ["token"]:
            said = _elsewhere("token")
        return self.wrong(f"{'.'.join(field) or table}: {said}", str(table), at, *field)

    def named(self, table: str, entries: Sequence[T]) -> dict[str, T]:
        """Entries by their names, of which none may come twice."""
        found: dict[str, T] = {}
        for at, entry in enumerate(entries):
            name = str(entry.name)  # type: ignore[attr-defined]  # models and tokens both have one
            if name in found:
                raise self.wrong(f"name: {name!r} is there twice", table, at, "name")
            found[name] = entry
        return found

    def plain_model(self, at: int, entry: ModelEntry, key: Secret) -> Model:
        """What an entry says, as it can be stored; raises BadConfiguration."""
        fields = entry.model_dump(exclude={"key", "key_env", "key_file", "limits"})
        try:
            return replace(checks.model(Model(**fields, key=key)), limits=checks.limits(entry.limits, Limits()))
        except BadRequest as error:
            if error.param != "key":
                raise self.unfit(error, "models", at) from error
            said = next(name for name in ("key", "key_env", "key_file") if getattr(entry, name))
            raise self.wrong(f"{said}: {error}", "models", at, said) from error

    def unfit(self, error: BadRequest, table: str, at: int = 0) -> BadConfiguration:
        """The same error with its place."""
        field = error.param or ""
        return self.wrong(f"{field}: {error}", table, at, *field.split("."))

    def setting(self, name: str, value: Said) -> FeatureSetting:
        """What is said about a feature; raises BadConfiguration where a model is named twice."""
        setting = _setting(name, value)
        if len(set(setting.models)) < len(setting.models):
            raise self.wrong(f"{name}: a model is named twice", "features", 0, name)
        return setting

    def source(self, at: int, what: str, entry: ModelEntry | TokenEntry) -> Source | None:
        """Where the entry says that its secret is; raises BadConfiguration for the secret itself and for two places."""
        table = "models" if what == "key" else "tokens"
        said = [
            Source(kind, name, f"{what}_{kind}")
            for kind in _PLACES.values()
            if (name := getattr(entry, f"{what}_{kind}"))
        ]
        if form := getattr(entry, what, ""):
            word, _colon, name = form.partition(":")
            if not name.strip() or word not in _PLACES:
                raise self.wrong(f"{what}: {_elsewhere(what)}", table, at, what)
            said.append(Source(_PLACES[word], name.strip(), what))
        if len(said) > 1:
            names = " and ".join(each.field for each in said)
            raise self.wrong(f"{names} are both given", table, at, said[-1].field)
        return said[0] if said else None

    def reveal(self, at: int, source: Source) -> str:
        """The secret; raises BadConfiguration where it is not."""
        value, problem = self.held(source)
        if problem:
            table = "models" if source.field.startswith("key") else "tokens"
            raise self.wrong(f"{source.field}: {problem}", table, at, source.field)
        return value

    def held(self, source: Source) -> tuple[str, str]:
        """The secret, or why there is none."""
        if source.kind == "env":
            value = os.environ.get(source.name, "").strip()
            return value, "" if value else f"the variable {source.name} is not set or empty"
        try:
            value = (self.file.parent / source.name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not plain text"
            return "", f"{source.name} cannot be read: {reason}"
        return value, "" if value else f"{source.name} is empty"

    def wrong(self, what: str, table: str = "", at: int = 0, *field: str) -> BadConfiguration:
        """What is wrong and where: in which field of which table, the `at`-th of its name."""
        path: tuple[Any, ...] = (table, at) if table in _ARRAYS else (table,)
        line = line_of(self.text, *path, *field)
        named = f"[{table}]" if table in {"features", "settings"} else f"[[{table}]]"
        place = f", line {line}, {named}" if line else ""
        return BadConfiguration(
            f"The {self.what} {self.file}{place} is not usable: {what.removesuffix('.')}.", self.fix
        )


def _elsewhere(what: str) -> str:
    """Why a secret is not taken from the file."""
    return f"it does not belong in this file: name its variable in {what}_env or its file in {what}_file"


def _setting(name: str, value: Said) -> FeatureSetting:
    if isinstance(value, RouteEntry):
        fields = value.model_dump() | {"fallbacks": tuple(value.fallbacks)}
        return FeatureSetting(feature=name, assignment="model", **fields)
    if isinstance(value, str) and value in ASSIGNED:
        return FeatureSetting(feature=name, assignment=ASSIGNED[value])
    first, *others = [value] if isinstance(value, str) else value
    return FeatureSetting(feature=name, assignment="model", model=first, fallbacks=tuple(others))
