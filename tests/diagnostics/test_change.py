"""What a change of settings brings about is told before it is made."""

from __future__ import annotations

import pytest

from homeport.diagnostics import _change
from homeport.diagnostics._change import checked, concerns
from homeport.domain.errors import Unconfirmed
from homeport.domain.models import Model, Snapshot
from homeport.kit.settings import load

NEAR = Model(name="near", platform="openai", endpoint="http://10.1.2.3:8000/v1")
HERE = Model(name="here", platform="openai", endpoint="http://127.0.0.1:8000/v1")
LOST = Model(name="lost", platform="openai", endpoint="http://nowhere.invalid/v1")
PROXIED = Model(name="proxied", platform="openai", endpoint="http://10.9.9.9/v1", options={"proxy": "http://10.0.0.9"})
OFF = Model(name="off", platform="openai", endpoint="http://10.9.9.8/v1", enabled=False)
SNAPSHOT = Snapshot(
    models={each.name: each for each in (NEAR, HERE, PROXIED, OFF)}, settings={"sso_issuer": "https://10.7.7.7/realm"}
)
ALONE = Snapshot()


async def told(snapshot: Snapshot = ALONE, **change: tuple[object, object]) -> list[str]:
    """The concerns of a change from one value to another."""
    before = {name: value for name, (value, _) in change.items()}
    return await concerns(load(**before), load(**{name: value for name, (_, value) in change.items()}), snapshot)


async def test_whom_it_cuts_off_is_named() -> None:
    found = await told(SNAPSHOT, allowed_networks=((), ("192.168.0.0/16",)))
    assert found == ["Cut off by this: the model near at 10.1.2.3 (10.1.2.3); single sign-on at 10.7.7.7 (10.7.7.7)."]
    assert await told(SNAPSHOT, denied_networks=((), ("10.1.2.0/24",))) == [
        "Cut off by this: the model near at 10.1.2.3 (10.1.2.3)."
    ]
    assert await told(SNAPSHOT, allowed_networks=((), ("10.0.0.0/8",))) == []
    # who is outside already is none of this change's
    assert await told(SNAPSHOT, allowed_networks=(("192.168.0.0/16", "172.16.0.0/12"), ("192.168.0.0/16",))) == []


async def test_whom_nobody_finds_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_host: str) -> list[str]:
        return []

    monkeypatch.setattr(_change, "addresses", nothing)
    found = await told(Snapshot(models={"lost": LOST}), allowed_networks=((), ("10.0.0.0/8",)))
    assert found == ["Nobody can tell of nowhere.invalid: not found now."]


@pytest.mark.parametrize(
    ("allowed", "denied", "where"),
    [
        ((("10.0.0.0/8",), ("10.0.0.0/8", "192.168.0.0/16")), ((), ()), "in 192.168.0.0/16,"),
        ((("10.1.0.0/16",), ("10.0.0.0/15",)), ((), ()), "in 10.0.0.0/16,"),
        ((("10.0.0.0/8",), ()), ((), ("10.3.0.0/16",)), "in any network but 10.3.0.0/16,"),
        (((), ()), (("10.0.0.0/8", "fd00::/8"), ("10.0.0.0/9",)), "in 10.128.0.0/9, fd00::/8,"),
        ((("10.0.0.0/8",), ("10.0.0.0/9", "127.0.0.0/8")), ((), ()), ""),
        ((("10.0.0.0/8",), ("10.0.0.0/8", "169.254.0.0/16")), ((), ()), ""),
        (((), ("10.0.0.0/8",)), (("172.16.0.0/12",), ()), ""),
    ],
)
async def test_what_it_opens_is_told(allowed: tuple[object, object], denied: tuple[object, object], where: str) -> None:
    found = await told(allowed_networks=allowed, denied_networks=denied)
    assert [where in each for each in found] == ([True] if where else [])


async def test_many_networks_are_compared_in_time() -> None:
    many = tuple(f"fd00:{each:x}::/64" for each in range(20))
    others = tuple(f"fd00:{each:x}:0:1::/80" for each in range(20))
    (found,) = await told(allowed_networks=(others, many), denied_networks=(many[:10], others))
    assert "and more" in found


async def test_a_provider_of_single_sign_on_must_know_the_address() -> None:
    (found,) = await told(SNAPSHOT, url=("", "https://homeport.example"))
    assert found.endswith("redirect URI: https://homeport.example/console/sso.")
    assert await told(url=("", "https://homeport.example")) == []


async def test_nothing_is_changed_before_somebody_is_sure() -> None:
    wanted = {"allowed_networks": "192.168.0.0/16", "usage_days": "9"}
    with pytest.raises(Unconfirmed, match="the model near"):
        await checked(load(), SNAPSHOT, wanted, sure=False)
    assert await checked(load(), SNAPSHOT, wanted, sure=True) == wanted
    assert await checked(load(), SNAPSHOT, {"usage_days": "9"}, sure=False) == {"usage_days": "9"}
