"""What `homeport up` sets up for somebody who has nothing yet: an administrator, a token, a model."""

from __future__ import annotations

import getpass
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeport.access import SCOPES, sessions, tokens
from homeport.cli._data_dir import keep_token, kept_token
from homeport.cli._session import whoami
from homeport.domain.models import FeatureSetting, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from homeport.domain.models import Model, Snapshot
    from homeport.kit.vault import Vault
    from homeport.store.database import Store

ADMINISTRATOR = "admin"
TOKEN_NAME = "command line"  # noqa: S105 (the public name of a token)
FEATURES = ("code_completions", "code_generations", "chat")
"""What the embedded model serves when nothing else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """What was set up this time."""

    token: str = ""
    """A token that was just made; empty when the kept one is still good."""
    model: str = ""
    """The embedded model, if it was registered just now."""
    code: str = ""
    """Signs the administrator in once; empty when there is a password."""


async def provision(
    store: Store, folder: Path, vault: Vault, *, embedded: Callable[[], Model] | None = None
) -> FirstRun:
    """Set up whatever is missing and change nothing that is there; a second time it does nothing."""
    snapshot = await store.snapshot()
    await _administrator(store)
    token = await _token(store, folder, vault.derive(tokens.PEPPER), snapshot)
    code = await _code(store, vault.derive(sessions.PEPPER))
    model = ""
    if embedded is not None and not snapshot.models:
        model = await _model(store, embedded(), snapshot)
    return FirstRun(token=token, model=model, code=code)


async def _administrator(store: Store) -> None:
    from homeport.store.records import User  # noqa: PLC0415 (the store's room loads SQLAlchemy)

    if not await store.users():
        await store.set_user(User(name=ADMINISTRATOR, role="admin"), by=whoami())


async def _code(store: Store, pepper: bytes) -> str:
    """A code for the first sign-in, while the administrator has no password."""
    names = {user.name for user in await store.users() if not user.disabled}
    if ADMINISTRATOR not in names or await store.password(ADMINISTRATOR) is not None:
        return ""
    made = sessions.mint()
    await store.add_sign_in_code(sessions.digest(pepper, made), ADMINISTRATOR, sessions.CODE_LASTS, by=whoami())
    return made


async def _token(store: Store, folder: Path, pepper: bytes, snapshot: Snapshot) -> str:
    """A token for the command line, unless the one that is kept is still accepted."""
    kept = kept_token(folder)
    if kept and tokens.digest(pepper, kept) in snapshot.tokens:
        return ""
    fresh = tokens.mint()
    # also those that have expired or were made with other root keys hold their names until they are revoked
    taken = {token.name for token in await store.tokens() if token.revoked is None}
    token = Token(
        name=_free_name(taken),
        owner=ADMINISTRATOR,
        digest=tokens.digest(pepper, fresh),
        hint=tokens.hint(fresh),
        scopes=frozenset(SCOPES),
    )
    await store.add_token(token, by=whoami())
    keep_token(folder, fresh)
    return fresh


def _free_name(taken: Collection[str]) -> str:
    """A name that says whose it is, numbered when an older one of it is still valid."""
    plain = f"{TOKEN_NAME} of {_user()}"
    numbered = (f"{plain} {number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([plain], numbered) if name not in taken)


def _user() -> str:
    try:
        return getpass.getuser()[:60]
    except (KeyError, OSError):
        return "this machine"


async def _model(store: Store, model: Model, snapshot: Snapshot) -> str:
    """Register the embedded model and let it serve what has no setting yet."""
    await store.add_model(model, by=whoami())
    for feature in FEATURES:
        if feature not in snapshot.features:
            setting = FeatureSetting(feature=feature, assignment="model", model=model.name)
            await store.set_feature(setting, by=whoami())
    return model.name
