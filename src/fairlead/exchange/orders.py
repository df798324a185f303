"""The exchange's own words: an account with what it holds, and an order in its life.

Both change in place, and only `matching` changes them: they are the exchange's memory, not messages.
What the exchange states about them are the frozen structs of `venues/sim_messages`.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.venues.sim_messages import OrderState, WireBalance, WireOrder, WireOrigin

if TYPE_CHECKING:
    from fairlead.exchange.position import Position

# Prices are compared in the book as integers: units of 10⁻¹² of the quote asset.
PRICE_UNITS = Decimal(10**12)


class Holding:
    """One asset of one account: `total`, and the part of it that open orders lock."""

    __slots__ = ("asset", "locked", "total")

    def __init__(self, asset: str, total: Decimal = ZERO, locked: Decimal = ZERO) -> None:
        self.asset = asset
        self.total = total
        self.locked = locked

    def wire(self) -> WireBalance:
        """State this holding."""
        return WireBalance(self.asset, self.total, self.locked)


class Account:
    """One account. `number` is dense from 1; a house account has a negative one.

    A house account belongs to a market source: it may owe without limit, pays no fees, and nothing
    about its orders and fills is told or stored (its balances are, so that sums can be checked).
    `events` and `fills` are the newest account event and fill ordinal given out.
    """

    __slots__ = (
        "events",
        "fills",
        "holdings",
        "is_house",
        "number",
        "open_by_client_id",
        "open_orders",
        "positions",
        "private_key_hash",
        "public_key",
    )

    def __init__(
        self, number: int, public_key: str, private_key_hash: bytes = b"", is_house: bool = False
    ) -> None:
        self.number = number
        self.public_key = public_key
        self.private_key_hash = private_key_hash
        self.is_house = is_house
        self.events = 0
        self.fills = 0
        self.holdings: dict[str, Holding] = {}
        self.open_orders: dict[int, Order] = {}
        self.positions: dict[str, Position] = {}  # by symbol, also flat ones
        self.open_by_client_id: dict[str, Order] = {}

    def holding(self, asset: str) -> Holding:
        """Return what it holds of `asset`; an asset never held is held as zero from now on."""
        found = self.holdings.get(asset)
        if found is None:
            found = self.holdings[asset] = Holding(asset)
        return found


class Order(msgspec.Struct, eq=False):
    """One order. `number` is dense over the exchange and is its id; house orders count downwards.

    `exchange_order_id` is the number as the exchange states it, `price_units` the price as the book
    compares it. `event` is the account event of the last change, `time_ns` its time.
    """

    number: int
    account: Account
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    time_in_force: TimeInForce
    post_only: bool
    expire_time_ns: int | None
    time_ns: int
    reduce_only: bool = False
    origin: WireOrigin = WireOrigin.CLIENT
    filled: Decimal = ZERO
    state: OrderState = OrderState.OPEN
    event: int = 0
    text: str | None = None
    exchange_order_id: str = ""
    price_units: int = 0

    def __post_init__(self) -> None:
        """Make what follows from number and price."""
        self.exchange_order_id = str(self.number)
        self.price_units = int(self.price * PRICE_UNITS)

    @property
    def leaves_quantity(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled

    def wire(self) -> WireOrder:
        """State the order as it is now."""
        return WireOrder(
            self.exchange_order_id,
            self.client_id,
            self.symbol,
            self.side,
            self.price,
            self.quantity,
            self.filled,
            self.time_in_force,
            self.post_only,
            self.expire_time_ns,
            self.state,
            self.time_ns,
            self.event,
            self.text,
            self.reduce_only,
            self.origin,
        )
