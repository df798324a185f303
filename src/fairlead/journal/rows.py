"""How values become rows, and the few queries that writer, reader and verifier share.

Structs are msgpack arrays (field order is the format: append fields only, with defaults); decimals
are their exact text. Must never write.
"""

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from fairlead.core.messages import Report
from fairlead.core.model import Balance, Fill, Order
from fairlead.core.unit import AccountRecord

NS_PER_MINUTE = 60_000_000_000

encode = msgspec.msgpack.Encoder().encode
decode_reports = msgspec.msgpack.Decoder(list[Report]).decode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_fill = msgspec.msgpack.Decoder(Fill).decode
decode_account = msgspec.msgpack.Decoder(AccountRecord).decode
decode_balance = msgspec.msgpack.Decoder(Balance).decode


def encode_order(order: Order) -> bytes:
    """Return the order without its fills, which have rows of their own."""
    if order.fills:
        order = msgspec.structs.replace(order, fills=())
    return encode(order)


def with_fills(order: Order, fills: Iterable[Fill]) -> Order:
    """Return the order with its fills put back."""
    whole = tuple(fills)
    return msgspec.structs.replace(order, fills=whole) if whole else order


def fills_of(connection: sqlite3.Connection, number: int) -> Iterator[Fill]:
    """Yield an order's fills in the order they were booked."""
    sql = "SELECT data FROM fills WHERE number = ? ORDER BY position"
    for (data,) in connection.execute(sql, (number,)):
        yield decode_fill(data)


def order_of(connection: sqlite3.Connection, number: int) -> Order | None:
    """Return the order as it is now, whole, or None."""
    row = connection.execute("SELECT state FROM orders WHERE number = ?", (number,)).fetchone()
    if row is None:
        return None
    return with_fills(decode_order(row[0]), fills_of(connection, number))


def accounts_of(connection: sqlite3.Connection) -> Iterator[tuple[int, AccountRecord]]:
    """Yield every account with its number in this file."""
    sql = "SELECT account_no, record FROM accounts ORDER BY account_no"
    for number, record in connection.execute(sql):
        yield number, decode_account(record)


def balances_of(connection: sqlite3.Connection) -> Iterator[tuple[str, Balance]]:
    """Yield every balance with its account."""
    sql = (
        "SELECT exchange_id, data FROM balances JOIN accounts USING (account_no)"
        " ORDER BY account_no, asset"
    )
    for account, data in connection.execute(sql):
        yield account, decode_balance(data)
