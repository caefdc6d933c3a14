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
SHOWN = 20_000
"""Characters of a text on the page."""


async def view(asked: Asked) -> Renderable:
    """The page."""
    return await _drawn(asked, None)


async def _drawn(asked: Asked, again: Replay | None) -> Renderable:
    log = log_of(asked)
    found = await log.find(asked.tail)
    if not found:
        saw = "No request with this id is kept."
        raise Unknown(saw, "It may be too old, or not from here; what has just ended is here within a second.")
    content = {each.row: await log.content(each.row) for each in found}
    several = f"{len(found)} requests came with this id; the newest is first." if len(found) > 1 else None
    return page(
        asked,
        "Request",
        h1["Request ", code[asked.tail]],
        p(".lead")[several] if several else None,
        problem(asked),
        [
            _one(asked, each, content[each.row], again if again and again.found.row == each.row else None)
            for each in found
        ],
        p(".soft.small")[
            "The same id is in the logs of Homeport and of the model server: ", code[f"grep {asked.tail} FILE"]
        ],
    )


def _one(asked: Asked, found: Found, content: Content | None, again: Replay | None) -> Renderable:
    return div(".card")[
        h2[ended(found.traits), " ", moment(found.began)],
        div(".note.bad")[p[found.traits.error]] if found.traits.error else None,
        _facts(found),
        h3["Where the time went"],
        _waterfall(found),
        _context(found),
        _said(asked, found, content, again),
    ]


def _facts(found: Found) -> Renderable:
    traits = found.traits
    pairs = (
        ("User", traits.who),
        ("Team", traits.team),
        ("Token", traits.token),
        ("Client", traits.client),
        ("Protocol", traits.protocol),
        ("Feature", traits.feature),
        ("Model", traits.model),
        ("Platform", traits.platform),
        ("Family", traits.family),
        ("Language", traits.language),
        ("Error code", traits.error_code),
        ("Tokens", _tokens(found)),
        ("Suggestion", ", ".join(found.reported)),
        ("Bytes", f"{found.received:,} in, {found.sent:,} out"),
    )
    return dl(".facts")[(div[dt[name], dd[value]] for name, value in pairs if value)]


def _tokens(found: Found) -> str:
    if not found.prompt_tokens and not found.answer_tokens:
        return ""
    guessed = ", estimated: the model server told no count" if found.estimated else ""
    return f"{found.prompt_tokens:,} in, {found.answer_tokens:,} out{guessed}"


def _waterfall(found: Found) -> Renderable:
    """A bar for each phase, and below them one for each attempt where one failed."""
    took, tries = found.phases.took, found.tries()
    phases = (
        _line(each.name, _bar(each.start, each.end, took), lasting(each.end - each.start))
        for each in found.phases.segments()
    )
    whole = _line("all of it", None, lasting(took))
    attempts = (
        tbody[_told("Attempts to get an answer"), map(_attempt, repeat(took), count(1), tries)] if tries else None
    )
    return table(".waterfall")[tbody[phases, whole], attempts]


def _told(called: str) -> Renderable:
    return tr[th(".between", scope="rowgroup", colspan="3")[called]]


def _line(called: str, bar: Node, lasted: Node) -> Renderable:
    return tr[th(".nowrap", scope="row")[called], td(".bar")[bar], td(".nowrap")[lasted]]


def _attempt(took: int, number: int, tried: Tried) -> Renderable:
    start, end, well = tried.start, tried.end, tried.outcome == "answered"
    known = start is not None and end is not None
    when = f"{lasting(start or 0)} to {lasting(end or 0)}" if known else f"for {lasting(tried.took)}"
    said = span(class_="good" if well else "bad")[tried.outcome if well else code[tried.outcome]]
    return tr[
        th(scope="row")[f"{number}. ", tried.model],
        td(".bar")[_bar(start or 0, end or 0, took, "" if well else "failed") if known else None],
        td[span(".nowrap")[when], " ", said],
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
    shown = (li[code[name or "without a name"], f" {size:,} characters"] for name, size in found.context)
    return [h3["Other files that the model was shown"], ul[shown]]


# what was said


def _said(asked: Asked, found: Found, content: Content | None, again: Replay | None) -> Node:
    if content is None:
        way = a(href="/console/verbose")["Verbose logging"]
        return p(".soft.small")["What was said was not logged. ", way, " does that for a while."]
    if asked.person.role != "admin":
        return p(".soft.small")["What was said was logged; administrators may read it."]
    exchanges = (
        [_folded(f"What {each.model} was told", each.prompt), _folded(f"What {each.model} said", spoken(each.answer))]
        for each in content.exchanges
    )
    return [
        h3["What was said"],
        _folded("What the client sent", pretty(content.body) or "It was too long to be kept."),
        exchanges,
        _folded("What the client was answered", spoken(content.answer)),
        _replay(asked, found, content, again),
    ]


def _folded(called: str, text: str) -> Renderable:
    cut = p(".soft.small")[f"The first {SHOWN:,} of {len(text):,} characters."] if len(text) > SHOWN else None
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
        h3["Ask again"],
        form(method="post", action=f"/console/requests/{quote(asked.tail)}")[
            guard(asked, "replay"),
            input(type="hidden", name="row", value=str(found.row)),
            choice(f"model-{found.row}", "Of which model", models, asked.form.get("model", ""), name="model"),
            div(".buttons")[button(".first", type="submit")["Ask"]],
        ],
        _compared(again) if again else None,
    ]


def _compared(again: Replay) -> Renderable:
    found, before, result = again
    return div(role="status")[
        div(".results")[
            div(".result")[h3[f"Then: {found.traits.model}"], pre[code[before]], _took(found.phases.took)],
            div(".result")[
                h3[f"Now: {result.model or 'nobody'}"],
                p(".bad", role="alert")[result.error] if result.error else pre[code[result.text]],
                _took(result.whole_ms * 1000),
            ],
        ],
        h3["What differs"],
        p["Nothing."] if not again.differs else pre(".differs")[_lines(before, result.text)],
    ]


def _took(us: int) -> Renderable:
    return p(".soft.small")[f"whole after {lasting(us)}"]


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
        raise BadRequest("Nothing can be asked again here.", "Ask the instance that serves models.")
    wanted = Wanted(asked.tail, asked.form.get("model", ""), asked.form.get("row", ""))
    replayer = Replayer(desk.bench, desk.store, log_of(asked), desk.again)
    found = await replayer.ask(wanted, asked.person.name, by=asked.person.name)
    return Sent(await _drawn(asked, found))


PAGE = Page(path="/console/requests/{id}", title="Request", see="auditor", view=view, acts={"replay": replay}, order=0)
