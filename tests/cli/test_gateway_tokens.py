"""`homeport gateway` as an administrator starts it in place of GitLab's: the same variables, a real process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import issuer as gitlab
import pytest
from commands import homeport
from house import asking, eventually
from issuer import Issuer
from script import ModelServer, Peer
from wire import line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wire import Answer

PROGRAM = Path(sys.executable).with_name("homeport")
LIMIT_S = 60
BODY = {"current_file": {"file_name": "a.py", "content_above_cursor": "def a():\n", "content_below_cursor": ""}}


class Gateway:
    """A running process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, errors: Path) -> None:
        self.process = process
        self.port = port
        self.errors = errors

    async def ask(self, method: str, path: str, token: str, body: Any = None, **headers: str) -> Answer:
        """One request."""
        async with line(self.port) as wire:
            await wire.send(asking(method, path, body, gitlab.headers(**headers), token))
            return await wire.answer()

    @property
    def said(self) -> str:
        """Its standard error."""
        return self.errors.read_text()


@contextlib.asynccontextmanager
async def started(folder: Path, **environment: str) -> AsyncIterator[Gateway]:
    """A gateway that serves until the block ends."""
    errors = folder / "stderr.txt"
    with errors.open("w") as out:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *("gateway", "--host", "127.0.0.1", "--port", "0", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=out,
            env={"HOMEPORT_METRICS_PORT": "-1", "HOMEPORT_DATA_DIR": str(folder / "data"), **environment},
            cwd=folder,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            said = await process.stdout.readline()
        assert said, errors.read_text()
        yield Gateway(process, int(json.loads(said)["url"].rpartition(":")[2]), errors)
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            assert await process.wait() == 0


async def test_with_the_variables_of_the_original(tmp_path: Path) -> None:
    async with Issuer("/gitlab").listening() as server, ModelServer().listening() as models:
        models.catalogue = models.behave
        variables = {
            "AIGW_GITLAB_URL": f"{server.url}/",
            "AIGW_GITLAB_API_URL": "http://127.0.0.1:1/api/v4/",
            "AIGW_SELF_SIGNED_JWT__SIGNING_KEY": gitlab.pem(gitlab.rsa_key("own")),
            "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY": gitlab.pem(gitlab.rsa_key("second")).replace("\n", "\\n"),
            "AIGW_CUSTOM_MODELS__ENABLED": "true",
            "HOMEPORT_DEFAULT_ENDPOINT": models.url,
            "HOMEPORT_DEFAULT_IDENTIFIER": "custom_openai/default",
        }
        async with started(tmp_path, **variables) as gateway:
            carried = {"model_provider": "litellm", "model_name": "codestral", "model_endpoint": models.url}
            answer = await gateway.ask("POST", "/v2/code/completions", server.token(), BODY | carried)
            assert answer.status == 200, answer.body
            assert answer.json["choices"]

            minted = await gateway.ask("POST", "/v1/code/user_access_token", server.token())
            assert minted.status == 200, minted.body
            direct = await gateway.ask("POST", "/v2/code/completions", minted.json["token"], BODY)
            assert direct.status == 200, direct.body
            assert models.heard[-1].json["model"] == "default"

            told = await gateway.ask("GET", "/monitoring/issuers", server.token())
            (state,) = told.json["issuers"]
            assert (state["url"], state["key_ids"], state["problem"]) == (server.url, ["k1", "e1"], "")
            assert (await gateway.ask("GET", "/monitoring/ready", "")).json == {"status": "ok"}
            assert (await gateway.ask("POST", "/v2/code/completions", server.token(aud="x"), BODY)).status == 401
        assert "Nobody can authenticate" not in gateway.said
        assert "warning:" not in gateway.said
        assert "PRIVATE KEY" not in gateway.said
        assert [peer.target for peer in server.heard] == [
            "/gitlab/.well-known/openid-configuration",
            "/gitlab/oauth/discovery/keys",
        ]


async def test_ready_says_that_keys_are_missing(tmp_path: Path) -> None:
    async with Issuer().listening() as server:
        await server.stop()
        async with started(tmp_path, AIGW_GITLAB_URL=server.url) as gateway:
            await eventually(lambda: "not fetched" in gateway.said)
            ready = await gateway.ask("GET", "/monitoring/ready", "")
            assert ready.status == 503
            assert ready.json["status"] == "unavailable"
            assert "every token is refused" in ready.json["unavailable"]
            assert server.url not in ready.body.decode()
            assert (await gateway.ask("GET", "/monitoring/healthz", "")).json["status"] == "ok"
        assert "refuses connections" in gateway.said


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("AIGW_AUTH__BYPASS_EXTERNAL", "everyone who reaches this port has every right"),
        ("AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER", "everyone who sends `Bypass-Auth: true` has every right"),
        ("AIGW_AUTH__BYPASS_JWT_SIGNATURE", "everyone can write a token that is accepted"),
    ],
)
async def test_a_switch_that_is_off_is_warned_of_and_works(tmp_path: Path, variable: str, words: str) -> None:
    forged = f"{gitlab.b64({'alg': 'RS256'})}.{gitlab.b64(gitlab.claims('https://anybody.test'))}.AAAA"
    async with started(tmp_path, **{variable: "true"}) as gateway:
        answer = await gateway.ask("GET", "/v1/models", forged, Bypass_Auth="true")
        assert answer.status == 200
    assert words in gateway.said
    assert variable in gateway.said
    assert "Nobody can authenticate" not in gateway.said
    # once when it started, once when it was used
    assert gateway.said.count("switched off") + gateway.said.count("not checked") >= 2


