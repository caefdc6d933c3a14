"""People are in teams, hold seats, are invited, come from a directory, and are deleted so that it can be undone."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

MOMENT = sa.DateTime(timezone=True)
TEXTS = ("display", "email", "external_id")
MOMENTS = ("seen", "changed", "deleted")


def upgrade() -> None:
    """Everybody keeps what they had: a seat, every feature, and when they signed in last."""
    op.add_column("users", sa.Column("id", sa.String(32)))
    for name in TEXTS:
        op.add_column("users", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("users", sa.Column("attributes", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("users", sa.Column("seat", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("users", sa.Column("scopes", sa.JSON))
    for name in MOMENTS:
        op.add_column("users", sa.Column(name, MOMENT))
    _fill()
    op.create_index("uq_users_id", "users", ["id"], unique=True)
    _teams()
    _invitations()


def _fill() -> None:
    connection = op.get_bind()
    for (name,) in connection.execute(sa.text("SELECT name FROM users")).all():
        connection.execute(sa.text("UPDATE users SET id = :id WHERE name = :name"), {"id": uuid4().hex, "name": name})
    newest = "SELECT max(at) FROM audit_events WHERE what = 'session.begin' AND subject = users.name"
    connection.execute(sa.text(f"UPDATE users SET seen = ({newest})"))  # noqa: S608 (our own words)


def _teams() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("changed", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("name", name="uq_teams_name"),
    )
    op.create_table(
        "team_members",
        sa.Column("team", sa.String(32), nullable=False),
        sa.Column("user", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("team", "user", name="pk_team_members"),
        sa.ForeignKeyConstraint(["team"], ["teams.id"], name="fk_team_members_team", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["user"], ["users.name"], name="fk_team_members_user", ondelete="CASCADE", onupdate="CASCADE"
        ),
    )
    op.create_index("ix_team_members_user", "team_members", ["user"])


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("team", sa.String(32)),
        sa.Column("seat", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
        sa.Column("used", MOMENT),
        sa.Column("used_by", sa.String(100), nullable=False),
        sa.Column("revoked", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.ForeignKeyConstraint(["team"], ["teams.id"], name="fk_invitations_team", ondelete="SET NULL"),
    )
    op.create_index("uq_invitations_digest", "invitations", ["digest"], unique=True)


def downgrade() -> None:
    """Teams, seats, invitations and what a directory said are forgotten; who was deleted is deleted for good."""
    op.drop_table("invitations")
    op.drop_table("team_members")
    op.drop_table("teams")
    op.execute("DELETE FROM users WHERE deleted IS NOT NULL")
    op.drop_index("uq_users_id", "users")
    for name in ("id", *TEXTS, "attributes", "seat", "scopes", *MOMENTS):
        op.drop_column("users", name)
