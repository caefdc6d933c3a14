"""The store: one object for everything that is remembered, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from homeport.domain.errors import BadConfiguration, BadRequest, InUse, Outdated
from homeport.domain.models import Snapshot, free_name
from homeport.kit.vault import VaultError
from homeport.store import (
    applying,
    audit,
    capabilities,
    checks,
    feature_changes,
    features,
    identities,
    invitations,
    models,
    people,
    removed,
    seats,
    secrets,
    sessions,
    settings,
    teams,
    tokens,
)
from homeport.store.audit import EVERYTHING
from homeport.store.directory import Directory
from homeport.store.engine import BUSY_S, Turn, close, connect, parse, reading, writing
from homeport.store.people import EVERYBODY
from homeport.store.plan import FeatureChange, ModelChange, Plan
from homeport.store.tables import revision
from homeport.store.version import require, require_file, version_of
from homeport.store.writing import Writing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import FeatureSetting, Model, Secret, Token
    from homeport.kit.vault import Vault
    from homeport.store.audit import Wanted
    from homeport.store.records import (
        Arrival,
        AuditEvent,
        Described,
        Edited,
        FeaturesChanged,
        Identity,
        Invitation,
        Restored,
        Seats,
        Session,
        Team,
        Undone,
        User,
        WantedTokens,
    )
    from homeport.store.records import WantedPeople as Whom


class Store:
    """Reads and changes what is remembered.

    Every change takes `by`, the person or token that makes it, is one transaction together with
    its audit event, and raises StoreUnavailable (503) without having changed anything when the
    database is locked, full, read-only or away.
    """

    def __init__(self, engine: AsyncEngine, vault: Vault, patience_s: float) -> None:
        """For `open`, which checks the tables first."""
        self._engine = engine
        self._vault = vault
        self._turn = Turn(patience_s)
        self._listeners: list[Callable[[], Awaitable[None]]] = []

    @classmethod
    async def open(cls, url: str, vault: Vault, *, patience_s: float = BUSY_S) -> Store:
        """Connect and check the tables; raises BadConfiguration, StoreSchema or another StoreUnavailable.

        `patience_s`: seconds that a statement may take and a change wait for another one.
        """
        require_file(parse(url))
        engine = connect(url, patience_s=patience_s)
        try:
            async with reading(engine) as connection:
                require(await version_of(connection))
        except BaseException:
            await close(engine)
            raise
        return cls(engine, vault, patience_s)

    async def close(self) -> None:
        """Close every connection; one that is in use, as soon as its transaction ends."""
        await close(self._engine)

    def after_change(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Await `listener` after each change made through this object, before the change returns."""
        self._listeners.append(listener)

    async def revision(self) -> int:
        """A number that is another one after every change, by whatever process."""
        async with reading(self._engine) as connection:
            return await _revision(connection)

    async def snapshot(self) -> Snapshot:
        """All that serving a request needs, as one consistent state, with a sentence for each unreadable secret."""
        async with reading(self._engine) as connection:
            number = await _revision(connection)
            model_rows = await models.rows(connection)
            token_rows = await tokens.valid(connection, datetime.now(UTC))
            assigned = await features.load(connection)
            values = await settings.load(connection)
            seen = await capabilities.load(connection)
            groups = await teams.of_people(connection)
        registered, lost_keys = models.build(model_rows, self._vault)
        valid, lost_tokens = tokens.build(token_rows, self._vault.key_ids[0])
        return Snapshot(
            revision=number,
            models=registered,
            features=assigned,
            tokens=valid,
            settings=values,
            teams=groups,
            measured={name: found for name, (_, found) in seen.items()},
            problems=lost_keys + lost_tokens,
        )

    async def models(self) -> list[Model]:
        """Every registered model, by name; one whose key cannot be read has none."""
        async with reading(self._engine) as connection:
            rows = await models.rows(connection)
        return list(models.build(rows, self._vault)[0].values())

    async def model(self, name: str) -> Model:
        """One model; raises Unknown with the names there are."""
        async with reading(self._engine) as connection:
            row = await models.find(connection, name)
        return models.build([row], self._vault)[0][name]

    async def model_ids(self) -> dict[str, str]:
        """What each model is stored as, by its name: 32 hexadecimal digits that stay when it is renamed."""
        async with reading(self._engine) as connection:
            return await models.ids(connection)

    async def add_model(self, model: Model, *, by: str) -> Model:
        """Register a model; raises BadRequest."""
        async with self._change(by) as change:
            return await models.add(change, model)

    async def edit_model(self, name: str, changes: Mapping[str, Any], *, by: str) -> Edited:
        """Change some fields of a model, named as in `Model`; raises BadRequest or Unknown.

        `key` may be a Secret or a text, empty to remove it; `limits` may be Limits or a mapping of
        the ones that change; `options` is a mapping of those that change, empty to remove one. Moving
        the endpoint to another origin removes the stored key, unless a new one comes with it; the
        notes say so.
        """
        async with self._change(by) as change:
            return await models.edit(change, name, changes)

    async def copy_model(self, name: str, to: str = "", *, by: str) -> Model:
        """Register another model like this one, with its key: it is at the same address. Raises BadRequest or Unknown.

        `to`: its name; by default the first free one of NAME-2, NAME-3 …
        """
        async with self._change(by) as change:
            rows = await models.rows(change.connection)
            model = models.build([await models.find(change.connection, name)], self._vault)[0][name]
            return await models.add(change, replace(model, name=to or free_name(name, {row.name for row in rows})))

    async def rename_model(self, name: str, to: str, *, by: str) -> Edited:
        """Give a model another name; the features that it serves follow."""
        return await self.edit_model(name, {"name": to}, by=by)

    async def remove_model(self, name: str, *, by: str, force: bool = False) -> None:
        """Remove a model, which can be undone for a while; raises Unknown, or InUse for one in use unless `force`."""
        async with self._change(by) as change:
            await removed.remove(change, name, force=force)

    async def replace_model(self, name: str, instead: str, *, by: str) -> list[str]:
        """Remove a model, and in the same step let another one serve what it served; gives these features.

        Raises Unknown, BadRequest for itself, Outdated when something else was changed in between.
        """
        model = await self.model(name)
        await self.model(instead)
        if name == instead:
            raise BadRequest("A model cannot take its own place.", "Name another one.", param="instead")
        snapshot = await self.snapshot()
        users = [each for each in snapshot.features.values() if name in each.models]
        moved = [FeatureChange(name=each.feature, before=each, after=each.replaced(name, instead)) for each in users]
        gone = ModelChange(name=name, before=model)
        await self.carry_out(Plan(revision=snapshot.revision, changes=(*moved, gone)), by=by)
        return [each.feature for each in users]

    async def removed_models(self) -> dict[str, datetime]:
        """The models that can be brought back, the latest first, and when each was removed."""
        async with reading(self._engine) as connection:
            return await removed.names(connection, datetime.now(UTC))

    async def restore_model(self, name: str, *, by: str) -> Restored:
        """Undo the removal of a model; the notes say what somebody changed since, which stays as it is.

        Raises Unknown, or BadRequest when another model has its name now.
        """
        async with self._change(by) as change:
            return await removed.restore(change, name)

    async def forget_removed(self) -> None:
        """Forget removed models for good when their time is over: no change in the sense of `revision` or the audit."""
        async with reading(self._engine) as connection:
            stale = await removed.stale(connection, datetime.now(UTC))
        if stale:
            async with writing(self._engine) as connection:
                await removed.forget(connection, datetime.now(UTC))

    async def forget_audit(self, days: float) -> int:
        """Forget changes that are older than so many days; gives how many they were. No change, as above.

        A few at a time, so that nobody waits long, and so many at once at most.
        """
        before, gone = datetime.now(UTC) - timedelta(days=days), 0
        while gone < audit.FORGOTTEN_AT_ONCE:
            async with reading(self._engine) as connection:
                old = await audit.older(connection, before)
            if not old:
                break
            async with self._turn.taken(), writing(self._engine) as connection:
                await audit.forget(connection, old)
            gone += len(old)
        return gone

    async def measured(self, name: str, seen: Capabilities, *, by: str) -> None:
        """Keep what a model was seen to do; raises Unknown."""
        async with self._change(by) as change:
            await capabilities.put(change, name, seen)

    async def capabilities(self) -> dict[str, tuple[datetime, Capabilities]]:
        """What was seen of each model that was measured, and when, by name."""
        async with reading(self._engine) as connection:
            return await capabilities.load(connection)

    async def rotate_keys(self, *, by: str) -> tuple[str, int]:
        """Make a new root key and seal every API key with it: the id of the root key, and how many there were.

        Raises BadConfiguration when the key file cannot be written; then nothing was changed.
        """
        async with self._change(by) as change:
            try:
                made = await asyncio.to_thread(self._vault.rotate)
            except VaultError as error:
                raise BadConfiguration(error.saw, error.fix) from error
            return made, await models.reseal(change)

    async def features(self) -> dict[str, FeatureSetting]:
        """The features that have a setting."""
        async with reading(self._engine) as connection:
            return await features.load(connection)

    async def set_feature(self, setting: FeatureSetting, *, by: str) -> None:
        """Say which model serves a feature; raises BadRequest or Unknown."""
        async with self._change(by) as change:
            await features.put(change, setting)

    async def feature_changes(self) -> list[FeaturesChanged]:
        """The changes of what serves features that can be undone, the latest first."""
        async with reading(self._engine) as connection:
            return await feature_changes.lately(connection, datetime.now(UTC))

    async def undo_features(self, id_: int, *, by: str) -> Undone:
        """Undo one of them; raises Unknown, or Outdated where all was set otherwise since."""
        async with self._change(by) as change:
            return await feature_changes.undo(change, id_)

    async def tokens(self) -> list[Token]:
        """Every token, the revoked ones too, oldest first."""
        async with reading(self._engine) as connection:
            return await tokens.load(connection)

    async def find_tokens(self, wanted: WantedTokens, limit: int, offset: int = 0) -> list[Token]:
        """Those that are wanted, newest first."""
        async with reading(self._engine) as connection:
            return await tokens.search(connection, wanted, datetime.now(UTC), limit, offset)

    async def count_tokens(self, wanted: WantedTokens) -> int:
        """How many those are."""
        async with reading(self._engine) as connection:
            return await tokens.count(connection, wanted, datetime.now(UTC))

    async def add_token(self, token: Token, *, by: str) -> None:
        """Remember a token by its digest; raises BadRequest."""
        async with self._change(by) as change:
            await tokens.add(change, token)

    async def revoke_token(self, name: str, *, by: str, owner: str | None = None) -> None:
        """End a token for good; with `owner`, only one of theirs. Raises Unknown."""
        async with self._change(by) as change:
            await tokens.revoke(change, name, owner)

    async def touch_tokens(self, used: Mapping[bytes, datetime]) -> None:
        """Note when tokens were last used, by digest: no change in the sense of `revision` or the audit."""
        if used:
            async with writing(self._engine) as connection:
                await tokens.touch(connection, used)

    async def password(self, name: str) -> str | None:
        """The hash of a person's password; None for nobody, for one without, for one who may not sign in."""
        async with reading(self._engine) as connection:
            return await people.password(connection, name)

    async def set_password(self, name: str, hashed: str, *, by: str) -> None:
        """Give a person another password and end their sessions; raises Unknown."""
        async with self._change(by) as change:
            await people.set_password(change, name, hashed)

    async def set_language(self, name: str, language: str, *, by: str) -> None:
        """Speak with a person in this language, by its tag, or in the browser's where that is empty; raises Unknown."""
        async with self._change(by) as change:
            await people.set_language(change, name, language)

    async def session(self, digest: bytes, idle: timedelta) -> Session | None:
        """Who signed in with this digest, if the session lasts."""
        async with reading(self._engine) as connection:
            return await sessions.find(connection, digest, datetime.now(UTC), idle)

    async def sessions(self, user: str, idle: timedelta) -> dict[bytes, Session]:
        """The sessions of a person that last, by digest, newest first."""
        async with reading(self._engine) as connection:
            return await sessions.of_person(connection, user, datetime.now(UTC), idle)

    async def begin_session(self, digest: bytes, user: str, lasts: timedelta) -> None:
        """Somebody signed in."""
        async with self._change(user) as change:
            await sessions.begin(change, digest, user, lasts)

    async def touch_session(self, digest: bytes) -> None:
        """Note that a session was used: no change in the sense of `revision` or the audit."""
        async with writing(self._engine) as connection:
            await sessions.touch(connection, digest, datetime.now(UTC))

    async def end_sessions(self, user: str, digest: bytes | None = None, *, by: str) -> None:
        """End one session of a person, or all of them."""
        async with self._change(by) as change:
            await sessions.end(change, user, digest)

    async def add_sign_in_code(self, digest: bytes, user: str, lasts: timedelta, *, by: str) -> None:
        """A code that signs `user` in once; raises Unknown."""
        async with self._change(by) as change:
            await sessions.add_code(change, digest, user, lasts)

    async def take_sign_in_code(self, digest: bytes) -> str | None:
        """Whom a code signs in; it works once."""
        async with self._change("sign-in") as change:
            return await sessions.take_code(change, digest)

    async def users(self, wanted: Whom = EVERYBODY, limit: int = -1, offset: int = 0) -> list[User]:
        """Everyone who is not deleted, by name, or `limit` of those who are `wanted`, in their order."""
        async with reading(self._engine) as connection:
            return await people.load(connection, wanted, limit, offset)

    async def count_users(self, wanted: Whom = EVERYBODY) -> int:
        """How many the wanted ones are."""
        async with reading(self._engine) as connection:
            return await people.count(connection, wanted)

    async def user(self, name: str = "", *, id_: str = "") -> User:
        """One person who is not deleted, by name or by id; raises Unknown."""
        async with reading(self._engine) as connection:
            return await people.find(connection, name=name, id_=id_)

    async def users_like(self, field: str, value: str) -> list[User]:
        """Who has this text in a column, in any case."""
        async with reading(self._engine) as connection:
            return await people.alike(connection, field, value)

    async def add_user(self, user: User, *, by: str, must_sit: bool = True, groups: Collection[str] = ()) -> User:
        """Add somebody new, who is in these teams from the beginning.

        Raises BadRequest, Unknown for a team, or InUse when they `must_sit` and no seat is free.
        """
        async with self._change(by) as change:
            made = await people.add(change, user, must_sit=must_sit)
            await teams.move(change, made.name, (), groups)
            return made

    async def edit_user(self, name: str, changes: Mapping[str, Any], *, by: str) -> User:
        """Change some fields of a person, named as in `User`; raises Unknown, BadRequest or InUse."""
        async with self._change(by) as change:
            return await people.edit(change, name, changes)

    async def describe_user(self, name: str, wanted: Callable[[User], Described], *, by: str) -> None:
        """Change fields and teams of a person, all or nothing; raises Unknown, BadRequest or InUse.

        `wanted` gives both for the person as they are when nobody else can change them any more, or raises.
        """
        async with self._change(by) as change:
            before = await people.find(change.connection, name=name)
            changes, groups = wanted(before)
            if changes:
                await people.edit(change, name, changes)
            await teams.move(change, name, before.teams, groups)

    async def remove_user(self, name: str, *, by: str) -> User:
        """Delete a person, which can be undone for a while; raises Unknown, or InUse for the last administrator."""
        async with self._change(by) as change:
            return await people.remove(change, name)

    async def restore_user(self, name: str, *, by: str) -> User:
        """Undo a deletion; raises Unknown."""
        async with self._change(by) as change:
            return await people.restore(change, name)

    @asynccontextmanager
    async def directory(self, *, by: str) -> AsyncIterator[Directory]:
        """People and teams for one request of a directory: what it changes is changed when the block ends well.

        Where nothing was changed, that is no change either: the revision stays.
        """
        async with self._change(by) as change:
            yield Directory(change)
            if not change.recorded:
                await change.connection.rollback()

    async def seats(self) -> Seats:
        """How many people may use what AI does, and how many do."""
        async with reading(self._engine) as connection:
            return await seats.load(connection)

    async def limit_seats(self, number: int, *, by: str) -> Seats:
        """Set how many there are, 0 for no limit; raises BadRequest."""
        async with self._change(by) as change:
            return await seats.limit(change, number)

    async def teams(self) -> list[Team]:
        """Every team with its members, by name."""
        async with reading(self._engine) as connection:
            return await teams.load(connection)

    async def team_ids(self) -> dict[str, str]:
        """The id of each team, by its name."""
        async with reading(self._engine) as connection:
            return await teams.ids(connection)

    async def people_of(self, id_: str = "") -> dict[str, list[tuple[str, str]]]:
        """Id and name of everybody in a team, or in each, by the team's id."""
        async with reading(self._engine) as connection:
            return await teams.people_of(connection, id_)

    async def team_sizes(self) -> dict[str, int]:
        """How many people are in each team, by its name."""
        async with reading(self._engine) as connection:
            return await teams.sizes(connection)

    async def team(self, name: str = "", *, id_: str = "") -> Team:
        """One team, by name or by id; raises Unknown."""
        async with reading(self._engine) as connection:
            return await teams.find(connection, name=name, id_=id_)

    async def add_team(self, team: Team, *, by: str) -> Team:
        """A new team; raises BadRequest, or Unknown for a member who is nobody."""
        async with self._change(by) as change:
            return await teams.add(change, team)

    async def edit_team(self, name: str, *, by: str, to: str | None = None, external_id: str | None = None) -> Team:
        """Call a team something else; raises Unknown or BadRequest."""
        async with self._change(by) as change:
            return await teams.edit(change, name, to=to, external_id=external_id)

    async def change_members(
        self, team: str, *, by: str, join: Collection[str] = (), leave: Collection[str] = ()
    ) -> Team:
        """Let people into a team and out of it; raises Unknown."""
        async with self._change(by) as change:
            return await teams.change(change, team, join=join, leave=leave)

    async def remove_team(self, name: str, *, by: str) -> None:
        """Forget a team, which can be undone for a while; its members stay. Raises Unknown."""
        async with self._change(by) as change:
            await teams.remove(change, name)

    async def removed_teams(self) -> list[str]:
        """The names of those that can be brought back, the latest first."""
        async with reading(self._engine) as connection:
            return list(await teams.removed(connection, datetime.now(UTC)))

    async def restore_team(self, name: str, *, by: str) -> Team:
        """Undo the deletion of a team; raises Unknown."""
        async with self._change(by) as change:
            return await teams.restore(change, name)

    async def invitations(self) -> list[Invitation]:
        """The latest invitations, newest first."""
        async with reading(self._engine) as connection:
            return await invitations.load(connection)

    async def invitation(self, digest: bytes) -> Invitation | None:
        """The one that a link belongs to, whatever has become of it."""
        async with reading(self._engine) as connection:
            return await invitations.find(connection, digest)

    async def invite(self, digest: bytes, wanted: Invitation, lasts: timedelta, *, by: str) -> Invitation:
        """A new invitation; raises BadRequest, or Unknown for the team."""
        async with self._change(by) as change:
            return await invitations.add(change, digest, wanted, lasts)

    async def revoke_invitation(self, id_: str, *, by: str) -> None:
        """Make a link useless; raises Unknown for one that is already."""
        async with self._change(by) as change:
            await invitations.revoke(change, id_)

    async def accept_invitation(self, digest: bytes, name: str, hashed: str) -> User:
        """Let somebody join, once; raises BadRequest, or InUse when no seat is free."""
        checks.name(name, of="user")
        async with self._change(name) as change:
            return await invitations.accept(change, digest, name, hashed)

    async def set_user(self, user: User, *, by: str) -> User:
        """Add a person or change their role; raises BadRequest, or InUse for the last administrator."""
        async with self._change(by) as change:
            return await people.put(change, user)

    async def settings(self) -> dict[str, str]:
        """What administrators set, by name."""
        async with reading(self._engine) as connection:
            return await settings.load(connection)

    async def set_setting(self, name: str, value: str | None, *, by: str) -> None:
        """Set a value, or forget it with None; raises BadRequest."""
        async with self._change(by) as change:
            await settings.put(change, name, value)

    async def set_settings(
        self,
        values: Mapping[str, str | None],
        *,
        check: Callable[[Mapping[str, str]], None] = lambda _stored: None,
        by: str,
    ) -> None:
        """Set several values in one step, or forget those that are None; raises BadRequest.

        `check`: may raise for the settings that are stored now, when nobody else can change them any more.
        """
        async with self._change(by) as change:
            await settings.put_all(change, values, check)

    async def set_single_sign_on(
        self,
        values: Mapping[str, str | None],
        secret: tuple[str, str, str] | None,
        *,
        closes: str = "",
        check: Callable[[Mapping[str, str]], None] = lambda _stored: None,
        by: str,
    ) -> None:
        """Set several settings at once, and a secret (name, whom it is for, text; empty to forget it).

        `closes`: the issuer whose people alone get in from now on; raises InUse unless an administrator is one.
        `check`: may raise for the settings that are stored now, when nobody else can change them any more.
        """
        async with self._change(by) as change:
            await settings.put_all(change, values, check)
            if closes and not await identities.administered(change.connection, closes):
                saw = "No administrator has signed in with this provider yet: passwords must stay."
                raise InUse(
                    saw, "Sign in with it once as an administrator, then switch them off.", param="sso_passwords"
                )
            if secret is not None:
                await secrets.put(change, *secret)

    async def secret(self, name: str, bound: str) -> Secret:
        """A secret that was stored for `bound`; empty when there is none. Raises VaultError."""
        async with reading(self._engine) as connection:
            return await secrets.load(connection, self._vault, name, bound)

    async def use_state(self, digest: bytes, until: datetime) -> bool:
        """Take in that a sign-in's state came back; gives whether it had not before."""
        async with self._turn.taken(), writing(self._engine) as connection:
            return await identities.use(connection, digest, datetime.now(UTC), until)

    async def enter(self, arrival: Arrival, digest: bytes, lasts: timedelta) -> str:
        """Begin a session for somebody whom a provider vouches for; gives the account's name.

        Raises NotAllowed, InUse or BadRequest for somebody who is not let in.
        """
        async with self._change("single sign-on") as change:
            return await identities.enter(change, arrival, digest, lasts)

    async def refused(self, subject: str, why: str, issuer: str) -> None:
        """Write down that somebody whom a provider vouches for was not let in."""
        async with self._change("single sign-on") as change:
            await change.record("session.refuse", subject[:200], after={"issuer": issuer, "why": why})

    async def identities(self, user: str | None = None) -> list[Identity]:
        """Who is known to a provider of single sign-on, by name."""
        async with reading(self._engine) as connection:
            return await identities.load(connection, user)

    async def administered(self, issuer: str) -> bool:
        """Whether an administrator who may sign in has come from this issuer."""
        async with reading(self._engine) as connection:
            return await identities.administered(connection, issuer)

    async def link_identity(self, issuer: str, subject: str, user: str, *, by: str) -> None:
        """Say that somebody at a provider is this person; raises BadRequest, Unknown or InUse."""
        async with self._change(by) as change:
            await identities.link(change, issuer, subject, user)

    async def unlink_identities(self, user: str, *, by: str) -> int:
        """Forget who a person is at every provider; gives how many they were."""
        async with self._change(by) as change:
            return await identities.unlink(change, user)

    async def carry_out(self, plan: Plan, *, by: str) -> int:
        """Make all changes of a plan or none; gives the new revision.

        Raises Outdated when anything changed since the plan was made, BadRequest for what cannot be stored.
        """
        async with self._change(by) as change:
            number = await _revision(change.connection)
            if number != plan.revision + 1:
                raise outdated(number - 1, plan.revision)
            await applying.carry_out(change, plan.changes)
        return number

    async def note_replay(self, correlation_id: str, model: str, *, by: str) -> None:
        """Somebody had a logged request asked again of this model."""
        async with self._change(by) as change:
            await change.record("request.replay", correlation_id, after={"model": model})

    async def audit(self, limit: int = 100, wanted: Wanted = EVERYTHING) -> Sequence[AuditEvent]:
        """The latest changes, or the latest of those that are `wanted`, newest first."""
        async with reading(self._engine) as connection:
            return await audit.load(connection, wanted, limit)

    async def audit_pieces(self, limit: int, wanted: Wanted) -> AsyncGenerator[Sequence[AuditEvent]]:
        """The same a few at a time, so that many do not keep everybody else waiting."""
        while limit > 0 and (found := await self.audit(min(limit, audit.PIECE), wanted)):
            yield found
            limit -= len(found) if len(found) == audit.PIECE else limit
            wanted = wanted._replace(below=found[-1].id)

    async def sealed(self) -> dict[str, int]:
        """How many API keys are sealed with each root key, by its id."""
        async with reading(self._engine) as connection:
            return await models.sealed(connection)

    @asynccontextmanager
    async def _change(self, by: str) -> AsyncIterator[Writing]:
        """A transaction that counts as a change, one at a time.

        A row lock on the revision puts the writers of all processes in a queue; those of this process
        wait before they take a connection, so that readers find one.
        """
        async with self._turn.taken(), writing(self._engine) as connection:
            await connection.execute(update(revision).values(number=revision.c.number + 1))
            who = checks.name(by, of="caller")
            yield Writing(connection=connection, vault=self._vault, by=who, at=datetime.now(UTC))
            kept = connection.in_transaction()
        for listener in self._listeners if kept else ():
            await listener()


def outdated(found: int, expected: int) -> Outdated:
    """The error for a change that was meant for another state."""
    saw = f"The database is at revision {found}, not {expected}: it was changed in between."
    return Outdated(saw, "Nothing was changed. Look at the plan again: homeport config plan FILE")


async def _revision(connection: AsyncConnection) -> int:
    return int(await connection.scalar(select(revision.c.number)) or 0)
