"""Behind every page: who looks, may they, is the form theirs, and what comes of it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote

from htpy import h1, p

from homeport.access import sessions
from homeport.console import RANK, Asked, Page, Person, Sent, go
from homeport.console._forms import refuse
from homeport.console._languages import wanted
from homeport.console._texts import ENGLISH, speak, t
from homeport.console._told import in_words
from homeport.domain.errors import BadRequest, HomeportError, NotAllowed, Outdated, Unknown, WrongMethod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.access.oidc import Providers
    from homeport.access.passwords import Passwords
    from homeport.console import Role
    from homeport.console._texts import Language
    from homeport.diagnostics._connection import Prober
    from homeport.diagnostics._replay import Again
    from homeport.features import Workbench
    from homeport.kit.settings import Settings
    from homeport.kit.upstream import Upstream
    from homeport.kit.vault import Vault
    from homeport.providers import Provider
    from homeport.store.database import Store
    from homeport.store.request_log import RequestLog


COOKIE = "homeport"
"""The name of the session's cookie."""
SIGN_IN = "/console/sign-in"
FORM_KEY = "key"
"""The field of every form that only our own pages know how to fill."""
WAS = "was"
"""The field of a form that tells what was stored when it was drawn."""
FIELDS = 500
SEEN_EVERY_S = 60.0
HTML = b"text/html; charset=utf-8"


class Request(NamedTuple):
    """What came, as far as pages care."""

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes = b""
    client: str = ""
    secure: bool = False
    correlation_id: str = ""
    here: str = ""
    """Where the socket that it came by listens, as a URL: nothing that a client says."""


