"""Which keys the big table of client ids may hold, so that it is not asked about nearly every new one.

One bit of a bitmap stands for all keys with the same first bits; keys are uniform. It is set before a key
of them goes into the table, and never cleared: while it is clear the table holds none of them.

What was in the table at the start is read once it is asked about: neighbouring keys, a range at a time,
from the one or two pages that the question would have read anyway. So a start reads nothing, and nothing is
done in the background.

Must never deny a key that the table holds: its order would be placed twice.
"""

import mmap
import sqlite3
from collections.abc import Iterable

BITS = 1 << 25  # 4 MiB, in memory where keys are; a million keys set 3 %
KEYS_MOST = 1 << 24  # more at the start, which would set 40 %, are not worth reading
READS_MOST = 4  # ranges for one batch, 60 µs each; its other keys are asked about one by one
RANGE_KEYS = 128  # at most so many in a range, on average, at the start

_SHIFT = 63 - (BITS.bit_length() - 1)  # from a key to its bit


class KeyFilter:
    """The bitmap. Tell it of every key before the table gets it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """See how much the table holds; `connection` is the only one that writes to it."""
        self._connection = connection
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._bits = mmap.mmap(-1, BITS // 8, flags=flags)  # zeros, in memory once written to
        self._reads_most = READS_MOST
        run = connection.execute
        (is_empty,) = run("SELECT NOT EXISTS (SELECT * FROM client_keys)").fetchone()
        (keys,) = run("SELECT coalesce(max(number), 0) FROM orders").fetchone()  # at most so many
        ranges = 1
        if keys > KEYS_MOST:
            self._reads_most = 0
        elif not is_empty:
            while keys > ranges * RANGE_KEYS:
                ranges *= 2
        self._range_shift = (BITS // ranges).bit_length() - 1  # from a bit to its range
        self._is_read = bytearray([is_empty]) * ranges

    def add(self, keys: Iterable[int]) -> None:
        """Let `keys` be possible from now on."""
        bits = self._bits
        for key in keys:
            bit = key >> _SHIFT
            bits[bit >> 3] |= 1 << (bit & 7)

    def possible(self, keys: Iterable[int]) -> list[int]:
        """Return those of `keys` that the table may hold."""
        reads = self._reads_most
        possible = []
        for key in keys:
            bit = key >> _SHIFT
            if not self._is_read[bit >> self._range_shift]:
                if not reads:
                    possible.append(key)
                    continue
                reads -= 1
                self._read(bit >> self._range_shift)
            if self._bits[bit >> 3] >> (bit & 7) & 1:
                possible.append(key)
        return possible

    def _read(self, at: int) -> None:
        first = at << self._range_shift + _SHIFT
        last = (at + 1 << self._range_shift + _SHIFT) - 1
        sql = "SELECT key FROM client_keys WHERE key BETWEEN ? AND ?"
        self.add(key for (key,) in self._connection.execute(sql, (first, last)))
        self._is_read[at] = True
