"""Prompts by their ids, the answers that GitLab parses, and the test of a model's connection."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import quote

from script import Peer, piece

from conformance import Site, case, detail

INPUTS: dict[str, tuple[tuple[str, ...], str]] = {
    "chat/explain_code": (("file_content", "input", "language_info", "selected_text"), "explain_code"),
    "chat/refactor_code": (("file_content", "file_content_reuse", "input", "selected_text"), "refactor_code"),
    "chat/fix_code": (("file_content", "input", "libraries", "selected_text"), "fix_code"),
    "chat/write_tests": (("file_content", "input", "libraries", "selected_text"), "write_tests"),
    "chat/build_reader": (("input", "suggestions"), "ask_build"),
    "chat/commit_reader": (("input", "suggestions"), "ask_commit"),
    "chat/merge_request_reader": (("input", "suggestions"), "ask_merge_request"),
    "chat/issue_reader": (("input", "suggestions"), "ask_issue"),
    "chat/epic_reader": (("input", "suggestions"), "ask_epic"),
    "chat/work_item_reader": (("input", "suggestions"), "ask_work_item"),
    "chat/explain_vulnerability": (("identifiers", "title", "vulnerability_info"), "explain_vulnerability"),
    "chat/troubleshoot_job": (("language_info", "selected_text"), "troubleshoot_job"),
    "chat/summarize_comments": (("notes_content",), "summarize_comments"),
    "chat/documentation_search": (("content_id", "documents", "question"), "documentation_search"),
    "generate_commit_message": (("diff",), "generate_commit_message"),
    "generate_description": (("content", "template"), "generate_issue_description"),
    "summarize_new_merge_request": (("extracted_diff",), "summarize_new_merge_request"),
    "summarize_review": (("draft_notes_content",), "summarize_review"),
    "review_merge_request": (("mr_title", "mr_description", "diff_lines"), "review_merge_request"),
    "resolve_vulnerability": (("filename", "name", "source_code", "vulnerable_code"), "resolve_vulnerability"),
    "glab_ask_git_command": (("prompt",), "glab_ask_git_command"),
    "categorize_question": (("question", "previous_answer"), "duo_chat"),
    "measure_comment_temperature": (("content",), "measure_comment_temperature"),
    "code_suggestions/completions": (("prefix", "suffix"), "complete_code"),
    "code_suggestions/generations": (("prefix", "user_instruction"), "generate_code"),
}
CHECK = "/v1/prompts/model_configuration%2Fcheck"


def asked(site: Site, *names: str, **fields: Any) -> dict[str, Any]:
    inputs = {name: f"canary of {name}" for name in names}
    return {"inputs": inputs, "stream": False, "model_metadata": site.metadata, **fields}


for prompt, (names, scope) in INPUTS.items():

    @case("6.4", f"every prompt id is answered with a JSON string, from all of its inputs | {prompt}", prompt, names)
    async def answered(site: Site, prompt: str, names: tuple[str, ...]) -> None:
        answer = await site.post(f"/v1/prompts/{prompt}", asked(site, *names))
        assert answer.status == 200
        assert answer.header("content-type") == "application/json"
        assert isinstance(answer.json, str)
        assert answer.json.strip()
        assert all(f"canary of {name}" in site.prompt for name in names)

    @case("6.4", f"a prompt needs its own scope | {prompt}: {scope}", prompt, names, scope)
    async def scoped(site: Site, prompt: str, names: tuple[str, ...], scope: str) -> None:
        assert (await site.post(f"/v1/prompts/{prompt}", asked(site, *names), scopes=(scope,))).status == 200
        other = "ask_epic" if scope != "ask_epic" else "ask_issue"
        answer = await site.post(f"/v1/prompts/{prompt}", asked(site, *names), scopes=(other,))
        assert answer.status == 403
        assert scope in detail(answer)
        assert len(site.theirs.heard) == 1

    @case("6.4", f"no input is required: what is missing is blank, not the word None | {prompt}", prompt)
    async def blank(site: Site, prompt: str) -> None:
        assert (await site.post(f"/v1/prompts/{prompt}", asked(site))).status == 200
        assert "None" not in site.prompt
        assert not re.search(r"\{[#/^]?[a-z_]+\}", site.prompt)


for prompt in ("chat/explain_code", "generate_commit_message", "code_suggestions/completions"):

    @case("6.1", f"a stream is raw text | {prompt}", prompt)
    async def streamed(site: Site, prompt: str) -> None:
        answer = await site.post(f"/v1/prompts/{prompt}", asked(site, *INPUTS[prompt][0], stream=True))
        assert answer.header("content-type").startswith("text/event-stream")
        assert answer.body.strip() == b"one + two"

    @case("3.1", f"slashes in the id may be percent-encoded | {prompt}", prompt)
    async def encoded(site: Site, prompt: str) -> None:
        path = f"/v1/prompts/{quote(prompt, safe='')}"
        assert (await site.post(path, asked(site, *INPUTS[prompt][0]))).status == 200


@case("6.2", "v2 answers with content and usage by model")
async def v2(site: Site) -> None:
    found = (await site.post("/v2/prompts/chat/explain_code", asked(site, "input"))).json
    assert found["content"].strip() == "one + two"
    (usage,) = found["usage"].values()
    assert usage == {"input_tokens": 11, "output_tokens": 3}


@case("6.2", "v2 streams one JSON object a line")
async def v2_stream(site: Site) -> None:
    answer = await site.post("/v2/prompts/chat/explain_code", asked(site, "input", stream=True))
    assert answer.header("content-type").startswith("text/event-stream")
    assert answer.body.endswith(b"\n")
    objects = [json.loads(line) for line in answer.body.splitlines()]
    assert "".join(each["content"] for each in objects).strip() == "one + two"
    assert all(value is not None for each in objects for value in each.values())


VERSIONS = (None, "^1.0.0", "1.0.0", "1.0.1", "^2.0.1", "2.0.0", "3.0.2-dev", "~1.0", ">=1,<2", "1.*", "*", "9.9.9")
for version in VERSIONS:

    @case("6.3", f"every version that a caller pins is served | {version}", version)
    async def versions(site: Site, version: str | None) -> None:
        body = asked(site, "input", prompt_version=version)
        assert (await site.post("/v1/prompts/chat/explain_code", body)).status == 200


@case("6.3", "a missing prompt_version is the default")
async def no_version(site: Site) -> None:
    body = asked(site, "input")
    assert (await site.post("/v1/prompts/chat/explain_code", body)).status == 200


for version in ("nonsense", "^", "1.2.3.4.5", "^1.0.0 && rm"):

    @case("6.1", f"what is no version constraint is 422 with a list | {version}", version)
    async def bad_version(site: Site, version: str) -> None:
        answer = await site.post("/v1/prompts/chat/explain_code", asked(site, prompt_version=version))
        assert answer.status == 422
        assert "version" in detail(answer)


for prompt in ("never/heard_of", "chat/new_in_19", "x", "a/b/c/d/e", "ünï"):

    @case("6.3", f"a prompt that we do not know is asked in general words, never refused | {prompt}", prompt)
    async def unknown(site: Site, prompt: str) -> None:
        answer = await site.post(f"/v1/prompts/{quote(prompt)}", asked(site, "question"))
        assert answer.status == 200
        assert "canary of question" in site.prompt


@case("6.1", "chat/react is answered with 422 and the endpoint to use")
async def react(site: Site) -> None:
    answer = await site.post("/v1/prompts/chat/react", asked(site))
    assert answer.status == 422
    assert "/v2/chat/agent" in detail(answer)


for value in (None, 7, True, 1.5, ["one", "two"], {"a": {"b": 1}}, [], "", [None, {"x": [1]}]):

    @case("6.1", f"an input may be any JSON value | {json.dumps(value)}", value)
    async def values(site: Site, value: Any) -> None:
        body = {"inputs": {"input": value, "selected_text": "x = 1"}, "model_metadata": site.metadata}
        assert (await site.post("/v1/prompts/chat/explain_code", body)).status == 200


for name, value in (("inputs", []), ("inputs", "x"), ("stream", "perhaps"), ("prompt_version", 7)):

    @case("6.1", f"a wrong field is 422 with a list that names it | {name} = {json.dumps(value)}", name, value)
    async def wrong(site: Site, name: str, value: Any) -> None:
        answer = await site.post("/v1/prompts/chat/explain_code", asked(site, **{name: value}))
        assert answer.status == 422
        assert name in detail(answer)


@case("6.1", "values are data: a slot inside a value stays as it is")
async def data(site: Site) -> None:
    body = {"inputs": {"input": "{selected_text}", "selected_text": "{input}{#x}"}, "model_metadata": site.metadata}
    await site.post("/v1/prompts/chat/explain_code", body)
    assert "{selected_text}" in site.prompt
    assert "{input}{#x}" in site.prompt


@case("13.6", "inputs longer than the model's window are cut, not refused")
async def long(site: Site) -> None:
    body = {"inputs": {"diff": "+ x = 1\n" * 60_000}, "model_metadata": site.metadata}
    assert (await site.post("/v1/prompts/generate_commit_message", body)).status == 200
    assert len(site.prompt) < 200_000


async def refuses(peer: Peer, status: int) -> None:
    await peer.document({"error": {"message": "canary-of-the-model-server"}}, status)


for status in (401, 403, 404, 429, 500, 503):

    @case("6.1", f"a refusal of the model server is 421; its detail begins with the status | {status}", status)
    async def refused(site: Site, status: int) -> None:
        site.theirs.play = lambda peer: refuses(peer, status)
        for stream in (False, True):
            answer = await site.post("/v1/prompts/chat/explain_code", asked(site, "input", stream=stream))
            assert answer.status == 421
            assert detail(answer).startswith(f"{status}: ")
            assert "canary-of" not in answer.body.decode()


for status in (429, 503):

    @case("6.1", f"a busy model server's Retry-After is passed on | {status}", status, {"Retry_After": "7"})
    @case("6.1", f"where a busy model server names no Retry-After there is none | {status}", status, {})
    async def busy(site: Site, status: int, given: dict[str, str]) -> None:
        async def play(peer: Peer) -> None:
            await peer.document({}, status, **given)

        site.theirs.play = play
        answer = await site.post("/v1/prompts/chat/explain_code", asked(site, "input"))
        assert answer.status == 421
        assert answer.header("retry-after") == given.get("Retry_After")


@case("6.4", "libraries and examples of a generation reach the model")
async def generation_inputs(site: Site) -> None:
    inputs = {
        "prefix": "# x\n",
        "libraries": ["library-canary"],
        "examples_array": [{"example": "example-canary", "response": "reply-canary"}],
        "trimmed_content_below_cursor": "below-canary",
    }
    body = {**asked(site), "inputs": inputs}
    assert (await site.post("/v1/prompts/code_suggestions/generations", body)).status == 200
    assert all(f"{name}-canary" in site.prompt for name in ("library", "example", "reply", "below"))


for name, value in (("libraries", "none"), ("libraries", [1, None]), ("examples_array", {"a": 1})):

    @case("6.1", f"inputs of another form than GitLab's are no error | {name} = {json.dumps(value)}", name, value)
    async def odd_inputs(site: Site, name: str, value: Any) -> None:
        body = {**asked(site), "inputs": {"prefix": "# x\n", name: value}}
        assert (await site.post("/v1/prompts/code_suggestions/generations", body)).status == 200


@case("3.3", "an empty answer of the model to a prompt is an error, never an empty 200")
async def empty(site: Site) -> None:
    site.answers("")
    for stream in (False, True):
        answer = await site.post("/v1/prompts/chat/explain_code", asked(site, "input", stream=stream))
        assert answer.status == 421
        assert detail(answer)


@case("3.6", "a broken stream never looks complete")
async def broken(site: Site) -> None:
    async def breaks(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        peer.close()

    site.theirs.play = breaks
    answer = await site.post("/v1/prompts/chat/explain_code", asked(site, "input", stream=True))
    assert not answer.whole


REVIEW = re.compile(r"<review>(.*)</review>", re.DOTALL)
COMMENT = re.compile(r'^<comment ((?:\w+="[^"]*"\s*)+)>(.*?)</comment>$', re.DOTALL | re.MULTILINE)
GOOD = """<review>
<comment file="a.py" old_line="" new_line="3">
This divides by zero.
<from>
    x / 0
