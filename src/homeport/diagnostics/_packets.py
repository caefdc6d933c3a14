"""Where packets would have gone. Pure.

Sources: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 1035, section 4 (questions to a name server).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

_V4, _V6 = 4, 6
_V4_HEAD, _V6_HEAD, _PORTS = 20, 40, 4
_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
_UDP, _ICMP_6 = 17, 58
_WITH_PORTS = {6, 17}
_DNS, _UDP_HEAD, _DNS_HEAD = 53, 8, 12
_LONGEST_LABEL = 63


class Packet(NamedTuple):
    """One packet that would have left."""

    to: str
    """An address."""
    port: int
    """0 where its protocol has none."""
    protocol: str
    asks_for: str = ""
    """The name that a name server was asked for."""

    @property
    def told(self) -> str:
        """For people."""
        at = f"[{self.to}]:{self.port}" if ":" in self.to else f"{self.to}:{self.port}"
        return f"the name {self.asks_for}" if self.asks_for else f"{at} ({self.protocol})"


def read(raw: bytes) -> Packet | None:
    """What a packet is; None for one that the kernel sends of its own accord when an interface comes up."""
    version = raw[0] >> 4 if raw else 0
    if version == _V4 and len(raw) >= _V4_HEAD:
        return _of(str(ipaddress.ip_address(raw[16:20])), raw[9], raw[(raw[0] & 15) * 4 :])
    if version == _V6 and len(raw) >= _V6_HEAD:
        to = ipaddress.ip_address(raw[24:40])
        own = raw[6] in {0, _ICMP_6} and to.is_multicast
        return None if own else _of(str(to), raw[6], raw[_V6_HEAD:])
    return Packet(to="?", port=0, protocol="unknown")


def _of(to: str, protocol: int, rest: bytes) -> Packet:
    ported = protocol in _WITH_PORTS and len(rest) >= _PORTS
    port = int.from_bytes(rest[2:4], "big") if ported else 0
    asked = _question(rest[_UDP_HEAD + _DNS_HEAD :]) if protocol == _UDP and port == _DNS else ""
    return Packet(to=to, port=port, protocol=_NAMES.get(protocol, str(protocol)), asks_for=asked)


def _question(rest: bytes) -> str:
    """The first name that is asked for, as far as it can be read."""
    labels = []
    while rest and 0 < rest[0] <= _LONGEST_LABEL:
        labels.append(rest[1 : 1 + rest[0]].decode("ascii", "backslashreplace"))
        rest = rest[1 + rest[0] :]
    return ".".join(labels).lower()


def astray(packets: Collection[Packet], hosts: Collection[str], addresses: Collection[str]) -> list[Packet]:
    """Those that went to nobody who is configured: neither a name (also within a search domain) nor its address."""
    return [each for each in packets if not _meant(each, hosts, addresses)]


def _meant(packet: Packet, hosts: Collection[str], addresses: Collection[str]) -> bool:
    if packet.asks_for:
        return any(packet.asks_for == host or packet.asks_for.startswith(f"{host}.") for host in map(str.lower, hosts))
    return packet.to in addresses
