"""AWS's binary event stream: messages of headers and a payload, each with two checksums.

Source: Smithy, "Amazon Event Stream Specification" (application/vnd.amazon.eventstream).
"""

from __future__ import annotations

import struct
from binascii import crc32
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1024 * 1024
"""Bytes of one message: ours are pieces of text."""
_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
_LENGTH = struct.Struct("!H")
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Types of header values that we pass over, and their bytes."""
_BYTES, _STRING = 6, 7


class BadStream(Exception):
    """The bytes are not an event stream, or were damaged on their way."""


class Message(NamedTuple):
    """One message; headers that are no text are left out."""

    headers: dict[str, str]
    payload: bytes


class Decoder:
    """Finds whole messages in bytes that may be cut anywhere."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def pending(self) -> bool:
        """Whether a message has begun that is not whole."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now; raises BadStream."""
        held = self._held + data
        at = 0
        while len(held) - at >= _PRELUDE.size:
            size = _size(held, at)
            if len(held) - at < size:
                break
            yield _message(held[at : at + size])
            at += size
        self._held = held[at:]


def _size(held: bytes, at: int) -> int:
    """Bytes of the message that begins at `at`, once its prelude was checked."""
    size, head, crc = _PRELUDE.unpack_from(held, at)
    if crc32(held[at : at + 8]) != crc:
        raise BadStream("the checksum of a message's beginning is wrong")
    if size > MOST:
        raise BadStream(f"a message of {size} bytes")
    if head > size - _PRELUDE.size - _CRC.size:
        raise BadStream("headers that are longer than their message")
    return int(size)


def _message(data: bytes) -> Message:
    if crc32(data[: -_CRC.size]) != _CRC.unpack_from(data, len(data) - _CRC.size)[0]:
        raise BadStream("the checksum of a message is wrong")
    end = _PRELUDE.size + _PRELUDE.unpack_from(data)[1]
    try:
        return Message(dict(_headers(data[_PRELUDE.size : end])), data[end : -_CRC.size])
    except (struct.error, IndexError, UnicodeDecodeError, KeyError) as error:
        raise BadStream("headers that cannot be read") from error


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        start, at = at + 1, at + 1 + data[at]
        name, kind = data[start:at].decode(), data[at]
        at += 1
        if kind in {_BYTES, _STRING}:
            length = _LENGTH.unpack_from(data, at)[0]
            at += _LENGTH.size
            if at + length > len(data):
                raise IndexError
            if kind == _STRING:
                yield name, data[at : at + length].decode()
            at += length
        else:
            at += _FIXED[kind]
