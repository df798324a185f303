"""Usage in the control database: each batch of each process is added once, whatever becomes of its commit.

A batch that was not seen to be committed is written again under its number, and passed over where the
database has it. Usage is no change of what the control plane keeps: nobody who follows it is woken.
"""

from sqlalchemy import Connection, delete, select

from fairlead.control.activity import add_uses
from fairlead.control.store import Store
from fairlead.control.tables import USAGE, USAGE_WRITERS
from fairlead.control.upserting import upsert
from fairlead.control.usage import DAY_NS, Batch, UsageAsked, Used

_WRITER_KEPT_NS = 30 * DAY_NS  # a process that has not written for so long has ended
_COUNTED = ("requests", "orders", "websocket_ms", "fix_ms")
_PLACE = ("subscription", "day", "kid", "account")


class UsageBook:
    """Adds and reads. For any thread; its calls block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, writer: str, batch: Batch, now_ns: int) -> None:
        """Add a batch, unless it is there already. Raises ControlError; then it may be there or not."""
        with self._store.append() as connection:
            if _last(connection, writer) >= batch.number:
                return
            upsert(
                connection, USAGE_WRITERS, ("writer",), ("batch", "time_ns"),
                [{"writer": writer, "batch": batch.number, "time_ns": now_ns}], is_added=False,
            )  # fmt: skip
            # In one order for all processes, so that no two wait for each other.
            rows = sorted(batch.rows, key=lambda row: tuple(getattr(row, each) for each in _PLACE))
            values = [{name: getattr(row, name) for name in _PLACE + _COUNTED} for row in rows]
            if values:
                upsert(connection, USAGE, _PLACE, _COUNTED, values, is_added=True)
            add_uses(connection, batch.uses)
            long_ago = now_ns - _WRITER_KEPT_NS
            connection.execute(delete(USAGE_WRITERS).where(USAGE_WRITERS.c.time_ns < long_ago))

    def end(self, writer: str) -> None:
        """Forget a process that has written its last batch. Raises ControlError."""
        with self._store.append() as connection:
            connection.execute(delete(USAGE_WRITERS).where(USAGE_WRITERS.c.writer == writer))

    def read(self, asked: UsageAsked, limit: int) -> list[Used]:
        """Return at most `limit` rows, the newest day first. Raises ControlError."""
        at = USAGE.c
        wanted = (
            select(USAGE)
            .where(at.subscription == asked.subscription)
            .where(at.day >= asked.day_first, at.day <= asked.day_last)
            .order_by(at.day.desc(), at.kid, at.account)
            .limit(limit)
        )
        if asked.kid is not None:
            wanted = wanted.where(at.kid == asked.kid)
        if asked.accounts is not None:
            wanted = wanted.where(at.account.in_(sorted(asked.accounts)))
        with self._store.read() as connection:
            return [Used(**row) for row in connection.execute(wanted).mappings()]


def _last(connection: Connection, writer: str) -> int:
    """Return the number of the writer's last batch, 0 if there is none."""
    wanted = select(USAGE_WRITERS.c.batch).where(USAGE_WRITERS.c.writer == writer)
    return connection.execute(wanted).scalar_one_or_none() or 0
