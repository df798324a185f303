"""Random conversations of several accounts with spot and a perpetual, against what must always hold."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.exchange.margin import standing
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.settings import Fees, PerpetualSettings
from fairlead.venues.sim_messages import Place, WireFill
from tests.exchange.pit import FREE, PERP, SPOT, Pit, check_always

GTC, IOC, FOK = (
    TimeInForce.GOOD_TILL_CANCEL,
    TimeInForce.IMMEDIATE_OR_CANCEL,
    TimeInForce.FILL_OR_KILL,
)
STEP_NS = 10**9
SETTINGS = msgspec.structs.replace(
    FREE, fees=Fees(), perpetuals=PerpetualSettings(funding_interval_ms=20_000)
)
NAMES = ["alice", "bob", "carol"]

_KINDS = {
    "place": st.tuples(
        st.sampled_from([*NAMES, "house"]),
        st.sampled_from([PERP, PERP, PERP, SPOT]),
        st.sampled_from(list(Side)),
        st.integers(88, 112),
        st.sampled_from(["0.1", "1", "3", "20", "45.5"]),
        st.sampled_from([GTC, GTC, GTC, IOC, FOK]),
        st.sampled_from([False, False, False, True]),
    ),
    "trade": st.tuples(
        st.permutations([*NAMES, "house"]), st.integers(95, 105), st.integers(1, 80)
    ),
    "cancel": st.tuples(st.integers(0, 50)),
    "mark": st.tuples(st.one_of(st.none(), st.integers(70, 135))),
    "leverage": st.tuples(st.sampled_from(NAMES), st.sampled_from(["1", "3", "10", "50"])),
    "adjust": st.tuples(st.sampled_from(NAMES), st.integers(-300, 300)),
    "funding": st.tuples(st.integers(-75, 75)),
    "wait": st.tuples(st.integers(1, 50)),
}
_WEIGHTS = {"place": 6, "trade": 4, "mark": 2}
_steps = st.lists(
    st.sampled_from([kind for kind in _KINDS for _ in range(_WEIGHTS.get(kind, 1))]).flatmap(
        lambda kind: st.tuples(st.just(kind), _KINDS[kind])
    ),
    min_size=20,
    max_size=60,
)


def act(pit: Pit, step: tuple) -> None:
    """Carry out one step as the exchange would, and let its consequences happen."""
    accounts = {name: getattr(pit, name) for name in [*NAMES, "house"]}
    matching = pit.matching
    match step:
        case "place", (name, symbol, side, price, quantity, tif, reduce_only):
            place(pit, accounts[name], symbol, side, price, quantity, tif, reduce_only)
        case "trade", ((buyer, seller, *_), price, quantity):
            place(pit, accounts[seller], PERP, Side.SELL, price, str(quantity), GTC, False)
            pit.settle(pit.now_ns + STEP_NS)
            place(pit, accounts[buyer], PERP, Side.BUY, price, str(quantity), IOC, False)
        case "cancel", (index,):
            orders = list(matching.open_orders.values())
            if orders:
                matching.cancel(orders[index % len(orders)], pit.now_ns)
        case "mark", (price,):
            pit.clearing.set_mark(pit.market, None if price is None else Decimal(price))
        case "leverage", (name, leverage):
            pit.clearing.set_leverage(accounts[name], pit.market, Decimal(leverage), pit.now_ns)
        case "adjust", (name, change):
            matching.ledger.adjust(accounts[name], "USDT", Decimal(change), pit.now_ns)
        case "funding", (rate,):
            pit.clearing.pay_funding(pit.market, Decimal(rate) / 10_000, pit.now_ns)
        case "wait", (steps,):
            pit.now_ns += steps * STEP_NS
    pit.settle(pit.now_ns + STEP_NS)


def place(
    pit: Pit,
    account: Account,
    symbol: str,
    side: Side,
    price: int,
    quantity: str,
    tif: TimeInForce,
    reduce_only: bool,
) -> None:
    """Place an order; accepting it must not bring its account below what is required."""
    reduce_only = reduce_only and not account.is_house
    ticket = Place(
        0, pit.now_ns, f"c{pit.now_ns}", symbol, side, Decimal(price), Decimal(quantity), tif,
        False, None, reduce_only,
    )  # fmt: skip
    before = standing(account, "USDT")
    placed = pit.matching.place(account, ticket, pit.now_ns)
    if isinstance(placed, Order) and not account.is_house:
        after = standing(account, "USDT")
        assert after.equity >= ZERO
        if placed.filled and symbol == PERP and after.maintenance > before.maintenance:
            assert after.equity >= after.maintenance, "an order is not what liquidates"


@settings(max_examples=100, deadline=None)
@given(_steps)
def test_whatever_is_done_every_invariant_holds(steps: list[tuple]) -> None:
    pit = Pit(SETTINGS, mark=None)
    pit.mark("100")
    pit.mark(None)
    for step in steps:
        held = {name: pit.held(getattr(pit, name))[0] for name in NAMES}
        fills_before = len(pit.matching.changes.fills)
        act(pit, step)
        check_always(pit.matching)
        check_accounts(pit)
        check_reducing(pit, held, pit.matching.changes.fills[fills_before:])
    check_history(pit)


def check_accounts(pit: Pit) -> None:
    """Nobody is left below what is required, nor in debt."""
    for name in NAMES:
        account = getattr(pit, name)
        stands = standing(account, "USDT")
        assert stands.equity >= stands.maintenance
        assert stands.equity >= ZERO


def check_reducing(pit: Pit, held: dict[str, Decimal], fills: list[tuple[int, WireFill]]) -> None:
    """No order that only reduces made a position larger or turned it round."""
    orders = {
        event.order.client_id: event.order
        for _, event in pit.matching.events
        if hasattr(event, "order")
    }
    for name in NAMES:
        account, quantity = getattr(pit, name), held[name]
        for number, fill in fills:
            if number != account.number or fill.symbol != PERP:
                continue
            before = quantity
            quantity += fill.quantity if fill.side is Side.BUY else -fill.quantity
            if orders[fill.client_id].reduce_only:
                assert abs(quantity) < abs(before)
                assert quantity * before >= ZERO
        assert quantity == pit.held(account)[0]


def check_history(pit: Pit) -> None:
    """Positions, realized profits and event numbers follow from what was told."""
    for name in NAMES:
        account = getattr(pit, name)
        quantity, cost, realized = ZERO, ZERO, ZERO
        for fill in pit.fills(account):
            if fill.symbol != PERP:
                assert fill.realized == ZERO
                continue
            sign = 1 if fill.side is Side.BUY else -1
            quantity += sign * fill.quantity
            cost += sign * fill.price * fill.quantity
            realized += fill.realized
        if PERP in account.positions:
            position = pit.position(account)
            assert position.quantity == quantity
            assert position.cost == cost + realized
            mark = pit.market.mark or ZERO
            assert realized + position.unrealized == quantity * mark - cost or not quantity
        told = [event.event for owner, event in pit.matching.events if owner is account]
        assert told == list(range(1, account.events + 1))
