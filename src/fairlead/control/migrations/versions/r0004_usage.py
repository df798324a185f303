"""Usage by day, key and account, and which batches of it were added."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "usage",
        sa.Column(
            "subscription", sa.Text, sa.ForeignKey("subscriptions.subscription"), primary_key=True
        ),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("orders", sa.BigInteger, nullable=False),
        sa.Column("websocket_ms", sa.BigInteger, nullable=False),
        sa.Column("fix_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "usage_writers",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
    )
