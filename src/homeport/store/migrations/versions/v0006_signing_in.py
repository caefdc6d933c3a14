"""People sign in: passwords, sessions, and codes that sign in once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nobody has a password yet; the command line makes a code for the first sign-in."""
    op.add_column("users", sa.Column("password", sa.Text))
    op.add_column("users", sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()))
    for table in ("sessions", "sign_in_codes"):
        op.create_table(
            table,
            sa.Column("digest", sa.LargeBinary(32), nullable=False),
            sa.Column("user", sa.String(100), nullable=False),
            sa.Column("created", sa.DateTime(timezone=True), nullable=False),
            sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
            sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
            sa.PrimaryKeyConstraint("digest", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(["user"], ["users.name"], name=f"fk_{table}_user", ondelete="CASCADE"),
        )
        op.create_index(f"ix_{table}_user", table, ["user"])


def downgrade() -> None:
    """Everybody is signed out, and passwords are forgotten."""
    op.drop_table("sign_in_codes")
    op.drop_table("sessions")
    op.drop_column("users", "disabled")
    op.drop_column("users", "password")
