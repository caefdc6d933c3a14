"""Models, features and tokens from a TOML file, for a gateway without a database.

[[models]]
name = "coder"
platform = "openai"
family = "qwen_coder"
endpoint = "http://vllm.internal:8000/v1"
identifier = "Qwen2.5-Coder-7B"
key_env = "VLLM_KEY"            # or key_file; never the key itself
[models.limits]
concurrency = 128

[features]
code_completions = "coder"      # a model's name, or "disabled"
chat = "coder"

[[tokens]]
name = "editors"
scopes = ["complete_code", "duo_chat"]
token_env = "EDITORS_TOKEN"     # or token_file
"""

from __future__ import annotations

import asyncio
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from homeport.domain.errors import BadConfiguration
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Snapshot, Token

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

POLL_S = 1.0
Name = Annotated[str, Field(min_length=1, max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelEntry(_Strict):
    """A `[[models]]` table."""

    name: Name
    platform: Name = "openai"
    family: Name = "general"
    endpoint: str = Field("", pattern=r"^(https?://.+)?$")
    identifier: str = ""
    key_env: str = ""
    key_file: Path | None = None
    enabled: bool = True
    limits: dict[str, float | int] = Field(default={})


class TokenEntry(_Strict):
    """A `[[tokens]]` table."""

    name: Name
    scopes: list[str] = Field(min_length=1)
    token_env: str = ""
    token_file: Path | None = None


class Document(_Strict):
    """The whole file."""

    models: list[ModelEntry] = Field(default=[])
    features: dict[str, str] = Field(default={})
    tokens: list[TokenEntry] = Field(default=[])


@dataclass(slots=True)
class _Reader:
    file: Path
    seal: Callable[[str], bytes]

    def document(self) -> Document:
        try:
            return Document.model_validate(tomllib.loads(self.file.read_text(encoding="utf-8")))
        except OSError as error:
            raise self.wrong(f"it cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self.wrong(f"it is not TOML: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self.wrong(f"{where}: {first['msg']}") from error

    def model(self, entry: ModelEntry) -> Model:
        try:
            limits = Limits(**entry.limits)  # type: ignore[arg-type]  # checked by the constructor's names
        except TypeError as error:
            raise self.wrong(f"models.{entry.name}.limits: {error}") from error
        return Model(
            name=entry.name,
            platform=entry.platform,
            family=entry.family,
            endpoint=entry.endpoint,
            identifier=entry.identifier,
            key=Secret(self.secret(f"models.{entry.name}.key", entry.key_env, entry.key_file)),
            enabled=entry.enabled,
            limits=limits,
        )

    def token(self, entry: TokenEntry) -> Token:
        value = self.secret(f"tokens.{entry.name}.token", entry.token_env, entry.token_file)
        if not value:
            raise self.wrong(f"tokens.{entry.name}: neither token_env nor token_file is given")
        try:
            digest = self.seal(value)
        except ValueError as error:
            raise self.wrong(f"tokens.{entry.name}: {error}") from error
        return Token(name=entry.name, owner=entry.name, kind="service", digest=digest, scopes=frozenset(entry.scopes))

    def feature(self, name: str, value: str, known: set[str]) -> FeatureSetting:
        if value == "disabled":
            return FeatureSetting(feature=name, assignment="disabled")
        if value not in known:
            raise self.wrong(f"features.{name}: there is no model {value!r} in this file")
        return FeatureSetting(feature=name, assignment="model", model=value)

    def secret(self, where: str, variable: str, file: Path | None) -> str:
        """From the environment or a file; never from the TOML file itself."""
        if variable:
            if variable not in os.environ:
                raise self.wrong(f"{where}_env: the variable {variable} is not set")
            return os.environ[variable]
        try:
            return file.read_text(encoding="utf-8").strip() if file else ""
        except OSError as error:
            raise self.wrong(f"{where}_file: {file} cannot be read: {error.strerror}") from error

    def wrong(self, what: str) -> BadConfiguration:
        return BadConfiguration(f"The models file {self.file} is not usable: {what}.", "HOMEPORT_MODELS_FILE names it.")


def load(file: Path, seal: Callable[[str], bytes]) -> Snapshot:
    """The file as a snapshot; raises BadConfiguration that names the table and the field.

    `seal` gives a token's digest, or raises ValueError for a text that is no token.
    """
    reader = _Reader(file, seal)
    document = reader.document()
    models = {entry.name: reader.model(entry) for entry in document.models}
    features = {name: reader.feature(name, value, set(models)) for name, value in document.features.items()}
    tokens = [reader.token(entry) for entry in document.tokens]
    return Snapshot(models=models, features=features, tokens={token.digest: token for token in tokens})


class Watched:
    """The file's snapshot, read again when the file changes; a wrong file leaves the old one in place."""

    def __init__(self, file: Path, seal: Callable[[str], bytes]) -> None:
        self.current = load(file, seal)
        self.problem = ""
        self._file = file
        self._seal = seal
        self._seen = self._stamp()

    async def follow(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            self.look()

    def look(self) -> None:
        """Read the file again if it changed."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self.current = load(self._file, self._seal)
        except BadConfiguration as error:
            self.problem = str(error)
            log.error("models file not taken over", reason=error.saw)  # noqa: TRY400 (the sentence says it all)
        else:
            self.problem = ""
            log.info("models file read again", models=len(self.current.models))

    def _stamp(self) -> Any:  # noqa: ANN401 (an opaque mark)
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
