"""Single sign-on as an administrator sets it, with everything that the provider must be told, and a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from htpy import Renderable, a, aside, button, code, div, form, h1, h2, li, p, pre, span, ul
from htpy import input as control

from homeport.access import sso
from homeport.access.sso_check import Step, examine
from homeport.console import Asked, Page, Sent, go
from homeport.console._connect import reach
from homeport.console._desk import SIGN_IN
from homeport.console._forms import check, choice, lines, text
from homeport.console._layout import guard, page, problem
from homeport.console._sso import HERE, chosen, client, secret_of, values
from homeport.console._texts import choices, mark, t
from homeport.console._told import in_words, told
from homeport.domain.errors import BadConfiguration, BadRequest, HomeportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from htpy import Node

TITLE = mark("Single sign-on")
PROVISIONED = (
    ("off", mark("By nothing: they connect their account themselves")),
    ("sub", mark("Its externalId is their subject (Okta, Keycloak)")),
    ("oid", mark("Its externalId is their object id (Microsoft Entra ID)")),
    ("email", mark("Its userName is their proven e-mail address")),
)
OTHERS = (("user", mark("They sign in as users")), ("refuse", mark("They are not let in")))
SIGNS = {"ok": ("good", "✓", mark("done")), "warn": ("warn", "!", mark("odd")), "fail": ("bad", "✗", mark("failed"))}
_SWITCHES = ("sso_create", "sso_passwords")


async def view(asked: Asked) -> Renderable:
    """What is set, and the form."""
    return await _drawn(asked, None)


async def _drawn(asked: Asked, steps: Sequence[Step] | None) -> Renderable:
    said = values(asked.desk)
    may = asked.person.role == "admin"
    return page(
        asked,
        t(TITLE),
        div(".top")[h1[t(TITLE)], _try(asked) if may else None],
        p(".lead")[t("People sign in with an account of your organisation: any provider that speaks OpenID Connect.")],
        problem(asked),
        _wrong(said),
        _told(steps) if steps is not None else None,
        div(".beside")[await _form(asked, said, may=may), _aside(asked)],
    )


def _try(asked: Asked) -> Node:
    if chosen(asked.desk) is None:
        return None
    return div(".buttons")[a(".button", href=f"{HERE}?test", hx_boost="false")[t("Test sign-in")]]


def _wrong(said: dict[str, str]) -> Node:
    """What is wrong with what is set: a configuration file may say anything."""
    try:
        sso.read(said)
    except BadRequest as error:
        return div(".note.bad")[p[f"{t('As it is set, nobody can use it.')} {in_words(error)}"]]
    return None


def _told(steps: Sequence[Step]) -> Renderable:
    return div(".card", role="status")[
        h2[t("What the check found")],
        ul(".steps")[[_step(step) for step in steps]],
    ]


def _step(step: Step) -> Renderable:
    shade, sign, word = SIGNS[step.status]
    return li[
        span(class_=shade, title=t(word))[sign],
        span[told(step.saw)],
        span(".fix")[told(step.fix)] if step.fix else None,
    ]


def _aside(asked: Asked) -> Renderable:
    """What the provider wants to know."""
    return aside[
        div(".card")[
            h2[t("Tell the provider")],
            p[t("Register Homeport there as a web application with these addresses:")],
            _copied("redirect", t("Redirect URI"), asked.address + HERE),
            _copied("after", t("After signing out"), asked.address + SIGN_IN),
            reach(asked),
        ],
        div(".card")[
            h2[t("Nobody is locked out")],
            p[t("Whoever runs the server makes a link that signs anybody in once, whatever the provider does:")],
            p[code["homeport users code NAME"]],
        ],
    ]


def _copied(key: str, called: str, value: str) -> Renderable:
    return div[
        div(".label")[called],
        div(".copied")[
            pre(".whole", tabindex="0")[code(id=key)[value]],
            button(type="button", data_copy=key, data_scripted=True, hidden=True)[t("Copy")],
        ],
    ]


async def _form(asked: Asked, said: dict[str, str], *, may: bool) -> Renderable:
    shown = {**said, **_typed(asked)} if asked.form else said
    return form(".stack.card", method="post", action=asked.path, autocomplete="off")[
        guard(asked, "save"),
        None if may else p(".note")[t("An administrator may change this.")],
        control(type="hidden", name="was", value=sso.mark(said)),
        _provider(asked, shown),
        await _secret(asked, said),
        _roles(asked, shown),
        _access(asked, shown),
        _doings() if may else None,
    ]


def _doings() -> Renderable:
    return div(".buttons")[
        button(".first", type="submit")[t("Save")],
        button(type="submit", name="do", value="check")[t("Check the provider")],
    ]


def _tied(asked: Asked, name: str, tip: str) -> tuple[str, dict[str, Any]]:
    """The help of a field; one that was set before the start cannot be changed here."""
    if asked.person.role == "admin" and not sso.given(asked.desk.settings, name):
        return tip, {}
    by = (
        t("Set before the start: {name}.", name=f"HOMEPORT_{name.upper()}")
        if sso.given(asked.desk.settings, name)
        else tip
    )
    return by, {"disabled": True}


def _line(asked: Asked, shown: dict[str, str], name: str, called: str, tip: str) -> Renderable:
    told, more = _tied(asked, name, tip)
    return text(name, called, shown.get(name, ""), told, maxlength=500, spellcheck="false", **more)


def _several(asked: Asked, shown: dict[str, str], name: str, called: str, tip: str) -> Renderable:
    told, more = _tied(asked, name, tip)
    return lines(name, called, "\n".join(sso.listed(shown.get(name, ""))), told, rows="2", spellcheck="false", **more)


def _provider(asked: Asked, shown: dict[str, str]) -> Node:
    issuer = t("As the provider writes it, for example https://sso.example.com/realms/main. Empty switches it off.")
    return [
        h2[t("The provider")],
        _line(asked, shown, "sso_issuer", t("Issuer"), issuer),
        _line(asked, shown, "sso_client_id", t("Client id"), t("What Homeport is called there.")),
        _line(
            asked, shown, "sso_name", t("Name"), t("The button reads: Continue with NAME. Empty: the provider's host.")
        ),
        _line(asked, shown, "sso_scopes", t("Scopes"), t("With spaces between; openid must be one of them.")),
    ]


async def _secret(asked: Asked, said: dict[str, str]) -> Renderable:
    """Written and never shown; a reference is no secret."""
    try:
        kept = await secret_of(asked.desk, said.get("sso_issuer", ""))
    except HomeportError as error:
        kept, state = "", in_words(error)
    else:
        state = t("One is stored; leave this empty to keep it.") if kept else t("None is stored.")
    told, more = _tied(
        asked, sso.SECRET, t("{state} Or say where it is: env:VARIABLE or file:/absolute/path.", state=state)
    )
    more = {} if asked.person.role == "admin" and not _secret_given(asked) else {"disabled": True}
    if _secret_given(asked):
        told = t("Set before the start: {name}.", name="HOMEPORT_SSO_CLIENT_SECRET")
    return div(".stack")[
        text(
            sso.SECRET,
            t("Client secret"),
            "",
            told,
            type="password",
            autocomplete="new-password",
            maxlength=4000,
            **more,
        ),
        check(
            "forget", t("Forget the stored secret"), on=False, tip=t("For a public client, which PKCE alone protects.")
        )
        if kept and not more
        else None,
    ]


def _secret_given(asked: Asked) -> bool:
    return bool(asked.desk.settings.sso_client_secret.get_secret_value())


def _roles(asked: Asked, shown: dict[str, str]) -> Renderable:
    told, more = _tied(asked, "sso_others", t("Without any value above, roles are given in Homeport, under People."))
    claim = t("Roles come from it, at every sign-in; also a path such as realm_access.roles.")
    return div(".group")[
        h2[t("Roles")],
        _line(asked, shown, "sso_claim", t("Claim"), claim),
        div(".pair")[
            _several(asked, shown, "sso_admins", t("Makes administrators"), t("Values of the claim, one a line.")),
            _several(asked, shown, "sso_auditors", t("Makes auditors"), t("Values of the claim, one a line.")),
        ],
        choice("sso_others", t("Everybody else"), choices(OTHERS), shown.get("sso_others", "user"), told, **more),
    ]


def _access(asked: Asked, shown: dict[str, str]) -> Renderable:
    domains = t(
        "Only people with a proven e-mail address of these, one a line; empty: everybody whom the provider knows."
    )
    told, more = _tied(asked, "sso_provisioned", t("Once, for users who have never signed in otherwise."))
    known = t("An account that SCIM provisioned is known by")
    return div(".group")[
        h2[t("Who gets in")],
        choice("sso_provisioned", known, choices(PROVISIONED), shown.get("sso_provisioned", "off"), told, **more),
        _several(asked, shown, "sso_domains", t("E-mail domains"), domains),
        _switch(
            asked, shown, "sso_create", t("Make an account for somebody new"), t("Else only connected accounts get in.")
        ),
        _switch(asked, shown, "sso_passwords", t("Passwords sign in, too"), t("Sign-in links always do.")),
    ]


def _switch(asked: Asked, shown: dict[str, str], name: str, called: str, tip: str) -> Renderable:
    told, more = _tied(asked, name, tip)
    drawn = check(name, called, on=shown.get(name, "on") == "on", tip=told)
    return div[drawn] if not more else div(".field")[_still(name, called, on=shown.get(name, "on") == "on", tip=told)]


def _still(name: str, called: str, *, on: bool, tip: str) -> Node:
    return [
        div(".check")[control(type="checkbox", checked=on, disabled=True, id=name, aria_label=called), span[called]],
        span(".help")[tip],
    ]


# what forms do


def _typed(asked: Asked) -> dict[str, str]:
    """What the form says of the settings that may be changed here."""
    free = [name for name in sso.NAMES if not sso.given(asked.desk.settings, name)]
    said = {name: asked.form.get(name, "").strip() for name in free if name not in _SWITCHES}
    return said | {name: "on" if asked.form.get(name) == "on" else "off" for name in _SWITCHES if name in free}


async def save(asked: Asked) -> Sent:
    """Store what was typed, all at once."""
    desk, typed = asked.desk, _typed(asked)
    changes = sso.changed(values(desk), typed)
    before, after = values(desk).get("sso_issuer", ""), {**values(desk), **typed}.get("sso_issuer", "")
    given = asked.form.get(sso.SECRET, "").strip()
    sso.check_secret(given)
    moved = before != after and bool(await _stored(asked, before))
    gone = asked.form.get("forget") == "on" or (moved and not given)
    secret = (sso.SECRET, after, given) if given or gone else None
    closes = after if typed.get("sso_passwords") == "off" else ""
    seen = sso.as_seen(desk.settings, asked.form.get("was", ""))
    await desk.store.set_single_sign_on(changes, secret, closes=closes, check=seen, by=asked.person.name)
    return go(f"{asked.path}?said={'moved' if moved and not given else 'saved'}&about={TITLE}")


async def _stored(asked: Asked, issuer: str) -> str:
    """The secret that would be lost; one that cannot be read is one too."""
    try:
        return "" if _secret_given(asked) else await secret_of(asked.desk, issuer)
    except BadConfiguration as error:
        return error.saw


async def check_provider(asked: Asked) -> Sent:
    """Ask the provider with what was typed; nothing is stored."""
    desk = asked.desk
    wanted = sso.read({**values(desk), **_typed(asked)})
    if wanted is None:
        raise BadRequest(t("There is no issuer to ask."), t("Fill it in first."), param="sso_issuer")
    given = asked.form.get(sso.SECRET, "").strip()
    sso.check_secret(given)
    try:
        who = client(asked, wanted, given or await secret_of(desk, wanted.issuer))
    except BadConfiguration as error:
        return Sent(await _drawn(asked, [Step("fail", error.saw, error.fix)]))
    return Sent(await _drawn(asked, await examine(desk.upstream, wanted, who)))


PAGE = Page(
    path="/console/single-sign-on",
    title=TITLE,
    see="auditor",
    view=view,
    acts={"save": save, "check": check_provider},
    menu="People",
    order=30,
)
