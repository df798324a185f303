"""Random sequences against a naive reference and against what must always hold."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.exchange.ledger import total_holdings
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Order
from fairlead.exchange.rules import Refusal
from fairlead.exchange.settings import Settings
from fairlead.venues.sim_messages import OrderState, Place, WireFill

BTC = "BTC/USDT"
GTC = TimeInForce.GOOD_TILL_CANCEL
GTT = TimeInForce.GOOD_TILL_TIME_EXCHANGE
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
FOK = TimeInForce.FILL_OR_KILL
STEP_NS = 10

_place = st.tuples(
    st.just("place"),
    st.sampled_from(["alice", "bob", "carol", "house"]),
    st.sampled_from(list(Side)),
    st.integers(95, 105),
    st.integers(1, 5),
    st.sampled_from([GTC, GTC, GTC, GTT, IOC, FOK]),
    st.booleans(),
)
_cancel = st.tuples(st.just("cancel"), st.integers(0, 50))
_steps = st.lists(st.one_of(_place, _place, _place, _cancel), max_size=60)


class Reference:
    """The matching rules again, as slowly and plainly as can be: one list of resting orders."""

    def __init__(self) -> None:
        self.resting: list[dict] = []
        self.trades: list[tuple[str, str, int, int]] = []  # maker, taker, price, quantity

    def place(self, key, account, side, price, quantity, tif, post_only):
        def better_first(order):
            return (order["price"] if side is Side.BUY else -order["price"], order["age"])

        crossing = sorted(
            (
                order
                for order in self.resting
                if order["side"] is not side
                and (order["price"] <= price if side is Side.BUY else order["price"] >= price)
            ),
            key=better_first,
        )
        if post_only and crossing:
            return
        if tif is FOK:
            reachable = 0
            for order in crossing:
                if order["account"] == account != "house":
                    break
                reachable += order["left"]
            if account == "house":
                reachable = sum(order["left"] for order in crossing)
            if reachable < quantity:
                return
        for order in crossing:
            if not quantity:
                return
            if order["account"] == account != "house":
                return
            traded = min(quantity, order["left"])
            self.trades.append((order["key"], key, order["price"], traded))
            order["left"] -= traded
            quantity -= traded
            if not order["left"]:
                self.resting.remove(order)
        if quantity and tif in (GTC, GTT):
            self.resting.append(
                {
                    "key": key,
                    "account": account,
                    "side": side,
                    "price": price,
                    "left": quantity,
                    "age": len(self.trades) * 1000 + int(key[1:]),
                }
            )

    def remove(self, key):
        self.resting = [order for order in self.resting if order["key"] != key]


def check_always(matching: Matching) -> None:
    book = matching.markets[BTC].book
    assert not book.is_crossed()
    assert all(total == ZERO for total in total_holdings(matching.accounts.values()).values())
    for account in matching.accounts.values():
        if account.is_house:
            continue
        locked = {"BTC": ZERO, "USDT": ZERO, "ETH": ZERO}
        for order in account.open_orders.values():
            assert order.state is OrderState.OPEN
            assert ZERO <= order.filled < order.quantity
            if order.side is Side.BUY:
                locked["USDT"] += order.price * order.leaves_quantity
            else:
                locked["BTC"] += order.leaves_quantity
        for holding in account.holdings.values():
            assert holding.locked == locked[holding.asset]
            assert holding.total >= holding.locked
        assert len(account.open_by_client_id) == len(account.open_orders)
    in_book = {o.number for half in (book.bids, book.asks) for o in half.orders() if o.number > 0}
    assert in_book == set(matching.open_orders)


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_it_trades_as_the_naive_reference_does_and_keeps_every_invariant(steps) -> None:
    use_exact_decimals()
    matching = Matching(Settings())
    rich = [("BTC", Decimal(10_000)), ("USDT", Decimal(10_000_000))]
    accounts = {
        name: matching.ledger.open_account(name, b"", rich) for name in ("alice", "bob", "carol")
    }
    accounts["house"] = matching.ledger.house("house:x")
    reference = Reference()
    orders: dict[str, Order] = {}
    keys: dict[int, str] = {}
    expiries: dict[str, int] = {}
    now_ns = 0
    for index, step in enumerate(steps):
        now_ns += STEP_NS
        matching.expire(now_ns)
        for key in [key for key, at_ns in expiries.items() if at_ns <= now_ns]:
            reference.remove(key)
            del expiries[key]
        if step[0] == "cancel":
            open_keys = [key for key, order in orders.items() if order.state is OrderState.OPEN]
            if open_keys:
                key = open_keys[step[1] % len(open_keys)]
                matching.cancel(orders[key], now_ns)
                reference.remove(key)
            continue
        _, name, side, price, quantity, tif, post_only = step
        key = f"k{index}"
        post_only = post_only and tif in (GTC, GTT)
        expire_ns = now_ns + 5 * STEP_NS if tif is GTT and name != "house" else None
        if name == "house" and tif is GTT:
            tif = GTC
        ticket = Place(
            0, now_ns, key, BTC, side, Decimal(price), Decimal(quantity), tif, post_only, expire_ns
        )
        placed = matching.place(accounts[name], ticket, now_ns)
        reference.place(key, name, side, price, quantity, tif, post_only)
        if isinstance(placed, Refusal):
            assert post_only
        else:
            orders[key] = placed
            keys[placed.number] = key
            if expire_ns is not None:
                expiries[key] = expire_ns
        check_always(matching)
    told = {
        (fill.client_id, int(fill.price), int(fill.quantity)) for _, fill in matching.changes.fills
    }
    expected = {
        (key, price, quantity)
        for maker, taker, price, quantity in reference.trades
        for key in (maker, taker)
        if orders[key].number > 0
    }
    assert told == expected
    assert matching.markets[BTC].trades == len(reference.trades)
    resting = {order["key"]: order["left"] for order in reference.resting}
    assert resting == {
        key: int(order.leaves_quantity)
        for key, order in orders.items()
        if order.state is OrderState.OPEN
    }


@settings(max_examples=50, deadline=None)
@given(
    st.decimals("0.01", "99999.99", places=2),
    st.decimals("0.000010", "10", places=6),
    st.decimals("0", "0.01", places=5),
)
def test_whatever_the_price_quantity_and_rate_nothing_is_made_or_lost(
    price: Decimal, quantity: Decimal, rate: Decimal
) -> None:
    use_exact_decimals()
    if price * quantity < 5:
        price = Decimal(500_000)
    fees = msgspec.structs.replace(Settings().fees, maker=rate, taker=rate)
    matching = Matching(Settings(fees=fees))
    rich = [("BTC", Decimal(1000)), ("USDT", Decimal(100_000_000))]
    alice, bob = (matching.ledger.open_account(name, b"", rich) for name in ("alice", "bob"))
    for account, side in ((alice, Side.SELL), (bob, Side.BUY)):
        ticket = Place(0, 1, "a", BTC, side, price, quantity, GTC, False, None)
        placed = matching.place(account, ticket, 1)
        assert isinstance(placed, Order)
    fills: list[WireFill] = [fill for _, fill in matching.changes.fills]
    for fill in fills:
        received = fill.quantity if fill.side is Side.BUY else fill.price * fill.quantity
        assert received * rate <= fill.fee < received * rate + Decimal("0.00000001")
    assert set(total_holdings(matching.accounts.values()).values()) == {ZERO}
    assert bob.holdings["BTC"].total == 1000 + quantity - fills[1].fee
    assert alice.holdings["USDT"].total == 100_000_000 + price * quantity - fills[0].fee
