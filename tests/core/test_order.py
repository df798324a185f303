"""The order state machine: every cell of its table, every refused cell, and random lives of orders."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core import order as order_module
from fairlead.core.model import FINAL_STAGES, Order, Reason, Stage, Status
from fairlead.core.order import (
    MOVES,
    IllegalChange,
    Verdict,
    apply,
    judge,
    missing_quantity,
    status,
    status_of,
)
from fairlead.core.reports import Cause, OrderReport
from tests.core.words import SECOND_NS, START_NS, change, make_fill, make_order

# What the wire contract 2.1 lets follow each status.
MAY_BECOME = {
    Status.RECEIVED: {Status.REJECTED, Status.ROUTING, Status.CANCELED},
    Status.ROUTING: {
        Status.ROUTED, Status.REJECTED, Status.CANCELED,
        Status.NEW, Status.PARTIALLY_FILLED, Status.FILLED,
    },
    Status.ROUTED: {
        Status.REJECTED, Status.NEW, Status.PARTIALLY_FILLED, Status.FILLED, Status.CANCELED,
    },
    Status.NEW: {
        Status.PARTIALLY_FILLED, Status.FILLED, Status.PENDING_CANCEL, Status.CANCELED,
        Status.REJECTED,
    },
    Status.PENDING_CANCEL: {
        Status.NEW, Status.PARTIALLY_FILLED, Status.FILLED, Status.CANCELED, Status.REJECTED,
    },
    Status.PARTIALLY_FILLED: {Status.FILLED, Status.PENDING_CANCEL, Status.CANCELED},
    Status.FILLED: set(),
    Status.CANCELED: {Status.FILLED},
    Status.REJECTED: {Status.FILLED, Status.CANCELED},
}  # fmt: skip

CAUSE_OF = {
    Stage.ROUTING: Cause.ROUTING,
    Stage.ROUTED: Cause.ROUTED,
    Stage.WORKING: Cause.WORKING,
    Stage.FILLED: Cause.RESOLVED,
    Stage.CANCELED: Cause.CANCELED,
    Stage.REJECTED: Cause.REJECTED,
    Stage.EXPIRED: Cause.EXPIRED,
}
CELLS = [pytest.param(row, column, id=f"{row}-{column}") for row, column in MOVES]


def table_of_docstring() -> dict[tuple[Stage, Stage], Verdict]:
    """Return the table as the module's docstring draws it."""
    lines = (order_module.__doc__ or "").splitlines()
    start = next(number for number, line in enumerate(lines) if line.split()[:1] == ["ROUTING"])
    columns = [Stage(name) for name in lines[start].split()]
    cells = {}
    for line in lines[start + 1 :]:
        words = line.split()
        if not words or words[0] not in Stage.__members__:
            break
        for column, word in zip(columns, words[1:], strict=True):
            cells[Stage(words[0]), column] = Verdict(word)
    return cells


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def test_the_docstring_draws_the_table_that_is_used() -> None:
    assert table_of_docstring() == MOVES


def test_the_table_has_every_cell() -> None:
    assert set(MOVES) == {(r, c) for r in Stage for c in Stage if c is not Stage.RECEIVED}


@pytest.mark.parametrize(("row", "column"), CELLS)
def test_every_cell_moves_or_raises_and_changes_nothing(row: Stage, column: Stage) -> None:
    order = make_order(row)
    copy = make_order(row)
    assert judge(order, column) is MOVES[row, column]
    report = OrderReport(
        "SIM", 2, 1, START_NS + SECOND_NS, CAUSE_OF[column], stage=column
    )  # fmt: skip
    if MOVES[row, column] is Verdict.MOVE:
        after = apply(order, report)
        assert after.stage is column
        assert after.sequence == 2
    else:
        with pytest.raises(IllegalChange, match=f"order 1 is {row} and cannot become {column}"):
            apply(order, report)
    assert order == copy


