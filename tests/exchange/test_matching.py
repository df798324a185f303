"""The matching rules as values: BTC/USDT with a tick of 0.01 and a step of 0.000001."""

from decimal import Decimal

import msgspec
import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ZERO, Liquidity, Side, TimeInForce
from fairlead.exchange.ledger import FEES_ACCOUNT, total_holdings
from fairlead.exchange.matching import (
    EXPIRED_TEXT,
    KILLED_TEXT,
    REMAINDER_TEXT,
    SELF_TRADE_TEXT,
    Matching,
)
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.rules import Refusal
from fairlead.exchange.settings import Settings
from fairlead.venues.sim_messages import (
    BalancesChanged,
    Execution,
    OrderState,
    Place,
    RefusalCode,
    WireBalance,
)

BTC = "BTC/USDT"
BUY, SELL = Side.BUY, Side.SELL
GTC = TimeInForce.GOOD_TILL_CANCEL
GTT = TimeInForce.GOOD_TILL_TIME_EXCHANGE
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
FOK = TimeInForce.FILL_OR_KILL
D = Decimal


class Floor:
    """A matching engine with three clients."""

    def __init__(self, settings: Settings | None = None) -> None:
        use_exact_decimals()
        self.matching = Matching(settings or Settings())
        rich = [("BTC", D(1000)), ("ETH", D(1000)), ("USDT", D(1_000_000))]
        self.alice = self.matching.ledger.open_account("alice", b"", rich)
        self.bob = self.matching.ledger.open_account("bob", b"", rich)
        self.carol = self.matching.ledger.open_account("carol", b"", rich)
        self.now_ns = 0
        self._placed = 0

    def place(
        self,
        account: Account,
        side: Side,
        price: str,
        quantity: str,
        time_in_force: TimeInForce = GTC,
        post_only: bool = False,
        expire_time_ns: int | None = None,
        client_id: str | None = None,
        symbol: str = BTC,
    ) -> Order | Refusal:
        self._placed += 1
        self.now_ns += 1
        ticket = Place(
            0,
            self.now_ns,
            client_id if client_id is not None else f"o{self._placed}",
            symbol,
            side,
            D(price),
            D(quantity),
            time_in_force,
            post_only,
            expire_time_ns,
        )
        return self.matching.place(account, ticket, self.now_ns)

    def accept(self, *args: object, **named: object) -> Order:
        order = self.place(*args, **named)  # type: ignore[arg-type]
        assert isinstance(order, Order), order
        return order

    def refuse(self, *args: object, **named: object) -> RefusalCode:
        before = self.state()
        refusal = self.place(*args, **named)  # type: ignore[arg-type]
        assert isinstance(refusal, Refusal), refusal
        assert self.state() == before, "a refusal changes nothing"
        return refusal.code

    def state(self) -> object:
        return (
            {
                name: (
                    account.events,
                    account.fills,
                    list(account.open_orders),
                    [holding.wire() for holding in account.holdings.values()],
                )
                for name, account in self.matching.accounts.items()
            },
            self.matching.orders,
            {symbol: market.trades for symbol, market in self.matching.markets.items()},
        )

    def fills(self, account: Account) -> list[tuple[str, str, str]]:
        """(price, quantity, liquidity) of an account's fills."""
        return [
            (str(fill.price), str(fill.quantity), fill.liquidity.value)
            for number, fill in self.matching.changes.fills
            if number == account.number
        ]

    def executions(self, account: Account) -> list[Execution]:
        return [
            event
            for owner, event in self.matching.events
            if owner is account and isinstance(event, Execution)
        ]


def held(account: Account, asset: str) -> tuple[Decimal, Decimal]:
    holding = account.holdings[asset]
    return holding.total, holding.locked


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_resting_buy_locks_its_price_times_quantity(floor: Floor) -> None:
    order = floor.accept(floor.alice, BUY, "100.5", "2")
    assert order.state is OrderState.OPEN
    assert held(floor.alice, "USDT") == (D(1_000_000), D(201))
    assert held(floor.alice, "BTC") == (D(1000), ZERO)


