"""What is in the control database. `migrations/` makes it; a test compares the two.

Times are UTC nanoseconds. Everything that belongs to somebody says to which subscription.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
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
)


def of_subscription(*, is_key: bool = False) -> Column[str]:
    """Return the column that says whose a row is."""
    name = SUBSCRIPTIONS.c.subscription
    return Column("subscription", Text, ForeignKey(name), primary_key=is_key, nullable=False)
