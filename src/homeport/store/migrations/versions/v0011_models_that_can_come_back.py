"""A model that was removed is kept for a while, so that it can be undone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """None was removed yet."""
    op.create_table(
        "removed_models",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("removed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fields", sa.JSON, nullable=False),
        sa.Column("measured", sa.DateTime(timezone=True)),
        sa.Column("seen", sa.JSON, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("key_id", sa.String(16)),
        sa.Column("ciphertext", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_removed_models"),
    )
    op.create_index("ix_removed_models_removed", "removed_models", ["removed"])


def downgrade() -> None:
    """What was removed stays so."""
    op.drop_table("removed_models")
