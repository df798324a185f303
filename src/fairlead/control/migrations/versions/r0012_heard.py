"""Which revision who serves acts by."""

import sqlalchemy as sa
from alembic import op

revision = "r0012"
down_revision = "r0011"


def upgrade() -> None:
    """Make the table, and its one row: nobody has acted by anything yet."""
    heard = op.create_table(
        "heard",
        sa.Column(
            "row", sa.Integer, sa.CheckConstraint('"row" = 1', name="one_row"), primary_key=True
        ),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(heard, [{"row": 1, "revision": 0}])
