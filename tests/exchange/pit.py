"""A matching engine with a perpetual, three clients and an index that tests set."""

from decimal import Decimal

import msgspec

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.exchange.clearing import Clearing
from fairlead.exchange.ledger import CLEARING_ACCOUNT, INSURANCE_ACCOUNT, total_holdings
from fairlead.exchange.margin import margin_of_orders
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.position import Position
from fairlead.exchange.rounding import UP, divided
from fairlead.exchange.rules import Refusal
from fairlead.exchange.settings import INSTRUMENTS, PERPETUAL_BTC_USDT, Fees, Settings
from fairlead.venues.sim_messages import (
    Execution,
    OrderState,
    Place,
    PositionsChanged,
    RefusalCode,
    WireFill,
)

PERP, SPOT = "BTC-PERP", "BTC/USDT"
BUY, SELL = Side.BUY, Side.SELL
GTC = TimeInForce.GOOD_TILL_CANCEL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
FOK = TimeInForce.FILL_OR_KILL
D = Decimal
SETTINGS = Settings(instruments=(*INSTRUMENTS, PERPETUAL_BTC_USDT))
FREE = msgspec.structs.replace(SETTINGS, fees=Fees(maker=ZERO, taker=ZERO))


class Pit:
    """`alice`, `bob` and `carol` have 1,000 USDT and 10 BTC each; the mark is set to 100."""

    def __init__(
        self, settings: Settings = FREE, usdt: str = "1000", mark: str | None = "100"
    ) -> None:
        use_exact_decimals()
        self.settings = settings
        self.matching = Matching(settings)
        self.clearing = Clearing(self.matching, settings.perpetuals)
        rich = [("BTC", D(10)), ("USDT", D(usdt))]
        self.alice, self.bob, self.carol = (
            self.matching.ledger.open_account(name, b"", rich) for name in ("alice", "bob", "carol")
        )
        self.house = self.matching.ledger.house("house:x")
        self.market = self.matching.markets[PERP]
        self.now_ns = 1
        self._placed = 0
        self._levels: list[Order] = []
        if mark is not None:
            self.mark(mark)

    def place(
        self,
        account: Account,
        side: Side,
        price: str,
        quantity: str,
        time_in_force: TimeInForce = GTC,
        *,
        reduce_only: bool = False,
        symbol: str = PERP,
        client_id: str | None = None,
        post_only: bool = False,
    ) -> Order | Refusal:
        self._placed += 1
        self.now_ns += 1
        ticket = Place(
            0,
            self.now_ns,
            client_id or f"o{self._placed}",
            symbol,
            side,
            D(price),
            D(quantity),
            time_in_force,
            post_only,
            None,
            reduce_only,
        )
        placed = self.matching.place(account, ticket, self.now_ns)
        self.clearing.settle(self.now_ns)
        return placed

    def accept(self, *args: object, **named: object) -> Order:
        order = self.place(*args, **named)  # type: ignore[arg-type]
        assert isinstance(order, Order), order
        return order

    def refuse(self, *args: object, **named: object) -> Refusal:
        before = self.state()
        refusal = self.place(*args, **named)  # type: ignore[arg-type]
        assert isinstance(refusal, Refusal), refusal
        assert self.state() == before, "a refusal changes nothing"
        return refusal

    def code(self, *args: object, **named: object) -> RefusalCode:
        return self.refuse(*args, **named).code

    def trade(self, buyer: Account, seller: Account, price: str, quantity: str) -> None:
        """Let two accounts trade with each other."""
        resting = self.accept(seller, SELL, price, quantity)
        taking = self.accept(buyer, BUY, price, quantity)
        assert resting.state is taking.state is OrderState.FILLED

    def mark(self, price: str | None) -> None:
        """Set the mark price and let the consequences happen."""
        self.clearing.set_mark(self.market, None if price is None else D(price))
        self.settle()

    def quote_spot(self, bid: str | None, ask: str | None) -> None:
        """Make these the only prices of the spot market, and so its mid the index."""
        for level in self._levels:
            self.matching.cancel(level, self.now_ns)
        self._levels = [
            self.matching.set_level(SPOT, side, D(price), D(1), self.now_ns)
            for side, price in ((BUY, bid), (SELL, ask))
            if price is not None
        ]
        self.settle()

    def settle(self, now_ns: int | None = None) -> None:
        self.now_ns = self.now_ns + 1 if now_ns is None else now_ns
        self.clearing.settle(self.now_ns)

    def position(self, account: Account) -> Position:
        return account.positions[PERP]

    def held(self, account: Account) -> tuple[Decimal, Decimal]:
        """The account's position: quantity (below zero when short) and entry price."""
        position = account.positions.get(PERP)
        return (ZERO, ZERO) if position is None else (position.quantity, position.entry_price)

    def usdt(self, account: Account) -> tuple[Decimal, Decimal]:
        """Total and locked."""
        holding = account.holding("USDT")
        return holding.total, holding.locked

    @property
    def insurance(self) -> Decimal:
        return self.matching.ledger.house(INSURANCE_ACCOUNT).holding("USDT").total

    def fills(self, account: Account) -> list[WireFill]:
        return [fill for number, fill in self.matching.changes.fills if number == account.number]

    def executions(self, account: Account) -> list[Execution]:
        return [
            event
            for owner, event in self.matching.events
            if owner is account and isinstance(event, Execution)
        ]

    def changes(self, account: Account) -> list[PositionsChanged]:
        return [
            event
            for owner, event in self.matching.events
            if owner is account and isinstance(event, PositionsChanged)
        ]

    def state(self) -> object:
        return (
            {
                name: (
                    account.events,
                    account.fills,
                    list(account.open_orders),
                    [holding.wire() for holding in account.holdings.values()],
                    self.held(account),
                )
                for name, account in self.matching.accounts.items()
            },
            self.matching.orders,
        )