class Answer(NamedTuple):
    """What goes back."""

    body: bytes | AsyncGenerator[str, None]
    status: int = 200
    content_type: bytes = HTML
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True, kw_only=True)
class Desk:
    """What pages work with; one per process."""

    store: Store
    vault: Vault
    bench: Workbench
    settings: Settings
    pepper: bytes
    """Digests of sessions are made with it."""
    token_pepper: bytes
    passwords: Passwords
    upstream: Upstream
    providers: Mapping[str, Provider]
    single_sign_on: Providers
    prober: Prober
    doorkeeper: sessions.Doorkeeper = field(default_factory=sessions.Doorkeeper)
    pages: Mapping[str, Page] = field(default_factory=dict)
    """By address."""
    request_log: RequestLog | None = None
    """Requests that have ended; None where none are kept."""
    again: Again | None = None
    """Reads a body that was sent to a path once more."""
    languages: Mapping[str, Language] = field(default_factory=dict)
    """Those that pages speak beside English, by tag."""
    _seen: dict[bytes, float] = field(default_factory=dict)

    async def answer(self, asked: Request) -> Answer:
        """One request for a page; errors are pages too."""
        refuse()
        speak(wanted(self.languages, asked.headers.get(b"accept-language", b"").decode("latin-1")))
        if asked.method in {"GET", "HEAD"} and asked.path.endswith("/"):
            return _finished(_without_slash(asked), asked)
        person = await self._person(asked)
        try:
            page, tail = self._page(asked.path)
            sent = await self._sent(page, tail, asked, person)
        except HomeportError as error:
            sent = _trouble(self, person, asked, error)
        return _finished(sent, asked)

    def _page(self, path: str) -> tuple[Page, str]:
        found = self.pages.get(path)
        if found is not None:
            return found, ""
        for address, page in self.pages.items():
            stem = address[: address.index("{")] if address.endswith("}") else ""
            if stem and path.startswith(stem) and len(path) > len(stem):
                return page, path[len(stem) :]
        raise Unknown(t("There is no such page."), t("Choose one from the menu."))

    async def _sent(self, page: Page, tail: str, asked: Request, person: Person) -> Sent:
        if RANK[person.role] < RANK[page.see]:
            if person.role == "anyone":
                return _at_the_door(self, asked, person)
            raise NotAllowed(_for_whom(page.see), t("Ask one of them."))
        query = {name: values[-1] for name, values in _fields(asked.query.encode("latin-1")).items()}
        call = Asked(
            desk=self,
            person=person,
            path=asked.path,
            tail=tail,
            query=query,
            htmx=_is_part(asked),
            client=asked.client,
            secure=asked.secure,
            cookies=_cookies(asked),
            correlation_id=asked.correlation_id,
            address=self.settings.url.rstrip("/") or _reached(asked),
            here=asked.here,
        )
        if asked.method in {"GET", "HEAD"}:
            return _as_sent(await page.view(call))
        if asked.method != "POST":
            raise WrongMethod(t("Pages are read, and forms are sent."), t("Use GET or POST."), spoken="GET, POST")
        return await self._acted(page, call, asked)

    async def _acted(self, page: Page, call: Asked, asked: Request) -> Sent:
        """Carry a form out; what was wrong with it is said on the same page, with everything that was typed."""
        refuse_foreign(asked)
        form = _fields(asked.body)
        call = call._replace(form={name: values[-1] for name, values in form.items()}, lists=form)
        if call.person.session and not sessions.same(call.form.get(FORM_KEY, ""), call.person.form_key):
            return await _shown_again(page, call)
        if RANK[call.person.role] < RANK[page.change]:
            raise NotAllowed(t("You may look at this and not change it."), t("Ask an administrator."))
        act = page.acts.get(call.form.get("do", ""))
        if act is None:
            raise BadRequest(t("The form does not say what to do."), t("Reload the page and send it again."))
        try:
            return await act(call)
        except HomeportError as error:
            if isinstance(error, Outdated):
                # they have been told: the form is shown with the mark of what sending it again replaces
                call = call._replace(form={name: value for name, value in call.form.items() if name != WAS})
            said = in_words(error)
            refuse(said, error.param)
            try:
                shown = _as_sent(await page.view(call._replace(problem=said, code=error.code)))
            except HomeportError:
                raise error from None  # a database that is away cannot draw the form either
            return shown._replace(status=error.status)

    async def _person(self, asked: Request) -> Person:
        """Who the cookie says; nobody when its session ended."""
        cookie = _cookie(asked)
        if not cookie:
            return Person()
        digest = sessions.digest(self.pepper, cookie)
        session = await self.store.session(digest, sessions.IDLE)
        if session is None:
            return Person()
        await self._note(digest)
        self._speak_as(session.user.language)
        return Person(session.user.name, session.user.role, digest, sessions.form_key(self.pepper, cookie))

    def _speak_as(self, chosen: str) -> None:
        """In the language that somebody chose, if it is still there; it wins over what the browser asks for."""
        if chosen == ENGLISH or chosen in self.languages:
            speak(self.languages.get(chosen))

    async def _note(self, digest: bytes) -> None:
        """Write down now and then that a session is used."""
        now = time.monotonic()
        if now - self._seen.get(digest, -SEEN_EVERY_S) >= SEEN_EVERY_S:
            self._seen = {each: at for each, at in self._seen.items() if now - at < SEEN_EVERY_S}
            self._seen[digest] = now
            await self.store.touch_session(digest)


def _for_whom(see: Role) -> str:
    if see == "auditor":
        return t("This page is for administrators and auditors.")
    return t("This page is for administrators.")


def _without_slash(asked: Request) -> Sent:
    """On to the address that was meant; it begins with `/console`, so that no other host is led to."""
    query = f"?{asked.query}" if asked.query else ""
    where = quote(asked.path.rstrip("/")) + query
    return go(where)._replace(status=308)


def refuse_foreign(asked: Request) -> None:
    """Raise NotAllowed for a form that another site sent (Fetch Metadata; else the Origin header)."""
    headers = asked.headers
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/x-www-form-urlencoded":
        raise NotAllowed(t("Forms are sent as forms."), t("Send it from its page."))
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    host = headers.get(b"host", b"")
    ours = origin is not None and origin.partition(b"://")[2] == host
    # a browser that is told to keep the referrer says "null"; a site of its own says who it is
    if not (ours if site is None else site in {b"same-origin", b"none"} and (ours or origin in {None, b"null"})):
        raise NotAllowed(t("The form came from another site."), t("Send it from its page."))


