"""What a directory that provisions people reads and changes in one request: all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.store import people, teams

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from homeport.store.records import Team, User
    from homeport.store.writing import Writing


class Directory(NamedTuple):
    """People and teams within one transaction, while nobody else can change them."""

    writing: Writing

    async def user(self, *, id_: str) -> User:
        """One person; raises Unknown."""
        return await people.find(self.writing.connection, id_=id_)

    async def users_like(self, field: str, value: str) -> list[User]:
        """Who has this text in a column, in any case, and perhaps some more; `User`'s names of fields."""
        return await people.alike(self.writing.connection, field, value)

    async def names_of(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of people, by id; whoever is nobody is missing."""
        return await people.names(self.writing.connection, ids)

    async def add_user(self, user: User) -> User:
        """Add somebody new, who sits down if a seat is free; raises BadRequest."""
        return await people.add(self.writing, user, must_sit=False)

    async def edit_user(self, name: str, changes: Mapping[str, Any]) -> User:
        """Change some fields of a person; raises Unknown, BadRequest or InUse."""
        return await people.edit(self.writing, name, changes)

    async def remove_user(self, name: str) -> User:
        """Delete a person, which can be undone for a while; raises Unknown, or InUse for the last administrator."""
        return await people.remove(self.writing, name)

    async def team(self, *, id_: str) -> Team:
        """One team; raises Unknown."""
        return await teams.find(self.writing.connection, id_=id_)

    async def team_ids(self) -> dict[str, str]:
        """The id of each team, by its name."""
        return await teams.ids(self.writing.connection)

    async def people_of(self, id_: str) -> dict[str, list[tuple[str, str]]]:
        """Id and name of everybody in a team, by the team's id."""
        return await teams.people_of(self.writing.connection, id_)

    async def add_team(self, team: Team) -> Team:
        """A new team; raises BadRequest, or Unknown for a member who is nobody."""
        return await teams.add(self.writing, team)

    async def edit_team(self, name: str, *, to: str, external_id: str) -> Team:
        """Call a team something else; raises Unknown or BadRequest."""
        return await teams.edit(self.writing, name, to=to, external_id=external_id)

    async def change_members(self, team: str, *, join: Collection[str], leave: Collection[str]) -> Team:
        """Let people into a team and out of it; raises Unknown."""
        return await teams.change(self.writing, team, join=join, leave=leave)

    async def remove_team(self, name: str) -> None:
        """Forget a team, which can be undone for a while; its members stay. Raises Unknown."""
        await teams.remove(self.writing, name)
