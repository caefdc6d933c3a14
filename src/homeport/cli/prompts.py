"""`homeport prompts`: what is said to the models, and who worded it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from homeport.cli._command import LOOK_AFTER, Group, json_option
from homeport.cli._output import note, result, table
from homeport.cli._session import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homeport.families import Family
    from homeport.features import Feature, Override, Template

FROM_FAMILY = {
    "code_completions": ("completion_temperature", "completion_tokens"),
    "code_generations": ("generation_temperature", "generation_tokens"),
}
"""Features whose numbers the family decides."""
SHOWN_CODE = "Models of this family are shown the code itself; they never see this wording."
TEXTS = ("system", "user", "prefill")


class _Shelves(NamedTuple):
    """All that is known of prompts here."""

    features: Mapping[str, Feature]
    families: Mapping[str, Family]
    overrides: Mapping[tuple[str, str], Override]

    @property
    def templates(self) -> dict[str, tuple[str, Template]]:
        """By prompt id: the feature's key and what it says."""
        return {each.template.id: (key, each.template) for key, each in self.features.items() if each.template}


def _folder(command: Callable[..., Any]) -> Callable[..., Any]:
    text = "A folder with wordings of your own.  [default: HOMEPORT_PROMPTS_DIR]"
    return click.option("--dir", "folder", type=click.Path(path_type=Path), help=text)(command)


@click.group(
    "prompts",
    cls=Group,
    section=LOOK_AFTER,
    examples=("homeport prompts list", "homeport prompts show chat/explain_code --family mistral"),
)
def command() -> None:
    """See what is said to the models, and check wordings of your own."""


@command.command("list", examples=("homeport prompts list", "homeport prompts list --json"))
@_folder
@json_option
def list_(*, folder: Path | None, as_json: bool) -> None:
    """List the prompts, the feature that each belongs to and who worded it."""
    shelves = _shelves(folder)
    rows = [_row(shelves, prompt, key, template) for prompt, (key, template) in sorted(shelves.templates.items())]
    result(
        rows,
        as_json=as_json,
        people=lambda: table(
            ("PROMPT", "FEATURE", "SCOPE", "VERSIONS", "REWORDED BY"),
            [
                (row["prompt"], row["feature"], row["scope"], " ".join(row["versions"]), " ".join(row["files"]) or "-")
                for row in rows
            ],
        ),
    )


def _row(shelves: _Shelves, prompt: str, key: str, template: Template) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "feature": key,
        "title": shelves.features[key].title,
        "scope": shelves.features[key].scope,
        "versions": list(template.versions),
        "slots": sorted(template.slots),
        "files": [each.file for (name, _family), each in shelves.overrides.items() if name == prompt],
    }


@command.command(
    "show",
    examples=(
        "homeport prompts show chat/explain_code",
        "homeport prompts show review_merge_request --family claude_3 --version 1.0.0",
        "homeport prompts show chat/fix_code --dir ./prompts --json",
    ),
)
@click.argument("prompt", metavar="ID")
@click.option("--family", default="general", show_default=True, help="The family of the model that it is said to.")
@click.option("--version", help="The version that a caller asks for, as a constraint.  [default: ^1.0.0]")
@_folder
@json_option
def show(*, prompt: str, family: str, version: str | None, folder: Path | None, as_json: bool) -> None:
    """Show what a prompt says, where each part of it comes from, and its slots."""
    shelves = _shelves(folder)
    if prompt not in shelves.templates:
        message = f"There is no prompt {prompt!r}. Known: {', '.join(sorted(shelves.templates))}."
        raise click.UsageError(message)
    document = _shown(shelves, prompt, family, version)
    result(document, as_json=as_json, people=lambda: _said(document))
    if document["shown_code"]:
        note(SHOWN_CODE)


