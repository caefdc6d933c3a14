"""Which addresses a model endpoint may never have, checked on the address that is really dialled."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host on this network
        "169.254.0.0/16",  # link-local, where cloud metadata services live
        "100.100.100.200/32",  # metadata, Alibaba Cloud
        "192.0.0.192/32",  # metadata, Oracle Cloud
        "168.63.129.16/32",  # platform service, Azure
        "224.0.0.0/4",  # multicast
        "255.255.255.255/32",  # broadcast
        "::/128",  # unspecified
        "fe80::/10",  # link-local
        "fd00:ec2::254/128",  # metadata, AWS over IPv6
        "fd00:ec2::23/128",  # credentials of a pod, AWS over IPv6
        "fd20:ce::254/128",  # metadata, Google Cloud over IPv6
        "fd00:c1::a9fe:a9fe/128",  # metadata, Oracle Cloud over IPv6
        "fd00:42::42/128",  # metadata, Scaleway over IPv6
        "fd00:100::100:200/128",  # metadata, Alibaba Cloud over IPv6
        "fd00:a9fe:a9fe::1/128",  # metadata, Akamai over IPv6
        "ff00::/8",  # multicast
    )
)
METADATA: frozenset[Address] = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # a virtual machine, AWS and Azure
        "169.254.170.2",  # a container, AWS
        "169.254.170.23",  # a pod, AWS
        "fd00:ec2::254",  # the same over IPv6
        "fd00:ec2::23",
    )
)
"""Where a cloud hands out the credentials of the machine or the container that asks."""
NAMES: frozenset[str] = frozenset(
    (
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
    )
)
"""What clouds call their metadata services; asked for only where somebody else resolves."""
_ENDS_IN_IPV4 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64 of a site's own (RFC 8215)
        "::ffff:0:0:0/96",  # translated (RFC 2765)
        "::/96",  # compatible (RFC 4291)
    )
)
_OWN = frozenset({ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1")})


def inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, NAT64, 6to4 and older ways), else itself."""
    if isinstance(address, ipaddress.IPv4Address) or address in _OWN:
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if any(address in network for network in _ENDS_IN_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDR texts as networks; raises ValueError that names the wrong one."""
    return tuple(ipaddress.ip_network(text.strip()) for text in texts if text.strip())


def outside(allowed: Iterable[Network]) -> tuple[Network, ...]:
    """Everything that is in none of these networks, as networks; this machine itself is never outside."""
    return without(EVERYWHERE, (*allowed, *LOOPBACK))


def without(networks: Iterable[Network], taken: Iterable[Network]) -> tuple[Network, ...]:
    """What is left of networks when others are taken out of them."""
    rest = list(networks)
    for network in taken:
        rest = [part for each in rest for part in _without(each, network)]
    return tuple(rest)


def _without(whole: Network, part: Network) -> Iterable[Network]:
    if not whole.overlaps(part):
        return (whole,)
    if whole.prefixlen >= part.prefixlen:
        return ()
    if isinstance(whole, ipaddress.IPv4Network) and isinstance(part, ipaddress.IPv4Network):
        return whole.address_exclude(part)
    if isinstance(whole, ipaddress.IPv6Network) and isinstance(part, ipaddress.IPv6Network):
        return whole.address_exclude(part)
    return (whole,)


EVERYWHERE: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def literal(host: str) -> Address | None:
    """The address that a host is, in whatever spelling a resolver takes (`0x7f.1`, `2130706433`); None for a name."""
    text = host.rstrip(".").partition("%")[0]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except (OSError, UnicodeEncodeError):
        return None


def denied_by_name(host: str, more: Iterable[Network] = ()) -> bool:
    """Whether `host`, which another one resolves, is an address that may not be dialled, or names such a one."""
    address = literal(host)
    return host.rstrip(".").lower() in NAMES if address is None else denied(str(address), more)


def denied(host: str, more: Iterable[Network] = (), *, metadata: bool = False) -> bool:
    """Whether the numeric address `host` may not be dialled; with `metadata` a metadata service may."""
    address = inner(ipaddress.ip_address(host.partition("%")[0]))
    networks = more if metadata and address in METADATA else (*NEVER, *more)
    return any(address.version == network.version and address in network for network in networks)
