"""What a stream tells, as frozen structs, and how one message of the WebSocket API is read. No IO.

`sequence` numbers what happened in an account, dense from 1. A snapshot replaces what was known of its
account; an update changes one order, asset or position of it.
"""

from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from fairlead.client.shapes import Balance, OrderReport, Position

Row = TypeVar("Row")


class Connected(msgspec.Struct, frozen=True):
    """The stream is connected; what comes next says how the accounts stand, or goes on from there."""

    url: str


class Disconnected(msgspec.Struct, frozen=True):
    """The connection ended, or there is none (`text` says why); another one is made in `retry_s`."""

    text: str
    retry_s: float


class AccountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands, each second; `trouble` says why it takes no orders.

    `sequence` is the account's newest, which may be ahead of what the stream has told. `resumed`, in the
    first after a connection: whether the stream goes on where it was (no orders snapshot comes then).
    """

    exchange_id: str
    sequence: int
    time: str
    is_running: bool
    connected: bool
    reconciled: bool
    trouble: str | None = None
    resumed: bool | None = None
    instance_guid: str
    server_version: str


class Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """A market of an account's exchange: `price_precision` is the tick, `size_precision` the step."""

    symbol_id_coinapi: str
    symbol_id_exchange: str
    asset_id_base_coinapi: str
    asset_id_quote_coinapi: str
    price_precision: Decimal
    size_precision: Decimal


class SymbolsSnapshot(msgspec.Struct, frozen=True):
    """The markets of an account's exchange."""

    exchange_id: str
    sequence: int
    symbols: tuple[Symbol, ...]


class OrdersSnapshot(msgspec.Struct, frozen=True):
    """All open orders of an account: forget the others."""

    exchange_id: str
    sequence: int
    orders: tuple[OrderReport, ...]


class BalancesSnapshot(msgspec.Struct, frozen=True):
    """All balances of an account."""

    exchange_id: str
    sequence: int
    balances: tuple[Balance, ...]


class PositionsSnapshot(msgspec.Struct, frozen=True):
    """All positions of an account that are not flat."""

    exchange_id: str
    sequence: int
    positions: tuple[Position, ...]


class OrderUpdate(msgspec.Struct, frozen=True):
    """An order as one report left it, final ones too."""

    exchange_id: str
    sequence: int
    order: OrderReport


class BalanceUpdate(msgspec.Struct, frozen=True):
    """An asset's balance as it is from now on."""

    exchange_id: str
    sequence: int
    balance: Balance


class PositionUpdate(msgspec.Struct, frozen=True):
    """A position as it is from now on; with a quantity of 0 it is flat."""

    exchange_id: str
    sequence: int
    position: Position


Snapshot = SymbolsSnapshot | OrdersSnapshot | BalancesSnapshot | PositionsSnapshot
Update = OrderUpdate | BalanceUpdate | PositionUpdate
Told = AccountInfo | Snapshot | Update
Event = Connected | Disconnected | Told


class _Head(msgspec.Struct):
    type: str
    exchange_id: str = ""
    sequence: int = 0


class _Rows(msgspec.Struct, Generic[Row]):
    data: tuple[Row, ...]


_read_head = msgspec.json.Decoder(_Head).decode
_read_info = msgspec.json.Decoder(AccountInfo).decode
_read_symbols = msgspec.json.Decoder(_Rows[Symbol]).decode
_read_orders = msgspec.json.Decoder(_Rows[OrderReport]).decode
_read_balances = msgspec.json.Decoder(_Rows[Balance]).decode
_read_positions = msgspec.json.Decoder(_Rows[Position]).decode
_read_order = msgspec.json.Decoder(OrderReport).decode
_read_balance = msgspec.json.Decoder(Balance).decode
_read_position = msgspec.json.Decoder(Position).decode


def read(message: bytes) -> Told | None:
    """Return what a message tells; None for a kind that is not known. Raises msgspec.MsgspecError."""
    head = _read_head(message)
    account, sequence = head.exchange_id, head.sequence
    match head.type:
        case "ORDER_EXEC_REPORT_UPDATE":
            return OrderUpdate(account, sequence, _read_order(message))
        case "BALANCE_UPDATE":
            return BalanceUpdate(account, sequence, _read_balance(message))
        case "POSITION_UPDATE":
            return PositionUpdate(account, sequence, _read_position(message))
        case "SERVER_INFO":
            return _read_info(message)
        case "SYMBOLS_SNAPSHOT":
            return SymbolsSnapshot(account, sequence, _read_symbols(message).data)
        case "ORDER_EXEC_REPORT_SNAPSHOT":
            return OrdersSnapshot(account, sequence, _read_orders(message).data)
        case "BALANCE_SNAPSHOT":
            return BalancesSnapshot(account, sequence, _read_balances(message).data)
        case "POSITION_SNAPSHOT":
            return PositionsSnapshot(account, sequence, _read_positions(message).data)
        case _:
            return None
