"""Every error that is emitted has a stable code, and the code is in the catalogue, the answer and the log."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from commands import homeport as run
from house import House, opened
from wire import request

import homeport
from homeport.cli._errors import FAILURES
from homeport.domain.errors import CallerError, HomeportError, UpstreamRefused
from homeport.kit.server import REFUSED
from homeport.protocols import gitlab_chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SOURCE = Path(homeport.__file__).parent
PAGE = SOURCE.parents[1] / "docs" / "reference" / "errors.md"


def kinds(root: type[HomeportError] = HomeportError) -> Iterator[type[HomeportError]]:
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def catalogue() -> dict[str, list[str]]:
    """The rows of the page, by code."""
    rows = re.findall(r"(?m)^\| `(\w+)` \|(.*)\|$", PAGE.read_text())
    return {code: [cell.strip() for cell in rest.split("|")] for code, rest in rows}


def named_codes() -> set[str]:
    """Every code that the source names: of a class, of a refusal, of a command's failure."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Refusal", "Told"}:
                found |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    return found | {kind.code for kind in kinds()} | set(REFUSED) | set(FAILURES)


def test_every_code_is_in_the_catalogue() -> None:
    assert named_codes() - set(catalogue()) == set()


def test_every_entry_says_what_it_means_and_how_to_fix_it() -> None:
    assert [code for code, cells in catalogue().items() if not all(cells[:3])] == []


def test_codes_are_short_words() -> None:
    assert [code for code in named_codes() if not re.fullmatch(r"[a-z][a-z_]{2,23}", code)] == []


@pytest.mark.parametrize(
    "kind", [kind for kind in kinds() if kind.__module__ == HomeportError.__module__], ids=lambda kind: kind.__name__
)
def test_gitlabs_code_is_the_one_that_its_client_makes_of_our_answer(kind: type[HomeportError]) -> None:
    more: dict[str, Any] = {"upstream_status": 500} if issubclass(kind, UpstreamRefused) else {}
    assert inspect.getdoc(kind)
    line = json.loads(gitlab_chat.failed(None, kind("Seen.", **more), "id"))  # type: ignore[arg-type]
    assert f"({kind.code}, correlation id id)" in line["data"]["message"]
    special = {"prompt_too_long": "A1005", "tool_not_available": "G3001", "not_allowed": "M3006"}
    ahead = issubclass(kind, CallerError) or kind.code == "auth_unavailable"
    assert kind.gitlab == special.get(kind.code, "A1001" if ahead else "A1004")


@pytest.fixture(scope="module")
async def open_house() -> AsyncIterator[House]:
    async with opened() as house:
        yield house


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/nowhere", None, "not_found"),
        ("/v1/models", {}, "method_not_allowed"),
        ("/v1/completions", {"prompt": 7}, "bad_request"),
        ("/v2/code/completions", {}, "bad_request"),
        ("/v1/completions", {"prompt": "x", "model": "no-such"}, "not_found"),
        ("/v2/chat/agent", {"messages": [{"role": "user", "content": "x"}], "stream": True}, "upstream_refused"),
    ],
)
async def test_the_code_is_in_answer_and_log(open_house: House, path: str, body: Any, code: str) -> None:
    async def play(peer: Any) -> None:
        await peer.document({"error": "no"}, 500)

    open_house.models.play = play
    number = len(open_house.records()) + 1
    answer = await open_house.ask("GET" if body is None else "POST", path, body)
    assert answer.header("x-homeport-error") == code
    assert (await open_house.record(number))["error_code"] == code
    assert code in catalogue()


async def test_a_token_that_is_wrong_reads_its_code(open_house: House) -> None:
    answer = await open_house.ask("POST", "/v2/code/completions", {}, token="hp_wrong")
    assert answer.header("x-homeport-error") == "not_authenticated"
    assert "(not_authenticated, correlation id " in answer.json["error"]


async def test_the_server_s_own_refusals_too(open_house: House) -> None:
    async with open_house.line() as wire:
        await wire.send(request("GET", "/", None, {"X-Long": "x" * 40_000}))
        answer = await wire.answer()
    assert answer.header("x-homeport-error") == "headers_too_large"
    assert any(line.get("error_code") == "headers_too_large" for line in open_house.logs.lines)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("models", "list", "--json", "--no-such"), "wrong_use"),
        (("models", "list", "--json"), "internal_error"),
        (("tokens", "create", "--json"), "wrong_use"),
    ],
)
def test_commands_fail_in_json(arguments: tuple[str, ...], code: str, tmp_path: Path) -> None:
    ran = run(*arguments, HOMEPORT_DATA_DIR=str(tmp_path / "none"))
    assert ran.code in {1, 2}
    assert ran.json["error"]["code"] == code
    assert ran.json["error"]["message"] in ran.err


def test_wrong_settings_fail_in_json(tmp_path: Path) -> None:
    ran = run("models", "list", "--json", HOMEPORT_PORT="x", HOMEPORT_DATA_DIR=str(tmp_path))
    assert ran.code == 2
    assert ran.json["error"]["code"] == "wrong_settings"
    assert "HOMEPORT_PORT" in ran.json["error"]["details"][0]
