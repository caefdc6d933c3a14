"""Where AWS credentials come from, that they are renewed, and that they go nowhere else."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clouds import ACCESS, REGION, SECRET, Aws, Played, converse
from script import ModelServer

from homeport.domain.errors import BadConfiguration, UpstreamError, UpstreamRefused, UpstreamUnreachable
from homeport.domain.models import Limits, Model, Secret
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message
from homeport.providers import _aws
from homeport.providers._leases import RENEW_S
from homeport.providers.bedrock import PROVIDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from script import Peer

    from homeport.kit.upstream_http import HttpUpstream

pytestmark = pytest.mark.usefixtures("no_cloud")
CHAT = Prompt(kind="chat", messages=(Message(role="user", content="q"),))
ROLE = "arn:aws:iam::123456789012:role/team/reader"


class Account:
    """One AWS behind one server, and an environment that points to it."""

    def __init__(self, server: ModelServer, upstream: HttpUpstream, patch: pytest.MonkeyPatch, home: Path) -> None:
        self.server = server
        self.upstream = upstream
        self.aws = Aws()
        self.url = server.url.removesuffix("/v1")
        self.patch = patch
        self.home = home
        server.play = self.aws
        self.set(
            AWS_BEDROCK_RUNTIME_ENDPOINT=self.url,
            AWS_ENDPOINT_URL_STS=self.url,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=self.url,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.url}/v2/credentials/abc",
            AWS_CONTAINER_AUTHORIZATION_TOKEN="container-token",
            AWS_REGION=REGION,
        )

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.patch.setenv(name, value)

    def static(self) -> None:
        self.set(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET)

    def files(self, **contents: str) -> None:
        (self.home / ".aws").mkdir(exist_ok=True)
        for name, content in contents.items():
            (self.home / ".aws" / name).write_text(content)

    def model(self, **fields: Any) -> Model:
        return Model(name="mine", platform="bedrock", identifier="meta.llama3", limits=Limits(total_s=5), **fields)

    async def ask(self, **options: str) -> str:
        """The words of an answer."""
        return await self.ask_model(self.model(options=options))

    async def ask_model(self, model: Model) -> str:
        return "".join([chunk.text async for chunk in PROVIDER.generate(self.upstream, model, CHAT)])

    @property
    def last(self) -> Peer:
        return self.server.heard[-1]


@pytest.fixture
def account(server: ModelServer, upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Account:
    return Account(server, upstream, monkeypatch, tmp_path)


@pytest.fixture
async def elsewhere() -> AsyncIterator[ModelServer]:
    async with ModelServer().listening() as found:
        yield found


async def test_nothing_is_asked_when_nothing_is_configured(account: Account) -> None:
    with pytest.raises(BadConfiguration, match="No AWS credentials are configured") as caught:
        await account.ask()
    assert "HOMEPORT_AWS_CREDENTIALS=instance" in str(caught.value)
    assert caught.value.status == 409
    assert account.server.heard == []


async def test_static_keys_of_the_environment(account: Account) -> None:
    account.static()
    assert await account.ask() == "one + two"
    account.aws.known[ACCESS].token = "session"
    account.set(AWS_SESSION_TOKEN="session")
    assert await account.ask() == "one + two"
    assert account.last.headers["x-amz-security-token"] == "session"
    assert account.aws.seen == ["bedrock"] * 2


async def test_a_wrong_secret_is_told(account: Account) -> None:
    account.set(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY="wrong")
    with pytest.raises(UpstreamRefused, match="AWS does not accept the credentials"):
        await account.ask()


async def test_a_bearer_token_of_the_environment_comes_first(account: Account) -> None:
    account.static()
    account.aws.bearers.add("ABSKx")
    account.set(AWS_BEARER_TOKEN_BEDROCK="ABSKx")
    assert await account.ask() == "one + two"
    assert account.last.headers["authorization"] == "Bearer ABSKx"


async def test_a_profile(account: Account) -> None:
    account.files(credentials=f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    assert await account.ask() == "one + two"
    account.files(config=f"[profile dev]\naws_access_key_id={ACCESS}\naws_secret_access_key={SECRET}\n")
    assert await account.ask(credentials="profile", profile="dev") == "one + two"
    account.set(AWS_PROFILE="dev")
    assert await account.ask() == "one + two"
    with pytest.raises(BadConfiguration, match=r"no AWS profile 'gone'\. Known: .*dev"):
        await account.ask(credentials="profile", profile="gone")
    account.set(AWS_CONFIG_FILE="~/nowhere", AWS_SHARED_CREDENTIALS_FILE=str(account.home / "nowhere"))
    with pytest.raises(BadConfiguration, match=r"Known: none"):
        await account.ask(credentials="profile", profile="late")


async def test_a_profile_that_assumes_a_role_with_another(account: Account) -> None:
    account.files(
        config=f"""
