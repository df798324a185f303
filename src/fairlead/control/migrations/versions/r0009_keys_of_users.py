"""Keys belong to users; a label is one key's of each of them."""

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"


def upgrade() -> None:
    """Those there are stay the machine owner's."""
    op.add_column("keys", sa.Column("user", sa.Text, nullable=False, server_default=""))
    op.drop_index("keys_label", "keys")
    living = sa.text("state <> 'revoked'")
    op.create_index(
        "keys_label",
        "keys",
        ["subscription", "user", "label_folded"],
        unique=True,
        sqlite_where=living,
        postgresql_where=living,
    )
