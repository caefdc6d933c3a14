"""The form of a model: how it is drawn, and the model that somebody described with it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from htpy import (
    Node,
    Renderable,
    a,
    aside,
    button,
    datalist,
    details,
    div,
    fieldset,
    form,
    input,  # noqa: A004 (the element)
    label,
    legend,
    option,
    p,
    span,
    summary,
)

from homeport import providers
from homeport.console import _forms
from homeport.console._layout import guard, problem
from homeport.console._release import RELEASES, opt_in
from homeport.console._texts import mark, t
from homeport.console._told import told
from homeport.diagnostics._registration import bare
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.errors import BadRequest
from homeport.domain.models import Limits, Model, Secret, origin_of
from homeport.families import UNKNOWN, guess
from homeport.kit.extra_headers import holds_references
from homeport.providers import COMMON
from homeport.store.following import WAITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from homeport.console import Asked
    from homeport.console._desk import Desk
    from homeport.families import Family
    from homeport.kit.settings import Settings
    from homeport.providers import Option

LIST = "/console/models"
NEW = "/console/models/new"
WAY = "way"
"""The part of an option's field that stands for every platform."""
TOLD = 5
"""Names that are told where there is little room."""
GUESS = ""
"""The choice of a family that leaves it to the identifier."""
NEEDED = {"endpoint": mark("endpoint"), "identifier": mark("identifier")}
"""What a platform may need of a model, in a sentence."""
LIMITS = {
    "context_tokens": (
        mark("Context window"),
        mark("Tokens of a prompt and its answer; 0: what its server or its family says."),
    ),
    "output_tokens": (mark("Longest answer"), mark("Tokens.")),
    "prompt_tokens": (mark("Longest completion prompt"), mark("Tokens; 0: what the window allows.")),
    "concurrency": (mark("Requests at once"), mark("More wait for their turn.")),
    "queue": (mark("Requests that may wait"), mark("The next one is refused.")),
    "queue_s": (mark("Longest wait for a turn"), mark("Seconds.")),
    "connect_s": (mark("Connecting"), mark("Seconds, TLS and proxy included.")),
    "first_token_s": (mark("Until the answer begins"), mark("Seconds.")),
    "idle_s": (mark("Silence within a stream"), mark("Seconds.")),
    "total_s": (mark("Whole answer"), mark("Seconds.")),
}


class Drawn(NamedTuple):
    """How the form is drawn around its fields."""

    address: str
    """Where it is sent."""
    send: str
    """What its main button says."""
    stored: Model | None = None
    found: Sequence[str] = ()
    """The names that its server was seen to serve."""
    beside: Node = None
    """Help that stands beside it, and is replaced by what a server answers."""
    facts: Node = None
    """What stands beside it for good."""


def address(name: str) -> str:
    """The page of a model; a space keeps names apart that an address cannot say, and no name begins with one."""
    return f"{LIST}/{'%20' if name in {'new', '.', '..'} else ''}{quote(name, safe='')}"


def values_of(model: Model, shelf: Mapping[str, providers.Provider]) -> dict[str, str]:
    """What the fields hold for a model; never its key."""
    plain = {name: str(getattr(model, name)) for name in ("name", "platform", "family", "endpoint", "identifier")}
    limits = {f"limits.{name}": f"{value:g}" if value < _EXACT else str(value) for name, value in _limits(model)}
    own = shelf[model.platform].options if model.platform in shelf else {}
    said = {f"{model.platform if name in own else WAY}.{name}": value for name, value in model.options.items()}
    return {**plain, **limits, **said, "clean": "on" if model.clean else ""}


_EXACT = 10**6
"""Numbers below it are written the short way without loss."""


def _limits(model: Model) -> list[tuple[str, float]]:
    return list(asdict(model.limits).items())


def fingerprint(model: Model) -> str:
    """Changes with every field of a model but its key."""
    told = [(each.name, str(getattr(model, each.name))) for each in fields(Model) if each.name != "key"]
    return hashlib.sha256(str(told).encode()).hexdigest()[:16]


# from the form to a model


