from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import homeport.families as room
from homeport.codetext.language import language_of
from homeport.codetext.related import lead
from homeport.domain.requests import RelatedFile
from homeport.domain.wording import Wording
from homeport.families import SLOTS, Family, guess, resolve
from homeport.kit.discover import discover

FAMILIES = discover(room, Family)
GOLDEN = Path(__file__).parent / "golden"
BEFORE = "from shop.cart import Cart\n\n\ndef total(cart: Cart) -> int:\n    return sum("
AFTER = ")\n\n\ndef empty() -> Cart:\n    return Cart([])\n"
RELATED = (
    RelatedFile(
        name="shop/cart.py", content="class Cart:\n    def __init__(self, lines):\n        self.lines = lines\n"
    ),
    RelatedFile(name="shop/line.py", content="class Line:\n    price: int\n    count: int"),
)
WORDING = Wording(system="Complete {language} code.", user="{related}{before}<cursor>{after}")

every_family = pytest.mark.parametrize("key", FAMILIES)


def prompt(family: Family, related: tuple[RelatedFile, ...]) -> str:
    """What the family is sent for one fixed completion."""
    python = language_of("shop/total.py")
    file, current = (family.fim.file, family.fim.current) if family.fim else ("", "")
    ahead = lead(related, file, current, python, "shop/total.py")
    if family.completion == "fim" and family.fim:
        return family.fim.render(BEFORE, AFTER, lead=ahead)
    if family.completion == "prefix":
        return ahead + BEFORE
    values = dict.fromkeys(SLOTS, "") | {
        "language": "Python",
        "file_name": "shop/total.py",
        "before": BEFORE,
        "after": AFTER,
        "related": ahead,
    }
    messages = family.rewords.get("code_completions", WORDING).messages(values, system_role=family.system_role)
    return "\n".join(f"[[{message.role}]]\n{message.content}" for message in messages)


@every_family
def test_prompt_is_the_golden_one_byte_for_byte(key: str) -> None:
    family = FAMILIES[key]
    asked = f"{prompt(family, ())}\n=====\n{prompt(family, RELATED)}\n".encode()
    file = GOLDEN / f"{key}.txt"
    if os.environ.get("HOMEPORT_UPDATE_GOLDEN") == "1":
        file.write_bytes(asked)
    assert file.read_bytes() == asked, "if this change is wanted: HOMEPORT_UPDATE_GOLDEN=1 pytest tests/families"


def test_every_golden_prompt_belongs_to_a_family() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(FAMILIES)


@every_family
def test_a_layout_shows_the_code_once_and_files_where_they_belong(key: str) -> None:
    fim = FAMILIES[key].fim
    assert (FAMILIES[key].completion == "fim") == (fim is not None)
    if fim is None:
        return
    for layout in filter(None, (fim.layout, fim.layout_with_files)):
        assert layout.count("{before}") == layout.count("{after}") == 1
    assert "{lead}" not in fim.layout
    assert fim.layout_with_files.count("{lead}") == bool(fim.layout_with_files)
    if fim.file:
        assert "{content}" in fim.file
    assert fim.render("{after}", "{before}") == fim.layout.replace("{before}", "\0").replace(
        "{after}", "{before}"
    ).replace("\0", "{after}")


@every_family
def test_every_sentinel_of_a_layout_ends_an_answer(key: str) -> None:
    fim = FAMILIES[key].fim
    if fim is None:
        return
    templates = f"{fim.layout}{fim.layout_with_files}{fim.file}{fim.current}"
    sentinels = set(re.findall(r"<[^<>{}\s]+>|\[[A-Z]+\]", templates))
    assert sentinels
    assert sentinels <= set(fim.stops)


@every_family
def test_stops_fit_what_servers_accept(key: str) -> None:
    family = FAMILIES[key]
    stops = (*(family.fim.stops if family.fim else ()), *family.stops)
    assert len(stops) == len(set(stops)) <= 16
    assert all(stops)


@every_family
def test_numbers_make_sense(key: str) -> None:
    family = FAMILIES[key]
    assert 0 < family.completion_tokens <= family.generation_tokens < family.context_tokens
    assert 0 <= family.completion_temperature <= 1
    assert 0 <= family.generation_temperature <= 1
    assert family.label


@every_family
def test_rewords_ask_for_known_slots_only(key: str) -> None:
    for wording in FAMILIES[key].rewords.values():
        text = wording.system + wording.user + wording.prefill
        assert set(re.findall(r"\{([a-z_]+)\}", text)) <= set(SLOTS)


def test_no_name_means_two_families() -> None:
    for key, family in FAMILIES.items():
        assert {resolve(name, FAMILIES) for name in (key, *family.aliases)} == {(key, True)}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *((key, key) for key in FAMILIES),
        ("codegemma_2b", "codegemma"),
        ("codegemma_7b", "codegemma"),
        ("codellama_13b_code", "codellama"),
        ("mixtral_8x22b", "mixtral"),
        ("mistral_text", "mistral"),
        ("mixtral_text", "mixtral"),
        ("mixtral_8x22b_text", "mixtral"),
        ("codestral@2405", "codestral"),
        ("mistral_nemo", "mistral"),
        ("qwen2p5-coder-7b", "qwen_coder"),
        ("codestral-2501", "codestral"),
        ("claude_3.5", "claude_3"),
        ("gpt_5", "gpt"),
        ("Qwen Coder", "qwen_coder"),
        ("CODELLAMA", "codellama"),
    ],
)
def test_known_names_resolve(name: str, key: str) -> None:
    assert resolve(name, FAMILIES) == (key, True)


@pytest.mark.parametrize(
    ("name", "key"), [("vertex", "general"), ("amazon_q", "general"), ("", "general"), ("codestral-9", "codestral")]
)
def test_other_names_are_asked_like_what_they_look_like(name: str, key: str) -> None:
    assert resolve(name, FAMILIES) == (key, False)


@pytest.mark.parametrize(
    ("identifier", "key"),
    [
        ("Qwen/Qwen2.5-Coder-7B-Instruct", "qwen_coder"),
        ("qwen2.5-coder:7b", "qwen_coder"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen_coder"),
        ("Qwen/Qwen3-8B", None),
        ("mistralai/Mixtral-8x22B", "mixtral"),
        ("mistral.mixtral-8x7b-instruct-v0:1", "mixtral"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral"),
        ("mistralai/Devstral-Small-2507", "mistral"),
        ("codestral-2501", "codestral"),
        ("SmolLM2-135M", "smollm"),
        ("openai/gpt-oss-20b", "gpt_oss"),
        ("azure/gpt-4o", "gpt"),
        ("gpt-5-mini", "gpt"),
        ("bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude_3"),
        ("bedrock/meta.llama3-1-70b-instruct-v1:0", "llama3"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3"),
        ("codellama/CodeLlama-13b-hf", "codellama"),
        ("google/codegemma-2b", "codegemma"),
        ("gemini-2.5-flash", "gemini"),
        ("deepseek-ai/deepseek-coder-6.7b-base", "deepseekcoder"),
        ("bigcode/starcoder2-3b", "starcoder"),
        ("ibm-granite/granite-8b-code-base-4k", "granite_code"),
        ("ibm-granite/granite-4.0-h-small", None),
        ("my-model", None),
        ("", None),
    ],
)
def test_a_served_name_points_to_its_family(identifier: str, key: str | None) -> None:
    assert guess(identifier, FAMILIES) == key
