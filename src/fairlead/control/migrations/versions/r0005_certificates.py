"""The certificate authority's issuing key, and the certificates of clients."""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"


def upgrade() -> None:
    """Make the tables of authorities and certificates."""
    op.create_table(
        "authorities",
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("certificate", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("sealed_key", sa.LargeBinary, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "certificates",
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column(
            "subscription", sa.Text, sa.ForeignKey("subscriptions.subscription"), nullable=False
        ),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("not_after_ns", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revoked_ns", sa.BigInteger, nullable=True),
    )
    op.create_index("certificates_kid", "certificates", ["kid"])
