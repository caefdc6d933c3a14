"""How a server is reached: whose certificates are trusted, which one we show, and by which proxy.

The rules for who is reached without one are those of the NO_PROXY convention, as curl and Go read them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

from homeport.kit.addresses import literal
from homeport.kit.proxy import Proxy, proxy_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.kit import addresses

NONE = "none"
"""A proxy of this name is no proxy, whatever holds for all."""
THIS_MACHINE = "localhost,127.0.0.0/8,::1"
"""Reached without the proxy that holds for all."""
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class Network(NamedTuple):
    """The way to a server; part of what connections are kept by."""

    ca_file: str = ""
    """PEM of authorities to trust besides the others."""
    client_cert_file: str = ""
    """PEM of the certificate that we show, perhaps with its key and its chain."""
    client_key_file: str = ""
    """PEM of that certificate's key, where it is a file of its own."""
    proxy: str = ""
    """`http://[user:env:VAR@]host:port` or `https://…`; `none`."""
    no_proxy: str = ""
    """Who is reached without it: names with all below them, addresses and networks, with commas."""

    def over(self, usual: Network | None) -> Network:
        """This way, with the usual proxy where it says nothing of one; rules belong to the proxy they were said of."""
        if usual is None or self.proxy:
            return self
        return self._replace(proxy=usual.proxy, no_proxy=",".join(filter(None, (self.no_proxy, usual.no_proxy))))

    def via(self, host: str, port: int) -> Proxy | None:
        """The proxy for a place, or None; raises ValueError for one that cannot be."""
        if not self.proxy or self.proxy == NONE or exempt(self.no_proxy, host, port):
            return None
        return proxy_of(self.proxy)


def usual(proxy: str, no_proxy: str) -> Network | None:
    """The way to every model that says nothing else; this machine is reached without a proxy."""
    return Network(proxy=proxy, no_proxy=",".join(filter(None, (no_proxy, THIS_MACHINE)))) if proxy else None


_FIELDS = Network._fields
OPTIONS = (*_FIELDS, "headers")
"""What can be said of a way to a model, whatever runs there."""


def of(options: Mapping[str, str]) -> Network | None:
    """The way that options describe; None where they say nothing of it."""
    found = {name: options[name] for name in _FIELDS if name in options}
    return Network(**found) if found else None


def check_proxy(text: str) -> None:
    """Raise ValueError for what is neither `none` nor a proxy."""
    if text != NONE:
        proxy_of(text)


def check_no_proxy(text: str) -> None:
    """Raise ValueError for a rule that nothing could match."""
    for rule in _rules(text):
        host, port = _split(rule)
        place = _subnet(host) is not None or _NAME.fullmatch(host.lstrip("*").strip("."))
        if rule != "*" and not (place and 0 <= port < 65536):  # noqa: PLR2004 (TCP's own)
            msg = f"{rule[:100]!r} is neither a name, an address nor a network"
            raise ValueError(msg)


def exempt(rules: str, host: str, port: int) -> bool:
    """Whether rules name a place; networks match hosts that are addresses, names those and all below them."""
    name = host.rstrip(".").lower()
    return any(_matches(rule, name, port) for rule in _rules(rules))


def _rules(text: str) -> list[str]:
    return [rule.strip().lower() for rule in text.split(",") if rule.strip()]


def _matches(rule: str, name: str, port: int) -> bool:
    if rule == "*":
        return True
    host, only = _split(rule)
    subnet = _subnet(host)
    if only and only != port:
        return False
    if subnet is not None:
        address = literal(name)
        return address is not None and address.version == subnet.version and address in subnet
    bare = host.lstrip("*").strip(".")
    return name == bare or name.endswith(f".{bare}")


def _subnet(text: str) -> addresses.Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _split(rule: str) -> tuple[str, int]:
    """Host and port of a rule; 0 where it names none, -1 where it is no number."""
    if _subnet(rule) is not None:
        return rule, 0
    host, colon, port = rule.rpartition(":")
    return (host, int(port) if port.isdecimal() else -1) if colon else (rule, 0)
