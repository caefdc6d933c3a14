"""Whatever a form of the console does, a program does by the API and somebody at a terminal by a command."""

from __future__ import annotations

from typing import NamedTuple

import click
import pytest

from homeport import console, protocols
from homeport.cli import main
from homeport.console import Page
from homeport.kit.discover import discover
from homeport.protocols import WireProtocol, method_of

BASE = "/api/admin/v1"


class Ways(NamedTuple):
    """How else it is done: an endpoint and a command; or why only a browser has a use for it."""

    endpoint: str = ""
    command: str = ""
    only_here: str = ""


SESSION = Ways(only_here="it begins or ends the session of this browser")
MODEL = f"{BASE}/models/{{name}}"
USER, TEAM = f"{BASE}/users/{{name}}", f"{BASE}/teams/{{name}}"
WAYS = {
    "account.password": Ways(f"PUT {BASE}/passwords/{{name}}", "users password"),
    "account.end": SESSION,
    "account.language": Ways(only_here="it is the language of these pages, which nothing else speaks"),
    "account.leave": Ways(f"DELETE {BASE}/sessions/{{name}}", "users leave"),
    "feature.save": Ways(f"PUT {BASE}/features/{{feature}}", "features set"),
    "features.serve": Ways(f"PUT {BASE}/features/{{feature}}", "features set"),
    "features.section": Ways(f"PUT {BASE}/sections/{{section}}", "features apply"),
    "features.undo": Ways(f"DELETE {BASE}/feature-changes/{{id}}", "features undo"),
    "health.examine": Ways(f"POST {BASE}/health", "doctor"),
    "invitations.add": Ways(f"POST {BASE}/invitations", "users invite"),
    "invitations.revoke": Ways(f"DELETE {BASE}/invitations/{{id}}", "users uninvite"),
    "join.join": SESSION,
    "model.save": Ways(f"PATCH {MODEL}", "models edit"),
    "model.detect": Ways(f"POST {BASE}/detections", "models detect"),
    "model.test": Ways(f"POST {BASE}/model-tests/{{name}}", "models test"),
    "model.measure": Ways(f"POST {BASE}/model-measurements/{{name}}", "models detect"),
    "model.mend": Ways(f"PATCH {MODEL}", "models edit"),
    "model.switch": Ways(f"PATCH {MODEL}", "models disable"),
    "model.delete": Ways(f"POST {BASE}/model-replacements/{{name}}", "models remove"),
    "models.enable": Ways(f"PATCH {MODEL}", "models enable"),
    "models.restore": Ways(f"DELETE {BASE}/deleted-models/{{name}}", "models restore"),
    "models.disable": Ways(f"PATCH {MODEL}", "models disable"),
    "new_model.save": Ways(f"POST {BASE}/models", "models add"),
    "new_model.detect": Ways(f"POST {BASE}/detections", "models detect"),
    "new_model.test": Ways(f"POST {BASE}/model-tests", "models test"),
    "people.add": Ways(f"POST {BASE}/users", "users add"),
    "people.role": Ways(f"PATCH {USER}", "users add"),
    "people.about": Ways(f"PATCH {USER}", "users about"),
    "people.seats": Ways(f"PUT {BASE}/seats", "users seats"),
    "people.disable": Ways(f"PATCH {USER}", "users disable"),
    "people.enable": Ways(f"PATCH {USER}", "users enable"),
    "people.delete": Ways(f"DELETE {USER}", "users delete"),
    "people.restore": Ways(f"DELETE {BASE}/deleted-users/{{name}}", "users restore"),
    "people.leave": Ways(f"DELETE {BASE}/sessions/{{name}}", "users leave"),
    "people.link": Ways(f"POST {BASE}/sign-in-links", "users code"),
    "playground.ask": Ways("POST /v1/chat/completions", "chat"),
    "playground.stream": Ways("POST /v1/completions", "complete"),
    "playground.clear": Ways(only_here="it forgets what this tab of a browser keeps"),
    "request.replay": Ways(f"POST {BASE}/replays/{{id}}", "replay"),
    "settings.rotate": Ways(f"POST {BASE}/keys/rotate", "db rotate-keys"),
    "settings.change": Ways(f"PATCH {BASE}/settings", "config set"),
    "settings.beta": Ways(f"PUT {BASE}/beta-families", "models beta"),
    "sign_in.password": SESSION,
    "sign_in.code": SESSION,
    "sign_in.leave": SESSION,
    "single_sign_on.save": Ways(f"PATCH {BASE}/sso", "sso set"),
    "single_sign_on.check": Ways(f"POST {BASE}/sso-checks", "sso check"),
    "sso.connect": Ways(f"PUT {BASE}/sso-identities/{{name}}", "sso link"),
    "sso.disconnect": Ways(f"DELETE {BASE}/sso-identities/{{name}}", "sso unlink"),
    "teams.add": Ways(f"POST {BASE}/teams", "teams add"),
    "teams.rename": Ways(f"PATCH {TEAM}", "teams rename"),
    "teams.join": Ways(f"PATCH {TEAM}", "teams join"),
    "teams.leave": Ways(f"PATCH {TEAM}", "teams leave"),
    "teams.remove": Ways(f"DELETE {TEAM}", "teams delete"),
    "teams.restore": Ways(f"DELETE {BASE}/deleted-teams/{{name}}", "teams restore"),
    "tokens.add": Ways(f"POST {BASE}/tokens", "tokens create"),
    "tokens.revoke": Ways(f"DELETE {BASE}/tokens/{{name}}", "tokens revoke"),
    "verbose.on": Ways(f"PUT {BASE}/verbose-logging", "verbose on"),
    "verbose.off": Ways(f"DELETE {BASE}/verbose-logging", "verbose off"),
}
"""By page and act. A new act fails this test until it is told here how else it is done."""


def acts() -> list[str]:
    return [f"{name}.{act}" for name, page in discover(console, Page).items() for act in page.acts]


def endpoints() -> set[str]:
    return {
        f"{method_of(route)} {path}"
        for protocol in discover(protocols, WireProtocol).values()
        for route in protocol.routes
        for path in route.paths
    }


def has(words: str) -> bool:
    """Whether there is a command of these words."""
    found: click.Command | None = main
    with click.Context(main) as context:
        for word in words.split():
            found = found.get_command(context, word) if isinstance(found, click.Group) else None
    return found is not None


def test_every_act_is_told_of() -> None:
    assert sorted(acts()) == sorted(WAYS)


@pytest.mark.parametrize("name", [name for name, ways in WAYS.items() if not ways.only_here])
def test_there_is_an_endpoint_and_a_command(name: str) -> None:
    assert WAYS[name].endpoint in endpoints()
    assert has(WAYS[name].command), WAYS[name].command


def test_what_only_a_browser_does_is_little() -> None:
    assert {name for name, ways in WAYS.items() if ways.only_here} == {
        "account.end",
        "account.language",
        "join.join",
        "playground.clear",
        "sign_in.code",
        "sign_in.leave",
        "sign_in.password",
    }
