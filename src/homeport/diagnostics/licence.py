"""May the holder of the token use each feature: has it the scopes, and a seat?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from homeport.access import tokens, widen
from homeport.diagnostics import Check, Finding
from homeport.diagnostics._token import read
from homeport.domain.errors import HomeportError
from homeport.features._ask import setting_of
from homeport.kit.vault import Vault, VaultError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homeport.diagnostics._scene import Scene

EXPECTED = ("code_completions", "code_generations", "chat")


async def look(scene: Scene) -> Finding:
    """Compare what the token may with what each feature needs."""
    signed = read(scene.door.token)
    if signed is not None:
        return _of_gitlab(scene, widen(frozenset(signed.scopes)))
    scopes = await _known(scene)
    if scopes is None:
        return Finding(status="skip", saw="What the token may do can only be seen where the database is.")
    lacking = await _lacking(scene, scopes)
    if not lacking:
        return Finding(status="ok", saw="The token may use every feature that has a model.")
    scene.forbidden |= set(lacking)
    needed = sorted({scene.features[key].scope for key in lacking} | scopes)
    saw = f"The token may not use {', '.join(lacking)}: it lacks {_scopes(scene, lacking)}."
    fix = f"Run: homeport tokens create --name NAME --scopes {shlex.quote(','.join(needed))}, and use that one."
    return Finding(status="fail", saw=saw, fix=fix)


def _of_gitlab(scene: Scene, scopes: frozenset[str]) -> Finding:
    if not scopes:
        saw = "The token carries no scope: GitLab gave its user no seat, or has no licence for the features."
        scene.forbidden |= set(scene.features)
        return Finding(status="fail", saw=saw, fix="Assign the user a seat in GitLab, or synchronise the subscription.")
    lacking = [key for key in EXPECTED if scene.features[key].scope not in scopes]
    scene.forbidden |= {key for key, offer in scene.features.items() if offer.scope not in scopes}
    if lacking:
        saw = f"The token may not use {', '.join(lacking)}: it lacks {_scopes(scene, lacking)}."
        fix = "Switch the feature on in GitLab, and see that the subscription covers it."
        return Finding(status="warn", saw=saw, fix=fix)
    return Finding(status="ok", saw=f"The token carries {len(scopes)} scopes.")


async def _known(scene: Scene) -> frozenset[str] | None:
    """The scopes of a token of ours; None where the database is not at hand or does not know it."""
    if scene.gateway or not scene.door.token or not scene.key_file.exists():
        return None
    try:
        pepper = Vault(scene.key_file).derive(tokens.PEPPER)
        found = (await scene.snapshot()).tokens.get(tokens.digest(pepper, scene.door.token))
    except (HomeportError, VaultError):
        return None
    return None if found is None else found.scopes


async def _lacking(scene: Scene, scopes: frozenset[str]) -> list[str]:
    snapshot = await scene.snapshot()
    found = []
    for key in dict.fromkeys((*EXPECTED, *snapshot.features)):
        setting = setting_of(scene.features, snapshot, key) if key in scene.features else None
        if setting is not None and setting.assignment == "model" and scene.features[key].scope not in scopes:
            found.append(key)
    return found


def _scopes(scene: Scene, lacking: Iterable[str]) -> str:
    return " and ".join(sorted({f"the scope {scene.features[key].scope}" for key in lacking}))


CHECK = Check(
    order=82,
    question="May the token's holder use each feature?",
    look=look,
    role="both",
    after=("token_accepted",),
)
