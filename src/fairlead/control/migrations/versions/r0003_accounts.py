"""Exchange accounts."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    """Make the table of accounts; a login is free again when its account is deleted."""
    op.create_table(
        "accounts",
        sa.Column(
            "subscription", sa.Text, sa.ForeignKey("subscriptions.subscription"), primary_key=True
        ),
        sa.Column("exchange_id", sa.Text, primary_key=True),
        sa.Column("parameters", sa.LargeBinary, nullable=True),
        sa.Column("login", sa.LargeBinary, nullable=False),
        sa.Column("is_configured", sa.Boolean, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    held = sa.text("parameters IS NOT NULL")
    op.create_index(
        "accounts_login",
        "accounts",
        ["login"],
        unique=True,
        sqlite_where=held,
        postgresql_where=held,
    )
