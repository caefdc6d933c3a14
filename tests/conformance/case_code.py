"""Code completions and generations: v2, v3 and v4."""

from __future__ import annotations

import json
from typing import Any

from conformance import Site, case, components, detail, file

V2 = "/v2/code/completions"
GENERATIONS = "/v2/code/generations"
V3 = "/v3/code/completions"
V4 = "/v4/code/suggestions"
STREAM = "text/event-stream"


def shown(value: Any) -> str:
    """A value as a sentence can hold it: long texts and lists by their length."""
    if isinstance(value, str) and len(value) > 40:
        return f"{len(value):,} characters"
    if isinstance(value, list) and len(value) > 9:
        return f"{len(value)} of {shown(value[0])}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


def v2(site: Site, **fields: Any) -> dict[str, Any]:
    return {"current_file": file(), **site.flat, **fields}


def context_without_content() -> dict[str, Any]:
    body = components("completion")
    body["prompt_components"].append({"type": "code_context", "payload": {"name": "x"}})
    return body


@case("4.1", "a suggestion has exactly the fields that GitLab reads")
async def document(site: Site) -> None:
    body = (await site.post(V2, v2(site))).json
    assert body["created"] > 1_700_000_000
    assert {**body, "created": 0, "model": None} == {
        "id": "id",
        "model": None,
        "experiments": [],
        "object": "text_completion",
        "created": 0,
        "choices": [{"text": "one + two", "index": 0, "finish_reason": "length"}],
        "metadata": {"enabled_feature_flags": []},
    }
    assert body["model"]["engine"] == "agent"
    assert body["model"]["name"]
    assert body["model"]["lang"] == "python"
    assert body["model"]["tokens_consumption_metadata"]["input_tokens"] == 11


for path in (V2, "/v2/completions"):

    @case("4.1", f"both paths answer | {path}", path)
    async def both_paths(site: Site, path: str) -> None:
        assert (await site.post(path, v2(site))).json["choices"][0]["text"] == "one + two"


for version, prompt in (
    (1, None),
    (2, None),
    (2, ""),
    (2, "words"),
    (3, None),
    (3, [{"role": "user", "content": "x"}]),
):

    @case(
        "4.1",
        f"prompt_version 1, 2 and 3 are served, with or without a prompt | {version}, {json.dumps(prompt)}",
        version,
        prompt,
    )
    async def prompt_versions(site: Site, version: int, prompt: Any) -> None:
        body = v2(site, prompt_version=version, prompt=prompt)
        assert (await site.post(V2, body)).status == 200


@case("4.1", "a missing prompt_version means 1")
async def no_version(site: Site) -> None:
    body = v2(site)
    del body["prompt_version"], body["prompt"]
    assert (await site.post(V2, body)).status == 200


for words in (("",), ("  \n ",), ("\n\n\t\n",)):

    @case("4.1", f"an empty or blank answer is no suggestion: choices is empty | {''.join(words)!r}", words)
    async def nothing(site: Site, words: tuple[str, ...]) -> None:
        site.answers(*words)
        body = (await site.post(V2, v2(site))).json
        assert body["choices"] == []


@case("4.1", "a stream is raw text without framing and without a terminator")
async def raw_stream(site: Site) -> None:
    answer = await site.post(V2, v2(site, stream=True))
    assert answer.body == b"one + two"
    assert answer.whole
    assert answer.header(
        "content-type",
    ).startswith(STREAM)


@case("4.1", "a stream of nothing is an empty body that ends properly")
async def empty_stream(site: Site) -> None:
    site.answers()
    answer = await site.post(V2, v2(site, stream=True))
    assert (answer.status, answer.body, answer.whole) == (200, b"", True)


for name, value in (("stream", None), ("context", None), ("telemetry", None), ("user_instruction", None)):

    @case("4.1", f"null counts as absent | {name}", name, value)
    async def nulls(site: Site, name: str, value: Any) -> None:
        assert (await site.post(V2, v2(site, **{name: value}))).status == 200


