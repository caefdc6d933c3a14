"""What may be stored: each function returns the value as it is stored, or raises BadRequest."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from homeport.domain.errors import BadRequest
from homeport.domain.models import Limits, Secret, origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.models import Model

NAME_CHARS = 100
_KEYWORD = re.compile(r"[a-z0-9_]{1,40}")
_RESERVED = frozenset({"disabled", "inherit", "unassigned"})
_TEXT_CHARS = 2000
_KEY_CHARS = 16_384
_MOST = 10**9
_WAITS = frozenset({"connect_s", "first_token_s", "idle_s", "total_s"})
"""Seconds that have to be some: with none, every request would be given up at once."""
_OPTIONS = 20


def name(value: str, *, of: str) -> str:
    """A name that people write: printable, without space at its ends."""
    if value and value == value.strip() and value.isprintable() and len(value) <= NAME_CHARS:
        return value
    saw = f"{value[:NAME_CHARS]!r} cannot be the name of a {of}."
    raise BadRequest(saw, f"Use 1 to {NAME_CHARS} printable characters without spaces at the ends.", param="name")


def model(given: Model) -> Model:
    """A model whose every field can be stored."""
    if given.name in _RESERVED:
        saw = f"{given.name!r} cannot be the name of a model: it means something else where a feature is assigned."
        raise BadRequest(saw, "Choose another name.", param="name")
    name(given.name, of="model")
    keyword(given.platform, "platform")
    keyword(given.family, "family")
    text(given.identifier, "identifier")
    if given.endpoint:
        endpoint(given.endpoint)
    return replace(
        given, key=key(given.key), limits=limits(asdict(given.limits), Limits()), options=options(given.options, {})
    )


def keyword(value: str, param: str) -> str:
    """The name of a file on a shelf."""
    if _KEYWORD.fullmatch(value):
        return value
    saw = f"{value[:NAME_CHARS]!r} is no {param}."
    raise BadRequest(saw, "Names are made of lower-case letters, digits and underscores.", param=param)


def text(value: str, param: str, *, most: int = _TEXT_CHARS) -> str:
    """One line of printable text."""
    if len(value) <= most and (value.isprintable() or not value):
        return value
    saw = f"The {param} has {len(value)} characters, perhaps some that cannot be printed."
    raise BadRequest(saw, f"Use up to {most} printable characters.", param=param)


def key(value: Secret) -> Secret:
    """A key that fits into a header; the error does not show it."""
    plain = value.reveal()
    if len(plain) <= _KEY_CHARS and (plain.isprintable() or not plain) and plain == plain.strip():
        return value
    saw = "The key has spaces or line ends around it, characters that cannot be printed, or is too long."
    raise BadRequest(saw, "Paste the key alone, on one line.", param="key")


def endpoint(url: str) -> str:
    """A base URL that says where to and nothing else."""
    text(url, "endpoint")
    try:
        origin = origin_of(url)
    except ValueError:
        origin = ""
    if not origin or " " in url or "#" in url or "\\" in url:
        saw = f"{url!r} is no http or https address of a model server."
        raise BadRequest(saw, "Write it like http://host:8000/v1", param="endpoint")
    if "@" in url.split("//", 1)[1].split("/", 1)[0]:
        saw = "The endpoint holds a user name or password."
        raise BadRequest(saw, "Leave it out of the address and store it as the key.", param="endpoint")
    return url


def options(changes: Mapping[str, str], base: Mapping[str, str]) -> dict[str, str]:
    """`base` with some options changed; an empty one is forgotten. Only the platform knows what they mean."""
    merged = {**base, **changes}
    for option, value in merged.items():
        keyword(option, "options")
        text(value, f"options.{option}")
    kept = {option: value for option, value in merged.items() if value}
    if len(kept) > _OPTIONS:
        saw = f"A model cannot have {len(kept)} options."
        raise BadRequest(saw, f"Give up to {_OPTIONS}.", param="options")
    return kept


def limits(changes: Mapping[str, Any], base: Limits) -> Limits:
    """`base` with some limits changed."""
    known = {each.name: each.name.endswith("_s") for each in fields(Limits)}
    for limit, value in changes.items():
        if limit not in known:
            saw = f"There is no limit {str(limit)!r}."
            raise BadRequest(saw, f"Known: {', '.join(known)}.", param=f"limits.{limit}")
        _number(limit, value, whole=not known[limit])
    return replace(base, **changes)


def _number(limit: str, value: object, *, whole: bool) -> None:
    """Whole numbers of tokens or requests, seconds with fractions."""
    least = 1 if limit in {"concurrency", "output_tokens"} else 0.001 if limit in _WAITS else 0
    kinds = (int,) if whole else (int, float)
    if isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value) and least <= value <= _MOST:
        return
    saw = f"The limit {limit} cannot be {value!r}."
    what = "a whole number" if whole else "a number of seconds"
    raise BadRequest(saw, f"Give {what} from {least} to {_MOST}.", param=f"limits.{limit}")
