"""Models, features and settings as a file: exported, planned, applied."""

from __future__ import annotations

import getpass
import itertools
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from commands import KEY, Ran, homeport

from homeport.cli import main

if TYPE_CHECKING:
    from commands import Instance

MODEL = '[[models]]\nname = "{0}"\nfamily = "qwen_coder"\nendpoint = "http://gpu1:8000/v1"\nidentifier = "{0}"\n'
CODER, SPARE = MODEL.format("coder"), MODEL.format("spare")
ASSIGNED = '[features]\nchat = ["coder", "spare"]\ncode_completions = "coder"\n'
CANARY = "sk-canary-4711"
STORED = '\nkey = "stored"\n'


@pytest.fixture
def file(data_dir: Path) -> Path:
    return data_dir.parent / "configuration.toml"


def config(verb: str, file: Path, text: str, *words: str, typed: str = "", **environment: str) -> Ran:
    file.write_text(text)
    return homeport("config", verb, str(file), *words, typed=typed, **environment)


def names() -> list[str]:
    return [model["name"] for model in homeport("models", "list", "--json").json]


def test_from_nothing_to_a_database_and_back(file: Path) -> None:
    ran = config("apply", file, CODER + SPARE + ASSIGNED)
    assert (ran.code, ran.out.splitlines()) == (
        0,
        [
            "+ model coder",
            '    + platform = "openai"',
            '    + family = "qwen_coder"',
            '    + endpoint = "http://gpu1:8000/v1"',
            '    + identifier = "coder"',
            "+ model spare",
            '    + platform = "openai"',
            '    + family = "qwen_coder"',
            '    + endpoint = "http://gpu1:8000/v1"',
            '    + identifier = "spare"',
            "+ feature chat",
            '    + chat = ["coder", "spare"]',
            "+ feature code_completions",
            '    + code_completions = "coder"',
            "4 added; the database is at revision 2.",
        ],
    )
    exported = homeport("config", "export").out
    again = config("apply", file, exported, "--prune", "--expect", "1")
    assert again.out == "Nothing to change; the database is at revision 2.\n"
    assert homeport("config", "export").out == exported


def test_an_export_goes_to_a_file_that_is_not_there(file: Path) -> None:
    config("apply", file, CODER)
    refused = homeport("config", "export", "--file", str(file))
    assert refused.code == 1
    assert f"There is already a file {file}. Choose another name, or add --force" in refused.err
    assert file.read_text() == CODER
    assert homeport("config", "export", "--file", str(file), "--force").out == f"Wrote {file} (revision 2).\n"
    assert file.read_text() == homeport("config", "export").out
    elsewhere = file.with_name("other.toml")
    ran = homeport("config", "export", "--file", str(elsewhere), "--json")
    assert ran.json == {"revision": 2, "file": str(elsewhere)}


def test_an_export_as_json(file: Path) -> None:
    config("apply", file, CODER + '[features]\nchat = "coder"\n[settings]\nbeta_families = "on"\n')
    assert homeport("config", "export", "--json").json == {
        "revision": 2,
        "models": [
            {
                "name": "coder",
                "platform": "openai",
                "family": "qwen_coder",
                "endpoint": "http://gpu1:8000/v1",
                "identifier": "coder",
            }
        ],
        "features": {"chat": "coder"},
        "settings": {"beta_families": "on"},
    }


def test_a_setting_that_there_is_not(file: Path) -> None:
    ran = config("apply", file, '[settings]\nbeta_families = "on"\nnope = "1"\n')
    assert (ran.code, "line 3" in ran.err) == (1, True)
    assert "nope: there is no such setting. Known: sso_issuer," in ran.err
    unquoted = config("apply", file, "[settings]\nbeta_families = true\n")
    assert "beta_families: settings are texts: write it in quotes" in unquoted.err
    assert homeport("config", "show").code == 0