for name, value in (
    ("intent", "completion"),
    ("generation_type", "empty_function"),
    ("project_id", -1),
    ("project_id", None),
    ("choices_count", 3),
    ("role_arn", "arn:aws:iam::1:role/x"),
    ("prompt_id", "code_suggestions/completions"),
    ("never_heard_of", {"a": [1, {"b": None}]}),
):

    @case(
        "4.1",
        f"what editors add to the body is taken or ignored, never refused | {name} = {json.dumps(value)}",
        name,
        value,
    )
    async def ignored(site: Site, name: str, value: Any) -> None:
        assert (await site.post(V2, v2(site, **{name: value}))).status == 200


for name, value in (
    ("current_file", None),
    ("current_file", "add.py"),
    ("current_file", []),
    ("current_file", {"file_name": "x", "content_above_cursor": 1, "content_below_cursor": ""}),
    ("current_file", {"file_name": "x", "content_above_cursor": "a"}),
    ("current_file", {"content_above_cursor": "a", "content_below_cursor": "b"}),
    ("current_file", file(name="x" * 256)),
    ("current_file", file(above="x" * 100_001)),
    ("current_file", file(below="x" * 100_001)),
    ("prompt_version", 4),
    ("prompt_version", "two"),
    ("stream", "perhaps"),
    ("context", {}),
    ("context", [{"type": "file", "name": "x", "content": "y" * 500_001}]),
    ("context", [{"type": "file", "name": "x", "content": "y"}] * 101),
    ("context", [{"type": "file", "name": "x" * 1025, "content": "y"}]),
    ("telemetry", [{}]),
    ("telemetry", [{"requests": 1, "accepts": 1, "errors": 1}] * 11),
    ("telemetry", [{"requests": "many", "accepts": 1, "errors": 1}]),
    ("model_endpoint", 7),
    ("model_identifier", "x" * 1001),
    ("project_path", "x" * 256),
    ("project_id", "mine"),
    ("choices_count", "many"),
):

    @case(
        "4.1",
        f"a wrong, missing or too long field is 422 with a list that names it | {name} = {shown(value)}",
        name,
        value,
    )
    async def refused(site: Site, name: str, value: Any) -> None:
        answer = await site.post(V2, v2(site, **{name: value}))
        assert answer.status == 422
        assert name in detail(answer)
        assert not site.theirs.heard


@case("4.1", "100,000 characters on either side of the cursor are taken")
async def long_file(site: Site) -> None:
    code = "x = 1\n" * 16_666
    assert (await site.post(V2, v2(site, current_file=file(above=code, below=code)))).status == 200


@case("3.1", "a body of 600,000 bytes is taken")
async def long_body(site: Site) -> None:
    context = [{"type": "file", "name": f"f{n}.py", "content": "y = 2\n" * 8_000} for n in range(12)]
    body = v2(site, context=context)
    assert len(json.dumps(body)) > 580_000
    assert (await site.post(V2, body)).status == 200


@case("4.9", "context items reach the model")
async def context(site: Site) -> None:
    items = [{"type": "file", "name": "lib.py", "content": "def helper_of_ours(): ..."}]
    await site.post(V2, v2(site, context=items))
    assert "helper_of_ours" in site.prompt


@case("4.9", "the code on both sides of the cursor reaches the model")
async def both_sides(site: Site) -> None:
    await site.post(V2, v2(site))
    assert "def add(a, b):" in site.prompt
    assert "print(add(1, 2))" in site.prompt


@case("13.4", "an empty suffix is empty, not the word None")
async def no_suffix(site: Site) -> None:
    for family in ("codestral", "codegemma", "codellama", "deepseekcoder", "mistral"):
        await site.post(V2, v2(site, model_name=family, current_file=file(below="")))
        assert "None" not in site.prompt


for name, language in (
    ("x.py", "python"),
    ("x.rb", "ruby"),
    ("x.js", "js"),
    ("x.jsx", "js"),
    ("x.ts", "ts"),
    ("x.go", "go"),
    ("x.rs", "rust"),
    ("x.java", "java"),
    ("x.kt", "kotlin"),
    ("x.scala", "scala"),
    ("x.php", "php"),
    ("x.c", "c"),
    ("x.hpp", "cpp"),
    ("x.cs", "csharp"),
):

    @case("4.10", f"the language is told by the file's name | {name} is {language}", name, language)
    async def languages(site: Site, name: str, language: str) -> None:
        body = (await site.post(V2, v2(site, current_file=file(name=name)))).json
        assert body["model"]["lang"] == language


