"""People: users, their recovery codes, links and sessions, and what was tried."""

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"


def upgrade() -> None:
    """Make the tables."""
    subscription = sa.ForeignKey("subscriptions.subscription")
    op.create_table(
        "users",
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("subscription", sa.Text, subscription, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("email", "email_folded", "password", "phrase")
        ),
        sa.Column("totp", sa.LargeBinary, nullable=True),
        sa.Column("totp_step", sa.BigInteger, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("removed_ns", sa.BigInteger, nullable=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    present = sa.text("removed_ns IS NULL")
    op.create_index(
        "users_email",
        "users",
        ["email_folded"],
        unique=True,
        sqlite_where=present,
        postgresql_where=present,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user", sa.Text, sa.ForeignKey("users.user"), primary_key=True),
        sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    )
    op.create_table(
        "links",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column(
            "subscription", sa.Text, sa.ForeignKey("subscriptions.subscription"), nullable=False
        ),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("expires_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user", sa.Text, sa.ForeignKey("users.user"), nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("seen_ns", sa.BigInteger, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("attempts_of", "attempts", ["kind", "subject", "time_ns"])