[default]
region = eu-central-1
[profile base]
aws_access_key_id = {ACCESS}
aws_secret_access_key = {SECRET}
[profile middle]
role_arn = arn:aws:iam::123456789012:role/middle
source_profile = base
[profile top]
role_arn = {ROLE}
source_profile = middle
external_id = x/1
[profile loop]
role_arn = {ROLE}
source_profile = circle
[profile circle]
role_arn = {ROLE}
source_profile = loop
[profile own]
role_arn = {ROLE}
source_profile = own
aws_access_key_id = {ACCESS}
aws_secret_access_key = {SECRET}
[profile machine]
role_arn = {ROLE}
credential_source = Ec2InstanceMetadata
[profile program]
credential_process = touch {account.home}/ran
[profile sso]
sso_session = x
"""
    )
    assert await account.ask(credentials="profile", profile="top") == "one + two"
    assert account.aws.seen == ["AssumeRole", "AssumeRole", "bedrock"]
    assert b"ExternalId=x%2F1" in account.server.heard[1].body
    assert account.last.headers["x-amz-security-token"] == "token2"
    assert await account.ask(credentials="profile", profile="own") == "one + two"
    assert await account.ask(credentials="profile", profile="machine") == "one + two"
    assert account.aws.seen[-5:] == ["instance", "instance", "instance", "AssumeRole", "bedrock"]
    with pytest.raises(BadConfiguration, match="without end"):
        await account.ask(credentials="profile", profile="loop")
    for name in ("program", "sso"):
        with pytest.raises(BadConfiguration, match="credential_process"):
            await account.ask(credentials="profile", profile=name)
    assert not (account.home / "ran").exists()


async def test_a_file_that_is_none(account: Account) -> None:
    account.files(credentials="aws_access_key_id")
    with pytest.raises(BadConfiguration, match=r"credentials cannot be read"):
        await account.ask(credentials="profile")


async def test_assuming_a_role(account: Account) -> None:
    account.static()
    assert await account.ask(credentials="assume_role", role_arn=ROLE, external_id="x1") == "one + two"
    assert account.aws.seen == ["AssumeRole", "bedrock"]
    sts = account.server.heard[0]
    assert sts.body == (
        b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fteam%2Freader"
        b"&RoleSessionName=homeport&DurationSeconds=3600&ExternalId=x1"
    )
    assert "Credential=ASIAREADERXXXXXXXXXX/" in account.last.headers["authorization"]
    for _ in range(5):
        await account.ask(credentials="assume_role", role_arn=ROLE, external_id="x1")
    assert account.aws.seen.count("AssumeRole") == 1
    with pytest.raises(BadConfiguration, match="No role is named"):
        await account.ask(credentials="assume_role")


async def test_assuming_a_role_with_the_models_own_key(account: Account) -> None:
    options = {"credentials": "assume_role", "role_arn": ROLE}
    own = account.model(options=options, key=Secret(f"{ACCESS}:{SECRET}"), endpoint=account.url)
    account.patch.delenv("AWS_BEDROCK_RUNTIME_ENDPOINT")
    assert await account.ask_model(own) == "one + two"
    with pytest.raises(BadConfiguration, match="ACCESS_KEY_ID:SECRET_ACCESS_KEY"):
        await account.ask_model(replace(own, key=Secret("ABSKx")))


async def test_a_role_that_may_not_be_assumed(account: Account) -> None:
    account.static()
    account.aws.refuse_sts = "AccessDenied"
    with pytest.raises(UpstreamRefused, match=r"AWS STS \(AssumeRole\) answered HTTP 403: AccessDenied") as caught:
        await account.ask(credentials="assume_role", role_arn=ROLE)
    assert "canary" not in str(caught.value)
    assert "bedrock" not in account.aws.seen


async def test_web_identity(account: Account) -> None:
    (account.home / "token").write_text("good\n")
    account.set(AWS_WEB_IDENTITY_TOKEN_FILE=str(account.home / "token"), AWS_ROLE_ARN=ROLE)
    for options in ({}, {"credentials": "web_identity"}):
        assert await account.ask(**options) == "one + two"
        assert account.aws.seen[-2:] == ["AssumeRoleWithWebIdentity", "bedrock"]
    assert "authorization" not in account.server.heard[0].headers
    (account.home / "token").write_text("stale")
    with pytest.raises(UpstreamRefused, match="InvalidIdentityToken"):
        await account.ask(credentials="web_identity", role_arn=ROLE.replace("reader", "other"))
    account.set(AWS_WEB_IDENTITY_TOKEN_FILE=str(account.home / "gone"))
    with pytest.raises(BadConfiguration, match="AWS_WEB_IDENTITY_TOKEN_FILE"):
        await account.ask(credentials="web_identity", role_arn=ROLE.replace("reader", "third"))


async def test_a_metadata_service_is_asked_only_when_it_was_chosen(account: Account) -> None:
    account.static()
    await account.ask()
    assert account.aws.seen == ["bedrock"]
    account.set(HOMEPORT_AWS_CREDENTIALS="instance")
    assert await account.ask() == "one + two"
    assert account.aws.seen == ["bedrock", "instance", "instance", "instance", "bedrock"]
    assert "Credential=ASIAINSTANCEXXXXXXXX/" in account.last.headers["authorization"]
    assert await account.ask(credentials="container") == "one + two"
    assert account.aws.seen[-2:] == ["container", "bedrock"]
    account.patch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    (account.home / "token").write_text("container-token")
    account.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(account.home / "token"), AWS_REGION="us-east-1")
    assert await account.ask(credentials="container") == "one + two"


async def test_a_container_that_has_no_role(account: Account) -> None:
    for url in ("", "http://10.0.0.1/x", "http://evil.example/x"):
        account.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=url)
        with pytest.raises(BadConfiguration, match="name no address that may be asked"):
            await account.ask(credentials="container")
    assert account.server.heard == []


async def test_the_addresses_of_metadata_services(account: Account) -> None:
    account.patch.delenv("AWS_EC2_METADATA_SERVICE_ENDPOINT")
    account.set(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/x")
    for source, url in (
        ("instance", "http://169.254.169.254/latest/api/token"),
        ("container", "http://169.254.170.2/v2/x"),
    ):
        asked = Played(b"no", status=404)
        with pytest.raises(UpstreamRefused, match="answered HTTP 404"):
            await anext(PROVIDER.generate(asked, account.model(options={"credentials": source}), CHAT))
        assert [(call.url, call.metadata) for call in asked.calls] == [(url, True)]


@pytest.mark.parametrize("status", [200, 404])
async def test_an_instance_without_a_role(account: Account, status: int) -> None:
    async def play(peer: Peer) -> None:
        if peer.method == "GET":
            await peer.document(b"", status, "text/plain")
        else:
            await peer.document(b"t", 200, "text/plain")

    account.server.play = play
    with pytest.raises(BadConfiguration, match="The instance has no role"):
        await account.ask(credentials="instance")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "x"}']
)
async def test_answers_without_credentials(account: Account, body: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(body, 200)

    account.server.play = play
    with pytest.raises(UpstreamError, match="holds none"):
        await account.ask(credentials="container")


async def test_who_gives_credentials_is_not_there(account: Account) -> None:
    account.set(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:1/x")
    with pytest.raises(
        UpstreamUnreachable, match=r"the credentials service of the container cannot be reached \(refused"
    ):
        await account.ask(credentials="container")


async def test_temporary_ones_are_renewed_before_they_end(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    offset = 0.0
    real = time.time
    clock = _aws._leases.setdefault(account.upstream, _aws.Leases(lambda: real() + offset))  # noqa: SLF001 (its clock)
    assert clock is not None
    monkeypatch.setattr(account.aws, "life_s", 3600.0)
    for number in (1, 1, 2):
        assert await account.ask(credentials="container") == "one + two"
        assert account.last.headers["x-amz-security-token"] == f"token{number}"
        offset += (3600 - RENEW_S) / 2 + 1


async def test_who_leaves_while_credentials_are_fetched_cuts_that_connection(account: Account) -> None:
    async def play(peer: Peer) -> None:
        await peer.hang()

    account.server.play = play
    task = asyncio.create_task(account.ask(credentials="container"))
    peer = await account.server.next()
    task.cancel()
    await asyncio.wait_for(peer.closed.wait(), 5)
    account.server.play = account.aws
    assert await account.ask(credentials="container") == "one + two"


# they go nowhere else


@pytest.mark.parametrize(
    "options",
    [{}, {"credentials": "environment"}, {"credentials": "container"}, {"credentials": "instance"}],
    ids=lambda options: options.get("credentials", "unset"),
)
@pytest.mark.parametrize("variables", [{}, {"AWS_BEARER_TOKEN_BEDROCK": "ABSKx"}], ids=["keys", "bearer"])
async def test_ambient_credentials_do_not_follow_to_a_registered_endpoint(
    account: Account, elsewhere: ModelServer, options: dict[str, str], variables: dict[str, str]
) -> None:
    account.static()
    account.set(**variables)
    model = account.model(options=options, endpoint=elsewhere.url)
    with pytest.raises(BadConfiguration, match="is not AWS's, and Homeport's own AWS credentials go nowhere else"):
        await account.ask_model(model)
    with pytest.raises(BadConfiguration, match="AWS_BEDROCK_RUNTIME_ENDPOINT"):
        await PROVIDER.served(account.upstream, model)
    assert elsewhere.heard == account.server.heard == []


AWS_S = [
    "https://bedrock-runtime.eu-central-1.amazonaws.com",
    "https://bedrock-runtime-fips.eu-central-1.amazonaws.com/",
    "https://bedrock-runtime.eu-central-1.amazonaws.com:443",
    "https://bedrock-runtime.eu-central-1.api.aws",
    "https://vpce-0a1b-c2d3.bedrock-runtime.eu-central-1.vpce.amazonaws.com",
]
NOT_AWS_S = [
    "http://bedrock-runtime.eu-central-1.amazonaws.com",
    "https://bedrock-runtime.eu-central-1.amazonaws.com:8443",
    "https://bedrock-runtime.us-east-1.amazonaws.com",
    "https://bedrock-runtime.eu-central-1.amazonaws.com.evil.example",
    "https://bedrock-runtime.eu-central-1.amazonaws.comx",
    "https://evil.bedrock-runtime.eu-central-1.amazonaws.com",
    "https://x.execute-api.eu-central-1.amazonaws.com",
    "https://bucket.s3.eu-central-1.amazonaws.com",
    "https://bedrock-runtimexeu-central-1.amazonaws.com",
    "https://vpce-1.vpce-svc-2.eu-central-1.vpce.amazonaws.com",
    "https://evil.example/bedrock-runtime.eu-central-1.amazonaws.com",
    "https://bedrock-runtime.eu-central-1.amazonaws.com@evil.example",
]


@pytest.mark.parametrize(
    ("endpoint", "goes"), [*((each, True) for each in AWS_S), *((each, False) for each in NOT_AWS_S)]
)
async def test_which_addresses_are_aws_s(account: Account, endpoint: str, goes: bool) -> None:  # noqa: FBT001 (a table)
    account.static()
    asked = Played(json.dumps(converse()).encode())
    answer = PROVIDER.generate(asked, account.model(endpoint=endpoint), CHAT)
    if goes:
        assert [chunk async for chunk in answer]
        assert asked.calls[0].url.startswith(f"{endpoint.rstrip('/')}/model/")
    else:
        with pytest.raises(BadConfiguration, match="is not AWS's"):
            await anext(answer)
        assert asked.calls == []


async def test_a_carried_model_uses_the_operators_credentials(account: Account) -> None:
    account.static()
    for key in ("", "dummy_key", "sk-whatever"):
        carried = account.model(registered=False, key=Secret(key))
        assert await account.ask_model(carried) == "one + two"
        assert f"Credential={ACCESS}/" in account.last.headers["authorization"]
    account.aws.bearers.add("ABSKcarried")
    assert await account.ask_model(account.model(registered=False, key=Secret("ABSKcarried"))) == "one + two"
    assert account.last.headers["authorization"] == "Bearer ABSKcarried"


async def test_a_carried_model_without_an_operators_credentials(account: Account) -> None:
    with pytest.raises(BadConfiguration, match="No AWS credentials are configured"):
        await account.ask_model(account.model(registered=False, key=Secret("dummy_key")))
    assert account.server.heard == []


async def test_keys_are_in_no_error_and_no_representation(account: Account) -> None:
    model = account.model(key=Secret("AKIACANARYXXXXXXXXXX:canary-secret"), endpoint=account.url)
    with pytest.raises(UpstreamRefused) as caught:
        await account.ask_model(model)
    assert "canary" not in str(caught.value).lower()
    assert "canary" not in repr(model)
    with pytest.raises(BadConfiguration, match="has none"):
        await account.ask(credentials="key")
