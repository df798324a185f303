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


class SetBook(msgspec.Struct, frozen=True):
    """What a recorded market displays: its levels on each side, the best first.

    `is_whole`: these are all there are, in place of whatever was displayed, down to the last one named;
    what is behind that is not known. Otherwise only the prices named change, and a quantity of 0 says
    that nothing is there any more. A side is None where nothing is known of it, and empty where it is
    known to be (in a whole one). `gap` says what was lost before it, if anything was: then all that
    was displayed is forgotten.

    What clients took from a level is not refilled before the level is named again. A new level that
    crosses resting clients' orders trades with them, at their prices, up to its size. The best bid
    named is below the best ask named. An instrument's least quantity and notional do not matter here.
    """

    time_ns: int
    symbol: str
    bids: tuple[Level, ...] | None
    asks: tuple[Level, ...] | None
    is_whole: bool = True
    gap: str | None = None


class PrintTrade(msgspec.Struct, frozen=True):
    """A trade of the recorded market, offered to the resting clients' orders it would have met.

    `aggressor` is the side that took: SELL when the recorded buyer was the maker. House orders,
    displayed levels among them, do not take part.
    """

    time_ns: int
    symbol: str
    price: Decimal
    quantity: Decimal
    aggressor: Side


MarketAction = PlaceHouse | CancelHouse | SetBook | PrintTrade


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
