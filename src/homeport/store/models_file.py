"""Models, features and tokens from a TOML file, for a gateway without a database.

[[models]]
name = "coder"
platform = "openai"
family = "qwen_coder"
endpoint = "http://vllm.internal:8000/v1"
identifier = "Qwen2.5-Coder-7B"
key_env = "VLLM_KEY"            # or key_file; never the key itself
clean = true                    # false leaves its code as it comes
[models.limits]
concurrency = 128

[[models]]
name = "claude"
platform = "bedrock"
family = "claude_3"
identifier = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
[models.options]                # what the platform wants to know besides
region = "eu-central-1"

[features]
code_completions = "coder"      # a model's name, "disabled" or "inherit"
chat = "coder"                  # or ["coder", "spare"]: others to try after the first
[features.code_generations]     # or all that can be said
model = "coder"
weights = {coder = 3, claude = 1}
fallbacks = []
sticky = true                   # one file or conversation stays with one model
shadow = ""                     # a model that is asked the same, unseen

[[tokens]]
name = "editors"
scopes = ["complete_code", "duo_chat"]
token_env = "EDITORS_TOKEN"     # or token_file
"""

from __future__ import annotations

import asyncio
import os
import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from homeport.domain.errors import BadConfiguration, BadRequest
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Snapshot, Token
from homeport.store import checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = structlog.get_logger()
T = TypeVar("T")

POLL_S = 1.0
_CHARS = 1_000_000
_HEADER = re.compile(r"^\s*\[\[?\s*(\w+)\s*\]\]?", re.MULTILINE)