@case("4.10", "language_identifier counts before the file's name")
async def identified(site: Site) -> None:
    current = {**file(name="x.txt"), "language_identifier": "ruby"}
    assert (await site.post(V2, v2(site, current_file=current))).json["model"]["lang"] == "ruby"


for name in ("x.unknown", "Makefile", "x", ".env", "a" * 255, "дом.py", "a/b/../c.py", "x.py "):

    @case("4.9", f"a file of unknown language is served | {name[:20]!r}", name)
    async def odd_names(site: Site, name: str) -> None:
        assert (await site.post(V2, v2(site, current_file=file(name=name)))).status == 200


for sloppy, clean in (
    ("```python\none + two\n```", "one + two"),
    ("one + two<|endoftext|>", "one + two"),
    ("one + two<|fim_middle|>more", "one + two"),
    ("one + two[SUFFIX]more", "one + two"),
    ("one + two <EOT>", "one + two"),
):

    @case("4.11", f"answers are cleaned, for self-hosted models too | {sloppy!r}", sloppy, clean)
    async def cleaned(site: Site, sloppy: str, clean: str) -> None:
        for stream in (False, True):
            site.answers(*(sloppy[at : at + 3] for at in range(0, len(sloppy), 3)))
            answer = await site.post(V2, v2(site, stream=stream))
            text = answer.body.decode() if stream else answer.json["choices"][0]["text"]
            assert text.strip() == clean


@case("4.3", "a generation has the form of a completion")
async def generation(site: Site) -> None:
    body = v2(site, prompt="Add the two numbers.", prompt_id="code_suggestions/generations")
    found = (await site.post(GENERATIONS, body)).json
    assert found["object"] == "text_completion"
    assert found["choices"][0]["text"].strip() == "one + two"


@case("4.3", "its answer names engine, model and language, and no tokens consumed")
async def generation_model(site: Site) -> None:
    found = (await site.post(GENERATIONS, v2(site, prompt="Add the two numbers."))).json
    assert set(found["model"]) == {"engine", "name", "lang"}


for field in ("prompt", "user_instruction"):

    @case("4.3", f"the instruction reaches the model | in {field}", field)
    async def instruction(site: Site, field: str) -> None:
        await site.post(GENERATIONS, v2(site, **{"prompt": "", field: "Add the canary numbers."}))
        assert "Add the canary numbers." in site.prompt


@case("4.3", "an empty prompt is served: the comment above the cursor is the instruction")
async def no_instruction(site: Site) -> None:
    answer = await site.post(GENERATIONS, v2(site, prompt="", current_file=file(above="# Add two numbers.\n")))
    assert answer.status == 200
    assert "# Add two numbers." in site.prompt


@case("4.3", "prompt_version 3 takes a list of messages")
async def generation_messages(site: Site) -> None:
    body = v2(site, prompt_version=3, prompt=[{"role": "user", "content": "Add the canary."}])
    assert (await site.post(GENERATIONS, body)).status == 200
    assert "Add the canary." in site.prompt


@case("4.3", "a stream is raw text")
async def generation_stream(site: Site) -> None:
    answer = await site.post(GENERATIONS, v2(site, prompt="", stream=True))
    assert answer.body.strip() == b"one + two"
    assert answer.header("content-type").startswith(STREAM)


@case("4.11", "fences around the code are taken off")
async def generation_fence(site: Site) -> None:
    site.answers("Here is the code:\n", "```python\n", "one + two\n", "```\n", "Enjoy!")
    body = v2(site, prompt="Add.", current_file=file(above=""))
    assert (await site.post(GENERATIONS, body)).json["choices"][0]["text"].strip() == "one + two"


