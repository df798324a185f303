"""What a trade, or the end of an order, does: booked by the market, noted for the store, told.

`matching` decides who trades with whom, how much and at which price.
"""

from decimal import Decimal

from fairlead.core.model import Liquidity
from fairlead.exchange.book import Market
from fairlead.exchange.ledger import Ledger
from fairlead.exchange.open_orders import OpenOrders
from fairlead.exchange.orders import Order
from fairlead.venues.sim_messages import (
    Execution,
    OrderState,
    WireBalance,
    WireFill,
    WirePosition,
)


class Trading:
    """Carries out what was decided; `ledger` and `open_orders` are those of the matching engine."""

    def __init__(self, ledger: Ledger, open_orders: OpenOrders) -> None:
        self._open = open_orders
        self._events = ledger.events
        self._changes = ledger.changes

    def trade(
        self, market: Market, maker: Order, taker: Order, quantity: Decimal, now_ns: int
    ) -> None:
        """Move `quantity` between the two at the maker's price. `taker` is not in the book."""
        market.trades += 1
        self._fill(market, maker, maker.price, quantity, Liquidity.MAKER, now_ns)
        if maker.state is OrderState.FILLED:
            market.book.side(maker.side).remove(maker)
        self._fill(market, taker, maker.price, quantity, Liquidity.TAKER, now_ns)

    def trade_outside(
        self, market: Market, maker: Order, taker: Order, quantity: Decimal, now_ns: int
    ) -> None:
        """Move `quantity` between two orders that are not in the book, at the taker's price."""
        market.trades += 1
        self._fill(market, maker, taker.price, quantity, Liquidity.MAKER, now_ns)
        self._fill(market, taker, taker.price, quantity, Liquidity.TAKER, now_ns)

    def close(
        self, market: Market, order: Order, state: OrderState, text: str | None, now_ns: int
    ) -> None:
        """End an order that is no longer in the book and has something left."""
        order.state = state
        order.text = text
        if order.account.is_house:
            return
        market.booking.release(order)
        self._open.forget(order)
        self.tell(order, None, market.booking.locked(order), now_ns)

    def tell(
        self,
        order: Order,
        fill: WireFill | None,
        balances: tuple[WireBalance, ...],
        now_ns: int,
        positions: tuple[WirePosition, ...] = (),
    ) -> None:
        """Make an account event of the order as it is now."""
        account = order.account
        if account.is_house:
            return
        account.events += 1
        order.event = account.events
        order.time_ns = now_ns
        stated = order.wire()
        execution = Execution(order.event, now_ns, stated, fill, balances, positions)
        self._events.append((account, execution))
        self._changes.orders[order.number] = (account.number, stated)
        self._changes.accounts[account.number] = account

    def _fill(
        self,
        market: Market,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        liquidity: Liquidity,
        now_ns: int,
    ) -> None:
        """Book one account's side of the market's newest trade."""
        account = order.account
        order.filled += quantity
        is_filled = order.filled == order.quantity
        if is_filled:
            order.state = OrderState.FILLED
        if account.is_house:
            market.booking.fill_house(order, price, quantity)
            self._changes.accounts[account.number] = account
            return
        booked = market.booking.fill(order, price, quantity, liquidity)
        if is_filled:
            self._open.forget(order)
        account.fills += 1
        fill = WireFill(
            account.fills,
            str(market.trades),
            order.exchange_order_id,
            order.client_id,
            order.symbol,
            order.side,
            price,
            quantity,
            booked.fee,
            booked.fee_asset,
            liquidity,
            now_ns,
            account.events + 1,
            booked.realized,
        )
        self._changes.fills.append((account.number, fill))
        self.tell(order, fill, booked.balances, now_ns, booked.positions)
