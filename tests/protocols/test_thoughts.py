"""Thoughts that a model server leaves in the text are shown as thoughts, wherever the stream is cut."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import WORDS
from script import DONE, USAGE, document, event, piece, usage_event
from ways import MESSAGES, events, named_events

from homeport.domain.capabilities import Capabilities

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from house import House
    from script import Peer

PATH = "/v1/chat/completions"
THOUGHT, ANSWER = "Locks <b>, hm.\n", "A lock.\n</think> is a tag."
SAID = f"<think>\n{THOUGHT}</think>\n\n{ANSWER}"
PLAIN = ["Hello", "", "<think>", "no", "</think>"]


def says(house: House, sent: Iterable[bytes]) -> None:
    """Have the model server send these events."""
    parts = list(sent)

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(parts)
        await peer.end()

    house.models.play = play


def pieces(words: Sequence[str], finish: str | None = "stop") -> list[bytes]:
    """A stream of these words."""
    last = [piece("chat", "", finish)] if finish else []
    return [*(piece("chat", word) for word in words), *last, usage_event(), DONE]


async def told(house: House, **more: Any) -> tuple[str, str]:
    """The thoughts and the answer of a stream; nothing of the answer comes ahead of a thought."""
    answer = await house.post(PATH, {"messages": MESSAGES, "stream": True, **more})
    assert (answer.status, answer.whole) == (200, True), answer
    *found, done = events(answer.body)
    assert done == "[DONE]"
    deltas = [each["choices"][0]["delta"] for each in found if each["choices"]]
    begun = list(itertools.accumulate(bool(each.get("content")) for each in deltas))
    assert not any(each.get("reasoning_content") for each, said in zip(deltas[1:], begun, strict=False) if said)
    return tuple("".join(each.get(name) or "" for each in deltas) for name in ("reasoning_content", "content"))  # type: ignore[return-value]


async def test_every_cut_of_the_text(house: House) -> None:
    for cut in range(len(SAID) + 1):
        says(house, pieces([SAID[:cut], SAID[cut:]]))
        assert await told(house) == (THOUGHT, ANSWER), cut
    says(house, pieces(list(SAID)))
    assert await told(house) == (THOUGHT, ANSWER)


async def test_every_cut_of_the_bytes(house: House) -> None:
    whole = b"".join(pieces(["<think>", "é", "</think>", "\n", "漢"]))
    for cut in range(1, len(whole), 7):
        says(house, [whole[:cut], whole[cut:]])
        assert await told(house) == ("é", "漢"), cut
    says(house, [whole.replace(b"\n\n", b"\r\n\r\n")])
    assert await told(house) == ("é", "漢")


@pytest.mark.parametrize("tag", ["think", "thinking", "thought", "reasoning"])
async def test_escaped_and_other_tags(house: House, tag: str) -> None:
    """Servers written in Go write `<` as an escape."""
    escaped = [part.replace(b"<", b"\\u003c").replace(b">", b"\\u003e") for part in pieces([f"<{tag}>a</{tag}>", "b"])]
    says(house, escaped)
    assert await told(house) == ("a", "b")


async def test_a_normal_stream_is_passed_on_as_it_is(house: House) -> None:
    sent = pieces(PLAIN)
    says(house, sent)
    answer = await house.post(PATH, {"messages": MESSAGES, "stream": True})
    assert answer.body == b"".join(part for part in sent if part != usage_event())


@pytest.mark.parametrize(
    ("words", "thought", "answer"),
    [
        (["<", "div", ">"], "", "<div>"),
        (["\n\n", "<thi", "ef>"], "", "\n\n<thief>"),
        (["<think>", "only", " this"], "only this", ""),
        (["<think>", "cut", "</thi"], "cut</thi", ""),
        (["<thi"], "", "<thi"),
        (["<think>", "</think>", "b"], "", "b"),
        (["  "], "", "  "),
    ],
)
@pytest.mark.parametrize("finish", ["length", None])
async def test_what_is_held_back_is_never_lost(
    house: House, words: list[str], thought: str, answer: str, finish: str | None
) -> None:
    says(house, pieces(words, finish))
    assert await told(house) == (thought, answer)


async def test_a_server_that_puts_them_apart_itself(house: House) -> None:
    deltas = [{"role": "assistant", "content": ""}, {"reasoning_content": "hm"}, {"content": "<think>is a tag"}]
    sent = [event({"choices": [{"index": 0, "delta": each, "finish_reason": None}]}) for each in deltas]
    sent += [piece("chat", "", "stop"), DONE]
    says(house, sent)
    answer = await house.post(PATH, {"messages": MESSAGES, "stream": True})
    assert answer.body == b"".join(sent)


async def test_several_answers_have_thoughts_of_their_own(house: House) -> None:
    words = [(1, "<think>b"), (0, "<think>a"), (1, "</think>B"), (0, "1</think>"), (1, "2"), (0, "A")]
    sent = [
        event({"choices": [{"index": at, "delta": {"content": word}, "finish_reason": None}]}) for at, word in words
    ]
    says(house, [*sent, DONE])
    answer = await house.post(PATH, {"messages": MESSAGES, "stream": True, "n": 2})
    deltas = [each["choices"][0] for each in events(answer.body)[:-1]]
    for at, thought, said in ((0, "a1", "A"), (1, "b", "B2")):
        own = [each["delta"] for each in deltas if each["index"] == at]
        assert "".join(each.get("reasoning_content", "") for each in own) == thought
        assert "".join(each["content"] for each in own) == said


@pytest.mark.parametrize(
    ("said", "thought", "answer"),
    [(SAID, THOUGHT.strip(), ANSWER), ("The user asks.\n</think>\n\nA lock.", "The user asks.", "A lock.")],
)
async def test_a_document(house: House, said: str, thought: str, answer: str) -> None:
    house.models.words = [said]
    sent = document("chat", said)
    message = {"role": "assistant", "content": answer, "reasoning_content": thought}
    found = (await house.post(PATH, {"messages": MESSAGES})).json
    assert found == {**sent, "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}


async def test_a_document_with_several_answers(house: House) -> None:
    texts = ["plain", "<think>hm</think>A"]
    choices = [{"index": at, "message": {"content": text}} for at, text in enumerate(texts)]

    async def play(peer: Peer) -> None:
        await peer.document({"choices": choices, "usage": USAGE})

    house.models.play = play
    found = (await house.post(PATH, {"messages": MESSAGES, "n": 2})).json["choices"]
    assert [each["message"] for each in found] == [{"content": "plain"}, {"content": "A", "reasoning_content": "hm"}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_server_of_another_format(house: House, *, stream: bool) -> None:
    house.snapshot = house.snapshot.with_models(replace(house.snapshot.models[WORDS], platform="anthropic"))
    words = ["<thi", "nk>h", "m</think>", "\n", "A"]

    async def play(peer: Peer) -> None:
        if not peer.json["stream"]:
            await peer.document({"content": [{"type": "text", "text": "".join(words)}], "stop_reason": "end_turn"})
            return
        said = [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": word}} for word in words]
        await peer.head()
        end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
        await peer.events(map(event, [{"type": "message_start"}, *said, end, {"type": "message_stop"}]))
        await peer.end()

    house.models.play = play
    if stream:
        assert await told(house) == ("hm", "A")
        return
    message = (await house.post(PATH, {"messages": MESSAGES})).json["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "A", "reasoning_content": "hm"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_anthropics_clients_see_them_as_thinking(house: House, *, stream: bool) -> None:
    house.models.words = ["<thi", "nk>hm", "</think>", "\nA lock."]
    asked = {"model": WORDS, "max_tokens": 2000, "messages": MESSAGES, "stream": stream}
    answer = await house.post("/v1/messages", asked | {"thinking": {"type": "enabled", "budget_tokens": 1024}})
    if stream:
        deltas = [data["delta"] for name, data in named_events(answer.body) if name == "content_block_delta"]
        said = [(each["type"], each.get("thinking", each.get("text"))) for each in deltas]
        assert said == [("thinking_delta", "hm"), ("signature_delta", None), ("text_delta", "A lock.")]
    else:
        content = answer.json["content"]
        assert [each["type"] for each in content] == ["thinking", "text"]
        assert (content[0]["thinking"], content[1]["text"]) == ("hm", "A lock.")
    hidden = await house.post("/v1/messages", asked)
    assert b"hm" not in hidden.body
    assert b"A lock." in hidden.body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_responses_show_them_as_reasoning(house: House, *, stream: bool) -> None:
    house.models.words = ["<think>hm", "</think>A", " lock."]
    answer = await house.post("/v1/responses", {"model": WORDS, "input": "q", "store": False, "stream": stream})
    found = named_events(answer.body)[-1][1]["response"] if stream else answer.json
    reasoning, message = found["output"]
    assert (reasoning["type"], reasoning["content"][0]["text"]) == ("reasoning", "hm")
    assert message["content"][0]["text"] == "A lock."


BEGUN = f"{THOUGHT}</think>\n\n{ANSWER}"


def begins_inside(house: House) -> None:
    """Have it known of the model that its text begins inside a thought."""
    house.snapshot = replace(house.snapshot, measured={WORDS: Capabilities(thinks=True, thought_begun=True)})


async def test_a_thought_that_the_chat_template_began_at_every_cut(house: House) -> None:
    begins_inside(house)
    for cut in range(len(BEGUN) + 1):
        says(house, pieces([BEGUN[:cut], BEGUN[cut:]]))
        assert await told(house) == (THOUGHT, ANSWER), cut
    for cut in range(1, len("</think>")):
        says(house, pieces(["a", *(BEGUN[at : at + cut] for at in range(0, len(BEGUN), cut))]))
        assert await told(house) == (f"a{THOUGHT}", ANSWER), cut


@pytest.mark.parametrize(
    ("words", "finish", "thought", "answer"),
    [
        (["hm", "</think>", "A", "</think>"], "stop", "hm", "A</think>"),
        (["<think>hm", "</think>A"], "stop", "hm", "A"),
        (["\n", "</thi", "nk>", "\nA"], "stop", "", "A"),
        (["cut o", "ff </"], "length", "cut off </", ""),
        (["cut o", "ff"], None, "cut off", ""),
    ],
)
async def test_a_text_that_begins_inside_a_thought(
    house: House, words: list[str], finish: str | None, thought: str, answer: str
) -> None:
    begins_inside(house)
    says(house, pieces(words, finish))
    assert await told(house) == (thought, answer)


async def test_a_model_that_was_to_think_and_did_not_has_its_answer(house: House) -> None:
    """It is told when the model is through: until then it was taken for a thought."""
    begins_inside(house)
    says(house, pieces(["A ", "lock."]))
    assert await told(house) == ("A lock.", "A lock.")


async def test_a_server_that_was_set_up_anew_to_put_them_apart(house: House) -> None:
    begins_inside(house)
    deltas = [{"role": "assistant", "content": ""}, {"reasoning_content": "hm"}, {"content": "A"}]
    sent = [event({"choices": [{"index": 0, "delta": each, "finish_reason": None}]}) for each in deltas]
    says(house, [*sent, piece("chat", "", "stop"), DONE])
    assert await told(house) == ("hm", "A")


async def test_nothing_is_held_back_of_a_model_that_is_not_known_to_begin_inside(house: House) -> None:
    house.snapshot = replace(house.snapshot, measured={WORDS: Capabilities(thinks=True, thought_begun=False)})
    sent = pieces([THOUGHT, "</think>", ANSWER])
    says(house, sent)
    answer = await house.post(PATH, {"messages": MESSAGES, "stream": True})
    assert answer.body == b"".join(part for part in sent if part != usage_event())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_what_is_no_chat_leaves_such_a_thought_out(house: House, *, stream: bool) -> None:
    begins_inside(house)
    house.models.words = ["Hm, a lo", "ck.</th", "ink>\n\nlock = 1\n"]
    asked = {"model": WORDS, "messages": MESSAGES, "max_tokens": 900, "thinking": {"type": "enabled"}, "stream": stream}
    assert b"a lo" in (await house.post("/v1/messages", asked)).body
    code = {"content_above_cursor": "", "content_below_cursor": "", "file_name": "a.py"}
    body = {"current_file": code, "intent": "generation", "user_instruction": "a lock", "stream": stream}
    answer = await house.post("/api/v4/code_suggestions/completions", body)
    assert answer.status == 200
    assert b"lock = 1" in answer.body
    assert b"Hm" not in answer.body


async def test_such_a_thought_in_a_document(house: House) -> None:
    begins_inside(house)
    house.models.words = ["Hm.</think>A lock."]
    message = (await house.post(PATH, {"messages": MESSAGES})).json["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Hm.", "A lock.")
