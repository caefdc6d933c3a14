"""Whatever a caller sends, it gets a documented 4xx in its own protocol, with the correlation id."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from house import TOKEN, asking
from ways import FILE, MESSAGES, WAYS, error_text, named

from homeport.access import tokens

if TYPE_CHECKING:
    from house import House
    from ways import Way
    from wire import Answer

PATHS = list({way.path: way for way in reversed(WAYS)}.values())
OPENAI = WAYS[:2]
each_path = pytest.mark.parametrize("way", PATHS, ids=named)


def refused(way: Way, answer: Answer, *statuses: int) -> str:
    """Check an error document; gives its sentence."""
    wanted = {422 if way.gitlab and status == 400 else status for status in statuses or (400,)}
    assert answer.status in wanted, (way.name, answer)
    assert answer.whole
    assert answer.header("content-type") == "application/json"
    text = error_text(way, answer)
    assert str(answer.header("x-request-id")) in text
    assert len(text) < 1000
    for leak in ("Traceback", 'File "', "pydantic", "homeport."):
        assert leak not in answer.body.decode()
    return text


def nested(depth: int, kind: str) -> str:
    opening, closing = {"list": ("[", "]"), "object": ('{"a":', "}"), "mixed": ('[{"a":', "}]")}[kind]
    return opening * depth + "1" + closing * depth


SCALARS: list[bytes] = [
    b"null",
    b"true",
    b"1",
    b'"text"',
    b"[]",
    b"{}",
    b"[{}]",
    b"-",
    b"  ",
    b"\n",
    b"'",
    b"{,}",
    b"{1:2}",
]
NOT_JSON: dict[str, bytes] = {
    "binary": bytes(range(256)),
    "zeros": b"\0" * 100,
    "byte order mark": b"\xef\xbb\xbf" + json.dumps({"messages": MESSAGES}).encode(),
    "UTF-16": json.dumps({"messages": MESSAGES}).encode("utf-16"),
    "UTF-32": json.dumps({"messages": MESSAGES}).encode("utf-32"),
    "latin-1": json.dumps({"prompt": "é"}, ensure_ascii=False).encode("latin-1"),
    "overlong UTF-8": b'{"prompt": "\xc0\xaf"}',
    "form": b"prompt=x&stream=true",
    "xml": b"<?xml version='1.0'?><prompt/>",
    "two documents": b"{}{}",
    "comments": b"{/* x */}",
    "trailing comma": b'{"prompt": "x",}',
    "single quotes": b"{'prompt': 'x'}",
    "bare control character": b'{"prompt": "\n"}',
    "bad escape": b'{"prompt": "\\x41"}',
    "half an escape": b'{"prompt": "\\u12"}',
    "leading zero": b'{"prompt": 01}',
    "hexadecimal": b'{"prompt": 0x10}',
    "plus": b'{"prompt": +1}',
}


@each_path
async def test_no_json(house: House, way: Way) -> None:
    for body in (*SCALARS, *NOT_JSON.values()):
        if not (way.prompt and body == b"{}"):
            refused(way, await house.post(way.path, body))
    assert not house.models.heard


@each_path
async def test_cut_at_each_byte(house: House, way: Way) -> None:
    body = json.dumps(way.plain).encode()
    async with house.line() as wire:
        for cut in range(len(body)):
            await wire.send(asking("POST", way.path, body[:cut]))
            refused(way, await wire.answer())
    assert not house.models.heard


@each_path
async def test_trailing_bytes(house: House, way: Way) -> None:
    body = json.dumps(way.plain).encode()
    for tail in (b"x", b"{}", b",", b"]", b"\0", b"\xff", b"//"):
        refused(way, await house.post(way.path, body + tail))
    assert (await house.post(way.path, body + b" \r\n\t")).status == 200


@each_path
async def test_empty_and_missing_body(house: House, way: Way) -> None:
    for body in (b"", None):
        assert "The body is empty." in refused(way, await house.post(way.path, body))


def with_value(way: Way, value: str) -> bytes:
    """The way's request with a JSON value where the protocol leaves anything be."""
    body = json.dumps(way.plain)
    if "messages" in body:
        return body.replace('"role"', f'"x": {value}, "role"').encode()
    return body.replace("{", f'{{"x": {value}, ', 1).encode()


