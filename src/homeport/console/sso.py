"""Single sign-on: to the provider and back, connecting an account, and trying it out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import structlog
from htpy import Renderable, a, button, code, dd, div, dl, dt, form, h1, p

from homeport.access import errand as errands
from homeport.access import id_token, jwt, oidc, sessions, sso
from homeport.console import Asked, Page, Sent, go
from homeport.console._desk import SIGN_IN, cookie, safely
from homeport.console._layout import CALLED, guard, page, problem
from homeport.console._sso import HERE, client, secret_of, values
from homeport.console._texts import mark, rich, t
from homeport.console._told import in_words, told
from homeport.domain.errors import (
    BadRequest,
    CallerError,
    HomeportError,
    NotAllowed,
    SetupError,
    UpstreamError,
    UpstreamMalformed,
)
from homeport.store.records import Arrival

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.access.errand import Errand, What
    from homeport.access.sso import SingleSignOn

log = structlog.get_logger()

COOKIE = "homeport-sso"
CODE = 4096
"""Characters that a code may have."""
_SHOWN = 200
_AGAIN = mark("Begin again from the sign-in page.")
_ANSWERS: Mapping[str, tuple[str, str]] = {
    "access_denied": (
        mark("The provider did not let you in, or you cancelled."),
        mark("Try again, or ask whoever runs it."),
    ),
    "login_required": (mark("The provider wants you to sign in there first."), _AGAIN),
    "consent_required": (mark("The provider wants your consent first."), _AGAIN),
    "interaction_required": (mark("The provider wants to ask you something first."), _AGAIN),
    "account_selection_required": (mark("The provider wants you to choose an account first."), _AGAIN),
    "unauthorized_client": (
        mark("The provider does not let Homeport ask for codes."),
        mark("Allow its client the code flow."),
    ),
    "invalid_scope": (mark("The provider does not know one of the scopes."), mark("Change them in the settings here.")),
    "invalid_request": (mark("The provider found Homeport's request wrong."), mark("Its log says why.")),
    "unsupported_response_type": (
        mark("The provider does not offer the code flow."),
        mark("Allow it for Homeport's client."),
    ),
    "server_error": (mark("The provider failed."), mark("Try again; if it stays so, ask whoever runs it.")),
    "temporarily_unavailable": (mark("The provider is busy."), mark("Try again in a moment.")),
}
"""What a provider may say instead of a code (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6)."""


class Vouched(NamedTuple):
    """What came of a trip to the provider."""

    sso: SingleSignOn
    claims: dict[str, Any]


async def view(asked: Asked) -> Renderable | Sent:
    """On to the provider, or back from it; what goes wrong is told here."""
    try:
        if asked.query.keys() & {"state", "code", "error"}:
            return await _back(asked)
        if "leave" in asked.query:
            return await _leave(asked)
        if "connect" in asked.query or asked.problem:
            return await _connecting(asked)
        return await _begin(asked)
    except HomeportError as error:
        return _failed(asked, error)


def _set(asked: Asked) -> SingleSignOn:
    """How it is set; raises BadRequest where it is not, or NotAllowed for settings that cannot be."""
    try:
        found = sso.read(values(asked.desk))
    except BadRequest as error:
        log.warning("single sign-on is set wrongly", setting=error.param, reason=error.saw)
        raise NotAllowed(
            mark("Single sign-on is not set up rightly."), mark("An administrator sees in its settings why.")
        ) from error
    if found is None:
        raise BadRequest(
            mark("Single sign-on is not set up here."), mark("Sign in with your password, or with a link.")
        )
    if not asked.address:
        raise BadRequest(mark("The browser did not say how it reached Homeport."), mark("Set HOMEPORT_URL."))
    return found


# to the provider


async def _begin(asked: Asked) -> Sent:
    """On to the provider; somebody who is signed in goes on at once."""
    test, wanted = "test" in asked.query, errands.inside(asked.query.get("next", ""))
    if test and asked.person.role != "admin":
        raise NotAllowed(mark("Only an administrator tries single sign-on out."), mark("Ask one."))
    if not test and asked.person.role != "anyone":
        return go(wanted)
    where, kept = await _way(asked, "test" if test else "sign-in", wanted)
    return go(where, kept)


async def _way(asked: Asked, what: What, wanted: str = "") -> tuple[str, tuple[bytes, bytes]]:
    """The provider's address with everything it must know, and the cookie that the browser keeps meanwhile."""
    desk, chosen = asked.desk, _set(asked)
    known = await desk.single_sign_on.find(desk.upstream, chosen.issuer)
    errand = errands.begin(chosen.issuer, time.time(), what, wanted, asked.person.session.hex())
    said = {
        "state": errand.state,
        "nonce": errands.nonce(desk.pepper, errand),
        "code_challenge": errands.challenge(errands.verifier(desk.pepper, errand)),
    }
    # a secret that cannot be had is told before anybody types a password at the provider
    who = client(asked, chosen, await secret_of(desk, chosen.issuer))
    where = oidc.authorize(known.provider, who, chosen.scopes, said)
    return where, _kept(asked, errands.pack(desk.pepper, errand))


