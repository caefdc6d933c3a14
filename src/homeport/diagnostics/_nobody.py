"""Why nobody answers at Homeport's address, said to somebody who typed a command or set up an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.domain.errors import HomeportError

if TYPE_CHECKING:
    from homeport.kit.upstream import Unreachable

START = "Start it with `homeport up`."
"""What helps where the address is right."""
_NAME = "Mend the host name in HOMEPORT_URL, or the name server that this machine asks."
_TRUST = "Name the file of the authority that signed it: HOMEPORT_CA_FILE=PATH."
_RENEW = "Renew the certificate; if it is valid, mend this machine's clock."


def nobody(url: str, error: Unreachable) -> HomeportError:
    """What was seen and what helps; an address is repeated unless it may hold a password."""
    if error.why == "url":
        return _no_address(url)
    if error.why == "plain":
        saw = f"{url} begins with https, and what answers there speaks plain HTTP."
        return HomeportError(saw, f"Set HOMEPORT_URL={url.replace('https:', 'http:', 1)}")
    if error.why == "tls":
        fix = _RENEW if "expired" in error.detail else _TRUST
        return HomeportError(
            f"The TLS certificate at {url} is not accepted ({error.detail or 'no reason given'}).", fix
        )
    why = "" if error.why == "refused" else f" ({error.detail or error.why})"
    return HomeportError(f"Nothing answers at {url}{why}.", _NAME if error.why == "dns" else START)


def unspoken(url: str) -> HomeportError:
    """Somebody answers, in words that are no HTTP."""
    https = f" If it speaks TLS: HOMEPORT_URL={url.replace('http:', 'https:', 1)}" if url.startswith("http:") else ""
    return HomeportError(f"What answers at {url} does not speak HTTP as expected.", f"Is it Homeport?{https}")


def _no_address(url: str) -> HomeportError:
    if "@" in url:
        saw = "An address with a user or a password in it is not taken."
        return HomeportError(saw, "Set HOMEPORT_URL to the address alone; the token is HOMEPORT_TOKEN.")
    better = "http://HOST:PORT" if "://" in url else f"http://{url}"
    return HomeportError(f"{url!r} is no address: one begins with http: or https:.", f"Set HOMEPORT_URL={better}")
