"""The crash test's own judgement: each stage is told from the others, each difference is seen."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from fairlead.core.identity import venue_client_id
from fairlead.core.model import Order, Stage, Status
from tests.crash import comparison
from tests.crash.load import Sent, Told, check_goes_on
from tests.crash.stages import (
    TURN_NS,
    AtExchange,
    Caught,
    Crime,
    Held,
    Remains,
    check_laws,
    judge,
)
from tests.gateway.orders import ORDER
from tests.system import Json, Operator

INSTALLATION = bytes(16)
BORN_NS, KILLED_NS = 10**12, 10**12 + 10**9
KEY = ("SIM", "c1")
VENUE_ID = venue_client_id(INSTALLATION, *KEY)
LATE = {"BTC/USDT": Held(10**8)}


def order_in(stage: Stage, **changes: object) -> Order:
    """An order of this life, placed 50 ms before the kill."""
    placed = msgspec.structs.replace(
        ORDER,
        account=KEY[0],
        client_order_id=KEY[1],
        venue_client_id=VENUE_ID,
        stage=stage,
        time_order_ns=KILLED_NS - 5 * 10**7,
        quantity_filled=Decimal(0),
        fills=(),
        status_history=((Status.RECEIVED, 1), (Status.ROUTING, 1)),
    )
    return msgspec.structs.replace(placed, **changes)


def at_exchange(*rows: Json) -> AtExchange:
    seen = AtExchange(Operator("http://127.0.0.1:9"))
    for row in rows:
        seen.by_client_id["SIM", row["client_id"]] = row
        seen.ids.add(row["exchange_order_id"])
    return seen


def row(time_ns: int = KILLED_NS - 10**6) -> Json:
    return {
        "client_id": VENUE_ID,
        "exchange_order_id": "12345",
        "symbol": "BTC/USDT",
        "time_ns": time_ns,
        "side": "SELL",
        "price": "100",
        "quantity": "0.0450",
        "filled": "0",
        "state": "OPEN",
    }


@pytest.mark.parametrize(
    ("stage", "rows", "answered", "held", "caught"),
    [
        (Stage.RECEIVED, [], [], {}, Caught.BEFORE_SEND),
        (Stage.ROUTING, [], [], {}, Caught.BEFORE_SEND),
        (Stage.ROUTING, [row()], [], LATE, Caught.BEFORE_ANSWER),
        (Stage.ROUTING, [row()], ["12345"], {}, Caught.BEFORE_COMMIT),
        (Stage.ROUTING, [row(KILLED_NS - 2 * TURN_NS)], [], {}, Caught.BEFORE_COMMIT),
        (Stage.ROUTING, [row()], [], {}, None),  # answered or not: it cannot be told
        (Stage.ROUTED, [row()], ["12345"], {}, None),
        (Stage.WORKING, [row()], [], LATE, None),
        (Stage.REJECTED, [], [], {}, None),
    ],
)
def test_a_stage_is_given_only_where_there_is_no_doubt(
    stage: Stage,
    rows: list[Json],
    answered: list[str],
    held: dict[str, Held],
    caught: Caught | None,
) -> None:
    remains = Remains(INSTALLATION, {KEY: order_in(stage)})
    crime = Crime(BORN_NS, KILLED_NS, KILLED_NS + 10**6, frozenset(answered), held)
    assert judge(remains, {KEY: Sent(0, {})}, at_exchange(*rows), crime) == {KEY: caught}


def test_an_order_that_is_in_doubt_since_an_earlier_kill_is_not_counted_again() -> None:
    remains = Remains(INSTALLATION, {KEY: order_in(Stage.ROUTING, time_order_ns=BORN_NS - 1)})
    crime = Crime(BORN_NS, KILLED_NS, KILLED_NS + 10**6, frozenset(), LATE)
    assert judge(remains, {KEY: Sent(0, {})}, at_exchange(row()), crime) == {KEY: None}


def told(**changes: Any) -> Told:
    report = Told(7, "ROUTING", Decimal(0), "12345", (("RECEIVED", "t"), ("ROUTING", "t")), ())
    return report._replace(**changes)


def test_what_was_told_or_sent_must_be_in_the_journal() -> None:
    nobody = at_exchange()
    kept = Remains(INSTALLATION, {KEY: order_in(Stage.ROUTING)})
    check_laws(kept, [(KEY, told())], [], nobody)
    check_laws(kept, [], [KEY], at_exchange(row()))
    empty = Remains(INSTALLATION, {})
    for remains, reports, in_flight, seen, words in (
        (empty, [(KEY, told())], [], nobody, "was told and is not in the journal"),
        (kept, [(KEY, told(sequence=8))], [], nobody, "sequence=8"),
        (kept, [(KEY, told(amount_filled=Decimal(1)))], [], nobody, "amount_filled"),
        (kept, [(KEY, told(history=(("RECEIVED", "t"), ("ROUTED", "t"))))], [], nobody, "ROUTED"),
        (kept, [(KEY, told(exchange_order_id="5"))], [], nobody, "12345"),
        (empty, [], [KEY], at_exchange(row()), "at the exchange and not in the journal"),
        (
            Remains(INSTALLATION, {KEY: order_in(Stage.RECEIVED)}),
            [],
            [KEY],
            at_exchange(row()),
            "sent before that was durable",
        ),
    ):
        with pytest.raises(AssertionError, match=words):
            check_laws(remains, reports, in_flight, seen)


@pytest.mark.parametrize(
    "later",
    [
        {"history": (("RECEIVED", "t"), ("NEW", "t"))},
        {"amount_filled": Decimal(-1)},
        {"exchange_order_id": "6"},
        {"trade_ids": ("2",)},
    ],
)
def test_a_report_that_takes_an_earlier_one_back_is_noticed(later: dict[str, Any]) -> None:
    first = told(trade_ids=("1",))
    check_goes_on(KEY, first, first._replace(sequence=8))
    with pytest.raises(AssertionError):
        check_goes_on(KEY, first, first._replace(sequence=8, **later))


def test_each_difference_of_orders_is_seen() -> None:
    ours = order_in(Stage.WORKING, price=Decimal(100))
    compare = comparison._compare_orders
    assert compare("SIM", [ours], [row()]) == []
    other = row() | {"exchange_order_id": "12346"}
    for orders, rows, words in (
        ([], [row()], "does not know it"),
        ([ours], [], "not at the exchange"),
        ([ours], [row(), other], "placed twice"),
        ([ours], [row() | {"filled": "0.01"}], "the exchange says"),
        ([ours], [row() | {"price": "100.01"}], "the exchange says"),
        ([ours], [row() | {"state": "CANCELED"}], "not CANCELED"),
        ([order_in(Stage.ROUTING, exchange_order_id=None)], [], "without an id"),
    ):
        found = compare("SIM", orders, rows)
        assert any(words in each for each in found), (words, found)


def test_each_difference_of_fills_is_seen() -> None:
    ours = msgspec.structs.replace(order_in(Stage.WORKING), fills=ORDER.fills)
    (booked,) = ours.fills
    happened = row() | {
        "trade_id": booked.trade_id,
        "price": str(booked.price),
        "quantity": str(booked.quantity),
        "fee": str(booked.fee),
        "fee_asset": booked.fee_asset,
        "liquidity": booked.liquidity.value,
        "time_ns": booked.time_ns,
    }
    compare = comparison._compare_fills
    assert compare("SIM", [ours], [happened]) == []
    twice = msgspec.structs.replace(ours, fills=(booked, booked))
    for orders, rows in (
        ([], [happened]),
        ([ours], []),
        ([twice], [happened]),
        ([ours], [happened, happened]),
        ([ours], [happened | {"fee": "0"}]),
        ([ours], [happened | {"quantity": "1"}]),
    ):
        assert compare("SIM", orders, rows), (orders, rows)
