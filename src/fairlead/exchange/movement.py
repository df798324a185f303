"""Carries out what a market does: its actions become house orders, quotes and prints.

The market decides, the matching engine trades; this only translates between the two and remembers
which house order a market's key names.
"""

from typing import assert_never

from fairlead.core.model import ZERO, TimeInForce
from fairlead.exchange.market import (
    CancelHouse,
    Market,
    MarketAction,
    PlaceHouse,
    PrintTrade,
    SetQuote,
)
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Order
from fairlead.venues.sim_messages import OrderState

_KEYS_MAX = 10_000  # beyond this, keys of closed orders are swept out


class Movement:
    """The exchange's hand on its market. `is_on` may be switched."""

    def __init__(self, matching: Matching, market: Market | None) -> None:
        self._matching = matching
        self.market = market
        self.is_on = True
        self._orders: dict[str, Order] = {}

    def next_time_ns(self) -> int | None:
        """Return when the market wants to act, or None while it does not or is off."""
        if self.market is None or not self.is_on:
            return None
        return self.market.next_time_ns()

    def act(self, now_ns: int) -> None:
        """Carry out what the market does up to `now_ns`."""
        if self.market is not None:
            self.carry_out(self.market.act(now_ns), now_ns)

    def carry_out(self, actions: list[MarketAction], now_ns: int) -> None:
        """Carry out these actions, in order."""
        for action in actions:
            self._carry_out(action, now_ns)
        if len(self._orders) > _KEYS_MAX:
            self._orders = {
                key: order for key, order in self._orders.items() if order.state is OrderState.OPEN
            }

    def withdraw(self, now_ns: int) -> None:
        """Take every house order out of the books."""
        for order in self._orders.values():
            if order.state is OrderState.OPEN:
                self._matching.cancel(order, now_ns)
        self._orders.clear()
        for symbol in self._matching.markets:
            self._matching.set_quote(symbol, None, ZERO, None, ZERO, now_ns)

    def _carry_out(self, action: MarketAction, now_ns: int) -> None:
        matching = self._matching
        match action:
            case PlaceHouse():
                placed = matching.place_house(
                    matching.house(f"house:{action.participant}"),
                    action.symbol,
                    action.side,
                    action.price,
                    action.quantity,
                    now_ns,
                    TimeInForce.IMMEDIATE_OR_CANCEL
                    if action.immediate
                    else TimeInForce.GOOD_TILL_CANCEL,
                )
                if isinstance(placed, Order) and placed.state is OrderState.OPEN:
                    self._orders[action.key] = placed
            case CancelHouse():
                order = self._orders.pop(action.key, None)
                if order is not None and order.state is OrderState.OPEN:
                    matching.cancel(order, now_ns)
            case SetQuote():
                bid, ask = action.bid, action.ask
                matching.set_quote(
                    action.symbol,
                    None if bid is None else bid.price,
                    ZERO if bid is None else bid.quantity,
                    None if ask is None else ask.price,
                    ZERO if ask is None else ask.quantity,
                    now_ns,
                )
            case PrintTrade():
                matching.print_trade(
                    action.symbol, action.price, action.quantity, action.aggressor, now_ns
                )
            case _:
                assert_never(action)
