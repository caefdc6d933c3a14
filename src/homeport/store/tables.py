"""The tables, as this program expects them; `migrations/` brings a database there step by step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    true,
)
from typing_extensions import override

if TYPE_CHECKING:
    from sqlalchemy import Dialect

HEAD = "0013"
"""The newest migration: what a database must be at to be opened. Four digits, so that newer sorts later."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraint names, the same on every database, so that later migrations can name them."""


class Moment(TypeDecorator[datetime]):
    """A point in time, in UTC on every database (SQLite keeps no time zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else (value if value.tzinfo else value.replace(tzinfo=UTC))


# SQLite counts up by itself only in an INTEGER primary key.
Number = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(naming_convention=NAMING)

models = Table(
    "models",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("platform", String(40), nullable=False),
    Column("family", String(40), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("limits", JSON, nullable=False),
    Column("options", JSON, nullable=False, server_default="{}"),
    Column("clean", Boolean, nullable=False, server_default=true()),
)

model_keys = Table(
    "model_keys",
    metadata,
    Column("model_id", ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
    Column("origin", Text, nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("ciphertext", Text, nullable=False),
)

model_capabilities = Table(
    "model_capabilities",
    metadata,
    Column("model_id", ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
    Column("measured", Moment, nullable=False),
    Column("seen", JSON, nullable=False),
)

removed_models = Table(
    "removed_models",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("removed", Moment, nullable=False, index=True),
    Column("fields", JSON, nullable=False),
    Column("measured", Moment),
    Column("seen", JSON, nullable=False),
    Column("features", JSON, nullable=False),
    Column("origin", Text, nullable=False),
    Column("key_id", String(16)),
    Column("ciphertext", Text),
)

feature_settings = Table(
    "feature_settings",
    metadata,
    Column("feature", String(60), primary_key=True),
    Column("assignment", String(20), nullable=False),
    Column("model_id", ForeignKey("models.id")),
    Column("sticky", Boolean, nullable=False, server_default=false()),
    CheckConstraint("(assignment = 'model') = (model_id IS NOT NULL)", name="model_if_assigned"),
)

feature_fallbacks = Table(
    "feature_fallbacks",
    metadata,
    Column("feature", ForeignKey("feature_settings.feature", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("model_id", ForeignKey("models.id"), nullable=False),
)

feature_shares = Table(
    "feature_shares",
    metadata,
    Column("feature", ForeignKey("feature_settings.feature", ondelete="CASCADE"), primary_key=True),
    Column("model_id", ForeignKey("models.id"), primary_key=True),
    Column("weight", Integer, nullable=False),
    Column("shadow", Boolean, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("created", Moment, nullable=False),
    Column("password", Text),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("id", String(32)),
    Column("display", Text, nullable=False, server_default=""),
    Column("email", Text, nullable=False, server_default=""),
    Column("external_id", Text, nullable=False, server_default=""),
    Column("attributes", JSON, nullable=False, server_default="{}"),
    Column("seat", Boolean, nullable=False, server_default=true()),
    Column("scopes", JSON(none_as_null=True)),
    Column("seen", Moment),
    Column("changed", Moment),
    Column("deleted", Moment),
    Column("language", String(35), nullable=False, server_default=""),
)
Index("uq_users_id", users.c.id, unique=True)

teams = Table(
    "teams",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("external_id", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team", ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column("user", ForeignKey("users.name", ondelete="CASCADE", onupdate="CASCADE"), primary_key=True, index=True),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("role", String(20), nullable=False),
    Column("team", ForeignKey("teams.id", ondelete="SET NULL")),
    Column("seat", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("by", String(100), nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("used", Moment),
    Column("used_by", String(100), nullable=False),
    Column("revoked", Moment),
)
Index("uq_invitations_digest", invitations.c.digest, unique=True)


def _carried(name: str) -> Table:
    """Something that a person carries and that ends: a session's cookie, or a code."""
    return Table(
        name,
        metadata,
        Column("digest", LargeBinary(32), primary_key=True),
        Column("user", ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
        Column("created", Moment, nullable=False),
        Column("seen", Moment, nullable=False),
        Column("expires", Moment, nullable=False),
    )


sessions = _carried("sessions")
sign_in_codes = _carried("sign_in_codes")

identities = Table(
    "identities",
    metadata,
    Column("issuer", String(500), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("user", ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Moment, nullable=False),
    Column("seen", Moment),
)

used_states = Table(
    "used_states",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires", Moment, nullable=False, index=True),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("bound", Text, nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("ciphertext", Text, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("name", String(100), nullable=False),
    Column("owner", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("hint", String(8), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
    Column("revoked", Moment),
    Column("last_used", Moment),
)

_LIVE = tokens.c.revoked.is_(None)
Index("uq_tokens_live_name", tokens.c.name, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)

settings = Table(
    "settings",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("who", String(100), nullable=False),
    Column("what", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("address", String(64), nullable=False, server_default=""),
    Index("ix_audit_events_who", "who", "id"),
    Index("ix_audit_events_subject", "subject", "what", "id"),
    Index("ix_audit_events_what", "what", "id"),
    Index("ix_audit_events_address", "address", "id"),
)

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
