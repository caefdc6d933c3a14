"""GitLab's AI Gateway: what only GitLab's own cloud has. Each answers 404 and says why nothing is missing.

Source: gateway protocol, "Vendor proxies", "Embeddings", "Amazon Q" and `POST /v1/x-ray/libraries`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn

from homeport.access import KNOWN
from homeport.domain.errors import Unknown
from homeport.protocols import Act, WireProtocol
from homeport.protocols._gitlab import error

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

_PROXY = (
    "passing requests on to {vendor}'s own service is a feature of GitLab's cloud, which self-hosted models do not "
    "use: their features go through the code, chat and prompt endpoints."
)
ABSENT = {
    "/v1/proxy/anthropic/{path}": _PROXY.format(vendor="Anthropic"),
    "/v1/proxy/vertex-ai/{path}": _PROXY.format(vendor="Google"),
    "/v1/proxy/openai/{path}": _PROXY.format(vendor="OpenAI"),
    "/v1/x-ray/libraries": (
        "Repository X-Ray through the gateway is a feature of GitLab's cloud that later versions removed; code "
        "generation takes the libraries that GitLab found itself."
    ),
    "/v1/amazon_q/{path}": (
        "Amazon Q is a feature of GitLab's cloud with Amazon's models; with self-hosted models the features of "
        "GitLab Duo take its place."
    ),
    "/v1/embeddings/{path}": (
        "embeddings for semantic code search are a feature of GitLab's cloud (19.x); code suggestions and chat do "
        "not need them."
    ),
}
"""By path: why it is not here, and why that does no harm."""


async def absent(why: str, _door: Door, _body: None, _arrival: Arrival) -> NoReturn:
    """Raise Unknown."""
    raise Unknown(f"This endpoint is not offered: {why}", param="path")


PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: what only the cloud has",
    error=error,
    process_time=True,
    routes=tuple(
        Act(paths=(path,), need=KNOWN, act=partial(absent, why), summary="Not offered: a feature of GitLab's cloud.")
        for path, why in ABSENT.items()
    ),
)
