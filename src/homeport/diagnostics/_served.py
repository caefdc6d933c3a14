"""What a server serves, asked at an address that may lack its `/v1`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.errors import UpstreamRefused
from homeport.domain.models import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.domain.errors import UpstreamError
    from homeport.domain.models import Model
    from homeport.kit.upstream import Upstream
    from homeport.providers import Provider

KEY_REFUSED = {401, 403}
NO_SUCH_PATH = {404, 405, 501}
PATIENCE = Limits(first_token_s=10.0, total_s=20.0)


class Served(NamedTuple):
    """Where a server answers, and the names that it serves."""

    endpoint: str
    names: Sequence[str]


async def served(upstream: Upstream, offer: Provider, model: Model, *, versioned: bool) -> Served:
    """What is served at the model's endpoint, or where `versioned` below it at `/v1`; raises UpstreamError."""
    url = model.endpoint.rstrip("/")
    patient = replace(model, endpoint=url, limits=PATIENCE)
    try:
        return Served(url, await offer.served(upstream, patient))
    except UpstreamRefused as error:
        if error.upstream_status not in NO_SUCH_PATH or not versioned or url.endswith("/v1"):
            raise
        below = f"{url}/v1"
        return Served(below, await offer.served(upstream, replace(patient, endpoint=below)))


def wants_a_key(error: UpstreamError) -> bool:
    """Whether the server did not accept the key, or the lack of one."""
    return isinstance(error, UpstreamRefused) and error.upstream_status in KEY_REFUSED


def of_the_server(model: Model, error: UpstreamError) -> str:
    """What went wrong, said of a server whose model is not registered yet."""
    server = f"The server at {model.endpoint}" if model.endpoint else model.name
    return error.saw.replace(f"The model {model.name!r}", server)