@pytest.mark.parametrize(
    "wrong",
    [
        "gitlab.test",
        "ftp://gitlab.test",
        "https://",
        "https://user:password@gitlab.test",
        "https://gitlab.test/?a=b",
        "a b",
    ],
)
@pytest.mark.parametrize("variable", ["AIGW_GITLAB_URL", "AIGW_CUSTOMER_PORTAL_URL"])
def test_an_address_that_is_none(tmp_path: Path, variable: str, wrong: str) -> None:
    ran = homeport("gateway", HOMEPORT_DATA_DIR=str(tmp_path), **{variable: wrong})
    assert ran.code == 2
    assert variable in ran.err
    assert "http(s) URL" in ran.err


def test_a_key_that_is_none_is_named_and_not_shown(tmp_path: Path) -> None:
    variables = {"HOMEPORT_METRICS_PORT": "-1", "HOMEPORT_DATA_DIR": str(tmp_path)}
    for name in ("AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY"):
        for text in ("not-a-key-at-all", "-----BEGIN PRIVATE KEY-----\nnot-a-key-at-all\n-----END PRIVATE KEY-----"):
            shown = homeport("config", "show", **variables, **{name: text})
            assert shown.code == 0
            assert "***" in shown.out
            assert "not-a-key" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("variables", "asked", "unasked"),
    [
        ({}, True, False),
        ({"AIGW_LOGGING__ENABLE_REQUEST_LOGGING": "false"}, True, False),
        ({"AIGW_LOGGING__ENABLE_REQUEST_LOGGING": "true"}, True, True),
        ({"AIGW_LOGGING__ENABLE_REQUEST_LOGGING": "true", "HOMEPORT_LOG_CONTENT": "never"}, False, False),
        ({"AIGW_GITLAB_URL": "", "AIGW_AUTH__BYPASS_EXTERNAL": "true"}, False, False),
    ],
    ids=["usual", "switch off", "switch on", "never", "no GitLab"],
)
async def test_gitlabs_administrator_decides_about_content(
    tmp_path: Path, variables: dict[str, str], *, asked: bool, unasked: bool
) -> None:
    async with Issuer().listening() as server, ModelServer().listening() as models:
        async with started(tmp_path, **{"AIGW_GITLAB_URL": server.url} | variables) as gateway:
            for name, value in (("canary-asked", "true"), ("canary-unasked", "false")):
                current = {**BODY["current_file"], "content_above_cursor": f"# {name}\ndef a():\n"}
                carried = {"model_provider": "litellm", "model_name": "codestral", "model_endpoint": models.url}
                verbose = {"x_gitlab_enabled_instance_verbose_ai_logs": value}
                body = {"current_file": current, **carried}
                answer = await gateway.ask("POST", "/v2/code/completions", server.token(), body, **verbose)
                assert answer.status == 200, answer.body
        assert ("canary-asked" in gateway.said) is asked
        assert ("canary-unasked" in gateway.said) is unasked


