"""The audit: who changed what, when, and how it looked before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from htpy import (
    Renderable,
    a,
    button,
    code,
    del_,
    details,
    div,
    form,
    h1,
    h2,
    input,  # noqa: A004 (the element)
    ins,
    label,
    li,
    nav,
    p,
    span,
    summary,
    table,
    tbody,
    td,
    th,
    thead,
    time,
    tr,
    ul,
)

from homeport.console import Asked, Page, Sent
from homeport.console._forms import PER_PAGE, sifter
from homeport.console._layout import done, page
from homeport.console._render import cell
from homeport.console._texts import choices, mark, t, tn
from homeport.domain.errors import BadRequest
from homeport.kit.peers import LOCAL
from homeport.store.audit import as_csv, document, wanted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence

    from htpy import Node

    from homeport.store.records import AuditEvent

THINGS = (
    ("", mark("Everything")),
    ("model", mark("Models")),
    ("feature", mark("Features")),
    ("token", mark("Tokens")),
    ("user", mark("People")),
    ("session", mark("Signing in and out")),
    ("identity", mark("Single sign-on: accounts")),
    ("setting", mark("Settings")),
    ("secret", mark("Secrets")),
    ("keys", mark("Encryption keys")),
    ("request", mark("Requests asked again")),
)
FILTERS = ("who", "thing", "find", "address", "from", "to")
EXPORTED = 10_000
"""Events in one file; older ones are in the next, which begins below the last."""
SOFT, SMALL, DIFF, UNSEEN = span(".soft"), code(".small"), ul(".diff"), span(".out")
"""Made once for hundreds of rows."""
FEW, LONG = 4, 160
"""Changes that are shown at once, and characters of a value."""


async def view(asked: Asked) -> Renderable | Sent:
    """The page, or a file with what is on it."""
    sought = wanted(asked.query)
    if "export" in asked.query:
        return await _exported(asked.query["export"], asked.desk.store.audit_pieces(EXPORTED, sought))
    found = await asked.desk.store.audit(PER_PAGE + 1, sought)
    return page(
        asked,
        t("Audit"),
        div(".top")[h1[t("Audit")], div(".buttons")[_files(asked)] if found else None],
        p(".lead")[t("Every change, whoever made it and by whatever way; times of the filter are UTC.")],
        _filter(asked),
        _table(found[:PER_PAGE]) if found else _nothing(asked),
        _pager(asked, found),
    )


def _filtered(asked: Asked, **more: object) -> str:
    """The address of the same events, and more of it."""
    kept = {name: asked.query[name] for name in FILTERS if asked.query.get(name)}
    return f"{asked.path}?{urlencode({**kept, **more})}"


def _files(asked: Asked) -> Iterator[Renderable]:
    for kind in ("csv", "json"):
        address = _filtered(asked, export=kind)
        told = t("The newest {exported} of these events", exported=f"{EXPORTED:,}")
        yield a(".button", href=address, download=f"audit.{kind}", hx_boost="false", title=told)[kind.upper()]


def _filter(asked: Asked) -> Renderable:
    return form(".filter", method="get", action=asked.path, role="search")[
        _line(asked, "find", t("What it is about"), type="search"),
        _line(asked, "who", t("Who, exactly")),
        _line(asked, "address", t("From where, exactly")),
        sifter(asked, "thing", t("Kind"), choices(THINGS)),
        _date(asked, "from", t("From")),
        _date(asked, "to", t("To")),
        button(type="submit")[t("Show")],
    ]


def _line(asked: Asked, name: str, called: str, **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    return input(name=name, value=asked.query.get(name, ""), placeholder=called, aria_label=called, **more)


def _date(asked: Asked, name: str, called: str) -> Renderable:
    return label(".check")[span(".soft")[called], input(type="date", name=name, value=asked.query.get(name, ""))]


def _nothing(asked: Asked) -> Renderable:
    if any(asked.query.get(name) for name in (*FILTERS, "below")):
        return div(".empty")[h2[t("No change is like this")], p[a(href=asked.path)[t("Show all")]]]
    return div(".empty")[h2[t("Nothing was changed yet")], p[t("Whatever is changed from now on is here.")]]


def _pager(asked: Asked, found: Sequence[AuditEvent]) -> Node:
    newest = a(".button", href=_filtered(asked))[t("← Newest")] if asked.query.get("below") else None
    older = None
    if len(found) > PER_PAGE:
        older = a(".button", href=_filtered(asked, below=found[PER_PAGE - 1].id))[t("Older →")]
    return nav(".buttons", aria_label=t("Pages of the list"))[newest, older] if newest or older else None


# the list


def _table(found: Sequence[AuditEvent]) -> Renderable:
    return div(".scroll")[
        table(".wide")[
            thead[
                tr[
                    (
                        th(scope="col")[head]
                        for head in (t("When"), t("Who"), t("From where"), t("What"), t("Before and after"))
                    )
                ]
            ],
            tbody[(_row(event) for event in found)],
        ]
    ]


def _row(event: AuditEvent) -> Renderable:
    return tr[
        cell(t("When"), ".nowrap")[time(datetime=event.at.isoformat())[f"{event.at:%Y-%m-%d %H:%M:%S}"]],
        cell(t("Who"))[event.who],
        cell(t("From where"))[_whence(event.address)],
        cell(t("What"))[done(event)],
        td[_diff(changes(event.before or {}, event.after or {}))],
    ]


def _whence(address: str) -> Node:
    if address in {"", LOCAL}:
        return SOFT[t("this machine") if address else t("not known")]
    return SMALL[address]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What differs: name, value before, value after, each as text; empty for what was or is not there."""
    old, new = dict(_leaves("", before)), dict(_leaves("", after))
    return [(name, old.get(name, ""), new.get(name, "")) for name in {**old, **new} if old.get(name) != new.get(name)]


