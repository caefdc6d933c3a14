"""Tokens: what programs and editors send. Made here, shown once, and put into the set-up of each client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from htpy import (
    Renderable,
    a,
    button,
    datalist,
    div,
    form,
    h1,
    h2,
    h3,
    option,
    p,
    span,
    table,
    tbody,
    td,
    th,
    thead,
    time,
    tr,
)
from htpy import input as control

from homeport.access import COMMON, SCOPES, tokens
from homeport.console import RANK, Asked, Page, Sent, go
from homeport.console._connect import address_of, copied, reach, setups
from homeport.console._forms import PER_PAGE, choice, doings, finder, group, page_of, pager, sifter, text, ticked
from homeport.console._layout import guard, page, problem
from homeport.console._render import cell
from homeport.console._texts import choices, mark, rich, t, tn
from homeport.domain.errors import BadRequest, NotAllowed, Unknown
from homeport.domain.models import Token
from homeport.store.records import WantedPeople, WantedTokens

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from htpy import Node

USUAL = frozenset({"complete_code", "generate_code", "duo_chat", "read_models"})
LASTS = (
    ("7", mark("a week")),
    ("30", mark("30 days")),
    ("90", mark("90 days")),
    ("365", mark("a year")),
    ("", mark("as long as it is not revoked")),
)
WORDS = {
    "works": mark("works"),
    "ends soon": mark("ends soon"),
    "expired": mark("expired"),
    "revoked": mark("revoked"),
    "owner disabled": mark("owner disabled"),
}
"""Of a token's state."""
STATES = (("", mark("Those that work")), ("all", mark("Also ended ones")))
BRIEF = {
    "complete_code": mark("completion"),
    "generate_code": mark("generation"),
    "duo_chat": mark("chat"),
    "admin": mark("administration"),
    "scim": mark("provisioning"),
}
OFFERED = 200
OFFERED_SCOPES = (*COMMON, "scim")
ADMINISTRATION = frozenset({"admin", "scim"})
"""Scopes that administrators alone hand out."""
NAMED = 4
"""Scopes of a token that are spelt out in the list."""
TOLD = 50
"""Tokens that end soon among which those are looked for that are told."""
SOON = timedelta(days=7)
"""How long ahead the end of a token is told."""
KINDS = (("personal", mark("A person")), ("service", mark("No person: a program or a service")))


async def view(asked: Asked) -> Renderable:
    """The list, with whatever was asked for above it."""
    store, mine = asked.desk.store, _whose(asked)
    wanted = mine._replace(find=asked.query.get("find", "").strip(), lasting=asked.query.get("state") != "all")
    found = await store.find_tokens(wanted, PER_PAGE, (page_of(asked) - 1) * PER_PAGE)
    many = await store.count_tokens(wanted)
    any_ = bool(found) or await store.count_tokens(mine) > 0
    shut_out = await _shut_out(asked)
    new = "new" in asked.query or asked.form.get("do") == "add"
    people = await _people(asked) if new and asked.person.role == "admin" else []
    return page(
        asked,
        t("Tokens"),
        div(".top")[h1[t("Tokens")], div(".buttons")[_links(new=new)]],
        p(".lead")[t("A token lets an editor or a program ask. Give each its own: then you can end one alone.")],
        None if new else problem(asked),
        _ending(await store.find_tokens(mine._replace(ends_by=datetime.now(UTC) + SOON), TOLD), shut_out),
        await _to_revoke(asked) if "revoke" in asked.query else None,
        _form(asked, people, stranger=await _is_strange(asked)) if new else None,
        _filter(asked) if any_ else None,
        _table(asked, found, many, shut_out) if found else _nothing(asked, any_=any_),
    )


def _whose(asked: Asked) -> WantedTokens:
    """The tokens that this person may see."""
    sees_all = RANK[asked.person.role] >= RANK["auditor"]
    return WantedTokens() if sees_all else WantedTokens(owner=asked.person.name)


async def _shut_out(asked: Asked) -> frozenset[str]:
    """Who may not sign in."""
    store = asked.desk.store
    gone = [*await store.users(WantedPeople(state="disabled")), *await store.users(WantedPeople(state="deleted"))]
    return frozenset(user.name for user in gone)


def _mine(asked: Asked, token: Token) -> bool:
    return token.kind == "personal" and token.owner == asked.person.name


async def _people(asked: Asked) -> list[str]:
    """Who is offered as owner; where they are too many to choose from, the name is typed."""
    found = await asked.desk.store.users(WantedPeople(state="in"), OFFERED + 1)
    return [user.name for user in found] if len(found) <= OFFERED else []


def _state(token: Token, shut_out: Collection[str]) -> str:
    if token.revoked is not None:
        return "revoked"
    left = None if token.expires is None else token.expires - datetime.now(UTC)
    if left is not None and left <= timedelta():
        return "expired"
    if token.kind == "personal" and token.owner in shut_out:
        return "owner disabled"
    return "works" if left is None or left > SOON else "ends soon"