@pytest.mark.parametrize(
    ("identifier", "target", "name"),
    [
        ("openai/org/coder", "/v1/completions", "org/coder"),
        ("coder", "/v1/completions", "coder"),
        ("azure/coder", "/v1/openai/v1/chat/completions", "coder"),
    ],
)
async def test_the_default_model_is_reached_as_its_identifier_says(
    tmp_path: Path, identifier: str, target: str, name: str
) -> None:
    async with ModelServer().listening() as models:
        models.catalogue = models.behave
        variables = {
            "AIGW_AUTH__BYPASS_EXTERNAL": "true",
            "HOMEPORT_DEFAULT_ENDPOINT": models.url,
            "HOMEPORT_DEFAULT_IDENTIFIER": identifier,
            "HOMEPORT_DEFAULT_FAMILY": "codestral",
            "HOMEPORT_DEFAULT_API_KEY": "key-of-the-default",
        }
        async with started(tmp_path, **variables) as gateway:
            answer = await gateway.ask("POST", "/v2/code/completions", "", BODY)
            assert answer.status == 200, answer.body
        asked = models.heard[-1]
        assert (asked.target, asked.json["model"]) == (target, name)
        assert "key-of-the-default" in asked.headers.get("authorization", asked.headers.get("api-key", ""))


