"""One message of a recorded book, and the levels it names, checked while they are collected.

A message may hold LEVELS_MAX levels a side. A price may be named again with the same quantity (in the
recording of 2022-11-01 an update repeats 37 of its asks) but not with another, and the best bid is below
the best ask: what says otherwise is not what an exchange sent.
"""

from decimal import Decimal

import msgspec

from fairlead.core.model import Side
from fairlead.exchange.market import Level
from fairlead.exchange.tape_book import LEVELS_MAX
from fairlead.exchange.tape_line import Line


class BookMessage(msgspec.Struct, frozen=True):
    """A snapshot (`is_whole`) or an update, as it was recorded: it may not follow the one before it.

    `bids` and `asks` are as those of `SetBook`. It tells the updates from `first_id` to `last_id`;
    `previous_id` is the last one of the message before it, where the recording says so. `sequence`,
    where there is one, grows from message to message. `place` is file and line.
    """

    time_ns: int
    symbol: str
    is_whole: bool
    bids: tuple[Level, ...] | None
    asks: tuple[Level, ...] | None
    first_id: int
    last_id: int
    previous_id: int | None
    sequence: int | None
    place: str


class Levels:
    """The levels of one message, and the best of each side."""

    def __init__(self) -> None:
        self._sides: dict[Side, dict[Decimal, Level]] = {side: {} for side in Side}
        self._best: dict[Side, Decimal] = {}

    def add(self, side: Side, level: Level, line: Line, column: str) -> None:
        """Take up a level that `column` of `line` names. Raises TapeError."""
        levels, price = self._sides[side], level.price
        if price in levels:
            if levels[price] != level:
                right = f"a price that its message has not named yet, with {levels[price].quantity}"
                line.refuse(column, right, f"{price}")
            return
        if len(levels) >= LEVELS_MAX:
            line.refuse(column, f"one of at most {LEVELS_MAX} prices of a message", f"{price}")
        levels[price] = level
        if not level.quantity:
            return
        better = max if side is Side.BUY else min
        self._best[side] = better(price, self._best.get(side, price))
        bid, ask = self._best.get(Side.BUY), self._best.get(Side.SELL)
        if bid is not None and ask is not None and bid >= ask:
            right = f"below the ask {ask}" if side is Side.BUY else f"above the bid {bid}"
            line.refuse(column, right, f"{price}")

    def of(self, side: Side) -> tuple[Level, ...] | None:
        """Return those of one side, the best first, or None where none was named."""
        levels = self._sides[side]
        prices = sorted(levels, reverse=side is Side.BUY)
        return tuple(levels[price] for price in prices) or None