@pytest.mark.parametrize("row", list(Stage))
def test_nothing_becomes_received_again(row: Stage) -> None:
    order = make_order(row)
    assert judge(order, Stage.RECEIVED) is Verdict.ILLEGAL
    with pytest.raises(IllegalChange):
        change(order, Cause.RECEIVED, stage=Stage.RECEIVED)


@pytest.mark.parametrize("stage", [Stage.CANCELED, Stage.EXPIRED])
def test_a_revived_order_may_end_after_all(stage: Stage) -> None:
    revived = change(make_order(Stage.REJECTED), Cause.REVIVED)
    assert judge(revived, stage) is Verdict.MOVE
    ended = change(revived, CAUSE_OF[stage], stage=stage)
    assert (ended.stage, status(ended)) == (stage, Status.CANCELED)
    assert ended.in_doubt_ns is None
    assert [shown for shown, _ in ended.status_history] == [Status.REJECTED, Status.CANCELED]


@pytest.mark.parametrize("stage", [Stage.ROUTED, Stage.WORKING])
def test_a_revived_order_that_is_open_is_no_further_news(stage: Stage) -> None:
    revived = change(make_order(Stage.REJECTED), Cause.REVIVED)
    assert judge(revived, stage) is Verdict.STALE
    assert judge(revived, Stage.REJECTED) is Verdict.STALE


def test_an_order_is_opened_once() -> None:
    order = make_order()
    report = OrderReport("SIM", 2, 1, START_NS, Cause.RECEIVED, opened=order)
    with pytest.raises(IllegalChange, match="order 1 is opened twice"):
        apply(order, report)


def test_an_order_may_move_on_with_the_report_that_opens_it_as_the_table_allows() -> None:
    order = make_order()
    report = OrderReport("SIM", 2, 1, START_NS, Cause.ROUTING, opened=order, stage=Stage.ROUTING)
    moved = apply(None, report)
    assert (moved.stage, moved.sequence) == (Stage.ROUTING, 2)
    assert moved.status_history == ((Status.RECEIVED, START_NS), (Status.ROUTING, START_NS))
    illegal = OrderReport("SIM", 2, 1, START_NS, Cause.WORKING, opened=order, stage=Stage.WORKING)
    with pytest.raises(IllegalChange, match="order 1 is RECEIVED and cannot become WORKING"):
        apply(None, illegal)


def test_a_report_about_an_order_never_opened_is_refused() -> None:
    report = OrderReport("SIM", 1, 7, START_NS, Cause.ROUTED, stage=Stage.ROUTED)
    with pytest.raises(IllegalChange, match=r"report ROUTED about order 7, which was never opened"):
        apply(None, report)


def test_final_stages_are_the_final_ones() -> None:
    assert {stage for stage in Stage if stage.is_final} == FINAL_STAGES
    assert {status_of(stage, False, False) for stage in FINAL_STAGES} == {
        Status.FILLED,
        Status.CANCELED,
        Status.REJECTED,
    }


# ── the shown status ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stage", "is_partly", "is_pending", "shown"),
    [
        (Stage.RECEIVED, False, False, Status.RECEIVED),
        (Stage.ROUTING, False, False, Status.ROUTING),
        (Stage.ROUTED, False, False, Status.ROUTED),
        (Stage.WORKING, False, False, Status.NEW),
        (Stage.WORKING, True, False, Status.PARTIALLY_FILLED),
        (Stage.WORKING, False, True, Status.PENDING_CANCEL),
        (Stage.WORKING, True, True, Status.PENDING_CANCEL),
        (Stage.FILLED, True, True, Status.FILLED),
        (Stage.CANCELED, True, False, Status.CANCELED),
        (Stage.EXPIRED, False, False, Status.CANCELED),
        (Stage.REJECTED, False, False, Status.REJECTED),
        (Stage.ROUTING, False, True, Status.ROUTING),
        (Stage.ROUTED, False, True, Status.ROUTED),
    ],
)
def test_status_shown(stage: Stage, is_partly: bool, is_pending: bool, shown: Status) -> None:
    assert status_of(stage, is_partly, is_pending) is shown


