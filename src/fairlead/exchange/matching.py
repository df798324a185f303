"""The exchange's pure core: orders and trades, moved by place, cancel and expire.

No IO, no clock: the time is an argument, and the same calls give the same numbers. What a trade
means for the accounts is booked by the market's `booking`; what changed is left in the `ledger`.

Rules, each with a test in tests/exchange/test_matching.py:
- Price–time priority; a trade happens at the price of the order that rested.
- Self-trade prevention cancels the newest: the rest of the incoming order, when it meets an order of
  its own account. Fill-or-kill counts only what it would reach before that. House accounts are free
  to trade with themselves.
- A post-only order that would trade is refused. What an immediate-or-cancel order cannot fill is
  canceled; a fill-or-kill order that cannot fill whole is accepted and canceled unfilled.
- A reduce-only order trades at most what it reduces, and is canceled when nothing is left to reduce;
  where it rests, that is seen when it is met.
- A client id is refused while an order of that id is open, as Binance does.
"""

from decimal import Decimal

from fairlead.core.model import ZERO, Instrument, Side, TimeInForce
from fairlead.exchange.book import Market, Top
from fairlead.exchange.ledger import Ledger
from fairlead.exchange.open_orders import OpenOrders
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.perpetual import PerpetualBooking
from fairlead.exchange.reach import can_fill_whole, fillable
from fairlead.exchange.rounding import told
from fairlead.exchange.rules import OWN_CLIENT_IDS, Refusal, refusal_of_form
from fairlead.exchange.settings import Settings
from fairlead.exchange.spot import SpotBooking
from fairlead.exchange.trading import Trading
from fairlead.venues.sim_messages import OrderState, Place, RefusalCode, WireOrder, WireOrigin

TAPE_ACCOUNT = "house:tape"  # what a recorded market displays and prints

SELF_TRADE_TEXT = "self-trade prevention: the order met one of its own account"
REMAINDER_TEXT = "the remainder of an immediate-or-cancel order"
REDUCED_TEXT = "reduce-only: there is no position left to reduce"
KILLED_TEXT = "fill-or-kill: the whole quantity was not available"
EXPIRED_TEXT = "good-till-time: the time of the order has passed"


