"""Headers that an operator adds to the requests for a model: a JSON object of names and values.

A value may be a reference (`env:VAR`, `file:PATH`), so that a secret is stored nowhere. What the protocol,
the platform or Homeport itself says cannot be said again (RFC 9110, sections 7.2, 7.6.1 and 8.6).
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

import orjson

from homeport.kit.references import check as check_reference
from homeport.kit.references import is_reference, resolve

MOST = 20
_LONGEST = 1000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e\xa1-\xff](?:[\t\x20-\x7e\xa1-\xff]*[\x21-\x7e\xa1-\xff])?")
_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authenticate"}
_HOP |= {"proxy-authorization", "proxy-connection", "expect"}
_FRAMING = {"host", "content-length", "content-type", "content-encoding", "accept-encoding"}
_KEYS = {"authorization", "x-api-key", "api-key"}
_OURS = ("x-request-id", "x-homeport-", "x-amz-", "anthropic-version")
_SECRET = re.compile(r"auth|cookie|key|passw|secret|session|token", re.IGNORECASE)


@lru_cache(maxsize=256)
def parse(text: str) -> tuple[tuple[str, str], ...]:
    """Names and values, references left as they are; raises ValueError that says what is wrong."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not found or not all(isinstance(value, str) for value in found.values()):
        msg = 'write them as a JSON object of texts, such as {"X-Team": "blue", "X-Pass": "env:GATE_PASS"}'
        raise ValueError(msg)
    if len(found) > MOST or len({name.lower() for name in found}) < len(found):
        msg = f"there are more than {MOST}" if len(found) > MOST else "a name is there twice"
        raise ValueError(msg)
    for name, value in found.items():
        _check(name, value)
    return tuple(found.items())


def _check(name: str, value: str) -> None:
    lower = name.lower()
    if not _NAME.fullmatch(name):
        msg = f"{name[:100]!r} is no header's name"
    elif lower in _HOP or lower in _FRAMING or lower.startswith(_OURS):
        msg = f"the header {name} is said by HTTP, by the platform or by Homeport itself"
    elif lower in _KEYS:
        msg = f"the header {name} carries the model's key: store it with --api-key-env or --api-key-file"
    elif is_reference(value):
        check_reference(value)
        return
    elif not _VALUE.fullmatch(value) or len(value) > _LONGEST:
        msg = f"the value of {name} is empty, too long or holds a character that no header can carry"
    else:
        return
    raise ValueError(msg)


def resolved(text: str) -> dict[str, str]:
    """The headers to send now; raises ValueError that says which cannot be sent, and why."""
    found = {}
    for name, value in parse(text):
        try:
            found[name] = resolve(value) if is_reference(value) else value
        except ValueError as error:
            msg = f"the header {name}: {error}"
            raise ValueError(msg) from error
    return found


def in_clear(text: str) -> list[str]:
    """Names of headers that look like secrets and are not references."""
    return [name for name, value in parse(text) if _SECRET.search(name) and not is_reference(value)]


def holds_references(text: str) -> bool:
    """Whether a value comes from this server's environment or disk."""
    return '"env:' in text or '"file:' in text


def listed(text: str) -> dict[str, str]:
    """Headers written as OpenTelemetry has them, `name=value,name=value` percent-encoded; raises ValueError."""
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, value = (each.strip() for each in part.partition("="))
        found[name] = unquote(value)
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(found[name]) or name.lower() in _HOP | _FRAMING:
            msg = "write headers as name=value, with commas between them"
            raise ValueError(msg)
    return found