def _kept(asked: Asked, value: str) -> tuple[bytes, bytes]:
    return cookie(value, secure=asked.secure, name=COOKIE, lasts_s=int(errands.LASTS_S))


# and back


async def _back(asked: Asked) -> Renderable | Sent:
    """What the provider answered, for the browser that was sent there and no other."""
    errand = await _errand(asked)
    vouched = await _vouched(asked, errand)
    if errand.what == "test":
        return _tried(asked, errand, vouched)
    try:
        found = sso.person(vouched.sso, vouched.claims)
        if errand.what == "connect":
            return await _connected(asked, errand, found)
        return await _entered(asked, errand, vouched.sso, found)
    except CallerError as error:
        who = sso.called(vouched.claims) or str(vouched.claims["sub"])
        await asked.desk.store.refused(who, error.saw, vouched.sso.issuer)
        raise


async def _errand(asked: Asked) -> Errand:
    """What this browser went for; each once. Raises BadRequest."""
    pepper, said = asked.desk.pepper, asked.query.get("state", "")
    found = errands.unpack(pepper, asked.cookies.get(safely(COOKIE, secure=asked.secure), ""), time.time())
    if found is None:
        saw = mark("This browser did not begin a sign-in within the last ten minutes.")
        raise BadRequest(
            saw, mark("Begin again from the sign-in page. It must be the same browser, and it must keep cookies.")
        )
    if not sessions.same(said, found.state):
        raise BadRequest(
            mark("The answer belongs to another sign-in than the one that this browser began last."), _AGAIN
        )
    until = datetime.fromtimestamp(found.until, UTC)
    if not await asked.desk.store.use_state(sessions.digest(pepper, found.state), until):
        raise BadRequest(mark("This answer of the provider was used already."), _AGAIN)
    return found


async def _vouched(asked: Asked, errand: Errand) -> Vouched:
    """Who it is, proven; raises a HomeportError that says what is wrong."""
    desk, chosen = asked.desk, _set(asked)
    if chosen.issuer != errand.issuer:
        raise BadRequest(mark("Single sign-on was set to another provider in between."), _AGAIN)
    known = await desk.single_sign_on.find(desk.upstream, chosen.issuer)
    given = _code(asked.query, known.provider)
    who = client(asked, chosen, await secret_of(desk, chosen.issuer))
    token, access = await oidc.redeem(desk.upstream, known.provider, who, given, errands.verifier(desk.pepper, errand))
    expected = id_token.Expected(chosen.issuer, chosen.client_id, errands.nonce(desk.pepper, errand))
    claims = await _claims(asked, known, token, expected)
    if sso.lacking(chosen, claims):
        more = await oidc.userinfo(desk.upstream, known.provider, access, claims["sub"])
        claims = {**more, **claims}
    return Vouched(chosen, claims)


def _code(query: Mapping[str, str], provider: oidc.Provider) -> str:
    """The code of an answer; raises BadRequest for another provider's, NotAllowed and others for a refusal."""
    whose = query.get("iss")
    if (whose is None and provider.names_itself) or whose not in {None, provider.issuer}:
        raise BadRequest(mark("The answer is from another provider than the one that was asked."), _AGAIN)
    if "error" in query:
        raise _no_code(query["error"])
    given = query.get("code", "")
    if not 0 < len(given) <= CODE or not given.isprintable() or not given.isascii():
        raise BadRequest(mark("The answer holds no code."), _AGAIN)
    return given


