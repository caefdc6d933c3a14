"""Do the root keys open what the database keeps sealed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.kit.vault import Vault

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene


async def look(scene: Scene) -> Finding:
    """The key file, then every secret that it should open."""
    if not scene.key_file.exists():
        return Finding(status="fail", saw=f"There is no key file {scene.key_file}.", fix=_RESTORE)
    count = len(Vault(scene.key_file).key_ids)
    problems = (await scene.snapshot()).problems
    if problems:
        fix = "Restore the key file that belongs to this database, or enter those secrets again."
        return Finding(status="fail", saw=" ".join(problems), fix=fix)
    return Finding(status="ok", saw=f"{count} root key{'s' if count > 1 else ''}; every stored secret opens.")


_RESTORE = "Restore it from its backup. Without one: `homeport db new-keys`, then enter API keys and make tokens again."

CHECK = Check(order=40, question="Do the root keys open the stored secrets?", look=look, after=("database",))
