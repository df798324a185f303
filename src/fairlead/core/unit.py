"""What one commit makes durable, and what deciding may need from the past.

The sequencer moves these between the engine, which fills them, and the journal, which keeps them;
neither knows the other.
"""

from collections.abc import Iterable

import msgspec

from fairlead.core.model import AccountMode, Balance, Fill, Order, Position
from fairlead.core.reports import Report


class TradeKey(msgspec.Struct, frozen=True, array_like=True):
    """A fill's identity: counted once for ever."""

    account: str
    symbol_exchange: str
    trade_id: str


class ExchangeKey(msgspec.Struct, frozen=True, array_like=True):
    """An order's identity at its exchange."""

    account: str
    exchange_order_id: str


class AccountRecord(msgspec.Struct, frozen=True, array_like=True):
    """What an account must remember: its mode, its last sequence, and how far it is reconciled.

    `fills_cursor` is the exchange's own: every fill up to it is booked. `is_loaded` once balances
    were stated. Times are UTC ns, None when it never happened.
    """

    account: str
    mode: AccountMode = AccountMode.ACTIVE
    sequence: int = 0
    is_loaded: bool = False
    fills_cursor: str = ""
    reconciled_time_ns: int | None = None
    reconciled_trade_id: str | None = None


class Unit(msgspec.Struct):
    """Everything one commit makes durable, whole or not at all.

    `reports` in the order of decision. `orders` by number as they are now (every order that changed).
    `opened`: (client key, number) of orders new in this unit; the client key is
    `core.identity.client_key`. `identified`: orders whose exchange id became known, with number.
    `booked`: (number, position, trade key, fill), position counting the order's fills from 0.
    `settled`: numbers of orders to which nothing more is owed and `unsettled` of those (again) owed
    something; a number is in at most one.
    `accounts`, `balances` and `positions` as they are now, by account, (account, asset) and
    (account, symbol).
    """

    time_ns: int
    reports: list[Report]
    orders: dict[int, Order]
    opened: list[tuple[int, int]]
    identified: list[tuple[ExchangeKey, int]]
    booked: list[tuple[int, int, TradeKey, Fill]]
    settled: set[int]
    unsettled: set[int]
    accounts: dict[str, AccountRecord]
    balances: dict[tuple[str, str], Balance]
    positions: dict[tuple[str, str], Position]


class Wanted(msgspec.Struct):
    """What a batch of messages names that may lie in the past."""

    client_keys: set[int]
    exchange_keys: set[ExchangeKey]
    numbers: set[int]
    trades: set[TradeKey]

    def __bool__(self) -> bool:
        return bool(self.client_keys or self.exchange_keys or self.numbers or self.trades)


class Recalled(msgspec.Struct):
    """What of it there is: orders (whole, with fills) and the trades that were already booked.

    A client key or exchange key may bring several orders; the engine compares the real ids.
    """

    orders: list[Order]
    trades: set[TradeKey]


class Restored(msgspec.Struct):
    """What a process starts with: the unsettled orders, and everything that is not an order."""

    installation_id: bytes
    next_number: int
    orders: list[Order]
    accounts: list[AccountRecord]
    balances: list[tuple[str, Balance]]
    positions: list[tuple[str, Position]]


def nothing_wanted() -> Wanted:
    """Return an empty `Wanted`."""
    return Wanted(set(), set(), set(), set())


def empty_unit(time_ns: int) -> Unit:
    """Return a unit in which nothing happened."""
    return Unit(time_ns, [], {}, [], [], [], set(), set(), {}, {}, {})


def trade_keys(booked: Iterable[tuple[int, int, TradeKey, Fill]]) -> set[TradeKey]:
    """Return the trade keys of booked fills."""
    return {key for _, _, key, _ in booked}
