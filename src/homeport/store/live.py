"""Settings that administrators change while it runs: which, what they may be, and which value counts.

The operator's word (homeport.toml, a variable, the command line) wins over what is stored, and that over the default.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from homeport.domain.errors import BadRequest, Outdated
from homeport.kit.addresses import parse_networks
from homeport.kit.effective import Effective, effective

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homeport.kit.settings import Settings

Group = Literal["addresses", "timeouts", "outbound", "retention"]
STORED = "database"
"""The place of a value that administrators set."""
ADDRESS_CHARS = 200
NETWORKS = 50
"""Networks of one list: each new connection is compared with all of them, and with what lies between."""
_SHOWN = 40
_DIGITS = 12


class Live(NamedTuple):
    """One setting; its name is that of a field of `Settings`, whose default is its own."""

    group: Group
    what: str
    """What it is for, in a sentence."""
    read: Callable[[str], Any]
    """A text that is not empty as the setting's value; raises ValueError that says what to write."""
    may: str
    """What may be written."""
    kind: Any = float
    """Its type in a JSON document."""


def _whole(least: int, most: int, *, also: int | None = None) -> dict[str, Any]:
    may = f"a whole number from {least:,} to {most:,}" + (f", or {also}" if also is not None else "")

    def read(text: str) -> int:
        known = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
        if not known or not (least <= int(text) <= most or int(text) == also):
            raise ValueError(may)
        return int(text)

    return {"read": read, "may": may, "kind": int}


def _seconds(most: int) -> dict[str, Any]:
    may = f"seconds from 0.1 to {most:,}"

    def read(text: str) -> float:
        try:
            value = float(text) if text.isascii() else math.nan
        except ValueError:
            value = math.nan
        if not 0.1 <= value <= most:  # noqa: PLR2004 (as the sentence says)
            raise ValueError(may)
        return value

    return {"read": read, "may": may}


def _address(text: str) -> str:
    may = "an address such as https://homeport.example, with nothing behind host and port"
    url = text.rstrip("/")
    odd = not url.isascii() or not url.isprintable() or len(url) > ADDRESS_CHARS or set(url) & set(" \\'\"<>@?#")
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and not parts.path
    except ValueError:
        whole = False
    if odd or not whole:
        raise ValueError(may)
    return url


def _networks(text: str) -> tuple[str, ...]:
    listed = tuple(dict.fromkeys(filter(None, map(str.strip, text.replace("\n", ",").split(",")))))
    if len(listed) > NETWORKS:
        raise ValueError(f"up to {NETWORKS} networks")
    try:
        return tuple(dict.fromkeys(str(each) for each in parse_networks(listed)))
    except ValueError as error:
        raise ValueError(
            f"networks such as 10.0.0.0/8, with commas or line ends between; {str(error)[:200]}"
        ) from error


_WAIT = "a model whose own limit is another one keeps that."
_LISTED: dict[str, Any] = {
    "read": _networks,
    "may": "networks such as 10.0.0.0/8, with commas between",
    "kind": list[str],
}
LIVE: Mapping[str, Live] = {
    "url": Live(
        "addresses",
        "Where people reach the server: links, invitations and set-ups of editors begin with it.",
        _address,
        "an address such as https://homeport.example",
        str,
    ),
    "model_connect_s": Live("timeouts", f"Seconds that connecting to a model may take; {_WAIT}", **_seconds(600)),
    "model_first_token_s": Live("timeouts", f"Seconds until an answer must begin; {_WAIT}", **_seconds(86_400)),
    "model_idle_s": Live("timeouts", f"Seconds for which a stream may be silent; {_WAIT}", **_seconds(86_400)),
    "model_total_s": Live("timeouts", f"Seconds that one answer may take in all; {_WAIT}", **_seconds(86_400)),
    "allowed_networks": Live(
        "outbound",
        "The only networks that models and the provider of single sign-on may be in, besides this machine.",
        **_LISTED,
    ),
    "denied_networks": Live("outbound", "More networks that none of them may be in.", **_LISTED),
    "request_log_days": Live("retention", "Days that requests are kept.", **_whole(1, 3650)),
    "request_log_rows": Live(
        "retention", "Requests that are kept at most; the oldest go first.", **_whole(1000, 1_000_000_000)
    ),
    "request_content_days": Live("retention", "Days that prompts and answers are kept.", **_whole(0, 3650)),
    "request_content_mb": Live(
        "retention", "Megabytes that they may take; the oldest go first.", **_whole(1, 1_000_000)
    ),
    "usage_days": Live("retention", "Days for which sums of requests are kept.", **_whole(1, 3650)),
    "audit_days": Live("retention", "Days that the audit is kept; 0 keeps it for good.", **_whole(30, 36_500, also=0)),
}
"""By name, as `Settings`, the database and a configuration file call it."""


