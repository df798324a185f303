"""What is committed and not yet in the store's tables: one row of a log for each commit.

A commit is then one small write, whatever it changed, and an order that was placed, filled and closed
since the last application is written to the tables once. Everything here survives a kill: the rows are
read again at the next start. Must never answer by itself.

SQLite's binding takes `int` and `bytearray` as they are; for each `bool` or `bytes` it looks for an adapter,
which takes longer than binding the whole row.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from fairlead.exchange.ledger import Changes
from fairlead.exchange.store_rows import encode
from fairlead.venues.sim_messages import OrderState

State = tuple[int, bytes]  # a row of `states`


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """The rows of one commit, as in the tables. A stored format."""

    orders: tuple[tuple[int, int, bool, bytes], ...]
    fills: tuple[tuple[int, int, bytes], ...]
    states: tuple[State, ...]


decode_entry = msgspec.msgpack.Decoder(Entry).decode


def entry_of(changes: Changes, states: Iterable[State]) -> Entry:
    """Return what a commit has changed, as rows."""
    return Entry(
        tuple([
            (number, account, stated.state is OrderState.OPEN, encode(stated))
            for number, (account, stated) in changes.orders.items()
        ]),
        tuple([(account, fill.ordinal, encode(fill)) for account, fill in changes.fills]),
        tuple(states),
    )  # fmt: skip


class Log:
    """The log, and what it holds folded together: the newest row of each order and of each state."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._orders: dict[int, tuple[int, int, bool, bytes]] = {}
        self._fills: list[tuple[int, int, bytes]] = []
        self._states: dict[int, bytes] = {}
        self._newest = _newest_order(connection)  # of those in the tables
        self._last = 0
        for number, body in connection.execute("SELECT number, body FROM log ORDER BY number"):
            self._hold(decode_entry(body))
            self._last = number

    @property
    def rows(self) -> int:
        """How many rows there are, here or to be written: of the kind of which there are most."""
        return max(self._last, len(self._orders), len(self._fills))

    @property
    def is_empty(self) -> bool:
        """Whether the tables say everything."""
        return not self._last

    def order(self, number: int, account: int) -> bytes | None:
        """Return the account's order if it waits here."""
        row = self._orders.get(number)
        return row[3] if row is not None and row[1] == account else None

    def add(self, entry: Entry) -> None:
        """Commit the rows. Raises sqlite3.Error."""
        self._last += 1
        row = (self._last, bytearray(encode(entry)))
        self._connection.execute("INSERT INTO log VALUES (?, ?)", row)
        self._hold(entry)

    def apply(self) -> None:
        """Write everything to the tables and empty the log, within the caller's transaction."""
        many = self._connection.executemany
        numbers = sorted(self._orders)
        new = bisect_right(numbers, self._newest)
        many("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)", self._order_rows(numbers[:new]))
        many("INSERT INTO orders VALUES (?, ?, ?, ?)", self._order_rows(numbers[new:]))
        many(
            "INSERT INTO fills VALUES (?, ?, ?)",
            [(account, ordinal, bytearray(body)) for account, ordinal, body in self._fills],
        )
        many("INSERT OR REPLACE INTO states VALUES (?, ?)", self._states.items())
        self._connection.execute("DELETE FROM log")

    def forget(self) -> None:
        """Take note that the tables have it all, durably."""
        self._newest = max((self._newest, *self._orders))
        self._orders.clear()
        self._fills.clear()
        self._states.clear()
        self._last = 0

    def _order_rows(self, numbers: Iterable[int]) -> list[tuple[int, int, int, bytearray]]:
        rows = [self._orders[number] for number in numbers]
        return [
            (number, account, int(is_open), bytearray(body))
            for number, account, is_open, body in rows
        ]

    def _hold(self, entry: Entry) -> None:
        for row in entry.orders:
            self._orders[row[0]] = row
        self._fills += entry.fills
        self._states.update(entry.states)


def _newest_order(connection: sqlite3.Connection) -> int:
    newest: int | None = connection.execute("SELECT max(number) FROM orders").fetchone()[0]
    return newest or 0
