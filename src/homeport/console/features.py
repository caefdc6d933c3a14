"""Every AI feature: what serves it, what it takes over from general chat, and how well the model suits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from htpy import (
    Renderable,
    a,
    button,
    details,
    div,
    form,
    h1,
    h2,
    input,  # noqa: A004 (the element)
    label,
    optgroup,
    option,
    p,
    select,
    span,
    summary,
    table,
    tbody,
    td,
    th,
    thead,
    tr,
)

from homeport.console import RANK, Asked, Page, Sent, go
from homeport.console._asking import can_be_tried
from homeport.console._features import ADDRESS, FITS, MODEL, WORDS, in_place, just_changed, told, undoing
from homeport.console._forms import doings
from homeport.console._layout import guard, page, problem
from homeport.console._requests import moment
from homeport.console._texts import mark, rich, t, tn
from homeport.console._told import told as in_language
from homeport.console._well import trouble_of
from homeport.diagnostics._health import is_paused
from homeport.domain.errors import BadRequest, Outdated, Unknown
from homeport.domain.models import FeatureSetting
from homeport.features._ask import setting_of
from homeport.features._suits import Suits, by_fit, of_model
from homeport.store.plan import FeatureChange, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from htpy import Node

    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model, Snapshot
    from homeport.features import Feature, Workbench
    from homeport.features._suits import Fit
    from homeport.store.records import FeaturesChanged

DIGITS = 18
"""Of the largest number that a database counts to."""
MOST = 40
"""Models that a row offers; the feature's own page offers all."""
TONES = {"fully": "good", "largely": "warn", "not": "bad"}


class Answers(NamedTuple):
    """What happens to a request for a feature now."""

    state: str
    """In a word or two."""
    model: str = ""
    """Who answers; empty for nobody."""
    trouble: str = ""
    """Why the model cannot, or may soon not."""
    inherited: str = ""
    """The feature whose setting decides."""


class Shelf(NamedTuple):
    """What is drawn."""

    asked: Asked
    snapshot: Snapshot
    seen: Mapping[str, Capabilities]
    fitting: dict[str, dict[Fit, list[str]]]
    """By scope and section: models by how well they suit; found once for all features that ask for the same."""
    change: FeaturesChanged | None = None
    """What who looks has just changed."""

    @property
    def bench(self) -> Workbench:
        """Where features are."""
        return self.asked.desk.bench

    @property
    def may(self) -> bool:
        """Whether who looks may change it."""
        return RANK[self.asked.person.role] >= RANK["admin"]


async def view(asked: Asked) -> Renderable:
    """The page."""
    snapshot = asked.desk.bench.snapshot()
    seen = {name: each for name, (_, each) in (await asked.desk.store.capabilities()).items()}
    shelf = Shelf(asked, snapshot, seen, {}, await _just(asked))
    lately = await asked.desk.store.feature_changes() if shelf.may else []
    return page(
        asked,
        t("AI-powered features"),
        h1[t("AI-powered features")],
        p(".lead")[_lead(shelf)],
        None if snapshot.models else _empty(shelf),
        div("#features", data_keeps=True)[
            problem(asked),
            _kept(shelf),
            (_section(shelf, *each) for each in sections(shelf.bench.features).items()),
            _lately(asked, lately),
        ],
    )


async def _just(asked: Asked) -> FeaturesChanged | None:
    """What who looks has just changed in the feature or section that the address names."""
    at = asked.query.get("at", "")
    return await just_changed(asked, sections(asked.desk.bench.features).get(at, [at])) if at else None


def _kept(shelf: Shelf) -> Node:
    """The features that an undoing left as they are."""
    wanted = shelf.asked.query.get("kept", "").split(",")
    titles = [t(offer.title) for key, offer in shelf.bench.features.items() if key in wanted]
    if not titles:
        return None
    said = tn(
        "One feature was set otherwise since, or its model is gone; it stays as it is: {names}.",
        "{count} features were set otherwise since, or their model is gone; they stay as they are: {names}.",
        len(titles),
        names=", ".join(titles),
    )
    return div(".note.warn", role="status")[p[said]]


def _lately(asked: Asked, changes: Sequence[FeaturesChanged]) -> Node:
    """The way back for who went elsewhere after a change, and for what others changed."""
    if not changes:
        return None
    rows = (
        tr[
            th(scope="row")[told(asked, each), span(".sub")[each.by, ", ", moment(each.at.timestamp())]],
            td(".right")[undoing(asked, each, each.settings[0][1].feature)],
        ]
        for each in changes[:MOST]
    )
    return details[
        summary[t("Changed lately")],
        div[p(".soft")[t("For an hour what served a feature before can serve it again.")], table[tbody[rows]]],
    ]


