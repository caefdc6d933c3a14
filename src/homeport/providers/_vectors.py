"""Embeddings in the form that was asked for: many servers know but one of the two.

Source: the OpenAI API reference, "Create embeddings", `encoding_format`: base64 is of little-endian 32-bit floats.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from binascii import Error
from typing import Any

import orjson


def as_wanted(data: bytes, document: dict[str, Any], form: str) -> bytes:
    """The document's bytes as they came where they have the form ("float" or "base64") already, else made anew.

    Raises KeyError, TypeError or ValueError for one that holds no embeddings.
    """
    found = document["data"]
    kind = str if form == "base64" else list
    if not found:
        raise ValueError
    if all(isinstance(each["embedding"], kind) for each in found):
        return data
    turn = _packed if kind is str else _unpacked
    for each in found:
        each["embedding"] = turn(each["embedding"])
    return orjson.dumps(document)


def _packed(vector: object) -> str:
    if isinstance(vector, str):
        return vector
    if not isinstance(vector, list):
        raise TypeError
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError) as error:
        raise ValueError from error


def _unpacked(vector: object) -> list[float]:
    if isinstance(vector, list):
        return vector
    if not isinstance(vector, str):
        raise TypeError
    try:
        raw = b64decode(vector, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    except (Error, struct.error) as error:
        raise ValueError from error
