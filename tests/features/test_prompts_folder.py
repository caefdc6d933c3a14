"""An administrator's own wordings: where a file stands for what, and what is said of a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homeport import families, features
from homeport.domain.errors import BadConfiguration
from homeport.domain.models import Model, Snapshot
from homeport.domain.requests import CodeRequest
from homeport.domain.streams import Chunk
from homeport.families import Family
from homeport.features import Feature, Override, Workbench, code_completions, code_generations
from homeport.features._capacity import Capacity
from homeport.features._folder import MOST_BYTES, load
from homeport.features._measure import Measures
from homeport.features._shadow import Shadows
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from homeport.domain.prompts import Prompt

FEATURES = discover(features, Feature)
FAMILIES = discover(families, Family)


def write(folder: Path, **contents: str) -> Path:
    for name, text in contents.items():
        path = folder / f"{name.replace('__', '/')}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_without_a_folder_nothing_is_reworded() -> None:
    assert load(None, FEATURES, FAMILIES) == {}


def test_a_files_place_says_what_it_rewords(tmp_path: Path) -> None:
    write(
        tmp_path,
        chat__explain_code='system = "S"\nuser = "U {selected_text}"',
        chat__explain_code__mistral="temperature = 0.5\nmax_tokens = 100",
        generate_commit_message='user = """\n{#diff}\n{diff}\n{/diff}\n"""\nstop = ["END"]',
        generate_commit_message__mistral_nemo='prefill = "Add"',
        code_suggestions__completions='user = "{before}<here>{after}"',
    )
    (tmp_path / "README.md").write_text("not a wording")
    (tmp_path / ".hidden.toml").write_text("nor this")
    assert load(tmp_path, FEATURES, FAMILIES) == {
        ("chat/explain_code", ""): Override(file="chat/explain_code.toml", system="S", user="U {selected_text}"),
        ("chat/explain_code", "mistral"): Override(
            file="chat/explain_code/mistral.toml", temperature=0.5, max_tokens=100
        ),
        ("code_suggestions/completions", ""): Override(
            file="code_suggestions/completions.toml", user="{before}<here>{after}"
        ),
        ("generate_commit_message", ""): Override(
            file="generate_commit_message.toml", user="{#diff}\n{diff}\n{/diff}\n", stop=("END",)
        ),
        ("generate_commit_message", "mistral"): Override(
            file="generate_commit_message/mistral_nemo.toml", prefill="Add"
        ),
    }


def test_every_part_that_is_shown_can_be_given(tmp_path: Path) -> None:
    write(
        tmp_path,
        unknown_prompt='system = ""\nuser = "{task}"\nprefill = ""\ntemperature = 1\nmax_tokens = 1\nstop = []',
    )
    assert load(tmp_path, FEATURES, FAMILIES)["unknown_prompt", ""] == Override(
        file="unknown_prompt.toml", system="", user="{task}", prefill="", temperature=1, max_tokens=1, stop=()
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "chat__explian_code",
            'user = "x"',
            "there is no prompt 'chat/explian_code'; did you mean 'chat/explain_code'?",
        ),
        ("zzz", 'user = "x"', "there is no prompt 'zzz'; known prompts: categorize_question, chat/"),
        ("chat__explain_code__mistrall", 'user = "x"', "there is no family 'mistrall'; known families: claude_3, "),
        ("chat__explain_code__mistral__x", 'user = "x"', "there is no prompt"),
        ("chat__fix_code", "", "it says nothing; give at least one of system, user, prefill"),
        ("chat__fix_code", "user =", "it is not TOML"),
        ("chat__fix_code", 'sytem = "x"', "sytem: there is no such key; known keys: system, user, prefill, temp"),
        ("chat__fix_code", "user = 3", "user: input should be a valid string"),
        ("chat__fix_code", 'temperature = "hot"', "temperature: input should be a valid number"),
        ("chat__fix_code", "temperature = 2.5", "temperature: input should be less than or equal to 2"),
        ("chat__fix_code", "max_tokens = 0", "max_tokens: input should be greater than or equal to 1"),
        ("chat__fix_code", "max_tokens = 1.5", "max_tokens: input should be a valid integer"),
        ("chat__fix_code", 'stop = "END"', "stop: input should be a valid list"),
        ("chat__fix_code", 'stop = [""]', "stop.0: string should have at least 1 character"),
        ("chat__fix_code", f"stop = {['x'] * 17}", "stop: list should have at most 16 items"),
        ("chat__fix_code", 'user = "a\\n{selected_txt}"', "user, line 2, column 1 of the text: there is no slot"),
        ("chat__fix_code", 'system = "{#input}x"', "system, line 1, column 1 of the text: {#input} lacks its other"),
        ("chat__fix_code", 'prefill = "{{ input }}"', "prefill, line 1, column 1 of the text: {{ is of another format"),
        ("chat__fix_code", f'user = "{"x" * MOST_BYTES}"', "it is larger than 64 KiB"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, name: str, content: str, says: str) -> None:
    write(tmp_path, **{name: content})
    with pytest.raises(BadConfiguration) as refusal:
        load(tmp_path, FEATURES, FAMILIES)
    assert f"The wording {tmp_path / name.replace('__', '/')}.toml is not usable: {says}" in str(refusal.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, chat__fix_code='sytem = "x"\ntemperature = 9', chat__fix_cod='user = "x"')
    write(tmp_path, generate_description='user = "{one}"\nsystem = "{two}"')
    with pytest.raises(BadConfiguration) as refusal:
        load(tmp_path, FEATURES, FAMILIES)
    said = str(refusal.value)
    assert len(said.splitlines()) == 3
    for words in ("sytem: there is", "temperature: input", "no prompt 'chat/fix_cod'", "slot 'one'", "slot 'two'"):
        assert words in said