def test_a_resting_sell_locks_its_quantity(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "100.5", "2")
    assert held(floor.alice, "BTC") == (D(1000), D(2))


def test_a_trade_happens_at_the_resting_price_and_releases_what_was_saved(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "99", "1")
    taker = floor.accept(floor.bob, BUY, "100", "1")
    assert taker.state is OrderState.FILLED
    assert floor.fills(floor.bob) == [("99.00", "1.000000", "TAKER")]
    assert floor.fills(floor.alice) == [("99.00", "1.000000", "MAKER")]
    # The buyer pays 0.1 % of the base received, the seller 0.08 % of the quote received.
    assert held(floor.bob, "USDT") == (D(1_000_000 - 99), ZERO)
    assert held(floor.bob, "BTC") == (D("1000.999"), ZERO)
    assert held(floor.alice, "USDT") == (D(1_000_000) + 99 - D("0.0792"), ZERO)
    assert held(floor.alice, "BTC") == (D(999), ZERO)
    fees = floor.matching.accounts[FEES_ACCOUNT]
    assert fees.holdings["BTC"].total == D("0.001")
    assert fees.holdings["USDT"].total == D("0.0792")


def test_better_prices_trade_first_then_older_orders(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "101", "1", client_id="worse")
    floor.accept(floor.alice, SELL, "100", "1", client_id="first")
    floor.accept(floor.carol, SELL, "100", "1", client_id="second")
    floor.accept(floor.bob, BUY, "101", "2.5")
    maker_fills = [
        fill.client_id
        for _, fill in floor.matching.changes.fills
        if fill.liquidity is Liquidity.MAKER
    ]
    assert maker_fills == ["first", "second", "worse"]
    assert [fill[1] for fill in floor.fills(floor.bob)] == ["1.000000", "1.000000", "0.500000"]


def test_a_partly_filled_order_keeps_its_place(floor: Floor) -> None:
    first = floor.accept(floor.alice, SELL, "100", "2")
    second = floor.accept(floor.carol, SELL, "100", "2")
    floor.accept(floor.bob, BUY, "100", "1")
    floor.accept(floor.bob, BUY, "100", "1.5")
    assert (first.filled, second.filled) == (D(2), D("0.5"))


def test_what_a_limit_order_cannot_take_rests_with_the_rest_locked(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "99", "1")
    order = floor.accept(floor.bob, BUY, "100", "3")
    assert order.state is OrderState.OPEN
    assert held(floor.bob, "USDT") == (D(1_000_000 - 99), D(200))
    assert floor.matching.top(BTC).bid == D(100)
    # The one event is the fill: it says that the order is open too.
    (event,) = floor.executions(floor.bob)
    assert event.order.state is OrderState.OPEN
    assert event.order.filled == D(1)


def test_a_fee_is_rounded_up_to_its_step(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "499999.99", "0.000011")
    floor.accept(floor.bob, BUY, "499999.99", "0.000011")
    fees = {fill.fee_asset: fill.fee for _, fill in floor.matching.changes.fills}
    # 0.000011 × 0.001 = 1.1E-8; 5.49999989 × 0.0008 = 0.004399999912
    assert fees == {"BTC": D("0.00000002"), "USDT": D("0.00440000")}


def test_immediate_or_cancel_takes_what_is_there(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "100", "1")
    order = floor.accept(floor.bob, BUY, "100", "3", IOC)
    assert (order.state, order.filled, order.text) == (OrderState.CANCELED, D(1), REMAINDER_TEXT)
    assert held(floor.bob, "USDT") == (D(1_000_000 - 100), ZERO)
    assert [each.order.state for each in floor.executions(floor.bob)] == [
        OrderState.OPEN,
        OrderState.CANCELED,
    ]


def test_fill_or_kill_takes_all_or_nothing(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "100", "1")
    floor.accept(floor.carol, SELL, "101", "1")
    killed = floor.accept(floor.bob, BUY, "101", "2.1", FOK)
    assert (killed.state, killed.filled, killed.text) == (OrderState.CANCELED, ZERO, KILLED_TEXT)
    assert held(floor.bob, "USDT") == (D(1_000_000), ZERO)
    assert floor.accept(floor.bob, BUY, "100", "2", FOK).state is OrderState.CANCELED
    filled = floor.accept(floor.bob, BUY, "101", "2", FOK)
    assert (filled.state, filled.filled) == (OrderState.FILLED, D(2))


