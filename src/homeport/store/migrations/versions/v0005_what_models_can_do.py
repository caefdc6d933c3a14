"""What each model was seen to do, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing was measured yet."""
    op.create_table(
        "model_capabilities",
        sa.Column("model_id", sa.String(32), nullable=False),
        sa.Column("measured", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("model_id", name="pk_model_capabilities"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_model_capabilities_model_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    """It can be measured again."""
    op.drop_table("model_capabilities")