@each_path
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", '[1, {"a": NaN}]'])
async def test_numbers_that_json_does_not_know(house: House, way: Way, value: str) -> None:
    refused(way, await house.post(way.path, with_value(way, value)))
    assert not house.models.heard


@each_path
async def test_nan_as_a_word_is_fine(house: House, way: Way) -> None:
    assert (await house.post(way.path, with_value(way, '"NaN and Infinity"'))).status == 200


@each_path
@pytest.mark.parametrize("value", ['"\\ud800"', '"\\udc00\\ud800"', '"a\\ud83d"', '{"\\ud800": 1}'])
async def test_lone_surrogates(house: House, way: Way, value: str) -> None:
    refused(way, await house.post(way.path, with_value(way, value)))


@each_path
async def test_deep_nesting(house: House, way: Way) -> None:
    for kind in ("list", "object", "mixed"):
        assert (await house.post(way.path, with_value(way, nested(25, kind)))).status == 200
        for depth in (65, 128, 250, 999, 1025, 5000, 100_000):
            refused(way, await house.post(way.path, with_value(way, nested(depth, kind))))


@each_path
async def test_huge_numbers(house: House, way: Way) -> None:
    for value in (
        "1" * 30,
        "-" + "9" * 400,
        "1" * 4300,
        "1" * 4301,
        "1" * 100_000,
        "1e999",
        "-1e999",
        "1." + "1" * 5000,
    ):
        answer = await house.post(way.path, with_value(way, value))
        if answer.status != 200:
            refused(way, answer)


@pytest.mark.parametrize("way", [WAYS[0], WAYS[3], WAYS[8]], ids=named)
async def test_a_megabyte_of_empty_objects(house: House, way: Way) -> None:
    for value in ("[" + "{}," * 350_000 + "{}]", "[" + "[]," * 350_000 + "[]]"):
        assert "brackets" in refused(way, await house.post(way.path, with_value(way, value)))
    many = "{" + ",".join(f'"k{n}":{n}' for n in range(50_000)) + "}"
    assert (await house.post(way.path, with_value(way, many))).status == 200


@each_path
async def test_duplicate_keys(house: House, way: Way) -> None:
    """The last one counts, as it does in most parsers; what matters is that checks and use see the same one."""
    body = json.dumps(way.plain)
    assert (await house.post(way.path, ('{"stream": [],' + body[1:]).encode())).status == 200
    first = next(iter(way.plain))
    refused(way, await house.post(way.path, (body[:-1] + f', "{first}": 7}}').encode()))


@each_path
async def test_nul_goes_through(house: House, way: Way) -> None:
    assert (await house.post(way.path, with_value(way, '"a\\u0000b"'))).status == 200


@each_path
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "gzip, gzip", "x", "identity, gzip"])
async def test_compressed_body(house: House, way: Way, encoding: str) -> None:
    answer = await house.post(way.path, way.plain, Content_Encoding=encoding)
    assert "compressed" in refused(way, answer, 415)


@each_path
async def test_identity_encoding(house: House, way: Way) -> None:
    assert (await house.post(way.path, way.plain, Content_Encoding=" Identity ")).status == 200


@each_path
async def test_body_over_the_limit(house: House, way: Way) -> None:
    big = b'{"x": "' + b"x" * (4 * 1024 * 1024) + b'"}'
    assert "larger than" in refused(way, await house.post(way.path, big), 413)
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [b"x" * 65_536] * 80) + b"0\r\n\r\n"
    head = asking("POST", way.path, None, {"Transfer-Encoding": "chunked"})
    async with house.line() as wire:
        await wire.send(head + chunked)
        assert "larger than" in refused(way, await wire.answer(), 413)


@each_path
async def test_announced_body_over_the_limit_is_refused_at_once(house: House, way: Way) -> None:
    async with house.line() as wire:
        await wire.send(asking("POST", way.path, None, {"Content-Length": "99999999999"}))
        refused(way, await wire.answer(), 413)


@each_path
async def test_chunked_body(house: House, way: Way) -> None:
    body = json.dumps(way.plain).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    async with house.line() as wire:
        await wire.send(asking("POST", way.path, None, {"Transfer-Encoding": "chunked"}) + chunks)
        assert (await wire.answer()).status == 200