def test_fill_or_kill_does_not_count_what_is_behind_an_own_order(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "100", "1")
    floor.accept(floor.bob, SELL, "100.5", "1")
    floor.accept(floor.alice, SELL, "101", "1")
    order = floor.accept(floor.bob, BUY, "101", "2", FOK)
    assert (order.state, order.filled) == (OrderState.CANCELED, ZERO)


def test_self_trade_prevention_cancels_the_rest_of_the_newest(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "99", "1")
    own = floor.accept(floor.bob, SELL, "100", "1")
    order = floor.accept(floor.bob, BUY, "100", "3")
    assert (order.state, order.filled, order.text) == (OrderState.CANCELED, D(1), SELF_TRADE_TEXT)
    assert own.state is OrderState.OPEN
    assert held(floor.bob, "USDT") == (D(1_000_000 - 99), ZERO)


def test_a_post_only_order_that_would_trade_is_refused(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "100", "1")
    assert floor.refuse(floor.bob, BUY, "100", "1", post_only=True) is RefusalCode.POST_ONLY
    assert floor.refuse(floor.alice, BUY, "100", "1", post_only=True) is RefusalCode.POST_ONLY
    order = floor.accept(floor.bob, BUY, "99.99", "1", post_only=True)
    assert order.state is OrderState.OPEN


def test_a_good_till_time_order_expires_at_its_time_and_not_before(floor: Floor) -> None:
    order = floor.accept(floor.alice, BUY, "100", "1", GTT, expire_time_ns=1000)
    floor.matching.expire(999)
    assert order.state is OrderState.OPEN
    assert floor.matching.next_expiry_ns == 1000
    floor.matching.expire(1000)
    assert (order.state, order.text) == (OrderState.EXPIRED, EXPIRED_TEXT)
    assert held(floor.alice, "USDT") == (D(1_000_000), ZERO)
    assert floor.matching.top(BTC).bid is None
    assert floor.matching.next_expiry_ns is None


def test_times_of_orders_long_gone_are_forgotten(floor: Floor) -> None:
    for _ in range(5_000):
        order = floor.accept(floor.alice, BUY, "100", "1", GTT, expire_time_ns=10**9)
        floor.matching.cancel(order, floor.now_ns)
    assert len(floor.matching._open._expiries) <= 1_001
    assert floor.matching.open_orders == {}


def test_a_cancel_releases_the_lock_and_leaves_the_book(floor: Floor) -> None:
    order = floor.accept(floor.alice, SELL, "100", "2")
    floor.accept(floor.bob, BUY, "100", "0.5")
    floor.matching.cancel(order, floor.now_ns)
    assert (order.state, order.filled) == (OrderState.CANCELED, D("0.5"))
    assert held(floor.alice, "BTC") == (D("999.5"), ZERO)
    assert floor.matching.top(BTC).ask is None


