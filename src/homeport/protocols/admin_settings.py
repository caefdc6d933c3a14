"""What an administrator changes while it runs, and the configuration as a file, for programs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from homeport.diagnostics._change import checked
from homeport.domain.errors import NotAllowed
from homeport.domain.verbose import LONGEST_S, SETTING, until_after, until_of
from homeport.families import BETA
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._admin import ADMIN, Strict, by, reply, store_of
from homeport.protocols._openai import error
from homeport.store import live

if TYPE_CHECKING:
    from homeport.domain.models import Snapshot
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

VERBOSE, FAMILIES = "/api/admin/v1/verbose-logging", "/api/admin/v1/beta-families"
CONFIGURATION = "/api/admin/v1/configuration"
SETTINGS = "/api/admin/v1/settings"


class ForHowLong(Strict):
    """How long prompts and answers are written down."""

    minutes: int = Field(60, ge=1, le=LONGEST_S // 60)


class Decision(Strict):
    """Whether new models may be of a family that is beta or experimental."""

    allowed: bool


class Said(Strict):
    """What is said of settings besides their values."""

    seen: str = Field("", description="The `version` that was read: refused with 409 if it is not the latest one.")
    sure: bool = Field(False, description="True makes a change that is refused with 409 (`unconfirmed`) otherwise.")  # noqa: FBT003 (a default)


if TYPE_CHECKING:
    Changes = Said
else:
    _values = {name: (each.kind | None, Field(None, description=each.what)) for name, each in live.LIVE.items()}
    Changes = create_model("Changes", __base__=Said, __doc__="What is left out stays; null is the default.", **_values)


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


async def show(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """Settings that can be changed while it runs: what counts, where that came from, and what may be written."""
    settings, stored = door.prober.settings, await store_of(door).settings()
    known = {each.name: each for each in live.placed(settings, stored, os.environ)}
    shown: dict[str, Any] = {
        name: {
            "value": known[name].value,
            "default": live.default(settings, name),
            "from": known[name].place,
            "fixed": live.fixed(settings, name),
            "group": each.group,
            "about": each.what,
            "may_be": each.may,
        }
        for name, each in live.LIVE.items()
    }
    return reply({"settings": shown, "version": live.version(stored)})


async def change(door: Door, body: Said, arrival: Arrival) -> Reply:
    """Change some of them, for all processes at once; raises BadRequest, Unconfirmed or Outdated."""
    said = body.model_dump(exclude_unset=True, exclude={"seen", "sure"})
    wanted = {name: "" if value is None else live.text_of(value) for name, value in said.items()}
    store = store_of(door)
    stored = await checked(door.prober.settings, await store.snapshot(), wanted, sure=body.sure)
    await store.set_settings(stored, check=live.as_seen(body.seen), by=by(arrival))
    return await show(door, None, arrival)


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
        Act(paths=(SETTINGS,), need=ADMIN, act=show, method="GET", summary="Settings that can be changed."),
        Act(
            paths=(SETTINGS,),
            need=ADMIN,
            act=change,
            method="PATCH",
            body=Changes,
            summary="Change settings while it runs.",
            example={"usage_days": 90, "allowed_networks": ["10.0.0.0/8"], "sure": True},
        ),
        Act(paths=(CONFIGURATION,), need=ADMIN, act=configuration, method="GET", summary="Export the configuration."),
    ),
)
