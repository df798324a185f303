"""The port between the simulated exchange and whatever moves its market.

A market says when it wants to act next and, asked at that time, what it does. It is deterministic:
its actions follow from its seed or its tape and from the times it is asked, never from what clients
do, so a client's orders cannot change the market that a later run will see. It must never read a
clock or draw from anything but the generator it was given.

What the exchange makes of an action is told at its struct here, and done by `movement`. Symbols are the
exchange's own (`BTC/USDT`).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

import msgspec

from fairlead.core.model import Instrument, Side


class PlaceHouse(msgspec.Struct, frozen=True):
    """A limit order of the house account `participant`: no limit of balance, no fees.

    It matches like any order and rests, or with `immediate` rests not. `key` names it among all house
    orders of this run.
    """

    time_ns: int
    key: str
    participant: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    immediate: bool


class CancelHouse(msgspec.Struct, frozen=True):
    """Takes the order of this key out of the book; nothing if it is filled or was never in it."""

    time_ns: int
    key: str


class Level(msgspec.Struct, frozen=True):
    price: Decimal
    quantity: Decimal


class SetQuote(msgspec.Struct, frozen=True):
    """One level on each side, in place of those of the symbol's last `SetQuote`; None: nothing there.

    What clients took from a level is not refilled before the next `SetQuote`. A new level that crosses
    resting clients' orders trades with them, at their prices, up to its size. `bid` is below `ask`
    when both are there. An instrument's least quantity and notional do not matter here.
    """

    time_ns: int
    symbol: str
    bid: Level | None
    ask: Level | None


class PrintTrade(msgspec.Struct, frozen=True):
    """A trade of the recorded market, offered to the resting clients' orders it would have met.

    `aggressor` is the side that took: SELL when the recorded buyer was the maker. House orders and
    quotes do not take part.
    """

    time_ns: int
    symbol: str
    price: Decimal
    quantity: Decimal
    aggressor: Side


MarketAction = PlaceHouse | CancelHouse | SetQuote | PrintTrade


class Market(Protocol):
    """Something that moves the market; `now_ns` is the exchange's time.

    The `time_ns` of an action is the market's own: the exchange's time for participants, the
    recorded time for a tape.
    """

    def next_time_ns(self) -> int | None:
        """Return when `act` wants to be called next, or None while it wants nothing."""
        ...

    def act(self, now_ns: int) -> list[MarketAction]:
        """Return what happens up to `now_ns`, in order; a bounded number of actions.

        Whatever did not fit into the bound leaves `next_time_ns` in the past: ask again.
        """
        ...

    def change_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Learn that the exchange changed rules, a tick say; the symbols stay the same."""
        ...
