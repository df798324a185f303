"""Reading a journal beside its writer: history, missed reports, one order's story.

A connection of its own, read-only, in short transactions, so that the WAL stays small. Sees what is
committed, never more: the tables, and the frames that are not in them yet, which it follows from call
to call. Must never write.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from fairlead.core.model import Order
from fairlead.core.order import IllegalChange, apply
from fairlead.core.port import HistoryRow, Released
from fairlead.core.reports import OrderReport, Report
from fairlead.journal.errors import JournalTorn
from fairlead.journal.opening import FILE_NAME, connect_reader, explained
from fairlead.journal.rows import (
    NS_PER_SECOND,
    UNDECODABLE,
    applied_batch,
    decode_frame,
    decode_numbers,
    decode_pairs,
    decode_reports,
    installation_id_of,
)
from fairlead.journal.schema import MIGRATIONS
from fairlead.journal.tail import Tail, order_now, unit_of

FRAMES_KEPT = 64  # decoded, while one call walks the stories of many orders

# The frames that touch an order: the one that opened it and the later ones.
_STORY_BATCHES = (
    "SELECT opened_batch AS batch FROM orders WHERE number = ?1"
    " UNION SELECT batch FROM order_frames WHERE number = ?1 ORDER BY batch"
)


class JournalReader:
    """A read-only view of the journal in `folder`, for one thread at a time.

    Raises JournalError when the file is missing, damaged, foreign or newer.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._connection = connect_reader(folder, len(MIGRATIONS))
        self._installation_id = installation_id_of(self._connection) or b""
        self._frames: OrderedDict[int, list[Report]] = OrderedDict()
        self._tail = Tail(0)

    def history_page(
        self, time_start_ns: int, time_end_ns: int, after: str | None, limit: int
    ) -> list[HistoryRow]:
        """Return up to `limit` orders that changed in [start, end), once each, after the cursor.

        An order stands at the first second in range in which it changed; orders of one second are by
        number. Pages continue stably while orders go on changing. Raises ValueError when `after` is
        not a cursor.
        """
        second, number = _parse_cursor(after) if after is not None else (0, -1)
        position = max((second, number), (time_start_ns // NS_PER_SECOND, -1))
        rows: list[HistoryRow] = []
        with self._snapshot():
            for second, number in self._changed_after(position, (time_end_ns - 1) // NS_PER_SECOND):
                order = order_now(self._connection, self._tail, number)
                if order is not None and second == _first_change(order, time_start_ns, time_end_ns):
                    rows.append(HistoryRow(order, f"{second}-{number}"))
                if len(rows) >= limit:
                    break
        return rows

    def reports_after(self, account: str, sequence: int, limit: int) -> list[Released]:
        """Return up to `limit` reports of `account` after `sequence`, in sequence.

        Each order report comes with the order as it stood at that sequence.
        """
        released: list[Released] = []
        orders: dict[int, Order] = {}
        with self._snapshot():
            for report in self._account_reports(account, sequence):
                if len(released) >= limit:
                    break
                order = None
                if isinstance(report, OrderReport):
                    order = orders.get(report.number)
                    if order is None and report.opened is None:
                        order = self._order_before(report)
                    order = orders[report.number] = apply(order, report)
                released.append(Released(report, order))
        self._frames.clear()
        return released

    def order_story(self, number: int) -> list[OrderReport]:
        """Return every report about the order, in sequence; empty when there is no such order."""
        with self._snapshot():
            story = list(self._story(number))
        self._frames.clear()
        return story

    def close(self) -> None:
        """Close the connection; do so before this process closes its `Journal`."""
        self._connection.close()

    def __enter__(self) -> "JournalReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """One short read transaction: everything in it is of one moment, and so is the tail."""
        try:
            self._connection.execute("BEGIN")
            self._follow()
            yield
        except sqlite3.Error as error:
            raise explained(self._path, error) from error
        except (*UNDECODABLE, IllegalChange, ArithmeticError) as error:
            raise JournalTorn(
                f"{self._path}: a row makes no sense ({error}); run `fairlead verify`"
            ) from error
        finally:
            if self._connection.in_transaction:  # some errors end it by themselves
                self._connection.execute("ROLLBACK")

    def _follow(self) -> None:
        """Bring the tail to this moment: anew when frames went into the tables since."""
        base = applied_batch(self._connection)
        if self._tail.base != base:
            self._tail = Tail(base)
        tail = self._tail
        sql = "SELECT batch, time_ns, data FROM frames WHERE batch > ? ORDER BY batch"
        for batch, time_ns, data in self._connection.execute(sql, (tail.last,)):
            if batch != tail.last + 1:
                raise self._missing(tail.last + 1)
            frame = decode_frame(data)
            unit = unit_of(self._connection, tail, self._installation_id, time_ns, frame)
            tail.add(batch, unit, len(data))

    def _changed_after(self, position: tuple[int, int], last: int) -> Iterator[tuple[int, int]]:
        """Yield (second, number) after `position`, up to the second `last`, in order, once each."""
        second = position[0]
        while True:
            (found,) = self._connection.execute(
                "SELECT min(second) FROM changed WHERE second >= ? AND second <= ?", (second, last)
            ).fetchone()
            later = (s for s in self._tail.changed if second <= s <= last)
            found = min(later if found is None else (found, *later), default=None)
            if found is None:
                return
            numbers = set(self._tail.changed.get(found, ()))
            for (data,) in self._connection.execute(
                "SELECT numbers FROM changed WHERE second = ?", (found,)
            ):
                numbers.update(decode_numbers(data))
            for number in sorted(numbers):
                if (found, number) > position:
                    yield found, number
            second = found + 1

    def _account_reports(self, account: str, after: int) -> Iterator[Report]:
        for batch in self._account_batches(account, after):
            for report in self._frame(batch):
                if report.account == account and report.sequence > after:
                    yield report

    def _account_batches(self, account: str, after: int) -> Iterator[int]:
        """Yield the frames with reports of the account after a sequence; the first may have none."""
        for frames in self._account_frames(account, after):
            for position, (_, batch) in enumerate(frames):
                if position + 1 == len(frames) or frames[position + 1][0] > after:
                    yield batch

    def _account_frames(self, account: str, after: int) -> Iterator[list[tuple[int, int]]]:
        """Yield (first sequence, batch) of the account's frames, in groups, from `after` on."""
        run = self._connection.execute
        for (frames,) in run(
            "SELECT frames FROM frame_accounts JOIN accounts USING (account_no)"
            " WHERE exchange_id = ?1 AND first_sequence >= ("
            "  SELECT coalesce(max(first_sequence), 0)"
            "  FROM frame_accounts JOIN accounts USING (account_no)"
            "  WHERE exchange_id = ?1 AND first_sequence <= ?2) ORDER BY first_sequence",
            (account, after + 1),
        ):
            yield decode_pairs(frames)
        yield self._tail.frame_accounts.get(account, [])

    def _order_before(self, report: OrderReport) -> Order | None:
        order: Order | None = None
        for earlier in self._story(report.number):
            if earlier.sequence >= report.sequence:
                break
            order = apply(order, earlier)
        return order

    def _story(self, number: int) -> Iterator[OrderReport]:
        batches = [
            batch for (batch,) in self._connection.execute(_STORY_BATCHES, (number,)).fetchall()
        ]
        for batch in (*batches, *self._tail.batches.get(number, ())):
            for report in self._frame(batch):
                if isinstance(report, OrderReport) and report.number == number:
                    yield report

    def _frame(self, batch: int) -> list[Report]:
        frame = self._frames.get(batch)
        if frame is None:
            row = self._connection.execute(
                "SELECT data FROM frames WHERE batch = ?", (batch,)
            ).fetchone()
            if row is None:
                raise self._missing(batch)
            frame = self._frames[batch] = decode_reports(row[0])
            if len(self._frames) > FRAMES_KEPT:
                self._frames.popitem(last=False)
        return frame

    def _missing(self, batch: int) -> JournalTorn:
        return JournalTorn(f"{self._path}: frame {batch} is missing; run `fairlead verify`")


def _first_change(order: Order, time_start_ns: int, time_end_ns: int) -> int | None:
    """Return the first second within [start, end) in which the order changed."""
    times = [time_ns for _, time_ns in order.status_history]
    times += [fill.time_booked_ns for fill in order.fills]
    within = [time_ns for time_ns in times if time_start_ns <= time_ns < time_end_ns]
    return min(within) // NS_PER_SECOND if within else None


def _parse_cursor(text: str) -> tuple[int, int]:
    second, dash, number = text.partition("-")
    plain = all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (second, number))
    if not dash or not plain:
        raise ValueError(
            f"after {text[:64]!r} is not a cursor of this history; give one as a page returned it,"
            " such as 1700000000-17, or leave it out to begin at time_start"
        )
    return int(second), int(number)
