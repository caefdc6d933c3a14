"""An administrator's own wordings: a folder of TOML files, read and checked at start.

`chat/explain_code.toml` rewords a prompt for all models, `chat/explain_code/mistral.toml` for one family.
Keys: system, user, prefill, temperature, max_tokens, stop; what a file leaves out stays as it was.
"""

from __future__ import annotations

import difflib
import tomllib
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from homeport.domain.errors import BadConfiguration
from homeport.domain.wording import check
from homeport.families import resolve
from homeport.features import Override

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from homeport.families import Family
    from homeport.features import Feature, Template

MOST_BYTES = 64 * 1024
MOST_FILES = 500
DEEPEST = 5
SUFFIX = ".toml"
TEXTS = ("system", "user", "prefill")


class _File(BaseModel):
    """One file; nothing else may stand in it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    system: str | None = None
    user: str | None = None
    prefill: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=225)]], Field(max_length=16)] | None = None


def load(
    folder: Path | None, features: Mapping[str, Feature], families: Mapping[str, Family]
) -> dict[tuple[str, str], Override]:
    """All wordings of the folder, by prompt id and family ("" for all); none without a folder.

    Raises BadConfiguration that names the file and the key, and for a wrong slot the ones that there are.
    """
    if folder is None:
        return {}
    templates = {each.template.id: each.template for each in features.values() if each.template}
    if not folder.is_dir():
        raise BadConfiguration(f"The prompts folder {folder} is not there.", "HOMEPORT_PROMPTS_DIR names it.")
    found: dict[tuple[str, str], Override] = {}
    wrong: list[BadConfiguration] = []
    for number, path in enumerate(files(folder), 1):
        if number > MOST_FILES:
            raise _wrong(folder, f"it holds more than {MOST_FILES} files")
        try:
            key = _place(folder, path, templates, families)
            if key in found:
                raise _wrong(path, f"{found[key].file} rewords the same prompt for the same family")
            found[key] = _read(folder, path, templates[key[0]])
        except BadConfiguration as error:
            wrong.append(error)
    if wrong:
        raise BadConfiguration("\n".join(each.saw for each in wrong), wrong[0].fix) if wrong[1:] else wrong[0]
    return found


def files(folder: Path, *, below: int = DEEPEST) -> Iterator[Path]:
    """The TOML files of a folder, in order; a link must lead to a place inside, hidden names are passed over."""
    yield from _below(folder, folder.resolve(), below)


def _below(folder: Path, root: Path, levels: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise _wrong(folder, f"it cannot be read: {error.strerror}") from error
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise _wrong(path, "it is a link that leads out of the folder")
        if path.is_dir():
            if not levels:
                raise _wrong(path, f"it is more than {DEEPEST} folders deep")
            yield from _below(path, root, levels - 1)
        elif path.suffix == SUFFIX:
            yield path


def _place(
    folder: Path, path: Path, templates: Mapping[str, Template], families: Mapping[str, Family]
) -> tuple[str, str]:
    """The prompt id and the family that a file's place stands for."""
    name = path.relative_to(folder).with_suffix("").as_posix()
    if name in templates:
        return name, ""
    prompt, _, family = name.rpartition("/")
    if prompt not in templates:
        near = difflib.get_close_matches(name, templates, 1) or difflib.get_close_matches(prompt, templates, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known prompts: {', '.join(sorted(templates))}"
        raise _wrong(path, f"there is no prompt {name!r}; {hint}")
    key, known = resolve(family, families)
    if not known:
        raise _wrong(path, f"there is no family {family!r}; known families: {', '.join(sorted(families))}")
    return prompt, key


def _read(folder: Path, path: Path, template: Template) -> Override:
    content = _content(path)
    if not content.model_fields_set:
        raise _wrong(path, f"it says nothing; give at least one of {', '.join(_File.model_fields)}")
    flaws = [
        f"{part}, line {line}, column {column} of the text: {what}"
        for part in TEXTS
        for line, column, what in check(getattr(content, part) or "", template.slots)
    ]
    if flaws:
        raise _wrong(path, "; ".join(flaws))
    return Override(
        file=path.relative_to(folder).as_posix(),
        **content.model_dump(exclude={"stop"}),
        stop=None if content.stop is None else tuple(content.stop),
    )


def _content(path: Path) -> _File:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _wrong(path, f"it is larger than {MOST_BYTES // 1024} KiB")
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise _wrong(path, f"it cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, f"it is not TOML: {error}") from error
    except ValidationError as error:
        raise _wrong(path, "; ".join(map(_of_a_key, error.errors(include_url=False, include_input=False)))) from error


def _of_a_key(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such key; known keys: {', '.join(_File.model_fields)}"
    return f"{key}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _wrong(path: Path, what: str) -> BadConfiguration:
    return BadConfiguration(f"The wording {path} is not usable: {what}.", "Mend it and start again.")