def cookie(value: str, *, secure: bool, name: str = COOKIE, lasts_s: int | None = None) -> tuple[bytes, bytes]:
    """The header that sets a cookie, usually the session's, or ends it with an empty value."""
    ends = "; Max-Age=0" if not value else "" if lasts_s is None else f"; Max-Age={lasts_s}"
    flags = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
    return b"set-cookie", f"{safely(name, secure=secure)}={value}{flags}{ends}".encode()


def safely(name: str, *, secure: bool) -> str:
    """A cookie's name: browsers keep those with the prefix for us alone, but only over TLS."""
    return f"__Host-{name}" if secure else name


def _reached(asked: Request) -> str:
    """The address that the browser used; the server has seen to it that it is a host and a port."""
    host = asked.headers.get(b"host", b"").decode("latin-1")
    return host and f"{'https' if asked.secure else 'http'}://{host}"


def _cookie(asked: Request) -> str:
    return _cookies(asked).get(safely(COOKIE, secure=asked.secure), "")[:100]


def _cookies(asked: Request) -> dict[str, str]:
    """What the browser keeps for us; of several with one name, the first."""
    found: dict[str, str] = {}
    for part in asked.headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value)
    return found


def _fields(sent: bytes) -> dict[str, tuple[str, ...]]:
    """The values of each field of a form or of an address; raises BadRequest."""
    try:
        pairs = parse_qsl(sent.decode(), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError as error:
        raise BadRequest(
            t("What was sent cannot be read as a form."), t("Open the page anew and try again.")
        ) from error
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        # browsers send line ends as two characters
        found[name] = (*found.get(name, ()), value.replace("\r\n", "\n"))
    return found


def _at_the_door(desk: Desk, asked: Request, person: Person) -> Sent:
    """Somebody unknown signs in first; a form waits until they have. Raises NotAllowed for one of another site."""
    if asked.method != "POST":
        return go(f"{SIGN_IN}?next={quote(asked.path)}")
    from homeport.console._ended import ended  # noqa: PLC0415 (it draws a page)

    refuse_foreign(asked)
    form = _fields(asked.body)
    last = {name: values[-1] for name, values in form.items()}
    part = _is_part(asked)
    return ended(Asked(desk=desk, person=person, path=asked.path, form=last, lists=form, htmx=part))


async def _shown_again(page: Page, call: Asked) -> Sent:
    """A form from a session that is over is not carried out: it is shown in this one."""
    from homeport.console._ended import again  # noqa: PLC0415 (it draws a page)

    why = NotAllowed(t("The form is not from your session."), t("Look at it and send it again."))
    said = in_words(why)
    refuse(said)
    shown = _as_sent(await page.view(call._replace(problem=said)))
    return again(shown, part=call.htmx)


def _is_part(asked: Request) -> bool:
    """Whether only a part of the page is wanted: neither by a link nor by going back to it."""
    return b"hx-request" in asked.headers and not {b"hx-boosted", b"hx-history-restore-request"} & asked.headers.keys()


def _as_sent(shown: Any) -> Sent:  # noqa: ANN401 (a Renderable or a Sent)
    return shown if isinstance(shown, Sent) else Sent(shown)


def _trouble(desk: Desk, person: Person, asked: Request, error: HomeportError) -> Sent:
    from homeport.console._layout import page  # noqa: PLC0415 (it draws the menu, which is made of pages)
    from homeport.console._ways import told_with_ways  # noqa: PLC0415 (as above)

    call = Asked(desk=desk, person=person, path=asked.path)
    title = {403: t("Not yours to see"), 404: t("Nothing here")}.get(error.status, t("That did not work"))
    return Sent(page(call, title, h1[title], p(".lead")[told_with_ways(call, in_words(error))]), error.status)


def _finished(sent: Sent, asked: Request) -> Answer:
    from homeport.console._layout import HEADERS  # noqa: PLC0415 (as above)
    from homeport.console._render import rendered  # noqa: PLC0415 (as above)

    headers = (*HEADERS, *sent.headers)
    if isinstance(sent.content, AsyncGenerator):
        return Answer(sent.content, sent.status, sent.content_type.encode(), headers)
    text = sent.content if isinstance(sent.content, str) else rendered(sent.content)
    body = b"" if asked.method == "HEAD" else text.encode("utf-8", "replace")
    return Answer(body, sent.status, sent.content_type.encode(), headers)