class Matching:
    """The matching engine of all instruments.

    `accounts`, `events` and `changes` are those of the `ledger`.
    """

    def __init__(self, settings: Settings) -> None:
        self.ledger = Ledger(settings.fees)
        self.accounts = self.ledger.accounts
        self.events = self.ledger.events
        self.changes = self.ledger.changes
        self._open_orders_max = settings.open_orders_max
        self.markets: dict[str, Market] = {}
        for instrument in settings.instruments:
            market = Market(instrument)
            if market.is_perpetual:
                leverage = settings.perpetuals.leverage
                market.booking = PerpetualBooking(market, self.ledger, leverage)
            else:
                market.booking = SpotBooking(market, self.ledger)
            self.markets[instrument.symbol_exchange] = market
        self._open = OpenOrders()
        self.open_orders = self._open.by_number
        self._trading = Trading(self.ledger, self._open)

    @property
    def orders(self) -> int:
        """The newest order number given out to a client."""
        return self._open.newest

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    def place(self, account: Account, ticket: Place, now_ns: int) -> Order | Refusal:
        """Accept `ticket` as an order, trade what trades, rest or cancel the remainder.

        Returns the order as it stands afterwards, or why it was refused and nothing changed.
        """
        market = self.markets.get(ticket.symbol)
        if market is None:
            known = ", ".join(self.markets)
            return Refusal(
                RefusalCode.SYMBOL, f"symbol {ticket.symbol!r} is unknown; there are {known}"
            )
        instrument = market.instrument
        refusal = refusal_of_form(ticket, instrument, now_ns)
        if refusal is not None:
            return refusal
        price = ticket.price.quantize(instrument.price_tick)
        quantity = ticket.quantity.quantize(instrument.quantity_step)
        side = ticket.side
        if account.is_house:
            number = self._open.next_house_number()
        else:
            refusal = self._refusal_of_account(market, account, ticket, price, quantity)
            if refusal is not None:
                return refusal
            number = self._open.newest + 1
        order = Order(
            number,
            account,
            ticket.client_id,
            instrument.symbol_exchange,
            side,
            price,
            quantity,
            ticket.time_in_force,
            ticket.post_only,
            ticket.expire_time_ns,
            now_ns,
            ticket.reduce_only,
        )
        if ticket.post_only:
            reached = market.book.opposite(side).best_reached(order.price_units)
            if reached is not None:
                return Refusal(
                    RefusalCode.POST_ONLY,
                    f"post-only at {told(price)} would trade with the order at {told(reached.price)}",
                )
        self._accept(market, order)
        self._match(market, order, now_ns)
        return order

    def place_house(
        self,
        account: Account,
        symbol: str,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        now_ns: int,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
        post_only: bool = False,
    ) -> Order | Refusal:
        """Place an order of a house account; `symbol` is the exchange's own (`BTC/USDT`)."""
        assert account.is_house
        ticket = Place(
            0, now_ns, "house", symbol, side, price, quantity, time_in_force, post_only, None
        )
        return self.place(account, ticket, now_ns)

    def cancel(self, order: Order, now_ns: int, text: str | None = None) -> None:
        """Cancel an open order; its locks are released."""
        assert order.state is OrderState.OPEN
        market = self.markets[order.symbol]
        market.book.side(order.side).remove(order)
        self._trading.close(market, order, OrderState.CANCELED, text, now_ns)

    def expire(self, now_ns: int) -> None:
        """End every good-till-time order whose time has come."""
        for order in self._open.take_expired(now_ns):
            market = self.markets[order.symbol]
            market.book.side(order.side).remove(order)
            self._trading.close(market, order, OrderState.EXPIRED, EXPIRED_TEXT, now_ns)

    @property
    def next_expiry_ns(self) -> int | None:
        """When `expire` has something to do; perhaps earlier, never later."""
        return self._open.next_expiry_ns

    # ── markets ──────────────────────────────────────────────────────────────────────────────────

    def set_instrument(self, instrument: Instrument) -> None:
        """Replace an instrument's rules; open orders stay as they are."""
        self.markets[instrument.symbol_exchange].instrument = instrument
        self.changes.instruments = True

    def top(self, symbol: str) -> Top:
        """Return the best bid and ask of a market."""
        book = self.markets[symbol].book
        bid, ask = book.bids.levels(1), book.asks.levels(1)
        return Top(
            bid[0][0] if bid else None,
            bid[0][1] if bid else ZERO,
            ask[0][0] if ask else None,
            ask[0][1] if ask else ZERO,
        )

    def set_level(
        self,
        symbol: str,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        now_ns: int,
        level: Order | None = None,
    ) -> Order:
        """Let the tape's house account offer `quantity` at `price`, and return its order.

        `level` is its order of the same price, if it had one: an open one keeps its place in time and
        only changes its size. A new one trades with the orders of clients that it crosses.
        """
        if level is not None and level.state is OrderState.OPEN:
            level.quantity = level.filled + quantity
            return level
        market = self.markets[symbol]
        placed = self._house_order(
            market, self.ledger.house(TAPE_ACCOUNT), side, price, quantity, now_ns,
            TimeInForce.GOOD_TILL_CANCEL,
        )  # fmt: skip
        self._match(market, placed, now_ns)
        return placed

    def fill_from_house(self, house: Account, order: Order, quantity: Decimal, now_ns: int) -> None:
        """Let `house` trade `quantity` with an open order, as if it had come to the order's price."""
        assert order.state is OrderState.OPEN
        assert ZERO < quantity <= order.leaves_quantity
        market = self.markets[order.symbol]
        quantity = min(quantity, fillable(market, order))
        if quantity:
            aggressor = self._house_order(
                market, house, order.side.opposite, order.price, quantity, now_ns
            )
            self._trading.trade(market, order, aggressor, quantity, now_ns)
        self._end_if_reduced(market, order, now_ns)

    # ── orders of the exchange's own ─────────────────────────────────────────────────────────────

    def force(
        self,
        account: Account,
        market: Market,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        now_ns: int,
    ) -> Order:
        """Liquidate `quantity` of a client's position against the book, at `price` or better.

        What is left stays open, outside the book, and must be brought to its end by `deleverage`.
        """
        origin = WireOrigin.LIQUIDATION
        order = self._forced(account, market, side, price, quantity, origin, now_ns)
        self._take(market, order, now_ns)
        return order

    def deleverage(
        self, market: Market, order: Order, account: Account, quantity: Decimal, now_ns: int
    ) -> None:
        """Trade `quantity` of a forced order with a forced one of `account`, at the former's price."""
        side, price = order.side.opposite, order.price
        if account.is_house:
            other = self._house_order(market, account, side, price, quantity, now_ns)
        else:
            origin = WireOrigin.DELEVERAGING
            other = self._forced(account, market, side, price, quantity, origin, now_ns)
        self._trading.trade_outside(market, other, order, quantity, now_ns)

    # ── restart ──────────────────────────────────────────────────────────────────────────────────

    def restore_order(self, account: Account, stated: WireOrder) -> None:
        """Take back a stored open order; the oldest first, so that time priority is as it was."""
        order = Order(
            int(stated.exchange_order_id),
            account,
            stated.client_id,
            stated.symbol,
            stated.side,
            stated.price,
            stated.quantity,
            stated.time_in_force,
            stated.post_only,
            stated.expire_time_ns,
            stated.time_ns,
            stated.reduce_only,
            stated.origin,
        )
        order.filled = stated.filled
        order.event = stated.event
        self._open.add(order)
        market = self.markets[order.symbol]
        market.booking.lock(order)
        market.book.side(order.side).add(order)
        self._open.remember_expiry(order)

    def restore_orders(self, newest: int) -> None:
        """Go on counting orders after the newest that was stored."""
        self._open.newest = newest

    # ── what a change consists of ────────────────────────────────────────────────────────────────

    def _refusal_of_account(
        self, market: Market, account: Account, ticket: Place, price: Decimal, quantity: Decimal
    ) -> Refusal | None:
        if ticket.client_id in account.open_by_client_id:
            return Refusal(
                RefusalCode.DUPLICATE, f"client_id {ticket.client_id} is that of an open order"
            )
        if len(account.open_orders) >= self._open_orders_max:
            return Refusal(
                RefusalCode.RATE,
                f"the account has {self._open_orders_max} open orders, the most it may have",
                retry_after_ms=1_000,
            )
        return market.booking.refusal(account, ticket, price, quantity)

    def _accept(self, market: Market, order: Order) -> None:
        if order.account.is_house:
            return
        self._open.add(order)
        market.booking.lock(order)

    def _match(self, market: Market, taker: Order, now_ns: int) -> None:
        """Trade an accepted order against the book; rest or cancel what is left of it."""
        time_in_force = taker.time_in_force
        if time_in_force is TimeInForce.FILL_OR_KILL and not can_fill_whole(market, taker):
            self._trading.close(market, taker, OrderState.CANCELED, KILLED_TEXT, now_ns)
            return
        self._take(market, taker, now_ns)
        if taker.state is not OrderState.OPEN:
            return
        if time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
            self._trading.close(market, taker, OrderState.CANCELED, REMAINDER_TEXT, now_ns)
            return
        market.book.side(taker.side).add(taker)
        self._open.remember_expiry(taker)
        if not taker.filled:
            self._trading.tell(taker, None, market.booking.locked(taker), now_ns)

    def _take(self, market: Market, taker: Order, now_ns: int) -> None:
        """Trade an order against the book as far as it goes; it stays open with what is left."""
        other = market.book.opposite(taker.side)
        account, price_units = taker.account, taker.price_units
        is_perpetual = market.is_perpetual
        leaves = taker.quantity
        while leaves:
            maker = other.best_reached(price_units)
            if maker is None:
                return
            if maker.account is account and not account.is_house:
                self._trading.close(market, taker, OrderState.CANCELED, SELF_TRADE_TEXT, now_ns)
                return
            traded = min(leaves, maker.leaves_quantity)
            if is_perpetual:
                if self._end_if_reduced(market, maker, now_ns):
                    continue
                traded = min(traded, fillable(market, maker), fillable(market, taker))
            self._trading.trade(market, maker, taker, traded, now_ns)
            leaves -= traded
            if is_perpetual:
                self._end_if_reduced(market, maker, now_ns)
                if leaves and not fillable(market, taker):
                    self._trading.close(market, taker, OrderState.CANCELED, REDUCED_TEXT, now_ns)
                    return

    def _end_if_reduced(self, market: Market, order: Order, now_ns: int) -> bool:
        """Cancel a resting reduce-only order that has nothing to reduce any more."""
        if order.state is not OrderState.OPEN or fillable(market, order):
            return False
        self.cancel(order, now_ns, REDUCED_TEXT)
        return True

    def _house_order(
        self,
        market: Market,
        house: Account,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        now_ns: int,
        time_in_force: TimeInForce = TimeInForce.IMMEDIATE_OR_CANCEL,
    ) -> Order:
        """Make an order of the house that has passed no check."""
        return Order(
            self._open.next_house_number(),
            house,
            "house",
            market.instrument.symbol_exchange,
            side,
            price,
            quantity,
            time_in_force,
            False,
            None,
            now_ns,
        )

    def _forced(
        self,
        account: Account,
        market: Market,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        origin: WireOrigin,
        now_ns: int,
    ) -> Order:
        """Open an order in a client's account that the client did not send."""
        number = self.orders + 1
        order = Order(
            number,
            account,
            f"{OWN_CLIENT_IDS[origin]}{number}",
            market.instrument.symbol_exchange,
            side,
            price,
            quantity,
            TimeInForce.IMMEDIATE_OR_CANCEL,
            False,
            None,
            now_ns,
            True,
            origin,
        )
        self._accept(market, order)
        return order