def _leaves(stem: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(f"{stem}{name}.", value)
        else:
            yield stem + name, value if isinstance(value, str) else orjson.dumps(value).decode()


def _diff(found: Sequence[tuple[str, str, str]]) -> Node:
    if not found:
        return None
    lines = DIFF[(_change(*each) for each in found)]
    return (
        lines if len(found) <= FEW else details[summary[tn("{count} field", "{count} fields", len(found))], div[lines]]
    )


def _change(name: str, old: str, new: str) -> Renderable:
    """Words for readers who do not see how it is drawn."""
    return li[
        code[name],
        [" ", UNSEEN[t("was"), " "], del_[_cut(old)]] if old else None,
        [" ", UNSEEN[t("is"), " "], ins[_cut(new)]] if new else None,
    ]


def _cut(value: str) -> str:
    return value if len(value) <= LONG else f"{value[:LONG]}…"


# files


async def _exported(kind: str, pieces: AsyncGenerator[Sequence[AuditEvent]]) -> Sent:
    """A file that is sent piece by piece: thousands of events at once would keep everybody else waiting."""
    if kind not in FILES:
        raise BadRequest(t("There is no such file."), t("Choose CSV or JSON."), param="export")
    content_type, write = FILES[kind]
    first = await anext(pieces, None) or ()  # what goes wrong ahead of it is still told by a page
    kept = (b"content-disposition", f'attachment; filename="audit.{kind}"'.encode())
    return Sent(write(first, pieces), headers=(kept,), content_type=content_type)


async def _csv(first: Sequence[AuditEvent], rest: AsyncGenerator[Sequence[AuditEvent]]) -> AsyncGenerator[str]:
    yield as_csv(first)
    async for found in rest:
        yield as_csv(found, head=False)


async def _json(first: Sequence[AuditEvent], rest: AsyncGenerator[Sequence[AuditEvent]]) -> AsyncGenerator[str]:
    """One event on a line."""
    yield '{"events": [\n' + _lines(first)
    async for found in rest:
        yield ",\n" + _lines(found)
    yield "\n]}\n"


def _lines(found: Sequence[AuditEvent]) -> str:
    return ",\n".join(orjson.dumps(document(event)).decode() for event in found)


FILES = {"csv": ("text/csv; charset=utf-8", _csv), "json": ("application/json", _json)}


PAGE = Page(path="/console/audit", title=mark("Audit"), see="auditor", view=view, menu="Operate", order=50)
