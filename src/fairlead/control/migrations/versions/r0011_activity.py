"""Where each key was used last."""

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "activity",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("protocol", sa.Text, primary_key=True),
        sa.Column("certificate", sa.Text, primary_key=True),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("activity_last", "activity", ["kid", "time_ns"])
