"""Models that requests carry, and families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from house import eventually
from script import Peer

from conformance import OWN_KEY, Site, case, components, detail, file
from homeport import families
from homeport.families import Family
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

V2 = "/v2/code/completions"
GENERATIONS = "/v2/code/generations"
V4 = "/v4/code/suggestions"

FIM = {
    "codegemma": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    "codellama": ("<PRE>", "<SUF>", "<MID>"),
    "codestral": ("[SUFFIX]", "[PREFIX]"),
    "deepseekcoder": ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001 (the tokens are written so)
    "qwen2p5-coder-7b": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
}
SPOKEN = ("mistral", "mixtral", "claude_3", "gpt", "llama3", "general", "gemini")
OLDER = {
    "codegemma_2b": "codegemma",
    "codegemma_7b": "codegemma",
    "codellama_13b_code": "codellama",
    "mixtral_8x22b": "mixtral",
    "mistral_text": "mistral",
    "mixtral_text": "mixtral",
    "mixtral_8x22b_text": "mixtral",
    "codestral@2405": "codestral",
    "mistral_nemo": "mistral",
    "codestral-2501": "codestral",
    "claude_3.5": "claude_3",
    "gpt_5": "gpt",
}


def v2(site: Site, **fields: Any) -> dict[str, Any]:
    return {"current_file": file(), **site.flat, **fields}


def v4(site: Site, **fields: Any) -> dict[str, Any]:
    return {**components("completion"), "model_metadata": {**site.metadata, **fields}}


for family, tokens in FIM.items():

    @case(
        "13.4",
        f"families with fill-in-the-middle tokens complete by them, as text and not as chat | {family}",
        family,
        tokens,
    )
    async def by_tokens(site: Site, family: str, tokens: tuple[str, ...]) -> None:
        await site.post(V2, v2(site, model_name=family))
        assert site.theirs.heard[0].target == "/v1/completions"
        assert all(token in site.said["prompt"] for token in tokens)
        assert "def add(a, b):" in site.said["prompt"]
        assert "print(add(1, 2))" in site.said["prompt"]

    @case("13.2", f"every family generates from words | {family}", family)
    async def generates(site: Site, family: str) -> None:
        await site.post(GENERATIONS, v2(site, model_name=family, prompt="Add the canary."))
        assert "def add(a, b):" in site.prompt


for family in SPOKEN:

    @case("13.4", f"other families complete when asked in words | {family}", family)
    async def in_words(site: Site, family: str) -> None:
        await site.post(V2, v2(site, model_name=family))
        assert site.theirs.heard[0].target == "/v1/chat/completions"
        assert "def add(a, b):" in site.prompt
        assert "print(add(1, 2))" in site.prompt

    @case("13.2", f"every family generates from words | {family}", family)
    async def generates_in_words(site: Site, family: str) -> None:
        await site.post(GENERATIONS, v2(site, model_name=family, prompt="Add the canary."))
        assert site.theirs.heard[0].target == "/v1/chat/completions"
        assert "Add the canary." in site.prompt


for older, family in OLDER.items():

    @case("13.2", f"names that only some versions send mean their family | {older} is {family}", older, family)
    async def aliases(site: Site, older: str, family: str) -> None:
        await site.post(V2, v2(site, model_name=older))
        first = site.theirs.heard[0]
        await site.post(V2, v2(site, model_name=family))
        second = site.theirs.heard[1]
        assert (first.target, first.json) == (second.target, second.json)


@case("13.4", "mistral's chat never gets a system message: older templates refuse one")
async def no_system(site: Site) -> None:
    await site.post(V2, v2(site, model_name="mistral"))
    assert [message["role"] for message in site.said["messages"]] == ["user"]


for name in ("never-heard-of", "", "vertex", "amazon_q", "Ünïcode", "../../etc", "x" * 200):

    @case("13.2", f"an unknown family is asked in words, never refused | {name[:20]!r}", name)
    async def unknown_family(site: Site, name: str) -> None:
        for path, body in ((V2, v2(site, model_name=name)), (V4, v4(site, name=name))):
            assert (await site.post(path, body)).status == 200
        assert site.theirs.heard[0].target == "/v1/chat/completions"
        for number in (1, 2):
            line = await site.house.record(number)
            # no name at all names no family that nobody knows
            assert line.get("warning") == ("unknown_family" if name else None)
            assert line.get("asked_as") == ("general" if name else None)


@case("13.2", "names that are known are no reason for a warning")
async def known_family(site: Site) -> None:
    await site.post(V2, v2(site, model_name="mixtral_8x22b_text"))
    assert not {"warning", "asked_as"} & set(await site.house.record())


@case("13.2", "a name that looks like a family's is asked as that family, and logged")
async def guessed_family(site: Site) -> None:
    await site.post(V2, v2(site, model_name="Qwen3-Coder-30B"))
    line = await site.house.record()
    assert (line["warning"], line["asked_as"]) == ("unknown_family", "qwen_coder")


@case("13.2", "every family can complete, generate and stream")
async def every_family(site: Site) -> None:
    for family in discover(families, Family):
        for path in (V2, GENERATIONS):
            body = v2(site, model_name=family, prompt="", stream=True)
            assert (await site.post(path, body)).status == 200


for identifier, served in (
    ("custom_openai/coder", "coder"),
    ("custom_openai/org/coder", "org/coder"),
    ("openai/coder", "coder"),
    ("coder", "coder"),
    ("Qwen/Qwen2.5-Coder-7B", "Qwen/Qwen2.5-Coder-7B"),
    ("", "mistral"),
    (None, "mistral"),
):

    @case(
        "13.3",
        f"an identifier is a provider and a served name, or the name alone | {identifier!r} is {served!r}",
        identifier,
        served,
    )
    async def identifiers(site: Site, identifier: str | None, served: str) -> None:
        await site.post(V2, v2(site, model_identifier=identifier))
        await site.post(V4, v4(site, identifier=identifier))
        assert [each.json["model"] for each in site.theirs.heard] == [served, served]


@case("13.3", "17.4 sends no identifier at all")
async def no_identifier(site: Site) -> None:
    body = v2(site)
    del body["model_identifier"]
    await site.post(V2, body)
    assert site.said["model"] == "mistral"


@case("13.1", "the key of the body goes to the endpoint of the body")
async def own_key(site: Site) -> None:
    await site.post(V2, v2(site))
    assert site.theirs.heard[0].headers["authorization"] == f"Bearer {OWN_KEY}"


for key in ("", None):

    @case("13.3", f"without an api_key none is sent, and certainly none of the gateway's | {key!r}", key)
    async def no_key(site: Site, key: str | None) -> None:
        await site.post(V2, v2(site, model_api_key=key))
        assert "authorization" not in site.theirs.heard[0].headers


@case("13.3", "an endpoint may end in a slash")
async def slash(site: Site) -> None:
    await site.post(V2, v2(site, model_endpoint=site.theirs.url + "/"))
    assert site.theirs.heard[0].target == "/v1/chat/completions"


for provider in ("openai", "litellm", "codestral", "fireworks_ai", "vertex-ai", "anthropic", "never-heard-of", None):

    @case("13.3", f"whatever the provider is called, an endpoint is called | {provider!r}", provider)
    async def providers(site: Site, provider: str | None) -> None:
        assert (await site.post(V2, v2(site, model_provider=provider))).status == 200
        assert len(site.theirs.heard) == 1


@case("13.1", "a body that names no model is served by the gateway's own")
async def unnamed(site: Site) -> None:
    assert (await site.post(V2, {"current_file": file(), "prompt_version": 1})).status == 200
    body = {**components("completion"), "model_metadata": {"provider": "gitlab", "feature_setting": "x"}}
    assert (await site.post(V4, body)).status == 200
    assert not site.theirs.heard
    assert len(site.house.models.heard) == 2


for endpoint in (
    "file:///etc/passwd",
    "gopher://x/1",
    "http://",
    "//x/v1",
    "x",
    "http://user:password@x/v1",
    "http://x/v1?a=b",
    "http://x/v1#a",
    "http://x:99999/v1",
    "http://x y/v1",
):

    @case("13.1", f"an endpoint that is no plain http(s) URL is 422 | {endpoint}", endpoint)
    async def no_url(site: Site, endpoint: str) -> None:
        for path, body in ((V2, v2(site, model_endpoint=endpoint)), (V4, v4(site, endpoint=endpoint))):
            answer = await site.post(path, body)
            assert answer.status == 422
            assert "endpoint" in detail(answer)


@case("13.1", "an identifier without an endpoint is refused with 422")
async def no_endpoint(site: Site) -> None:
    for nothing in ("", None):
        answer = await site.post(V2, v2(site, model_endpoint=nothing))
        assert answer.status == 422
        assert "endpoint" in detail(answer)


for endpoint in ("http://169.254.169.254/v1", "http://[fe80::1]/v1", "http://[::ffff:169.254.169.254]/v1"):

    @case("13.1", f"link-local and metadata addresses are 421 | {endpoint}", endpoint)
    async def denied(site: Site, endpoint: str) -> None:
        answer = await site.post(V2, v2(site, model_endpoint=endpoint))
        assert answer.status == 421
        assert "address" in detail(answer)


@case("13.3", "vertex_ai models are refused with 421 and a sentence")
async def vertex(site: Site) -> None:
    answer = await site.post(V2, v2(site, model_identifier="vertex_ai/gemini"))
    assert answer.status == 421
    assert "vertex_ai" in detail(answer)


@case("13.1", "endpoints of 2,048 characters are taken")
async def long_endpoint(site: Site) -> None:
    endpoint = site.theirs.url + "/" + "x" * (2048 - len(site.theirs.url) - 1)
    await site.post(V2, v2(site, model_endpoint=endpoint))
    assert len(site.theirs.heard) == 1


@case("16.1", "the model server is told the correlation id")
async def correlated(site: Site) -> None:
    await site.post(V2, v2(site), X_Request_ID="from-gitlab-1")
    assert site.theirs.heard[0].headers["x-request-id"] == "from-gitlab-1"


LONG = "+ x = 1  # a line of a long diff\n" * 4_000
COMMIT = "/v1/prompts/generate_commit_message"


def long_diff(site: Site, identifier: str) -> dict[str, Any]:
    metadata = {**site.metadata, "name": "general", "identifier": f"custom_openai/{identifier}"}
    return {"inputs": {"diff": LONG}, "model_metadata": metadata}


def says(entry: dict[str, Any], props: dict[str, Any] | None = None) -> Callable[[Peer], Awaitable[None]]:
    async def play(peer: Peer) -> None:
        if peer.target == "/v1/models":
            await peer.document({"object": "list", "data": [{"id": "another"}, entry]})
        else:
            await peer.document(props or {}, 200 if props else 404)

    return play


WINDOW = 100_000
for server, entry, props in (
    ("vLLM", {"max_model_len": WINDOW}, None),
    ("OpenRouter", {"context_length": WINDOW}, None),
    ("Groq", {"context_window": WINDOW}, None),
    ("llama.cpp", {"meta": {"n_ctx": WINDOW, "n_ctx_train": WINDOW * 2}}, None),
    (
        "llama.cpp that is older",
        {"meta": {"n_ctx_train": WINDOW * 2}},
        {"default_generation_settings": {"n_ctx": WINDOW}},
    ),
):

    @case("13.6", f"the model's real window is used, as its server tells it | {server}", server, entry, props)
    async def window(site: Site, server: str, entry: dict[str, Any], props: dict[str, Any] | None) -> None:
        identifier = f"windowed-{server}"
        site.theirs.catalogue = says({"id": identifier, **entry}, props)
        body = long_diff(site, identifier)
        assert (await site.post(COMMIT, body)).status == 200
        assert len(site.prompt) < 30_000
        # what was left away is said in the log: the marks for it have a length, too
        assert abs((await site.house.record())["prompt_cut"] - (len(LONG) - len(site.prompt))) < 2_000
        await eventually(lambda: [line for line in site.house.logs.lines if line.get("tokens") == WINDOW])
        assert (await site.post(COMMIT, body)).status == 200
        assert LONG in site.prompt
        assert "prompt_cut" not in await site.house.record(2)
        # once for all requests, with the key of the model and no other, and nothing of GitLab's
        assert [peer.target for peer in site.theirs.listed] == ["/v1/models", *(["/props"] if props else [])]
        for peer in site.theirs.listed:
            assert (peer.method, peer.body) == ("GET", b"")
            assert peer.headers["authorization"] == f"Bearer {OWN_KEY}"
            assert not [name for name in peer.headers if "gitlab" in name]


async def no_list(peer: Peer) -> None:
    await peer.document({"error": "canary-of-the-model-server"}, 500)


async def reset(peer: Peer) -> None:
    peer.reset()


async def not_a_list(peer: Peer) -> None:
    await peer.document(b"<html>canary-of-the-model-server</html>", 200, "text/html")


async def strange_list(peer: Peer) -> None:
    await peer.document({"data": [{"id": "x", "max_model_len": "many", "meta": 5}, 7]})


for name, play in (
    ("an error", no_list),
    ("no JSON", not_a_list),
    ("a list of another form", strange_list),
    ("nothing", Peer.hang),
    ("a reset", reset),
):

    @case("13.6", f"a server that does not tell its window delays nobody and is asked once | {name}", name, play)
    async def untold(site: Site, name: str, play: Callable[[Peer], Awaitable[None]]) -> None:
        site.theirs.catalogue = play
        for _ in range(3):
            assert (await site.post(COMMIT, long_diff(site, f"untold-{name}"))).status == 200
            assert len(site.prompt) < 30_000
        await eventually(lambda: site.theirs.listed)
        assert len(site.theirs.listed) == 1
        assert "canary-of" not in str(site.house.logs.lines)


@case("14.1", "nothing of GitLab's headers reaches the model server")
async def headers(site: Site) -> None:
    await site.post(V2, v2(site), Cookie="a=b", X_Gitlab_Host_Name="canary.test")
    assert not [name for name in site.theirs.heard[0].headers if "gitlab" in name or name == "cookie"]
