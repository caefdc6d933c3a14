"""Options of models: what a platform wants to know besides address, name and key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Every model that is there has none."""
    op.add_column("models", sa.Column("options", sa.JSON, nullable=False, server_default="{}"))


def downgrade() -> None:
    """What was said is lost."""
    op.drop_column("models", "options")
