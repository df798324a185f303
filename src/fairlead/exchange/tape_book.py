"""What a recorded market displays of one instrument, as house orders that clients' orders can take.

One mechanism for every form of recording: a quote displays one level per side, a book many. A level
that clients took stays here as taken until the tape names its price again or forgets it. How far down
a side is known is kept too: at a price within that range where no level is, nothing is displayed;
beyond it one cannot tell.

Where a message leaves levels that it did not name on the wrong side of those that it did, the older
statement is the wrong one: they are removed, and counted. Must never look at clients' orders.
"""

from collections.abc import Iterable
from decimal import Decimal

from fairlead.core.model import ZERO, Side
from fairlead.exchange.market import Level, SetBook
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import PRICE_UNITS, Order
from fairlead.venues.sim_messages import OrderState

LEVELS_MAX = 10_000  # kept per side; the worst ones beyond are forgotten

# A key is a price in units, negative for asks: the better the price, the greater the key.
_BEHIND_ALL, _BEFORE_ALL = -(10**40), 10**40

Named = dict[int, Level]


class TapeBook:
    """The tape's levels in one instrument's book.

    `stale_levels` counts the levels that were removed because a newer message crossed them.
    """

    def __init__(self, matching: Matching, symbol: str) -> None:
        self.stale_levels = 0
        self._matching = matching
        self._symbol = symbol
        self._halves = {side: _Half(side) for side in Side}

    def state(self, action: SetBook, now_ns: int) -> None:
        """Display what `action` says from now on."""
        bids, asks = self._halves[Side.BUY], self._halves[Side.SELL]
        named_bids, named_asks = bids.named(action.bids), asks.named(action.asks)
        is_anew = action.is_whole or action.gap is not None
        # All that goes before anything comes: levels of the tape must not trade with one another.
        for half, named in ((bids, named_bids), (asks, named_asks)):
            self._remove(half, [key for key in half.levels if is_anew and key not in named], now_ns)
            self._remove(half, [key for key, level in named.items() if not level.quantity], now_ns)
        self._remove_crossed(bids, named_bids, named_asks, now_ns)
        self._remove_crossed(asks, named_asks, named_bids, now_ns)
        for half, named in ((bids, named_bids), (asks, named_asks)):
            for key, level in named.items():
                if level.quantity:
                    half.levels[key] = self._matching.set_level(
                        self._symbol,
                        half.side,
                        level.price,
                        level.quantity,
                        now_ns,
                        half.levels.get(key),
                    )
        for half, levels in ((bids, action.bids), (asks, action.asks)):
            if is_anew:
                is_known = action.is_whole and levels is not None
                half.known_key = min(half.levels, default=_BEHIND_ALL) if is_known else _BEFORE_ALL
            self._narrow(half, now_ns)

    def shown(self, order: Order) -> Decimal | None:
        """Return what is displayed on the side and at the price of `order`, None if unknown."""
        half = self._halves[order.side]
        key = order.price_units * half.sign
        level = half.levels.get(key)
        if level is not None:
            return level.leaves_quantity
        return ZERO if key >= half.known_key else None

    def _remove_crossed(self, half: "_Half", named: Named, others: Named, now_ns: int) -> None:
        """Take away what `half` still shows beyond the best price that was named on the other side."""
        best = max((key for key, level in others.items() if level.quantity), default=None)
        if best is None:
            return
        crossed = [key for key in half.levels if key >= -best and key not in named]
        self.stale_levels += len(crossed)
        self._remove(half, crossed, now_ns)

    def _narrow(self, half: "_Half", now_ns: int) -> None:
        """Forget the worst levels of too many, and know no more than down to the worst that is left.

        A recording that shows a number of levels says of one that leaves its range what it says of
        one that is gone.
        """
        excess = len(half.levels) - LEVELS_MAX
        if excess > 0:
            self._remove(half, sorted(half.levels)[:excess], now_ns)
        if half.known_key != _BEHIND_ALL or half.levels:
            half.known_key = max(half.known_key, min(half.levels, default=_BEFORE_ALL))

    def _remove(self, half: "_Half", keys: Iterable[int], now_ns: int) -> None:
        for key in keys:
            level = half.levels.pop(key, None)
            if level is not None and level.state is OrderState.OPEN:
                self._matching.cancel(level, now_ns)


class _Half:
    """One side: the tape's orders by key, taken ones too; all is known from `known_key` upwards."""

    __slots__ = ("known_key", "levels", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sign = 1 if side is Side.BUY else -1
        self.levels: dict[int, Order] = {}
        self.known_key = _BEHIND_ALL  # before anything is displayed, nothing is before anybody

    def named(self, levels: tuple[Level, ...] | None) -> Named:
        """Return `levels` by key."""
        return {int(level.price * PRICE_UNITS) * self.sign: level for level in levels or ()}
