"""Spot: a trade exchanges base for quote.

A buy locks price × quantity of the quote asset, a sell its quantity of the base asset; what a better
price saved is released with the fill. A side pays its fee in what it receives.
"""

from decimal import Decimal

from fairlead.core.model import ZERO, Liquidity, Side
from fairlead.exchange.book import Market
from fairlead.exchange.booking import Booked
from fairlead.exchange.ledger import Ledger
from fairlead.exchange.margin import available
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.rounding import told
from fairlead.exchange.rules import Refusal
from fairlead.venues.sim_messages import Place, RefusalCode, WireBalance


class SpotBooking:
    """The booking of one spot market."""

    __slots__ = ("_ledger", "_market")

    def __init__(self, market: Market, ledger: Ledger) -> None:
        self._market = market
        self._ledger = ledger

    def refusal(
        self, account: Account, ticket: Place, price: Decimal, quantity: Decimal
    ) -> Refusal | None:
        """Return why the account cannot have this order: it has not what the order would lock."""
        instrument = self._market.instrument
        if ticket.reduce_only:
            return Refusal(
                RefusalCode.REDUCE_ONLY,
                f"{instrument.symbol_exchange} is spot and has no position to reduce",
            )
        if ticket.side is Side.BUY:
            asset, needed = instrument.quote_exchange, price * quantity
        else:
            asset, needed = instrument.base_exchange, quantity
        if account.positions:
            spendable = available(account, asset)
        else:
            holding = account.holdings.get(asset)
            spendable = holding.total - holding.locked if holding is not None else ZERO
        if needed > spendable:
            return Refusal(
                RefusalCode.BALANCE,
                f"the order needs {told(needed)} {asset} and {told(spendable)} {asset} is available",
            )
        return None

    def reducible(self, order: Order) -> Decimal:  # noqa: ARG002 - as of a perpetual
        """Return 0: there are no positions."""
        return ZERO

    def lock(self, order: Order) -> None:
        """Lock what the order would give for what is not filled."""
        leaves = order.quantity - order.filled
        instrument = self._market.instrument
        if order.side is Side.BUY:
            order.account.holding(instrument.quote_exchange).locked += order.price * leaves
        else:
            order.account.holding(instrument.base_exchange).locked += leaves

    def locked(self, order: Order) -> tuple[WireBalance, ...]:
        """State the balance in which the order locks."""
        instrument = self._market.instrument
        is_buy = order.side is Side.BUY
        asset = instrument.quote_exchange if is_buy else instrument.base_exchange
        return (order.account.holding(asset).wire(),)

    def release(self, order: Order) -> None:
        """Unlock what the order would have given for what was not filled."""
        leaves = order.quantity - order.filled
        instrument = self._market.instrument
        if order.side is Side.BUY:
            order.account.holding(instrument.quote_exchange).locked -= order.price * leaves
        else:
            order.account.holding(instrument.base_exchange).locked -= leaves

    def fill(self, order: Order, price: Decimal, quantity: Decimal, liquidity: Liquidity) -> Booked:
        """Exchange base for quote, take the fee, unlock what was locked for it."""
        account, instrument = order.account, self._market.instrument
        base = account.holding(instrument.base_exchange)
        quote = account.holding(instrument.quote_exchange)
        notional = price * quantity
        if order.side is Side.BUY:
            base.total += quantity
            quote.total -= notional
            quote.locked -= order.price * quantity
            received, holding = quantity, base
        else:
            base.total -= quantity
            quote.total += notional
            base.locked -= quantity
            received, holding = notional, quote
        fee = self._ledger.take_fee(holding, received, liquidity)
        if account.positions:
            self._ledger.unchecked[account] = None
        return Booked(fee, holding.asset, (base.wire(), quote.wire()))

    def fill_house(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Exchange base for quote."""
        account, instrument = order.account, self._market.instrument
        signed = quantity if order.side is Side.BUY else -quantity
        account.holding(instrument.base_exchange).total += signed
        account.holding(instrument.quote_exchange).total -= price * signed
