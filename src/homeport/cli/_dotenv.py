"""Variables from a file `.env` in the working directory, which GitLab's AI Gateway reads too.

Source: AI Gateway protocol, section 15.1. The gateway alone reads one: other commands are typed anywhere, also in a
folder whose `.env` is somebody else's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from homeport.domain.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

NAME = ".env"


def adopt(environ: MutableMapping[str, str]) -> Sequence[str]:
    """Set what the file sets and the environment does not; gives the names.

    Raises BadConfiguration for a file that is no text, and OSError for one that cannot be read.
    """
    try:
        said = dotenv_values(Path(NAME), encoding="utf-8")
    except UnicodeDecodeError:
        where = Path(NAME).absolute()
        raise BadConfiguration(
            f"{where} is not a text in UTF-8.", "Write NAME=VALUE lines into it, or remove it."
        ) from None
    # as everywhere: names in any case, and what is set to nothing is not set
    known = {name.lower() for name, value in environ.items() if value}
    found = {name: value for name, value in said.items() if value and name.lower() not in known}
    environ.update(found)
    return tuple(found)