</from>
<to>
    x
</to>
</comment>
</review>"""

for name, said in (
    ("as it should be", GOOD),
    ("with an example before it", f'<review>\n<comment file="example" new_line="1">no</comment>\n</review>\n{GOOD}'),
    ("with chatter around it", f"Sure! Here is my review:\n\n{GOOD}\n\nLet me know."),
    ("in a fence", f"```xml\n{GOOD}\n```"),
    ("without its end", GOOD.removesuffix("</review>")),
):

    @case("6.5", f"a code review can be read by GitLab's parser | {name}", said)
    async def review(site: Site, said: str) -> None:
        site.answers(said)
        text = (await site.post("/v1/prompts/review_merge_request", asked(site, "diff_lines"))).json
        last = text[text.rindex("<review>") :]
        block = REVIEW.search(last)
        assert block
        (found,) = COMMENT.findall(block[1])
        assert 'file="a.py"' in found[0]
        assert 'new_line="3"' in found[0]
        assert "divides by zero" in found[1]


for said in ("<review></review>", "<review>\n</review>", "Nothing to complain about. <review></review>"):

    @case("6.5", f"a code review without findings is an empty review block | {said[:20]!r}", said)
    async def no_review(site: Site, said: str) -> None:
        site.answers(said)
        text = (await site.post("/v1/prompts/review_merge_request", asked(site, "diff_lines"))).json
        assert "<comment" not in text
        assert REVIEW.search(text)


for version in ("1.0.0", "1.0.1", "^1.0.0", None):

    @case("6.5", f"resolve_vulnerability is served at the version that GitLab pins | {version}", version)
    async def pinned(site: Site, version: str | None) -> None:
        body = asked(site, "source_code", prompt_version=version)
        assert (await site.post("/v1/prompts/resolve_vulnerability", body)).status == 200


PAIR = "<old_code>\na = 1\n</old_code>\n<new_code>\na = 2\n</new_code>"
for name, said in (
    ("as it should be", f"<analysis>\nx\n</analysis>\n<fixed_code>\n{PAIR}\n</fixed_code>"),
    ("on one line", "<fixed_code><old_code>a = 1</old_code><new_code>a = 2</new_code></fixed_code>"),
    ("in a fence", f"```\n<fixed_code>\n{PAIR}\n</fixed_code>\n```"),
):

    @case("6.5", f"every opening tag of a resolution is followed by a newline | {name}", said)
    async def resolution(site: Site, said: str) -> None:
        site.answers(said)
        text = (await site.post("/v1/prompts/resolve_vulnerability", asked(site, "source_code"))).json
        for tag in ("fixed_code", "old_code", "new_code"):
            assert f"<{tag}>\n" in text
            assert f"<{tag}>" not in text.replace(f"<{tag}>\n", "")
        assert re.search(r"<old_code>\na = 1\n?</old_code>", text)
        assert re.search(r"<new_code>\na = 2\n?</new_code>", text)


@case("17.3", "a model that answers passes the connection test")
async def check(site: Site) -> None:
    answer = await site.post(CHECK, {"stream": False, "inputs": {}, "model_metadata": site.metadata})
    assert answer.status == 200
    assert site.said["max_tokens"] == 12


for name, endpoint in (
    ("nobody listens", "http://127.0.0.1:9/v1"),
    ("no such host", "http://no-such-host.invalid/v1"),
    ("a denied address", "http://169.254.169.254/v1"),
):

    @case("17.3", f"a connection test that fails is 421 with the reason | {name}", endpoint)
    async def check_fails(site: Site, endpoint: str) -> None:
        body = {"stream": False, "inputs": {}, "model_metadata": {**site.metadata, "endpoint": endpoint}}
        answer = await site.post(CHECK, body)
        assert answer.status == 421
        assert re.match(r"\d{3}: ", detail(answer))


for status in (401, 404, 429, 500, 503):

    @case("17.3", f"a connection test that is refused is 421 with the status | {status}", status)
    async def check_refused(site: Site, status: int) -> None:
        site.theirs.play = lambda peer: refuses(peer, status)
        answer = await site.post(CHECK, {"stream": False, "inputs": {}, "model_metadata": site.metadata})
        assert answer.status == 421
        assert detail(answer).startswith(f"{status}: ")


@case("17.3", "a connection test that hangs is answered before GitLab's three seconds are over")
async def check_hangs(site: Site) -> None:
    site.theirs.play = Peer.hang
    began = time.monotonic()
    answer = await site.post(CHECK, {"stream": False, "inputs": {}, "model_metadata": site.metadata})
    assert time.monotonic() - began < 2.9
    assert answer.status == 421
    assert "too l" in detail(answer) or "slow" in detail(answer)
