"""Issuers on real sockets: what is fetched, kept and given up, and how often anybody is asked."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import issuer as gitlab
import pytest
from house import eventually, opened
from issuer import Issuer as GitLab
from issuer import jwk
from prometheus_client import generate_latest

from homeport import app
from homeport.access import discovery, issuers, keys
from homeport.access.issuers import Issuer, Issuers, Times
from homeport.access.keys import Unusable
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from house import House
    from script import Peer

PATH = "/v2/code/completions"
BODY = {"current_file": {"file_name": "a.py", "content_above_cursor": "def a():\n", "content_below_cursor": ""}}
QUICK = Times(refresh_s=0.03, stale_s=60, again_s=0.03)
"""For tests of what happens on its own."""
CALM = Times(refresh_s=600, stale_s=60, again_s=30)
"""For tests of what is caused."""
BAD_MOODS = ["empty", "garbage", "huge", "endless", "failing", "moved", "cut"]


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    found = HttpUpstream()
    yield found
    await found.close()


@pytest.fixture
async def server() -> AsyncIterator[GitLab]:
    async with GitLab().listening() as found:
        yield found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not take as long about failures as production does."""
    monkeypatch.setattr(issuers, "FIRST_TRY_AGAIN_S", 0.02)


@contextlib.asynccontextmanager
async def following(*members: Issuer) -> AsyncIterator[Issuers]:
    """Keep their keys current until the block ends."""
    found = Issuers(members)
    task = asyncio.create_task(found.follow())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def known(found: Issuers) -> dict[str, list[str]]:
    """Ids of the keys by issuer."""
    return {name: list(ring) for name, ring in found.current.items()}


# what is fetched


@pytest.mark.parametrize("path", ["", "/gitlab", "/a/b"])
async def test_the_path_of_the_installation_is_kept(upstream: HttpUpstream, path: str) -> None:
    async with GitLab(path).listening() as server:
        found = await discovery.fetch(upstream, server.url)
        assert found.issuer == server.url
        assert list(found.keys.keys) == ["k1", "e1"]
        assert [peer.target for peer in server.heard] == [
            f"{path}/.well-known/openid-configuration",
            f"{path}/oauth/discovery/keys",
        ]


async def test_nobody_is_asked_but_the_configured_address(upstream: HttpUpstream) -> None:
    async with GitLab("/git", name="https://gitlab.test/git").listening() as server:
        found = await discovery.fetch(upstream, server.url)
        assert found.issuer == "https://gitlab.test/git"
        assert server.fetches == 1
    async with GitLab().listening() as server, GitLab().listening() as stranger:
        server.jwks_uri = f"{stranger.url}/oauth/discovery/keys?x=1"
        with pytest.raises(Unusable, match="HTTP 404"):
            await discovery.fetch(upstream, server.url)
        assert [peer.target for peer in server.heard][1:] == ["/oauth/discovery/keys?x=1"]
        assert not stranger.heard


async def test_what_is_sent(server: GitLab, upstream: HttpUpstream) -> None:
    await discovery.fetch(upstream, server.url)
    for peer in server.heard:
        assert peer.method == "GET"
        assert set(peer.headers) == {"host", "accept", "accept-encoding"}
        assert not peer.body


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("empty", "holds no key that can be used (it is empty)"),
        ("garbage", "is not a JWK set"),
        ("huge", "more than 262144 bytes"),
        ("endless", "more than 262144 bytes"),
        ("failing", "HTTP 503"),
        ("moved", "redirects to https://gitlab.test/elsewhere"),
        ("cut", "cannot be reached"),
    ],
)
async def test_a_bad_answer_is_named(server: GitLab, upstream: HttpUpstream, mood: str, words: str) -> None:
    server.mood = mood
    with pytest.raises(Unusable) as refusal:
        await discovery.fetch(upstream, server.url)
    assert words in str(refusal.value)


async def test_silence_ends(server: GitLab, upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "FETCH_S", 0.2)
    server.mood = "silent"
    started = time.perf_counter()
    with pytest.raises(Unusable, match="did not answer"):
        await discovery.fetch(upstream, server.url)
    assert time.perf_counter() - started < 20


async def test_nobody_listens(server: GitLab, upstream: HttpUpstream) -> None:
    await server.stop()
    with pytest.raises(Unusable, match="refuses connections"):
        await discovery.fetch(upstream, server.url)


