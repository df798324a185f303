"""What people were written about keys that expire."""

import sqlalchemy as sa
from alembic import op

revision = "r0010"
down_revision = "r0009"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "expiry_notices",
        sa.Column("kid", sa.Text, sa.ForeignKey("keys.kid"), primary_key=True),
        sa.Column("expires_ns", sa.BigInteger, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
    )