def _no_code(error: str) -> HomeportError:
    unknown = (mark("The provider answered with an error that is not one of the protocol."), _AGAIN)
    saw, fix = _ANSWERS.get(error, unknown)
    return NotAllowed(saw, fix) if error == "access_denied" else BadRequest(saw, fix)


async def _claims(asked: Asked, known: oidc.Known, token: str, expected: id_token.Expected) -> dict[str, Any]:
    """What the token says; with newer keys if it names one that is not known yet."""
    try:
        try:
            return id_token.check(token, known.keys.keys, expected, time.time())
        except id_token.UnknownKey:
            desk = asked.desk
            newer = await desk.single_sign_on.find(desk.upstream, expected.issuer, newer_than=known.at)
            return id_token.check(token, newer.keys.keys, expected, time.time())
    except id_token.OtherNonce as error:
        raise BadRequest(f"The provider's ID token was not accepted. {error}", _AGAIN) from error
    except jwt.Refused as error:
        saw = f"The provider's ID token was not accepted. {error}"
        raise UpstreamMalformed(
            saw, mark("Whoever runs the provider, or set single sign-on up here, can mend it.")
        ) from error


async def _entered(asked: Asked, errand: Errand, chosen: SingleSignOn, found: sso.Person) -> Sent:
    """A new session, whatever was before."""
    desk, value = asked.desk, sessions.mint()
    arrival = Arrival(**found._asdict(), create=chosen.create)
    name = await desk.store.enter(arrival, sessions.digest(desk.pepper, value), sessions.LONGEST)
    log.info("signed in by single sign-on", user=name, issuer=found.issuer)
    return go(errands.inside(errand.next), cookie(value, secure=asked.secure), _kept(asked, ""))


def _failed(asked: Asked, error: HomeportError) -> Sent:
    """What went wrong, for whoever wanted to sign in; more of it is in the log."""
    log.warning(
        "single sign-on failed",
        reason=error.saw,
        code=error.code,
        client=asked.client,
        correlation_id=asked.correlation_id,
        provider_error=asked.query.get("error", "")[:_SHOWN],
        provider_says=asked.query.get("error_description", "")[:_SHOWN],
    )
    stranger = asked.person.role == "anyone"
    kinds = (
        (CallerError, t("You are not signed in") if stranger else t("That did not work")),
        (SetupError, t("Single sign-on is not set up rightly")),
    )
    title = next((said for kind, said in kinds if isinstance(error, kind)), t("The provider did not do its part"))
    drawn = page(
        asked,
        title,
        h1[title],
        div(".note.bad", role="alert")[p[told(error.saw)]],
        p[told(error.fix)],
        div(".buttons")[
            a(".button.first", href=_again(asked))[t("Try again")],
            _elsewhere(asked),
        ],
        p(".soft.small")[
            rich(
                "If you ask somebody about it, tell them this number: {id}",
                id=code[asked.correlation_id],
            )
        ],
    )
    status = error.status if isinstance(error, CallerError | SetupError | UpstreamError) else 503
    return Sent(drawn, status, (_kept(asked, ""),))


def _elsewhere(asked: Asked) -> Renderable:
    if asked.person.role == "anyone":
        return a(".button", href=SIGN_IN)[t("Other ways to sign in")]
    return a(".button", href="/console")[t("Back to the console")]


def _again(asked: Asked) -> str:
    wanted = errands.inside(asked.query.get("next", ""))
    return HERE if wanted == errands.HOME else f"{HERE}?next={quote(wanted)}"


# signing out there, too


async def _leave(asked: Asked) -> Sent:
    """On to where somebody signs out at the provider."""
    desk, chosen = asked.desk, _set(asked)
    known = await desk.single_sign_on.find(desk.upstream, chosen.issuer)
    where = oidc.leave(known.provider, chosen.client_id, asked.address + SIGN_IN)
    if not where:
        raise BadRequest(
            f"{chosen.name} offers no way to sign out from here.",
            mark("Sign out there, or close the browser."),
        )
    return go(where)


# one's own account at the provider


