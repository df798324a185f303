"""Writes a tail into the tables, all of it in one transaction, so that it can never be in twice.

An order that was opened, filled and settled within the tail is written once, as it ended.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.journal.keys import ClientKeys
from fairlead.journal.rows import encode, encode_order, narrow
from fairlead.journal.tail import Tail

_ROOM = 128  # bytes kept free in the row of an order that will grow


def apply_tail(
    connection: sqlite3.Connection,
    tail: Tail,
    account_numbers: Mapping[str, int],
    keys: ClientKeys,
) -> int:
    """Write the tail's rows, durably and whole, and return how many there were.

    Raises sqlite3.Error, or ValueError when the tables are not as of the tail's base; then the
    transaction is still open, and closing the connection takes it back.
    """
    connection.execute("BEGIN IMMEDIATE")
    rows = _mark(connection, tail)
    rows += _apply_accounts(connection, tail, account_numbers)
    rows += _apply_orders(connection, tail)
    keys.add(tail.last, tail.opened)
    rows += _many(
        connection,
        "INSERT OR IGNORE INTO exchange_ids VALUES (?, ?, ?)",
        sorted(
            (
                (account_numbers[k.account], narrow(k.exchange_order_id), n)
                for k, n in tail.identified
            ),
            key=_comparable,
        ),
    )
    rows += _many(
        connection,
        "INSERT INTO trades VALUES (?, ?, ?)",
        [(account_numbers[k.account], k.symbol_exchange, narrow(k.trade_id)) for k in tail.trades],
    )
    rows += _many(
        connection,
        "INSERT INTO changed VALUES (?, ?, ?)",
        [(second, tail.last, encode(sorted(ns))) for second, ns in sorted(tail.changed.items())],
    )
    connection.execute("COMMIT")
    return rows


def _mark(connection: sqlite3.Connection, tail: Tail) -> int:
    """Say that the tail is applied: only once, and only onto its base."""
    sql = "INSERT INTO applied SELECT ? WHERE ? = (SELECT coalesce(max(batch), 0) FROM applied)"
    return _all(connection, sql, [(tail.last, tail.base)])


def _apply_accounts(
    connection: sqlite3.Connection, tail: Tail, account_numbers: Mapping[str, int]
) -> int:
    rows = _many(
        connection,
        "INSERT INTO accounts VALUES (?, ?, ?)"
        " ON CONFLICT (account_no) DO UPDATE SET record = excluded.record",
        [(account_numbers[a], a, encode(record)) for a, record in tail.accounts.items()],
    )
    rows += _many(
        connection,
        "INSERT OR REPLACE INTO balances VALUES (?, ?, ?)",
        [(account_numbers[a], asset, encode(b)) for (a, asset), b in tail.balances.items()],
    )
    rows += _many(
        connection,
        "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
        [(account_numbers[a], symbol, encode(p)) for (a, symbol), p in tail.positions.items()],
    )
    return rows + _many(
        connection,
        "INSERT INTO frame_accounts VALUES (?, ?, ?)",
        [(account_numbers[a], fs[0][0], encode(fs)) for a, fs in tail.frame_accounts.items()],
    )


def _apply_orders(connection: sqlite3.Connection, tail: Tail) -> int:
    orders, batches = tail.orders, tail.batches
    opened = [number for _, number in tail.opened]
    known = sorted(orders.keys() - set(opened))
    settled = {number for number, order in orders.items() if order.is_settled}
    rows = _many(
        connection,
        "INSERT INTO orders VALUES (?, ?, ?, zeroblob(?))",
        [(n, batches[n][0], encode_order(orders[n]), 0 if n in settled else _ROOM) for n in opened],
    )
    rows += _all(
        connection,
        "UPDATE orders SET state = ?, room = NULL WHERE number = ?",
        [(encode_order(orders[number]), number) for number in known],
    )
    later = [(n, batch) for n in opened for batch in batches[n][1:]]
    later += [(n, batch) for n in known for batch in batches[n]]
    rows += _many(connection, "INSERT INTO order_frames VALUES (?, ?)", sorted(later))
    rows += _many(
        connection,
        "INSERT INTO fills VALUES (?, ?, ?)",
        [(number, position, encode(fill)) for number, position, fill in tail.later_fills],
    )
    rows += _many(
        connection,
        "INSERT OR IGNORE INTO unsettled VALUES (?)",
        [(number,) for number in sorted(orders.keys() - settled)],
    )
    return rows + _many(
        connection,
        "DELETE FROM unsettled WHERE number = ?",
        [(number,) for number in known if number in settled],
    )


def _comparable(row: tuple[int, int | str, int]) -> tuple[int, bool, int | str]:
    """Order rows as SQLite does: numbers before texts."""
    return row[0], isinstance(row[1], str), row[1]


def _many(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
    if rows:
        connection.executemany(sql, rows)
    return len(rows)


def _all(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run a statement that must change one row for each of `rows`."""
    if rows:
        found = connection.executemany(sql, rows).rowcount
        if found != len(rows):
            raise ValueError(f"{len(rows)} rows to change, {found} found: {sql}")
    return len(rows)
