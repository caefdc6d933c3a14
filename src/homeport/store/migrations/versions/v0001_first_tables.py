"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.store.tables import Moment, Number

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Bring an empty database to the first version."""
    _models()
    _features()
    _people_and_tokens()
    _records()


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("platform", sa.String(40), nullable=False),
        sa.Column("family", sa.String(40), nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("identifier", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("name", name="uq_models_name"),
    )
    op.create_table(
        "model_keys",
        sa.Column("model_id", sa.String(32), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("ciphertext", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model_id", name="pk_model_keys"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_model_keys_model_id", ondelete="CASCADE"),
    )


def _features() -> None:
    op.create_table(
        "feature_settings",
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("assignment", sa.String(20), nullable=False),
        sa.Column("model_id", sa.String(32)),
        sa.PrimaryKeyConstraint("feature", name="pk_feature_settings"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_feature_settings_model_id"),
        sa.CheckConstraint(
            "(assignment = 'model') = (model_id IS NOT NULL)", name=op.f("ck_feature_settings_model_if_assigned")
        ),
    )
    op.create_table(
        "feature_fallbacks",
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("model_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("feature", "position", name="pk_feature_fallbacks"),
        sa.ForeignKeyConstraint(
            ["feature"], ["feature_settings.feature"], name="fk_feature_fallbacks_feature", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_feature_fallbacks_model_id"),
    )


def _people_and_tokens() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("created", Moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("hint", sa.String(8), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created", Moment, nullable=False),
        sa.Column("expires", Moment),
        sa.Column("revoked", Moment),
        sa.Column("last_used", Moment),
        sa.PrimaryKeyConstraint("digest", name="pk_tokens"),
    )
    live = sa.text("revoked IS NULL")
    op.create_index("uq_tokens_live_name", "tokens", ["name"], unique=True, sqlite_where=live, postgresql_where=live)


def _records() -> None:
    op.create_table(
        "settings",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", Number, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("who", sa.String(100), nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True)),
        sa.Column("after", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at"])
    counter = op.create_table(
        "revision",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
        sa.CheckConstraint("id = 1", name=op.f("ck_revision_one_row")),
    )
    op.bulk_insert(counter, [{"id": 1, "number": 1}])


def downgrade() -> None:
    """Bring the database back to no tables at all."""
    for table in (
        "revision",
        "audit_events",
        "settings",
        "tokens",
        "users",
        "feature_fallbacks",
        "feature_settings",
        "model_keys",
        "models",
    ):
        op.drop_table(table)