async def _connecting(asked: Asked) -> Renderable | Sent:
    """Who one is at the provider, and the form that changes it."""
    if asked.person.role == "anyone":
        return go(f"{SIGN_IN}?next={quote(HERE + '?connect')}")
    chosen = _set(asked)
    mine = await asked.desk.store.identities(asked.person.name)
    return page(
        asked,
        t("Single sign-on"),
        h1[t("Connected with {name}", name=chosen.name) if mine else t("Connect with {name}", name=chosen.name)],
        p(".lead")[
            rich("Sign in as {name} with your account there, without a password of Homeport's.", name=asked.person.name)
        ],
        problem(asked),
        [
            dl(".facts")[dt[t("Connected")], dd[each.issuer], dt[t("Known there as")], dd[code[each.subject]]]
            for each in mine
        ],
        form(".buttons", method="post", action=HERE)[
            guard(asked, "disconnect" if mine else "connect"),
            button(class_="danger" if mine else "first", type="submit")[t("Disconnect") if mine else t("Connect")],
            a(".button", href="/console/account")[t("Back to the account")],
        ],
    )


async def connect(asked: Asked) -> Sent:
    """A page with the way to the provider: browsers do not let a form lead to another site."""
    if asked.person.role == "anyone":
        raise NotAllowed(mark("Nobody is signed in."), mark("Sign in first."))
    try:
        where, kept = await _way(asked, "connect")
    except HomeportError as error:
        return _failed(asked, error)
    drawn = page(
        asked,
        t("Single sign-on"),
        h1[t("Sign in there once")],
        p(".lead")[rich("Whoever you are there opens the account {name} from now on.", name=asked.person.name)],
        div(".buttons")[a(".button.first", href=where, hx_boost="false")[t("Continue to the provider")]],
    )
    return Sent(drawn, headers=(kept,))


async def disconnect(asked: Asked) -> Sent:
    """Let nobody from a provider into this account."""
    if asked.person.role == "anyone":
        raise NotAllowed(mark("Nobody is signed in."), mark("Sign in first."))
    await asked.desk.store.unlink_identities(asked.person.name, by=asked.person.name)
    return go(f"{HERE}?connect&said=disconnected")


async def _connected(asked: Asked, errand: Errand, found: sso.Person) -> Sent:
    _same_session(asked, errand)
    name = asked.person.name
    await asked.desk.store.link_identity(found.issuer, found.subject, name, by=name)
    return go(f"{HERE}?connect&said=connected", _kept(asked, ""))


def _same_session(asked: Asked, errand: Errand) -> None:
    if not errand.session or errand.session != asked.person.session.hex():
        raise NotAllowed(mark("Somebody else signed in to Homeport in between."), mark("Begin again."))


# trying it out


def _tried(asked: Asked, errand: Errand, vouched: Vouched) -> Sent:
    """What the provider says of an administrator, and what it would make of them; nothing was changed."""
    _same_session(asked, errand)
    chosen, claims = vouched
    title = t("It works")
    try:
        role = sso.person(chosen, claims).role
        outcome = (
            t("They sign in as {role}.", role=t(CALLED[role]))
            if role
            else t("They keep their role; somebody new is a user.")
        )
    except NotAllowed as error:
        title, outcome = t("You would not be let in"), in_words(error)
    facts = {
        t("Subject"): claims["sub"],
        t("Name of a new account"): sso.called(claims)
        or t("none: neither a proven e-mail address nor preferred_username"),
        t("Proven e-mail address"): sso.proven_email(claims) or t("none"),
        t("Provisioned as"): "".join(sso.provisioned(chosen, claims)) or t("not looked for, or the claim is not there"),
        t("Claim {name}", name=chosen.claim): ", ".join(sso.values_of(claims, chosen.claim)) or t("not there"),
        t("All claims"): ", ".join(sorted(claims)),
        t("What that makes"): outcome,
    }
    drawn = page(
        asked,
        title,
        h1[title],
        p(".lead")[rich("{name} vouches for you. Nothing was changed and nobody was signed in.", name=chosen.name)],
        dl(".facts")[[(dt[name], dd[str(value)[:1000]]) for name, value in facts.items()]],
        div(".buttons")[a(".button.first", href="/console/single-sign-on")[t("Back to the settings")]],
    )
    return Sent(drawn, headers=(_kept(asked, ""),))


PAGE = Page(
    path=HERE,
    title=mark("Single sign-on"),
    see="anyone",
    change="anyone",
    view=view,
    acts={"connect": connect, "disconnect": disconnect},
    order=0,
)
