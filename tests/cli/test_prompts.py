"""`homeport prompts`: what is said, by whom, and whether an administrator's folder is fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands import homeport

if TYPE_CHECKING:
    from pathlib import Path


def folder(data_dir: Path) -> Path:
    place = data_dir.parent / "prompts" / "chat" / "explain_code"
    place.mkdir(parents=True)
    (place / "mistral.toml").write_text('system = "Explain in verse."\ntemperature = 0.9\nstop = ["END"]\n')
    return data_dir.parent / "prompts"


def test_list(data_dir: Path) -> None:
    rows = homeport("prompts", "list", "--json").json
    assert len(rows) >= 26
    (row,) = [each for each in rows if each["prompt"] == "generate_commit_message"]
    assert row == {
        "prompt": "generate_commit_message",
        "feature": "merge_commit_message",
        "title": "Merge commit message",
        "scope": "generate_commit_message",
        "versions": ["1.0.0", "1.1.0", "1.2.0"],
        "slots": ["current_date", "diff"],
        "files": [],
    }
    ran = homeport("prompts", "list", "--dir", str(folder(data_dir)))
    (line,) = [line for line in ran.out.splitlines() if line.startswith("chat/explain_code ")]
    assert line.endswith("chat/explain_code/mistral.toml")


def test_show(data_dir: Path) -> None:
    ran = homeport("prompts", "show", "chat/explain_code")
    assert ran.code == 0
    assert "chat/explain_code 1.1.0 for general" in ran.out
    assert "[system] built in" in ran.out
    assert "<selected_code>\n{selected_text}\n</selected_code>" in ran.out
    ours = homeport(
        "prompts", "show", "chat/explain_code", "--family", "mistral", HOMEPORT_PROMPTS_DIR=str(folder(data_dir))
    )
    assert "[system] chat/explain_code/mistral.toml\nExplain in verse." in ours.out
    assert "temperature 0.9 (chat/explain_code/mistral.toml)" in ours.out
    assert "stop 'END'" in ours.out
    document = homeport("prompts", "show", "review_merge_request", "--version", "1.0.0", "--json").json
    assert document["version"] == "1.0.0"
    assert document["system"]["from"] == "built in"
    assert document["max_tokens"] == {"value": 4096, "from": "built in"}


def test_show_of_what_is_worded_by_a_family_or_not_at_all(data_dir: Path) -> None:
    del data_dir
    claude = homeport("prompts", "show", "code_suggestions/completions", "--family", "claude", "--json").json
    assert claude["user"]["from"] == "family claude_3"
    assert not claude["shown_code"]
    code = homeport("prompts", "show", "code_suggestions/completions", "--family", "codestral")
    assert "shown the code itself" in code.err
    assert "max_tokens 128 (built in)" in code.out
    other = homeport("prompts", "show", "chat/fix_code", "--family", "Qwen2.5-Coder-7B")
    assert "asked like 'qwen_coder'" in other.err


def test_what_is_not_known_is_told(data_dir: Path) -> None:
    del data_dir
    ran = homeport("prompts", "show", "chat/explian")
    assert ran.code == 2
    assert "Known: categorize_question, chat/build_reader" in ran.err
    ran = homeport("prompts", "show", "chat/fix_code", "--version", "latest")
    assert ran.code == 1
    assert "Invalid version constraint" in ran.err


def test_check(data_dir: Path) -> None:
    place = folder(data_dir)
    assert homeport("prompts", "check", str(place), "--json").json == [
        {
            "file": "chat/explain_code/mistral.toml",
            "prompt": "chat/explain_code",
            "family": "mistral",
            "parts": ["system", "temperature", "stop"],
        }
    ]
    (place / "chat" / "fix_code.toml").write_text('user = "{nothing}"')
    ran = homeport("prompts", "check", str(place))
    assert ran.code == 1
    assert f"{place}/chat/fix_code.toml" in ran.err
    assert "no slot 'nothing'" in ran.err
    assert homeport("prompts", "check", str(place / "none")).code == 1
    (data_dir.parent / "empty").mkdir()
    empty = homeport("prompts", "check", str(data_dir.parent / "empty"), "--json")
    assert (empty.code, empty.json) == (0, [])
    assert "no .toml file" in empty.err