def test_a_plan_shows_and_does_nothing(file: Path) -> None:
    config("apply", file, CODER + SPARE + ASSIGNED)
    changed = (
        CODER + '[models.limits]\nqueue = 3\n[models.options]\nno_proxy = "gpu1"\n' + '[features]\nchat = "coder"\n'
    )
    ran = config("plan", file, changed, "--prune", "--exit-code")
    assert ran.code == 3
    assert ran.out.splitlines() == [
        "~ model coder",
        "    - limits.queue = 256",
        "    + limits.queue = 3",
        '    + options.no_proxy = "gpu1"',
        "~ feature chat",
        '    - chat = ["coder", "spare"]',
        '    + chat = "coder"',
        "- feature code_completions",
        '    - code_completions = "coder"',
        "- model spare",
        "2 to change, 2 to remove; the database is at revision 2.",
    ]
    assert f"Do it:  homeport config apply {file} --prune --expect 2" in ran.err
    assert config("plan", file, changed).code == 0
    assert names() == ["coder", "spare"]
    kept = config("plan", file, CODER, "--exit-code")
    assert (kept.code, kept.out) == (0, "Nothing to change; the database is at revision 2.\n")
    assert "so they stay: model spare, feature chat, feature code_completions." in kept.err


def test_a_plan_as_json(file: Path) -> None:
    config("apply", file, CODER + "[features]\nchat = 'coder'\n")
    ran = config(
        "plan", file, SPARE.replace("spare", "b") + "clean = false\n[features]\nchat = 'b'\n", "--json", "--prune"
    )
    assert ran.json == {
        "revision": 2,
        "changes": [
            {
                "action": "add",
                "kind": "model",
                "name": "b",
                "before": None,
                "after": {
                    "platform": "openai",
                    "family": "qwen_coder",
                    "endpoint": "http://gpu1:8000/v1",
                    "identifier": "b",
                    "clean": False,
                },
            },
            {
                "action": "change",
                "kind": "feature",
                "name": "chat",
                "before": {"model": "coder"},
                "after": {"model": "b"},
            },
            {
                "action": "remove",
                "kind": "model",
                "name": "coder",
                "before": {
                    "platform": "openai",
                    "family": "qwen_coder",
                    "endpoint": "http://gpu1:8000/v1",
                    "identifier": "coder",
                },
                "after": None,
            },
        ],
        "not_in_file": [],
        "warnings": [],
    }


def test_people_see_colours_on_a_terminal(file: Path) -> None:
    config("apply", file, CODER)
    file.write_text(CODER + "enabled = false\n")
    out = CliRunner().invoke(main, ["config", "plan", str(file)], color=True).stdout
    assert "\x1b[31m    - enabled = true\x1b[0m" in out
    assert "\x1b[32m    + enabled = false\x1b[0m" in out


def test_what_was_applied_is_in_the_audit_under_the_user_of_this_machine(file: Path) -> None:
    config("apply", file, CODER + ASSIGNED.replace(', "spare"', ""))
    copy = file.with_name("copy.jsonl")
    homeport("db", "backup", str(copy))
    events = [line for line in copy.read_text().splitlines() if '"audit_events"' in line]
    assert [f'"who": "cli:{getpass.getuser()}"' in line for line in events] == [True] * 3
    assert [what in line for what, line in zip(("model.add", "feature.set", "feature.set"), events, strict=True)] == [
        True
    ] * 3


# keys


