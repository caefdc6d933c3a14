"""People may choose the language of the console's pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """A column more, empty for what the browser asks for."""
    op.add_column("users", sa.Column("language", sa.String(35), nullable=False, server_default=""))


def downgrade() -> None:
    """The choices are lost."""
    op.drop_column("users", "language")
