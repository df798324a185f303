"""How values become rows, and the few queries that writer, reader and verifier share.

Structs are msgpack arrays (field order is the format: append fields only, with defaults); decimals
are their exact text. Must never write.
"""

import sqlite3
from collections.abc import Iterator

import msgspec

from fairlead.core.model import Balance, Fill, Order, Position
from fairlead.core.reports import Report
from fairlead.core.unit import AccountRecord

NS_PER_SECOND = 1_000_000_000
_DIGITS_MAX = 18  # fit into 63 bits
FILLS_IN_STATE = 8  # most orders have fewer fills: then one row holds all of the order


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """What a commit writes: its reports, and the accounts whose record changed, as they are now.

    Everything a unit holds follows from it (`tail.unit_of`).
    """

    reports: list[Report]
    accounts: list[AccountRecord]


# What the decoders below raise on bytes that are not what they should be.
UNDECODABLE = (msgspec.MsgspecError, ValueError, TypeError)

encode = msgspec.msgpack.Encoder().encode
decode_frame = msgspec.msgpack.Decoder(Frame).decode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_fill = msgspec.msgpack.Decoder(Fill).decode
decode_account = msgspec.msgpack.Decoder(AccountRecord).decode
decode_numbers = msgspec.msgpack.Decoder(list[int]).decode
decode_pairs = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode
decode_balance = msgspec.msgpack.Decoder(Balance).decode
decode_position = msgspec.msgpack.Decoder(Position).decode


def decode_reports(data: bytes) -> list[Report]:
    """Return the reports of a frame."""
    return decode_frame(data).reports


def encode_order(order: Order) -> bytes:
    """Return the order with its first fills; the later ones have rows of their own."""
    if len(order.fills) > FILLS_IN_STATE:
        order = msgspec.structs.replace(order, fills=order.fills[:FILLS_IN_STATE])
    return encode(order)


def narrow(text: str) -> int | str:
    """Return an exchange's id as its row has it: as an integer where that says the same.

    Ids that count up are then neighbours at the index's right edge, also from 9 to 10.
    """
    if len(text) > _DIGITS_MAX or not text.isdigit() or not text.isascii():
        return text
    return text if text[0] == "0" and text != "0" else int(text)


def order_of(connection: sqlite3.Connection, number: int) -> Order | None:
    """Return the order as it is now, whole, or None."""
    row = connection.execute("SELECT state FROM orders WHERE number = ?", (number,)).fetchone()
    return None if row is None else whole_order(connection, row[0])


def whole_order(connection: sqlite3.Connection, state: bytes) -> Order:
    """Return the order that `state` encodes, with all its fills."""
    order = decode_order(state)
    if len(order.fills) < FILLS_IN_STATE:
        return order
    sql = "SELECT data FROM fills WHERE number = ? ORDER BY position"
    later = [decode_fill(data) for (data,) in connection.execute(sql, (order.number,))]
    return msgspec.structs.replace(order, fills=(*order.fills, *later)) if later else order


def applied_batch(connection: sqlite3.Connection) -> int:
    """Return the last frame that is in the tables, 0 when none is."""
    (batch,) = connection.execute("SELECT max(batch) FROM applied").fetchone()
    return batch or 0


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


def positions_of(connection: sqlite3.Connection) -> Iterator[tuple[str, Position]]:
    """Yield every position with its account."""
    sql = (
        "SELECT exchange_id, data FROM positions JOIN accounts USING (account_no)"
        " ORDER BY account_no, symbol"
    )
    for account, data in connection.execute(sql):
        yield account, decode_position(data)


def installation_id_of(connection: sqlite3.Connection) -> bytes | None:
    """Return the id the file was made with, None when it is missing."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'installation_id'").fetchone()
    return None if row is None else row[0]
