"""OpenAI's endpoints: byte fidelity, usage, suffix on every family, model names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, PREFIX, WORDS
from script import DONE, document, event, piece, stream, usage_event
from ways import AFTER, BEFORE, MESSAGES, WAYS, events, named

from homeport.domain.capabilities import Capabilities

if TYPE_CHECKING:
    from house import House
    from script import Peer

CHAT, TEXT, HOLE = WAYS[:3]
relayed = pytest.mark.parametrize("way", [CHAT, TEXT], ids=named)
asked_for_usage = pytest.mark.parametrize("asked", [False, True], ids=["without", "with"])


def says(house: House, *parts: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(parts)
        await peer.end()

    house.models.play = play


@relayed
async def test_relay_gives_what_the_model_server_sent(house: House, way: Any) -> None:
    odd = [
        b'data: {"id":"x","choices":[{"index":0,"text":"a","delta":{"content":"a"}}],"extra":{"deep":[1, 2]}}\n\n',
        b": a comment\n\n",
        b'id: 7\nretry: 10\ndata: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n',
        b'data:{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}\n\n',
        'data: {"choices":[{"index":0,"text":"é漢\U0001f680"}]}\n\n'.encode(),
        DONE,
    ]
    says(house, *odd)
    answer = await house.post(way.path, way.streaming)
    assert answer.whole
    assert answer.body == b"".join(odd)


@relayed
async def test_relay_keeps_crlf_line_ends(house: House, way: Any) -> None:
    crlf = [part.replace(b"\n", b"\r\n") for part in (piece("chat", "a"), piece("chat", "b"), DONE)]
    says(house, *crlf)
    answer = await house.post(way.path, way.streaming)
    assert answer.body == b"".join(crlf)


async def test_relay_at_every_cut(house: House) -> None:
    whole = b"".join([*stream("chat", ["é", "漢字", "\U0001f680"])[:-2], DONE])
    for cut in range(1, len(whole)):
        says(house, whole[:cut], whole[cut:])
        answer = await house.post(CHAT.path, CHAT.streaming)
        assert answer.body == whole


async def test_text_at_every_cut(house: House) -> None:
    whole = b"".join(stream("text", ["é", "漢字", "\U0001f680", "\r\n"]))
    for cut in range(1, len(whole)):
        says(house, whole[:cut], whole[cut:])
        answer = await house.post("/v2/code/completions", WAYS[3].streaming)
        assert answer.body.decode().rstrip() == "é漢字\U0001f680"


async def test_one_byte_at_a_time(house: House) -> None:
    whole = b"".join(stream("text", ["é", "漢字"]))
    says(house, *(whole[at : at + 1] for at in range(len(whole))))
    assert (await house.post("/v2/code/completions", WAYS[3].streaming)).body.decode() == "é漢字"
    assert events((await house.post(TEXT.path, TEXT.streaming)).body)[-1] == "[DONE]"


@asked_for_usage
@relayed
async def test_usage_event_goes_to_who_asked(house: House, way: Any, *, asked: bool) -> None:
    kind = "chat" if way is CHAT else "text"
    parts = stream(kind, ["a", "b"])
    body = way.streaming | ({"stream_options": {"include_usage": True}} if asked else {})
    answers = []
    for sent in (
        parts,
        [b"".join(parts)],
        [parts[0], b"".join(parts[1:])],
        [part.replace(b'":', b'": ') for part in parts],
    ):
        says(house, *sent)
        answers.append((await house.post(way.path, body)).body)
    wanted = b"".join(part for part in parts if asked or part != usage_event())
    assert [events(answer) for answer in answers] == [events(wanted)] * 4
    assert answers[:3] == [wanted] * 3
    assert {record["prompt_tokens"] for record in house.records()} == {11}
    assert all(peer.json["stream_options"] == {"include_usage": True} for peer in house.models.heard)


@relayed
async def test_usage_beside_the_last_choice_counts(house: House, way: Any) -> None:
    """llama.cpp's server tells it there where text is continued."""
    kind = "chat" if way is CHAT else "text"
    *pieces, last, _, done = stream(kind, ["a", "b"])
    last = event(json.loads(last[6:]) | {"usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}})
    for number, sent in enumerate(([*pieces, last, done], [b"".join([*pieces, last, done])], [*pieces, last])):
        says(house, *sent)
        answer = await house.post(way.path, way.streaming)
        assert answer.body.endswith(last + done)
        record = await house.record(number + 1)
        assert (record["prompt_tokens"], record["answer_tokens"]) == (7, 2)


async def test_tokens_are_guessed_where_nobody_counted(house: House) -> None:
    words = [piece("text", "one + two\n" * 4, "stop"), DONE]
    events_of_words = [piece("text", f"word{number} ") for number in range(30)]
    bare = {"model": "prefix-model", "prompt": "x = ", "stream": True}
    asked = (
        (HOLE.path, HOLE.streaming, words, range(9, 21)),
        ("/api/generate", {**bare, "raw": True}, words, range(9, 21)),
        (TEXT.path, TEXT.streaming, [*events_of_words, piece("text", "", "stop"), DONE], range(28, 36)),
        (TEXT.path, TEXT.streaming, [b"".join([*events_of_words, piece("text", "", "stop"), DONE])], range(28, 36)),
    )
    for number, (path, body, sent, guess) in enumerate(asked):
        says(house, *sent)
        answer = await house.post(path, body)
        record = await house.record(number + 1)
        assert record["answer_tokens"] in guess
        assert record["prompt_tokens"] > 0
        assert record["tokens_estimated"] is True
        if "generate" in path:
            assert b'"eval_count":%d' % record["answer_tokens"] in answer.body
    says(house, *stream("text", ["one"]))
    await house.post(HOLE.path, HOLE.streaming)
    record = await house.record(len(asked) + 1)
    assert (record["prompt_tokens"], record["answer_tokens"]) == (11, 3)
    assert "tokens_estimated" not in record


@asked_for_usage
async def test_usage_of_a_cleaned_stream(house: House, *, asked: bool) -> None:
    body = HOLE.streaming | ({"stream_options": {"include_usage": True}} if asked else {})
    answer = await house.post(HOLE.path, body)
    *_, last, done = events(answer.body)
    assert done == "[DONE]"
    assert bool(last["choices"]) is not asked
    if asked:
        assert last["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}


@relayed
async def test_relayed_document_is_the_model_servers(house: House, way: Any) -> None:
    kind = "chat" if way is CHAT else "text"
    sent = document(kind, "a") | {"extra": {"x": [1]}}

    async def play(peer: Peer) -> None:
        await peer.document(sent)

    house.models.play = play
    assert (await house.post(way.path, way.plain)).json == sent


async def test_document_of_a_cleaned_answer(house: House) -> None:
    answer = await house.post(HOLE.path, HOLE.plain)
    body = answer.json
    assert body.pop("created") > 1_700_000_000
    assert body == {
        "id": f"cmpl-{answer.header('x-request-id')}",
        "object": "text_completion",
        "model": FIM,
        "choices": [{"index": 0, "text": "one + two", "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
    }


async def test_events_of_a_cleaned_stream(house: House) -> None:
    answer = await house.post(HOLE.path, HOLE.streaming)
    *pieces, done = events(answer.body)
    assert answer.body.count(b"data: ") == answer.body.count(b"\n\n") == len(pieces) + 1
    assert answer.body.count(b"\n") == 2 * len(pieces) + 2
    assert done == "[DONE]"
    assert {(each["object"], each["model"], each["id"]) for each in pieces} == {
        ("text_completion", FIM, f"cmpl-{answer.header('x-request-id')}")
    }
    assert [each["choices"][0]["finish_reason"] for each in pieces][-1] == "stop"
    assert {each["choices"][0]["finish_reason"] for each in pieces[:-1]} <= {None}


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", [FIM, PREFIX, WORDS])
async def test_suffix_on_every_kind_of_family(house: House, model: str, *, streaming: bool) -> None:
    body = {"model": model, "prompt": BEFORE, "suffix": AFTER, "stream": streaming, "file_name": "add.py"}
    answer = await house.post("/v1/completions", body)
    assert answer.status == 200
    found = events(answer.body)[:-1] if streaming else [answer.json]
    assert {each["model"] for each in found} == {model}
    assert "".join(choice["text"] for each in found for choice in each["choices"]) == "one + two"
    (peer,) = house.models.heard
    assert peer.json["model"] == f"served-{model}"
    if model == WORDS:
        assert peer.target == "/v1/chat/completions"
        said = "".join(message["content"] for message in peer.json["messages"])
        assert BEFORE in said
        assert AFTER.strip() in said
        return
    assert peer.target == "/v1/completions"
    assert BEFORE in peer.json["prompt"]
    assert (AFTER in peer.json["prompt"]) is (model == FIM)
    assert ("<|fim_middle|>" in peer.json["prompt"]) is (model == FIM)


async def test_related_files_reach_the_prompt(house: House) -> None:
    body = {"prompt": BEFORE, "suffix": AFTER, "context": [{"name": "lib.py", "content": "def helper(): ..."}]}
    await house.post("/v1/completions", body)
    assert "def helper(): ..." in house.models.heard[0].json["prompt"]


async def test_text_goes_on_exactly_as_it_stands(house: House) -> None:
    for prompt in (BEFORE, [BEFORE], "", "  \n\ttrailing \n"):
        await house.post("/v1/completions", {"prompt": prompt, "stop": "END", "seed": 7, "temperature": 0.5})
    assert [peer.json["prompt"] for peer in house.models.heard] == [BEFORE, BEFORE, "", "  \n\ttrailing \n"]
    first = house.models.heard[0].json
    assert (first["stop"], first["seed"], first["temperature"]) == (["END"], 7, 0.5)


async def test_messages_go_as_they_came(house: House) -> None:
    messages = [
        {"role": "developer", "content": "d", "name": "n"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "data:,"}}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "r"},
    ]
    extra = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "logit_bias": {"50256": -100},
        "top_k": 5,
    }
    answer = await house.post("/v1/chat/completions", {"messages": messages, **extra})
    assert answer.status == 200
    said = house.models.heard[0].json
    assert said["messages"] == messages
    assert {name: said[name] for name in extra} == extra


async def test_max_completion_tokens_wins(house: House) -> None:
    await house.post(CHAT.path, {"messages": MESSAGES, "max_tokens": 10, "max_completion_tokens": 20})
    assert house.models.heard[0].json["max_tokens"] == 20


@pytest.mark.parametrize("wanted", [FIM, f"served-{FIM}", "code_completions"])
async def test_model_by_name_identifier_or_feature(house: House, wanted: str) -> None:
    answer = await house.post("/v1/completions", {"model": wanted, "prompt": "a", "suffix": ""})
    assert answer.json["model"] == FIM


@pytest.mark.parametrize("way", [CHAT, TEXT], ids=named)
async def test_what_is_passed_on_names_the_model_as_its_server_does(house: House, way: Any) -> None:
    for body in (way.plain, way.streaming):
        answer = await house.post(way.path, body | {"model": FIM})
        assert set(re.findall(r'"model": ?"([^"]*)"', answer.body.decode())) == {"served"}
    assert {record["model"] for record in [await house.record(), await house.record(2)]} == {FIM}


@pytest.mark.parametrize("way", [CHAT, TEXT, HOLE], ids=named)
async def test_unknown_model_names_the_known_ones(house: House, way: Any) -> None:
    off = replace(house.snapshot.models[PREFIX], enabled=False)
    house.snapshot = house.snapshot.with_models(off)
    for wanted in ("gpt-4o", PREFIX, "", "../x"):
        answer = await house.post(way.path, way.plain | {"model": wanted})
        if not wanted:
            assert answer.status == 200
            continue
        assert answer.status == 404
        error = answer.json["error"]
        assert (error["code"], error["param"]) == ("not_found", "model")
        assert f"Registered models: {FIM}, {WORDS}." in error["message"]


async def test_identifier_of_two_models_is_nobodys(house: House) -> None:
    house.snapshot = house.snapshot.with_models(house.model("twin", identifier=f"served-{FIM}"))
    answer = await house.post("/v1/completions", {"model": f"served-{FIM}", "prompt": "a"})
    assert answer.status == 404


async def test_models_are_listed_by_name(house: House) -> None:
    off = replace(house.snapshot.models[PREFIX], enabled=False)
    house.snapshot = house.snapshot.with_models(off)
    answer = await house.get("/v1/models")
    assert answer.json["object"] == "list"
    assert [each["id"] for each in answer.json["data"]] == [FIM, WORDS]
    assert {each["object"] for each in answer.json["data"]} == {"model"}
    assert answer.json["data"][0]["max_model_len"] == 32_768
    assert house.models.url not in answer.body.decode()
    head = await house.ask("HEAD", "/v1/models")
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == str(len(answer.body))
    assert (await house.get("/v1/models", token="")).status == 401


async def test_models_say_what_they_can_do(house: House) -> None:
    seen = {WORDS: Capabilities(tools=True, thinks=False), PREFIX: Capabilities(chat=False, embeds=True)}
    house.snapshot = replace(house.snapshot, measured=seen)
    listed = {each["id"]: each["capabilities"] for each in (await house.get("/v1/models")).json["data"]}
    writes = {"completion_chat": True, "completion_fim": True, "embeddings": False}
    assert listed[WORDS] == {**writes, "function_calling": True, "reasoning": False}
    embeds = {"completion_chat": False, "completion_fim": False, "embeddings": True}
    assert listed[PREFIX] == {**embeds, "function_calling": None, "reasoning": None}
    assert (await house.get(f"/v1/models/{WORDS}")).json["capabilities"] == listed[WORDS]
    shown = await house.post("/api/show", {"model": PREFIX})
    assert shown.json["capabilities"] == ["embedding"]


async def test_finish_reason_of_a_cut_answer(house: House) -> None:
    says(house, piece("text", "one"), piece("text", "", "length"), DONE)
    *pieces, _ = events((await house.post(HOLE.path, HOLE.streaming)).body)
    assert pieces[-1]["choices"][0]["finish_reason"] == "length"


async def test_content_that_looks_like_the_protocol_is_content(house: House) -> None:
    tricky = ["data: [DONE]", '{"error": {"message": "x"}}', '"choices":[]', "\n\n", "data: "]
    parts = stream("chat", tricky)
    for sent in (parts, [b"".join(parts)]):
        says(house, *sent)
        answer = await house.post(CHAT.path, CHAT.streaming)
        assert answer.whole
        assert answer.body == b"".join(part for part in parts if part != usage_event())
    says(house, *(piece("chat", text) for text in tricky))
    answer = await house.post(CHAT.path, CHAT.streaming)
    assert not answer.whole
    assert events(answer.body)[-1]["error"]["code"] == "upstream_truncated"


async def test_event_without_choices_key_is_relayed(house: House) -> None:
    parts = [event({"object": "ping"}), *stream("chat", ["a"])[:-2], DONE]
    says(house, *parts)
    assert (await house.post(CHAT.path, CHAT.streaming)).body == b"".join(parts)


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, "image input is not supported - hint: provide the mmproj"), (400, "coder is not a multimodal model")],
)
async def test_a_model_that_sees_no_pictures_is_the_callers_to_change(house: House, status: int, said: str) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.document({"error": {"message": said}}, status)

    house.models.play = refuse
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    answer = await house.post("/v1/chat/completions", {"messages": [{"role": "user", "content": [picture]}]})
    assert (answer.status, answer.json["error"]["code"]) == (400, "upstream_rejected")
    assert "cannot see pictures" in answer.json["error"]["message"]
    assert "mmproj" not in answer.body.decode()


async def test_a_refused_picture_makes_no_models_window_smaller(house: House) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.document({"error": {"message": "this model's maximum context length does not hold images"}}, 400)

    house.models.play = refuse
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    body = {"messages": [{"role": "user", "content": [picture, {"type": "text", "text": "hi"}]}]}
    for _ in range(3):
        assert (await house.post("/v1/chat/completions", body)).status == 400
    assert house.app.door.bench.measures.window(house.snapshot.models[WORDS]) is None
