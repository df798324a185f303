"""Clearing: what happens to positions without an order of their account's.

Marks follow the markets, funding is paid when it is due, and an account that has too little left is
liquidated. `settle` does all three, at moments when the books are at rest: after a client's message,
after a move of the market, after an operator's command. A pure function of the calls and the times.
"""

from decimal import Decimal

from fairlead.core.model import ZERO
from fairlead.exchange.book import Market
from fairlead.exchange.ledger import INSURANCE_ACCOUNT
from fairlead.exchange.liquidation import liquidate
from fairlead.exchange.margin import (
    available,
    margin_of_orders,
    positions_in,
    relock,
    standing,
    wire_position,
)
from fairlead.exchange.marks import funding_rate, mark_price, mid, spot_of
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Account
from fairlead.exchange.perpetual import PerpetualBooking
from fairlead.exchange.position import Position
from fairlead.exchange.rounding import CEILING, UP, divided, rounded
from fairlead.exchange.settings import PerpetualSettings
from fairlead.venues.sim_messages import PositionsChanged

_Sources = tuple[
    int | None, int | None, int | None, int | None, Decimal | None, Decimal | None, Decimal
]


class Clearing:
    """The clearing house of one matching engine's perpetuals."""

    def __init__(self, matching: Matching, settings: PerpetualSettings) -> None:
        self._matching = matching
        self._ledger = matching.ledger
        self._settings = settings
        self._interval_ns = settings.funding_interval_ms * 10**6
        markets = matching.markets.values()
        self._spots = {
            market: spot_of(market, markets) for market in markets if market.is_perpetual
        }
        self._followed: dict[Market, _Sources] = {}  # what the marks were made of

    @property
    def next_time_ns(self) -> int | None:
        """When `settle` has to pay funding; None while nobody holds a position."""
        times = [
            market.funding_time_ns
            for market in self._spots
            if market.funding_time_ns is not None and market.positions
        ]
        return min(times, default=None)

    def settle(self, now_ns: int) -> None:
        """Let marks follow the markets, pay what is due, liquidate until all accounts have enough.

        Terminates: a liquidation leaves its account without positions and orders, and makes none.
        """
        unchecked = self._ledger.unchecked
        for market in self._spots:
            self._follow(market)
            self._fund_if_due(market, now_ns)
        while unchecked:
            accounts = sorted(unchecked, key=_number)
            unchecked.clear()
            for account in accounts:
                self._check(account, now_ns)
            for market in self._spots:
                self._follow(market)

    def settle_positions(self, now_ns: int) -> None:
        """Settle where a client holds a position, or may have to be liquidated for another reason."""
        if self._ledger.holders or self._ledger.unchecked:
            self.settle(now_ns)

    # ── an operator's levers; `settle` follows ───────────────────────────────────────────────────

    def set_mark(self, market: Market, price: Decimal | None) -> None:
        """Make this the mark price until it is set anew; None lets it follow the markets again."""
        market.mark_set = price
        self._ledger.changes.perpetuals = self._ledger.changes.told = True

    def set_leverage(
        self, account: Account, market: Market, leverage: Decimal, now_ns: int
    ) -> Decimal | None:
        """Change an account's leverage in one market, and tell it.

        Returns None, or, if it is not available and nothing was changed, what more would be locked.
        """
        booking = market.booking
        assert isinstance(booking, PerpetualBooking)
        position = booking.position(account)
        before, position.leverage = position.leverage, leverage
        more = margin_of_orders(position) + divided(abs(position.cost), leverage, UP)
        more -= position.order_margin + position.position_margin
        if more > ZERO and available(account, market.instrument.quote_exchange) < more:
            position.leverage = before
            return more
        if not account.is_house:
            relock(position)
            self._tell(position, now_ns)
        self._ledger.note(account)
        return None

    def pay_funding(self, market: Market, rate: Decimal, now_ns: int) -> None:
        """Let longs pay shorts `rate` of their notional at the mark price; below 0, shorts pay.

        Each payment is rounded against who pays or gets it; what that leaves is the insurance's.
        """
        assert market.mark is not None or not market.positions
        asset = market.instrument.quote_exchange
        for number in sorted(market.positions, key=_clients_first):
            position = market.positions[number]
            assert market.mark is not None
            payment = rounded(position.quantity * market.mark * rate, CEILING)
            self._ledger.settle(position.account, asset, -payment, INSURANCE_ACCOUNT)
            self._tell(position, now_ns)

    def index(self, market: Market) -> Decimal | None:
        """Return the price of the spot market, or None."""
        return mid(self._spots[market], self._settings.mark_spread_max)

    def rate(self, market: Market) -> Decimal:
        """Return the funding rate as it would be now."""
        settings = self._settings
        return funding_rate(
            market, self._spots[market], settings.mark_spread_max, settings.funding_rate_max
        )

    # ── what settling consists of ────────────────────────────────────────────────────────────────

    def _follow(self, market: Market) -> None:
        """Let the mark follow; when it moves, everybody in the market must be looked at."""
        spot = self._spots[market]
        if self._followed.get(market) == _sources(market, spot):
            return
        of_books = mid(spot, self._settings.mark_spread_max)
        if of_books is None:
            of_books = mid(market, self._settings.mark_spread_max)
        if of_books is not None:
            market.price_last = None
        self._followed[market] = _sources(market, spot)
        mark = mark_price(market, of_books)
        if mark == market.mark:
            return
        market.mark = mark
        for position in market.positions.values():
            if not position.account.is_house:
                self._ledger.unchecked[position.account] = None
                self._ledger.changes.perpetuals = True

    def _fund_if_due(self, market: Market, now_ns: int) -> None:
        """Pay at the end of an interval. Of intervals that passed while nothing ran, one is paid."""
        due_ns = market.funding_time_ns
        if due_ns is not None and now_ns < due_ns <= now_ns + self._interval_ns:
            return
        if due_ns is not None and due_ns <= now_ns:
            self.pay_funding(market, self.rate(market), now_ns)
        market.funding_time_ns = (now_ns // self._interval_ns + 1) * self._interval_ns
        self._ledger.changes.perpetuals = True

    def _check(self, account: Account, now_ns: int) -> None:
        """Liquidate the account in every asset in which it has too little."""
        assets = {
            each.market.instrument.quote_exchange: None for each in account.positions.values()
        }
        for asset in assets:
            stands = standing(account, asset)
            if any(each.quantity for each in positions_in(account, asset)):
                if stands.equity < stands.maintenance:
                    liquidate(self._matching, account, asset, now_ns)
            elif stands.total < stands.spot_locked:
                self._cover(account, asset, stands.spot_locked - stands.total, now_ns)

    def _cover(self, account: Account, asset: str, missing: Decimal, now_ns: int) -> None:
        """Let the insurance pay what an account without positions owes."""
        self._ledger.settle(account, asset, missing, INSURANCE_ACCOUNT)
        self._ledger.tell_balance(account, account.holding(asset), now_ns)

    def _tell(self, position: Position, now_ns: int) -> None:
        """Make an account event of a position that no order changed."""
        account = position.account
        self._ledger.note(account)
        if not account.is_house:
            account.events += 1
            holding = account.holding(position.market.instrument.quote_exchange)
            event = PositionsChanged(
                account.events, now_ns, (wire_position(position),), (holding.wire(),)
            )
            self._ledger.events.append((account, event))
            self._ledger.unchecked[account] = None


def _number(account: Account) -> int:
    return account.number


def _clients_first(number: int) -> tuple[bool, int]:
    return number < 0, abs(number)


def _sources(market: Market, spot: Market | None) -> _Sources:
    """Return all that the mark of a perpetual may follow from: while it is the same, so is the mark."""
    own, book = market.book, None if spot is None else spot.book
    return (
        None if book is None else book.bids.best_key,
        None if book is None else book.asks.best_key,
        own.bids.best_key,
        own.asks.best_key,
        market.mark_set,
        market.price_last,
        market.instrument.price_tick,
    )
