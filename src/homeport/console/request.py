"""The life of one request: who asked, what happened when, what was said if that was logged, and it asked again."""

from __future__ import annotations

import difflib
from itertools import count, repeat
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
from htpy import (
    Renderable,
    a,
    button,
    code,
    dd,
    del_,
    details,
    div,
    dl,
    dt,
    form,
    h1,
    h2,
    h3,
    input,  # noqa: A004 (the element)
    ins,
    li,
    p,
    pre,
    span,
    summary,
    table,
    tbody,
    td,
    th,
    tr,
    ul,
)
from markupsafe import Markup

from homeport.console import Asked, Page, Sent
from homeport.console._forms import choice
from homeport.console._layout import guard, page, problem
from homeport.console._requests import ended, lasting, log_of, moment
from homeport.console._texts import mark, rich, t
from homeport.console._told import told
from homeport.console._ways import told_with_ways
from homeport.diagnostics._replay import Replayer, Wanted, spoken
from homeport.domain.errors import BadRequest, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from htpy import Node

    from homeport.diagnostics._replay import Replay
    from homeport.domain.entries import Content
    from homeport.store.log_search import Found, Tried

WIDTH, LEAST = 1000, 4
"""Of a bar that takes the whole time, and of the shortest."""
ANSWERED = mark("answered")
PHASES = (
    # Translators: the parts of a request's time: let in, made ready, waiting, connecting, …, tidied
    mark("admit"),
    mark("prepare"),
    mark("queue"),
    mark("connect"),
    mark("first token"),
    mark("stream"),
    mark("clean"),
)
"""Words for the parts of a request's time."""
SHOWN = 20_000
"""Characters of a text on the page."""


async def view(asked: Asked) -> Renderable:
    """The page."""
    return await _drawn(asked, None)


async def _drawn(asked: Asked, again: Replay | None) -> Renderable:
    log = log_of(asked)
    found = await log.find(asked.tail)
    if not found:
        saw = t("No request with this id is kept.")
        raise Unknown(saw, t("It may be too old, or not from here; what has just ended is here within a second."))
    content = {each.row: await log.content(each.row) for each in found}
    several = (
        t("{count} requests came with this id; the newest is first.", count=len(found)) if len(found) > 1 else None
    )
    return page(
        asked,
        t("Request"),
        h1[rich("Request {id}", id=code[asked.tail])],
        p(".lead")[several] if several else None,
        problem(asked),
        [
            _one(asked, each, content[each.row], again if again and again.found.row == each.row else None)
            for each in found
        ],
        p(".soft.small")[
            rich(
                "The same id is in the logs of Homeport and of the model server: {command}",
                command=code[f"grep {asked.tail} FILE"],
            )
        ],
    )


def _one(asked: Asked, found: Found, content: Content | None, again: Replay | None) -> Renderable:
    return div(".card")[
        h2[ended(found.traits), " ", moment(found.began)],
        div(".note.bad")[p[told_with_ways(asked, told(found.traits.error))]] if found.traits.error else None,
        _facts(found),
        h3[t("Where the time went")],
        _waterfall(found),
        _context(found),
        _said(asked, found, content, again),
    ]


def _facts(found: Found) -> Renderable:
    traits = found.traits
    pairs = (
        (t("User"), traits.who),
        (t("Team"), traits.team),
        (t("Token"), traits.token),
        (t("Client"), traits.client),
        (t("Protocol"), told(traits.protocol)),
        (t("Sent to"), traits.path and code[f"{traits.method} {traits.path}"]),
        (t("Feature"), traits.feature),
        (t("Model"), traits.model),
        (t("Platform"), traits.platform),
        (t("Family"), traits.family),
        (t("Language"), traits.language),
        (t("Error code"), traits.error_code),
        (t("Tokens"), _tokens(found)),
        (t("Suggestion"), ", ".join(found.reported)),
        (t("Bytes"), t("{in_} in, {out} out", in_=f"{found.received:,}", out=f"{found.sent:,}")),
    )
    return dl(".facts")[(div[dt[name], dd[value]] for name, value in pairs if value)]


def _tokens(found: Found) -> str:
    if not found.prompt_tokens and not found.answer_tokens:
        return ""
    in_, out = f"{found.prompt_tokens:,}", f"{found.answer_tokens:,}"
    if found.estimated:
        return t("{in_} in, {out} out, estimated: the model server told no count", in_=in_, out=out)
    return t("{in_} in, {out} out", in_=in_, out=out)


def _waterfall(found: Found) -> Renderable:
    """A bar for each phase, and below them one for each attempt where one failed."""
    took, tries = found.phases.took, found.tries()
    phases = (
        _line(t(each.name), _bar(each.start, each.end, took), lasting(each.end - each.start))
        for each in found.phases.segments()
    )
    whole = _line(t("all of it"), None, lasting(took))
    attempts = (
        tbody[_told(t("Attempts to get an answer")), map(_attempt, repeat(took), count(1), tries)] if tries else None
    )
    return table(".waterfall")[tbody[phases, whole], attempts]


def _told(called: str) -> Renderable:
    return tr[th(".between", scope="rowgroup", colspan="3")[called]]


def _line(called: str, bar: Node, lasted: Node) -> Renderable:
    return tr[th(".nowrap", scope="row")[called], td(".bar")[bar], td(".nowrap")[lasted]]