def test_keys_are_taken_from_where_the_file_says_and_shown_nowhere(file: Path) -> None:
    homeport("db", "upgrade")
    file.with_name("key").write_text(f"{CANARY}-filed\n")
    first = CODER + 'key = "env:CODER_KEY"\n' + SPARE + 'key_file = "key"\n'
    outputs = []
    for text in (first, first.replace('key_file = "key"', 'key = "none"').replace("gpu1:8000/v1", "gpu9/v1", 1)):
        for words in (("plan",), ("plan", "--json"), ("apply", "--yes"), ("plan", "--json")):
            ran = config(words[0], file, text, *words[1:], CODER_KEY=CANARY)
            assert ran.code == 0, ran.err
            outputs.append(ran.out + ran.err)
    exported = homeport("config", "export").out
    assert exported.count(STORED) == 1
    assert CANARY not in "".join(outputs) + exported
    assert '"key": "(another)"' in outputs[5]
    assert "    - key: goes" in outputs[4]
    assert "Nothing to change" not in outputs[4]
    assert '"changes": []' in outputs[7]


def test_a_key_that_is_another_changes_and_the_same_does_not(file: Path) -> None:
    text = CODER + 'key = "env:CODER_KEY"\n'
    config("apply", file, text, CODER_KEY=CANARY)
    assert config("plan", file, text, CODER_KEY=CANARY).out.startswith("Nothing to change")
    assert "~ model coder\n    ~ key: changes\n" in config("apply", file, text, CODER_KEY="another").out
    assert config("apply", file, CODER, CODER_KEY="another").out.startswith("Nothing to change")
    assert STORED in homeport("config", "export").out


def test_planning_needs_no_keys_and_applying_does(file: Path) -> None:
    homeport("db", "upgrade")
    text = CODER + 'key_env = "NO_SUCH"\n'
    planned = config("plan", file, text)
    assert planned.code == 0
    assert "    + key: comes" in planned.out
    assert f"{file}, line 6: the variable NO_SUCH is not set or empty. `apply` needs it" in planned.err
    applied = config("apply", file, text)
    assert applied.code == 1
    assert "line 6, [[models]] is not usable: key_env: the variable NO_SUCH is not set or empty." in applied.err


def test_a_key_goes_only_where_somebody_says_so(file: Path) -> None:
    config("apply", file, CODER + 'key = "env:CODER_KEY"\n', CODER_KEY=CANARY)
    moved = CODER.replace("gpu1", "gpu2")
    refused = config("plan", file, moved + 'key = "stored"\n')
    assert refused.code == 1
    assert "line 6, [[models]]" in refused.err
    assert 'is for http://gpu1:8000 and goes nowhere else. Write where it is: key = "env:CODER_KEY"' in refused.err
    asked = config("apply", file, moved, typed="n\n")
    assert asked.code == 130
    assert "This removes the key of coder. Go on?" in asked.err
    assert STORED in homeport("config", "export").out
    assert config("apply", file, moved, "--yes").code == 0
    assert STORED not in homeport("config", "export").out


# removing


def test_nothing_is_removed_unless_it_is_wanted(file: Path) -> None:
    config("apply", file, CODER + SPARE + ASSIGNED)
    less = CODER + '[features]\nchat = "coder"\n'
    assert config("apply", file, less).code == 0
    assert names() == ["coder", "spare"]
    for typed in ("n\n", ""):
        asked = config("apply", file, less, "--prune", typed=typed)
        assert asked.code == 130
        assert "This removes what serves code_completions, the model spare. Go on? [y/N]" in asked.err
        assert "- model spare" in asked.err
        assert names() == ["coder", "spare"]
    ran = config("apply", file, less, "--prune", typed="y\n")
    assert ran.out.endswith("2 removed; the database is at revision 4.\n")
    assert names() == ["coder"]


def test_a_model_in_use_is_not_removed(file: Path) -> None:
    config("apply", file, CODER + SPARE + ASSIGNED)
    ran = config("apply", file, CODER, "--prune", "--yes")
    assert ran.code == 1
    assert "The model 'spare' is not in this file and would be removed, but it serves chat." in ran.err
    assert '[features] chat = "MODEL" (or "unassigned")' in ran.err
    assert names() == ["coder", "spare"]


# mistakes

