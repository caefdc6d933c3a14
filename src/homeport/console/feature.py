"""One AI feature: who serves it, who shares the work, who comes next, and who is only watched."""

from __future__ import annotations

from functools import reduce
from hashlib import sha256
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from htpy import (
    Renderable,
    a,
    button,
    code,
    datalist,
    div,
    fieldset,
    form,
    h1,
    h2,
    li,
    ol,
    option,
    p,
    span,
)

from homeport.console import RANK, Asked, Page, Sent, go
from homeport.console._asking import can_be_tried
from homeport.console._desk import WAS
from homeport.console._features import ADDRESS, FITS, MODEL, WORDS, in_place, just_changed, told, undoing
from homeport.console._forms import check, choice, text
from homeport.console._layout import guard, page, problem, was
from homeport.console._texts import mark, rich, t, tn
from homeport.domain.errors import BadRequest, Outdated, Unknown
from homeport.domain.models import FeatureSetting
from homeport.features._ask import setting_of
from homeport.features._suits import by_fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from htpy import Node

    from homeport.features import Feature

SPARE = 2
"""Empty places for further models; when they are filled and saved, there are new ones."""
MOST = 60
"""Models that lists of those that help offer; with more of them, names are typed."""
Groups = dict[str, list[tuple[str, str]]]


class Typed(NamedTuple):
    """What stands in the form."""

    serves: str
    weight: str = "1"
    sharing: tuple[tuple[str, str], ...] = ()
    """Other models and their weights."""
    fallbacks: tuple[str, ...] = ()
    sticky: bool = False
    shadow: str = ""


async def view(asked: Asked) -> Renderable | Sent:
    """The page, or its content alone for a panel over the list; raises Unknown for a feature that nobody can assign."""
    key, feature = _feature(asked)
    stored = (await asked.desk.store.features()).get(key) or FeatureSetting(feature=key)
    typed = typed_in(asked) if asked.problem else typed_from(stored, feature)
    drawn = (
        p(".lead")[in_words(setting_of(asked.desk.bench.features, asked.desk.bench.snapshot(), key))],
        problem(asked),
        _form(asked, stored, typed, await _groups(asked, feature)),
        _facts(key, feature),
    )
    if asked.htmx:
        return _panel(asked, drawn)
    return page(
        asked,
        t(feature.title),
        await _done(asked, key),
        p(".small")[a(href=ADDRESS)[t("AI-powered features")], span(".soft")[f" · {t(feature.section)}"]],
        div(".top")[h1[t(feature.title)], div(".buttons")[_try(key, feature)]],
        drawn,
    )


def _panel(asked: Asked, drawn: Node) -> Sent:
    """The same over the list of features; when its form was refused it takes its own place, not the list's."""
    key, feature = _feature(asked)
    way_out = a(".button.quiet", href=ADDRESS, data_close=True, aria_label=t("Close"))["✕"]
    content = div("#panel")[
        div(".top")[
            div[p(".small.soft")[t(feature.section)], h1[t(feature.title)]],
            div(".buttons")[_try(key, feature), way_out],
        ],
        drawn,
    ]
    itself = ((b"hx-retarget", b"#panel"), (b"hx-reselect", b"#panel"), (b"hx-reswap", b"outerHTML"))
    return Sent(content, headers=itself if asked.problem else ())


def _try(key: str, feature: Feature) -> Node:
    if not can_be_tried(feature):
        return None
    return a(".button", href=f"/console/playground?feature={key}")[t("Try it")]


async def _done(asked: Asked, key: str) -> Node:
    """That a change is saved, and the way back."""
    if not asked.query.get("saved"):
        return None
    change = await just_changed(asked, (key,))
    if change is None:
        return div(".note.good", role="status")[p[t("✓ saved")]]
    return div(".note.good.done")[span(role="status")[told(asked, change)], undoing(asked, change, key)]


async def _groups(asked: Asked, feature: Feature) -> Groups:
    """Every model, by how well it suits."""
    seen = {name: each for name, (_, each) in (await asked.desk.store.capabilities()).items()}
    models = sorted(asked.desk.bench.snapshot().models.values(), key=lambda each: each.name)
    fitting = by_fit(asked.desk.bench, feature, seen, models)
    return {t(FITS[fit]): [(name, name) for name in names] for fit, names in fitting.items() if names}


def in_words(setting: FeatureSetting | None) -> str:
    """What a setting does, in a sentence or two."""
    if setting is None or setting.assignment != "model":
        off = setting is not None and setting.assignment == "disabled"
        return t("It is switched off: callers are told so.") if off else t("No model serves it yet.")
    return "; ".join(_parts(setting, setting.pool)) + "."


