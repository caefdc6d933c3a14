"""What an administrator switches while it runs, and the configuration as a file, for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import Field

from homeport.domain.errors import NotAllowed
from homeport.domain.verbose import LONGEST_S, SETTING, until_after, until_of
from homeport.families import BETA
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._admin import ADMIN, Strict, by, reply, store_of
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.domain.models import Snapshot
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

VERBOSE, FAMILIES = "/api/admin/v1/verbose-logging", "/api/admin/v1/beta-families"
CONFIGURATION = "/api/admin/v1/configuration"


class ForHowLong(Strict):
    """How long prompts and answers are written down."""

    minutes: int = Field(60, ge=1, le=LONGEST_S // 60)


class Decision(Strict):
    """Whether new models may be of a family that is beta or experimental."""

    allowed: bool


def _verbose(snapshot: Snapshot) -> Reply:
    until = until_of(snapshot)
    return reply({"on": bool(until), "until": datetime.fromtimestamp(until, UTC).isoformat() if until else None})


async def verbose(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Whether prompts and answers are written down now, and until when."""
    return _verbose(await store_of(door).snapshot())


async def begin(door: Door, body: ForHowLong, arrival: Arrival) -> Reply:
    """Write down what is asked and answered for a while; it ends by itself."""
    store = store_of(door)
    if not door.may_be_verbose:
        raise NotAllowed("Content is never logged here.", "HOMEPORT_LOG_CONTENT says so; ask who runs Homeport.")
    await store.set_setting(SETTING, until_after(body.minutes), by=by(arrival))
    return _verbose(await store.snapshot())


async def end(door: Door, _body: None, arrival: Arrival) -> Reply:
    """End it at once."""
    store = store_of(door)
    await store.set_setting(SETTING, None, by=by(arrival))
    return _verbose(await store.snapshot())


async def families(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Whether families that are beta or experimental may be used, and the release state of each."""
    states = {key: each.release for key, each in door.bench.families.items()}
    allowed = (await store_of(door).settings()).get(BETA) == "on"
    return reply({"allowed": allowed, "families": states})


async def decide(door: Door, body: Decision, arrival: Arrival) -> Reply:
    """Allow or forbid them in the console's forms."""
    await store_of(door).set_setting(BETA, "on" if body.allowed else None, by=by(arrival))
    return await families(door, None, arrival)


async def configuration(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Models, features and settings as TOML, as `homeport config export` writes them; without keys."""
    store = store_of(door)
    from homeport.store import config_file  # noqa: PLC0415 (the gateway role never loads what knows SQL)

    return Reply(config_file.write(await store.snapshot()).encode(), content_type=b"application/toml; charset=utf-8")


PROTOCOL = WireProtocol(
    label="Administration: settings",
    error=error,
    routes=(
        Act(paths=(VERBOSE,), need=ADMIN, act=verbose, method="GET", summary="Is verbose logging on?"),
        Act(
            paths=(VERBOSE,),
            need=ADMIN,
            act=begin,
            method="PUT",
            body=ForHowLong,
            summary="Switch verbose logging on for a while.",
            example={"minutes": 60},
        ),
        Act(paths=(VERBOSE,), need=ADMIN, act=end, method="DELETE", summary="Switch verbose logging off."),
        Act(paths=(FAMILIES,), need=ADMIN, act=families, method="GET", summary="Release states of the families."),
        Act(
            paths=(FAMILIES,),
            need=ADMIN,
            act=decide,
            method="PUT",
            body=Decision,
            summary="Allow or forbid beta and experimental families.",
            example={"allowed": True},
        ),
        Act(paths=(CONFIGURATION,), need=ADMIN, act=configuration, method="GET", summary="Export the configuration."),
    ),
)
