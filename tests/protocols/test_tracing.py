"""Traces: what a real receiver of OTLP gets of a request, and what becomes of it when there is none."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, KEY, PREFIX, TOKEN, WORDS, House, eventually, opened
from receivers import BINARY, JSON, Receiver, receiving

from homeport.kit import otlp
from homeport.kit.settings import load
from homeport.kit.tracing import MOST, Trace, Try, begin, trace_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVER, CLIENT = 2, 3
ASK = {"messages": [{"role": "user", "content": "What is a mutex?"}], "max_tokens": 40, "temperature": 0.5}
CODE = {"prompt": "def add(a, b):\n    return", "suffix": "\n", "max_tokens": 16}
CHAT = "/v1/chat/completions"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "TOGETHER_S", 0.0)
    monkeypatch.setattr(otlp, "AGAIN_S", 0.01)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture(params=[BINARY, JSON])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What spans are sent in: JSON where the packages for the other are missing."""
    if request.param == JSON:
        monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.trace.v1", None)
    return str(request.param)


@pytest.fixture
async def house(receiver: Receiver, form: str) -> AsyncIterator[House]:
    """One that is traced."""
    async with opened(otlp_endpoint=receiver.url) as made:
        yield made
    assert set(receiver.content_types) <= {form}


def exporter(house: House) -> otlp.Exporter:
    """What sends the spans off."""
    found: Any = house.app.door.book.tracing
    sends: otlp.Exporter = found.receiver
    return sends


async def traced(house: House, path: str = CHAT, body: Any = ASK, **headers: str) -> str:
    """Ask something; gives the id of its trace."""
    answer = await house.post(path, body, **headers)
    return trace_id(str(answer.header("x-request-id")))


async def test_a_request_its_phases_and_its_attempt(house: House, receiver: Receiver) -> None:
    found = await receiver.of(await traced(house, User_Agent="llm/1.0"))
    root, attempt = found[f"POST {CHAT}"], found[f"chat served-{WORDS}"]
    assert (root.parent, root.kind, root.error) == ("", SERVER, "")
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["http.route"] == CHAT
    assert root.attributes["homeport.correlation_id"] == root.trace
    assert (root.attributes["homeport.feature"], root.attributes["user_agent.name"]) == ("chat", "llm")
    assert {"admit", "prepare"} <= found.keys()
    assert {each.parent for each in found.values()} == {"", root.id}
    assert all(root.start <= each.start <= each.end <= root.end + 1_000_000 for each in found.values())
    assert attempt.kind == CLIENT
    told = {name: each for name, each in attempt.attributes.items() if not name.startswith(("homeport.", "server."))}
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": f"served-{WORDS}",
        "gen_ai.request.max_tokens": 40,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": told["gen_ai.usage.output_tokens"],
    }
    assert f"http://{attempt.attributes['server.address']}:{attempt.attributes['server.port']}" in house.models.url
    assert receiver.resource["service.name"] == "homeport"
    assert receiver.resource["service.version"]


async def test_a_stream_and_a_completion(house: House, receiver: Receiver) -> None:
    stream = await receiver.of(await traced(house, body={**ASK, "stream": True}))
    attempt = stream[f"chat served-{WORDS}"].attributes
    assert attempt["gen_ai.request.stream"] is True
    assert 0 < attempt["gen_ai.response.time_to_first_chunk"] < 10
    code = await receiver.of(await traced(house, "/v1/completions", CODE))
    assert code[f"text_completion served-{FIM}"].attributes["gen_ai.operation.name"] == "text_completion"


async def test_every_attribute_is_one_of_the_conventions_or_ours(house: House, receiver: Receiver) -> None:
    await receiver.of(await traced(house, body={**ASK, "stream": True, "top_p": 0.5, "seed": 7}))
    names = {name for each in receiver.spans for name in each.attributes if not name.startswith("homeport.")}
    assert names <= {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "http.request.body.size",
        "http.response.body.size",
        "user_agent.name",
        "server.address",
        "server.port",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.request.stream",
        "gen_ai.request.max_tokens",
        "gen_ai.request.temperature",
        "gen_ai.request.top_p",
        "gen_ai.request.seed",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    }