def _attempt(took: int, number: int, tried: Tried) -> Renderable:
    start, end, well = tried.start, tried.end, tried.outcome == "answered"
    known = start is not None and end is not None
    between = t("{start} to {end}", start=lasting(start or 0), end=lasting(end or 0))
    when = between if known else t("for {time}", time=lasting(tried.took))
    said = span(class_="good" if well else "bad")[t(ANSWERED) if well else code[tried.outcome]]
    return tr[
        th(scope="row")[f"{number}. ", tried.model],
        td(".bar")[_bar(start or 0, end or 0, took, "" if well else "failed") if known else None],
        td[when, " ", said],
    ]


def _bar(start: int, end: int, took: int, kind: str = "") -> Markup:
    """Where in the whole time it lies; the numbers are beside it, so it is drawn for the eye alone."""
    width = min(max((end - start) * WIDTH // max(took, 1), LEAST), WIDTH)
    at = min(start * WIDTH // max(took, 1), WIDTH - width)
    drawn = (
        f'<svg viewBox="0 0 {WIDTH} 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width='
        f'"{WIDTH}" height="10"/><rect class="{kind}" x="{at}" width="{width}" height="10"/></svg>'
    )
    return Markup(drawn)  # noqa: S704 (made of numbers and our own names)


def _context(found: Found) -> Node:
    if not found.context:
        return None
    shown = (
        li[rich("{file} {size} characters", file=code[name or t("without a name")], size=f"{size:,}")]
        for name, size in found.context
    )
    return [h3[t("Other files that the model was shown")], ul[shown]]


# what was said


def _said(asked: Asked, found: Found, content: Content | None, again: Replay | None) -> Node:
    if content is None:
        way = a(href="/console/verbose")[t("Verbose logging")]
        return p(".soft.small")[rich("What was said was not logged. {way} does that for a while.", way=way)]
    if asked.person.role != "admin":
        return p(".soft.small")[t("What was said was logged; administrators may read it.")]
    exchanges = (
        [
            _folded(t("What {model} was told", model=each.model), each.prompt),
            _folded(t("What {model} said", model=each.model), spoken(each.answer)),
        ]
        for each in content.exchanges
    )
    return [
        h3[t("What was said")],
        _folded(t("What the client sent"), pretty(content.body) or t("It was too long to be kept.")),
        exchanges,
        _folded(t("What the client was answered"), spoken(content.answer)),
        _replay(asked, found, content, again),
    ]


def _folded(called: str, text: str) -> Renderable:
    cut = (
        p(".soft.small")[t("The first {shown} of {all} characters.", shown=f"{SHOWN:,}", all=f"{len(text):,}")]
        if len(text) > SHOWN
        else None
    )
    return details[summary[called], div[pre[code[text[:SHOWN]]], cut]]


def pretty(text: str) -> str:
    """JSON in lines; anything else as it is."""
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return text


# asking again


def _replay(asked: Asked, found: Found, content: Content, again: Replay | None) -> Node:
    if not content.body:
        return None
    names = sorted(each.name for each in asked.desk.bench.snapshot().models.values() if each.enabled)
    models = tuple((each, each) for each in names)
    return [
        h3[t("Ask again")],
        form(method="post", action=f"/console/requests/{quote(asked.tail)}")[
            guard(asked, "replay"),
            input(type="hidden", name="row", value=str(found.row)),
            choice(f"model-{found.row}", t("Of which model"), models, asked.form.get("model", ""), name="model"),
            div(".buttons")[button(".first", type="submit")[t("Ask")]],
        ],
        _compared(asked, again) if again else None,
    ]


def _compared(asked: Asked, again: Replay) -> Renderable:
    found, before, result = again
    return div(role="status")[
        div(".results")[
            div(".result")[
                h3[t("Then: {model}", model=found.traits.model)], pre[code[before]], _took(found.phases.took)
            ],
            div(".result")[
                h3[t("Now: {model}", model=result.model or t("nobody"))],
                p(".bad", role="alert")[told_with_ways(asked, told(result.error))]
                if result.error
                else pre[code[result.text]],
                _took(result.whole_ms * 1000),
            ],
        ],
        h3[t("What differs")],
        p[t("Nothing.")] if not again.differs else pre(".differs")[_lines(before, result.text)],
    ]


def _took(us: int) -> Renderable:
    return p(".soft.small")[t("whole after {time}", time=lasting(us))]


def _lines(before: str, after: str) -> Iterator[Node]:
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line.startswith("- "):
            yield [del_[line], "\n"]
        elif line.startswith("+ "):
            yield [ins[line], "\n"]
        elif line.startswith("  "):
            yield [span(".soft")[line], "\n"]


async def replay(asked: Asked) -> Sent:
    """Ask another model the same, and show both answers."""
    desk = asked.desk
    if desk.again is None:
        raise BadRequest(t("Nothing can be asked again here."), t("Ask the instance that serves models."))
    wanted = Wanted(asked.tail, asked.form.get("model", ""), asked.form.get("row", ""))
    replayer = Replayer(desk.bench, desk.store, log_of(asked), desk.again)
    found = await replayer.ask(wanted, asked.person.name, by=asked.person.name)
    return Sent(await _drawn(asked, found))


PAGE = Page(
    path="/console/requests/{id}", title=mark("Request"), see="auditor", view=view, acts={"replay": replay}, order=0
)
