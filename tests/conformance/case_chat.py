"""GitLab's chat: the agent's turns, and the older endpoint of 17.x."""

from __future__ import annotations

import json
from typing import Any

import issuer
from script import Peer, piece

from conformance import Site, case, detail

AGENT = "/v2/chat/agent"
CHAT = "/v1/chat"
QUESTION = {"role": "user", "content": "What does the canary do?"}
STEP = {"thought": "Look.", "tool": "issue_reader", "tool_input": "#12", "observation": "canary-observation"}
ACTION = "Thought: I need the issue.\nAction: issue_reader\nAction Input: #12\n"


def asked(site: Site, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"messages": list(messages) or [QUESTION], "model_metadata": site.metadata, **fields}


def events(answer: Any) -> list[dict[str, Any]]:
    assert answer.status == 200
    assert answer.whole
    assert answer.body.endswith(b"\n")
    found = [json.loads(line) for line in answer.body.splitlines()]
    assert all(set(each) == {"type", "data"} for each in found)
    return found


def text(found: list[dict[str, Any]]) -> str:
    assert {each["type"] for each in found} == {"final_answer_delta"}
    return "".join(each["data"]["text"] for each in found)


for said in (
    "Final Answer: It sings.",
    "Thought: I know.\nFinal Answer: It sings.",
    "It sings.",
    "**Final Answer:** It sings.",
):

    @case("5.1", f"an answer is a stream of deltas, one JSON object a line | {said[:20]!r}", said)
    async def answered(site: Site, said: str) -> None:
        site.answers(*(said[at : at + 5] for at in range(0, len(said), 5)))
        answer = await site.post(AGENT, asked(site))
        assert answer.header("content-type") == "application/x-ndjson; charset=utf-8"
        assert text(events(answer)).strip() == "It sings."


for said in (
    ACTION,
    "Action: IssueReader\nAction Input: #12",
    "**Action:** issue\\_reader\n**Action Input:** #12\nObservation: x",
):

    @case("5.1", f"a tool is one action at the end, by its snake_case name | {said[:24]!r}", said)
    async def action(site: Site, said: str) -> None:
        site.answers(said)
        (only,) = events(await site.post(AGENT, asked(site)))
        assert only["type"] == "action"
        assert set(only["data"]) == {"tool", "tool_input", "thought"}
        assert only["data"]["tool"] == "issue_reader"
        assert only["data"]["tool_input"] == "#12"


@case("5.1", "a later round has its steps in options")
async def options(site: Site) -> None:
    site.answers("Final Answer: Done.")
    body = asked(site, options={"agent_scratchpad": {"agent_type": "react", "steps": [STEP]}})
    assert text(events(await site.post(AGENT, body))).strip() == "Done."
    assert "canary-observation" in site.prompt


@case("5.1", "a later round has its steps in the last message (17.10)")
async def scratchpad(site: Site) -> None:
    site.answers("Final Answer: Done.")
    action = {name: STEP[name] for name in ("thought", "tool", "tool_input")}
    last = {"role": "assistant", "content": None}
    last["agent_scratchpad"] = [{"action": action, "observation": STEP["observation"]}]  # type: ignore[assignment]
    assert text(events(await site.post(AGENT, asked(site, QUESTION, last)))).strip() == "Done."
    assert "canary-observation" in site.prompt


for history in ("earlier words", ["earlier words"], [{"role": "user", "content": "earlier words"}], "", []):

    @case("5.1", f"the form of 17.4 is taken | chat_history = {json.dumps(history)}", history)
    async def older(site: Site, history: Any) -> None:
        site.answers("Final Answer: Done.")
        options = {"chat_history": history, "agent_scratchpad": {"agent_type": "react", "steps": [STEP]}}
        body = {"prompt": "What does the canary do?", "options": options, "model_metadata": site.metadata}
        assert text(events(await site.post(AGENT, body))).strip() == "Done."
        assert "What does the canary do?" in site.prompt
        assert ("earlier words" in site.prompt) is bool(history)


@case("5.1", "the current file, contexts and additional contexts reach the model")
async def contexts(site: Site) -> None:
    site.answers("Final Answer: Done.")
    message = {
        **QUESTION,
        "context": {"type": "issue", "content": "canary-issue"},
        "current_file": {"file_path": "a.py", "data": "canary-file", "selected_code": True},
        "additional_context": [{"category": "file", "id": "b.py", "content": "canary-more", "metadata": {}}],
    }
    events(await site.post(AGENT, asked(site, message)))
    assert all(name in site.prompt for name in ("canary-issue", "canary-file", "canary-more"))


