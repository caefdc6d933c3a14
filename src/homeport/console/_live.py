"""Settings that administrators change while it runs: a form on the page of settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from htpy import Renderable, a, button, code, div, form, h2, p, span, time

from homeport.console import _forms
from homeport.console._desk import WAS
from homeport.console._layout import guard, problem, was
from homeport.console._texts import mark, rich, t
from homeport.diagnostics._change import checked
from homeport.domain.errors import BadRequest, Unconfirmed
from homeport.store import live
from homeport.store.audit import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from htpy import Node

    from homeport.console import Asked
    from homeport.kit.effective import Effective
    from homeport.store.records import AuditEvent

GROUPS: Mapping[live.Group, tuple[str, str]] = {
    "addresses": (
        mark("Addresses"),
        mark("Links, invitations and set-ups of editors begin with it."),
    ),
    "timeouts": (
        mark("Time-outs of models"),
        mark("For models whose own limits were left as they come; a limit of their own wins."),
    ),
    "outbound": (
        mark("Outbound"),
        mark(
            "Where models, and the provider of single sign-on, may be. This machine always may; "
            "addresses of cloud metadata services never may."
        ),
    ),
    "retention": (mark("Data retention"), mark("What is older, or too much, is forgotten: the oldest first.")),
}
FIELDS = {
    "url": (
        mark("Public address"),
        mark(
            "Such as https://homeport.example. Empty: as each browser reached it. "
            "Cookies keep to HTTPS only where the operator set HOMEPORT_URL."
        ),
    ),
    "model_connect_s": (mark("Connecting"), mark("Seconds, TLS and proxy included.")),
    "model_first_token_s": (mark("Until the answer begins"), mark("Seconds.")),
    "model_idle_s": (mark("Silence within a stream"), mark("Seconds.")),
    "model_total_s": (mark("Whole answer"), mark("Seconds.")),
    "allowed_networks": (
        mark("Only these networks"),
        mark("One a line, such as 10.0.0.0/8. Empty: any that is not denied."),
    ),
    "denied_networks": (mark("None of these networks"), mark("One a line. They win over the others.")),
    "request_log_days": (mark("Keep requests (days)"), mark("1 to 3,650.")),
    "request_log_rows": (mark("Keep at most (requests)"), mark("1,000 to 1,000,000,000.")),
    "request_content_days": (mark("Keep prompts and answers (days)"), mark("0 to 3,650.")),
    "request_content_mb": (mark("Keep prompts and answers (MB)"), mark("1 to 1,000,000.")),
    "usage_days": (mark("Keep sums for the usage (days)"), mark("1 to 3,650.")),
    "audit_days": (mark("Keep the audit (days)"), mark("0 keeps it for good; else 30 to 36,500.")),
}
ACT, SURE, BACK = "change", "sure", "back"
_OF_SETTINGS = Wanted(thing="setting")
_LATEST = 100


async def card(asked: Asked, every: Mapping[str, Effective]) -> Renderable:
    """What counts, and the way to change it; `every` setting by its name, with where it came from."""
    may = asked.person.role == "admin"
    events = await asked.desk.store.audit(_LATEST, _OF_SETTINGS)
    last = {event.subject: event for event in reversed(events)}
    return form(".stack.card", method="post", action=asked.path)[
        _guarded(asked) if may else None,
        problem(asked),
        _asks(asked) if asked.code == Unconfirmed.code else None,
        (_group(asked, group, every, last, may=may) for group in GROUPS),
        div(".buttons")[button(".first", type="submit")[t("Save")]]
        if may
        else p(".soft")[t("An administrator may change this.")],
    ]


def _guarded(asked: Asked) -> Node:
    """The first button is what the Enter key presses."""
    stored = asked.desk.bench.snapshot().settings
    return [
        guard(asked, ACT),
        was(asked, live.version(stored), ACT),
        button(".unseen", type="submit", tabindex="-1", aria_hidden="true")[t("Save")],
    ]


def _asks(asked: Asked) -> Renderable:
    """The answer is for this change and no other."""
    return div(".stack")[
        _forms.check(SURE, t("I know, and want it so"), on=False, value=_said(asked)),
        div(".buttons")[button(type="submit")[t("Save")]],
    ]


def _group(
    asked: Asked, group: live.Group, every: Mapping[str, Effective], last: Mapping[str, AuditEvent], *, may: bool
) -> Renderable:
    called, about = GROUPS[group]
    names = [name for name, each in live.LIVE.items() if each.group == group]
    drawn = [_field(asked, every[name], last.get(name), may=may) for name in names]
    part = div(".group.first" if group == "addresses" else ".group")
    return part[h2[t(called)], p(".soft")[t(about)], div(".pair")[drawn] if len(drawn) > 1 else drawn]


def _field(asked: Asked, each: Effective, last: AuditEvent | None, *, may: bool) -> Renderable:
    name, settings = each.name, asked.desk.settings
    open_ = may and not live.fixed(settings, name)
    value = asked.form.get(name, shown(asked, name)) if open_ else shown(asked, name)
    more: dict[str, Any] = {"disabled": not open_, "spellcheck": "false", "autocomplete": "off"}
    wrong = _wrong(name, value) if open_ and asked.form and _forms.wrong(name) is None else ""
    if wrong:
        more["aria_invalid"] = "true"
    tip = span(".why")[wrong] if wrong else _tip(asked, each)
    if isinstance(live.default(settings, name), tuple):
        drawn = _forms.lines(name, t(FIELDS[name][0]), value, tip, rows="3", **more)
    else:
        kind = {"inputmode": "url"} if name == "url" else {"inputmode": "decimal"}
        drawn = _forms.text(name, t(FIELDS[name][0]), value, tip, **more, **kind)
    return div(".field")[drawn, _history(asked, name, last, may=may) if each.place == live.STORED else None]


def _tip(asked: Asked, each: Effective) -> Node:
    if live.fixed(asked.desk.settings, each.name):
        return rich("Set by {place}: to change it, change it there and start again.", place=code[each.place])
    usual = live.text_of(live.default(asked.desk.settings, each.name))
    tip = t(FIELDS[each.name][1])
    return f"{tip} {t('Usually {usual}.', usual=usual)}" if usual else tip


def _wrong(name: str, value: str) -> str:
    """What is wrong with what was typed; empty for nothing."""
    try:
        if value.strip():
            live.read(name, value.strip())
    except BadRequest as error:
        return error.fix
    return ""


def _history(asked: Asked, name: str, last: AuditEvent | None, *, may: bool) -> Renderable:
    """Who set it and what it was before, and the way back to the default."""
    usual = live.text_of(live.default(asked.desk.settings, name))
    before = last and (last.before or {}).get("value")
    told = None
    if last is not None:
        told = rich(
            "{who} set it {when}; before: {before}.",
            who=last.who,
            when=a(href=f"/console/audit?thing=setting&find={name}")[
                time(datetime=last.at.isoformat())[f"{last.at:%Y-%m-%d %H:%M}"]
            ],
            before=code[str(before)] if before else t("the default"),
        )
    return div(".history")[
        span(".help")[told] if told else None,
        button(".quiet", type="submit", name=BACK, value=name)[
            t("Back to the default: {usual}", usual=usual) if usual else t("Back to the default")
        ]
        if may
        else None,
    ]


def shown(asked: Asked, name: str) -> str:
    """What counts, as people write it."""
    value = getattr(asked.desk.settings, name)
    return "\n".join(value) if isinstance(value, tuple) else live.text_of(value)


def places(asked: Asked) -> list[Effective]:
    """Every setting as it counts, with where it came from."""
    return live.placed(asked.desk.settings, asked.desk.bench.snapshot().settings, os.environ)


def _typed(asked: Asked) -> Iterator[tuple[str, str]]:
    """What the form wants to be otherwise than it is."""
    back = asked.form.get(BACK, "")
    for name in live.LIVE:
        typed = "" if name == back else asked.form.get(name, shown(asked, name))
        if name == back or typed.strip() != shown(asked, name):
            yield name, typed


def _said(asked: Asked) -> str:
    """What tells one change from another."""
    return live.version(dict(_typed(asked)))


async def change(asked: Asked) -> None:
    """Store what was changed; raises BadRequest, Unconfirmed or Outdated."""
    desk, wanted = asked.desk, dict(_typed(asked))
    for name, typed in wanted.items():
        if why := _wrong(name, typed):
            called = t(FIELDS[name][0])
            raise BadRequest(t("{called} cannot be {text}.", called=called, text=f"{typed[:40]!r}"), why, param=name)
    sure = asked.form.get(SURE, "") == _said(asked)
    stored = await checked(desk.settings, desk.bench.snapshot(), wanted, sure=sure)
    await desk.store.set_settings(stored, check=live.as_seen(asked.form.get(WAS, "")), by=asked.person.name)
