"""Keys that sign: by HMAC with a sealed secret, or by Ed25519 with a public key of the client's."""

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"


def upgrade() -> None:
    """Let a key have no hash of a secret; the keys that are there are bearers."""
    op.add_column("keys", sa.Column("kind", sa.Text, nullable=False, server_default="bearer"))
    op.add_column("keys", sa.Column("sealed_secret", sa.LargeBinary, nullable=True))
    op.add_column("keys", sa.Column("public_key", sa.LargeBinary, nullable=True))
    with op.batch_alter_table("keys") as keys:
        keys.alter_column("secret_hash", existing_type=sa.LargeBinary, nullable=True)
