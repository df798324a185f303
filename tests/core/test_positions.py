"""Positions: fills that open, add, reduce, close and turn around; statements against fills in any order."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.model import InstrumentKind, Order, Position, Side, Stage, Updater
from fairlead.core.positions import Positions, flattened, moved
from tests.core.words import BTC_PERP, START_NS, D, make_fill, make_order

NOW_NS = START_NS + 1
SYMBOL = BTC_PERP.symbol


def order(side: Side = Side.BUY) -> Order:
    return make_order(
        Stage.WORKING,
        side=side,
        symbol=SYMBOL,
        symbol_exchange=BTC_PERP.symbol_exchange,
        kind=InstrumentKind.PERPETUAL,
    )


def fill(positions: Positions, change: str, price: str = "100", ordinal: int = 0) -> None:
    """Book an execution; a negative change is a sale."""
    quantity = D(change)
    side = Side.SELL if quantity < 0 else Side.BUY
    executed = make_fill(str(abs(quantity)), price, exchange_ordinal=ordinal)
    positions.fill_booked(order(side), executed, NOW_NS)


def word(signed: str, entry: str = "100", ordinal: int = 0, **changes: object) -> Position:
    """Return the exchange's word on the position, at a mark price of 110."""
    quantity = D(signed)
    position = Position(
        symbol=SYMBOL,
        symbol_exchange=BTC_PERP.symbol_exchange,
        quote="USDT",
        side=Side.SELL if quantity < 0 else Side.BUY,
        quantity=abs(quantity),
        entry_price=D(entry),
        mark_price=D(110),
        unrealized=(110 - D(entry)) * quantity,
        leverage=D(10),
        is_cross=True,
        liquidation_price=D(50),
        updated_by=Updater.EXCHANGE,
        time_ns=NOW_NS,
        exchange_ordinal=ordinal,
    )
    return msgspec.structs.replace(position, **changes)


def held(positions: Positions) -> tuple[Decimal, Decimal]:
    """Return (quantity, entry price), 0 and 0 when flat."""
    found = positions.open()
    if not found:
        return D(0), D(0)
    (position,) = found
    return position.signed_quantity, position.entry_price


# ── fills alone ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "change", "price", "after"),
    [
        (("0", "0"), "2", "100", ("2", "100")),
        (("0", "0"), "-2", "100", ("-2", "100")),
        (("2", "100"), "2", "110", ("4", "105")),
        (("-2", "100"), "-1", "130", ("-3", "110")),
        (("2", "100"), "-0.5", "300", ("1.5", "100")),
        (("-2", "100"), "0.5", "1", ("-1.5", "100")),
        (("2", "100"), "-2", "90", ("0", "0")),
        (("-2", "100"), "2", "90", ("0", "0")),
        (("2", "100"), "-3", "90", ("-1", "90")),
        (("-2", "100"), "5", "90", ("3", "90")),
        (("1", "100"), "2", "101", ("3", "100.6666666666666666666666667")),
    ],
)
def test_what_an_execution_makes_of_a_position(
    before: tuple[str, str], change: str, price: str, after: tuple[str, str]
) -> None:
    found = moved(D(before[0]), D(before[1]), D(change), D(price))
    assert found == (D(after[0]), D(after[1]))


@given(st.lists(st.tuples(st.integers(-5, 5).filter(bool), st.integers(90, 110)), max_size=20))
def test_quantities_add_up_and_the_entry_lies_between_the_prices(
    trades: list[tuple[int, int]],
) -> None:
    quantity, entry = D(0), D(0)
    for change, price in trades:
        quantity, entry = moved(quantity, entry, D(change), D(price))
    assert quantity == sum(change for change, _ in trades)
    assert (entry == 0) == (quantity == 0)
    if quantity:
        prices = [price for _, price in trades]
        assert min(prices) <= entry <= max(prices)


def test_a_first_fill_opens_a_position_with_what_is_known_of_it() -> None:
    positions = Positions()
    fill(positions, "-2", "99")
    (position,) = positions.take_changed()
    assert (position.side, position.quantity, position.entry_price) == (Side.SELL, 2, 99)
    assert (position.quote, position.leverage, position.is_cross) == ("USDT", 1, True)
    assert (position.unrealized, position.liquidation_price) == (0, None)
    assert position.updated_by is Updater.BALANCE_MANAGER
    assert positions.open() == (position,)
    assert positions.take_changed() == []


def test_a_late_statement_from_before_the_first_event_keeps_the_fill() -> None:
    positions = Positions()
    fill(positions, "2", ordinal=2)
    positions.stated(word("0", "0", ordinal=1))
    assert held(positions) == (2, 100)


def test_a_fill_values_the_position_at_the_last_mark_and_forgets_where_it_is_liquidated() -> None:
    positions = Positions()
    positions.stated(word("2", "100"))
    fill(positions, "2", "102")
    (position,) = positions.open()
    assert (position.quantity, position.entry_price, position.unrealized) == (4, 101, 36)
    assert position.liquidation_price is None