def test_a_client_id_is_refused_only_while_its_order_is_open(floor: Floor) -> None:
    order = floor.accept(floor.alice, BUY, "100", "1", client_id="mine")
    assert floor.refuse(floor.alice, BUY, "100", "1", client_id="mine") is RefusalCode.DUPLICATE
    floor.accept(floor.bob, BUY, "100", "1", client_id="mine")
    floor.matching.cancel(order, floor.now_ns)
    floor.accept(floor.alice, BUY, "100", "1", client_id="mine")


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"price": "100.001"}, RefusalCode.PRICE),
        ({"price": "0"}, RefusalCode.PRICE),
        ({"price": "-1"}, RefusalCode.PRICE),
        ({"price": "NaN"}, RefusalCode.PRICE),
        ({"price": "sNaN"}, RefusalCode.PRICE),
        ({"price": "Infinity"}, RefusalCode.PRICE),
        ({"price": "1E+400"}, RefusalCode.PRICE),
        ({"price": "1E-400000"}, RefusalCode.PRICE),
        ({"price": "1." + "1" * 300}, RefusalCode.PRICE),
        ({"quantity": "0.0000101"}, RefusalCode.QUANTITY),
        ({"quantity": "0.000009"}, RefusalCode.QUANTITY),
        ({"quantity": "9000.000001"}, RefusalCode.QUANTITY),
        ({"quantity": "NaN"}, RefusalCode.QUANTITY),
        ({"quantity": "-1"}, RefusalCode.QUANTITY),
        ({"price": "1", "quantity": "4.999999"}, RefusalCode.NOTIONAL),
        ({"quantity": "8000", "price": "1000"}, RefusalCode.BALANCE),
        ({"side": SELL, "quantity": "1000.000001"}, RefusalCode.BALANCE),
        ({"symbol": "DOGE/USDT"}, RefusalCode.SYMBOL),
        ({"symbol": "SIM_SPOT_BTC_USDT"}, RefusalCode.SYMBOL),
        ({"client_id": ""}, RefusalCode.MALFORMED),
        ({"client_id": "a" * 65}, RefusalCode.MALFORMED),
        ({"client_id": "a b"}, RefusalCode.MALFORMED),
        ({"client_id": "é"}, RefusalCode.MALFORMED),
        ({"time_in_force": GTT}, RefusalCode.EXPIRE_TIME),
        ({"time_in_force": GTT, "expire_time_ns": 1}, RefusalCode.EXPIRE_TIME),
        ({"time_in_force": GTT, "expire_time_ns": 2**63}, RefusalCode.EXPIRE_TIME),
        ({"expire_time_ns": 10**9}, RefusalCode.EXPIRE_TIME),
        ({"time_in_force": TimeInForce.GOOD_TILL_TIME_OMS}, RefusalCode.MALFORMED),
        ({"time_in_force": IOC, "post_only": True}, RefusalCode.MALFORMED),
        ({"time_in_force": FOK, "post_only": True}, RefusalCode.MALFORMED),
    ],
)
def test_what_is_not_an_order_is_refused_and_changes_nothing(
    floor: Floor, named: dict[str, object], code: RefusalCode
) -> None:
    fields: dict[str, object] = {"side": BUY, "price": "100", "quantity": "1"} | named
    assert floor.refuse(floor.alice, **fields) is code


def test_a_refused_price_names_the_nearest(floor: Floor) -> None:
    refusal = floor.place(floor.alice, BUY, "100.005", "1")
    assert isinstance(refusal, Refusal)
    assert refusal.text == (
        "price 100.005 is not a multiple of the price tick 0.01 of BTC/USDT;"
        " the nearest are 100.00 and 100.01"
    )


def test_an_account_has_a_most_of_open_orders() -> None:
    floor = Floor(Settings(open_orders_max=2))
    floor.accept(floor.alice, BUY, "100", "1")
    order = floor.accept(floor.alice, BUY, "100", "1")
    assert floor.refuse(floor.alice, BUY, "100", "1") is RefusalCode.RATE
    floor.matching.cancel(order, floor.now_ns)
    floor.accept(floor.alice, BUY, "100", "1")


def test_events_fills_and_trades_are_counted_densely(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "100", "3")
    for _ in range(3):
        floor.accept(floor.bob, BUY, "100", "1")
    assert [each.event for each in floor.executions(floor.alice)] == [1, 2, 3, 4]
    fills = [fill for number, fill in floor.matching.changes.fills if number == floor.alice.number]
    assert [fill.ordinal for fill in fills] == [1, 2, 3]
    assert [fill.event for fill in fills] == [2, 3, 4]
    assert [fill.trade_id for fill in fills] == ["1", "2", "3"]


def test_an_execution_states_the_balances_it_left(floor: Floor) -> None:
    floor.accept(floor.alice, BUY, "100", "3")
    (event,) = floor.executions(floor.alice)
    assert event.balances == (WireBalance("USDT", D(1_000_000), D("300.00000000")),)
    floor.accept(floor.bob, SELL, "100", "1")
    event = floor.executions(floor.alice)[-1]
    assert {each.asset: (each.total, each.locked) for each in event.balances} == {
        "BTC": (D("1000.9992"), ZERO),
        "USDT": (D(999_900), D(200)),
    }


