"""A network of its own, from which nothing leaves and in which every packet that would is read (Linux).

`enter` moves the process, and whatever it starts afterwards, into a network namespace (network_namespaces(7)) that
has a loopback and one TUN interface (kernel documentation, networking/tuntap) behind which there is nobody. Root is
not needed where the system allows user namespaces (user_namespaces(7)).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

_NEW_USER, _NEW_NET = 0x1000_0000, 0x4000_0000
_SET_TUN, _TUN_WITHOUT_HEAD = 0x4004_54CA, 0x1001
_SET_FLAGS, _SET_ADDRESS, _SET_MASK, _ADD_ROUTE, _INDEX = 0x8914, 0x8916, 0x891C, 0x890B, 0x8933
_UP_RUNNING = 0x1 | 0x40
_ROUTE_UP = 0x1
_NAME = b"outside"
_HERE, _HERE_6 = "198.18.0.1", "2001:db8::1"
_ANY = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes(4))


def enter() -> int:
    """Leave every other network for good; gives the file descriptor that reads what would go out, a packet a read.

    The process must have one thread. Raises OSError where the system does not allow it.
    """
    _unshare()
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, _SET_TUN, struct.pack("16sH22x", _NAME, _TUN_WITHOUT_HEAD))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _up(control, b"lo")
        fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16sHH4s8x", _NAME, socket.AF_INET, 0, _packed(_HERE)))
        fcntl.ioctl(control, _SET_MASK, struct.pack("16sHH4s8x", _NAME, socket.AF_INET, 0, b"\xff" * 4))
        _up(control, _NAME)
        _everything_goes_there(control)
    # without IPv6 nothing can leave by it
    with contextlib.suppress(OSError):
        _everything_of_version_6_goes_there()
    return tun


def _unshare() -> None:
    """A new network; a new user namespace too for whoever is not root."""
    user, group = os.getuid(), os.getgid()
    flags = _NEW_NET if user == 0 else _NEW_NET | _NEW_USER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if user:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")


def _packed(address: str) -> bytes:
    return socket.inet_aton(address)


def _up(control: socket.socket, name: bytes) -> None:
    fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH22x", name, _UP_RUNNING))


def _everything_goes_there(control: socket.socket) -> None:
    """The default route; the layout is `struct rtentry` of linux/route.h."""
    name = ctypes.create_string_buffer(_NAME)
    device = ctypes.addressof(name)
    entry = struct.pack("@L16s16s16sHhLPhPLLH", 0, _ANY, _ANY, _ANY, _ROUTE_UP, 0, 0, 0, 0, device, 0, 0, 0)
    fcntl.ioctl(control, _ADD_ROUTE, entry)


def _everything_of_version_6_goes_there() -> None:
    """Address and default route; the layouts are `struct in6_ifreq` and `in6_rtmsg` of linux/ipv6*.h."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        index = struct.unpack("16si", fcntl.ioctl(control, _INDEX, struct.pack("16si", _NAME, 0))[:20])[1]
        here = socket.inet_pton(socket.AF_INET6, _HERE_6)
        fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16sIi", here, 128, index))
        route = struct.pack("@16s16s16sIHHILIi", bytes(16), bytes(16), bytes(16), 0, 0, 0, 1, 0, _ROUTE_UP, index)
        fcntl.ioctl(control, _ADD_ROUTE, route)