CREDENTIALS: list[dict[str, str]] = [
    {"Authorization": value}
    for value in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer  \t",
        f"Basic {TOKEN}",
        f"Token {TOKEN}",
        TOKEN[:-1],
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN.swapcase()}",
        f"Bearer {TOKEN[3:]}",
        f"Bearer hp-{TOKEN[3:]}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f'Bearer "{TOKEN}"',
        f"Bearer {TOKEN} x",
        f"Bearer:{TOKEN}",
        f"Bearer {tokens.mint()}",
        f"Bearer {tokens.mint('glpat')}",
        f"Bearer {tokens.digest(b'p' * 32, TOKEN).hex()}",
        "Bearer null",
        "Bearer undefined",
        "Bearer hp_" + "0" * 36,
        "Bearer hp_" + "0" * 20_000,
        "Bearer \xe9\xff",
        "Bearer ../../etc/passwd",
        "Bearer ' OR 1=1 --",
        "Bearer %s%n{0}",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        "Bearer a.b.c",
        "Bearer " + "a." * 500,
        "Digest username=x",
        "Negotiate AAAA",
    )
] + [
    {"X-Api-Key": TOKEN[:-1]},
    {"X-Api-Key": f"Bearer {TOKEN}"},
    {"Api-Key": tokens.mint()},
    {"X-Api-Key": "x" * 8000},
    {"Cookie": f"token={TOKEN}"},
    {"Proxy-Authorization": f"Bearer {TOKEN}"},
    {"X-Gitlab-Authentication-Type": "oidc"},
]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v2/code/completions", "/v1/models"])
async def test_forty_bad_credentials(house: House, path: str) -> None:
    assert len(CREDENTIALS) == 40
    way = next((each for each in WAYS if each.path == path), WAYS[0])
    method, body = ("GET", None) if path == "/v1/models" else ("POST", way.plain)
    for headers in CREDENTIALS:
        answer = await house.ask(method, path, body, headers, token="")
        refused(way, answer, 401)
        assert answer.header("www-authenticate") == "Bearer"
    assert (await house.ask(method, f"{path}?token={TOKEN}&api_key={TOKEN}", body, token="")).status == 401
    assert TOKEN not in str(house.logs.lines)
    assert not house.models.heard


@each_path
async def test_two_credentials_that_differ(house: House, way: Way) -> None:
    answer = await house.post(way.path, way.plain, X_Api_Key=tokens.mint())
    assert "two different credentials" in refused(way, answer)
    assert (await house.post(way.path, way.plain, X_Api_Key=TOKEN)).status == 200


INTEGER = (2**31, 2**63, -(2**63) - 1, 10**30, 1e400, -1e400, 1.5, "x", [], {}, [1], "NaN")
WRONG: dict[str, tuple[Any, ...]] = {
    "max_tokens": (0, -1, 1_000_001, *INTEGER),
    "temperature": (-0.1, 2.1, 1e400, "x", [], {}),
    "top_p": (0, -1, 1.1, 1e400, "x", []),
    "seed": INTEGER[1:],
    "n": (0, -1, 129, 10**6, *INTEGER),
    "frequency_penalty": (-2.1, 2.1, 1e400, "x"),
    "presence_penalty": (-2.1, 2.1, 1e400, "x"),
    "repetition_penalty": (0, -1, 10.1, 1e400, "x"),
    "top_logprobs": (-1, 21, *INTEGER),
    "top_k": (-2, 100_001, *INTEGER),
    "min_p": (-0.1, 1.1, 1e400, "x"),
    "logit_bias": ({str(n): 1 for n in range(301)}, {"1": "x"}, {"1": 1e400}, [], "x"),
    "logprobs": (10**30, "x", []),
    "stop": (["x"] * 100_000, "x" * 5000, [1], [None], {}, 5),
    "stream": ("maybe", [], {}, 7),
    "stream_options": ("x", 5, {"include_usage": "maybe"}),
    "model": (5, [], "x" * 513),
}
WRONG_IN_CHAT: dict[str, tuple[Any, ...]] = {
    "messages": ([], "x", [{}], [{"role": "robot", "content": "x"}], [{"role": "user", "content": 5}], MESSAGES * 2001),
    "max_completion_tokens": (0, *INTEGER),
    "tools": ([{}] * 129, "x", ["x"]),
    "response_format": ("x", []),
    "reasoning_effort": ("x" * 33, 5),
    "tool_choice": (5, []),
}
WRONG_IN_TEXT: dict[str, tuple[Any, ...]] = {
    "prompt": (5, [], ["a", "b"], [[1, 2]], {}, None),
    "suffix": (5, [], {}),
    "echo": (True, "maybe"),
    "context": ([{"name": "x"}], [{"name": "x", "content": 5}], [{"name": "n", "content": ""}] * 101, "x"),
    "file_name": ("x" * 1025, 5),
    "language": ("x" * 256, 5),
}


