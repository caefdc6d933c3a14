"""What callers may read of the embedded engine's log, and what they may not."""

from __future__ import annotations

import pytest

from homeport.providers._last_words import CHARACTERS, LINES, last_words


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("0.00.005.519 E gguf_init_from_reader: bad GGUF version: 0", "gguf_init_from_reader: bad GGUF version: 0"),
        ("0.00.006.348 E load: failed to load '/srv/secret place/m.gguf'", "load: failed to load m.gguf"),
        ("0.00.006.348 E load: failed to load '/srv/models/m.gguf', sorry", "load: failed to load m.gguf, sorry"),
        ("0.00.006.348 E \x1b[31mred\x1b[0m \u202eturned", "red turned"),
        ("RuntimeError: Failed to init server", "RuntimeError: Failed to init server"),
        ("GGML_ASSERT(n_tokens > 0) failed", "GGML_ASSERT(n_tokens > 0) failed"),
        ('0.01.000.000 E srv: Unsupported tool: {"type": "canary"}', "srv: Unsupported tool: …"),
        ('0.01.000.000 E srv: last read: "canary', "srv: last read: …"),
        ("0.01.000.000 E srv: it couldn't; the key sk-0123456789abcdef0123", "srv: it couldn't; the key **********"),
    ],
)
def test_why_it_failed_is_shown(line: str, shown: str) -> None:
    assert last_words([line]) == (shown,)


@pytest.mark.parametrize(
    "line",
    [
        "ready 14461 http://127.0.0.1:45139",
        "root ::= canary [",
        "0.01.000.000 I slot launch: canary",
        '  File "/srv/homeport/_llama_server.py", line 36, in main',
        "\x1b[2J",
        "",
    ],
)
def test_everything_else_is_not(line: str) -> None:
    assert last_words([line]) == ()


def test_it_is_brief() -> None:
    said = [f"0.00.000.00{number % 10} E {number} {'x' * 500}" for number in range(50)]
    told = last_words([*said, *said[-2:]])
    assert [line.split()[0] for line in told] == [str(number) for number in range(50 - LINES, 50)]
    assert all(len(line) == CHARACTERS for line in told)
