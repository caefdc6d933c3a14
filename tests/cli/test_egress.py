"""The proof that nothing leaves: what is counted, what counts as configured, and one real run in a sealed network."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands import homeport

from homeport.cli import _egress
from homeport.diagnostics import _packets, air_gap
from homeport.diagnostics._packets import Packet, astray, read

if TYPE_CHECKING:
    from pathlib import Path

    from homeport.diagnostics._scene import Scene

MODEL, OTHER = "203.0.113.9", "203.0.113.10"
PROBE = f"""
import os, socket
from homeport.kit import sealed
tun = sealed.enter()
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out", ("{MODEL}", 9))
near = socket.create_server(("127.0.0.1", 0))
socket.create_connection(near.getsockname())
from homeport.diagnostics._packets import read
while not (seen := read(os.read(tun, 65536))): pass
print(seen.to, seen.port, seen.protocol)
"""


def v4(to: str, protocol: int, rest: bytes) -> bytes:
    return bytes([0x45]) + bytes(8) + bytes([protocol]) + bytes(2) + bytes(4) + socket.inet_aton(to) + rest


def v6(to: str, protocol: int, rest: bytes) -> bytes:
    return bytes([0x60]) + bytes(5) + bytes([protocol, 1]) + bytes(16) + socket.inet_pton(socket.AF_INET6, to) + rest


def asking(name: str) -> bytes:
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    return struct.pack(">HHHH", 999, 53, 0, 0) + bytes(12) + labels + bytes(5)


@pytest.mark.parametrize(
    ("raw", "packet"),
    [
        (v4(MODEL, 6, struct.pack(">HH", 5, 443)), Packet(MODEL, 443, "tcp")),
        (v4(MODEL, 1, b""), Packet(MODEL, 0, "icmp")),
        (v4("10.0.0.53", 17, asking("Gpu1.internal")), Packet("10.0.0.53", 53, "udp", "gpu1.internal")),
        (v6("2001:db8::5", 6, struct.pack(">HH", 5, 80)), Packet("2001:db8::5", 80, "tcp")),
        (v6("ff02::2", 58, b""), None),
        (v6("ff02::fb", 17, struct.pack(">HH", 5, 5353)), Packet("ff02::fb", 5353, "udp")),
        (v4(MODEL, 6, b""), Packet(MODEL, 0, "tcp")),
        (b"", Packet("?", 0, "unknown")),
        (b"\x45", Packet("?", 0, "unknown")),
    ],
)
def test_packets_are_read(raw: bytes, packet: Packet | None) -> None:
    assert read(raw) == packet


def test_what_counts_as_configured() -> None:
    asked = [
        Packet(MODEL, 8000, "tcp"),
        Packet(OTHER, 8000, "tcp"),
        Packet("10.0.0.53", 53, "udp", "gpu1.internal"),
        Packet("10.0.0.53", 53, "udp", "gpu1.internal.example.com"),
        Packet("10.0.0.53", 53, "udp", "gpu1.internals"),
        Packet("10.0.0.53", 53, "udp", "telemetry.example.com"),
        Packet("10.0.0.53", 853, "tcp"),
    ]
    assert astray(asked, {"GPU1.internal", MODEL}, {MODEL}) == [asked[1], *asked[4:]]


def test_a_name_that_is_cut_short_is_no_error() -> None:
    raw = v4("10.0.0.53", 17, asking("gpu1.internal"))
    assert [read(raw[:length]) is not None for length in range(20, len(raw))] == [True] * (len(raw) - 20)


@pytest.fixture(scope="module")
def sealable() -> None:
    """Skip where the system gives us no network of our own."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 (ourselves)
    if done.returncode:
        pytest.skip(f"no network namespace here: {done.stderr.strip().splitlines()[-1]}")
    assert done.stdout.split() == [MODEL, "9", "udp"]


@pytest.mark.usefixtures("sealable")
def test_a_run_tells_configured_hosts_from_others(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, host in (("known", MODEL), ("hidden", OTHER)):
        homeport(
            "models",
            "add",
            name,
            "--endpoint",
            f"http://{host}:8000/v1",
            "--identifier",
            "qwen-coder",
            "--connect-s",
            "0.3",
        )
        homeport("features", "set", "chat" if name == "known" else "code_completions", name)

    async def hosts_of(scene: Scene) -> dict[str, str]:
        assert scene.settings.data_dir == data_dir
        return {MODEL: "model"}

    monkeypatch.setattr(air_gap, "hosts_of", hosts_of)
    ran = homeport("doctor", "--prove-egress", "--json")
    assert (ran.code, ran.json["served"]) == (1, True), ran.err
    told = {each["to"]: each["configured"] for each in ran.json["destinations"]}
    assert told == {MODEL: True, OTHER: False}
    assert 0 < ran.json["astray"] < ran.json["packets"]
    assert ran.json["asked"] > 10
    assert [each["name"] for each in homeport("tokens", "list", "--json").json] == []


def test_words_for_people() -> None:
    packets = {Packet(MODEL, 8000, "tcp"): 3, Packet("10.0.0.53", 53, "udp", "telemetry.example.com"): 1}
    strays = _packets.astray(packets, (), {MODEL})
    told = {"packets": 4, "asked": 20, "served": True}
    assert _egress.lines(told, strays, packets) == [
        "20 checks were carried out there; 4 packets would have left.",
        f"  ✓ {MODEL}:8000 (tcp): 3 (configured)",
        "  ✗ the name telemetry.example.com: 1 (NOT configured)",
        "✗ Something would have left to anywhere that is not configured.",
    ]


def test_a_gateway_elsewhere_is_not_run_here() -> None:
    ran = homeport("doctor", "--prove-egress", "--gateway", "http://gateway.internal:5052")
    assert (ran.code, "leave --gateway out" in ran.err) == (2, True)