def test_a_closed_position_is_not_among_the_open_ones_and_is_reported() -> None:
    positions = Positions()
    positions.stated(word("2"))
    positions.take_changed()
    fill(positions, "-2", "105")
    assert positions.open() == ()
    (position,) = positions.take_changed()
    assert (position.side, position.quantity, position.entry_price) == (Side.BUY, 0, 0)
    assert (position.unrealized, position.leverage) == (0, 10)
    assert positions.signed_quantity(SYMBOL) == 0


def test_a_flat_position_tells_the_leverage_that_orders_will_have() -> None:
    positions = Positions()
    assert positions.get(SYMBOL) is None
    positions.stated(word("0", "0", leverage=D(25)))
    flat = positions.get(SYMBOL)
    assert flat is not None
    assert flat.leverage == 25
    assert positions.open() == ()
    assert positions.take_changed() == [], "that a market was never entered is no news"
    positions.stated(word("0", "0", leverage=D(5)))
    assert [position.leverage for position in positions.take_changed()] == [5]


# ── statements against fills ─────────────────────────────────────────────────────────────────────


def test_a_fill_before_the_statement_is_inside_it() -> None:
    positions = Positions()
    positions.stated(word("2", ordinal=10))
    fill(positions, "1", "130", ordinal=10)
    fill(positions, "1", "130", ordinal=9)
    assert held(positions) == (2, 100)


def test_fills_after_the_statement_move_it_whenever_they_are_heard() -> None:
    positions = Positions()
    positions.stated(word("2", ordinal=10))
    fill(positions, "1", "130", ordinal=12)
    fill(positions, "-4", "120", ordinal=13)
    assert held(positions) == (-1, 120)
    assert positions.stated(word("3", "110", ordinal=12)) == 0
    assert held(positions) == (-1, 120)
    assert positions.stated(word("-1", "120", ordinal=13)) == 0
    assert held(positions) == (-1, 120)
    assert positions.open()[0].liquidation_price == 50


def test_an_old_statement_is_ignored() -> None:
    positions = Positions()
    positions.stated(word("2", ordinal=10))
    assert positions.stated(word("9", ordinal=9)) is None
    assert held(positions) == (2, 100)


def test_a_statement_without_an_event_is_taken_as_it_is() -> None:
    positions = Positions()
    positions.stated(word("2", ordinal=10))
    fill(positions, "1", "130", ordinal=12)
    assert positions.stated(word("7")) is None
    assert held(positions) == (7, 100)


def test_a_statement_says_how_far_it_is_from_our_books() -> None:
    positions = Positions()
    assert positions.stated(word("2", ordinal=10)) is None, "nothing to compare with"
    fill(positions, "1", ordinal=12)
    assert positions.stated(word("2.5", ordinal=11)) == D("0.5")
    assert held(positions)[0] == D("3.5")
    assert positions.stated(word("-1", ordinal=13)) == D("-4.5")


def test_a_new_session_counts_anew() -> None:
    positions = Positions()
    positions.stated(word("2", ordinal=10))
    positions.session_started()
    assert positions.stated(word("3", ordinal=1)) is None
    assert held(positions)[0] == 3


def test_only_what_changed_is_reported() -> None:
    positions = Positions()
    positions.stated(word("2", ordinal=10))
    assert len(positions.take_changed()) == 1
    positions.stated(word("2", ordinal=11, time_ns=NOW_NS + 1))
    assert positions.take_changed() == []
    positions.stated(word("2", ordinal=12, mark_price=D(111), unrealized=D(22)))
    assert [position.mark_price for position in positions.take_changed()] == [111]


def test_a_position_that_a_whole_statement_leaves_out_is_flat() -> None:
    positions = Positions()
    positions.stated(word("2", ordinal=10))
    (position,) = positions.open()
    assert positions.stated(flattened(position, 11, NOW_NS)) == -2
    assert positions.open() == ()
    assert positions.all()[0].leverage == 10


@given(
    st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_however_late_statements_come_the_end_is_the_exchange_s(changes, random) -> None:
    """Each fill is an event and the exchange states the position after it; statements come late."""
    truths, quantity, entry = [], D(0), D(0)
    for at, change in enumerate(changes):
        quantity, entry = moved(quantity, entry, D(change), D(100 + at))
        truths.append((quantity, entry))
    news = [(at, "fill") for at in range(len(changes))]
    for at in range(len(changes)):
        if random.randrange(2):
            after = random.randrange(news.index((at, "fill")) + 1, len(news) + 1)
            news.insert(after, (at, "statement"))
    positions = Positions()
    positions.stated(word("0", "0", ordinal=10))
    for at, kind in news:
        if kind == "fill":
            fill(positions, str(changes[at]), str(100 + at), ordinal=11 + at)
        else:
            signed, price = truths[at]
            drift = positions.stated(word(str(signed), str(price), ordinal=11 + at))
            assert drift in (None, 0)
    assert held(positions) == truths[-1]