@case("5.1", "an unknown category of additional context is ignored")
async def category(site: Site) -> None:
    site.answers("Final Answer: Done.")
    message = {**QUESTION, "additional_context": [{"category": "hologram", "content": "x"}]}
    assert text(events(await site.post(AGENT, asked(site, message)))).strip() == "Done."


for name in ("file", "snippet", "merge_request", "issue", "dependency"):

    @case("14.6", f"additional context needs include_…_context | {name}", name)
    async def context_scope(site: Site, name: str) -> None:
        site.answers("Final Answer: Done.")
        body = asked(site, {**QUESTION, "additional_context": [{"category": name, "content": "x"}]})
        assert (await site.post(AGENT, body, scopes=("duo_chat", f"include_{name}_context"))).status == 200
        answer = await site.post(AGENT, body, scopes=("duo_chat",))
        assert answer.status == 403
        assert f"include_{name}_context" in detail(answer)


for tool, scope, version in (
    ("issue_reader", "ask_issue", "17.4.0"),
    ("epic_reader", "ask_epic", "17.4.0"),
    ("gitlab_documentation", "documentation_search", "17.4.0"),
    ("commit_reader", "ask_commit", "17.5.0"),
    ("build_reader", "ask_build", "17.5.0"),
    ("merge_request_reader", "ask_merge_request", "17.5.0"),
    ("work_item_reader", "ask_work_item", "18.2.0"),
):

    @case(
        "5.1", f"a tool is offered only with its scope and from its version of GitLab on | {tool}", tool, scope, version
    )
    async def offered(site: Site, tool: str, scope: str, version: str) -> None:
        site.answers("Final Answer: Done.")
        for scopes, at, there in (
            (("duo_chat", scope), version, True),
            (("duo_chat",), version, False),
            (("duo_chat", scope), "17.3.0" if version != "17.4.0" else version, version == "17.4.0"),
        ):
            await site.post(AGENT, asked(site), scopes=scopes, X_Gitlab_Version=at)
            assert (tool in site.prompt) is there


for version in ("", "garbage", None):

    @case("5.1", f"a GitLab that does not say its version has the tools of the first | {version!r}", version)
    async def unversioned(site: Site, version: str | None) -> None:
        site.answers("Final Answer: Done.")
        headers = {name: value for name, value in issuer.headers().items() if name != "X-Gitlab-Version"}
        headers |= {} if version is None else {"X-Gitlab-Version": version}
        token = site.token(scopes=["duo_chat", "ask_issue", "ask_commit"])
        answer = await site.house.ask("POST", AGENT, asked(site), headers, token)
        assert answer.status == 200
        assert "issue_reader" in site.prompt
        assert "commit_reader" not in site.prompt

    @case("14.6", f"without a version of GitLab it needs them all the same | {version!r}", version)
    async def unversioned_scopes(site: Site, version: str | None) -> None:
        headers = {name: value for name, value in issuer.headers().items() if name != "X-Gitlab-Version"}
        headers |= {} if version is None else {"X-Gitlab-Version": version}
        body = asked(site, {**QUESTION, "additional_context": [{"category": "file", "content": "x"}]})
        answer = await site.house.ask("POST", AGENT, body, headers, site.token(scopes=["duo_chat"]))
        assert answer.status == 403
        assert "include_file_context" in detail(answer)


@case("5.1", "trouble with the model is an error event, and the body ends properly")
async def trouble(site: Site) -> None:
    async def refuses(peer: Peer) -> None:
        await peer.document({"error": {"message": "canary-of-the-model-server"}}, 500)

    site.theirs.play = refuses
    answer = await site.post(AGENT, asked(site))
    (only,) = events(answer)
    assert only["type"] == "error"
    assert set(only["data"]) == {"message", "retryable"}
    assert b"canary-of" not in answer.body


@case("5.1", "a stream that breaks off ends with an error event")
async def broken(site: Site) -> None:
    async def breaks(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "Final Answer: one two three four five six"))
        peer.close()

    site.theirs.play = breaks
    assert events(await site.post(AGENT, asked(site)))[-1]["type"] == "error"


