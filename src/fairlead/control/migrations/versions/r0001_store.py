"""The count of changes, subscriptions, and the audit."""

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
        sa.Column("data_key", sa.LargeBinary, nullable=False),
        sa.Column("key_name", sa.Text, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column(
            "subscription", sa.Text, sa.ForeignKey("subscriptions.subscription"), primary_key=True
        ),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in (
                "actor",
                "action",
                "target",
                "address",
                "factor",
                "before",
                "after",
                "outcome",
            )
        ),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
