"""What can be wrong with a gateway that only takes tokens of GitLab, and with those tokens."""

from __future__ import annotations

import time
from dataclasses import replace

from broken import Breaking, Site, broken
from house import eventually, opened
from issuer import rsa_key


@broken("token_accepted", where="gateway", saw="ended 10 minutes ago", fix="Set HOMEPORT_TOKEN to a fresh one")
async def an_expired_token(site: Site) -> Breaking:
    """The token has expired."""
    site.environment["HOMEPORT_TOKEN"] = site.issuer.token(exp=int(time.time()) - 600)
    yield
    del site.environment["HOMEPORT_TOKEN"]


@broken("token_accepted", where="gateway", saw="is not valid for another", fix="Set this machine's clock, or GitLab's")
async def a_token_of_the_future(site: Site) -> Breaking:
    """GitLab's clock is ahead: its tokens are not valid yet."""
    later = int(time.time()) + 900
    site.environment["HOMEPORT_TOKEN"] = site.issuer.token(nbf=later, iat=later, exp=later + 3600)
    yield
    del site.environment["HOMEPORT_TOKEN"]


@broken("token_accepted", where="gateway", saw="is made for another-service", fix="AIGW_CLOUD_CONNECTOR_SERVICE_NAME")
async def a_wrong_audience(site: Site) -> Breaking:
    """The token is made for another service."""
    site.environment["HOMEPORT_TOKEN"] = site.issuer.token(aud="another-service")
    yield
    del site.environment["HOMEPORT_TOKEN"]


@broken("token_accepted", where="gateway", saw="not one of those that its issuer publishes", fix="a fresh one")
async def rotated_keys(site: Site) -> Breaking:
    """GitLab has rotated its keys, and the token is signed with an old one."""
    site.issuer.keys["old"] = rsa_key("old")
    token = site.issuer.token("old")
    del site.issuer.keys["old"]
    site.environment["HOMEPORT_TOKEN"] = token
    yield
    del site.environment["HOMEPORT_TOKEN"]


@broken("token_accepted", where="gateway", saw="issuer is not one that this gateway accepts", fix="AIGW_GITLAB_URL")
async def another_gitlabs_token(site: Site) -> Breaking:
    """The token is another GitLab's."""
    site.environment["HOMEPORT_TOKEN"] = site.issuer.token(iss="https://gitlab.example")
    yield
    del site.environment["HOMEPORT_TOKEN"]


@broken("licence", where="gateway", saw="gave its user no seat", fix="Assign the user a seat in GitLab")
async def no_seat(site: Site) -> Breaking:
    """The user has no seat: the token carries no scope."""
    site.environment["HOMEPORT_TOKEN"] = site.issuer.token(scopes=[])
    yield
    del site.environment["HOMEPORT_TOKEN"]


@broken("licence", where="gateway", saw="lacks the scope duo_chat", fix="Switch the feature on in GitLab")
async def a_feature_without_licence(site: Site) -> Breaking:
    """The subscription does not cover chat."""
    site.environment["HOMEPORT_TOKEN"] = site.issuer.token(scopes=["complete_code", "generate_code"])
    yield
    del site.environment["HOMEPORT_TOKEN"]


@broken("issuers", where="gateway", saw="the last fetch failed", fix="AIGW_GITLAB_URL")
async def an_issuer_that_fails(site: Site) -> Breaking:
    """GitLab's keys cannot be fetched any more: those that are known serve for a day."""
    federation = site.house.app.door.federation
    assert federation is not None
    member = federation.issuers.members[0]
    site.issuer.mood = "failing"
    member._not_before = 0.0  # noqa: SLF001 (as if long after the last try)
    member.ask()
    await eventually(lambda: member.problem)
    yield
    site.issuer.mood = "well"
    member._not_before = 0.0  # noqa: SLF001 (see above)
    member.ask()
    await eventually(lambda: not member.problem)


@broken("issuers", where="gateway", saw="No keys of http://127.0.0.1:", fix="AIGW_GITLAB_URL must be the URL")
async def an_issuer_that_never_answered(site: Site) -> Breaking:
    """GitLab's keys could never be fetched: nobody is let in."""
    site.issuer.mood = "failing"
    site.house = house = await site.stack.enter_async_context(opened(gitlab_url=site.issuer.url))
    house.snapshot = replace(house.snapshot, tokens={})
    assert house.app.door.federation is not None
    member = house.app.door.federation.issuers.members[0]
    await eventually(lambda: member.problem)
    yield
    site.issuer.mood = "well"
    member._not_before = 0.0  # noqa: SLF001 (see above)
    member.ask()
    await eventually(lambda: member.published)


@broken("server", where="gateway", saw="Nothing answers at", fix="Start it with `homeport gateway`")
async def a_wrong_address_of_the_gateway(site: Site) -> Breaking:
    """The gateway's address is wrong, or it does not run."""
    site.environment["GATEWAY"] = "http://127.0.0.1:9"
    yield
    del site.environment["GATEWAY"]
