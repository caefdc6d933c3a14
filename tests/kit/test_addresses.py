"""Addresses that no model may have, in every notation."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.addresses import METADATA, NEVER, denied, inner, parse_networks

DENIED = """
0.0.0.0 0.1.2.3 169.254.0.1 169.254.169.254 169.254.170.2 169.254.255.255 100.100.100.200 192.0.0.192
168.63.129.16 224.0.0.1 239.255.255.255 255.255.255.255 :: fe80::1 febf::1 fe80::1%eth0 fd00:ec2::254
fd00:ec2::23 fd20:ce::254 ff02::1 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:0.0.0.0 64:ff9b::a9fe:a9fe
64:ff9b::169.254.169.254 64:ff9b:1::169.254.169.254 64:ff9b:1:ffff::a9fe:a9fe ::169.254.169.254 ::a9fe:aa02
::ffff:0:169.254.169.254 ::2 fd00:c1::a9fe:a9fe fd00:42::42 fd00:100::100:200 fd00:a9fe:a9fe::1
2002:a9fe:a9fe:: 2002:a9fe:a9fe::1 ::ffff:100.100.100.200 ::ffff:224.0.0.1
""".split()  # noqa: SIM905 (a table)
ALLOWED = """
127.0.0.1 ::1 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 100.100.100.199 8.8.8.8 169.253.255.255 169.255.0.0
192.0.0.191 168.63.129.15 223.255.255.255 fd00::1 fc00::1 fd00:ec2::253 2001:db8::1 fec0::1 ::ffff:10.0.0.1
::ffff:127.0.0.1 64:ff9b::808:808 64:ff9b:1::808:808 ::8.8.8.8 ::ffff:0:8.8.8.8 2002:808:808::1
""".split()  # noqa: SIM905 (a table)


@pytest.mark.parametrize("host", DENIED)
def test_denied(host: str) -> None:
    assert denied(host)


@pytest.mark.parametrize("host", ALLOWED)
def test_private_and_public_ones_are_the_operators_business(host: str) -> None:
    assert not denied(host)


@given(st.ip_addresses(v=4))
def test_a_hidden_address_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    hidden = (
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | number),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b:1::")) | number),
        ipaddress.IPv6Address(0xFFFF << 48 | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80 | 7),
    )
    for each in hidden:
        assert inner(each) == address
        assert denied(str(each)) is denied(str(address))


@given(st.ip_addresses())
def test_only_the_list_decides(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    real = inner(address)
    listed = any(real in network for network in NEVER if network.version == real.version)
    assert denied(str(address)) is listed
    assert denied(str(address), parse_networks(["0.0.0.0/0", "::/0"]))


def test_more_networks() -> None:
    more = parse_networks([" 10.0.0.0/8 ", "", "fd00::/8", "192.168.1.1"])
    assert [str(network) for network in more] == ["10.0.0.0/8", "fd00::/8", "192.168.1.1/32"]
    for host in ("10.9.9.9", "fd12::1", "192.168.1.1", "::ffff:10.0.0.1"):
        assert denied(host, more)
    assert not denied("11.0.0.1", more)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "example.com", "10.0.0.0/33", "x"])
def test_a_wrong_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("/")[0]):
        parse_networks(["10.0.0.0/8", text])


def test_metadata_services_are_for_who_means_them() -> None:
    for address in map(str, METADATA):
        assert denied(address)
        assert not denied(address, metadata=True)
        assert denied(address, parse_networks(["169.254.0.0/16", "fd00::/8"]), metadata=True)
    for address in ("169.254.0.1", "100.100.100.200", "168.63.129.16", "fe80::1", "0.0.0.0"):  # noqa: S104 (an address to refuse)
        assert denied(address, metadata=True)
