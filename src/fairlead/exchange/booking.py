"""The seam between matching and what a trade means: locks, holdings, fees of one market.

Matching decides who trades how much at which price; a booking says whether an account can afford an
order, and moves what the account holds. There is one per market, of the market's kind.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from fairlead.core.model import ZERO, Liquidity
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.rules import Refusal
from fairlead.venues.sim_messages import Place, WireBalance, WirePosition


class Booked(msgspec.Struct, frozen=True, gc=False):
    """What one side of a trade came to: fee and realized profit, and what the account holds now."""

    fee: Decimal
    fee_asset: str
    balances: tuple[WireBalance, ...]
    realized: Decimal = ZERO
    positions: tuple[WirePosition, ...] = ()


class Booking(Protocol):
    """How one market's orders lock and its trades are settled. Clients only, but for `fill_house`."""

    def refusal(
        self, account: Account, ticket: Place, price: Decimal, quantity: Decimal
    ) -> Refusal | None:
        """Return why the account cannot have this order, or None if it can."""
        ...

    def reducible(self, order: Order) -> Decimal:
        """Return how much of a position the order could reduce now."""
        ...

    def lock(self, order: Order) -> None:
        """Lock what an order, new or restored, may still need."""
        ...

    def locked(self, order: Order) -> tuple[WireBalance, ...]:
        """State the balances in which the order locks."""
        ...

    def release(self, order: Order) -> None:
        """Unlock what is left of an order that has ended."""
        ...

    def fill(self, order: Order, price: Decimal, quantity: Decimal, liquidity: Liquidity) -> Booked:
        """Book the order's side of a trade; `order.filled` counts it already."""
        ...

    def fill_house(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Book a house order's side of a trade: without locks or fees."""
        ...
