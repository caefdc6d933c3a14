"""Whether the answers of a model are cleaned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Those of every model that is there are."""
    op.add_column("models", sa.Column("clean", sa.Boolean, nullable=False, server_default=sa.true()))


def downgrade() -> None:
    """What was said is lost."""
    op.drop_column("models", "clean")