@case("5.1", "an empty answer is an error event that may be tried again, never an empty body")
async def empty(site: Site) -> None:
    site.answers("")
    (only,) = events(await site.post(AGENT, asked(site)))
    assert only["type"] == "error"


@case("14.6", "the chat agent needs duo_chat")
async def scope(site: Site) -> None:
    answer = await site.post(AGENT, asked(site), scopes=("complete_code",))
    assert answer.status == 403
    assert "duo_chat" in detail(answer)


for body in ({}, {"messages": []}, {"messages": "x"}, {"messages": [{"role": "robot", "content": "x"}]}, {"prompt": 7}):

    @case("5.1", f"a body without a question is 422 with a list | {json.dumps(body)}", body)
    async def nothing(site: Site, body: dict[str, Any]) -> None:
        answer = await site.post(AGENT, body)
        assert answer.status == 422
        assert detail(answer)


INVOKABLES = {
    "agent": "duo_chat",
    "explain_code": "duo_chat",
    "write_tests": "duo_chat",
    "refactor_code": "duo_chat",
    "explain_vulnerability": "explain_vulnerability",
    "summarize_comments": "summarize_comments",
    "troubleshoot_job": "troubleshoot_job",
}


def component(site: Site, content: Any = "What does the canary do?", **fields: Any) -> dict[str, Any]:
    payload = {
        "content": content,
        "provider": "litellm",
        "model": "mistral",
        "params": {"temperature": 0.1, "stop_sequences": ["\n\nHuman", "Observation:"], "max_tokens_to_sample": 4096},
        "model_endpoint": site.theirs.url,
        "model_identifier": "custom_openai/their-model",
        **fields,
    }
    metadata = {"source": "GitLab EE", "version": "17.4.0"}
    return {"type": "prompt", "metadata": metadata, "payload": payload}


for name, scope_of in INVOKABLES.items():

    @case("5.2", f"each is answered with response and metadata | {name}", name)
    async def invoked(site: Site, name: str) -> None:
        body = {"prompt_components": [component(site)], "stream": False}
        found = (await site.post(f"{CHAT}/{name}", body)).json
        assert set(found) == {"response", "metadata"}
        assert found["response"] == "one + two"
        assert set(found["metadata"]) == {"provider", "model", "timestamp"}
        assert "What does the canary do?" in site.prompt

    @case("5.2", f"a stream is raw text | {name}", name)
    async def invoked_stream(site: Site, name: str) -> None:
        body = {"prompt_components": [component(site)], "stream": True}
        answer = await site.post(f"{CHAT}/{name}", body)
        assert answer.body == b"one + two"

    @case("5.2", f"{CHAT} needs the scope of what is invoked | {name}", name, scope_of)
    async def invoked_scope(site: Site, name: str, scope_of: str) -> None:
        body = {"prompt_components": [component(site)]}
        assert (await site.post(f"{CHAT}/{name}", body, scopes=(scope_of,))).status == 200
        answer = await site.post(f"{CHAT}/{name}", body, scopes=("complete_code",))
        assert answer.status == 403
        assert scope_of in detail(answer)


@case("5.2", "content may be a list of messages")
async def messages(site: Site) -> None:
    content = [{"role": "system", "content": "Be a canary."}, {"role": "user", "content": "Sing."}]
    body = {"prompt_components": [component(site, content)]}
    assert (await site.post(f"{CHAT}/agent", body)).status == 200
    assert "Be a canary." in site.prompt
    assert "Sing." in site.prompt


@case("5.2", "temperature and stop sequences are honoured")
async def params(site: Site) -> None:
    await site.post(f"{CHAT}/agent", {"prompt_components": [component(site)]})
    assert site.said["temperature"] == 0.1
    assert "Observation:" in site.said["stop"]


@case("5.2", "something unknown is 404 with a list")
async def unknown(site: Site) -> None:
    answer = await site.post(f"{CHAT}/never_heard_of", {"prompt_components": [component(site)]})
    assert answer.status == 404
    assert answer.json["detail"][0]["msg"]


for count in (0, 2):

    @case("5.2", f"exactly one component, else 422 with a list | {count}", count)
    async def components(site: Site, count: int) -> None:
        answer = await site.post(f"{CHAT}/agent", {"prompt_components": [component(site)] * count})
        assert answer.status == 422
        assert "prompt_components" in detail(answer)