def sections(features: Mapping[str, Feature]) -> dict[str, list[str]]:
    """The listed features by section; in each those that others inherit from come first."""
    found: dict[str, list[str]] = {}
    for key, feature in sorted(features.items(), key=lambda each: bool(each[1].inherits)):
        if feature.listed:
            found.setdefault(feature.section, []).append(key)
    return found


def answers(bench: Workbench, snapshot: Snapshot, key: str) -> Answers:
    """Who answers for a feature now, or why nobody does."""
    own, deciding = snapshot.features.get(key), setting_of(bench.features, snapshot, key)
    mine = own is not None and own.assignment in {"disabled", "model"}
    inherited = "" if mine else bench.features[key].inherits
    if deciding is None or deciding.assignment in {"unassigned", "inherit"}:
        return Answers("unassigned", inherited=inherited)
    if deciding.assignment == "disabled":
        return Answers("disabled", inherited=inherited)
    model = snapshot.models.get(deciding.model)
    if model is None or not model.enabled:
        return Answers(
            "model disabled",
            trouble=t("{model} is disabled, so nobody answers.", model=deciding.model),
            inherited=inherited,
        )
    return Answers("on", model.name, _ill(bench, snapshot, deciding, model), inherited)


def _ill(bench: Workbench, snapshot: Snapshot, setting: FeatureSetting, model: Model) -> str:
    """That the model failed when it was asked last, and who answers while it is not asked; empty where it is well."""
    trouble = trouble_of(bench, model)
    if not is_paused(bench, model):
        return trouble
    others = (snapshot.models.get(name) for name in (*setting.pool, *setting.fallbacks))
    able = [each.name for each in others if each and each.enabled and not is_paused(bench, each)]
    return f"{trouble} {t('Meanwhile {model} answers.', model=able[0])}" if able else trouble


def choice_of(setting: FeatureSetting | None, feature: Feature) -> str:
    """A setting as the value of a choice."""
    if setting is not None and setting.assignment == "model":
        return MODEL + setting.model
    if setting is not None and setting.assignment == "disabled":
        return "disabled"
    return "inherit" if feature.inherits else "unassigned"


def changed(setting: FeatureSetting, choice: str) -> FeatureSetting:
    """The setting with another choice; models that help the first stay where there is a first.

    Raises BadRequest for what cannot be chosen.
    """
    if choice in WORDS:
        return FeatureSetting(feature=setting.feature, assignment=WORDS[choice])
    name = choice.removeprefix(MODEL)
    if name == choice or not name:
        raise BadRequest(t("That is no choice for a feature."), t("Choose a model, or one of the other entries."))
    return setting.led_by(name)


def _lead(shelf: Shelf) -> str:
    own = sum(setting.assignment == "model" for setting in shelf.snapshot.features.values())
    listed = sum(feature.listed for feature in shelf.bench.features.values())
    return t(
        "{listed} features, {own} with a model of their own. A change takes effect within two seconds.",
        listed=listed,
        own=own,
    )


def _empty(shelf: Shelf) -> Renderable:
    return div(".empty")[
        h2[t("There is no model yet")],
        p[t("Features are served by models. Add one, then choose here what it serves.")],
        a(".button.first", href="/console/models/new")[t("Add a model")] if shelf.may else None,
    ]


def _section(shelf: Shelf, section: str, keys: Sequence[str]) -> Renderable:
    heads = (t("Feature"), t("Answers now"), t("Setting"), doings())
    return div(".section", id=_slug(section))[
        div(".top")[h2[t(section)], _apply(shelf, section, keys) if shelf.may and len(keys) > 1 else None],
        _done(shelf, section),
        div(".scroll")[
            table(".wide.four")[thead[tr[(th[head] for head in heads)]], tbody[(_row(shelf, key) for key in keys)]]
        ],
    ]


def _row(shelf: Shelf, key: str) -> Renderable:
    feature = shelf.bench.features[key]
    now = answers(shelf.bench, shelf.snapshot, key)
    return tr(id=f"row-{key}")[
        th(scope="row")[_way(key, t(feature.title)), span(".sub")[_helpers(shelf, key) or None]],
        td(data_label=t("Answers now"))[_now(shelf, key, now)],
        td(data_label=t("Setting"))[[_form(shelf, key), _done(shelf, key)] if shelf.may else _told(shelf, key)],
        td(".nowrap")[
            a(href=f"/console/playground?feature={key}", aria_label=t("Try it: {title}", title=t(feature.title)))[
                t("Try it")
            ]
            if can_be_tried(feature)
            else None
        ],
    ]


def _way(key: str, title: str) -> Renderable:
    """To all that can be said of a feature: a page of its own, with a script a panel over this one."""
    return a(id=f"open-{key}", href=f"{ADDRESS}/{key}", data_panel=True)[title]