Assigned = Literal["disabled", "inherit"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ModelEntry(_Strict):
    """A `[[models]]` table."""

    name: str
    platform: str = "openai"
    family: str = "general"
    endpoint: str = ""
    identifier: str = ""
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


class Document(_Strict):
    """The whole file."""

    models: list[ModelEntry] = Field(default=[])
    features: dict[str, str | Annotated[list[str], Field(min_length=1)] | RouteEntry] = Field(default={})
    tokens: list[TokenEntry] = Field(default=[])


@dataclass(slots=True)
class _Reader:
    """One reading of one file; every error names the table, its line and the field."""

    file: Path
    seal: Callable[[str], bytes]
    fits: Callable[[Model], None]
    text: str = ""

    def snapshot(self) -> Snapshot:
        document = self.document()
        models = self.named("models", [self.model(at, entry) for at, entry in enumerate(document.models)])
        features = {name: self.feature(name, value, models) for name, value in document.features.items()}
        tokens = self.named("tokens", [self.token(at, entry) for at, entry in enumerate(document.tokens)])
        by_digest = {token.digest: token for token in tokens.values()}
        if len(by_digest) < len(tokens):
            raise self.wrong("two [[tokens]] are the same token")
        return Snapshot(models=models, features=features, tokens=by_digest)

    def document(self) -> Document:
        try:
            self.text = self.file.read_text(encoding="utf-8")[:_CHARS]
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
        field = ".".join(str(part) for part in rest)
        said = (
            "there is no such field"
            if first["type"] == "extra_forbidden"
            else first["msg"][:1].lower() + first["msg"][1:]
        )
        if field in {"key", "token"}:
            said = f"it does not belong in this file: name its variable in {field}_env or its file in {field}_file"
        return self.wrong(f"{field or table}: {said}", str(table), at)

    def model(self, at: int, entry: ModelEntry) -> Model:
        found = Model(
            name=entry.name,
            platform=entry.platform,
            family=entry.family,
            endpoint=entry.endpoint,
            identifier=entry.identifier,
            key=Secret(self.secret("models", at, "key", entry)),
            enabled=entry.enabled,
            options=entry.options,
            clean=entry.clean,
        )
        try:
            self.fits(found)
            return replace(checks.model(found), limits=checks.limits(entry.limits, Limits()))
        except BadRequest as error:
            raise self.wrong(f"{error.param}: {error}", "models", at) from error

    def token(self, at: int, entry: TokenEntry) -> Token:
        value = self.secret("tokens", at, "token", entry)
        if not value:
            raise self.wrong("give token_env or token_file", "tokens", at)
        try:
            digest = self.seal(value)
            checks.name(entry.name, of="token")
        except (ValueError, BadRequest) as error:
            raise self.wrong(str(error), "tokens", at) from error
        return Token(name=entry.name, owner=entry.name, kind="service", digest=digest, scopes=frozenset(entry.scopes))

    def feature(self, name: str, value: str | list[str] | RouteEntry, known: dict[str, Model]) -> FeatureSetting:
        if isinstance(value, str) and value in get_args(Assigned):
            return FeatureSetting(feature=name, assignment="disabled" if value == "disabled" else "inherit")
        setting = _setting(name, value)
        for model in setting.models:
            if model not in known:
                names = ", ".join(known) or "none"
                raise self.wrong(f"{name}: there is no model {model!r} in this file (there are: {names})", "features")
        if len(set(setting.models)) < len(setting.models):
            raise self.wrong(f"{name}: a model is named twice", "features")
        return setting

    def secret(self, table: str, at: int, what: str, entry: ModelEntry | TokenEntry) -> str:
        """From the environment or a file; never from the TOML file itself."""
        variable, file = getattr(entry, f"{what}_env"), getattr(entry, f"{what}_file")
        if variable and file:
            raise self.wrong(f"{what}_env and {what}_file are both given", table, at)
        if variable:
            if not os.environ.get(variable):
                raise self.wrong(f"{what}_env: the variable {variable} is not set", table, at)
            return os.environ[variable].strip()
        try:
            return (self.file.parent / file).read_text(encoding="utf-8").strip() if file else ""
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not plain text"
            raise self.wrong(f"{what}_file: {file} cannot be read: {reason}", table, at) from error

    def named(self, table: str, entries: list[T]) -> dict[str, T]:
        """Entries by their names, of which none may come twice."""
        found: dict[str, T] = {}
        for at, entry in enumerate(entries):
            name = str(entry.name)  # type: ignore[attr-defined]  # models and tokens both have one
            if name in found:
                raise self.wrong(f"name: {name!r} is there twice", table, at)
            found[name] = entry
        return found

    def wrong(self, what: str, table: str = "", at: int = 0) -> BadConfiguration:
        line = next((line for number, line in enumerate(self.lines(table)) if number == at), 0)
        place = f", line {line}, {'[features]' if table == 'features' else f'[[{table}]]'}" if line else ""
        return BadConfiguration(
            f"The models file {self.file}{place} is not usable: {what}.",
            "Mend it; a running gateway reads it again.",
        )

    def lines(self, table: str) -> Iterator[int]:
        """Numbers of the lines in which a table of this name begins."""
        for header in _HEADER.finditer(self.text):
            if header[1] == table:
                yield self.text.count("\n", 0, header.start(1)) + 1


def _setting(name: str, value: str | list[str] | RouteEntry) -> FeatureSetting:
    if isinstance(value, RouteEntry):
        fields = value.model_dump() | {"fallbacks": tuple(value.fallbacks)}
        return FeatureSetting(feature=name, assignment="model", **fields)
    first, *others = [value] if isinstance(value, str) else value
    return FeatureSetting(feature=name, assignment="model", model=first, fallbacks=tuple(others))


def anything(_model: Model) -> None:
    """Whatever is written about a model fits."""


def load(file: Path, seal: Callable[[str], bytes], fits: Callable[[Model], None] = anything) -> Snapshot:
    """The file as a snapshot; raises BadConfiguration that names the line, the table and the field.

    `seal` gives a token's digest, or raises ValueError for a text that is no token. `fits` raises BadRequest
    for a platform that there is not or an option that it does not have. A relative
    `key_file` or `token_file` is beside the models file.
    """
    return _Reader(file, seal, fits).snapshot()


class Watched:
    """The file's snapshot, read again when the file changes; a wrong file leaves the old one in place."""

    def __init__(self, file: Path, seal: Callable[[str], bytes], fits: Callable[[Model], None] = anything) -> None:
        """Read the file; raises BadConfiguration."""
        self._seen = _stamp(file)
        self.current = load(file, seal, fits)
        self.problem = ""
        self._file = file
        self._seal = seal
        self._fits = fits

    async def follow(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                self.look()
            except Exception:  # the edge of a task that must not end: the next change may do better
                log.exception("unexpected error while the models file was read")

    def look(self) -> None:
        """Read the file again if it changed."""
        stamp = _stamp(self._file)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            found = load(self._file, self._seal, self._fits)
        except BadConfiguration as error:
            self.problem = str(error)
            log.error("models file not taken over", reason=error.saw)  # noqa: TRY400 (the sentence says it all)
        else:
            self.current = replace(found, revision=self.current.revision + 1)
            self.problem = ""
            log.info("models file read again", models=len(self.current.models))


def _stamp(file: Path) -> Any:  # noqa: ANN401 (an opaque mark)
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
