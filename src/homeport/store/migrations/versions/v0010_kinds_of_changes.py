"""Changes of a kind are found without reading all of them."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """An index more."""
    op.create_index("ix_audit_events_what", "audit_events", ["what", "id"])


def downgrade() -> None:
    """An index less."""
    op.drop_index("ix_audit_events_what", "audit_events")