def _now(shelf: Shelf, key: str, now: Answers) -> Node:
    title = t(shelf.bench.features[now.inherited].title) if now.inherited else ""
    if not now.model:
        said = t("Disabled") if now.state == "disabled" else t("Nobody")
        pill = span(class_=f"pill {'bad' if now.trouble else 'soft'}")[said]
        more = now.trouble or (t("Callers are told that it is switched off.") if now.state == "disabled" else "")
        return pill, span(".sub")[
            more or t("No model serves it yet."), [" ", t("It follows {title}.", title=title)] if title else None
        ]
    suit = fit_of(shelf, key, now.model)
    return (
        span(class_="soft" if title else "answering")[now.model],
        " ",
        span(class_=f"pill {TONES[suit.fit]}")[t(FITS[suit.fit])],
        # what general chat has said is not said again in every row
        span(".sub")[rich("↳ as {link}", link=a(href="#row-" + now.inherited)[title])]
        if title
        else span(".sub")[in_language(suit.why)],
        span(".sub.warn")[now.trouble] if now.trouble else None,
    )


def fit_of(shelf: Shelf, key: str, name: str) -> Suits:
    """How well a registered model serves a feature."""
    return of_model(shelf.bench, shelf.bench.features[key], shelf.snapshot.models[name], shelf.seen.get(name))


def _helpers(shelf: Shelf, key: str) -> str:
    """What else its setting says, in a few words."""
    setting = shelf.snapshot.features.get(key)
    if setting is None:
        return ""
    fallbacks, sharing = len(setting.fallbacks), len(setting.pool)
    parts = (
        t("{count} share the work", count=sharing) if sharing > 1 else "",
        tn("{count} fallback", "{count} fallbacks", fallbacks) if fallbacks else "",
        t("shadow: {model}", model=setting.shadow) if setting.shadow else "",
    )
    return " · ".join(filter(None, parts))


def _told(shelf: Shelf, key: str) -> str:
    feature = shelf.bench.features[key]
    chosen = choice_of(shelf.snapshot.features.get(key), feature)
    return dict(_words(shelf, feature)).get(chosen, chosen.removeprefix(MODEL))


def _words(shelf: Shelf, feature: Feature) -> list[tuple[str, str]]:
    """What may be chosen beside a model."""
    if not feature.inherits:
        return [("unassigned", t("Unassigned")), ("disabled", t("Disabled"))]
    parent = answers(shelf.bench, shelf.snapshot, feature.inherits)
    title = t(shelf.bench.features[feature.inherits].title)
    said = t("As {feature}: {model}", feature=title, model=parent.model or t("nobody yet"))
    return [("inherit", said), ("disabled", t("Disabled"))]


def _fitting(shelf: Shelf, feature: Feature) -> dict[Fit, list[str]]:
    """Models that may serve it, by how well they suit; disabled ones are left out."""
    kind = feature.scope if feature.scope in {"complete_code", "generate_code"} else ""
    if kind not in shelf.fitting:
        enabled = sorted((each for each in shelf.snapshot.models.values() if each.enabled), key=lambda each: each.name)
        shelf.fitting[kind] = by_fit(shelf.bench, feature, shelf.seen, enabled)
    return shelf.fitting[kind]


def _select(shelf: Shelf, key: str, words: Iterable[tuple[str, str]], value: str, at: str) -> Renderable:
    """What may be chosen for a feature, the models that suit it best first."""
    groups, left = [], MOST
    chosen = value.removeprefix(MODEL) if value.startswith(MODEL) else ""
    missing = {chosen} - {""}
    for fit, names in _fitting(shelf, shelf.bench.features[key]).items():
        shown, left = names[:left], left - min(left, len(names))
        missing -= set(shown)
        drawn = [option(value=MODEL + name, selected=name == chosen)[name] for name in shown]
        groups.append(optgroup(label=t(FITS[fit]))[drawn] if drawn else None)
    return select(id=f"serves-{at}", name="serves")[
        [option(value=value, selected=True)[name] for name in missing],
        [option(value=word, selected=word == value)[said] for word, said in words],
        groups,
    ]


def _form(shelf: Shelf, key: str) -> Renderable:
    feature, asked = shelf.bench.features[key], shelf.asked
    was = choice_of(shelf.snapshot.features.get(key), feature)
    again = bool(asked.problem) and asked.form.get("feature") == key
    return form(".row", method="post", action=ADDRESS, data_refused=again, **in_place())[
        guard(asked, "serve"),
        input(type="hidden", name="feature", value=key),
        input(type="hidden", name="was", value=was),
        label(".out", for_=f"serves-{key}")[t("What serves {title}", title=t(feature.title))],
        _select(shelf, key, _words(shelf, feature), asked.form.get("serves", was) if again else was, key),
        # without a type it sends the form all the same, and htmx does not look at each
        button(".quiet", id=f"save-{key}", aria_label=t("Save {title}", title=t(feature.title)))[t("Save")],
        _more(shelf, key),
    ]