@pytest.mark.parametrize(
    "said",
    [
        b"[]",
        b"{}",
        b"null",
        b'{"issuer": "https://gitlab.test"}',
        b'{"jwks_uri": "https://gitlab.test/keys"}',
        b'{"issuer": "gitlab-ai-gateway", "jwks_uri": "https://gitlab.test/keys"}',
        b'{"issuer": "", "jwks_uri": "https://gitlab.test/keys"}',
        b'{"issuer": ["https://gitlab.test"], "jwks_uri": "https://gitlab.test/keys"}',
        b'{"issuer": "file:///etc", "jwks_uri": "https://gitlab.test/keys"}',
        b'{"issuer": "https://gitlab.test", "jwks_uri": "/keys"}',
        b'{"issuer": "https://gitlab.test", "jwks_uri": "file:///etc/passwd"}',
        b'{"issuer": "https://gitlab.test", "jwks_uri": 7}',
        b'{"issuer": "https://gitlab.test", "jwks_uri": "http://["}',
        b'{"issuer": "http://gitlab.test:99999", "jwks_uri": "https://gitlab.test/keys"}',
    ],
)
async def test_a_discovery_that_says_nothing_useful(server: GitLab, upstream: HttpUpstream, said: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(said)

    server.play = play
    with pytest.raises(Unusable, match="openid-configuration"):
        await discovery.fetch(upstream, server.url)


async def test_a_bad_key_does_not_spoil_the_good_ones(server: GitLab, upstream: HttpUpstream) -> None:
    server.extra = [None, {"kty": "RSA"}, jwk("weak", gitlab.rsa_key("weak", 1024)), jwk("k1", gitlab.rsa_key("copy"))]
    found = await discovery.fetch(upstream, server.url)
    assert list(found.keys.keys) == ["k1", "e1"]
    assert found.keys.keys["k1"] == keys.from_rsa(gitlab.rsa_key().public_key(), "k1")
    assert len(found.keys.skipped) == 3
    assert "1024 bits" in found.keys.skipped[2]


async def test_a_set_without_end(server: GitLab, upstream: HttpUpstream) -> None:
    server.extra = [{"kid": str(number)} for number in range(keys.KEYS)]
    with pytest.raises(Unusable, match="at most 100"):
        await discovery.fetch(upstream, server.url)


# what is kept


async def test_keys_are_there_soon_after_the_start(server: GitLab, upstream: HttpUpstream) -> None:
    member = Issuer(server.url, upstream, CALM)
    assert member.state() == (server.url, "", (), None, "")
    async with following(member) as found:
        await eventually(lambda: found.current)
        assert known(found) == {server.url: ["k1", "e1"]}
        state = member.state()
        assert state[:3] == (server.url, server.url, ("k1", "e1"))
        assert state.age_s is not None
        assert state.age_s < 5
        assert found.trouble == state.problem == ""


@pytest.mark.parametrize("mood", BAD_MOODS)
async def test_what_worked_is_kept(server: GitLab, upstream: HttpUpstream, mood: str) -> None:
    async with following(Issuer(server.url, upstream, QUICK)) as found:
        await eventually(lambda: found.current)
        before = found.current
        server.mood = mood
        await eventually(lambda: found.members[0].problem)
        assert found.current is before
        assert "does not answer" in found.trouble
        server.mood = "well"
        await eventually(lambda: not found.members[0].problem)
        assert found.current is before


@pytest.mark.parametrize("mood", BAD_MOODS)
async def test_nothing_bad_is_kept(server: GitLab, upstream: HttpUpstream, mood: str) -> None:
    server.mood = mood
    async with following(Issuer(server.url, upstream, QUICK)) as found:
        await eventually(lambda: found.members[0].problem)
        assert not found.current
        assert found.trouble == "The keys of a token issuer could not be fetched; its tokens are refused."
        server.mood = "well"
        await eventually(lambda: found.current)
        assert not found.trouble


async def test_a_mistake_of_ours_does_not_end_the_fetching(
    server: GitLab, upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    real = issuers.fetch
    monkeypatch.setattr(issuers, "fetch", broken)
    async with following(Issuer(server.url, upstream, QUICK)) as found:
        await eventually(lambda: "unexpected" in found.members[0].problem)
        monkeypatch.setattr(issuers, "fetch", real)
        await eventually(lambda: found.current)


async def test_down_at_the_start_and_up_later(server: GitLab, upstream: HttpUpstream) -> None:
    await server.stop()
    async with following(Issuer(server.url, upstream, QUICK)) as found:
        await eventually(lambda: "refuses connections" in found.members[0].problem)
        await server.start()
        await eventually(lambda: found.current)


async def test_a_withdrawn_key_is_dead_after_the_next_refresh(server: GitLab, upstream: HttpUpstream) -> None:
    async with following(Issuer(server.url, upstream, QUICK)) as found:
        await eventually(lambda: found.current)
        server.keys = {"k2": gitlab.rsa_key("second")}
        await eventually(lambda: known(found) == {server.url: ["k2"]})


async def test_another_key_under_the_same_id_is_another_key(server: GitLab, upstream: HttpUpstream) -> None:
    async with following(Issuer(server.url, upstream, QUICK)) as found:
        await eventually(lambda: found.current)
        before = found.current
        server.keys = server.keys | {"k1": gitlab.rsa_key("second")}
        await eventually(lambda: found.current is not before)
        assert found.current[server.url]["k1"] == keys.from_rsa(gitlab.rsa_key("second").public_key(), "k1")


async def test_old_keys_are_given_up_in_the_end(server: GitLab, upstream: HttpUpstream) -> None:
    async with following(Issuer(server.url, upstream, QUICK._replace(stale_s=0.2))) as found:
        await eventually(lambda: found.current)
        server.mood = "failing"
        await eventually(lambda: found.members[0].problem)
        assert found.current
        await eventually(lambda: not found.current)
        server.mood = "well"
        await eventually(lambda: found.current)


async def test_of_two_that_claim_one_name_the_first_has_it(server: GitLab, upstream: HttpUpstream) -> None:
    async with GitLab(name=server.url).listening() as impostor:
        impostor.keys = {"theirs": gitlab.rsa_key("second")}
        members = (Issuer(server.url, upstream, QUICK), Issuer(impostor.url, upstream, QUICK))
        async with following(*members) as found:
            await eventually(lambda: all(member.published for member in members))
            assert known(found) == {server.url: ["k1", "e1"]}


# what requests cause


async def test_an_unknown_key_causes_one_fetch_in_a_while(server: GitLab, upstream: HttpUpstream) -> None:
    async with following(Issuer(server.url, upstream, CALM)) as found:
        await eventually(lambda: found.current)
        assert [found.missing(server.url) for _ in range(50)] == [[]] * 50
        assert server.fetches == 1
        found.members[0]._not_before = 0.0  # noqa: SLF001 (half a minute has passed)
        asked = [found.missing(server.url) for _ in range(50)]
        assert asked == [list(found.members)] * 50
        await asyncio.gather(*(each.arrival() for (each,) in asked))
        assert server.fetches == 2
        assert found.missing(server.url) == []


async def test_the_portal_is_asked_but_nobody_waits_for_it(server: GitLab, upstream: HttpUpstream) -> None:
    await server.stop()
    async with following(Issuer(server.url, upstream, CALM, awaited=False)) as found:
        await eventually(lambda: found.members[0].problem)
        found.members[0]._not_before = 0.0  # noqa: SLF001 (half a minute has passed)
        await server.start()
        assert found.missing(server.url) == []
        await eventually(lambda: found.current)


async def test_waiting_is_bounded(server: GitLab, upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "PATIENCE_S", 0.3)
    monkeypatch.setattr(issuers, "WAITING", 10)
    server.mood = "silent"
    async with following(Issuer(server.url, upstream, CALM)) as found:
        await server.next()
        started = time.perf_counter()
        waiting = [asyncio.create_task(found.missing("x")[0].arrival()) for _ in range(30)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert time.perf_counter() - started < 0.3
        assert sum(task.done() for task in waiting) == 20
        await asyncio.gather(*waiting)
        assert 0.25 < time.perf_counter() - started < 20
        assert len(server.heard) == 1


# through the gateway


async def asked(house: Any, token: str) -> tuple[int, Any]:
    answer = await house.ask("POST", PATH, BODY, gitlab.headers(), token)
    return answer.status, answer.json


async def test_a_gateway_that_starts_before_its_gitlab(server: GitLab) -> None:
    await server.stop()
    async with opened(gitlab_url=server.url) as house:
        await eventually(lambda: house.app.door.federation.issuers.members[0].problem)
        status, body = await asked(house, server.token())
        assert status == 401
        assert "The keys of its issuer could not be fetched yet." in body["error"]
        (cause,) = [line for line in house.logs.lines if line["message"] == "keys of a token issuer not fetched"]
        assert cause["level"] == "warning"
        assert f"{server.url}/.well-known/openid-configuration refuses connections" in cause["reason"]
        assert (await house.record())["error_code"] == "not_authenticated"
        await server.start()
        await eventually(lambda: house.app.door.federation.issuers.current)
        assert (await asked(house, server.token()))[0] == 200
        assert (await asked(house, server.token("e1")))[0] == 200


async def test_the_first_request_waits_for_the_keys(server: GitLab) -> None:
    """A gateway that was just started, and a GitLab that takes a moment."""
    gate = asyncio.Event()

    async def play(peer: Peer) -> None:
        await gate.wait()
        await server.behave(peer)

    server.play = play
    async with opened(gitlab_url=server.url) as house:
        first = asyncio.create_task(asked(house, server.token()))
        await server.next()
        await eventually(lambda: house.app.door.federation.issuers.members[0]._waiting)  # noqa: SLF001 (who waits)
        gate.set()
        assert (await first)[0] == 200


async def test_a_rotation_without_overlap(server: GitLab) -> None:
    async with opened(gitlab_url=server.url) as house:
        member = house.app.door.federation.issuers.members[0]
        await eventually(lambda: member.published)
        before = server.token()
        assert (await asked(house, before))[0] == 200
        server.keys = {"k2": gitlab.rsa_key("second")}
        assert (await asked(house, server.token("k2")))[0] == 401
        assert (await asked(house, before))[0] == 200
        member._not_before = 0.0  # noqa: SLF001 (half a minute has passed)
        assert (await asked(house, server.token("k2")))[0] == 200
        assert (await asked(house, before))[0] == 401
        assert server.fetches == 2


async def test_a_flood_of_unknown_keys(server: GitLab) -> None:
    async with opened(gitlab_url=server.url) as house:
        await eventually(lambda: house.app.door.federation.issuers.current)
        house.app.door.federation.issuers.members[0]._not_before = 0.0  # noqa: SLF001 (half a minute has passed)
        server.keys = {f"x{number}": gitlab.rsa_key() for number in range(60)}
        flood = [server.token(kid) for kid in server.keys]
        server.keys = {"k1": gitlab.rsa_key()}
        answers = await asyncio.gather(*(asked(house, token) for token in flood))
        assert {status for status, _body in answers} == {401}
        assert server.fetches == 2
        assert (await asked(house, server.token()))[0] == 200


async def test_an_issuer_that_hangs_does_not_hold_up_who_is_known(server: GitLab) -> None:
    async with opened(gitlab_url=server.url) as house:
        member = house.app.door.federation.issuers.members[0]
        await eventually(lambda: member.published)
        token = server.token()
        server.mood = "silent"
        member._not_before = 0.0  # noqa: SLF001 (half a minute has passed)
        member.ask()
        await server.next(3)
        started = time.perf_counter()
        assert (await asked(house, token))[0] == 200
        assert time.perf_counter() - started < issuers.PATIENCE_S / 2


async def test_a_portal_that_is_away_holds_up_nobody(server: GitLab) -> None:
    async with GitLab().listening() as portal:
        portal.mood = "silent"
        async with opened(gitlab_url=server.url, customer_portal_url=portal.url) as house:
            await eventually(lambda: house.app.door.federation.issuers.current)
            await portal.next()
            started = time.perf_counter()
            assert (await asked(house, server.token()))[0] == 200
            assert (await asked(house, portal.token()))[0] == 401
            assert time.perf_counter() - started < issuers.PATIENCE_S / 2


async def test_a_portal_at_gitlabs_own_address_is_asked_once(server: GitLab) -> None:
    async with opened(gitlab_url=server.url, customer_portal_url=server.url + "/") as house:
        await eventually(lambda: house.app.door.federation.issuers.current)
        assert [member.url for member in house.app.door.federation.issuers.members] == [server.url]
        assert server.fetches == 1


async def ready(house: House) -> tuple[int, str]:
    """What readiness says: its status and its word."""
    answer = await house.get("/monitoring/ready", token="")
    return answer.status, answer.json["status"]


async def test_who_can_let_nobody_in_is_not_ready(server: GitLab) -> None:
    server.mood = "failing"
    async with opened(gitlab_url=server.url) as house:
        member = house.app.door.federation.issuers.members[0]
        await eventually(lambda: member.problem)
        assert await ready(house) == (200, "ok")  # it has a token of its own
        house.snapshot = replace(house.snapshot, tokens={})
        assert await ready(house) == (503, "unavailable")
        house.admit(revoked=datetime.now(UTC))
        assert await ready(house) == (503, "unavailable")
        server.mood = "well"
        await eventually(lambda: member.published)
        assert await ready(house) == (200, "ok")
        assert (await asked(house, server.token()))[0] == 200


async def test_stale_keys_keep_it_ready_as_long_as_they_serve(server: GitLab) -> None:
    async with opened(gitlab_url=server.url) as house:
        member = house.app.door.federation.issuers.members[0]
        await eventually(lambda: member.published)
        house.snapshot = replace(house.snapshot, tokens={})
        await server.stop()
        member._not_before = 0.0  # noqa: SLF001 (half a minute has passed)
        member.ask()
        await eventually(lambda: member.problem)
        assert await ready(house) == (200, "ok")
        assert (await asked(house, server.token()))[0] == 200
        member._fetched -= 90_000  # noqa: SLF001 (more than a day has passed)
        await eventually(lambda: not member.published)
        assert await ready(house) == (503, "unavailable")
        assert (await asked(house, server.token()))[0] == 401


async def test_another_issuer_is_enough_to_be_ready(server: GitLab) -> None:
    async with GitLab().listening() as portal:
        server.mood = "failing"
        async with opened(gitlab_url=server.url, customer_portal_url=portal.url) as house:
            house.snapshot = replace(house.snapshot, tokens={})
            await eventually(lambda: house.app.door.federation.issuers.current)
            assert await ready(house) == (200, "ok")


@pytest.mark.parametrize("switch", ["auth_bypass", "auth_bypass_with_header", "auth_bypass_signature"])
async def test_who_lets_everybody_in_is_ready(server: GitLab, switch: str) -> None:
    server.mood = "failing"
    async with opened(gitlab_url=server.url, **{switch: True}) as house:
        house.snapshot = replace(house.snapshot, tokens={})
        await eventually(lambda: house.app.door.federation.issuers.members[0].problem)
        assert await ready(house) == (200, "ok")


async def test_metrics_tell_how_fresh_the_keys_are(server: GitLab) -> None:
    async with GitLab().listening() as portal:
        portal.mood = "failing"
        async with opened(gitlab_url=server.url, customer_portal_url=portal.url) as house:
            federation = house.app.door.federation
            await eventually(lambda: federation.issuers.current and federation.issuers.members[1].problem)
            federation.issuers.members[0]._fetched -= 5_000  # noqa: SLF001 (so much time has passed)
            app._watch(house.metrics, federation)  # noqa: SLF001 (as serve() does)
            shown = generate_latest(house.metrics.registry).decode().splitlines()
            assert "homeport_token_issuers_without_keys 1.0" in shown
            (age,) = [line for line in shown if line.startswith("homeport_token_keys_age_seconds ")]
            assert 5_000 <= float(age.split()[1]) < 5_100


async def test_an_installation_below_a_path() -> None:
    async with GitLab("/gitlab").listening() as server, opened(gitlab_url=server.url + "/") as house:
        await eventually(lambda: house.app.door.federation.issuers.current)
        assert (await asked(house, server.token()))[0] == 200


async def test_a_gitlab_that_is_reached_under_another_name() -> None:
    async with GitLab(name="https://gitlab.test").listening() as server, opened(gitlab_url=server.url) as house:
        await eventually(lambda: house.app.door.federation.issuers.current)
        assert (await asked(house, server.token()))[0] == 200
        assert (await asked(house, server.token(iss=server.url)))[0] == 401