def _shown(shelves: _Shelves, prompt: str, family: str, version: str | None) -> dict[str, Any]:
    """What will be said, as a JSON document."""
    from homeport.domain.versions import choose  # noqa: PLC0415 (only this command needs it)
    from homeport.families import resolve  # noqa: PLC0415 (as above)
    from homeport.features._wording import spoken  # noqa: PLC0415 (as above)

    key, template = shelves.templates[prompt]
    family, known = resolve(family, shelves.families)
    if not known:
        note(f"That is no family by name; it is asked like {family!r}.")
    found = choose(version, template.versions).version
    kind = shelves.families[family]
    said = spoken(shelves.overrides, template, found, key, (family, kind))
    temperature, tokens = (
        (getattr(kind, name) for name in FROM_FAMILY[key]) if key in FROM_FAMILY else _own(template, kind)
    )
    return {
        "prompt": prompt,
        "feature": key,
        "version": found,
        "family": family,
        **{part: {"text": getattr(said.wording, part), "from": said.sources[part]} for part in TEXTS},
        "temperature": {"value": _first(said.temperature, temperature), "from": said.sources["temperature"]},
        "max_tokens": {"value": _first(said.max_tokens, tokens), "from": said.sources["max_tokens"]},
        "stop": {"value": list(said.stop or ()), "from": said.sources["stop"]},
        "slots": sorted(template.slots),
        "shown_code": key == "code_completions" and kind.completion != "chat",
    }


def _own(template: Template, kind: Family) -> tuple[float | None, int]:
    """The temperature and the tokens of a prompt, as a family takes them; None is the server's own."""
    return template.temperature if kind.any_temperature else None, template.max_tokens + kind.thinking_tokens


def _first(given: Any, usual: Any) -> Any:  # noqa: ANN401 (a number of either kind)
    return usual if given is None else given


def _said(document: Mapping[str, Any]) -> str:
    head = f"{document['prompt']} {document['version']} for {document['family']}"
    numbers = [f"{name} {document[name]['value']} ({document[name]['from']})" for name in ("temperature", "max_tokens")]
    stop = document["stop"]
    if stop["value"]:
        numbers.append(f"stop {' '.join(map(repr, stop['value']))} ({stop['from']})")
    parts = [
        f"{click.style(f'[{part}]', bold=True)} {document[part]['from']}\n{document[part]['text'].rstrip()}"
        for part in TEXTS
        if document[part]["text"]
    ]
    slots = ", ".join(document["slots"])
    return "\n\n".join([f"{click.style(head, bold=True)}\n{', '.join(numbers)}\nslots: {slots}", *parts])


@command.command("check", examples=("homeport prompts check ./prompts", "homeport prompts check ./prompts --json"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def check(*, folder: Path, as_json: bool) -> None:
    """Check a folder of wordings as a server does at its start."""
    shelves = _shelves(folder)
    rows: list[dict[str, Any]] = [
        {"file": each.file, "prompt": prompt, "family": family or None, "parts": _parts(each)}
        for (prompt, family), each in shelves.overrides.items()
    ]
    result(
        rows,
        as_json=as_json,
        people=lambda: table(
            ("FILE", "PROMPT", "FAMILY", "REWORDS"),
            [(row["file"], row["prompt"], row["family"] or "all", " ".join(row["parts"])) for row in rows],
        ),
    )
    if not rows:
        note(f"There is no .toml file in {folder}.")


def _parts(override: Override) -> list[str]:
    """The keys that a file gives."""
    return [name for name in (*TEXTS, "temperature", "max_tokens", "stop") if getattr(override, name) is not None]


def _shelves(folder: Path | None) -> _Shelves:
    """Features, families and the wordings of a folder, or of the one that the settings name."""
    from homeport import families, features  # noqa: PLC0415 (loads every feature)
    from homeport.features._folder import load as load_wordings  # noqa: PLC0415 (loads pydantic)
    from homeport.kit.discover import discover  # noqa: PLC0415 (as above)

    offers, kinds = discover(features, features.Feature), discover(families, families.Family)
    where = folder if folder is not None else load().prompts_dir
    return _Shelves(offers, kinds, load_wordings(where, offers, kinds))