def test_history_gains_a_line_with_its_time_when_the_status_changes_and_only_then() -> None:
    order = change(make_order(), Cause.ROUTING, stage=Stage.ROUTING)
    order = change(order, Cause.IN_DOUBT)
    order = change(order, Cause.ROUTED, stage=Stage.ROUTED, exchange_order_id="X1")
    order = change(order, Cause.WORKING, stage=Stage.WORKING)
    order = change(order, Cause.CANCEL_REQUESTED)
    order = change(order, Cause.TRADE, fill=make_fill("1"))
    order = change(order, Cause.CANCEL_ENDED)
    order = change(order, Cause.CANCELED, stage=Stage.CANCELED, closed_quantity=Decimal(1))
    at = [START_NS + sequence * SECOND_NS for sequence in range(10)]
    assert order.status_history == (
        (Status.RECEIVED, START_NS),
        (Status.ROUTING, at[2]),
        (Status.ROUTED, at[4]),
        (Status.NEW, at[5]),
        (Status.PENDING_CANCEL, at[6]),
        (Status.PARTIALLY_FILLED, at[8]),
        (Status.CANCELED, at[9]),
    )


def test_cancel_outstanding_before_new_leaves_the_shown_status_and_shows_after_it() -> None:
    order = change(make_order(Stage.ROUTED), Cause.CANCEL_REQUESTED)
    assert status(order) is Status.ROUTED
    order = change(order, Cause.WORKING, stage=Stage.WORKING)
    assert status(order) is Status.PENDING_CANCEL
    assert [shown for shown, _ in order.status_history] == [
        Status.ROUTED,
        Status.NEW,
        Status.PENDING_CANCEL,
    ]


def test_fill_before_new_with_a_cancel_outstanding_shows_the_fill_first() -> None:
    order = change(make_order(Stage.ROUTING), Cause.CANCEL_REQUESTED)
    order = change(order, Cause.TRADE, fill=make_fill("1"))
    assert [shown for shown, _ in order.status_history] == [
        Status.ROUTING,
        Status.PARTIALLY_FILLED,
        Status.PENDING_CANCEL,
    ]


# ── fills ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stage", list(Stage))
def test_a_fill_counts_from_any_stage(stage: Stage) -> None:
    order = change(make_order(stage), Cause.TRADE, fill=make_fill("3", "99"))
    assert order.quantity_filled == 3
    assert order.notional_filled == 297
    assert order.leaves_quantity == 7
    expected = Stage.WORKING if stage in (Stage.RECEIVED, Stage.ROUTING, Stage.ROUTED) else stage
    assert order.stage is expected


@pytest.mark.parametrize("stage", list(Stage))
def test_the_last_fill_fills_from_any_stage(stage: Stage) -> None:
    order = change(make_order(stage), Cause.TRADE, fill=make_fill("10"))
    assert order.stage is Stage.FILLED
    assert status(order) is Status.FILLED
    assert order.leaves_quantity == 0


def test_a_fill_after_a_cancel_counts_and_the_cancel_stands_while_something_is_left() -> None:
    order = change(make_order(Stage.WORKING), Cause.CANCELED, stage=Stage.CANCELED)
    order = change(order, Cause.TRADE, fill=make_fill("4"))
    assert (status(order), order.quantity_filled) == (Status.CANCELED, 4)
    order = change(order, Cause.TRADE, fill=make_fill("6", trade_id="t2"))
    assert [shown for shown, _ in order.status_history][-2:] == [Status.CANCELED, Status.FILLED]


def test_more_filled_than_ordered_is_the_truth_and_nothing_is_open() -> None:
    order = change(make_order(Stage.WORKING), Cause.TRADE, fill=make_fill("12"))
    assert order.stage is Stage.FILLED
    assert order.quantity_filled == 12
    assert order.leaves_quantity == 0


def test_open_quantity_is_not_zeroed_when_an_order_ends() -> None:
    order = change(make_order(Stage.WORKING), Cause.TRADE, fill=make_fill("4"))
    order = change(order, Cause.CANCELED, stage=Stage.CANCELED)
    assert order.leaves_quantity == 6


