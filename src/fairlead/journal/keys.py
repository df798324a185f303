"""The keys of all client ids ever used, kept so that old journals are as quick as new ones.

Keys are random, so each would dirty a page of its own in a big table at each commit. Instead new
keys are appended (`recent_keys`, one row per application) and held in memory, in buckets of neighbouring
keys. Past `RECENT_MAX` whole buckets move into the big table (`client_keys`), one after another in
key order, so that neighbours share a page. When the sweep has come round, the appended rows it
covered are dropped. A crash loses nothing: the rows are still there, and moving a key twice does no
harm.

Whether a client id was used before is asked for every order, and nearly always it was not: the big table is
only asked where `key_filter.py` cannot say so.
"""

import sqlite3
from collections.abc import Iterator, Sequence, Set

from fairlead.journal.key_filter import KeyFilter
from fairlead.journal.rows import decode_pairs, encode

RECENT_MAX = 32_768  # keys in memory, about 6 MB
BUCKETS = 1024
_BUCKET_SHIFT = 63 - 10

_MERGE = "INSERT OR IGNORE INTO client_keys VALUES (?, ?)"


class ClientKeys:
    """Which order numbers a client key stands for. Writes happen in the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, batch: int) -> None:
        """Load the recent keys; `batch` is the last one applied."""
        self._connection = connection
        self._filter = KeyFilter(connection)
        self._buckets: list[dict[int, int]] = [{} for _ in range(BUCKETS)]
        self._count = 0
        self._next_bucket = 0
        self._sweep_began = batch
        for pair in recent_pairs(connection):
            self._hold(pair)
        if self._count > RECENT_MAX:
            self._move_all()

    def add(self, batch: int, pairs: Sequence[tuple[int, int]]) -> None:
        """Keep the (key, number) pairs of the application that ends with `batch`."""
        if not pairs:
            return
        self._connection.execute("INSERT INTO recent_keys VALUES (?, ?)", (batch, encode(pairs)))
        for pair in pairs:
            self._hold(pair)
        while self._count > RECENT_MAX:
            self._move_bucket(batch)

    def numbers_of(self, keys: Set[int]) -> Iterator[int]:
        """Yield the numbers of the orders with these keys, some perhaps twice."""
        for key in keys:
            recent = self._buckets[key >> _BUCKET_SHIFT].get(key)
            if recent is not None:
                yield recent
        run = self._connection.execute
        for key in self._filter.possible(keys):
            for (number,) in run("SELECT number FROM client_keys WHERE key = ?", (key,)):
                yield number

    def _hold(self, pair: tuple[int, int]) -> None:
        key, number = pair
        bucket = self._buckets[key >> _BUCKET_SHIFT]
        held = bucket.get(key)
        if held is None:
            bucket[key] = number
            self._count += 1
        elif held != number:  # two ids with one hash: the table holds as many as there are
            self._merge([pair])

    def _move_bucket(self, batch: int) -> None:
        bucket = self._buckets[self._next_bucket]
        self._merge(sorted(bucket.items()))
        self._count -= len(bucket)
        bucket.clear()
        self._next_bucket = (self._next_bucket + 1) % BUCKETS
        if self._next_bucket == 0:
            drop = "DELETE FROM recent_keys WHERE batch <= ?"
            self._connection.execute(drop, (self._sweep_began,))
            self._sweep_began = batch

    def _move_all(self) -> None:
        """Move everything at once: at a start, so that frequent restarts cannot pile keys up."""
        self._connection.execute("BEGIN IMMEDIATE")
        for bucket in self._buckets:
            self._merge(sorted(bucket.items()))
            bucket.clear()
        self._connection.execute("DELETE FROM recent_keys")
        self._connection.execute("COMMIT")
        self._count = 0

    def _merge(self, pairs: Sequence[tuple[int, int]]) -> None:
        self._filter.add(key for key, _ in pairs)
        self._connection.executemany(_MERGE, pairs)


def recent_pairs(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Yield (key, number) of the keys that may not be in the big table yet."""
    for (pairs,) in connection.execute("SELECT pairs FROM recent_keys ORDER BY batch"):
        yield from decode_pairs(pairs)
