"""What sessions must not forget: sequence numbers, sent messages, the application's cursor. SQLite.

A commit is one transaction for any number of batches; what it holds survives `kill -9`. It does not
sync, unless a session begins in it or is reset, or something in its cursor begins: a power loss may take
the last commits back. Therefore a file that was not closed before the machine's last start counts on
from `LEAP` numbers higher: the counterpart then finds numbers missing and asks for them, which FIX mends
by itself, instead of numbers too low, which it does not (docs/decisions/0018).

One process at a time; `commit` may run in a thread of its own, one call after the other.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

from fairlead.fix.opening import FILE_NAME, StoreError, connect, explained, lock
from fairlead.fix.settings import ANY_NUMBER, Batch, Changes, Record, Sent, SessionKey

__all__ = ["LEAP", "Store", "StoreError"]

SENT_MOST = (
    10_000  # messages kept of a session, and up to a part of it more before they are removed
)
_TRIMS = 8  # that part: each removal writes pages, so it is not done with every commit
LEAP = (
    1_000_000  # more messages than can be sent while a machine has not written its memory to disk
)
_AGES = 100  # leaps over what may have been sent since a copy was made
_LEAP = "UPDATE sessions SET leapt_from = iif(leapt_from, leapt_from, next_out), next_out = next_out + ?"
_NUMBERS = 1 << 40
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Sent, ...]).decode


class Store:
    """The open store."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, lock_descriptor: int, sent_most: int
    ) -> None:
        self._connection = connection
        self._path = path
        self._lock_descriptor = lock_descriptor
        self._sent_most = sent_most
        self._sessions: dict[SessionKey, int] = {}
        self._leapt_from: dict[int, int] = {}
        self._trim_at: dict[int, int] = {}  # the number at which old messages are removed again
        for session, leapt_from, *key in connection.execute(
            "SELECT session, leapt_from, begin_string, comp_id, sub_id, identity FROM sessions"
        ):
            self._sessions[SessionKey(*key)] = session
            self._leapt_from[session] = leapt_from

    @classmethod
    def open(cls, folder: Path, sent_most: int = SENT_MOST, boot_id: str | None = None) -> Self:
        """Open the folder's store, make it where there is none. Raises StoreError.

        `boot_id` tells one start of the machine from another; by default the kernel is asked.
        """
        descriptor = lock(folder)
        try:
            connection = connect(folder)
            try:
                _begin_life(connection, _this_boot() if boot_id is None else boot_id)
                return cls(connection, folder / FILE_NAME, descriptor, sent_most)
            except sqlite3.Error as cause:
                connection.close()
                raise explained(folder / FILE_NAME, cause) from cause
        except StoreError:
            os.close(descriptor)
            raise

    @staticmethod
    def age(path: Path) -> None:
        """Make a copy of a store one whose sessions go on although nobody knows how much was said since.

        Our numbers go on far above what can have been sent. What the counterparts sent meanwhile is not asked
        for again: the orders among it may be at their exchange, and would be placed twice. Raises StoreError.
        """
        try:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("BEGIN")
                connection.execute(_LEAP, (_AGES * LEAP,))
                connection.execute("UPDATE sessions SET next_in = ?", (ANY_NUMBER,))
                connection.execute("UPDATE lives SET is_closed = 1")
                connection.execute("COMMIT")
        except sqlite3.Error as cause:
            raise explained(path, cause) from cause

    def close(self) -> None:
        """Close the file for good: everything committed is on disk when this returns.

        On a full disk it cannot say so any more, and the next start takes it for the file of one that died.
        """
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("UPDATE lives SET is_closed = 1")
        self._connection.close()
        os.close(self._lock_descriptor)

    def abandon(self) -> None:
        """Let go of the file as a process does that dies: what was committed is there, it is not closed."""
        self._connection.close()
        os.close(self._lock_descriptor)

    def keys(self) -> list[SessionKey]:
        """Return every session that is known."""
        return list(self._sessions)

    def record(self, key: SessionKey) -> Record:
        """Return what is known of a session: of an unknown one, that everything begins with 1."""
        found = self._connection.execute(
            "SELECT next_out, next_in, cursor FROM sessions WHERE session = ?",
            (self._sessions.get(key),),
        ).fetchone()
        return Record() if found is None else Record(*found)

    def sent(self, key: SessionKey, first: int, last: int) -> list[Sent]:
        """Return the application messages from number `first` to `last` that are still kept, in order."""
        session = self._sessions.get(key)
        if session is None:
            return []
        rows = self._connection.execute(
            "SELECT messages FROM sent WHERE place >= ? AND place < ? AND first <= ? ORDER BY place",
            (session * _NUMBERS + first, (session + 1) * _NUMBERS, last),
        )
        return [each for (blob,) in rows for each in _decode(blob) if first <= each.number <= last]

    def commit(self, batches: Iterable[Batch]) -> None:
        """Store what the batches need to have stored before they may leave, in one transaction.

        Raises StoreError, having stored nothing: then nothing of them may leave, and since sessions
        are ahead of the store the connections must end.
        """
        changes = [batch.changes for batch in batches if batch.changes is not None]
        if not changes:
            return
        known = len(self._sessions)
        # A leap mends numbers that were taken back, but not a beginning: of a session that the file
        # does not know it leaps over nothing, and one whose reset is lost has the numbers of before.
        # Nor does it mend the cursor's: what is not in it begins where the counterpart comes back.
        begins = any(
            each.is_reset or each.has_begun or each.key not in self._sessions for each in changes
        )
        try:
            if begins:
                self._sync_commits(is_on=True)
            self._connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                self._store(change)
            self._connection.execute("COMMIT")
        except sqlite3.Error as cause:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for key in list(self._sessions)[known:]:
                del self._sessions[key]
            raise explained(self._path, cause) from cause
        finally:
            if begins:
                self._sync_commits(is_on=False)

    def forget(self, key: SessionKey) -> None:
        """Remove a session and all that was sent in it; does nothing if it is not known."""
        session = self._sessions.pop(key, None)
        if session is None:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._clear(session)
        self._connection.execute("DELETE FROM sessions WHERE session = ?", (session,))
        self._connection.execute("COMMIT")

    def _sync_commits(self, *, is_on: bool) -> None:
        """Have commits synced from now on, or not."""
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if is_on else 'NORMAL'}")

    def _store(self, change: Changes) -> None:
        session = self._sessions.get(change.key)
        if session is None:
            session = self._add(change.key)
        elif change.is_reset:
            self._clear(session)
        execute = self._connection.execute
        if change.cursor is None:
            execute(
                "UPDATE sessions SET next_out = ?, next_in = ? WHERE session = ?",
                (change.next_out, change.next_in, session),
            )
        else:
            execute(
                "UPDATE sessions SET next_out = ?, next_in = ?, cursor = ? WHERE session = ?",
                (change.next_out, change.next_in, change.cursor, session),
            )
        if change.sent:
            place = session * _NUMBERS
            execute(
                "INSERT INTO sent VALUES (?, ?, ?)",
                (place + change.sent[-1].number, change.sent[0].number, _encode(change.sent)),
            )
            if change.next_out >= self._trim_at.get(session, 0):
                self._trim_at[session] = change.next_out + self._sent_most // _TRIMS
                oldest = place + self._oldest_kept(session, change.next_out)
                execute("DELETE FROM sent WHERE place > ? AND place < ?", (place, oldest))

    def _oldest_kept(self, session: int, next_out: int) -> int:
        """Return the first number that is kept; numbers that were leapt over were never sent."""
        leapt_from = self._leapt_from.get(session, 0)
        if not leapt_from:
            return next_out - self._sent_most
        leaps, sent_since = divmod(next_out - leapt_from, LEAP)
        if sent_since < self._sent_most:
            return leapt_from + sent_since - self._sent_most
        if leaps > 1 and sent_since < 2 * self._sent_most:
            return leapt_from  # how many were sent between the leaps is not known
        self._leave_leap_behind(session)
        return next_out - self._sent_most

    def _add(self, key: SessionKey) -> int:
        added = self._connection.execute(
            "INSERT INTO sessions (begin_string, comp_id, sub_id, identity, next_out, next_in, cursor)"
            " VALUES (?, ?, ?, ?, 1, 1, x'')",
            (key.begin_string, key.comp_id, key.sub_id, key.identity),
        ).lastrowid
        assert added is not None
        self._sessions[key] = added
        return added

    def _clear(self, session: int) -> None:
        """Remove all that was sent; the numbers begin again, so that no leap lies in them."""
        self._leave_leap_behind(session)
        self._trim_at.pop(session, None)
        self._connection.execute(
            "DELETE FROM sent WHERE place >= ? AND place < ?",
            (session * _NUMBERS, (session + 1) * _NUMBERS),
        )

    def _leave_leap_behind(self, session: int) -> None:
        """Take note that no leap lies in the numbers that are kept."""
        if self._leapt_from.pop(session, 0):
            self._connection.execute(
                "UPDATE sessions SET leapt_from = 0 WHERE session = ?", (session,)
            )


def _this_boot() -> str:
    """Return what names this start of the machine; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _begin_life(connection: sqlite3.Connection, boot_id: str) -> None:
    """Leap over numbers that a power loss may have taken back, then note that the file is in use."""
    last_boot_id, is_closed = connection.execute("SELECT boot_id, is_closed FROM lives").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    if not is_closed and (not boot_id or boot_id != last_boot_id):
        connection.execute(_LEAP, (LEAP,))
    connection.execute("UPDATE lives SET boot_id = ?, is_closed = 0", (boot_id,))
    connection.execute("COMMIT")
    connection.execute("PRAGMA synchronous = NORMAL")