def _ending(found: Sequence[Token], shut_out: Collection[str]) -> Node:
    """What will stop working within days, before anybody wonders why."""
    soon = [each for each in found if _state(each, shut_out) == "ends soon"]
    if not soon:
        return None
    named = ", ".join(each.name for each in soon[:NAMED])
    named = t("{names} and others", names=named) if len(soon) > NAMED else named
    said = tn(
        "{names}: ends within a week. Make another in time.",
        "{names}: end within a week. Make others in time.",
        len(soon),
        names=named,
    )
    return div(".note.warn", role="status")[p[said]]


def _links(*, new: bool) -> Iterator[Renderable]:
    yield a(".button", href="/console/connect")[t("Connect your editor")]
    if not new:
        yield a(".button.first", href="/console/tokens?new")[t("Make a token")]


def _filter(asked: Asked) -> Renderable:
    return finder(asked, t("Name, owner or last characters"), sifter(asked, "state", t("State"), choices(STATES)))


def _nothing(asked: Asked, *, any_: bool) -> Renderable:
    if any_:
        return div(".empty")[h2[t("No token is like this")], p[a(href=asked.path)[t("Show those that work")]]]
    return div(".empty")[
        h2[t("No tokens yet")],
        p[t("Make one for your editor; what to enter where is shown with it.")],
        p[a(".button.first", href="/console/tokens?new")[t("Make a token")]],
    ]


# the list


def _table(asked: Asked, found: Sequence[Token], many: int, shut_out: Collection[str]) -> Node:
    heads = (t("Name"), t("Owner"), t("May"), t("Expires"), t("Last used"), t("State"), doings())
    return [
        div(".scroll")[
            table(".wide")[
                thead[tr[(th(scope="col")[head] for head in heads)]],
                tbody[(_row(asked, each, _state(each, shut_out)) for each in found)],
            ]
        ],
        pager(asked, many),
    ]


def _row(asked: Asked, token: Token, state: str) -> Renderable:
    pill = {"works": "good", "revoked": "bad"}.get(state, "warn")
    mine = asked.person.role == "admin" or _mine(asked, token)
    address = f"?{urlencode({'revoke': token.name})}"
    return tr[
        th(scope="row")[token.name, span(".sub")[t("ends with {hint}", hint=token.hint)]],
        cell(t("Owner"))[span(".soft")[t("a service")] if token.kind == "service" else token.owner],
        # Translators: above what a token may do
        cell(t("May"))[_scopes(token.scopes)],
        cell(t("Expires"), ".nowrap")[_moment(token.expires, t("never"))],
        cell(t("Last used"), ".nowrap")[_moment(token.last_used, t("not yet"))],
        cell(t("State"))[span(class_=["pill", pill])[t(WORDS[state])]],
        td[
            a(href=address, aria_label=t("Revoke {name}", name=token.name))[t("Revoke")]
            if mine and not token.revoked
            else None
        ],
    ]


def _moment(at: datetime | None, otherwise: str) -> Node:
    return time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"] if at else span(".soft")[otherwise]


def _scopes(scopes: frozenset[str]) -> str:
    """What a token may do, in words; the usual ones first."""
    if scopes >= SCOPES.keys():
        return t("everything")
    names = [name for name in SCOPES if name in scopes and (name != "read_models" or len(scopes) == 1)]
    words = [t(BRIEF[name]) if name in BRIEF else t(SCOPES[name]).partition(",")[0].lower() for name in names[:NAMED]]
    unknown = sorted(scopes - SCOPES.keys())
    more = len(names) - NAMED
    return ", ".join([*words, *unknown, *([t("and {count} more", count=more)] if more > 0 else [])])


async def _to_revoke(asked: Asked) -> Node:
    """The question before the end of a token; a link in a list must not end one."""
    name = asked.query["revoke"]
    found = await asked.desk.store.find_tokens(_whose(asked)._replace(name=name), 1) if name else []
    if not found:
        return None
    (token,) = found
    used = t("It was not used yet.")
    last = rich("It was last used {when}.", when=_moment(token.last_used, "")) if token.last_used else used
    return div(".card", role="alertdialog", aria_labelledby="revoke")[
        h2(id="revoke")[rich("Revoke {name}?", name=token.name)],
        p[last, " ", t("Whatever still sends it is refused within two seconds. This cannot be undone.")],
        form(".buttons", method="post", action=asked.path)[
            guard(asked, "revoke"),
            control(type="hidden", name="name", value=name),
            button(".danger", type="submit")[t("Revoke it")],
            a(".button", href=asked.path)[t("Keep it")],
        ],
    ]


async def revoke(asked: Asked) -> Sent:
    """End a token; who is no administrator, only an own one."""
    owner = None if asked.person.role == "admin" else asked.person.name
    name = asked.form.get("name", "")
    await asked.desk.store.revoke_token(name, by=asked.person.name, owner=owner)
    return go(f"{asked.path}?said=revoked&about={quote(name)}")


# a new one


async def _is_strange(asked: Asked) -> bool:
    """Whether the owner that was typed is nobody."""
    typed = asked.form.get("owner", "").strip()
    if not typed or asked.form.get("kind") == "service" or asked.person.role != "admin":
        return False
    return not await _known(asked, typed)