def test_average_price_is_weighted_and_zero_while_unfilled() -> None:
    order = make_order(Stage.WORKING)
    assert order.average_price == 0
    order = change(order, Cause.TRADE, fill=make_fill("1", "99"))
    order = change(order, Cause.TRADE, fill=make_fill("2", "100.5", trade_id="t2"))
    assert order.average_price == 100


# ── doubt, pending, what is owed ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cause", "fields", "is_still_in_doubt"),
    [
        (Cause.ROUTED, {"stage": Stage.ROUTED}, False),
        (Cause.WORKING, {"stage": Stage.WORKING}, False),
        (Cause.CANCELED, {"stage": Stage.CANCELED}, False),
        (Cause.REJECTED, {"stage": Stage.REJECTED}, False),
        (Cause.EXPIRED, {"stage": Stage.EXPIRED}, False),
        (Cause.TRADE, {"fill": make_fill("1")}, False),
        (Cause.TRADE, {"fill": make_fill("10")}, False),
        (Cause.DOUBT_ENDED, {}, False),
        (Cause.RESOLVED, {}, False),
        (Cause.CANCEL_REQUESTED, {}, True),
        (Cause.CANCEL_ENDED, {}, True),
        (Cause.IDENTIFIED, {"exchange_order_id": "X1"}, True),
        (Cause.CLOSED, {"closed_quantity": Decimal(1)}, True),
        (Cause.ATTENTION, {"attention": "look"}, True),
    ],
)
def test_what_ends_a_doubt(
    cause: Cause, fields: dict[str, object], is_still_in_doubt: bool
) -> None:
    doubted = change(make_order(Stage.ROUTING), Cause.IN_DOUBT)
    assert doubted.in_doubt_ns == START_NS + 2 * SECOND_NS
    after = change(doubted, cause, **fields)
    assert (after.in_doubt_ns is not None) is is_still_in_doubt
    if is_still_in_doubt:
        assert after.in_doubt_ns == doubted.in_doubt_ns


def test_a_partial_fill_leaves_a_revived_order_in_doubt_and_the_last_one_does_not() -> None:
    revived = change(make_order(Stage.REJECTED), Cause.REVIVED)
    partly = change(revived, Cause.TRADE, fill=make_fill("4"))
    assert (partly.stage, partly.in_doubt_ns is not None) == (Stage.REJECTED, True)
    filled = change(partly, Cause.TRADE, fill=make_fill("6", trade_id="t2"))
    assert (filled.stage, filled.in_doubt_ns) == (Stage.FILLED, None)


@pytest.mark.parametrize(
    ("cause", "fields", "is_still_pending"),
    [
        (Cause.CANCELED, {"stage": Stage.CANCELED}, False),
        (Cause.REJECTED, {"stage": Stage.REJECTED}, False),
        (Cause.EXPIRED, {"stage": Stage.EXPIRED}, False),
        (Cause.CANCEL_ENDED, {}, False),
        (Cause.TRADE, {"fill": make_fill("1")}, True),
        (Cause.TRADE, {"fill": make_fill("10")}, True),
        (Cause.CANCEL_REQUESTED, {}, True),
        (Cause.ATTENTION, {"attention": "look"}, True),
    ],
)
def test_what_ends_a_pending_cancel(
    cause: Cause, fields: dict[str, object], is_still_pending: bool
) -> None:
    pending = change(make_order(Stage.WORKING), Cause.CANCEL_REQUESTED)
    assert status(pending) is Status.PENDING_CANCEL
    assert change(pending, cause, **fields).cancel_pending is is_still_pending