for kind in ("completion", "generation"):

    @case("4.4", f"an answer has exactly the fields that GitLab reads | {kind}", kind)
    async def v3_document(site: Site, kind: str) -> None:
        answer = await site.post(V3, {**components(kind), "model_metadata": site.metadata})
        body = answer.json
        assert set(body) == {"choices", "metadata"}
        assert body["choices"][0]["text"].strip() == "one + two"
        assert body["choices"][0]["index"] == 0
        assert body["choices"][0]["finish_reason"] == "length"
        assert set(body["metadata"]["model"]) == {"engine", "name", "lang"}
        assert isinstance(body["metadata"]["timestamp"], int)

    @case("4.4", f"a stream is raw text | {kind}", kind)
    async def v3_stream(site: Site, kind: str) -> None:
        answer = await site.post(V3, {**components(kind, stream=True), "model_metadata": site.metadata})
        assert answer.body.strip() == b"one + two"
        assert answer.header("x-streaming-format") is None

    @case("4.5", f"an answer that is not streamed has the form of v3 | {kind}", kind)
    async def v4_document(site: Site, kind: str) -> None:
        body = {**components(kind), "model_metadata": site.metadata}
        ours, theirs = (await site.post(V4, body)).json, (await site.post(V3, body)).json
        ours["metadata"]["timestamp"] = theirs["metadata"]["timestamp"] = 0
        assert ours == theirs

    @case("4.5", f"a stream is true server-sent events, in order | {kind}", kind)
    async def v4_stream(site: Site, kind: str) -> None:
        answer = await site.post(V4, {**components(kind, stream=True), "model_metadata": site.metadata})
        assert answer.header("content-type").startswith(STREAM)
        assert answer.header("x-streaming-format") == "sse"
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-accel-buffering") == "no"
        events = answer.body.decode().split("\r\n\r\n")
        assert events.pop() == ""
        pairs = [each.split("\r\n") for each in events]
        assert all(name.startswith("event: ") and data.startswith("data: ") for name, data in pairs)
        names = [name.removeprefix("event: ") for name, _ in pairs]
        datas = [json.loads(data.removeprefix("data: ")) for _, data in pairs]
        assert names[0] == "stream_start"
        assert set(datas[0]["metadata"]["model"]) == {"engine", "name"}
        assert set(names[1:-1]) == {"content_chunk"}
        assert "".join(each["choices"][0]["delta"]["content"] for each in datas[1:-1]).strip() == "one + two"
        assert (names[-1], datas[-1]) == ("stream_end", None)

    for path in (V3, V4):
        section = "4.4" if path == V3 else "4.5"

        @case(section, f"no suggestion is an empty list of choices | {kind}", path, kind)
        async def v3_nothing(site: Site, path: str, kind: str) -> None:
            site.answers(" ")
            answer = await site.post(path, {**components(kind), "model_metadata": site.metadata})
            assert answer.json["choices"] == []

        @case(section, f"code_context reaches the model | {kind}", path, kind)
        async def v3_context(site: Site, path: str, kind: str) -> None:
            body = components(kind)
            payload = {"type": "file", "name": "lib.py", "content": "def helper_of_ours(): ..."}
            body["prompt_components"].append({"type": "code_context", "payload": payload, "metadata": {"source": "x"}})
            await site.post(path, {**body, "model_metadata": site.metadata})
            assert "helper_of_ours" in site.prompt


