"""The facts of a set-up for one user, the same that GitLab's verify task gathers, and more.

Source: instance and editors, "Verification task".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from homeport.cli._bundle import versions
from homeport.cli._doctor import MARKS, scene_of
from homeport.cli._session import opened
from homeport.diagnostics import feature_answers, model_reachable, model_served, server
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.errors import HomeportError, Unknown
from homeport.features._ask import setting_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from homeport.diagnostics import Finding
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model, Snapshot, Token
    from homeport.kit.settings import Settings
    from homeport.store.records import User

Facts = dict[str, Any]


async def verified(settings: Settings, name: str | None) -> Facts:
    """Every fact; raises Unknown for a user that there is not."""
    async with opened(settings) as store:
        users, snapshot = await store.users(), await store.snapshot()
    user = _user(users, name)
    async with scene_of(settings, remembered=snapshot) as scene:
        health = await _asked(server.look(scene))
        scene.passed |= {"server"} if health["status"] != "fail" else set()
        models = await asyncio.gather(*(_model(scene, each) for each in snapshot.models.values()))
        flow = await _asked(feature_answers.look(scene)) if "server" in scene.passed else _skipped("no server answers")
        licence = _licence(scene, snapshot, user)
        url = scene.door.url
    facts = {
        "system": versions(),
        "ai_gateway_url": {"url": url, "status": "ok" if urlsplit(url).hostname else "fail"},
        "license": licence,
        "ai_gateway_health": health,
        "self_hosted_models": list(models),
        "feature_settings": _features(snapshot),
        "request_flow": flow,
    }
    return {"ok": "fail" not in set(_statuses(facts)), "user": user.name, **facts}


def _user(users: Sequence[User], name: str | None) -> User:
    wanted = name or next((each.name for each in users if each.role == "admin"), "")
    found = next((each for each in users if each.name == wanted), None)
    if found is None:
        known = ", ".join(each.name for each in users[:20]) or "none yet"
        raise Unknown(f"There is no user named {wanted[:100]!r}.", f"Known: {known}.")
    return found


async def _asked(look: Any) -> Facts:  # noqa: ANN401 (an awaitable finding)
    try:
        return _plain(await look)
    except HomeportError as error:
        return {"status": "fail", "saw": error.saw, "fix": error.fix}


def _plain(found: Finding) -> Facts:
    return {"status": found.status, "saw": found.saw, "fix": found.fix}


def _skipped(why: str) -> Facts:
    return {"status": "skip", "saw": f"Not tried: {why}.", "fix": ""}


async def _model(scene: Scene, model: Model) -> Facts:
    """How it is registered, and whether its server lets us in and serves it."""
    facts = {
        "name": model.name,
        "identifier": model.identifier,
        "release": scene.families[model.family].release if model.family in scene.families else "unknown",
        "api_token": "Configured" if model.key else "Missing",
        "enabled": model.enabled,
    }
    if model.platform == EMBEDDED:
        return {**facts, **_skipped("it runs inside the server")}
    found = await _asked(model_reachable.ask(scene, model))
    if found["status"] == "ok":
        found = await _asked(model_served.ask(scene, model))
    if found["status"] == "fail":
        scene.blamed.add(model.name)
        if not model.enabled:
            found["status"] = "warn"
    return {**facts, **found}


def _licence(scene: Scene, snapshot: Snapshot, user: User) -> Facts:
    """What the user's tokens may: scopes are what a licence and a seat give."""
    now = datetime.now(UTC)
    tokens = [each for each in snapshot.tokens.values() if each.owner == user.name and not _ended(each, now)]
    scopes = frozenset[str]().union(*(each.scopes for each in tokens))
    served = [key for key in scene.features if _served(scene, snapshot, key)]
    access = {key: scene.features[key].scope in scopes for key in served if scene.features[key].listed}
    facts: Facts = {"role": user.role, "tokens": len(tokens), "features": access}
    if user.disabled:
        return {
            **facts,
            "status": "fail",
            "saw": f"{user.name} is disabled.",
            "fix": "Reopen the account in the console.",
        }
    if not any(access.values()):
        fix = f"Run: homeport tokens create --name NAME --user {user.name}" if not tokens else "Give it the scopes."
        return {**facts, "status": "warn", "saw": f"{user.name} has no token that opens a feature.", "fix": fix}
    return {**facts, "status": "ok", "saw": f"{user.name} may use {sum(access.values())} features.", "fix": ""}


def _ended(token: Token, now: datetime) -> bool:
    return token.expires is not None and token.expires.replace(tzinfo=token.expires.tzinfo or UTC) <= now


def _served(scene: Scene, snapshot: Snapshot, key: str) -> bool:
    setting = setting_of(scene.features, snapshot, key)
    return setting is not None and setting.assignment == "model"


def _features(snapshot: Snapshot) -> Facts:
    counted = Counter(each.model for each in snapshot.features.values() if each.assignment == "model")
    if not counted:
        fix = "Run: homeport features set code_completions MODEL"
        return {"status": "warn", "saw": "No feature has a model.", "fix": fix, "models": {}}
    told = ", ".join(f"{model}: {count}" for model, count in counted.items())
    return {"status": "ok", "saw": f"Features by model: {told}.", "fix": "", "models": dict(counted)}


def _statuses(facts: Mapping[str, Any]) -> Iterator[str]:
    for value in facts.values():
        for each in value if isinstance(value, list) else [value]:
            yield each.get("status", "ok")


_KEY = {"Configured": "key configured", "Missing": "no key"}


def told(facts: Facts) -> str:
    """The same for people."""
    lines = [f"Homeport {facts['system']['homeport']}, for {facts['user']}", ""]
    url = facts["ai_gateway_url"]
    lines += _lines("Address", [{**url, "saw": url["url"], "fix": ""}])
    lines += _lines("Access", [facts["license"]])
    lines += [f"    {'✔' if may else '✗'} {key}" for key, may in facts["license"]["features"].items()]
    lines += _lines("Health", [facts["ai_gateway_health"]])
    models = [
        {**each, "saw": f"{each['name']} ({each['release']}, {_KEY[each['api_token']]}): {each['saw']}"}
        for each in facts["self_hosted_models"]
    ]
    none = [{"status": "warn", "saw": "No model is registered.", "fix": "Run: homeport models add NAME"}]
    lines += _lines("Models", models or none)
    lines += _lines("Features", [facts["feature_settings"]])
    lines += _lines("Round trip", [facts["request_flow"]])
    return "\n".join(lines)


def _lines(title: str, found: Iterable[Facts]) -> Iterator[str]:
    for each in found:
        mark, colour = MARKS[each["status"]]
        first, *more = each["saw"].splitlines() or [""]
        yield f"{click.style(mark, fg=colour, bold=True)} {title:<11} {first}"
        yield from (f"  {'':<11} {line}" for line in more)
        if each["fix"]:
            yield f"  {'':<11} → {each['fix']}"
        title = ""