def test_a_changed_tick_binds_new_orders_and_leaves_open_ones(floor: Floor) -> None:
    order = floor.accept(floor.alice, SELL, "100.01", "1")
    instrument = floor.matching.markets[BTC].instrument
    floor.matching.set_instrument(msgspec.structs.replace(instrument, price_tick=D("0.5")))
    assert floor.refuse(floor.bob, BUY, "100.01", "1") is RefusalCode.PRICE
    floor.accept(floor.bob, BUY, "100.5", "1")
    assert order.state is OrderState.FILLED


def test_an_adjusted_balance_is_an_event_and_never_breaks_a_lock(floor: Floor) -> None:
    floor.accept(floor.alice, SELL, "100", "999")
    assert not floor.matching.ledger.adjust(floor.alice, "BTC", D(-2), 5)
    assert floor.matching.ledger.adjust(floor.alice, "BTC", D(-1), 5)
    _, event = floor.matching.events[-1]
    assert event == BalancesChanged(2, 5, (WireBalance("BTC", D(999), D("999.000000")),))
    assert set(total_holdings(floor.matching.accounts.values()).values()) == {ZERO}


# ── house accounts ───────────────────────────────────────────────────────────────────────────────


def test_a_fill_or_kill_of_the_house_counts_what_the_house_itself_offers(floor: Floor) -> None:
    house = floor.matching.ledger.house("house:maker")
    floor.matching.place_house(house, BTC, SELL, D(100), D(2), 1)
    order = floor.matching.place_house(house, BTC, BUY, D(100), D(2), 1, FOK)
    assert isinstance(order, Order)
    assert order.state is OrderState.FILLED


def test_a_house_account_owes_without_limit_and_leaves_no_trace_but_balances(
    floor: Floor,
) -> None:
    house = floor.matching.ledger.house("house:maker")
    floor.matching.place_house(house, BTC, SELL, D(100), D(5000), 1)
    floor.matching.place_house(house, BTC, BUY, D(100), D(1), 1)  # may trade with itself
    floor.accept(floor.bob, BUY, "100", "1")
    assert house.holdings["BTC"].total == D(-1)
    assert house.holdings["USDT"].total == D(100)
    assert [number for number, _ in floor.matching.changes.fills] == [floor.bob.number]
    assert floor.matching.orders == 1, "house orders are not counted among the clients'"


def test_a_level_of_a_tape_is_resized_where_it_is_or_trades_with_what_it_crosses(
    floor: Floor,
) -> None:
    matching = floor.matching
    ask = matching.set_level(BTC, SELL, D(101), D(2), 1)
    floor.accept(floor.bob, BUY, "101", "0.5", IOC)
    assert matching.top(BTC).ask_size == D("1.5")
    behind = floor.accept(floor.alice, SELL, "101", "1")
    assert matching.set_level(BTC, SELL, D(101), D(1), 2, ask) is ask
    floor.accept(floor.bob, BUY, "101", "1", IOC)
    assert behind.filled == ZERO, "a level keeps its place in time"
    resting = floor.accept(floor.bob, BUY, "100", "1")
    crossing = matching.set_level(BTC, SELL, D("99.5"), D("0.25"), 3)
    assert crossing.state is OrderState.FILLED
    assert resting.filled == D("0.25")
    assert floor.fills(floor.bob)[-1] == ("100.00", "0.25", "MAKER")
    anew = matching.set_level(BTC, SELL, D("100.5"), D(1), 4, crossing)
    assert anew.state is OrderState.OPEN, "one that was taken is offered anew"


def test_a_fault_may_fill_an_order_from_the_house(floor: Floor) -> None:
    order = floor.accept(floor.alice, BUY, "100", "1")
    floor.matching.fill_from_house(floor.matching.ledger.house("house:x"), order, D("0.4"), 9)
    assert order.filled == D("0.4")
    assert floor.fills(floor.alice) == [("100.00", "0.4", "MAKER")]