async def test_a_default_model_that_hangs_is_told_of_with_its_own_setting(tmp_path: Path) -> None:
    async with ModelServer().listening() as models:
        models.play = Peer.hang
        variables = {
            "AIGW_AUTH__BYPASS_EXTERNAL": "true",
            "HOMEPORT_DEFAULT_ENDPOINT": models.url,
            "HOMEPORT_DEFAULT_IDENTIFIER": "coder",
            "HOMEPORT_MODEL_TIMEOUT": "0.3",
        }
        async with started(tmp_path, **variables) as gateway:
            answer = await gateway.ask("POST", "/v2/code/completions", "", BODY)
    assert "(first byte, 0.3 s)" in answer.body.decode()
    assert "HOMEPORT_MODEL_TIMEOUT is the limit" in answer.body.decode()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"IDENTIFIER": "vertex_ai/gemini", "ENDPOINT": "http://127.0.0.1:9/v1"}, "the platform 'vertex_ai'"),
        ({"IDENTIFIER": "embedded/smollm2"}, "the platform 'embedded'"),
        ({"IDENTIFIER": "custom_openai/coder"}, "HOMEPORT_DEFAULT_ENDPOINT is not"),
        ({"ENDPOINT": "http://127.0.0.1:9/v1"}, "HOMEPORT_DEFAULT_IDENTIFIER is not"),
        ({"IDENTIFIER": "coder", "ENDPOINT": "localhost:1"}, "HOMEPORT_DEFAULT_ENDPOINT is not an http"),
        ({"IDENTIFIER": "azure/coder", "ENDPOINT": "x.openai.azure.com"}, "HOMEPORT_DEFAULT_ENDPOINT is not an http"),
    ],
)
def test_a_default_model_that_cannot_be_called(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    said = refused(tmp_path, **{f"HOMEPORT_DEFAULT_{name}": value for name, value in variables.items()})
    assert words in said


def refused(folder: Path, **variables: str) -> str:
    """What a gateway says that does not start with these variables."""
    usual = {"HOMEPORT_METRICS_PORT": "-1", "HOMEPORT_DATA_DIR": str(folder), "AIGW_AUTH__BYPASS_EXTERNAL": "true"}
    usual |= {"AIGW_FASTAPI__API_HOST": "127.0.0.1", "AIGW_FASTAPI__API_PORT": "0"}
    ran = subprocess.run(  # noqa: S603 (our own program)
        [PROGRAM, "gateway"],
        capture_output=True,
        text=True,
        check=False,
        env=usual | variables,
        timeout=LIMIT_S,
        cwd=folder,
    )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    return ran.stderr


MODELS_FILE = """
[[models]]
name = "coder"
platform = "{platform}"
endpoint = "http://127.0.0.1:9/v1"
identifier = "coder"

[features]
{feature} = "coder"
"""


@pytest.mark.parametrize(
    ("platform", "feature", "words"),
    [
        ("embedded", "code_completions", "The embedded model runs inside `homeport up` and `homeport serve`"),
        (
            "openai",
            "code_completionz",
            "a feature 'code_completionz', and there is none. Did you mean code_completions?",
        ),
        ("openai", "teleport", "There are: "),
    ],
)
def test_a_models_file_that_could_not_serve(tmp_path: Path, platform: str, feature: str, words: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(MODELS_FILE.format(platform=platform, feature=feature))
    assert words in refused(tmp_path, HOMEPORT_MODELS_FILE=str(file))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AIGW_FASTAPI__API_HOST": "nohost.invalid"}, "nobody knows that name. Write an address of this machine"),
        (
            {"AIGW_FASTAPI__METRICS_HOST": "nohost.invalid", "HOMEPORT_METRICS_PORT": "0"},
            "Choose another address with HOMEPORT_METRICS_HOST (or AIGW_FASTAPI__METRICS_HOST)",
        ),
        ({"HOMEPORT_DOCS_INDEX": __file__}, "cannot be used as documentation index"),
    ],
)
def test_places_that_cannot_be_used(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    assert words in refused(tmp_path, **variables)


async def test_what_is_missing_but_not_needed_is_told(tmp_path: Path) -> None:
    variables = {
        "AIGW_AUTH__BYPASS_EXTERNAL": "true",
        "HOMEPORT_DOCS_INDEX": str(tmp_path / "nope.db"),
        "HOMEPORT_DEFAULT_ENDPOINT": "http://127.0.0.1:9/v1",
        "HOMEPORT_DEFAULT_IDENTIFIER": "coder",
        "HOMEPORT_DEFAULT_FAMILY": "zarquon",
    }
    async with started(tmp_path, **variables) as gateway:
        assert (await gateway.ask("GET", "/monitoring/ready", "")).status == 200
    assert "the documentation index is not there" in gateway.said
    assert "unknown family of the default model" in gateway.said


async def test_a_gateway_that_lets_nobody_in_is_not_ready(tmp_path: Path) -> None:
    async with started(tmp_path) as gateway:
        ready = await gateway.ask("GET", "/monitoring/ready", "")
        assert ready.status == 503
        assert "AIGW_GITLAB_URL" in ready.json["unavailable"]
        for token in ("", "garbage"):
            answer = await gateway.ask("POST", "/v2/code/completions", token, BODY)
            assert answer.status == 401
            assert "homeport tokens create" not in answer.body.decode()
            assert "HOMEPORT_MODELS_FILE" in answer.body.decode()


async def examined(gateway: Gateway, folder: Path, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
    """What `homeport doctor` says on a host that has nothing but this gateway."""
    usual = {
        "HOMEPORT_DATA_DIR": str(folder / "no"),
        "HOMEPORT_METRICS_PORT": "-1",
        "AIGW_FASTAPI__API_PORT": str(gateway.port),
    }
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "doctor", "--json", stdout=asyncio.subprocess.PIPE, env=usual | environment, cwd=folder
    )
    out, _ = await process.communicate()
    return process.returncode or 0, {check["id"]: check for check in json.loads(out)["checks"]}


INSTANCE_ONLY = (
    "data_dir",
    "database",
    "keys",
    "registry",
    "token_accepted",
    "model_answers",
    "feature_answers",
    "stream",
)


async def test_the_doctor_of_a_gateway(tmp_path: Path) -> None:
    async with Issuer("/gitlab").listening() as server:
        variables = {"AIGW_GITLAB_URL": server.url}
        async with started(tmp_path, **variables) as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            for environment in (variables, {"HOMEPORT_URL": url}, {"HOMEPORT_URL": url, **variables}):
                code, found = await examined(gateway, tmp_path, **environment)
                assert code == 0, found
                assert {found[name]["status"] for name in INSTANCE_ONLY} == {"skip"}
                assert found["data_dir"]["saw"] == "Not tried: a gateway has none."
                assert found["server"]["saw"].endswith(f"answers at {url}.")
                assert found["ready"]["saw"] == "It can serve."
                assert "GitLab names one with each request" in found["gateway_models"]["saw"]
                assert found["issuers"]["status"] == ("ok" if "AIGW_GITLAB_URL" in environment else "skip")
        code, found = await examined(gateway, tmp_path, **variables)
        assert (code, found["server"]["status"]) == (1, "fail")
        assert "homeport gateway" in found["server"]["fix"]


async def test_the_doctor_reads_a_gateways_models(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(MODELS_FILE.format(platform="openai", feature="code_completions"))
    variables = {"HOMEPORT_MODELS_FILE": str(file), "AIGW_AUTH__BYPASS_EXTERNAL": "true"}
    async with started(tmp_path, **variables) as gateway:
        code, found = await examined(gateway, tmp_path, **variables)
        assert (code, found["gateway_models"]["saw"]) == (0, f"{file} names coder.")
        file.write_text("[[models]]\n")
        code, found = await examined(gateway, tmp_path, **variables)
        assert (code, found["gateway_models"]["status"]) == (1, "fail")
        assert "is not usable" in found["gateway_models"]["saw"]
    nothing = {"AIGW_AUTH__BYPASS_EXTERNAL": "true", "AIGW_CUSTOM_MODELS__ENABLED": "false"}
    async with started(tmp_path, **nothing) as gateway:
        _, found = await examined(gateway, tmp_path, **nothing)
        assert found["gateway_models"]["status"] == "fail"
        assert found["ready"]["saw"].startswith("It is degraded: No model is known")


async def test_a_gateway_without_any_model_says_so(tmp_path: Path) -> None:
    variables = {"AIGW_AUTH__BYPASS_EXTERNAL": "true", "AIGW_CUSTOM_MODELS__ENABLED": "false"}
    async with started(tmp_path, **variables) as gateway:
        ready = await gateway.ask("GET", "/monitoring/ready", "")
        assert (ready.status, ready.json["status"]) == (200, "degraded")
        assert "No model is known" in ready.json["degraded"]
        answer = await gateway.ask("POST", "/v2/code/completions", "", BODY)
        assert "HOMEPORT_DEFAULT_ENDPOINT" in answer.json["detail"]
        assert "homeport features" not in answer.json["detail"]


async def test_a_file_of_variables(tmp_path: Path) -> None:
    async with Issuer().listening() as server, ModelServer().listening() as models:
        (tmp_path / ".env").write_text(
            f"# as the container had it\nexport AIGW_GITLAB_URL='{server.url}'\nWEB_CONCURRENCY=4\n\n"
            f'AIGW_SELF_SIGNED_JWT__SIGNING_KEY="{gitlab.pem(gitlab.rsa_key("own"))}"\n'
            f"AIGW_CUSTOM_MODELS__ENABLED=false\nHOMEPORT_DEFAULT_ENDPOINT={models.url}\nMODEL=from-the-file\n"
            "HOMEPORT_DEFAULT_IDENTIFIER=custom_openai/${MODEL}\nAIGW_LOGGING__LEVEL=\n"
        )
        # the environment wins, in whatever case; what it sets to nothing it does not set
        variables = {"aigw_custom_models__enabled": "true", "HOMEPORT_DEFAULT_ENDPOINT": "", "PATH": "/canary"}
        async with started(tmp_path, **variables) as gateway:
            carried = {"model_provider": "litellm", "model_name": "codestral", "model_endpoint": models.url}
            answer = await gateway.ask("POST", "/v2/code/completions", server.token(), BODY | carried)
            assert answer.status == 200, answer.body
            minted = await gateway.ask("POST", "/v1/code/user_access_token", server.token())
            direct = await gateway.ask("POST", "/v2/code/completions", minted.json["token"], BODY)
            assert direct.status == 200, direct.body
            assert "from-the-file" in [peer.json["model"] for peer in models.heard if peer.method == "POST"]
    told = next(line for line in gateway.said.splitlines() if "Variables from .env" in line)
    assert "AIGW_GITLAB_URL" in told
    assert "CUSTOM_MODELS" not in told
    assert "users' tokens are signed with a key that dies" not in gateway.said
    assert "WEB_CONCURRENCY" in gateway.said
    assert "PRIVATE KEY" not in gateway.said


def test_a_file_of_variables_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"AIGW_GITLAB_URL=\xff\xfe\x00")
    monkeypatch.chdir(tmp_path)
    ran = homeport("gateway", "--port", "0")
    assert ran.code == 1
    assert f"{tmp_path / '.env'} is not a text in UTF-8" in ran.err


def test_other_commands_read_no_file_of_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("HOMEPORT_URL=http://evil.test\n")
    monkeypatch.chdir(tmp_path)
    assert "evil" not in homeport("config", "show", "--changed").out
