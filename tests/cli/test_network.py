"""How a model is reached, and how long it may take, as it is registered on the command line and tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from commands import SERVED, Instance, homeport
from papers import certificate, pem, pem_of_key, shown, strict
from proxies import ForwardProxy
from script import ModelServer

if TYPE_CHECKING:
    from pathlib import Path

ADD = ("models", "add", "coder", "--endpoint", "http://gpu1:8000/v1", "--identifier", "qwen-coder")
PASSWORD = "canary-of-the-proxy"
LIMITS = {
    "--context-tokens": ("context_tokens", 9000),
    "--max-output": ("output_tokens", 77),
    "--max-prompt": ("prompt_tokens", 900),
    "--concurrency": ("concurrency", 3),
    "--queue": ("queue", 5),
    "--queue-s": ("queue_s", 1.5),
    "--connect-s": ("connect_s", 0.5),
    "--first-token-s": ("first_token_s", 2.5),
    "--idle-s": ("idle_s", 3.5),
    "--total-s": ("total_s", 40.0),
}


@pytest.fixture(autouse=True)
def _here(data_dir: Path) -> None:
    del data_dir


def test_every_limit_can_be_given_and_changed() -> None:
    given = [word for flag, (_name, value) in LIMITS.items() for word in (flag, str(value))]
    expected = dict(LIMITS.values())
    assert homeport(*ADD, *given, "--json").json["limits"] == expected
    assert homeport("models", "show", "coder", "--json").json["limits"] == expected
    for flag, (name, value) in LIMITS.items():
        changed = homeport("models", "edit", "coder", flag, str(value + 1), "--json").json["limits"]
        assert changed == (expected := expected | {name: value + 1})


SAID = (
    "ca_file=/etc/ssl/none/ca.pem",
    "client_cert_file=/etc/ssl/none/me.pem",
    "client_key_file=/etc/ssl/none/me.key",
    "proxy=http://ada:env:PROXY_PASS@proxy.internal:3128",
    "no_proxy=.corp,10.0.0.0/8",
    'headers={"X-Team": "blue", "X-Gate": "env:GATE"}',
)
PLATFORMS = {
    "openai": ("--endpoint", "http://gpu1/v1"),
    "anthropic": ("--endpoint", "https://gateway.internal"),
    "azure": ("--endpoint", "https://x.openai.azure.com"),
    "bedrock": ("--option", "region=eu-west-1"),
}


def options(*said: str) -> list[str]:
    return [word for each in said for word in ("--option", each)]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_has_them(platform: str) -> None:
    add = ("models", "add", "mine", "--beta", "--platform", platform, "--identifier", "x", *PLATFORMS[platform])
    added = homeport(*add, *options(*SAID), "--json").json
    assert {name: value for name, _, value in (each.partition("=") for each in SAID)}.items() <= added[
        "options"
    ].items()
    assert sum("is not on this machine" in warning for warning in added["warnings"]) == 3
    edited = homeport("models", "edit", "mine", *options("proxy=none", "ca_file=", "headers="), "--json").json
    assert edited["options"]["proxy"] == "none"
    assert not {"ca_file", "headers"} & edited["options"].keys()
    assert homeport("models", "edit", "mine", "--option", "proxy=proxy:3128").code == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("ca_file=relative.pem", "The option ca_file cannot be 'relative.pem'"),
        (f"proxy=http://ada:{PASSWORD}@proxy.internal:3128", "its password would be stored in clear"),
        ("proxy=socks5://proxy.internal:1080", "write it like http://proxy.internal:3128"),
        ("no_proxy=10.0.0.0/33", "is neither a name, an address nor a network"),
        ('headers={"Host": "x"}', "the header Host is said by HTTP"),
        ('headers={"Authorization": "x"}', "--api-key-env"),
        ("headers=X-Team: blue", "write them as a JSON object"),
    ],
)
def test_what_they_cannot_be(said: str, why: str) -> None:
    homeport("models", "add", "small", "--beta", "--endpoint", "http://h/v1", "--identifier", "x")
    for command in (ADD, ("models", "edit", "small")):
        ran = homeport(*command, "--option", said)
        assert ran.code == 1
        assert why in ran.err
        assert PASSWORD not in ran.err


def test_what_looks_odd_is_a_warning() -> None:
    warnings = homeport(*ADD, *options("client_key_file=/dev/null", 'headers={"X-Token": "abc"}'), "--json").json
    assert warnings["warnings"] == [
        "A client key without its certificate shows nobody who we are: set the option client_cert_file.",
        "The value of the header X-Token is stored in clear: write env:VARIABLE or file:/path instead.",
    ]


def test_the_way_stays_with_another_platform_and_secret_headers_do_not_with_another_host() -> None:
    homeport(*ADD, *options("proxy=none", 'headers={"X-Gate": "env:GATE"}'))
    kept = homeport("models", "edit", "coder", "--endpoint", "http://gpu1:8000/v2", "--json").json
    assert kept["options"].keys() == {"proxy", "headers"}
    moved = homeport(
        "models", "edit", "coder", "--platform", "azure", "--endpoint", "https://x.openai.azure.com", "--json"
    ).json
    assert moved["options"] == {"proxy": "none"}
    assert "The option headers was removed: its secrets were not for https://x.openai.azure.com:443." in str(
        moved["warnings"]
    )
    homeport("models", "edit", "coder", "--option", 'headers={"X-Team": "blue"}')
    plain = homeport("models", "edit", "coder", "--endpoint", "https://y.openai.azure.com", "--json").json
    assert plain["options"] == {"proxy": "none", "headers": '{"X-Team": "blue"}'}
    both = ("--endpoint", "https://z.openai.azure.com", "--option", 'headers={"X-Gate": "env:GATE"}')
    assert homeport("models", "edit", "coder", *both, "--json").json["options"].keys() == {"proxy", "headers"}


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HOMEPORT_PROXY", f"http://ada:{PASSWORD}@proxy.internal:3128", "its password would be stored in clear"),
        ("HOMEPORT_NO_PROXY", "10.0.0.0/33", "is neither a name, an address nor a network"),
    ],
)
def test_settings_are_checked_before_anything_starts(variable: str, value: str, said: str) -> None:
    ran = homeport("serve", **{variable: value})
    assert ran.code != 0
    assert said in ran.err
    assert PASSWORD not in ran.err + ran.out


# `models test` and doctor


async def looked_at(instance: Instance, *registration: str, **environment: str | None) -> dict[str, tuple[str, str]]:
    """What the checks of one model saw: status and words."""
    added = await instance.run("models", "add", "mine", "--beta", "--identifier", SERVED, *registration)
    assert added.code == 0, added.err
    ran = await instance.run("models", "test", "mine", "--json", **environment)
    await instance.run("models", "remove", "mine", "--force")
    return {each["id"]: (each["status"], f"{each['saw']} {each['fix']}") for each in ran.json["checks"]}


async def test_a_model_by_a_proxy(instance: Instance) -> None:
    instance.models.play = instance.models.behave
    instance.served = ["served"]
    async with ForwardProxy(wants=f"ada:{PASSWORD}").listening() as proxy:
        proxy.hosts = {"gpu.test": instance.models.port}
        where = ("--endpoint", "http://gpu.test/v1", "--option", f"proxy={proxy.url('ada:env:PROXY_PASS')}")
        found = await looked_at(instance, *where, PROXY_PASS=PASSWORD)
        assert found["model_reachable"][0] == "ok"
        assert found["model_answers"][0] in {"ok", "skip"}
        assert "GET http://gpu.test/v1/models" in proxy.asked
        status, words = (await looked_at(instance, *where))["model_proxy"]
        assert status == "fail"
        assert f"the password for its proxy 127.0.0.1:{proxy.port} is missing: the variable PROXY_PASS" in words
        assert "--option proxy=URL" in words
        proxy.wants, usual = "", {"HOMEPORT_PROXY": proxy.url()}
        assert (await looked_at(instance, "--endpoint", "http://gpu.test/v1", **usual))["model_reachable"][0] == "ok"
        proxy.refuse = b"HTTP/1.1 403 No\r\n\r\n"
        refused = await looked_at(instance, "--endpoint", "https://gpu.test/v1", **usual)
        assert "does not let us to gpu.test:443 (HTTP 403)" in refused["model_proxy"][1]


async def test_a_model_that_wants_a_certificate(instance: Instance, tmp_path: Path) -> None:
    authority = certificate("authority")
    files = {"ca.pem": pem(authority)}
    for name, paper in {
        "me": certificate("homeport", issuer=authority),
        "old": certificate("homeport", issuer=authority, days=-1),
    }.items():
        files |= {f"{name}.pem": pem(paper), f"{name}.key": pem_of_key(paper)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def said(**names: str) -> list[str]:
        return options(*(f"{option}={tmp_path / name}" for option, name in names.items()))

    with strict(shown(certificate("127.0.0.1", issuer=authority), tmp_path, wants=authority)) as port:
        where = ("--endpoint", f"https://127.0.0.1:{port}/v1")
        cases: dict[str, Any] = {
            "certificate is not accepted": {},
            "wants a client certificate": {"ca_file": "ca.pem"},
            "has expired": {"ca_file": "ca.pem", "client_cert_file": "old.pem", "client_key_file": "old.key"},
            "does not belong to the key": {
                "ca_file": "ca.pem",
                "client_cert_file": "me.pem",
                "client_key_file": "old.key",
            },
            "no.pem cannot be read": {"ca_file": "no.pem"},
        }
        for words, names in cases.items():
            status, saw = (await looked_at(instance, *where, *said(**names)))["model_tls"]
            assert (status, words in saw) == ("fail", True), saw
        fine = said(ca_file="ca.pem", client_cert_file="me.pem", client_key_file="me.key")
        assert (await looked_at(instance, *where, *fine))["model_reachable"][0] == "ok"


async def test_what_nginx_says_without_a_certificate(instance: Instance) -> None:
    page = b"<html><title>400 No required SSL certificate was sent</title><center>nginx</center></html>"
    async with ModelServer().listening() as gate:
        gate.play = lambda peer: peer.document(page, 400, "text/html")
        found = await looked_at(instance, "--endpoint", gate.url)
    status, words = found["model_served"]
    assert status == "fail"
    assert "checks client certificates, and wants one of us (HTTP 400)" in words
    assert "client_cert_file" in words


def test_a_configuration_file_that_moves_a_model_keeps_the_headers_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "homeport-config.toml"
    for host in ("gpu1", "gpu2"):
        file.write_text(
            f'[[models]]\nname = "coder"\nendpoint = "http://{host}/v1"\nidentifier = "x"\nfamily = "general"\n'
            '[models.options]\nheaders = \'{"X-Gate": "env:GATE"}\'\nproxy = "none"\n'
        )
        assert homeport("config", "apply", str(file)).code == 0
        shown = homeport("models", "show", "coder", "--json").json
        assert shown["endpoint"] == f"http://{host}/v1"
        assert shown["options"] == {"headers": '{"X-Gate": "env:GATE"}', "proxy": "none"}
    again = homeport("config", "plan", str(file), "--json").json
    assert again["changes"] == []
