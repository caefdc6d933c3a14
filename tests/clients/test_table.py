"""The table of clients says what the tests prove, no more and no less, and each client has its page and its set-up."""

from __future__ import annotations

import proofs
import pytest

from homeport.console._connect import clients as set_ups

RECORDED = proofs.recorded()
AGAIN = "run: HOMEPORT_TEST_RECORD=1 .venv/bin/pytest FILE-OF-THAT-TEST; make docs"


def test_what_tests_prove_is_written_down() -> None:
    assert {key: set(each["features"]) for key, each in RECORDED.items()} == proofs.claimed(), AGAIN


def test_every_client_is_proven_by_a_test() -> None:
    assert proofs.clients().keys() == RECORDED.keys()


@pytest.mark.parametrize("key", sorted(RECORDED))
def test_a_client_has_its_page_and_its_set_up(key: str) -> None:
    client, shown = proofs.clients()[key], proofs.shown(key)
    assert RECORDED[key] | shown == RECORDED[key], AGAIN
    page = (proofs.ROOT / "docs" / "guides" / "editors" / f"{shown['page']}.md").read_text()
    assert f'proven("{key}")' in page or f'agent("{key}")' in page, "the page says what was proven with which version"
    assert client.get("console", key.replace("-", "_")) in set_ups()


@pytest.mark.parametrize("key", sorted(key for key, each in proofs.clients().items() if "says" not in each))
def test_the_version_that_is_pinned_was_proven(key: str) -> None:
    assert RECORDED[key]["version"] == proofs.version(proofs.clients()[key]), AGAIN


def test_a_run_counts_for_what_it_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = {"openai-node": {"chat", "streaming", "tools"}, "codex": {"chat"}}
    monkeypatch.setattr(proofs, "claimed", lambda: claims)
    known = {
        "openai-node": {**proofs.shown("openai-node"), "version": "0.1", "features": ["chat", "streaming", "thinking"]},
        "actioncable": {**proofs.shown("actioncable"), "version": "0.1", "features": ["chat"]},
    }
    found = proofs.merged(known, {"openai-node": {"tools"}}, {"openai-node": {"streaming"}, "codex": {"chat"}})
    assert found.keys() == {"openai-node"}
    assert found["openai-node"]["features"] == ["chat", "tools"]
    assert found["openai-node"]["version"] == proofs.version(proofs.clients()["openai-node"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nobody", "chat"], "give it a section"),
        (["actioncable"], "say what"),
        (["actioncable", "magic"], "none of the features"),
    ],
)
def test_words_that_are_not_known_are_told(words: list[str], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        proofs.checked(words)
