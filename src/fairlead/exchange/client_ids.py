"""Finding an order by client id among millions, without a random write per order.

An ordinary index over random ids dirties one page per order. Here the newest orders' ids wait in
memory, and every `RUN` of them go to the table together: sorted, in `BUCKETS` rows, each a packed
array. A key is the id's CRC with the order's offset in its run; whoever looks it up reads the order
itself to see whether account and id really are the same. Must never answer by itself.
"""

import sqlite3
import zlib
from array import array
from bisect import bisect_left

RUN = 8_192  # orders in memory at most, and in one run
BUCKETS = 32
_OFFSET_BITS = 32

SCHEMA = """
CREATE TABLE client_ids (
    bucket INTEGER NOT NULL,
    first_number INTEGER NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (bucket, first_number)
) WITHOUT ROWID
"""


class ClientIds:
    """Client id → numbers of the orders that may have it, newest first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._first_number = 1 + (
            connection.execute("SELECT max(last_number) FROM client_id_runs").fetchone()[0] or 0
        )
        self._newest: dict[int, list[int]] = {}  # CRC → numbers, oldest first
        self._count = 0

    @property
    def first_number(self) -> int:
        """The oldest order number that is not yet in a run."""
        return self._first_number

    def add(self, client_id: str, number: int) -> None:
        """Remember the id of a new order; numbers only grow."""
        self._newest.setdefault(_crc(client_id), []).append(number)
        self._count += 1

    def flush_if_full(self) -> None:
        """Write a run if enough is waiting, within the caller's transaction."""
        if self._count < RUN:
            return
        buckets: list[list[int]] = [[] for _ in range(BUCKETS)]
        last_number = 0
        for crc, numbers in self._newest.items():
            for number in numbers:
                key = crc << _OFFSET_BITS | (number - self._first_number)
                buckets[crc % BUCKETS].append(key)
                last_number = max(last_number, number)
        self._connection.executemany(
            "INSERT INTO client_ids VALUES (?, ?, ?)",
            [
                (bucket, self._first_number, array("Q", sorted(keys)).tobytes())
                for bucket, keys in enumerate(buckets)
            ],
        )
        self._connection.execute("INSERT INTO client_id_runs VALUES (?)", (last_number,))
        self._first_number = last_number + 1
        self._newest = {}
        self._count = 0

    def numbers(self, client_id: str) -> list[int]:
        """Return the numbers of orders whose id may be `client_id`, newest first."""
        crc = _crc(client_id)
        found = list(reversed(self._newest.get(crc, ())))
        rows = self._connection.execute(
            "SELECT first_number, keys FROM client_ids WHERE bucket = ? ORDER BY first_number DESC",
            (crc % BUCKETS,),
        )
        for first_number, packed in rows:
            keys = array("Q")
            keys.frombytes(packed)
            start = bisect_left(keys, crc << _OFFSET_BITS)
            end = bisect_left(keys, (crc + 1) << _OFFSET_BITS, lo=start)
            offset_mask = (1 << _OFFSET_BITS) - 1
            found.extend(first_number + (key & offset_mask) for key in reversed(keys[start:end]))
        return found


def _crc(client_id: str) -> int:
    return zlib.crc32(client_id.encode())
