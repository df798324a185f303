"""API keys."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    """Make the table of keys; a label is free again when its key is revoked."""
    op.create_table(
        "keys",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column(
            "subscription", sa.Text, sa.ForeignKey("subscriptions.subscription"), nullable=False
        ),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("label_folded", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("rights", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("expires_ns", sa.BigInteger, nullable=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    living = sa.text("state <> 'revoked'")
    op.create_index(
        "keys_label",
        "keys",
        ["subscription", "label_folded"],
        unique=True,
        sqlite_where=living,
        postgresql_where=living,
    )
