"""What agents and other large clients were seen to ask is answered, in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from asked import kept

if TYPE_CHECKING:
    from asked import Asked
    from house import House

QUESTIONS = [
    pytest.param(each, id=f"{client}-{at}") for client, asked in kept().items() for at, each in enumerate(asked)
]
LAST = {"/v1/chat/completions": "[DONE]", "/v1/messages": "message_stop", "/v1/responses": "response.completed"}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_it_is_answered(house: House, question: Asked) -> None:
    answer = await house.ask(question.method, question.path, question.body, question.headers)
    assert (answer.status, answer.whole) == (200, True), answer.body
    if question.body:
        assert all(f'"{word}"' in answer.body.decode() for word in ("one", " + ", "two"))
        assert LAST[question.path.partition("?")[0]] in answer.body.decode()
