"""`homeport models`: the models that Homeport may ask."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from homeport.cli._command import SET_UP, Group, json_option
from homeport.cli._options import options
from homeport.cli._output import note, result, sheet, table, warn
from homeport.cli._session import in_store, load, whoami
from homeport.domain.errors import InUse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from homeport.domain.models import Model
    from homeport.store.database import Store


class Given(TypedDict, total=False):
    """The options of `add` and `edit`; None where one was left out."""

    family: str | None
    endpoint: str | None
    identifier: str | None
    platform: str | None
    api_key_env: str | None
    api_key_file: Path | None
    no_api_key: bool
    option: tuple[str, ...]
    rename: str | None
    disabled: bool
    beta: bool
    clean: bool | None
    context_tokens: int | None
    output_tokens: int | None
    prompt_tokens: int | None
    concurrency: int | None
    queue: int | None
    queue_s: float | None
    connect_s: float | None
    first_token_s: float | None
    idle_s: float | None
    total_s: float | None


class Sought(TypedDict):
    """The options of `detect` that say where to look."""

    platform: str | None
    option: tuple[str, ...]
    identifier: str | None
    api_key_env: str | None
    api_key_file: Path | None


def _number(flag: str, name: str, text: str, default: str) -> Callable[[Any], Any]:
    kind = (
        click.FloatRange(min=0, min_open=name != "queue_s")
        if name.endswith("_s")
        else click.IntRange(min=int(name == "concurrency"))
    )
    return click.option(flag, name, type=kind, help=f"{text}  [default: {default}]")


_registration = options(
    click.option("--family", help="How the model likes to be asked.  [default: guessed from the identifier]"),
    click.option("--endpoint", metavar="URL", help="Base URL of its server, up to and including /v1."),
    click.option("--identifier", metavar="ID", help="The name under which its server knows it."),
    click.option("--platform", help="How the server is reached.  [default: openai, for all that speak its format]"),
    click.option("--api-key-env", metavar="VAR", help="The environment variable that holds the server's key."),
    click.option(
        "--api-key-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The file that holds the server's key.",
    ),
    click.option(
        "--option",
        metavar="NAME=VALUE",
        multiple=True,
        help="What else there is to know (region=…, proxy=…); several times for several, NAME= forgets one.",
    ),
    click.option("--beta", is_flag=True, help="Allow beta and experimental families, from now on, if this is one."),
    click.option(
        "--clean/--no-clean",
        default=None,
        help="Take sentinels, fences and repetitions out of its code, or leave it as it comes.  [default: clean]",
    ),
    _number("--context-tokens", "context_tokens", "The model's context window.", "its family's"),
    _number("--max-output", "output_tokens", "The most tokens of one answer.", "4096"),
    _number("--max-prompt", "prompt_tokens", "The most tokens of a completion prompt.", "what the window allows"),
    _number("--concurrency", "concurrency", "Requests that run at the model at once.", "64"),
    _number("--queue", "queue", "Requests that may wait for their turn.", "256"),
    _number("--queue-s", "queue_s", "Seconds that one may wait for its turn.", "10"),
    _number("--connect-s", "connect_s", "Seconds that connecting may take, TLS and proxy included.", "3"),
    _number("--first-token-s", "first_token_s", "Seconds until the answer must begin.", "60"),
    _number("--idle-s", "idle_s", "Seconds that a stream may stay silent.", "60"),
    _number("--total-s", "total_s", "Seconds that one answer may take in all.", "900"),
)


@click.group(
    "models",
    cls=Group,
    section=SET_UP,
    examples=(
        "homeport models add coder --endpoint http://gpu1:8000/v1 --identifier qwen-coder",
        "homeport models test coder",
        "homeport models list",
    ),
)
def command() -> None:
    """Register, test and change the models that you run.

    A running server sees each change within two seconds; open requests end on the model they began with.
    """


@command.command(
    "add",
    examples=(
        "homeport models add coder --endpoint http://gpu1:8000/v1 --identifier qwen-coder",
        "KEY=… homeport models add coder --endpoint https://gpu1/v1 --identifier qwen-coder --api-key-env KEY",
        "homeport models add chatty --family llama3 --endpoint http://gpu2:8080/v1 --identifier llama-3.1-8b",
        "homeport models add claude --identifier bedrock/eu.anthropic.claude-opus-4-8 --option region=eu-central-1",
    ),
)
@click.argument("name")
@_registration
@click.option("--disabled", is_flag=True, help="Register it without letting it serve yet.")
@json_option
def add(*, name: str, as_json: bool, **given: Unpack[Given]) -> None:
    """Register a model under a NAME of your choice.

    The key is read from a variable or a file, never from the command line, where others could see it.
    """
    from homeport.cli import _models  # noqa: PLC0415 (loads every family and platform)

    model, said = _models.registration(name, given)
    stored = in_store(lambda store: _models.add(store, model, beta=given["beta"]), make=True)
    concerns = list(_models.doubts(stored))
    result(
        {**_models.facts(stored), "warnings": concerns},
        as_json=as_json,
        people=lambda: f"Registered {name}: {stored.platform}, family {stored.family}{said and f' ({said})'}.",
    )
    for concern in concerns:
        warn(concern)
    quoted = shlex.quote(name)
    note(f"Test it:    homeport models test {quoted}")
    serves = "embeddings" if _models.embeds(stored) else "code_completions"
    note(f"Assign it:  homeport features set {serves} {quoted}")


@command.command("duplicate", examples=("homeport models duplicate coder", "homeport models duplicate coder coder-b"))
@click.argument("name")
@click.argument("to", required=False, metavar="[NEW]")
@json_option
def duplicate(*, name: str, to: str | None, as_json: bool) -> None:
    """Register another model like this one, with its key; without a NEW name it is called NAME-2."""
    from homeport.cli import _models  # noqa: PLC0415 (loads every family and platform)

    wanted = _models.free_name(to) if to else ""
    made = in_store(lambda store: store.copy_model(name, wanted, by=whoami()))
    result(_models.facts(made), as_json=as_json, people=lambda: f"Registered {made.name}, like {name}.")
    note(f"Change it:  homeport models edit {shlex.quote(made.name)} --endpoint URL")


@command.command("list", examples=("homeport models list", "homeport models list --json"))
@json_option
def list_(*, as_json: bool) -> None:
    """List the registered models, and how they are by the word of the server that runs."""
    from homeport.cli._models import facts, health  # noqa: PLC0415 (loads every family and platform)

    found = in_store(lambda store: store.models())
    healths, why_not = health(load())
    shown = [{**facts(model), "health": healths.get(model.name)} for model in found]
    result(shown, as_json=as_json, people=lambda: _listed(found, healths))
    if found and why_not:
        note(f"Health is unknown: {why_not}")
    if not found:
        note(f"No model is registered in {load().data_dir}.")
        note("Register one:  homeport models add NAME --endpoint URL --identifier ID")


def _health(told: Mapping[str, Any]) -> str:
    """As the console says it."""
    return ", ".join(filter(None, (told.get("state", "unknown"), told.get("note", ""))))


def _listed(found: list[Model], healths: Mapping[str, Mapping[str, Any]]) -> str:
    head = ("NAME", "PLATFORM", "FAMILY", "ENDPOINT", "IDENTIFIER", "KEY", "STATE", "HEALTH")
    rows = (
        (
            model.name,
            model.platform,
            model.family,
            model.endpoint or "-",
            model.identifier or "-",
            "yes" if model.key else "-",
            "enabled" if model.enabled else "disabled",
            _health(healths.get(model.name, {})),
        )
        for model in found
    )
    return table(head, rows)


@command.command("show", examples=("homeport models show coder",))
@click.argument("name")
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Show a model with its limits; its key is never shown."""
    from homeport.cli._models import facts  # noqa: PLC0415 (loads every family and platform)

    model, seen = in_store(lambda store: _with_seen(store, name))
    shown = facts(model) | {"seen": seen}
    if seen is None:
        note(f"See what it can do:  homeport models detect {shlex.quote(name)}")
    limits, options = shown.pop("limits"), shown.pop("options")
    plain = {name: "yes" if value is True else "no" if value is False else value for name, value in shown.items()}
    plain |= {"key": "set" if model.key else "none", **options, **limits, "seen": _seen(seen)}
    result({**shown, "options": options, "limits": limits}, as_json=as_json, people=lambda: sheet(plain.items()))