def check_always(matching: Matching) -> None:
    """Assert what holds between any two calls."""
    accounts = matching.accounts.values()
    assert not any(total_holdings(accounts).values()), "every asset adds up to zero"
    spot_locks: dict[tuple[int, str], Decimal] = {}
    for order in matching.open_orders.values():
        instrument = matching.markets[order.symbol].instrument
        assert order.state is OrderState.OPEN
        if matching.markets[order.symbol].is_perpetual:
            continue
        is_buy = order.side is BUY
        asset = instrument.quote_exchange if is_buy else instrument.base_exchange
        key = (order.account.number, asset)
        locked = order.leaves_quantity * (order.price if is_buy else 1)
        spot_locks[key] = spot_locks.get(key, ZERO) + locked
    owed: dict[str, Decimal] = {}
    for market in matching.markets.values():
        assert not market.book.is_crossed()
        assert sum((each.quantity for each in market.positions.values()), ZERO) == ZERO
    for account in accounts:
        margins: dict[str, Decimal] = {}
        for symbol, position in account.positions.items():
            market = matching.markets[symbol]
            assert (account.number in market.positions) == bool(position.quantity)
            assert bool(position.cost) == bool(position.quantity)
            assert position.cost * position.quantity >= ZERO
            asset = market.instrument.quote_exchange
            owed[asset] = owed.get(asset, ZERO) + position.cost
            if account.is_house:
                continue
            assert position.position_margin == divided(abs(position.cost), position.leverage, UP)
            assert position.order_margin == margin_of_orders(position)
            for side in Side:
                orders = [
                    order
                    for order in account.open_orders.values()
                    if order.symbol == symbol and order.side is side and not order.reduce_only
                ]
                opened = position.open_side(side)
                assert list(opened.orders.values()) == orders
                assert opened.leaves == sum((each.leaves_quantity for each in orders), ZERO)
                assert opened.notional == sum(
                    (each.leaves_quantity * each.price for each in orders), ZERO
                )
            margin = position.order_margin + position.position_margin
            margins[asset] = margins.get(asset, ZERO) + margin
        for holding in account.holdings.values():
            parts = spot_locks.get((account.number, holding.asset), ZERO)
            assert holding.locked == parts + margins.get(holding.asset, ZERO)
    clearing = matching.ledger.house(CLEARING_ACCOUNT)
    for asset, cost in owed.items():
        assert clearing.holding(asset).total == -cost, "clearing owes what positions cost"