def drafted(asked: Asked, stored: Model | None) -> Model:
    """The model that the form describes, perhaps not complete; raises BadRequest for what cannot be."""
    # a model that runs inside has no fields for where it runs
    kept = {} if stored is None else {"endpoint": stored.endpoint, "identifier": stored.identifier}
    given, desk = {**kept, **asked.form}, asked.desk
    platform = given.get("platform", "")
    if platform not in desk.providers:
        raise BadRequest(
            t("There is no platform {platform}.", platform=f"{platform[:100]!r}"), t("Choose one."), param="platform"
        )
    offer = desk.providers[platform]
    identifier = bare(given.get("identifier", "").strip(), offer)
    model = Model(
        name=given.get("name", "").strip(),
        platform=platform,
        family=given.get("family", "") or guess(identifier, desk.bench.families) or UNKNOWN,
        endpoint=given.get("endpoint", "").strip().rstrip("/"),
        identifier=identifier,
        enabled=stored is None or stored.enabled,
        clean=given.get("clean") == "on",
        limits=_limits_of(given),
        options=_options_of(given, platform),
    )
    providers.check(desk.providers, platform, model.options)
    return replace(_at_home(model, stored), key=_key(given, model, stored))


def _key(given: Mapping[str, str], model: Model, stored: Model | None) -> Secret:
    """The key that was typed, else the stored one where it belongs."""
    if given.get("api_key", "").strip() or stored is None or given.get("no_api_key") == "on":
        return Secret(given.get("api_key", "").strip())
    return stored.key if origin_of(model.endpoint) == stored.origin else Secret()


def _at_home(model: Model, stored: Model | None) -> Model:
    """Headers that were meant for one server are not sent to another one by trying it."""
    if stored is None or stored.origin == origin_of(model.endpoint):
        return model
    headers = model.options.get("headers", "")
    if not holds_references(headers) or headers != stored.options.get("headers"):
        return model
    return replace(model, options={name: value for name, value in model.options.items() if name != "headers"})


def _limits_of(given: Mapping[str, str]) -> Limits:
    found: dict[str, Any] = {}
    for name, (called, _) in LIMITS.items():
        text = given.get(f"limits.{name}", "").strip()
        try:
            number = float(text or getattr(Limits(), name))
            found[name] = number if name.endswith("_s") else int(text or number)
        except ValueError as error:
            saw = t("{called} cannot be {text}.", called=called, text=f"{text[:40]!r}")
            raise BadRequest(saw, t("Give a number."), param=f"limits.{name}") from error
    return Limits(**found)


def _options_of(given: Mapping[str, str], platform: str) -> dict[str, str]:
    parts = ((name.partition("."), value.strip()) for name, value in given.items())
    return {name: value for (of, dot, name), value in parts if dot and of in {platform, WAY} and value}


def complete(model: Model, desk: Desk, *, named: bool = True) -> Model:
    """The model if it can be asked and, where it is `named` now, be called by its name; raises BadRequest."""
    offer = desk.providers[model.platform]
    if not model.name:
        raise BadRequest(t("It has no name."), t("Give it a deployment name."), param="name")
    if model.family not in desk.bench.families:
        raise BadRequest(
            t("There is no family {family}.", family=f"{model.family[:100]!r}"), t("Choose one."), param="family"
        )
    for what, needed in (("endpoint", offer.needs_endpoint), ("identifier", offer.needs_identifier)):
        if needed and not getattr(model, what):
            raise BadRequest(
                t("{label} needs the {what}.", label=t(offer.label), what=t(NEEDED[what])),
                t("Fill it in, or let it be detected."),
                param=what,
            )
    if named and any(map(str.isspace, model.name)):
        better = "-".join(model.name.split())
        raise BadRequest(
            t("{name} has spaces: no request could name it.", name=f"{model.name!r}"),
            t("Write it like {better}", better=better),
            param="name",
        )
    if named and model.name in desk.bench.features:
        raise BadRequest(
            t("{name} is the name of a feature.", name=f"{model.name!r}"), t("Choose another name."), param="name"
        )
    return model


def changes(model: Model, stored: Model, given: Mapping[str, str]) -> dict[str, Any]:
    """What differs from what is stored, as the store takes it; what was left alone keeps its secrets."""
    plain = ("name", "platform", "family", "endpoint", "identifier", "clean", "limits")
    changed = {name: getattr(model, name) for name in plain if getattr(model, name) != getattr(stored, name)}
    options = {**dict.fromkeys(stored.options, ""), **model.options}
    if stored.options.get("headers") in {model.options.get("headers"), given.get(f"{WAY}.headers", "").strip()}:
        options.pop("headers", None)
    if dict(model.options) != dict(stored.options) or "platform" in changed:
        changed["options"] = options
    if given.get("api_key", "").strip():
        changed["key"] = model.key
    elif given.get("no_api_key") == "on":
        changed["key"] = Secret()
    return changed


# from values to the form


