"""Try it: code that is completed where you type, chat that streams, and every other feature with its own fields."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import TYPE_CHECKING

from htpy import (
    Renderable,
    a,
    button,
    code,
    datalist,
    details,
    div,
    form,
    h1,
    h2,
    h3,
    input,  # noqa: A004 (the element)
    kbd,
    label,
    li,
    nav,
    ol,
    option,
    p,
    pre,
    script,
    section,
    select,
    span,
    summary,
    textarea,
    ul,
)

from homeport.codetext.language import LANGUAGES
from homeport.console import RANK, Asked, Page, Sent
from homeport.console._asking import (
    CLEAR,
    CURSOR,
    INPUT,
    can_be_tried,
    history,
    kind_of,
    line,
    lines,
    question,
    refuse_unseated,
)
from homeport.console._forms import choice, field, text, tied
from homeport.console._layout import asset, guard, page, problem
from homeport.console._texts import choices, mark, rich, t, tn
from homeport.console._told import in_words, told
from homeport.console._ways import told_with_ways, ways
from homeport.domain.errors import BadRequest, CallerError, HomeportError
from homeport.domain.requests import Message
from homeport.features._ask import assigned
from homeport.features._hearing import Question, Result, side_by_side
from homeport.features._suits import by_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from htpy import Node

    from homeport.features import Feature

ADDRESS = "/console/playground"
FIRST = "code_completions"
TABS = (("code_completions", mark("Completion")), ("code_generations", mark("Generation")), ("chat", mark("Chat")))
FITS = {"fully": mark("Fully compatible"), "largely": mark("Largely compatible"), "not": mark("Not compatible")}
EXAMPLE = 'def is_even(number: int) -> bool:\n    """Tell whether a number is even."""\n    return '
Models = dict[str, list[tuple[str, str]]]
"""Names, and what they are called, by how well they suit the feature."""
USUAL = mark("As the setting says")
MOST = 4
"""Models beside each other."""
LISTED = 60
"""Models that may be chosen in each of several lists."""
KNOWN = (
    ("", mark("As the file name says")),
    *sorted(((each.id, each.name) for each in LANGUAGES), key=lambda each: each[1]),
)
SAYS = {
    "/explain": mark("what the code does"),
    "/refactor": mark("make it simpler"),
    "/fix": mark("find and mend what is wrong"),
    "/tests": mark("write tests"),
    CLEAR: mark("begin a new conversation"),
}
STREAM = "application/x-ndjson"
AT_ONCE = ((b"x-accel-buffering", b"no"),)
"""A proxy in between passes each piece on as it comes."""


async def view(asked: Asked) -> Renderable:
    """The page."""
    return await _drawn(asked, (), _before(asked))


def _before(asked: Asked) -> tuple[Message, ...]:
    """The conversation as the page had it; nothing where it cannot be read."""
    try:
        return history(asked.form)
    except CallerError:
        return ()


async def _drawn(asked: Asked, results: Sequence[Result], said: Sequence[Message]) -> Renderable:
    bench = asked.desk.bench
    key = asked.form.get("feature") or asked.query.get("feature") or FIRST
    feature = bench.features.get(key)
    if feature is None or not can_be_tried(feature):
        key, feature = FIRST, bench.features[FIRST]
    draw = {"code": _code, "chat": _chat, "prompt": _prompt}[kind_of(feature)]
    models = await _models(asked, feature)
    return page(
        asked,
        t("Playground"),
        h1[t("Playground")],
        p(".lead")[_lead(asked, key, feature)],
        _tabs(asked, key),
        problem(asked),
        draw(asked, key, models, results, said) if models else _empty(asked),
        script(type="module", src=asset("playground/main.js")),
    )


def _lead(asked: Asked, key: str, feature: Feature) -> str:
    bench = asked.desk.bench
    try:
        return t(
            "{feature}, served by {model}.", feature=t(feature.title), model=assigned(bench, bench.snapshot(), key).name
        )
    except HomeportError as error:
        return f"{told(error.saw)} {t('Choose a model below to try it all the same.')}"


async def _models(asked: Asked, feature: Feature) -> Models:
    """What may be chosen: models by how well they suit the feature."""
    seen = {name: each for name, (_, each) in (await asked.desk.store.capabilities()).items()}
    every = sorted(asked.desk.bench.snapshot().models.values(), key=lambda each: each.name)
    fitting = by_fit(asked.desk.bench, feature, seen, (each for each in every if each.enabled))
    return {t(FITS[fit]): [(name, name) for name in names] for fit, names in fitting.items() if names}


def _tabs(asked: Asked, key: str) -> Renderable:
    others = [
        (name, t(each.title))
        for name, each in asked.desk.bench.features.items()
        if can_be_tried(each) and name not in dict(TABS)
    ]
    return div(".tabs")[
        nav(aria_label=t("What to try"))[
            (
                a(href=f"{ADDRESS}?feature={name}", aria_current="page" if name == key else None)[t(called)]
                for name, called in TABS
            )
        ],
        form(".row", method="get", action=ADDRESS)[
            select(name="feature", aria_label=t("Another feature"))[
                (option(value=name, selected=name == key)[title] for name, title in others)
            ],
            # Translators: go to the feature that was chosen
            button(type="submit")[t("Open")],
        ],
    ]


def _empty(asked: Asked) -> Renderable:
    may = RANK[asked.person.role] >= RANK["admin"]
    return div(".empty")[
        h2[t("There is no model yet")],
        p[
            t("The playground asks models. Add one first.")
            if may
            else t("The playground asks models: ask an administrator.")
        ],
        a(".button.first", href="/console/models/new")[t("Add a model")] if may else None,
    ]


def _play(asked: Asked, key: str, kind: str, *content: Node) -> Renderable:
    hidden = input(type="hidden", name="feature", value=key)
    return form(
        ".play",
        method="post",
        action=ADDRESS,
        hx_boost="false",
        data_kind=kind,
        data_person=asked.person.name,
        data_editor=asset("codemirror/editor.js"),
        data_highlight=asset("codemirror/highlight.js"),
        data_languages=_words(),
    )[guard(asked, "ask"), hidden, content]


@cache
def _words() -> str:
    """What people call a language, by which its colours are found: ids, names, extensions and names of files."""
    every = ((word, each.id) for each in LANGUAGES for word in (*each.extensions, *each.editor_ids, *each.files))
    return json.dumps({word.lower(): key for word, key in every} | {each.id: each.id for each in LANGUAGES})


def _model(asked: Asked, models: Models) -> Renderable:
    return choice("model", t("Model"), {"": [("", t(USUAL))], **models}, asked.form.get("model", ""))


def _several(asked: Asked, models: Models) -> Renderable:
    """One to four models; where there are very many, the others are typed."""
    chosen = [*asked.lists.get("model", ()), *[""] * MOST][:MOST]
    many = sum(map(len, models.values())) > LISTED
    places = [_beside(at, models, chosen[at], many=many) for at in range(1, MOST)]
    first = choice("model-1", t("Model"), {"": [("", t(USUAL))], **models}, chosen[0], name="model")
    return div(".pair.models")[
        first,
        places,
        button(".quiet.scripted", type="button", hidden=True, data_more=True)[t("Compare with another")],
        datalist(id="models")[(option(value=name) for group in models.values() for name, _ in group)] if many else None,
    ]


def _beside(at: int, models: Models, value: str, *, many: bool) -> Renderable:
    name, called = f"model-{at + 1}", t("Beside it, {number} of {all}", number=at + 1, all=MOST)
    if many:
        return text(name, called, value, name="model", list="models", autocomplete="off", maxlength="100")
    return choice(name, called, {"": [("", t("None"))], **models}, value, name="model")


def _typed(asked: Asked, name: str, otherwise: str = "") -> str:
    return asked.form.get(name, otherwise)


def _code(
    asked: Asked,
    key: str,
    models: Models,
    results: Sequence[Result],
    _said: Sequence[Message],
) -> Renderable:
    generates = key != FIRST
    area = textarea(
        ".code",
        **tied("code", "help"),
        rows="16",
        wrap="off",
        spellcheck="false",
        autocapitalize="off",
        autocomplete="off",
        data_ghost=True,
    )
    return _play(
        asked,
        key,
        "code",
        div(".pair")[
            text("file", t("File name"), _typed(asked, "file", "example.py"), autocomplete="off", maxlength="200"),
            choice("language", t("Language"), choices(KNOWN), _typed(asked, "language")),
        ],
        _several(asked, models),
        text("instruction", t("What shall be written?"), _typed(asked, "instruction")) if generates else None,
        field("code", t("Code"), div(".editor")[area["\n" + _typed(asked, "code", EXAMPLE)]], _keys()),
        p(".help.unscripted")[
            rich("Write {cursor} where the cursor is; otherwise it is at the end.", cursor=code[CURSOR])
        ],
        div(".buttons")[
            button(".first", type="submit")[t("Generate") if generates else t("Complete")],
            label(".check.scripted", hidden=True)[
                input(type="checkbox", name="typing", checked=not generates), span[t("while I type")]
            ],
            button(".quiet.scripted", type="button", data_stop=True, hidden=True)[t("Stop")],
            span(".soft.small", role="status", data_told=True),
        ],
        div(".results")[(_result(asked, each) for each in results)],
    )


def _keys() -> Renderable:
    said = rich(
        "{tab} accepts what is shown in grey, {esc} dismisses it, {ask} asks, {other} shows what another model says. "
        "{esc} and then {tab} leaves the editor.",
        tab=kbd["Tab"],
        esc=kbd["Esc"],
        ask=kbd["Ctrl Space"],
        other=kbd["Alt ]"],
    )
    return span(".scripted", hidden=True)[said]


def _result(asked: Asked, result: Result) -> Renderable:
    return div(".card.result")[
        h3[result.model or t("Nobody answered")],
        p(".bad", role="alert")[told_with_ways(asked, told(result.error))] if result.error else None,
        pre[code[result.text]] if result.text else None if result.error else p(".soft")[t("Nothing to add here.")],
        p(".soft.small")[figures(result)] if result.model and (result.text or not result.error) else None,
    ]


def figures(result: Result) -> str:
    """How long it took and how much came, for people."""
    if result.counted:
        tokens = tn("{count} token", "{count} tokens", result.tokens)
    else:
        tokens = tn("about {count} token", "about {count} tokens", result.tokens)
    return t(
        "first after {first} ms · whole after {whole} ms · {tokens}",
        first=result.first_ms,
        whole=result.whole_ms,
        tokens=tokens,
    )


def _chat(
    asked: Asked,
    key: str,
    models: Models,
    results: Sequence[Result],
    said: Sequence[Message],
) -> Renderable:
    kept = json.dumps([each._asdict() for each in said])
    typed = asked.problem or any(each.error for each in results)
    return _play(
        asked,
        key,
        "chat",
        input(type="hidden", name="history", value=kept),
        ol(".turns", role="log", aria_label=t("Conversation"))[(_turn(each) for each in said)],
        [p(".note.bad", role="alert")[told_with_ways(asked, told(each.error))] for each in results if each.error],
        p(".soft.small")[[figures(each) for each in results if each.text]] if results else None,
        field(
            "message",
            t("Message"),
            textarea(rows="3", **tied("message", "help"))["\n" + (_typed(asked, "message") if typed else "")],
            _commands(),
        ),
        div(".attached", data_attached=True, hidden=True),
        input(type="file", name="picker", hidden=True, aria_label=t("File to attach")),
        div(".buttons")[
            button(".first", type="submit")[t("Send")],
            button(".scripted", type="button", data_stop=True, hidden=True)[t("Stop")],
            button(".scripted", type="button", data_attach=True, hidden=True)[t("Attach a file")],
            button(".quiet", type="submit", name="do", value="clear")[t("Begin anew")],
            span(".soft.small", role="status", data_told=True),
        ],
        details(open=bool(_typed(asked, "code")))[
            summary[t("Code that it is about")],
            div[
                text("file", t("File name"), _typed(asked, "file"), maxlength="200"),
                field("code", t("Code"), textarea(".code", rows="8", wrap="off", spellcheck="false", **tied("code"))[
                    "\n" + _typed(asked, "code")
                ]),
            ],
        ],
        _model(asked, models),
        _kept(),
    )  # fmt: skip


def _commands() -> Node:
    said = (span[code(data_command=each, data_says=t(says))[each], f" {t(says)}. "] for each, says in SAYS.items())
    return [t("About the code below, or what follows:"), " ", *said]


def _kept() -> Renderable:
    """Filled by the script: the server keeps no conversation."""
    return section(".kept", data_kept=True, hidden=True)[
        h2[t("Conversations")],
        p(".soft.small")[t("Kept in this tab alone, until you close it or sign out.")],
        ul[()],
        button(".quiet", type="button", data_forget=True)[t("Delete all")],
    ]


def _turn(said: Message) -> Renderable:
    who = t("You") if said.role == "user" else t("Model")
    return li(class_=f"turn {said.role}")[div(".whose")[who], div(".said", data_markdown=True)[said.content]]


def _prompt(
    asked: Asked,
    key: str,
    models: Models,
    results: Sequence[Result],
    _said: Sequence[Message],
) -> Renderable:
    template = asked.desk.bench.features[key].template
    names = [each.name for each in template.inputs] if template else []
    return _play(
        asked,
        key,
        "prompt",
        p(".soft")[t("What an editor or GitLab fills in for this feature; what you leave empty is left out.")],
        [
            field(
                INPUT + name,
                code[name],
                textarea(rows="4", **tied(INPUT + name))["\n" + _typed(asked, INPUT + name)],
            )
            for name in names
        ],
        _model(asked, models),
        div(".buttons")[
            button(".first", type="submit")[t("Ask")],
            button(".scripted", type="button", data_stop=True, hidden=True)[t("Stop")],
            span(".soft.small", role="status", data_told=True),
        ],
        div(".results")[(_result(asked, each) for each in results)],
    )


async def _questions(asked: Asked, *, stream: bool) -> list[Question]:
    """One for each model that is chosen; without a name it is the one that the setting says."""
    key = asked.form.get("feature", FIRST)
    first, *others = asked.lists.get("model", ("",))
    names = list(dict.fromkeys([first, *filter(None, others)]))
    if len(names) > MOST:
        raise BadRequest(t("{count} models were chosen.", count=len(names)), t("Choose {most} at most.", most=MOST))
    bench = asked.desk.bench
    found = [question(bench, key, asked.form, name, stream=stream) for name in names]
    await refuse_unseated(asked.desk.store, bench, asked.person.name, {each.feature for each in found})
    return found


async def ask(asked: Asked) -> Sent:
    """Answer with a whole page, for who has no script."""
    if asked.form.get("message", "").strip() == CLEAR:
        return await clear(asked)
    questions = await _questions(asked, stream=False)
    chat = kind_of(asked.desk.bench.features[asked.form.get("feature", FIRST)]) == "chat"
    results = await side_by_side(asked.desk.bench, questions[:1] if chat else questions, asked.person.name)
    return Sent(await _drawn(asked, results, _told(asked, results[0]) if chat else ()))


def _told(asked: Asked, result: Result) -> tuple[Message, ...]:
    """The conversation after this answer; a question that nobody answered is no part of it."""
    before = history(asked.form)
    if result.error or not result.text:
        return before
    return (*before, Message("user", asked.form.get("message", "").strip()), Message("assistant", result.text))


async def stream(asked: Asked) -> Sent:
    """Answer as lines of JSON, for the script; whatever goes wrong is a line, too."""
    try:
        chosen = (await _questions(asked, stream=True))[0]
    except CallerError as error:
        return Sent(_last(asked, Result(error=in_words(error))), content_type=STREAM)
    close = partial(_last, asked)
    return Sent(lines(asked.desk.bench, chosen, asked.person.name, close), headers=AT_ONCE, content_type=STREAM)


def _last(asked: Asked, result: Result) -> str:
    """The line that ends a stream: what came of it, and ways to pages that mend what went wrong."""
    said = told(result.error)
    return line(done={**result._replace(error=said)._asdict(), "ways": ways(asked, said)})


async def clear(asked: Asked) -> Sent:
    """A new conversation, with the same model."""
    kept = {name: value for name, value in asked.form.items() if name in {"feature", "model"}}
    return Sent(await _drawn(asked._replace(form=kept), (), ()))


PAGE = Page(
    path=ADDRESS,
    title=mark("Playground"),
    see="user",
    view=view,
    acts={"ask": ask, "stream": stream, "clear": clear},
    change="user",
    order=20,
)
