"""The port between the simulated exchange and whatever moves its market.

A market says when it wants to act next and, asked at that time, what it does. It is deterministic:
its actions follow from its seed or its tape and from the times it is asked, never from what clients
do, so a client's orders cannot change the market that a later run will see. It must never read a
clock or draw from anything but the generator it was given.

What the exchange makes of an action:

`PlaceHouse`  a limit order of a house account: unlimited balances, no fees, no self-trade
              prevention. It matches like any order and rests, or with `immediate` rests not.
`CancelHouse` takes that order out of the book; nothing happens if it is filled or unknown.
`SetQuote`    one house level on each side, in place of the ones the last `SetQuote` of the symbol
              set (a side of None: nothing there). What clients took from them is not refilled before
              the next `SetQuote`. A new level that crosses resting client orders trades with them
              first, at their prices, up to its size.
`PrintTrade`  a trade of the recorded market, offered to resting client orders of the side opposite
              to `aggressor`: see docs/markets.md. House orders and quotes do not take part.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from fairlead.core.model import Side


class PlaceHouse(msgspec.Struct, frozen=True):
    """`key` names the order among all house orders, ever; `participant` is the house account."""

    time_ns: int
    key: str
    participant: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    immediate: bool


class CancelHouse(msgspec.Struct, frozen=True):
    time_ns: int
    key: str


class Level(msgspec.Struct, frozen=True):
    price: Decimal
    quantity: Decimal


class SetQuote(msgspec.Struct, frozen=True):
    """`bid` is below `ask` when both are there."""

    time_ns: int
    symbol: str
    bid: Level | None
    ask: Level | None


class PrintTrade(msgspec.Struct, frozen=True):
    """`aggressor` is the side that took: SELL when the recorded buyer was the maker."""

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