def draw(asked: Asked, values: Mapping[str, str], drawn: Drawn) -> Renderable:
    """The form, and beside it what helps; who may not change anything sees it and cannot type."""
    may = asked.person.role == "admin"
    return div(".beside")[
        div[
            problem(asked),
            form("#model-form.stack", method="post", action=drawn.address)[
                guard(asked, "save"),
                # the Enter key presses the first button there is
                button(".unseen", type="submit", tabindex="-1", aria_hidden="true")[drawn.send] if may else None,
                input(type="hidden", name="seen", value=fingerprint(drawn.stored)) if drawn.stored else None,
                fieldset(".stack", disabled=not may)[_parts(asked, values, drawn)],
                _buttons(drawn) if may else None,
            ],
        ],
        aside(aria_label=t("About it"))[div("#help", aria_live="polite")[drawn.beside], drawn.facts],
    ]


def _parts(asked: Asked, values: Mapping[str, str], drawn: Drawn) -> Iterator[Node]:
    inside = values.get("platform") == EMBEDDED
    tip = t("What people and features call it. Letters and digits without spaces.")
    yield _forms.text("name", t("Deployment name"), values.get("name", ""), tip, required=True, maxlength=100)
    yield _platforms(asked, values)
    yield where(asked, values, drawn)
    if not inside:
        yield _key_field(asked, drawn.stored)
    yield _limit_fields(values, asked.desk.settings)
    yield _way_fields(asked, values)


def _platforms(asked: Asked, values: Mapping[str, str]) -> Node:
    chosen = values.get("platform", "")
    offers = {key: offer for key, offer in asked.desk.providers.items() if (key == EMBEDDED) == (chosen == EMBEDDED)}
    first = sorted(offers, key=lambda key: (key != "openai", offers[key].label))
    return fieldset(".choices")[
        legend[t("Platform")],
        (
            div(".choice")[
                label(".check")[
                    input(type="radio", name="platform", value=key, checked=key == chosen, required=True),
                    t(offers[key].label),
                ],
                _options(values, key, offers[key].options),
            ]
            for key in first
        ),
    ]


def _options(values: Mapping[str, str], key: str, options: Mapping[str, Option]) -> Node:
    if not options:
        return None
    said = any(values.get(f"{key}.{name}") for name in options) or any(each.needed for each in options.values())
    return details(".more", open=said)[
        summary[t("Options of this platform")],
        div(".stack")[(_option(values, key, name, each) for name, each in options.items())],
    ]


def _option(values: Mapping[str, str], key: str, name: str, known: Option) -> Renderable:
    field, called = f"{key}.{name}", t(name.replace("_", " ").capitalize())
    about = f"options.{name}" if key in {WAY, values.get("platform")} else ""
    value = values.get(field, "")
    tip = told(known.text).replace("`", "")
    if known.variables:
        tip = t("{tip} Empty: the server's {variables}.", tip=tip, variables=known.variables[0])
    if known.values:
        empty = t("as usual ({default})", default=known.default) if known.default else t("as usual")
        return _forms.choice(field, called, (("", empty), *((each, each) for each in known.values)), value, tip, about)
    return _forms.text(field, called, value, tip, about, placeholder=known.default or None, autocomplete="off")


def where(asked: Asked, values: Mapping[str, str], drawn: Drawn, *, swap: bool = False) -> Renderable:
    """The fields that detecting fills in."""
    if values.get("platform") == EMBEDDED:
        return div("#where.stack")[
            p(".note")[t("It runs inside Homeport: it has no address of its own.")],
            _family(asked, values),
            opt_in(asked),
        ]
    endpoint, identifier = values.get("endpoint", ""), values.get("identifier", "")
    tip = t("Where its server answers, up to and including /v1. Empty for a platform that knows its own address.")
    known = datalist("#served")[(option(value=name) for name in drawn.found)]
    name_tip = t("The name under which its server knows it. Detect lists what is served there.")
    if drawn.found:
        more = " …" if len(drawn.found) > TOLD else ""
        name_tip = t("Served there: {names}{more}", names=", ".join(drawn.found[:TOLD]), more=more)
    return div("#where.stack", hx_swap_oob="true" if swap else None)[
        _forms.field(
            "endpoint",
            t("Endpoint"),
            div(".joined")[
                input(
                    type="url",
                    value=endpoint,
                    placeholder="http://gpu1:8000/v1",
                    maxlength=2000,
                    **_forms.tied("endpoint", tip),
                ),
                asks("detect", t("Detect"), drawn.address) if asked.person.role == "admin" else None,
            ],
            tip,
        ),
        _forms.text(
            "identifier", t("Model identifier"), identifier, name_tip, list="served", maxlength=2000, autocomplete="off"
        ),
        known,
        _family(asked, values),
        opt_in(asked),
    ]