def _parts(setting: FeatureSetting, pool: Mapping[str, int]) -> Iterator[str]:
    several = len(pool) > 1
    if several:
        yield t("{models} share the work {weights}", models=_listed(tuple(pool)), weights=_ratio(pool))
    else:
        yield t("{model} answers", model=setting.model)
    if setting.sticky and several:
        yield t("each file or conversation stays with one of them")
    if setting.fallbacks:
        others = reduce(lambda first, last: t("{first}, then {last}", first=first, last=last), setting.fallbacks)
        yield tn("when it cannot, {others}", "when they cannot, {others}", len(pool), others=others)
    if setting.shadow:
        yield t("{shadow} is asked the same, and nobody sees its answers", shadow=setting.shadow)


def _listed(names: Sequence[str]) -> str:
    return t("{names} and {last}", names=", ".join(names[:-1]), last=names[-1])


def _ratio(pool: Mapping[str, int]) -> str:
    return " : ".join(str(weight) for weight in pool.values())


def typed_from(setting: FeatureSetting, feature: Feature) -> Typed:
    """The form of a stored setting."""
    usual = "inherit" if feature.inherits else "unassigned"
    chosen = setting.assignment if setting.assignment == "disabled" else usual
    others = tuple((name, str(weight)) for name, weight in setting.pool.items() if name != setting.model)
    return Typed(
        serves=MODEL + setting.model if setting.assignment == "model" else chosen,
        weight=str(setting.pool.get(setting.model, 1)),
        sharing=others,
        fallbacks=setting.fallbacks,
        sticky=setting.sticky,
        shadow=setting.shadow,
    )


def typed_in(asked: Asked) -> Typed:
    """The form as it came."""
    names, weights = asked.lists.get("share", ()), asked.lists.get("weight", ())
    pairs = zip_longest(names, weights[: len(names)], fillvalue="1")
    return Typed(
        serves=asked.form.get("serves", ""),
        weight=asked.form.get("own", "1"),
        sharing=tuple((name, weight) for name, weight in pairs if name),
        fallbacks=tuple(filter(None, asked.lists.get("fallback", ()))),
        sticky=asked.form.get("sticky") == "on",
        shadow=asked.form.get("shadow", ""),
    )


def setting_from(key: str, typed: Typed) -> FeatureSetting:
    """What the form says; models that help are forgotten where no first one is chosen. Raises BadRequest."""
    if typed.serves in WORDS:
        return FeatureSetting(feature=key, assignment=WORDS[typed.serves])
    model = typed.serves.removeprefix(MODEL)
    if model == typed.serves or not model:
        raise BadRequest(
            t("That is no choice for a feature."), t("Choose a model, or one of the other entries."), param="serves"
        )
    names = [model, *(name for name, _ in typed.sharing)]
    if again := next((at for at, name in enumerate(names) if name in names[:at]), 0):
        saw, fix = t("A model shares the work twice."), t("Name each once, with the weight that it shall have.")
        raise BadRequest(saw, fix, param=f"share-{again}")
    others = {name: _number(weight, f"weight-{at}") for at, (name, weight) in enumerate(typed.sharing, 1)}
    weights = {model: _number(typed.weight, "own")} | others
    return FeatureSetting(
        feature=key,
        assignment="model",
        model=model,
        fallbacks=typed.fallbacks,
        weights=weights if typed.sharing else {},
        sticky=typed.sticky,
        shadow=typed.shadow,
    )


def _number(text: str, place: str) -> int:
    text = text.strip() or "1"
    if not (text.isascii() and text.isdigit() and len(text) < 6):  # noqa: PLR2004 (digits)
        saw = t("{text} is no weight.", text=f"{text[:20]!r}")
        raise BadRequest(saw, t("Give a whole number from 1 to 1000."), param=place)
    return int(text)


def _mark(setting: FeatureSetting) -> str:
    """Tells one state of a setting from others."""
    return sha256(repr(setting).encode()).hexdigest()[:16]


def _feature(asked: Asked) -> tuple[str, Feature]:
    feature = asked.desk.bench.features.get(asked.tail)
    if feature is None or not feature.listed:
        raise Unknown(t("There is no such feature."), t("Choose one from the list of AI-powered features."))
    return asked.tail, feature


def _form(asked: Asked, stored: FeatureSetting, typed: Typed, groups: Groups) -> Renderable:
    may = RANK[asked.person.role] >= RANK["admin"]
    nobody: Groups = {"": [("", t("nobody"))], **groups}
    over_the_list = in_place() | {"hx_post": f"{ADDRESS}/{asked.tail}"} if asked.htmx else {}
    return form(".stack", method="post", action=f"{ADDRESS}/{asked.tail}", **over_the_list)[
        guard(asked, "save"),
        was(asked, _mark(stored), "save"),
        fieldset(".bare", disabled=not may)[
            _first(asked, typed, groups),
            _sharing(typed, nobody),
            _fallbacks(typed, nobody),
            _shadow(typed, nobody),
            _names(groups),
            div(".buttons.end")[
                button(".first", id="save-setting", type="submit")[t("Save")],
                a(".button.quiet", href=ADDRESS, data_close=True)[t("Cancel")],
            ]
            if may
            else p(".soft")[t("Only administrators change this.")],
        ],
    ]