async def test_failed_attempts_have_spans_of_their_own(house: House, receiver: Receiver) -> None:
    house.assign("chat", "model", WORDS, PREFIX)
    broken = house.model(WORDS, endpoint="http://127.0.0.1:9/v1")
    house.snapshot = house.snapshot.with_models(broken)
    found = await receiver.of(await traced(house))
    first, second = found[f"chat served-{WORDS}"], found[f"chat served-{PREFIX}"]
    assert (first.error, first.attributes["error.type"]) == ("upstream_unreachable", "upstream_unreachable")
    assert (second.error, first.start <= second.start) == ("", True)
    assert found[f"POST {CHAT}"].error == ""


async def test_a_request_that_fails(house: House, receiver: Receiver) -> None:
    house.assign("chat", "model", WORDS)
    house.snapshot = house.snapshot.with_models(house.model(WORDS, endpoint="http://127.0.0.1:9/v1"))
    root = (await receiver.of(await traced(house)))[f"POST {CHAT}"]
    assert (root.error, root.attributes["error.type"]) == ("upstream_unreachable", "upstream_unreachable")
    wrong = (await receiver.of(await traced(house, body={**ASK, "model": "nobody"})))[f"POST {CHAT}"]
    assert (wrong.error, wrong.attributes["error.type"]) == ("", "not_found")
    assert wrong.attributes["http.response.status_code"] == 404


async def test_the_callers_trace_goes_on_at_the_model_server(house: House, receiver: Receiver) -> None:
    await traced(house, traceparent=PARENT)
    found = await receiver.of("4bf92f3577b34da6a3ce929d0e0e4736")
    assert found[f"POST {CHAT}"].parent == "00f067aa0ba902b7"
    attempt = found[f"chat served-{WORDS}"]
    sent = house.models.heard[-1].headers["traceparent"]
    assert sent == f"00-{attempt.trace}-{attempt.id}-01"


@pytest.mark.parametrize(
    "header",
    [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "x" * 8000,
        "",
    ],
)
def test_what_is_no_parent_begins_a_trace(header: str) -> None:
    found = begin(header.encode(), "an-id", 1.0)
    assert found is not None
    assert (found.id, found.parent) == (trace_id("an-id"), "")


def test_who_is_traced() -> None:
    assert begin(PARENT.encode()[:-1] + b"0", "x", 1.0) is None
    assert begin(PARENT.encode(), "x", 0.0) is not None
    assert begin(b"", "x", 0.0) is None
    share = sum(begin(b"", f"id-{number}", 0.25) is not None for number in range(2000))
    assert 400 < share < 600
    hexadecimal = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace_id(hexadecimal) == hexadecimal
    assert len(trace_id("0" * 32)) == len(trace_id("é\r\n")) == 32


def test_attempts_of_one_request_have_a_bound() -> None:
    trace = Trace("a" * 32)
    for _ in range(MOST + 10):
        trace.tried(Try(trace.attempt(), None, None, 0.0, 0.0, 0.0, ""))
    assert (len(trace.tries), trace.current) == (MOST, trace.root)


async def test_neither_content_nor_keys_by_default(receiver: Receiver) -> None:
    async with opened(otlp_endpoint=receiver.url, log_content="always") as house:
        await receiver.of(await traced(house))
        told = str([each.__dict__ for each in receiver.spans])
    for secret in ("mutex", KEY, TOKEN, "ada"):
        assert secret not in told