async def _with_seen(store: Store, name: str) -> tuple[Model, dict[str, Any] | None]:
    """A model, and what it was seen to do, if that was ever looked at."""
    model = await store.model(name)
    found = (await store.capabilities()).get(name)
    return model, found and {"at": found[0].isoformat(), **found[1].as_json()}


def _seen(seen: Mapping[str, Any] | None) -> str:
    if seen is None:
        return "nothing yet"
    able = [what for what in ("chat", "text", "streams", "tools") if seen[what]]
    holes = ", ".join(f"{layout} {score:.0%}" for layout, score in seen["holes"].items() if score > 0)
    return f"{', '.join(able) or 'nothing'}; holes: {holes or 'none filled'} ({seen['at'][:10]})"


@command.command(
    "test",
    examples=("homeport models test coder", "homeport models test coder --json"),
)
@click.argument("name")
@json_option
def test(*, name: str, as_json: bool) -> None:
    """Ask a model for real: its address, its key, its name, an answer."""
    from homeport.cli import _doctor  # noqa: PLC0415 (loads the checks)

    _doctor.test_model(load(), name, as_json=as_json)


@command.command(
    "detect",
    examples=(
        "homeport models detect http://gpu1:8000/v1",
        "homeport models detect http://gpu1:8000/v1 --identifier qwen-coder",
        "homeport models detect $AZURE_ENDPOINT --platform azure --identifier my-deployment --api-key-env KEY",
        "homeport models detect --platform bedrock --option region=eu-central-1",
        "homeport models detect coder",
    ),
)
@click.argument("url", metavar="[URL|NAME]", required=False)
@click.option("--platform", help="How the server is reached.  [default: by its host name, else openai]")
@click.option("--option", metavar="NAME=VALUE", multiple=True, help="What else its platform wants to know (region=…).")
@click.option("--identifier", metavar="ID", help="Of several models, the one whose abilities are found out.")
@click.option("--prove/--no-prove", default=True, help="Ask the model for real, or only list names.  [default: prove]")
@click.option("--api-key-env", metavar="VAR", help="The environment variable that holds the server's key.")
@click.option(
    "--api-key-file", metavar="FILE", type=click.Path(path_type=Path), help="The file that holds the server's key."
)
@json_option
def detect(*, url: str | None, prove: bool, as_json: bool, **sought: Unpack[Sought]) -> None:
    """Find out what a server serves and what its model can do, and how to register it.

    The model is asked to chat, to stream, to call a tool, and to fill three holes in code in every layout that
    Homeport knows: the layout that fills them is the one it was trained with. Of a registered model (NAME), what
    was seen is kept and shown by `models show`, and decides how completions are asked for. A platform that knows its
    own address needs no URL; the embedded model's engine is started for it.
    """
    from homeport.cli import _detect  # noqa: PLC0415 (loads every family and platform)

    wanted = _detect.Wanted(url=url or "", prove=prove, **sought)
    _detect.detect(load(), wanted, as_json=as_json)


