"""Teams: people who belong together, so that it can be seen how much each team uses."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from htpy import Renderable, a, button, details, div, form, h1, h2, p, summary, table, tbody, td, th, thead, tr
from htpy import input as control

from homeport.console import Asked, Page, Sent, go
from homeport.console._forms import PER_PAGE, doings, finder, lines, page_of, pager, text
from homeport.console._layout import guard, page, problem
from homeport.console._render import cell
from homeport.console._texts import mark, t, tn
from homeport.domain.errors import BadRequest, Unknown
from homeport.store.people import KEPT
from homeport.store.records import Team

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from htpy import Node

SHOWN = 100
"""Members that are listed with a team; the others are among the people."""
NAMES = 500
"""People who are let in at once."""


async def view(asked: Asked) -> Renderable:
    """The list, and above it the team or the form that was asked for."""
    sizes = await asked.desk.store.team_sizes()
    typed = asked.query.get("find", "").strip().lower()
    found = {name: size for name, size in sizes.items() if typed in name.lower()}
    may = asked.person.role == "admin"
    new = may and ("new" in asked.query or asked.form.get("do") == "add")
    chosen = None if new else await _chosen(asked)
    return page(
        asked,
        t("Teams"),
        div(".top")[
            h1[t("Teams")],
            div(".buttons")[a(".button.first", href="?new")[t("Make a team")] if may and not new else None],
        ],
        p(".lead")[
            t("People who belong together. Somebody may be in several; a directory may keep them (SCIM groups).")
        ],
        problem(asked),
        _new(asked) if new else None,
        _card(asked, chosen, may=may) if chosen else None,
        finder(asked, t("Name")) if sizes else None,
        _table(asked, found) if found else _nothing(asked, any_=bool(sizes), may=may),
        _removed(asked, await asked.desk.store.removed_teams()) if may else None,
    )


async def _chosen(asked: Asked) -> Team | None:
    with suppress(Unknown):
        return await asked.desk.store.team(asked.query.get("name") or asked.form.get("team", ""))
    return None


def _nothing(asked: Asked, *, any_: bool, may: bool) -> Renderable:
    if any_:
        return div(".empty")[h2[t("No team is called so")], p[a(href=asked.path)[t("Show all")]]]
    return div(".empty")[
        h2[t("There is no team yet")],
        p[t("Teams are for seeing who uses how much. Nobody needs to be in one.")],
        p[a(".button.first", href="?new")[t("Make the first")]] if may else None,
    ]


def _table(asked: Asked, found: Mapping[str, int]) -> Node:
    first = (page_of(asked) - 1) * PER_PAGE
    rows = list(found.items())[first : first + PER_PAGE]
    return [
        div(".scroll")[
            table(".wide")[
                thead[tr[th(scope="col")[t("Name")], th(scope="col")[t("People")], th(scope="col")[doings()]]],
                tbody[
                    (
                        tr[
                            th(scope="row")[name],
                            cell(t("People"))[a(href=f"/console/people?{urlencode({'team': name})}")[str(size)]],
                            td[
                                a(href=f"?{urlencode({'name': name})}", aria_label=t("Look at {name}", name=name))[
                                    # Translators: at a team: a link in each row of a list
                                    t("Look")
                                ]
                            ],
                        ]
                        for name, size in rows
                    )
                ],
            ]
        ],
        pager(asked, len(found)),
    ]


def _removed(asked: Asked, names: Sequence[str]) -> Node:
    """The way back for those that were deleted lately; open right after a deletion."""
    if not names:
        return None
    return details(open=asked.query.get("said") == "disbanded")[
        summary[t("Deleted lately")],
        div[
            p(".soft")[
                t("For {days} days a team can be brought back, with everybody of it who is still here.", days=KEPT.days)
            ],
            table[tbody[(tr[th(scope="row")[name], td(".right")[_restoring(asked, name)]] for name in names)]],
        ],
    ]


def _restoring(asked: Asked, name: str) -> Renderable:
    return form(method="post", action=asked.path)[
        guard(asked, "restore"),
        control(type="hidden", name="team", value=name),
        button(".quiet", type="submit", aria_label=t("Bring back {name}", name=name))[t("Bring back")],
    ]


# one team


def _card(asked: Asked, team: Team, *, may: bool) -> Renderable:
    count, there = len(team.members), f"/console/people?{urlencode({'team': team.name})}"
    more = p[a(href=there)[t("All {count} people", count=count)]] if count > SHOWN else None
    return div(".card")[
        h2[team.name],
        p(".soft")[tn("{count} person.", "{count} people.", count)],
        _members(asked, team, may=may) if count else None,
        more,
        (_joining(asked, team), _renaming(asked, team), _ending(asked, team)) if may else None,
    ]


def _hidden(team: Team) -> Renderable:
    return control(type="hidden", name="team", value=team.name)


def _members(asked: Asked, team: Team, *, may: bool) -> Renderable:
    return table[
        tbody[
            (
                tr[th(scope="row")[name], td(".right")[_leaving(asked, team, name)] if may else None]
                for name in team.members[:SHOWN]
            )
        ]
    ]


def _leaving(asked: Asked, team: Team, name: str) -> Renderable:
    return form(method="post", action=asked.path)[
        guard(asked, "leave"),
        _hidden(team),
        control(type="hidden", name="person", value=name),
        button(".quiet", type="submit", aria_label=t("Take out {name}, of {team}", name=name, team=team.name))[
            t("Take out")
        ],
    ]


def _joining(asked: Asked, team: Team) -> Renderable:
    typed = asked.form.get("people", "") if asked.form.get("do") == "join" else ""
    tip = t("Names, one a line or separated by commas.")
    return form(".stack", method="post", action=asked.path)[
        guard(asked, "join"),
        _hidden(team),
        lines("people", t("Let people in"), typed, tip, about="members", rows="2", required=True),
        div(".buttons")[button(".first", type="submit")[t("Let them in")]],
    ]


def _renaming(asked: Asked, team: Team) -> Renderable:
    typed = asked.form.get("to", team.name) if asked.form.get("do") == "rename" else team.name
    return form(".stack", method="post", action=asked.path)[
        guard(asked, "rename"),
        _hidden(team),
        text("to", t("Name"), typed, about="name", required=True, maxlength=100),
        div(".buttons")[button(type="submit")[t("Rename")]],
    ]


def _ending(asked: Asked, team: Team) -> Renderable:
    sure = t(
        "Delete the team {name}? Its members stay, and you can bring it back for {days} days.",
        name=team.name,
        days=KEPT.days,
    )
    return form(".buttons.apart", method="post", action=asked.path)[
        guard(asked, "remove"),
        _hidden(team),
        button(".danger", type="submit", data_sure=sure)[t("Delete the team")],
        a(".button", href=asked.path)[t("Done")],
    ]


def _new(asked: Asked) -> Renderable:
    return form(".stack.card", method="post", action=asked.path, autocomplete="off")[
        guard(asked, "add"),
        h2[t("A new team")],
        text("team", t("Name"), asked.form.get("team", ""), about="name", required=True, maxlength=100, autofocus=True),
        div(".buttons")[button(".first", type="submit")[t("Make it")], a(".button", href=asked.path)[t("Cancel")]],
    ]


# what forms do


def _back(said: str, team: str, *, there: bool = True) -> Sent:
    named = f"&name={quote(team)}" if there else ""
    return go(f"/console/teams?said={said}&about={quote(team)}{named}")


async def add(asked: Asked) -> Sent:
    """A new team."""
    made = await asked.desk.store.add_team(Team(name=asked.form.get("team", "").strip()), by=asked.person.name)
    return _back("team", made.name)


async def rename(asked: Asked) -> Sent:
    """Call a team something else."""
    to = asked.form.get("to", "").strip()
    team = await asked.desk.store.edit_team(asked.form.get("team", ""), to=to, by=asked.person.name)
    return _back("renamed", team.name)


def _named(asked: Asked) -> Sequence[str]:
    typed = asked.form.get("people", "").replace("\n", ",").split(",")
    names = tuple(dict.fromkeys(each.strip() for each in typed if each.strip()))
    if not 0 < len(names) <= NAMES:
        raise BadRequest(
            t("There is nobody to let in, or too many."), t("Name 1 to {most} people.", most=NAMES), param="people"
        )
    return names


async def join(asked: Asked) -> Sent:
    """Let people into a team: all of them or nobody."""
    team = await asked.desk.store.change_members(asked.form.get("team", ""), join=_named(asked), by=asked.person.name)
    return _back("joined", team.name)


async def leave(asked: Asked) -> Sent:
    """Take somebody out of a team."""
    gone = (asked.form.get("person", ""),)
    team = await asked.desk.store.change_members(asked.form.get("team", ""), leave=gone, by=asked.person.name)
    return _back("parted", team.name)


async def remove(asked: Asked) -> Sent:
    """Forget a team."""
    name = asked.form.get("team", "")
    await asked.desk.store.remove_team(name, by=asked.person.name)
    return _back("disbanded", name, there=False)


async def restore(asked: Asked) -> Sent:
    """Undo a deletion."""
    team = await asked.desk.store.restore_team(asked.form.get("team", ""), by=asked.person.name)
    return _back("reunited", team.name)


PAGE = Page(
    path="/console/teams",
    title=mark("Teams"),
    see="auditor",
    view=view,
    acts={"add": add, "rename": rename, "join": join, "leave": leave, "remove": remove, "restore": restore},
    menu="People",
    order=30,
)
