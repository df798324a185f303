"""What is in the control database. `migrations/` makes it; a test compares the two.

Times are UTC nanoseconds. Everything that belongs to somebody says to which subscription.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()

# One row. Every change of anything begins by counting it up, which makes changes one another's
# successors (the row is locked until the change is committed) and tells readers that there was one.
CONTROL = Table(
    "control",
    METADATA,
    Column("row", Integer, CheckConstraint('"row" = 1', name="one_row"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("subscription", Text, primary_key=True),
    Column("created_ns", BigInteger, nullable=False),
    Column(
        "data_key", LargeBinary, nullable=False
    ),  # wrapped by the key-encryption key of this name
    Column("key_name", Text, nullable=False),
)

# Who did what, or was refused; numbers are dense from 1 in each subscription. Only ever appended to.
AUDIT = Table(
    "audit",
    METADATA,
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("factor", Text, nullable=False),
    Column("before", Text, nullable=False),  # JSON, empty where there is none
    Column("after", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("seal", LargeBinary, nullable=False),  # HMAC over the row and the seal before it
)
