"""Models, features and tokens from a TOML file, for a gateway without a database.

[[models]]
name = "coder"
platform = "openai"
family = "qwen_coder"
endpoint = "http://vllm.internal:8000/v1"
identifier = "Qwen2.5-Coder-7B"
key_env = "VLLM_KEY"            # or key_file, or key = "env:VLLM_KEY" or "file:PATH"; never the key itself
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
code_completions = "coder"      # a model's name, "disabled", "inherit" or "unassigned"
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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from homeport.domain.errors import BadConfiguration, BadRequest
from homeport.domain.models import Secret, Snapshot, Token
from homeport.store import checks
from homeport.store.documents import Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from homeport.domain.models import FeatureSetting, Model
    from homeport.store.documents import ModelEntry, Said, TokenEntry

log = structlog.get_logger()

POLL_S = 1.0
_STORED = frozenset({"stored", "none"})
"""What a configuration file may say of a key that is in a database."""


@dataclass(slots=True, kw_only=True)
class _Reader(Reader):
    seal: Callable[[str], bytes]
    fits: Callable[[Model], None]

    what: ClassVar[str] = "models file"
    fix: ClassVar[str] = "Mend it; a running gateway reads it again."

    def snapshot(self) -> Snapshot:
        document = self.document()
        models = self.named("models", [self.model(at, entry) for at, entry in enumerate(document.models)])
        features = {name: self.feature(name, value, models) for name, value in document.features.items()}
        tokens = self.named("tokens", [self.token(at, entry) for at, entry in enumerate(document.tokens)])
        by_digest = {token.digest: token for token in tokens.values()}
        if len(by_digest) < len(tokens):
            raise self.wrong("two [[tokens]] are the same token")
        return Snapshot(models=models, features=features, tokens=by_digest, settings=document.settings)

    def model(self, at: int, entry: ModelEntry) -> Model:
        if entry.key in _STORED:
            said = (
                f"key: {entry.key!r} is about a database, and this gateway has none: name the key's variable in key_env"
            )
            raise self.wrong(said, "models", at, "key")
        source = self.source(at, "key", entry)
        found = self.plain_model(at, entry, Secret(self.reveal(at, source) if source else ""))
        try:
            self.fits(found)
        except BadRequest as error:
            raise self.unfit(error, "models", at) from error
        return found

    def token(self, at: int, entry: TokenEntry) -> Token:
        source = self.source(at, "token", entry)
        if not source:
            raise self.wrong("give token_env or token_file", "tokens", at)
        try:
            digest = self.seal(self.reveal(at, source))
            checks.name(entry.name, of="token")
        except (ValueError, BadRequest) as error:
            raise self.wrong(str(error), "tokens", at) from error
        return Token(name=entry.name, owner=entry.name, kind="service", digest=digest, scopes=frozenset(entry.scopes))

    def feature(self, name: str, value: Said, known: dict[str, Model]) -> FeatureSetting:
        setting = self.setting(name, value)
        for model in setting.models:
            if model not in known:
                names = ", ".join(known) or "none"
                said = f"{name}: there is no model {model!r} in this file (there are: {names})"
                raise self.wrong(said, "features", 0, name)
        return setting


def anything(_model: Model) -> None:
    """Whatever is written about a model fits."""


def load(file: Path, seal: Callable[[str], bytes], fits: Callable[[Model], None] = anything) -> Snapshot:
    """The file as a snapshot; raises BadConfiguration that names the line, the table and the field.

    `seal` gives a token's digest, or raises ValueError for a text that is no token. `fits` raises BadRequest
    for a platform that there is not or an option that it does not have. A relative
    `key_file` or `token_file` is beside the models file.
    """
    return _Reader(file, seal=seal, fits=fits).snapshot()


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