@command.command(
    "edit",
    examples=(
        "homeport models edit coder --concurrency 128",
        "homeport models edit coder --endpoint http://gpu9:8000/v1",
        "NEW_KEY=… homeport models edit coder --api-key-env NEW_KEY",
    ),
)
@click.argument("name")
@_registration
@click.option("--no-api-key", is_flag=True, help="Forget the stored key.")
@click.option("--rename", metavar="NAME", help="Call it something else; the features that it serves follow.")
@json_option
def edit(*, name: str, as_json: bool, **given: Unpack[Given]) -> None:
    """Change some of what is registered; what you leave out stays.

    A stored key stays only as long as the endpoint's host and port do: it is never sent elsewhere.
    """
    from homeport.cli import _models  # noqa: PLC0415 (loads every family and platform)

    changes = _models.changes(given)
    if not changes:
        message = "There is nothing to change. Name at least one option."
        raise click.UsageError(message)
    edited = in_store(lambda store: _models.edit(store, name, changes, beta=given["beta"]))
    concerns = [*edited.notes, *_models.doubts(edited.model)]
    result(
        {**_models.facts(edited.model), "warnings": concerns},
        as_json=as_json,
        people=lambda: f"Changed {edited.model.name}: {', '.join(changes)}.",
    )
    for concern in concerns:
        warn(concern)


