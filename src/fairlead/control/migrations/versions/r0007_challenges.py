"""Challenges: what somebody has asked to be granted."""

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"


def upgrade() -> None:
    """Make the table; of a user there is one challenge for each action."""
    op.create_table(
        "challenges",
        sa.Column("challenge", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, sa.ForeignKey("users.user"), nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("expires_ns", sa.BigInteger, nullable=False),
        sa.Column("tries_left", sa.Integer, nullable=False),
    )
    op.create_index("challenges_of", "challenges", ["user", "action"], unique=True)