WRONG = {
    "platform": (
        CODER + 'platform = "opanai"\n',
        "line 6, [[models]]",
        "platform: There is no platform 'opanai'. Known: ",
    ),
    "family": (CODER.replace("qwen_coder", "qwem"), "line 3, [[models]]", "family: There is no family 'qwem'. Known: "),
    "option": (
        CODER + '[models.options]\nregoin = "x"\n',
        "line 7, [[models]]",
        "no option 'regoin'",
    ),
    "no endpoint": ('[[models]]\nname = "a"\nidentifier = "x"\n', "line 1, [[models]]", 'Write endpoint = "…"'),
    "no identifier": (CODER.replace('identifier = "coder"\n', ""), "line 1, [[models]]", 'Write identifier = "…"'),
    "a name with spaces": (CODER.replace('"coder"', '"my coder"', 1), "line 2, [[models]]", "Write it like my-coder."),
    "the name of a feature": (CODER.replace('"coder"', '"chat"', 1), "line 2, [[models]]", "it is a feature's"),
    "two names": (CODER + CODER, "line 7, [[models]]", "'coder' is there twice"),
    "limit": (CODER + "[models.limits]\nqueue = -1\n", "line 7, [[models]]", "limit queue cannot be -1"),
    "feature": (
        '[features]\nchatt = "disabled"\n',
        "line 2, [features]",
        "chatt: There is no feature 'chatt'. Known: ",
    ),
    "nothing to inherit": ('[features]\nchat = "inherit"\n', "line 2, [features]", "nothing that 'chat' could inherit"),
    "model": (CODER + '[features]\n\nchat = "codr"\n', "line 8, [features]", "no model 'codr'. There are: coder."),
    "spare": (
        CODER + '[features.chat]\nmodel = "coder"\nfallbacks = ["x"]\n',
        "line 6, [features]",
        "chat: There is no model 'x'.",
    ),
    "key": (CODER + f'key = "{CANARY}"\n', "line 6, [[models]]", "it does not belong in this file"),
    "table": ("[modles]\n", "line 1, [[modles]]", "there is no such field"),
    "toml": ("[models\n", "is not usable", "it is not TOML"),
}


@pytest.mark.parametrize("verb", ["plan", "apply"])
@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named_with_its_line_and_nothing_is_changed(file: Path, case: str, verb: str) -> None:
    homeport("db", "upgrade")
    text, place, said = WRONG[case]
    ran = config(verb, file, text)
    assert ran.code == 1
    assert ran.err.startswith(f"error: The configuration file {file}")
    assert place in ran.err
    assert said in ran.err
    assert "Nothing was changed." in ran.err
    assert CANARY not in ran.err
    assert names() == []


def test_what_the_database_holds_already_is_not_found_wrong(file: Path) -> None:
    """A newer program may know fewer options or features: a file that it exported can be applied all the same."""
    config("apply", file, CODER + "[features]\nchat = 'coder'\n")
    exported = homeport("config", "export").out
    homeport("features", "set", "chat", "coder", "--sticky")
    assert homeport("config", "plan", str(file), "--exit-code").code == 3
    assert config("apply", file, exported).code == 0


def test_other_names_of_families(file: Path) -> None:
    config("apply", file, CODER.replace("qwen_coder", "codegemma"))
    assert config("plan", file, CODER.replace("qwen_coder", "code_gemma")).out.startswith("Nothing to change")


def test_a_family_that_is_not_named_is_guessed_and_shown(file: Path) -> None:
    entry = '[[models]]\nname = "coder"\nendpoint = "http://gpu1:8000/v1"\nidentifier = "{}"\n'
    config("apply", file, "models = []\n")
    assert '+ family = "qwen_coder"' in config("plan", file, entry.format("qwen2.5-coder-7b")).out
    assert config("apply", file, entry.format("qwen2.5-coder-7b")).code == 0
    assert homeport("models", "show", "coder", "--json").json["family"] == "qwen_coder"
    assert '+ family = "general"' in config("plan", file, entry.format("mystery")).out
    named = entry.format("qwen2.5-coder-7b") + 'family = "general"\n'
    assert '+ family = "general"' in config("plan", file, named).out


