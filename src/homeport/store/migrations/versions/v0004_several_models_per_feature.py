"""Models that share a feature's work, or are asked the same without anybody seeing it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Every feature keeps the one model that it has."""
    op.add_column("feature_settings", sa.Column("sticky", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "feature_shares",
        sa.Column("feature", sa.String(60), nullable=False),
        sa.Column("model_id", sa.String(32), nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("shadow", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("feature", "model_id", name="pk_feature_shares"),
        sa.ForeignKeyConstraint(
            ["feature"], ["feature_settings.feature"], name="fk_feature_shares_feature", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_feature_shares_model_id"),
    )


def downgrade() -> None:
    """The first model of each feature does all the work again."""
    op.drop_table("feature_shares")
    op.drop_column("feature_settings", "sticky")