@pytest.mark.parametrize("way", OPENAI, ids=named)
async def test_options_out_of_range(house: House, way: Way) -> None:
    extra = WRONG_IN_CHAT if way.path == "/v1/chat/completions" else WRONG_IN_TEXT
    for name, values in (WRONG | extra).items():
        for value in values:
            body = json.dumps(way.plain | {name: value}).replace("Infinity", "1e400")
            answer = await house.post(way.path, body.encode())
            text = refused(way, answer)
            if answer.json["error"]["param"]:
                assert answer.json["error"]["param"].startswith(name)
                assert name in text
    assert not house.models.heard


@pytest.mark.parametrize("way", OPENAI, ids=named)
async def test_options_at_their_limits(house: House, way: Way) -> None:
    for name, values in {
        "max_tokens": (1, 1_000_000),
        "temperature": (0, 2, 1e-300),
        "top_p": (1e-9, 1),
        "seed": (0, -1, 2**63 - 1, -(2**63)),
        "n": (1, 128, None),
        "frequency_penalty": (-2, 2),
        "top_k": (-1, 0, 100_000),
        "logit_bias": ({str(n): -100 for n in range(300)}, {}),
        "logprobs": (True, False, 5),
        "stop": ("x", ["x"] * 16, [], None),
    }.items():
        for value in values:
            assert (await house.post(way.path, way.plain | {name: value})).status == 200


@pytest.mark.parametrize("stop", ["", [""], ["", "x"]], ids=repr)
async def test_empty_stop_stops_nothing(house: House, stop: Any) -> None:
    answer = await house.post("/v1/completions", {"prompt": "a = ", "suffix": "", "stop": stop})
    assert (answer.status, answer.json["choices"][0]["text"]) == (200, "one + two")
    assert "" not in house.models.heard[0].json.get("stop", [])


async def test_a_hole_is_filled_once(house: House) -> None:
    answer = await house.post(WAYS[2].path, WAYS[2].plain | {"n": 3})
    assert refused(WAYS[2], answer).startswith("A hole is filled once.")
    assert answer.json["error"]["param"] == "n"


async def test_one_prompt_at_a_time(house: House) -> None:
    answer = await house.post("/v1/completions", {"prompt": ["a", "b"]})
    assert refused(WAYS[1], answer).startswith("prompt: one prompt is answered at a time")
    assert (await house.post("/v1/completions", {"prompt": ["a"]})).status == 200
    assert house.models.heard[0].json["prompt"] == "a"


FILES: list[dict[str, Any]] = [
    {"current_file": None},
    {"current_file": []},
    {"current_file": {}},
    {"current_file": {**FILE, "file_name": None}},
    {"current_file": {**FILE, "file_name": "x" * 256}},
    {"current_file": {**FILE, "content_above_cursor": None}},
    {"current_file": {**FILE, "content_above_cursor": "x" * 100_001}},
    {"current_file": {**FILE, "content_below_cursor": "x" * 100_001}},
    {"current_file": {**FILE, "content_below_cursor": 5}},
    {"current_file": {**FILE, "language_identifier": "x" * 256}},
    {"current_file": FILE, "prompt_version": 0},
    {"current_file": FILE, "prompt_version": 4},
    {"current_file": FILE, "prompt_version": "x"},
    {"current_file": FILE, "prompt": 5},
    {"current_file": FILE, "stream": "maybe"},
    {"current_file": FILE, "context": [{"content": ""}] * 101},
    {"current_file": FILE, "context": [{"name": "x" * 1025}]},
    {"current_file": FILE, "context": [{"content": "x" * 500_001}]},
    {"current_file": FILE, "context": "x"},
    {"current_file": FILE, "user_instruction": "x" * 100_001},
]


