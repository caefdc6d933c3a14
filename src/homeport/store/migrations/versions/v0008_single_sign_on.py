"""Single sign-on: whose account belongs to whom at a provider, sign-ins that were used, and the client's secret."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nobody is known to a provider yet."""
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("user", sa.String(100), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_identities_user", ondelete="CASCADE"),
    )
    op.create_index("ix_identities_user", "identities", ["user"])
    op.create_table(
        "used_states",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_used_states"),
    )
    op.create_index("ix_used_states_expires", "used_states", ["expires"])
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("bound", sa.Text, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("ciphertext", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )


def downgrade() -> None:
    """People keep their accounts and sign in with a password or a link."""
    op.drop_table("secrets")
    op.drop_table("used_states")
    op.drop_table("identities")