def test_a_wrong_slot_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    write(tmp_path, chat__summarize_comments='user = "{notes}"')
    with pytest.raises(BadConfiguration, match="no slot 'notes'; known slots: current_date, notes_content"):
        load(tmp_path, FEATURES, FAMILIES)


def test_text_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "generate_description.toml").write_bytes(b'user = "\xff"')
    with pytest.raises(BadConfiguration, match="it is not TOML"):
        load(tmp_path, FEATURES, FAMILIES)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="HOMEPORT_PROMPTS_DIR"):
        load(tmp_path / "none", FEATURES, FAMILIES)


def test_links_may_lead_around_inside_but_not_out(tmp_path: Path) -> None:
    outside = tmp_path / "secret.toml"
    outside.write_text('user = "x"')
    folder = write(tmp_path / "prompts", chat__fix_code='user = "x"')
    # as Kubernetes mounts a ConfigMap: each name a link into a hidden folder beside it
    write(folder / "..data", generate_description='user = "y"')
    (folder / "generate_description.toml").symlink_to(folder / "..data" / "generate_description.toml")
    assert set(load(folder, FEATURES, FAMILIES)) == {("chat/fix_code", ""), ("generate_description", "")}
    for place in (folder / "chat" / "write_tests.toml", folder / "summarize_review"):
        place.symlink_to(outside if place.suffix else tmp_path)
        with pytest.raises(BadConfiguration, match="it is a link that leads out of the folder"):
            load(folder, FEATURES, FAMILIES)
        place.unlink()


def test_two_files_for_the_same_are_told(tmp_path: Path) -> None:
    write(tmp_path, chat__fix_code__mistral='user = "x"', chat__fix_code__mistral_nemo='user = "x"')
    with pytest.raises(BadConfiguration, match=r"chat/fix_code/mistral.toml rewords the same prompt"):
        load(tmp_path, FEATURES, FAMILIES)


def test_depth_and_number_are_bounded(tmp_path: Path) -> None:
    write(tmp_path, a__b__c__d__e__f__g='user = "x"')
    with pytest.raises(BadConfiguration, match="folders deep"):
        load(tmp_path, FEATURES, FAMILIES)


class Says:
    """A platform that remembers what it was asked."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    async def __call__(self, _model: Model, prompt: Prompt) -> AsyncGenerator[Chunk, None]:
        self.prompts.append(prompt)
        yield Chunk("x", "stop")


async def test_code_is_asked_for_in_the_administrators_words(tmp_path: Path) -> None:
    write(
        tmp_path,
        code_suggestions__completions='system = "C"\nuser = "{before}|{after}"\nmax_tokens = 7\nstop = ["X"]',
        code_suggestions__generations='system = "G {language}"\ntemperature = 0.9',
    )
    says = Says()
    models = {name: Model(name=name, platform="test", family=name) for name in ("general", "codestral")}
    bench = Workbench(
        snapshot=lambda: Snapshot(models=models),
        families=FAMILIES,
        generate={"test": says},
        features=FEATURES,
        capacity=Capacity(),
        shadows=Shadows(),
        measures=Measures(),
        text_platforms=frozenset({"test"}),
        overrides=load(tmp_path, FEATURES, FAMILIES),
    )
    for model in models:
        wanted = CodeRequest(before="a =", after="\n", file_name="a.py", model=model)
        for feature in (code_completions, code_generations):
            _ = [chunk async for chunk in feature.run(bench, wanted)]
    words, generation, code, _same = says.prompts
    assert [message.content for message in words.messages] == ["C", "a =|\n"]
    assert (words.sampling.max_tokens, words.sampling.stop[0]) == (7, "X")
    assert generation.messages[0].content == "G Python"
    assert generation.sampling.temperature == 0.9
    assert code.text == "[SUFFIX]\n[PREFIX]a ="
    assert code.sampling.max_tokens == 7