def _done(shelf: Shelf, at: str) -> Node:
    """That it is saved, and the way back."""
    if shelf.asked.query.get("at") != at:
        return None
    if shelf.change is None:
        return div(".done.good.small", role="status")[t("✓ saved")]
    said = span(role="status")[f"✓ {told(shelf.asked, shelf.change)}"]
    return div(".done.good.small")[said, undoing(shelf.asked, shelf.change, at, "undo", **in_place())]


def _more(shelf: Shelf, key: str) -> Node:
    count = len(shelf.snapshot.models)
    return a(".small", href=f"{ADDRESS}/{key}")[t("All {count} models", count=count)] if count > MOST else None


def _apply(shelf: Shelf, section: str, keys: Sequence[str]) -> Renderable:
    """One choice for a whole section."""
    slug = _slug(section)
    last = shelf.bench.features[keys[-1]]
    words = [("", t("Choose…")), *(each for each in _words(shelf, last) if each[0] != "unassigned")]
    sure = t("Replace what serves all {count} features of {section}?", count=len(keys), section=t(section))
    return form(".row", method="post", action=ADDRESS, **in_place())[
        guard(shelf.asked, "section"),
        input(type="hidden", name="section", value=section),
        label(".out", for_=f"serves-{slug}")[t("What shall serve all of {section}", section=t(section))],
        _select(shelf, keys[-1], words, "", slug),
        button(id=f"save-{slug}", data_sure=sure)[t("Apply to all of this section")],
    ]


async def serve(asked: Asked) -> Sent:
    """Let something else serve a feature. Raises Outdated when somebody else changed it meanwhile."""
    key, store = asked.form.get("feature", ""), asked.desk.store
    feature = asked.desk.bench.features.get(key)
    if feature is None or not feature.listed:
        raise Unknown(t("There is no such feature."), t("Choose one from the list."))
    now = (await store.features()).get(key)
    if choice_of(now, feature) != asked.form.get("was"):
        saw = t("Somebody else changed {title} since you opened this page.", title=t(feature.title))
        raise Outdated(saw, t("Look at what serves it now, and save again if you still want to."))
    setting = changed(now or FeatureSetting(feature=key), _possible(asked.form.get("serves", ""), feature))
    await store.set_feature(setting, by=asked.person.name)
    return go(_at(key, f"row-{key}"))


def _possible(choice: str, feature: Feature) -> str:
    """The choice; raises BadRequest where the feature has nothing to inherit."""
    if choice == "inherit" and not feature.inherits:
        raise BadRequest(
            t("{title} has nothing to inherit from.", title=t(feature.title)), t("Choose a model, or disable it.")
        )
    return choice


async def apply(asked: Asked) -> Sent:
    """Let one model serve a whole section, all of it or nothing; what serves it already stays as it is."""
    section, choice = asked.form.get("section", ""), asked.form.get("serves", "")
    store, shelf = asked.desk.store, asked.desk.bench.features
    keys = sections(shelf).get(section)
    if keys is None:
        raise Unknown(t("There is no such section."), t("Reload the page."))
    revision, settings = await store.revision(), await store.features()
    able = [key for key in keys if choice != "inherit" or shelf[key].inherits]
    wanted = {
        key: changed(settings.get(key, FeatureSetting(feature=key)), choice)
        for key in able
        if choice_of(settings.get(key), shelf[key]) != choice
    }
    changes = tuple(FeatureChange(name=key, before=settings.get(key), after=each) for key, each in wanted.items())
    if changes:
        await store.carry_out(Plan(revision=revision, changes=changes), by=asked.person.name)
    return go(_at(section, _slug(section)))


async def undo(asked: Asked) -> Sent:
    """Let serve what served before a change. Raises Unknown, or Outdated when all of it was set otherwise since."""
    given, at = asked.form.get("change", ""), asked.form.get("at", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= DIGITS else 0
    undone = await asked.desk.store.undo_features(number, by=asked.person.name)
    place = f"row-{at}" if at in asked.desk.bench.features else _slug(at)
    return go(_at(at, quote(place), kept=",".join(undone.kept)))


def _at(at: str, place: str, **more: str) -> str:
    """The list, at the place where it tells what came of a change; `at` names a feature or a section."""
    query = urlencode({"at": at} | {name: value for name, value in more.items() if value}, quote_via=quote)
    return f"{ADDRESS}?{query}#{place}"


def _slug(section: str) -> str:
    return "all-" + section.lower().replace(" ", "-")


PAGE = Page(
    path=ADDRESS,
    title=mark("AI-powered features"),
    see="auditor",
    view=view,
    acts={"serve": serve, "section": apply, "undo": undo},
    menu="Models",
    order=20,
)
