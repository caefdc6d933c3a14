"""Code suggestions through the front door: what a sloppy model's answer becomes, and what it is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, PREFIX, TOKEN, WORDS, asking
from script import DONE, document, event, piece, stream

from homeport.codetext.sentinels import LABEL
from homeport.domain.requests import ChatRequest, CodeRequest, Message, Sampling
from homeport.features import chat, code_completions

if TYPE_CHECKING:
    from house import House
    from script import Peer

PATH = "/v2/code/completions"
BEFORE, AFTER = "def add(a, b):\n    ", "\n\nprint(add(1, 2))\n"
TOO_LONG = {"error": {"message": "This model's maximum context length is 4096 tokens.", "code": 400}}
MODELS = (FIM, PREFIX, WORDS)


def body(before: str = BEFORE, after: str = AFTER, name: str = "app/add.py", **more: Any) -> dict[str, Any]:
    """A request for a completion."""
    file = {"file_name": name, "content_above_cursor": before, "content_below_cursor": after}
    return {"prompt_version": 1, "current_file": file, **more}


async def completion(house: House, asked: dict[str, Any]) -> str:
    """The suggestion, the same whether it is streamed or not."""
    whole = await house.post(PATH, asked)
    streamed = await house.post(PATH, {**asked, "stream": True})
    assert (whole.status, streamed.status) == (200, 200)
    text = whole.json["choices"][0]["text"] if whole.json["choices"] else ""
    assert streamed.body.decode() == text
    return text


# What is kept (AI Gateway protocol, section 4.11).


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("return a + b<|endoftext|>import os", "return a + b"),
        ("return a + b<|fim_middle|>", "return a + b"),
        ("<fim_middle>return a + b[SUFFIX]x", "return a + b"),
        ("```python\nreturn a + b\n```\nThis adds them.", "return a + b"),
        ("Here is the code:\n```python\nreturn a + b\n```", "return a + b"),
        ("<think>\nThey want a sum.\n</think>\n\nreturn a + b", "return a + b"),
        ("def add(a, b):\n    return a + b", "return a + b"),
        ("    return a + b", "return a + b"),
        ("return a + b\n\nprint(add(1, 2))\n", "return a + b"),
        ("return a + b<|cursor|>", "return a + b"),
        ("# app/add.py\nreturn a + b", "return a + b"),
        ("# nothing to do here", ""),
        (" \n \n", ""),
    ],
)
async def test_what_is_kept_of_an_answer(house: House, model: str, answer: str, kept: str) -> None:
    house.assign("code_completions", "model", model)
    house.models.words = [answer[at : at + 5] for at in range(0, len(answer), 5)]
    before = BEFORE if kept else "x = 1\n"
    assert await completion(house, body(before=before)) == kept


@pytest.mark.parametrize(
    ("name", "before", "after", "answer"),
    [
        (
            "a.py",
            "import os\n\ndef read_lines(path):\n    with open(path) as f:\n        return ",
            "\n\nprint(read_lines('x'))\n",
            " \n\nprint(read_lines('x'))\n\n\n\nText to insert at the cursor:\n\nx\n\n",
        ),
        (
            "a.rb",
            "class User\n  def full_name\n    ",
            "\n  end\nend\n",
            "This is a Ruby code that creates a new object and gives it the name that was asked for.",
        ),
        (
            "a.go",
            "func sum(numbers []int) int {\n\tfor _, n := range numbers {\n\t\t",
            "\n\t}\n}\n",
            "It is written in the language of the specified language. " * 11,
        ),
        ("a.py", "x = max(", "\n", "The code is already completed. You can simply copy and paste it."),
    ],
)
async def test_words_about_the_code_are_no_choice(
    house: House, name: str, before: str, after: str, answer: str
) -> None:
    house.assign("code_completions", "model", WORDS)
    house.models.words = [answer[at : at + 5] for at in range(0, len(answer), 5)]
    assert (await house.post(PATH, body(before, after, name))).json["choices"] == []
    assert (await house.post(PATH, body(before, after, name, stream=True))).body == b""


async def test_a_small_model_may_repeat_the_end_of_our_wording(house: House) -> None:
    assert code_completions.WORDING.user.endswith(LABEL)
    house.assign("code_completions", "model", WORDS)
    house.models.words = ["Text to insert", " at the cursor:\n", "return a + b\nText to insert at the cursor:\nx"]
    assert await completion(house, body()) == "return a + b\n"


async def test_nothing_left_is_no_choice(house: House) -> None:
    house.models.words = ["<|endoftext|>"]
    assert (await house.post(PATH, body())).json["choices"] == []


async def test_line_ends_of_windows_stay(house: House) -> None:
    house.models.words = ["total = a", " + b\n", "    return total\n\nprint(add(1, 2))\n"]
    asked = body(BEFORE.replace("\n", "\r\n"), AFTER.replace("\n", "\r\n"))
    assert await completion(house, asked) == "total = a + b\r\n    return total"


async def test_a_half_line_at_the_token_limit_goes(house: House) -> None:
    async def play(peer: Peer) -> None:
        answer = document(peer.kind, "total = a + b\n    return tot")
        answer["choices"][0]["finish_reason"] = "length"
        await peer.document(answer)

    house.models.play = play
    assert (await house.post(PATH, body())).json["choices"][0]["text"] == "total = a + b"


async def test_a_stuck_model_is_stopped(house: House) -> None:
    house.models.words = ["x = 1\n", *["    compute_something(a, b)\n"] * 500]
    answer = await house.post(PATH, body(stream=True))
    assert answer.body.decode() == "x = 1\n    compute_something(a, b)"


async def test_the_first_line_is_not_waited_for(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "return a"))
        await peer.hang()

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", PATH, body(stream=True), token=TOKEN))
        await wire.head()
        assert await wire.chunk() == b"return a"


async def test_an_administrator_may_have_answers_as_they_come(house: House) -> None:
    house.snapshot = house.snapshot.with_models(replace(house.snapshot.models[FIM], clean=False))
    sloppy = "```python\nreturn a + b\n```<|endoftext|>"
    house.models.words = [sloppy]
    assert await completion(house, body()) == sloppy


@pytest.mark.parametrize(
    "answer", ["\n  # say hello\n", "def hello_world", "  \n", "```ruby\nend\n```", "(name)\n<EOT>"]
)
async def test_the_health_check_gets_an_answer_whatever_the_model_says(house: House, answer: str) -> None:
    """Section 17.2: an empty text means to GitLab that nothing works."""
    house.models.words = [answer]
    assert (await house.post(PATH, body("def hello_world", "", "test.rb"))).json["choices"][0]["text"] == answer


async def test_a_generation_is_cleaned_too(house: House) -> None:
    house.models.words = [
        "<think>A sum.</think>\n",
        "Sure:\n```python\n# add\n",
        "def add(a, b):\n    return a + b\n```",
    ]
    asked = body("# add\n", "", user_instruction="add")
    assert (await house.post("/v2/code/generations", asked)).json["choices"][0][
        "text"
    ] == "def add(a, b):\n    return a + b"


async def test_a_generation_that_goes_round_in_circles_is_stopped(house: House) -> None:
    block = "def add(a, b):\n    return a + b\n\n\n"
    house.models.words = [block] * 500
    answer = await house.post("/v2/code/generations", body("# add\n", "", stream=True, user_instruction="add"))
    assert answer.body.decode() == block * 2


# What a model is shown (sections 4.9 and 4.10).


async def shown(house: House, asked: dict[str, Any]) -> str:
    """The prompt as the model server hears it."""
    house.models.heard.clear()
    assert (await house.post(PATH, asked)).status == 200
    heard = house.models.heard[0].json
    return heard["prompt"] if "prompt" in heard else "\n".join(message["content"] for message in heard["messages"])


def item(name: str, content: str, kind: str = "file") -> dict[str, str]:
    return {"type": kind, "name": name, "content": content}


@pytest.mark.parametrize("model", MODELS)
async def test_an_unknown_language_is_left_out(house: House, model: str) -> None:
    house.assign("code_completions", "model", model)
    prompt = await shown(house, body("zork the ", "", "a.zork"))
    assert "zork the" in prompt
    for word in ("None", "unknown", "Language", "{language}"):
        assert word not in prompt
    assert ("Language: Python" in await shown(house, body())) is (model == WORDS)


@pytest.mark.parametrize("model", MODELS)
async def test_related_code_leads_snippets_first(house: House, model: str) -> None:
    house.assign("code_completions", "model", model)
    context = [
        item("lib/sums.py", "def sum_of(items): ..."),
        item("app/add.py", "the file itself"),
        item("notes.md", "   \n"),
        item("lib/sums.py", "def sum_of(items): ..."),
        item("", "print(add(1, 2))", "snippet"),
        item("sub", "def subtract(a, b): ...", "snippet"),
    ]
    prompt = await shown(house, body(context=context))
    assert "the file itself" not in prompt
    assert "notes.md" not in prompt
    assert prompt.count("sum_of") == 1
    assert prompt.count("print(add(1, 2))") == (0 if model == PREFIX else 1)
    assert prompt.index("def subtract") < prompt.index("def sum_of") < prompt.index("def add(a, b):\n")


async def test_of_too_much_the_most_relevant_is_shown(house: House) -> None:
    other = "\n".join(f"value_{n} = {n}" for n in range(4000))
    context = [item(f"lib/other_{n}.py", other) for n in range(20)]
    context.insert(13, item("lib/basket.py", "class Basket:\n    def total_of_items(self): ...\n"))
    before = "from lib.basket import Basket\n\nprice = Basket().total_of_items("
    prompt = await shown(house, body(before, "", context=context))
    assert "class Basket" in prompt
    assert prompt.index("class Basket") < prompt.index("value_0 = 0")
    assert prompt.endswith(before + "<|fim_suffix|><|fim_middle|>")


async def test_context_and_code_share_a_prompt_as_the_operator_says(house: House) -> None:
    bench = house.app.door.bench
    context = [item("lib.py", "value = 1\n" * 40_000)]
    asked = body("x = 1\n" * 10_000, "y = 2\n" * 10_000, context=context)
    usual = await shown(house, asked)
    assert 0.18 < usual.count("value = 1") * 10 / len(usual) < 0.26
    assert 0.15 < usual.count("y = 2") * 6 / len(usual) < 0.25
    house.app.door.bench = replace(bench, completion_context_share=0.6, completion_suffix_share=0.5)
    try:
        other = await shown(house, asked)
    finally:
        house.app.door.bench = bench
    assert 0.45 < other.count("value = 1") * 10 / len(other) < 0.62
    assert 0.15 < other.count("y = 2") * 6 / len(other) < 0.3


# How much fits (section 13.6).


def unknown(house: House, **limits: int) -> None:
    """A model of which nothing was learned yet."""
    house.limit(**({"context_tokens": 0} | limits))
    house.app.door.bench.measures.__init__()


class Small:
    """A server whose window is smaller than anybody told us."""

    def __init__(self, characters: int, said: Any = TOO_LONG, status: int = 400) -> None:
        self.characters = characters
        self.said = said
        self.status = status
        self.sizes: list[int] = []

    async def __call__(self, peer: Peer) -> None:
        heard = peer.json
        text = heard.get("prompt") or "".join(message["content"] for message in heard["messages"])
        self.sizes.append(len(text) + 3 * heard["max_tokens"])
        if self.sizes[-1] > self.characters:
            await peer.document(self.said, status=self.status)
        elif heard["stream"]:
            await peer.head()
            await peer.events(stream(peer.kind, ["one"]))
            await peer.end()
        else:
            await peer.document(document(peer.kind, "one"))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", [PATH, "/v2/code/generations"])
async def test_a_prompt_that_is_too_long_is_asked_shorter_once(house: House, path: str, *, streamed: bool) -> None:
    long = body("x = compute(x)\n" * 5000, AFTER, stream=streamed)
    server = house.models.play = Small(20_000)
    unknown(house)
    answer = await house.post(path, long)
    assert answer.status == 200
    assert answer.body == b"one" if streamed else answer.json["choices"][0]["text"] == "one"
    first, second = server.sizes
    assert second < 0.8 * first
    assert (await house.record())["prompt_shortened"] is True
    # What was learned is not asked for again.
    assert (await house.post(path, long)).status == 200
    assert len(server.sizes) == 3


async def test_a_prompt_that_stays_too_long_is_the_callers_to_hear(house: House) -> None:
    server = house.models.play = Small(10)
    unknown(house)
    answer = await house.post(PATH, body("x = 1\n" * 9000))
    assert answer.status == 421
    assert "too long" in answer.json["detail"]
    assert len(server.sizes) == 2


async def test_another_refusal_is_not_asked_again(house: House) -> None:
    server = house.models.play = Small(10, {"error": {"message": "no such option"}})
    unknown(house)
    assert (await house.post(PATH, body())).status == 421
    assert len(server.sizes) == 1


async def test_a_long_answer_is_asked_shorter_too(house: House) -> None:
    server = house.models.play = Small(9000)
    unknown(house, context_tokens=262_144, output_tokens=100_000)
    model = house.snapshot.models[FIM]
    bench = house.app.door.bench
    chunks = code_completions.run(
        bench, CodeRequest(before="x = ", model=model.name, sampling=Sampling(max_tokens=4000))
    )
    assert "".join([chunk.text async for chunk in chunks]) == "one"
    assert len(server.sizes) == 2


async def test_a_long_conversation_is_asked_shorter_too(house: House) -> None:
    server = house.models.play = Small(15_000)
    unknown(house)
    asked = ChatRequest(messages=(Message(role="user", content="why? " * 9000),), model=WORDS)
    assert "".join([chunk.text async for chunk in chat.run(house.app.door.bench, asked)]) == "one"
    assert len(server.sizes) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_prompts_grow_with_what_the_model_counts(house: House, *, streamed: bool) -> None:
    async def play(peer: Peer) -> None:
        usage = {"prompt_tokens": len(peer.json["prompt"]) // 5, "completion_tokens": 1}
        if peer.json["stream"]:
            await peer.head()
            await peer.events([piece(peer.kind, "one", "stop"), event({"choices": [], "usage": usage}), DONE])
            await peer.end()
        else:
            await peer.document({**document(peer.kind, "one"), "usage": usage})

    house.models.play = play
    unknown(house, context_tokens=4096)
    asked = body("x = compute(x)\n" * 6000, AFTER, stream=streamed)
    for _ in range(16):
        await house.post(PATH, asked)
    sizes = [len(peer.json["prompt"]) for peer in house.models.heard]
    assert sizes[0] < (4096 - 128) * 3.2
    assert sizes[-1] == pytest.approx(sizes[0] * 5 / 3.2, rel=0.05)
