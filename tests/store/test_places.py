from __future__ import annotations

import pytest

from homeport.store.places import line_of

TEXT = '''\
# [models]
title = "one"
[[models]]
name = "a"
limits.queue = 3
[models.options]
region = "x"

[[ models ]]  # the second
"name" = "b"
notes = """
[features]
chat = "no"
"""
[features]
chat = [
  "a",
  "b",
]
[features . "code review"]
model = "a"
'''
LINES = {
    ("title",): 2,
    ("models", 0): 3,
    ("models", 0, "name"): 4,
    ("models", 0, "limits", "queue"): 5,
    ("models", 0, "options", "region"): 7,
    ("models", 1): 9,
    ("models", 1, "name"): 10,
    ("models", 1, "notes"): 11,
    ("features",): 15,
    ("features", "chat"): 16,
    ("features", "code review", "model"): 21,
}


@pytest.mark.parametrize(("path", "line"), LINES.items(), ids=str)
def test_what_is_written_has_a_line(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, *path) == line
    assert line_of(TEXT.replace("\n", "\r\n"), *path) == line


def test_what_is_not_written_has_the_line_of_what_it_would_be_in() -> None:
    assert line_of(TEXT, "models", 1, "limits", "queue") == 9
    assert line_of(TEXT, "features", "code review", "fallbacks", 0) == 20
    assert line_of(TEXT, "tokens", 0) == 0
    assert line_of("", "models") == 0