def test_settled_means_final_with_nothing_open_and_every_reported_fill_booked() -> None:
    working = make_order(Stage.WORKING)
    assert not working.is_settled
    assert change(working, Cause.CANCELED, stage=Stage.CANCELED).is_settled
    owed = change(
        working, Cause.CANCELED, stage=Stage.CANCELED, closed_quantity=Decimal(3)
    )  # fmt: skip
    assert missing_quantity(owed)
    assert not owed.is_settled
    paid = change(owed, Cause.TRADE, fill=make_fill("3"))
    assert not missing_quantity(paid)
    assert paid.is_settled
    pending = change(working, Cause.CANCEL_REQUESTED)
    filled = change(pending, Cause.TRADE, fill=make_fill("10"))
    assert not filled.is_settled
    assert change(filled, Cause.CANCEL_ENDED).is_settled
    assert not change(make_order(Stage.REJECTED), Cause.REVIVED).is_settled


def test_what_a_report_does_not_name_stays_as_it_was() -> None:
    order = change(
        make_order(Stage.ROUTING),
        Cause.REJECTED,
        stage=Stage.REJECTED,
        exchange_order_id="X1",
        closed_quantity=Decimal(0),
        reason=Reason.EXCHANGE,
        error_message="no",
        attention="look",
    )
    after = change(order, Cause.IDENTIFIED)
    assert (after.exchange_order_id, after.closed_quantity) == ("X1", 0)
    assert (after.reason, after.error_message, after.attention) == (Reason.EXCHANGE, "no", "look")


# ── any life ─────────────────────────────────────────────────────────────────────────────────────

QUANTITIES = st.integers(1, 120).map(lambda tenths: Decimal(tenths) / 10)
PLAIN_CAUSES = [
    Cause.CANCEL_REQUESTED, Cause.CANCEL_ENDED, Cause.IN_DOUBT, Cause.DOUBT_ENDED, Cause.REVIVED,
    Cause.IDENTIFIED, Cause.ATTENTION,
]  # fmt: skip
STEPS = st.one_of(
    QUANTITIES.map(lambda quantity: (Cause.TRADE, {"fill": make_fill(str(quantity))})),
    st.sampled_from(list(CAUSE_OF)).map(lambda stage: (CAUSE_OF[stage], {"stage": stage})),
    st.sampled_from(PLAIN_CAUSES).map(lambda cause: (cause, {})),
    QUANTITIES.map(lambda quantity: (Cause.CLOSED, {"closed_quantity": quantity})),
)


def may_step(order: Order, cause: Cause, fields: dict[str, object]) -> bool:
    """Whether the engine would make this report: what `apply` leaves to its caller to know."""
    if cause is Cause.REVIVED:
        return order.stage is Stage.REJECTED
    if cause is Cause.TRADE:
        return order.stage is not Stage.REJECTED or order.in_doubt_ns is not None
    if cause is Cause.REJECTED:  # an order that has filled is not rejected any more
        return not order.quantity_filled
    return cause is not Cause.RESOLVED  # nobody declares an order filled; fills do


@given(steps=st.lists(STEPS, max_size=30))
def test_any_life_keeps_what_must_hold(steps: list[tuple[Cause, dict[str, object]]]) -> None:
    order = change(make_order(), Cause.ROUTING, stage=Stage.ROUTING)
    for cause, fields in steps:
        if not may_step(order, cause, fields):
            continue
        before = order
        try:
            order = change(order, cause, **fields)
        except IllegalChange:
            assert MOVES[before.stage, fields["stage"]] is not Verdict.MOVE
            continue
        assert order.quantity_filled == sum(fill.quantity for fill in order.fills)
        assert order.notional_filled == sum(fill.price * fill.quantity for fill in order.fills)
        assert (order.stage is Stage.FILLED) == (order.quantity_filled >= order.quantity)
        assert order.leaves_quantity == max(0, order.quantity - order.quantity_filled)
        if before.stage is Stage.FILLED:
            assert order.stage is Stage.FILLED
        assert order.sequence == before.sequence + 1
        assert order.status_history[-1][0] is status(order)
        assert order.status_history[: len(before.status_history)] == before.status_history
        times = [time_ns for _, time_ns in order.status_history]
        assert times == sorted(times)
        shown = [name for name, _ in order.status_history]
        for earlier, later in pairwise(shown):
            assert later in MAY_BECOME[earlier], shown
