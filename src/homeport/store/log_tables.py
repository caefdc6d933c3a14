"""The tables of the request log: requests by what they have in common, what was said in them, and sums for each hour.

What many requests share is in one row of `request_kinds`, whose number is a digest of it, so that processes need
not agree on numbers. It says which is the first and the last request of the kind: whatever is looked for, the newest
`n` requests are among those of the `n` kinds that were seen last.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from homeport.store.tables import NAMING, Number

VERSION = 1
"""Of these tables."""

TRAITS = (
    "who",
    "team",
    "token",
    "client",
    "protocol",
    "feature",
    "model",
    "platform",
    "family",
    "language",
    "outcome",
    "error_code",
)
"""Texts that requests have in common."""
PHASES = ("took", "admitted", "queued", "asked", "connected", "first", "told")
SIZES = ("prompt_tokens", "answer_tokens", "received", "sent")
USAGE_TRAITS = ("who", "team", "feature", "model", "platform", "language", "outcome", "error_code")
SUMS = ("requests", "prompt_tokens", "answer_tokens", "took", "offered", "accepted")
BOUNDS_MS = (25, 50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2500, 5000, 10_000, 20_000, 40_000)
"""Upper ends of the histograms' buckets; one more takes what is longer."""
TOOK = tuple(f"took_{number}" for number in range(len(BOUNDS_MS) + 1))
FIRST = tuple(f"first_{number}" for number in range(len(BOUNDS_MS) + 1))

metadata = MetaData(naming_convention=NAMING)

log_version = Table("log_version", metadata, Column("number", Integer, primary_key=True, autoincrement=False))

kinds = Table(
    "request_kinds",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    *(Column(name, String(200), nullable=False) for name in TRAITS),
    Column("status", SmallInteger, nullable=False),
    Column("error", Text, nullable=False),
    Index("ix_request_kinds_last", "last"),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("kind", BigInteger, nullable=False),
    Column("key", BigInteger, nullable=False),
    Column("correlation_id", String(64), nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in (*PHASES, *SIZES)),
    Column("attempts", Text, nullable=False),
    Index("ix_requests_kind", "kind", "id"),
    Index("ix_requests_key", "key"),
)

contents = Table(
    "request_contents",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("exchanges", Text, nullable=False),
)

reports = Table(
    "suggestion_reports",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("key", BigInteger, nullable=False),
    Column("correlation_id", String(64), nullable=False),
    Column("what", String(20), nullable=False),
    Index("ix_suggestion_reports_key", "key"),
)
"""What editors say became of suggestions, by the id of the request that each came from; numbered as requests are."""

usage_kinds = Table(
    "usage_kinds",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    *(Column(name, String(200), nullable=False) for name in USAGE_TRAITS),
)

usage = Table(
    "usage",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("kind", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
    *(Column(name, Integer, nullable=False) for name in (*TOOK, *FIRST)),
    sqlite_with_rowid=False,
)
"""Sums of an hour or of a day (UTC): `span` seconds from `start`, in Unix seconds; `took` is in microseconds."""