async def _known(asked: Asked, name: str) -> str:
    """The name as it is stored; empty for nobody's."""
    try:
        return (await asked.desk.store.user(name)).name
    except Unknown:
        return ""


def _form(asked: Asked, people: Sequence[str], *, stranger: bool) -> Renderable:
    return form(".stack.card", method="post", action=asked.path, autocomplete="off")[
        guard(asked, "add"),
        h2[t("A new token")],
        problem(asked),
        text(
            "name",
            t("Name"),
            asked.form.get("name", ""),
            t("What you will know it by."),
            required=True,
            maxlength=100,
            autofocus=True,
        ),
        _owner(asked, people, stranger=stranger) if asked.person.role == "admin" else None,
        group(
            "scope",
            t("It may"),
            (
                ticked(asked, "scope", each, t(SCOPES[each]), on=each in USUAL)
                for each in OFFERED_SCOPES
                if each not in ADMINISTRATION or asked.person.role == "admin"
            ),
        ),
        choice("lasts", t("It works for"), choices(LASTS), asked.form.get("lasts", "90")),
        div(".buttons")[button(".first", type="submit")[t("Make it")], a(".button", href=asked.path)[t("Cancel")]],
    ]


def _owner(asked: Asked, people: Sequence[str], *, stranger: bool) -> Node:
    explained = t("Whoever signs in under this name sees it and may revoke it. A service has no owner.")
    owner = asked.form.get("owner", asked.person.name)
    return [
        choice("kind", t("Belongs to"), choices(KINDS), asked.form.get("kind", "personal")),
        text("owner", t("Owner"), owner, explained, maxlength=100, list="people"),
        p[
            rich(
                "{add} or {invite}",
                add=a(href="/console/people?new")[t("Add somebody")],
                invite=a(href="/console/invitations?new")[t("invite them")],
            )
        ]
        if stranger
        else None,
        datalist(id="people")[(option(value=each) for each in people)],
    ]


async def add(asked: Asked) -> Sent:
    """Make a token; it is on the page that answers and nowhere else."""
    made, now = tokens.mint(), datetime.now(UTC)
    lasts = asked.form.get("lasts", "90")
    if lasts not in dict(LASTS):
        raise BadRequest(t("A token does not last that long."), t("Choose one of the durations."), param="lasts")
    name, service = asked.form.get("name", "").strip(), asked.form.get("kind") == "service"
    token = Token(
        name=name,
        owner=_service(asked, name) if service else await _owner_of(asked),
        kind="service" if service else "personal",
        digest=tokens.digest(asked.desk.token_pepper, made),
        hint=tokens.hint(made),
        scopes=_granted(asked),
        created=now,
        expires=now + timedelta(days=int(lasts)) if lasts else None,
    )
    await asked.desk.store.add_token(token, by=asked.person.name)
    return Sent(_made(asked, token, made))


def _service(asked: Asked, name: str) -> str:
    """What the log and the usage call a service: as its token is called."""
    if asked.person.role != "admin":
        raise NotAllowed(t("Only administrators make tokens of services."), t("Ask one."), param="kind")
    return name


async def _owner_of(asked: Asked) -> str:
    typed = asked.form.get("owner", "").strip()
    if typed and typed != asked.person.name:
        if asked.person.role != "admin":
            raise NotAllowed(t("You can make tokens for yourself only."), t("Ask an administrator."), param="owner")
        if not (known := await _known(asked, typed)):
            raise Unknown(
                t("There is no user named {typed}.", typed=f"{typed[:100]!r}"),
                t("Add or invite them first."),
                param="owner",
            )
        return known
    return asked.person.name


def _granted(asked: Asked) -> frozenset[str]:
    wanted = frozenset(asked.lists.get("scope", ()))
    if not wanted or wanted - set(OFFERED_SCOPES):
        raise BadRequest(t("A token must be good for something."), t("Choose what it may do."), param="scope")
    if wanted & ADMINISTRATION and asked.person.role != "admin":
        raise NotAllowed(t("Only administrators make tokens that change things."), t("Leave that out."), param="scope")
    return wanted


def _made(asked: Asked, token: Token, made: str) -> Renderable:
    return page(
        asked,
        t("A new token"),
        h1[rich("The token {name}", name=token.name)],
        div(".note.good", role="status")[p[t("This is the only time that it is shown. Copy it now, or use it below.")]],
        copied("token", made),
        _directory(asked) if "scim" in token.scopes else None,
        h2[t("Connect your editor")],
        reach(asked),
        setups(asked, made, token.scopes, h3),
        p[a(".button", href=asked.path)[t("Back to the tokens")]],
    )


def _directory(asked: Asked) -> Node:
    """Where a directory provisions people with this token."""
    return [
        h2[t("Provision from a directory (SCIM 2.0)")],
        p(".soft")[t("Enter the token as secret or bearer token, and as tenant or base URL:")],
        copied("scim", f"{address_of(asked)}/scim/v2"),
    ]


PAGE = Page(
    path="/console/tokens",
    title=mark("Tokens"),
    see="user",
    change="user",
    view=view,
    acts={"add": add, "revoke": revoke},
    menu="People",
    order=10,
)
