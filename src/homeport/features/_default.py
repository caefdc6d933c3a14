"""The model that an operator's settings name, for requests that name none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.domain.errors import BadConfiguration
from homeport.domain.models import Model, Secret
from homeport.features._carried import limits_of, split, usable
from homeport.features._engine_limits import limited
from homeport.kit.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from homeport.kit.settings import Settings

IDENTIFIER, ENDPOINT = "HOMEPORT_DEFAULT_IDENTIFIER", "HOMEPORT_DEFAULT_ENDPOINT"


def default_model(
    settings: Settings, platforms: Mapping[str, str], without_endpoint: Collection[str] = ()
) -> Model | None:
    """The model, reached as one in GitLab's own settings is (AI Gateway protocol, section 13.3), or None.

    `platforms` maps identifier prefixes; `without_endpoint` are those that know their own address.
    Raises BadConfiguration for a platform that we do not serve and for an endpoint that is missing or is no URL.
    """
    identifier, endpoint = settings.default_identifier.strip(), settings.default_endpoint.strip().removesuffix("/")
    if not identifier and not endpoint:
        return None
    if not identifier:
        saw = f"{ENDPOINT} is set and {IDENTIFIER} is not."
        raise BadConfiguration(
            saw, "Give the name that the server knows the model by, as `curl ENDPOINT/models` lists it."
        )
    platform, served = split(identifier, platforms)
    if platform not in platforms.values():
        known = ", ".join(f"{prefix}/" for prefix in platforms)
        saw = f"{IDENTIFIER} names the platform {platform!r}, which Homeport does not serve."
        raise BadConfiguration(saw, f"It may begin with one of {known}, or with none of them.")
    if not usable(endpoint) and (endpoint or platform not in without_endpoint):
        saw = f"{ENDPOINT} is not an http(s) URL." if endpoint else f"{IDENTIFIER} is set and {ENDPOINT} is not."
        raise BadConfiguration(saw, "Give the address of the model server, such as http://vllm.internal:8000/v1.")
    return Model(
        name=DEFAULT_MODEL,
        platform=platform,
        family=settings.default_family,
        endpoint=endpoint,
        identifier=served,
        key=Secret(settings.default_api_key.get_secret_value()),
        limits=limited(
            limits_of(settings.model_timeout),
            settings.model_engine_limits,
            platform,
            (identifier, served, settings.default_family),
        ),
        registered=False,
    )
