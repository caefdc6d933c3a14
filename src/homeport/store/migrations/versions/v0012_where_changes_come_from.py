"""The audit says from which address a change was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """A column more, empty for what was written down before."""
    op.add_column("audit_events", sa.Column("address", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_audit_events_address", "audit_events", ["address", "id"])


def downgrade() -> None:
    """The addresses are lost."""
    op.drop_index("ix_audit_events_address", "audit_events")
    op.drop_column("audit_events", "address")
