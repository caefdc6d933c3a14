"""The tables of the request log: requests by what they have in common, what was said in them, and sums for each hour.

What many requests share is written once: who asked what of which model (an origin), and how that ended (an ending). A
kind is one of each. Their numbers are digests of their texts, so that processes need not agree on numbers. Of a kind
it is known which were its first and its last request: whatever is looked for, the newest `n` requests are among those
of the `n` kinds that were seen last.
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

from homeport.domain.entries import FAILED, LEFT, REFUSED
from homeport.store.tables import NAMING, Number

VERSION = 7
"""Of these tables."""

ORIGIN = (
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
    "method",
    "path",
)
"""What requests have in common: texts of where they came from and where they went."""
ENDING = ("outcome", "error_code")
"""And of how they ended."""
PHASES = ("took", "admitted", "queued", "asked", "connected", "first", "told")
SIZES = ("prompt_tokens", "answer_tokens", "received", "sent")
USAGE_TRAITS = ("who", "team", "feature", "model", "platform", "language", "outcome", "error_code")
SUMS = ("requests", "prompt_tokens", "answer_tokens", "took", "offered", "accepted", "estimated")
BOUNDS_MS = (25, 50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2500, 5000, 10_000, 20_000, 40_000)
"""Upper ends of the histograms' buckets; one more takes what is longer."""
TOOK = tuple(f"took_{number}" for number in range(len(BOUNDS_MS) + 1))
FIRST = tuple(f"first_{number}" for number in range(len(BOUNDS_MS) + 1))
LONGEST = ("took_most", "first_most")
"""The longest of the times that are in the histograms, in microseconds: of sums the largest."""
UNKNOWN = 2**62
"""More than any: what is known of the longest where requests were counted before it was written down."""
COUNTED = (*SUMS, *TOOK, *FIRST, *LONGEST)
ENDS = {"failed": FAILED, "cancelled": LEFT, "refused": REFUSED}
"""How many of the requests ended so: sums by one trait have it written down."""

metadata = MetaData(naming_convention=NAMING)

log_version = Table("log_version", metadata, Column("number", Integer, primary_key=True, autoincrement=False))

kinds = Table(
    "logged_kinds",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in ("first", "last", "origin", "ending")),
    Index("ix_logged_kinds_last", "last"),
    Index("ix_logged_kinds_origin", "origin"),
    Index("ix_logged_kinds_ending", "ending"),
)

origins = Table(
    "logged_origins",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    *(Column(name, String(200), nullable=False, server_default="") for name in ORIGIN),
)

endings = Table(
    "logged_endings",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    *(Column(name, String(200), nullable=False) for name in ENDING),
    Column("status", SmallInteger, nullable=False),
    Column("error", Text, nullable=False),
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
    Column("estimated", SmallInteger, nullable=False, server_default="0"),
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

contexts = Table(
    "request_contexts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("files", Text, nullable=False),
)
"""Which other files a prompt showed: JSON, a list of name and characters, by the number of the request."""

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
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in SUMS),
    *(Column(name, Integer, nullable=False) for name in (*TOOK, *FIRST)),
    *(Column(name, BigInteger, nullable=False, server_default=str(UNKNOWN)) for name in LONGEST),
    sqlite_with_rowid=False,
)
"""Sums of an hour or of a day (UTC): `span` seconds from `start`, in Unix seconds; `took` is in microseconds.

`estimated` are those of the tokens that nobody counted.
"""

sums = Table(
    "usage_sums",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("trait", String(20), primary_key=True),
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("name", String(200), primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in (*SUMS, *ENDS)),
    *(Column(name, Integer, nullable=False) for name in (*TOOK, *FIRST)),
    *(Column(name, BigInteger, nullable=False, server_default=str(UNKNOWN)) for name in LONGEST),
    sqlite_with_rowid=False,
)
"""The same by one trait alone: what it is, by name. An empty trait and name: of everything."""

unsummed = Table(
    "usage_unsummed",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start", Integer, primary_key=True, autoincrement=False),
)
"""Hours and days of an older log, of which there are no sums by one trait yet: those are made while it is in use."""
