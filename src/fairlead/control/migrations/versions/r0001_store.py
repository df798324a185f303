"""The count of changes, and subscriptions."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables; the count of changes begins at 0."""
    control = op.create_table(
        "control",
        sa.Column(
            "row", sa.Integer, sa.CheckConstraint('"row" = 1', name="one_row"), primary_key=True
        ),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(control, [{"row": 1, "revision": 0}])
    op.create_table(
        "subscriptions",
        sa.Column("subscription", sa.Text, primary_key=True),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
    )