@command.command("disable", examples=("homeport models disable coder",))
@click.argument("name")
@json_option
def disable(*, name: str, as_json: bool) -> None:
    """Stop sending requests to a model; its registration stays."""
    _switch(name, enabled=False, as_json=as_json)


@command.command("enable", examples=("homeport models enable coder",))
@click.argument("name")
@json_option
def enable(*, name: str, as_json: bool) -> None:
    """Send requests to a disabled model again."""
    _switch(name, enabled=True, as_json=as_json)


def _switch(name: str, *, enabled: bool, as_json: bool) -> None:
    from homeport.cli._models import facts  # noqa: PLC0415 (loads every family and platform)

    edited = in_store(lambda store: store.edit_model(name, {"enabled": enabled}, by=whoami()))
    done = f"{name} is {'enabled' if enabled else 'disabled'}."
    result(facts(edited.model), as_json=as_json, people=lambda: done)
    if not enabled:
        note(f"Features that it serves answer that no model is there. Undo: homeport models enable {shlex.quote(name)}")


@command.command("remove", examples=("homeport models remove coder", "homeport models remove coder --replace-by big"))
@click.argument("name")
@click.option("--force", is_flag=True, help="Also when features use it: they lose it.")
@click.option("--replace-by", metavar="NAME", help="Let this model serve, in the same step, what it served.")
@json_option
def remove(*, name: str, force: bool, replace_by: str | None, as_json: bool) -> None:
    """Remove a model and its key; `restore` undoes it for an hour."""
    if replace_by is not None:
        _replace(name, replace_by, as_json=as_json)
        return
    try:
        in_store(lambda store: store.remove_model(name, by=whoami(), force=force))
    except InUse as error:
        raise InUse(error.saw, "Name another one for them: --replace-by NAME; or add --force: they lose it.") from error
    result({"removed": name}, as_json=as_json, people=lambda: f"Removed {name}.")
    _say_the_way_back(name)


def _say_the_way_back(name: str) -> None:
    note(f"Within an hour this undoes it:  homeport models restore {shlex.quote(name)}")


@command.command("restore", examples=("homeport models restore coder",))
@click.argument("name")
@json_option
def restore(*, name: str, as_json: bool) -> None:
    """Bring back a model that was removed within the last hour, with its key and its features."""
    back = in_store(lambda store: store.restore_model(name, by=whoami()))
    for each in back.notes:
        warn(each)
    result({"restored": name, "notes": list(back.notes)}, as_json=as_json, people=lambda: f"{name} is back.")


@command.command("beta", examples=("homeport models beta", "homeport models beta on"))
@click.argument("decision", type=click.Choice(["on", "off"]), required=False)
@json_option
def beta(*, decision: str | None, as_json: bool) -> None:
    """Show, or decide, whether beta and experimental families may be used.

    The console then offers them to whoever adds a model without asking each time.
    """
    from homeport.families import BETA  # noqa: PLC0415 (beside its only use)

    if decision is not None:
        in_store(lambda store: store.set_setting(BETA, "on" if decision == "on" else None, by=whoami()), make=True)
    allowed = in_store(lambda store: store.settings()).get(BETA) == "on"
    said = f"Beta and experimental families are {'allowed' if allowed else 'offered to those who opt in'}."
    result({"allowed": allowed}, as_json=as_json, people=lambda: said)


def _replace(name: str, instead: str, *, as_json: bool) -> None:
    served = in_store(lambda store: store.replace_model(name, instead, by=whoami()))
    done = f"Removed {name}; {instead} serves {', '.join(served) or 'nothing instead: no feature used it'}."
    result({"removed": name, "instead": instead, "features": served}, as_json=as_json, people=lambda: done)
    _say_the_way_back(name)