# which value counts


def counting(settings: Settings, stored: Mapping[str, str]) -> Settings:
    """The settings that count, from the operator's or those that counted until now.

    What the operator set stays; what is stored and cannot be is passed over.
    """
    free = [name for name in LIVE if not fixed(settings, name)]
    said = {name: _stored(settings, stored, name) for name in free}
    values = {name: default(settings, name) if value is None else value for name, value in said.items()}
    return settings.model_construct(_fields_set=settings.model_fields_set, **{**settings.__dict__, **values})


def _stored(settings: Settings, stored: Mapping[str, str], name: str) -> Any:  # noqa: ANN401 (whatever the setting holds)
    if name not in LIVE or not stored.get(name) or fixed(settings, name):
        return None
    try:
        return LIVE[name].read(stored[name])
    except ValueError:
        return None


def fixed(settings: Settings, name: str) -> bool:
    """Whether the operator set it, so that nobody can change it while it runs."""
    return name in settings.model_fields_set


def default(settings: Settings, name: str) -> Any:  # noqa: ANN401 (whatever the setting holds)
    """What counts where nobody set anything."""
    return type(settings).model_fields[name].default


def placed(settings: Settings, stored: Mapping[str, str], environ: Mapping[str, str]) -> list[Effective]:
    """Every setting as it counts, with where it came from. `settings`: the operator's, or those that count."""
    return [
        each._replace(place=STORED) if _stored(settings, stored, each.name) is not None else each
        for each in effective(counting(settings, stored), environ)
    ]


def text_of(value: object) -> str:
    """A value as it is written and stored."""
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


# changing them


def read(name: str, text: str) -> Any:  # noqa: ANN401 (whatever the setting holds)
    """The value that a text is; raises BadRequest for a setting that there is not, or that cannot be so."""
    if name not in LIVE:
        saw = f"There is no setting {name[:_SHOWN]!r} that can be changed while it runs."
        raise BadRequest(saw, f"Known: {', '.join(LIVE)}.", param=name[:_SHOWN])
    try:
        return LIVE[name].read(text)
    except ValueError as error:
        raise BadRequest(f"{name} cannot be {text[:_SHOWN]!r}.", f"Write {error}.", param=name) from error


def changed(settings: Settings, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """What to store so that these count; an empty text is the default.

    Raises BadRequest for a value that cannot be, or a setting that the operator set.
    """
    said = {name: text.strip() for name, text in wanted.items()}
    stored = {name: text_of(read(name, text)) if text or name not in LIVE else None for name, text in said.items()}
    for name in said:
        if fixed(settings, name):
            fix = f"Change it there (HOMEPORT_{name.upper()} or homeport.toml) and start again."
            raise BadRequest(f"{name} was set before the start.", fix, param=name)
    return {name: text or None for name, text in stored.items()}


def after(stored: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """What is stored when these changes are made."""
    return {name: value for name, value in {**stored, **changes}.items() if value is not None}


def version(stored: Mapping[str, str]) -> str:
    """What tells whether the stored values are those that somebody saw."""
    said = {name: stored.get(name, "") for name in LIVE}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def as_seen(seen: str) -> Callable[[Mapping[str, str]], None]:
    """What raises Outdated when the stored values are not those that somebody saw; empty: nobody looked."""

    def check(stored: Mapping[str, str]) -> None:
        if seen not in {"", version(stored)}:
            raise other()

    return check


def other() -> Outdated:
    """The error for a change that was meant for other values."""
    saw = "Somebody else changed these settings since you looked."
    return Outdated(saw, "Nothing of yours is saved. Look at theirs, or save again to keep yours.")
