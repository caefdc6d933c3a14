"""Tokens: what programs and editors send. Made here, shown once, and put into the set-up of each client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from htpy import (
    Renderable,
    a,
    button,
    code,
    datalist,
    details,
    div,
    fieldset,
    form,
    h1,
    h2,
    legend,
    option,
    p,
    pre,
    span,
    summary,
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
from homeport.console._forms import PER_PAGE, choice, finder, page_of, pager, sifter, text, ticked
from homeport.console._layout import guard, page, problem
from homeport.domain.errors import BadRequest, NotAllowed
from homeport.domain.models import Token

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from htpy import Node

USUAL = frozenset({"complete_code", "generate_code", "duo_chat", "read_models"})
LASTS = (("7", "a week"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "as long as it is not revoked"))
STATES = (("", "Those that work"), ("all", "Also ended ones"))
BRIEF = {"complete_code": "completion", "generate_code": "generation", "duo_chat": "chat", "admin": "administration"}
OFFERED = 200
NAMED = 4
"""Scopes of a token that are spelt out in the list."""
NAME = {"required": True, "maxlength": 100}
PLACEHOLDER = "YOUR-TOKEN"


async def view(asked: Asked) -> Renderable:
    """The list, with whatever was asked for above it."""
    found, shut_out = await _listed(asked)
    wanted = [each for each in found if _matches(asked, each, shut_out)]
    new = "new" in asked.query or asked.form.get("do") == "add"
    people = await _people(asked) if new and asked.person.role == "admin" else []
    return page(
        asked,
        "Tokens",
        div(".top")[h1["Tokens"], div(".buttons")[_links(new=new)]],
        p(".lead")["A token lets an editor or a program ask. Give each its own: then you can end one alone."],
        None if new else problem(asked),
        _to_revoke(asked, found) if "revoke" in asked.query else None,
        _form(asked, people) if new else None,
        div[h2["Connect your editor"], _setups(asked, PLACEHOLDER, USUAL)] if "connect" in asked.query else None,
        _filter(asked) if found else None,
        _table(asked, wanted, shut_out) if wanted else _nothing(asked, any_=bool(found)),
    )


async def _listed(asked: Asked) -> tuple[list[Token], frozenset[str]]:
    """The tokens that this person may see, newest first, and who may not sign in."""
    every = await asked.desk.store.tokens()
    sees_all = RANK[asked.person.role] >= RANK["auditor"]
    shut_out = frozenset(user.name for user in await asked.desk.store.users() if user.disabled)
    return [each for each in reversed(every) if sees_all or each.owner == asked.person.name], shut_out


async def _people(asked: Asked) -> list[str]:
    """Who is offered as owner; where they are too many to choose from, the name is typed."""
    names = [user.name for user in await asked.desk.store.users() if not user.disabled]
    return names if len(names) <= OFFERED else []


def _matches(asked: Asked, token: Token, shut_out: Collection[str]) -> bool:
    typed = asked.query.get("find", "").strip().lower()
    named = typed in token.name.lower() or typed in token.owner.lower() or typed == token.hint.lower()
    return named and (asked.query.get("state") == "all" or _state(token, shut_out) in {"works", "owner disabled"})


def _state(token: Token, shut_out: Collection[str]) -> str:
    if token.revoked is not None:
        return "revoked"
    if token.expires is not None and token.expires <= datetime.now(UTC):
        return "expired"
    return "owner disabled" if token.owner in shut_out else "works"


def _links(*, new: bool) -> Iterator[Renderable]:
    yield a(".button", href="/console/tokens?connect")["Connect your editor"]
    if not new:
        yield a(".button.first", href="/console/tokens?new")["Make a token"]


def _filter(asked: Asked) -> Renderable:
    return finder(asked, "Name, owner or last characters", sifter(asked, "state", "State", STATES))


def _nothing(asked: Asked, *, any_: bool) -> Renderable:
    if any_:
        return div(".empty")[h2["No token is like this"], p[a(href=asked.path)["Show those that work"]]]
    return div(".empty")[
        h2["No tokens yet"],
        p["Make one for your editor; what to enter where is shown with it."],
        p[a(".button.first", href="/console/tokens?new")["Make a token"]],
    ]


# the list


def _table(asked: Asked, found: Sequence[Token], shut_out: Collection[str]) -> Node:
    first = (page_of(asked) - 1) * PER_PAGE
    heads = ("Name", "Owner", "May", "Expires", "Last used", "State", "")
    return [
        div(".scroll")[
            table(".wide")[
                thead[tr[(th(scope="col")[head] for head in heads)]],
                tbody[(_row(asked, each, _state(each, shut_out)) for each in found[first : first + PER_PAGE])],
            ]
        ],
        pager(asked, len(found)),
    ]


def _row(asked: Asked, token: Token, state: str) -> Renderable:
    pill = {"works": "good", "revoked": "bad"}.get(state, "warn")
    mine = asked.person.role == "admin" or token.owner == asked.person.name
    address = f"?{urlencode({'revoke': token.name})}"
    return tr[
        th(scope="row")[token.name, span(".sub")[f"ends with {token.hint}"]],
        td(data_label="Owner")[token.owner],
        td(data_label="May")[_scopes(token.scopes)],
        td(".nowrap", data_label="Expires")[_moment(token.expires, "never")],
        td(".nowrap", data_label="Last used")[_moment(token.last_used, "not yet")],
        td(data_label="State")[span(class_=["pill", pill])[state]],
        td[a(href=address, aria_label=f"Revoke {token.name}")["Revoke"] if mine and not token.revoked else None],
    ]


def _moment(at: datetime | None, otherwise: str) -> Node:
    return time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"] if at else span(".soft")[otherwise]


def _scopes(scopes: frozenset[str]) -> str:
    """What a token may do, in words; the usual ones first."""
    if scopes >= SCOPES.keys():
        return "everything"
    names = [name for name in SCOPES if name in scopes and (name != "read_models" or len(scopes) == 1)]
    words = [BRIEF.get(name) or SCOPES[name].partition(",")[0].lower() for name in names[:NAMED]]
    unknown = sorted(scopes - SCOPES.keys())
    more = len(names) - NAMED
    return ", ".join([*words, *unknown, *([f"and {more} more"] if more > 0 else [])])


def _to_revoke(asked: Asked, found: Sequence[Token]) -> Node:
    """The question before the end of a token; a link in a list must not end one."""
    name = asked.query["revoke"]
    token = next((each for each in found if each.name == name and each.revoked is None), None)
    if token is None:
        return None
    used = ("It was last used ", _moment(token.last_used, ""), ". ") if token.last_used else "It was not used yet. "
    return div(".card", role="alertdialog", aria_labelledby="revoke")[
        h2(id="revoke")["Revoke ", token.name, "?"],
        p[used, "Whatever still sends it is refused within two seconds. This cannot be undone."],
        form(".buttons", method="post", action=asked.path)[
            guard(asked, "revoke"),
            control(type="hidden", name="name", value=name),
            button(".danger", type="submit")["Revoke it"],
            a(".button", href=asked.path)["Keep it"],
        ],
    ]


async def revoke(asked: Asked) -> Sent:
    """End a token; who is no administrator, only an own one."""
    owner = None if asked.person.role == "admin" else asked.person.name
    name = asked.form.get("name", "")
    await asked.desk.store.revoke_token(name, by=asked.person.name, owner=owner)
    return go(f"{asked.path}?said=revoked&about={quote(name)}")


# a new one


def _form(asked: Asked, people: Sequence[str]) -> Renderable:
    return form(".stack.card", method="post", action=asked.path, autocomplete="off")[
        guard(asked, "add"),
        h2["A new token"],
        problem(asked),
        text("name", "Name", asked.form.get("name", ""), "What you will know it by.", **NAME, autofocus=True),
        _owner(asked, people) if asked.person.role == "admin" else None,
        fieldset[
            legend["It may"],
            (
                ticked(asked, "scope", each, SCOPES[each], on=each in USUAL)
                for each in COMMON
                if each != "admin" or asked.person.role == "admin"
            ),
        ],
        choice("lasts", "It works for", LASTS, asked.form.get("lasts", "90")),
        div(".buttons")[button(".first", type="submit")["Make it"], a(".button", href=asked.path)["Cancel"]],
    ]


def _owner(asked: Asked, people: Sequence[str]) -> Node:
    explained = "A person, or a name for a program. Whoever signs in under this name sees and may revoke it."
    return [
        text("owner", "Owner", asked.form.get("owner", asked.person.name), explained, **NAME, list="people"),
        datalist(id="people")[(option(value=each) for each in people)],
    ]


async def add(asked: Asked) -> Sent:
    """Make a token; it is on the page that answers and nowhere else."""
    made, now = tokens.mint(), datetime.now(UTC)
    lasts = asked.form.get("lasts", "90")
    if lasts not in dict(LASTS):
        raise BadRequest("A token does not last that long.", "Choose one of the durations.", param="lasts")
    token = Token(
        name=asked.form.get("name", "").strip(),
        owner=_owner_of(asked),
        digest=tokens.digest(asked.desk.token_pepper, made),
        hint=tokens.hint(made),
        scopes=_granted(asked),
        created=now,
        expires=now + timedelta(days=int(lasts)) if lasts else None,
    )
    await asked.desk.store.add_token(token, by=asked.person.name)
    return Sent(_made(asked, token, made))


def _owner_of(asked: Asked) -> str:
    typed = asked.form.get("owner", "").strip()
    if typed and typed != asked.person.name and asked.person.role != "admin":
        raise NotAllowed("You can make tokens for yourself only.", "Ask an administrator.", param="owner")
    return typed or asked.person.name


def _granted(asked: Asked) -> frozenset[str]:
    wanted = frozenset(asked.lists.get("scope", ()))
    if not wanted or wanted - set(COMMON):
        raise BadRequest("A token must be good for something.", "Choose what it may do.", param="scope")
    if "admin" in wanted and asked.person.role != "admin":
        raise NotAllowed("Only administrators make tokens that change things.", "Leave that out.", param="scope")
    return wanted


def _made(asked: Asked, token: Token, made: str) -> Renderable:
    return page(
        asked,
        "A new token",
        h1["The token ", token.name],
        div(".note.good", role="status")[p["This is the only time that it is shown. Copy it now, or use it below."]],
        _copied("token", made),
        h2["Connect your editor"],
        _setups(asked, made, token.scopes),
        p[a(".button", href=asked.path)["Back to the tokens"]],
    )


# what to enter where


class Setup(NamedTuple):
    """How one client is told where to ask."""

    client: str
    where: str
    """Where the text goes."""
    scope: str
    """What the token must be good for."""
    text: str
    """With @ADDRESS@ and @TOKEN@ in it."""


SETUPS: Mapping[str, Setup] = {
    "curl": Setup(
        "curl",
        "In a terminal:",
        "complete_code",
        """curl -s @ADDRESS@/v1/completions \\
  -H "Authorization: Bearer @TOKEN@" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "code_completions", "prompt": "def add(a, b):\\n    ", "suffix": "\\n"}'""",
    ),
    "python": Setup(
        "OpenAI SDK",
        "In Python; other languages take the same base URL and key:",
        "duo_chat",
        """from openai import OpenAI

client = OpenAI(base_url="@ADDRESS@/v1", api_key="@TOKEN@")
answer = client.chat.completions.create(
    model="chat",
    messages=[{"role": "user", "content": "Write a regular expression for a hex colour."}],
)
print(answer.choices[0].message.content)""",
    ),
    "continue": Setup(
        "Continue (VS Code, JetBrains)",
        "Chat and edit, in ~/.continue/config.yaml:",
        "duo_chat",
        """name: Homeport
version: 1.0.0
schema: v1
models:
  - name: Homeport
    provider: openai
    model: chat
    apiBase: @ADDRESS@/v1
    apiKey: @TOKEN@
    roles: [chat, edit, apply]""",
    ),
    "aider": Setup(
        "aider",
        "In a terminal, in the repository that you work on:",
        "duo_chat",
        "aider --openai-api-base @ADDRESS@/v1 --openai-api-key @TOKEN@ --model openai/chat",
    ),
    "zed": Setup(
        "Zed",
        "Into settings.json; enter the token under Agent Settings, LLM Providers, or as HOMEPORT_API_KEY:",
        "duo_chat",
        """{
  "language_models": {
    "openai_compatible": {
      "Homeport": {
        "api_url": "@ADDRESS@/v1",
        "available_models": [{"name": "chat", "display_name": "Homeport", "max_tokens": 32768}]
      }
    }
  }
}""",
    ),
    "homeport": Setup(
        "Homeport's own command line",
        "In a terminal:",
        "duo_chat",
        """export HOMEPORT_URL=@ADDRESS@
export HOMEPORT_TOKEN=@TOKEN@
homeport chat "What does HTTP stand for?\"""",
    ),
    "other": Setup(
        "Any other",
        "Whatever takes an OpenAI-compatible server. For completion choose the completions API, not chat:",
        "",
        """base URL  @ADDRESS@/v1
API key   @TOKEN@
model     code_completions, chat, or the name of a model""",
    ),
}
"""By the id that each has on the page."""
GITLAB = (
    "It signs in to GitLab with GitLab's own token, and GitLab asks Homeport: this token is not needed. "
    "An administrator of GitLab enters this address in the Admin area, under GitLab Duo, Change configuration, "
    "Local AI Gateway URL."
)


def _setups(asked: Asked, token: str, scopes: frozenset[str]) -> Node:
    address = asked.address or f"http://127.0.0.1:{asked.desk.settings.port}"
    fit = {key: each for key, each in SETUPS.items() if not each.scope or each.scope in scopes}
    return [
        (
            details(open=number == 0)[
                summary[each.client],
                div[
                    p(".soft")[each.where],
                    _copied(f"setup-{key}", each.text.replace("@ADDRESS@", address).replace("@TOKEN@", token)),
                ],
            ]
            for number, (key, each) in enumerate(fit.items())
        ),
        details[
            summary["GitLab's editor extension"],
            div[
                p(".soft")[GITLAB],
                _copied("setup-gitlab", address),
            ],
        ],
    ]


def _copied(key: str, value: str) -> Renderable:
    return div(".copied")[
        pre(tabindex="0")[code(id=key)[value]],
        button(type="button", data_copy=key, data_scripted=True, hidden=True)["Copy"],
    ]


PAGE = Page(
    path="/console/tokens",
    title="Tokens",
    see="user",
    change="user",
    view=view,
    acts={"add": add, "revoke": revoke},
    menu="People",
    order=10,
)