for path, section in ((V3, "4.4"), (V4, "4.5")):

    @case(section, "prompt_enhancer's instruction, files and snippets reach the model", path)
    async def enhancer(site: Site, path: str) -> None:
        enhancer = {
            "user_instruction": "Do the canary.",
            "related_files": ['<file_content file_name="lib.py">\ndef helper_of_ours(): ...\n</file_content>'],
            "related_snippets": ['<snippet_content name="part">\nthe_snippet = 1\n</snippet_content>'],
            "libraries": ["requests-canary", "attrs"],
            "examples_array": [
                {"example": "the_example_asked()", "response": "the_example_reply()", "trigger_type": "comment"},
                "an example of one text",
            ],
            "trimmed_content_above_cursor": "x",
            "trimmed_content_below_cursor": "y",
        }
        body = components("generation", prompt_enhancer=enhancer, prompt_id="code_suggestions/generations")
        await site.post(path, {**body, "model_metadata": site.metadata})
        for expected in ("Do the canary.", "helper_of_ours", "the_snippet", "lib.py"):
            assert expected in site.prompt
        for expected in ("requests-canary\nattrs", "the_example_asked()", "the_example_reply()", "of one text"):
            assert expected in site.prompt
        assert "<file_content" not in site.prompt

    @case(section, "prompt_enhancer's trimmed code serves where the payload has none", path)
    async def trimmed(site: Site, path: str) -> None:
        enhancer = {"trimmed_content_above_cursor": "above_canary", "trimmed_content_below_cursor": "below_canary"}
        for code, expected in (("", True), ("x = 1\n", False)):
            fields = {"content_above_cursor": code, "content_below_cursor": code}
            body = components("generation", prompt_enhancer=enhancer, **fields)
            await site.post(path, {**body, "model_metadata": site.metadata})
            assert ("above_canary" in site.prompt) is expected
            assert ("below_canary" in site.prompt) is expected

    @case(section, "libraries and examples beyond their share of the prompt are left away, the code is not", path)
    async def bounded(site: Site, path: str) -> None:
        enhancer = {
            "libraries": [f"library-{number}-{'x' * 90}" for number in range(1000)],
            "examples_array": [{"example": f"example-{number}-{'y' * 900}"} for number in range(100)],
        }
        await site.post(path, {**components("generation", prompt_enhancer=enhancer), "model_metadata": site.metadata})
        assert "library-0-" in site.prompt
        assert "example-0-" in site.prompt
        assert "def add(a, b):" in site.prompt
        assert len(site.prompt) < 100_000
        assert "library-999-" not in site.prompt
        assert "example-99-" not in site.prompt

    for version in ("^1.0.0", "2.0.0", "3.0.2-dev", "1.0.1-dev", None):

        @case(section, f"every prompt_version is served | {version}", path, version)
        async def v3_version(site: Site, path: str, version: str | None) -> None:
            body = components("generation", prompt_version=version, prompt_id="code_suggestions/generations")
            assert (await site.post(path, {**body, "model_metadata": site.metadata})).status == 200

    for name, broken in (
        ("no components", {"prompt_components": []}),
        ("101 components", {"prompt_components": components("completion")["prompt_components"] * 101}),
        ("an unknown type", {"prompt_components": [{"type": "poem", "payload": {}}]}),
        ("no payload", {"prompt_components": [{"type": "code_editor_completion"}]}),
        ("an empty payload", {"prompt_components": [{"type": "code_editor_completion", "payload": {}}]}),
        ("an empty generation", {"prompt_components": [{"type": "code_editor_generation", "payload": {}}]}),
        ("no file name", components("completion", file_name=None)),
        ("no code below", components("completion", content_below_cursor=None)),
        ("choices_count in words", components("completion", choices_count="many")),
        ("too many libraries", components("generation", prompt_enhancer={"libraries": ["x"] * 1001})),
        ("context without content", context_without_content()),
        ("context first", {"prompt_components": [{"type": "code_context", "payload": {"content": "x"}}]}),
        ("too long a file", components("completion", content_above_cursor="x" * 100_001)),
        ("nothing at all", {}),
    ):

        @case(section, f"wrong components are 422 with a list that says why | {name}", path, broken)
        async def v3_refused(site: Site, path: str, broken: dict[str, Any]) -> None:
            answer = await site.post(path, {**broken, "model_metadata": site.metadata})
            assert answer.status == 422
            assert "prompt_components" in detail(answer) or "component" in detail(answer)

    for kind, scope in (("completion", "complete_code"), ("generation", "generate_code")):

        @case(
            "14.6",
            f"code needs complete_code or generate_code; the older code_suggestions stands for both | {path}, {kind}",
            path,
            kind,
            scope,
        )
        async def v3_scope(site: Site, path: str, kind: str, scope: str) -> None:
            body = {**components(kind), "model_metadata": site.metadata}
            assert (await site.post(path, body, scopes=(scope,))).status == 200
            assert (await site.post(path, body, scopes=("code_suggestions",))).status == 200
            answer = await site.post(path, body, scopes=("duo_chat",))
            assert answer.status == 403
            assert scope in detail(answer)


for path, scope in ((V2, "complete_code"), ("/v2/completions", "complete_code"), (GENERATIONS, "generate_code")):

    @case(
        "14.6",
        f"code needs complete_code or generate_code; the older code_suggestions stands for both | {path}",
        path,
        scope,
    )
    async def v2_scope(site: Site, path: str, scope: str) -> None:
        body = v2(site, prompt="")
        assert (await site.post(path, body, scopes=(scope,))).status == 200
        assert (await site.post(path, body, scopes=("code_suggestions",))).status == 200
        answer = await site.post(path, body, scopes=("duo_chat",))
        assert answer.status == 403
        assert scope in detail(answer)