@pytest.mark.parametrize("path", ["/v2/code/completions", "/v2/code/generations"])
async def test_wrong_v2_bodies(house: House, path: str) -> None:
    for body in FILES:
        answer = await house.post(path, body)
        refused(WAYS[3], answer)
        assert answer.json["detail"][0]["loc"]
        assert "CurrentFile" not in answer.body.decode()
    at_limit = {"file_name": "x" * 255, "content_above_cursor": "x" * 100_000, "content_below_cursor": "x" * 100_000}
    assert (await house.post(path, {"current_file": at_limit})).status == 200


async def test_wrong_v4_bodies(house: House) -> None:
    good = {"type": "code_editor_completion", "payload": FILE}
    for parts in (
        None,
        [],
        "x",
        [None],
        [{}],
        [{"type": "x", "payload": FILE}],
        [good] * 101,
        [good, {"type": "code_context"}],
    ):
        refused(WAYS[6], await house.post("/v4/code/suggestions", {"prompt_components": parts}))


async def test_wrong_chat_bodies(house: House) -> None:
    for body in (
        {"messages": None},
        {"messages": "x"},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"content": "x"}]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": "x" * 400_001}]},
        {"messages": [{"role": "user", "content": "x"}] * 2001},
        {"messages": [{"role": "user", "content": "x", "additional_context": [{"content": 5}]}]},
        {"prompt": 5},
        {"prompt": "x", "options": "x"},
        {"prompt": "x", "options": {"chat_history": 5}},
    ):
        refused(WAYS[8], await house.post("/v2/chat/agent", body))


@each_path
async def test_keys_that_the_caller_chose_stay_out_of_errors(house: House, way: Way) -> None:
    secret = "canary_in_a_key"
    body = way.plain | {"logit_bias": {secret: "x"}, secret: {}, "tools": {secret: secret}}
    body |= {"messages": [{secret: secret}], "current_file": {secret: secret}}
    answer = await house.post(way.path, body | {"prompt_components": [{secret: secret}], "context": {secret: 1}})
    assert secret not in answer.body.decode()
    house.records()
    assert secret not in str(house.logs.lines)


async def test_unknown_paths(house: House) -> None:
    for path in (
        "/nope",
        "/v1",
        "/v1/",
        "/v1/chat/completions/",
        "//v1/models",
        "/v1/model/../models",
        "/%00",
        "/V1/MODELS",
    ):
        for method in ("GET", "POST", "DELETE"):
            answer = await house.ask(method, path)
            text = refused(WAYS[0], answer, 404)
            assert text.startswith("There is nothing at this path.")
            assert "All paths are at /docs." in text
            assert "/assets" not in text
            assert len(text) < 200
            assert answer.json["detail"][0]["msg"] == text
    assert (await house.ask("HEAD", "/nope")).status == 404


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "Did you mean /v1/chat/completions? Then add /v1 to the base URL."),
        ("/v1/chat/completions/", "Did you mean /v1/chat/completions"),
        ("/V1/MODELS", "Did you mean /v1/models"),
        ("/v1/v1/embeddings", "Did you mean /v1/embeddings"),
    ],
)
async def test_an_unknown_path_names_what_may_be_meant(house: House, path: str, meant: str) -> None:
    assert meant in refused(WAYS[0], await house.post(path, {}), 404)


async def test_an_unknown_path_of_ollama_is_answered_in_its_format(house: House) -> None:
    for path, meant in (("/api/embed", "/v1/embeddings"), ("/api/chats", "/api/chat"), ("/api/" + "x" * 9000, "/docs")):
        answer = await house.post(path, {})
        assert (answer.status, "detail" in answer.json) == (404, False)
        assert meant in answer.json["error"]
        assert "admin" not in answer.json["error"]
        assert len(answer.json["error"]) < 200
    assert "detail" in (await house.post("/api/v4/nothing", {})).json


async def test_public_pages_take_no_other_method(house: House) -> None:
    for path in ("/", "/docs", "/openapi.json", "/v1/models", "/monitoring/healthz", "/monitoring/ready"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            answer = await house.ask(method, path)
            refused(WAYS[0], answer, 405)
            assert answer.header("allow") == "GET"
        head, get = await house.ask("HEAD", path), await house.get(path)
        assert (head.status, head.body) == (get.status, b"") == (200, b"")
        assert head.header("content-length") == get.header("content-length") == str(len(get.body))