def asks(do: str, said: str, where: str, **vals: str) -> Renderable:
    """A button of the form that asks a server and shows beside the form what came back."""
    more = {"name": "do", "value": do}
    return button(
        # by its name a script finds the button again, which is drawn anew
        id=None if vals else f"ask-{do}",
        type="submit",
        formnovalidate=True,
        hx_post=where,
        hx_target="#help",
        hx_swap="innerHTML",
        hx_include="#model-form",
        hx_disabled_elt="this",
        form="model-form",
        **(more | vals),
    )[said, span(".htmx-indicator")[" …"]]


def _family(asked: Asked, values: Mapping[str, str]) -> Renderable:
    chosen = values.get("family", "")
    guessed = guess(values.get("identifier", ""), asked.desk.bench.families)
    tip = t("How the model likes to be asked.")
    if guessed:
        tip = t("Its name looks like {label}.", label=t(asked.desk.bench.families[guessed].label))
    groups = {"": (("", t("Guess it from the identifier")),), **by_release(asked.desk.bench.families)}
    return _forms.choice("family", t("Model family"), groups, chosen, tip)


def by_release(families: Mapping[str, Family]) -> dict[str, list[tuple[str, str]]]:
    """Families by how settled they are, the most settled first."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for key, family in sorted(families.items(), key=lambda each: (RELEASES.index(each[1].release), each[1].label)):
        groups.setdefault(t(family.release).capitalize(), []).append((key, t(family.label)))
    return groups


def _key_field(asked: Asked, stored: Model | None) -> Node:
    """Empty, whatever is stored or was typed."""
    kept = stored is not None and bool(stored.key)
    if asked.person.role != "admin":
        return p(".note")[t("A key is stored.") if kept else t("No key is stored.")]
    tip = t("Leave empty to keep the stored key.") if kept else t("Only if its server wants one.")
    tip = f"{tip} {t('It is stored encrypted, goes to this endpoint alone, and is never shown again.')}"
    drawn = _forms.text(
        "api_key", t("API key"), "", tip, about="key", type="password", autocomplete="off", maxlength=16_384
    )
    typed = bool(asked.form.get("api_key", "").strip())
    again = (
        p(".note.warn", role="status")[t("Type the API key again: it is never sent back to a page.")] if typed else None
    )
    return div(".stack")[
        drawn, again, _forms.check("no_api_key", t("Forget the stored key"), on=False) if kept else None
    ]


def _limit_fields(values: Mapping[str, str], settings: Settings) -> Renderable:
    """What is as it comes waits as long as the settings say; its field is empty, so that it goes on doing so."""
    usual = asdict(Limits())
    own = {name: said for name in LIMITS if (said := values.get(f"limits.{name}", "")) != f"{usual[name]:g}"}
    waits = {limit: getattr(settings, name) for name, limit in WAITS.items()}
    shown = {name: own.get(name, "") if name in waits else values.get(f"limits.{name}", "") for name in LIMITS}
    return details(open=any(own.values()))[
        summary[t("Limits")],
        div(".pair")[(_limit(name, shown[name], waits.get(name, usual[name])) for name in LIMITS)],
    ]


def _limit(name: str, value: str, usual: float) -> Renderable:
    called, tip = map(t, LIMITS[name])
    step = "any" if name.endswith("_s") else "1"
    return _forms.text(
        f"limits.{name}", called, value, tip, type="number", min="0", step=step, placeholder=f"{usual:g}"
    )


def _way_fields(asked: Asked, values: Mapping[str, str]) -> Renderable:
    """What holds on every platform: the way to its server, and whether its code is cleaned."""
    may = asked.person.role == "admin"
    shown = {**values} if may else {**values, f"{WAY}.headers": t("(set)") if values.get(f"{WAY}.headers") else ""}
    said = any(values.get(f"{WAY}.{name}") for name in COMMON) or not values.get("clean")
    clean = t("Take sentinels, fences and repetitions out of its code")
    return details(open=said)[
        summary[t("Network and more")],
        div(".stack")[
            (_option(shown, WAY, name, each) for name, each in COMMON.items()),
            _forms.check("clean", clean, on=bool(values.get("clean"))),
        ],
    ]


def _buttons(drawn: Drawn) -> Renderable:
    return div(".buttons")[
        button(".first", type="submit")[drawn.send],
        asks("test", t("Test connection"), drawn.address),
        a(".button.quiet", href=LIST)[t("Cancel")],
    ]