def _first(asked: Asked, typed: Typed, groups: Groups) -> Renderable:
    feature = asked.desk.bench.features[asked.tail]
    parent = t(asked.desk.bench.features[feature.inherits].title) if feature.inherits else ""
    first = ("inherit", t("As {feature}", feature=parent)) if parent else ("unassigned", t("Unassigned"))
    words = [first, ("disabled", t("Disabled"))]
    models = {name: [(MODEL + each, said) for each, said in group] for name, group in groups.items()}
    help_ = t("Answers what people ask of this feature. The others below only help a model that is chosen here.")
    return choice("serves", t("Served by"), {"": words, **models}, typed.serves, help_, about="model")


def _sharing(typed: Typed, nobody: Groups) -> Renderable:
    places = (*typed.sharing, *((("", "1"),) * SPARE))
    return div(".group")[
        h2[t("Share the work")],
        p(".soft.small")[
            t(
                "Two models are drawn by their weights, and the less busy one is asked. "
                "A model with weight 2 gets twice as much as one with weight 1."
            )
        ],
        _weight("own", "own", t("Weight of the model above"), typed.weight, about="weights"),
        [_place(at, name, weight, nobody) for at, (name, weight) in enumerate(places, 1)],
        check(
            "sticky",
            t("Keep a file or a conversation with one model"),
            on=typed.sticky,
            tip=t("Its server still has the beginning of the prompt in its cache, and answers sooner."),
        ),
    ]


def _place(at: int, name: str, weight: str, nobody: Groups) -> Renderable:
    return div(".pair.model")[
        _other(f"share-{at}", "share", t("Model {at}", at=at + 1), nobody, name),
        _weight(f"weight-{at}", "weight", t("Weight"), weight),
    ]


def _weight(at: str, name: str, called: str, value: str, about: str = "") -> Renderable:
    return text(at, called, value, about=about, class_="weight", name=name, inputmode="numeric", maxlength="4")


def _other(at: str, name: str, called: str, nobody: Groups, value: str) -> Renderable:
    """A model that helps: chosen from a list, or typed where there are too many to look through."""
    if sum(map(len, nobody.values())) > MOST:
        return text(at, called, value, name=name, list="models", placeholder=t("nobody"), autocomplete="off")
    return choice(at, called, nobody, value, name=name)


def _names(groups: Groups) -> Node:
    """What may be typed."""
    names = [name for group in groups.values() for name, _ in group]
    return datalist(id="models")[(option(value=name) for name in names)] if len(names) >= MOST else None


def _fallbacks(typed: Typed, nobody: Groups) -> Renderable:
    places = (*typed.fallbacks, *(("",) * SPARE))
    return div(".group")[
        h2[t("Fallbacks")],
        p(".soft.small")[
            t(
                "Asked in this order when those above are paused after failures or fail before the first byte. "
                "A request that a model found wrong is asked of no other one."
            )
        ],
        [
            _other(f"fallback-{at}", "fallback", t("Fallback {at}", at=at), nobody, name)
            for at, name in enumerate(places, 1)
        ],
    ]


def _shadow(typed: Typed, nobody: Groups) -> Renderable:
    return div(".group")[
        h2[t("Shadow")],
        p(".soft.small")[
            t(
                "To see how a model would do: it is asked the same, its answers are thrown away, its errors and its "
                "slowness touch nobody. The log has a line for each."
            )
        ],
        _other("shadow", "shadow", t("Asked the same, unseen"), nobody, typed.shadow),
    ]


def _facts(key: str, feature: Feature) -> Renderable:
    template = feature.template
    return div(".group")[
        h2[t("For programs")],
        ol(".plainlist.small.soft")[
            li[rich("Name: {key}", key=code[key])],
            li[rich("A token needs the scope {scope}", scope=code[feature.scope])],
            li[rich("Prompt: {name}", name=code[template.id])] if template else None,
        ],
    ]


async def save(asked: Asked) -> Sent:
    """Keep what the form says. Raises Outdated when somebody else changed it meanwhile."""
    key, feature = _feature(asked)
    now = (await asked.desk.store.features()).get(key) or FeatureSetting(feature=key)
    if asked.form.get(WAS) != _mark(now):
        saw = t("Somebody else changed {title} since you opened this page.", title=t(feature.title))
        there = t("Now: {setting}", setting=in_words(now))
        fix = t("Yours is still below and not saved: save again to keep yours, or reload to see theirs.")
        raise Outdated(f"{saw} {there}", fix)
    setting = setting_from(key, typed_in(asked))
    if setting.assignment == "inherit" and not feature.inherits:
        raise BadRequest(
            t("{title} has nothing to inherit from.", title=t(feature.title)), t("Choose a model, or disable it.")
        )
    await asked.desk.store.set_feature(setting, by=asked.person.name)
    return go(f"{ADDRESS}?at={key}#row-{key}" if asked.htmx else f"{ADDRESS}/{key}?saved=1")


PAGE = Page(
    path=f"{ADDRESS}/{{name}}",
    title=mark("Feature"),
    see="auditor",
    view=view,
    acts={"save": save},
    order=0,
)