def test_where_nobody_can_be_asked_the_option_is_told(file: Path) -> None:
    entry = '[[models]]\nname = "coder"\nendpoint = "http://gpu1:8000/v1"\nidentifier = "x"\n'
    assert config("apply", file, entry).code == 0
    ran = config("apply", file, "models = []\n", "--prune")
    assert ran.code == 130
    assert "Nobody can be asked here: add --yes" in ran.err
    assert names() == ["coder"]


def test_a_file_that_is_not_there(file: Path) -> None:
    for verb in ("plan", "apply"):
        ran = homeport("config", verb, str(file))
        assert ran.code == 1
        assert f"The configuration file {file} is not usable: it cannot be read: No such file" in ran.err
    assert not Path(file.parent / "data").exists()


def test_a_state_that_is_no_more(file: Path) -> None:
    config("apply", file, CODER)
    homeport("tokens", "create", "--name", "eve")
    ran = config("apply", file, CODER + SPARE, "--expect", "2")
    assert ran.code == 1
    assert "The database is at revision 3, not 2: it was changed in between. Nothing was changed." in ran.err
    assert names() == ["coder"]
    assert config("apply", file, CODER + SPARE, "--expect", "3", "--json").json["revision"] == 4


# beside a running server


async def test_a_running_server_sees_it(instance: Instance, tmp_path: Path) -> None:
    file = tmp_path / "configuration.toml"
    await instance.run("config", "export", "--file", str(file))
    text = file.read_text()
    assert STORED in text
    assert KEY not in text
    file.write_text(text.replace('name = "coder"', 'name = "better"').replace('= "coder"', '= "better"'))
    refused = await instance.run("config", "apply", str(file))
    assert "no key of the model 'better'" in refused.err
    file.write_text(file.read_text().replace('"stored"', '"env:BETTER_KEY"'))
    ran = await instance.run("config", "apply", str(file), "--prune", "--yes", BETTER_KEY=KEY)
    assert ran.code == 0, ran.err
    await instance.seen()
    code = tmp_path / "add.py"
    code.write_text("def add(a, b):\n    return \n")
    instance.models.play = instance.models.behave
    instance.models.words = ["a + b"]
    asked = await instance.run("complete", f"{code}:2:12", "--model", "better")
    assert (asked.out, asked.code) == ("a + b\n", 0)
    assert [each["name"] for each in (await instance.run("models", "list", "--json")).json] == ["better"]


# the guide

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "configuration-as-code.md"
_BLOCK = re.compile(
    r'^```(?:toml title="(?P<file>\S+)"\n(?P<text>.*?)|text\n(?P<typed>\$ .*?))^```', re.DOTALL | re.MULTILINE
)


def typed(line: str) -> str:
    """What somebody saw who typed the line; to a question the answer is no."""
    words = shlex.split(line.removeprefix("$ "))
    environment = dict(word.split("=", 1) for word in itertools.takewhile(lambda word: word != "homeport", words))
    ran = CliRunner().invoke(main, words[len(environment) + 1 :], env=environment, input="n\n", prog_name="homeport")
    return f"{line}\n{ran.output}"


def seen(guide: str, folder: Path) -> str:
    """The guide with what its commands print when one follows it."""

    def again(block: re.Match[str]) -> str:
        if block["file"]:
            (folder / block["file"]).write_text(block["text"])
            return block[0]
        lines = [line for line in block["typed"].splitlines() if line.startswith("$ ")]
        return "```text\n" + "\n".join(map(typed, lines)) + "```"

    return _BLOCK.sub(again, guide)


def test_the_guide_shows_what_one_sees(data_dir: Path) -> None:
    assert seen(GUIDE.read_text(), data_dir.parent) == GUIDE.read_text()
