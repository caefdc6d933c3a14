"""AWS's binary framing: whole whatever way it was cut, and never believed when it was damaged."""

from __future__ import annotations

import contextlib
import struct
from binascii import crc32
from itertools import pairwise

import pytest
from botocore.eventstream import EventStreamBuffer
from clouds import converse_stream, delta, exception
from hypothesis import given
from hypothesis import strategies as st

from homeport.providers._eventstream import MOST, BadStream, Decoder, Message

WHOLE = b"".join([*converse_stream(), exception("modelStreamErrorException")])


def decoded(*parts: bytes) -> list[Message]:
    decoder = Decoder()
    found = [message for part in parts for message in decoder.feed(part)]
    assert not decoder.pending
    return found


def test_it_reads_what_aws_s_own_library_reads() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(WHOLE)
    theirs = [({name: str(value) for name, value in each.headers.items()}, each.payload) for each in buffer]
    assert [tuple(message) for message in decoded(WHOLE)] == theirs
    assert len(theirs) == 8


def test_cut_anywhere() -> None:
    whole = decoded(WHOLE)
    for at in range(len(WHOLE)):
        assert decoded(WHOLE[:at], WHOLE[at:]) == whole


def test_byte_by_byte() -> None:
    assert decoded(*(WHOLE[at : at + 1] for at in range(len(WHOLE)))) == decoded(WHOLE)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_cut_in_many_places(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    assert decoded(*(WHOLE[a:b] for a, b in pairwise(places))) == decoded(WHOLE)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_one_wrong_byte_anywhere_is_noticed(flip: int) -> None:
    good = delta("x")
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
        with pytest.raises(BadStream):
            list(Decoder().feed(bad + good * 40))


def test_what_has_begun_is_pending() -> None:
    decoder = Decoder()
    for at in range(1, len(delta("x"))):
        decoder = Decoder()
        assert list(decoder.feed(delta("x")[:at])) == []
        assert decoder.pending


def sealed(size: int, head: int, rest: bytes) -> bytes:
    prelude = struct.pack("!II", size, head)
    whole = prelude + struct.pack("!I", crc32(prelude)) + rest
    return whole + struct.pack("!I", crc32(whole))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (sealed(MOST + 1, 0, b""), f"a message of {MOST + 1} bytes"),
        (sealed(2**32 - 1, 0, b""), "a message of 4294967295 bytes"),
        (sealed(16, 1, b""), "longer than their message"),
        (sealed(0, 0, b""), "longer than their message"),
        (sealed(12, 2**32 - 1, b""), "longer than their message"),
        (sealed(18, 2, b"\x05a"), "cannot be read"),
        (sealed(19, 3, b"\x01a\x63"), "cannot be read"),
        (sealed(21, 5, b"\x01a\x07\xff\xff"), "cannot be read"),
        (sealed(21, 5, b"\x01\xff\x07\x00\x00"), "cannot be read"),
        (sealed(20, 4, b"\x01a\x07\x00"), "cannot be read"),
    ],
)
def test_nonsense_with_right_checksums(data: bytes, words: str) -> None:
    with pytest.raises(BadStream, match=words):
        list(Decoder().feed(data + b"\0" * 16))


def test_headers_of_every_type_are_passed_over_but_text() -> None:
    values = {
        0: b"",
        1: b"",
        2: b"\1",
        3: b"\1\2",
        4: b"\1" * 4,
        5: b"\1" * 8,
        6: b"\0\2ab",
        8: b"\1" * 8,
        9: b"\1" * 16,
    }
    head = b"".join(b"\x01h" + bytes([kind]) + value for kind, value in values.items()) + b"\x01t\x07\0\2ok"
    data = sealed(16 + len(head) + 2, len(head), head + b"{}")
    assert decoded(data) == [Message({"t": "ok"}, b"{}")]


@given(st.binary(max_size=200))
def test_any_bytes_are_no_message(data: bytes) -> None:
    found: list[Message] = []
    with contextlib.suppress(BadStream):
        found.extend(Decoder().feed(data))
    assert found == []