@pytest.mark.usefixtures("form")
async def test_content_where_the_operator_wants_it(receiver: Receiver) -> None:
    async with opened(otlp_endpoint=receiver.url, log_content="always", otlp_content=True) as house:
        body = {**ASK, "messages": [{"role": "system", "content": "Be brief."}, *ASK["messages"]]}  # type: ignore[misc]
        attempt = (await receiver.of(await traced(house, body=body)))[f"chat served-{WORDS}"].attributes
        code = (await receiver.of(await traced(house, "/v1/completions", CODE)))[f"text_completion served-{FIM}"]
        told = str([each.__dict__ for each in receiver.spans])
    assert attempt["gen_ai.input.messages"] == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "What is a mutex?"}]},
    ]
    (answer,) = attempt["gen_ai.output.messages"]
    assert (answer["role"], answer["finish_reason"], answer["parts"][0]["type"]) == ("assistant", "stop", "text")
    (asked,) = code.attributes["gen_ai.input.messages"]
    assert "def add(a, b):" in asked["parts"][0]["content"]
    assert KEY not in told
    async with opened(otlp_endpoint=receiver.url, otlp_content=True) as house:
        silent = (await receiver.of(await traced(house)))[f"chat served-{WORDS}"].attributes
    assert "gen_ai.input.messages" not in silent


async def test_headers_and_a_path_of_the_operator(receiver: Receiver) -> None:
    settings = {"otlp_endpoint": f"{receiver.url}/v1/traces", "otlp_headers": "Authorization=Bearer%20a, X-Scope=b"}
    async with opened(**settings) as house:
        await receiver.of(await traced(house))
    sent = receiver.headers[-1]
    assert (sent["authorization"], sent["x-scope"]) == ("Bearer a", "b")
    assert sent["content-type"] == BINARY


async def test_a_receiver_that_is_busy_gets_it_later(house: House, receiver: Receiver) -> None:
    receiver.answers = [503, 429]
    await receiver.of(await traced(house))
    await eventually(lambda: exporter(house).waiting == 0)
    assert exporter(house).lost == 0
    assert len(receiver.headers) == 3


async def test_what_a_receiver_refuses_is_lost_and_counted(house: House, receiver: Receiver) -> None:
    receiver.answers = [400]
    await traced(house)
    await eventually(lambda: exporter(house).lost == 1)
    receiver.rejects = 2
    await receiver.of(await traced(house))
    assert [each["status"] for each in house.logs.lines if each["message"] == "the receiver refuses traces"] == [400]
    await eventually(lambda: any("refuses some spans" in each["message"] for each in house.logs.lines))
    assert house.metrics.registry.get_sample_value("homeport_lost_traces") == 1


async def test_without_a_receiver_requests_are_served_and_the_oldest_traces_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp, "WAITING", 2)
    monkeypatch.setattr(otlp, "AGAIN_S", 60.0)
    async with opened(otlp_endpoint="http://127.0.0.1:9") as house:
        for _ in range(6):
            assert (await house.post(CHAT, ASK)).status == 200
        house.records()
        lost = exporter(house).lost
        assert lost >= 2  # two may be on their way while two wait
        assert house.metrics.registry.get_sample_value("homeport_waiting_traces") == 6 - lost


async def test_what_waits_is_sent_at_the_end(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "TOGETHER_S", 60.0)
    async with opened(otlp_endpoint=receiver.url) as house:
        trace = await traced(house)
        house.records()
        assert receiver.spans == []
    assert trace in {each.trace for each in receiver.spans}


async def test_a_share_of_none_and_no_endpoint_send_nothing(receiver: Receiver) -> None:
    async with opened(otlp_endpoint=receiver.url, otlp_share=0) as house:
        await traced(house)
        house.records()
        assert "traceparent" not in house.models.heard[-1].headers
        assert exporter(house).waiting == 0
    async with opened() as house:
        await traced(house, traceparent=PARENT)
        assert "traceparent" not in house.models.heard[-1].headers
    assert receiver.headers == []


def test_nothing_of_it_is_imported_while_it_is_off() -> None:
    code = (
        "import sys, homeport.app, homeport.cli; print([n for n in sys.modules if n.startswith(('opentel', 'google'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 (our own)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "wrong",
    [
        {"otlp_endpoint": "collector:4318"},
        {"otlp_endpoint": "http://user:secret@collector"},
        {"otlp_headers": "Authorization"},
        {"otlp_headers": "A b=c"},
        {"otlp_headers": "=c"},
        {"otlp_headers": "Host=c"},
        {"otlp_headers": "A="},
        {"otlp_headers": "A=b%0d%0aC: d"},
        {"otlp_share": 2},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(?i)otlp"):
        load(**wrong)
