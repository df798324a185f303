"""The order state machine: one table, and the one function that applies a report to an order.

A stage may move only where `MOVES` says so. News that is true but old (`STALE`) is for the caller to
ignore; everything else is illegal, raises, and changes nothing. Fills are facts: they count from any
stage, and the stage follows the quantities.

The table, read as "an order in (row) hears that it is (column)":

                ROUTING  ROUTED   WORKING  FILLED   CANCELED REJECTED EXPIRED
    RECEIVED    move     -        -        -        move     move     -
    ROUTING     -        move     move     move     move     move     move
    ROUTED      -        stale    move     move     move     move     move
    WORKING     -        stale    stale    move     move     move     move
    FILLED      -        stale    stale    stale    stale    stale    stale
    CANCELED    -        stale    stale    move     stale    stale    stale
    REJECTED    -        revive   revive   move     revive   stale    revive
    EXPIRED     -        stale    stale    move     stale    stale    stale

`revive`: an order thought never to have reached the exchange, and it had. It becomes in doubt again
and may then move to CANCELED, EXPIRED or FILLED.
"""

from enum import Enum

import msgspec

from fairlead.core.model import ZERO, Order, Stage, Status
from fairlead.core.reports import Cause, OrderReport


class Verdict(Enum):
    """What the table says of a piece of news."""

    MOVE = "move"
    STALE = "stale"
    REVIVE = "revive"
    ILLEGAL = "-"


class IllegalChange(Exception):
    """A report that the table forbids; the order is unchanged."""


_COLUMNS = (
    Stage.ROUTING, Stage.ROUTED, Stage.WORKING, Stage.FILLED,
    Stage.CANCELED, Stage.REJECTED, Stage.EXPIRED,
)  # fmt: skip
_M, _S, _R, _I = Verdict.MOVE, Verdict.STALE, Verdict.REVIVE, Verdict.ILLEGAL
_ROWS = {
    Stage.RECEIVED: (_M, _I, _I, _I, _M, _M, _I),
    Stage.ROUTING:  (_I, _M, _M, _M, _M, _M, _M),
    Stage.ROUTED:   (_I, _S, _M, _M, _M, _M, _M),
    Stage.WORKING:  (_I, _S, _S, _M, _M, _M, _M),
    Stage.FILLED:   (_I, _S, _S, _S, _S, _S, _S),
    Stage.CANCELED: (_I, _S, _S, _M, _S, _S, _S),
    Stage.REJECTED: (_I, _R, _R, _M, _R, _S, _R),
    Stage.EXPIRED:  (_I, _S, _S, _M, _S, _S, _S),
}  # fmt: skip

MOVES: dict[tuple[Stage, Stage], Verdict] = {
    (row, column): verdict
    for row, verdicts in _ROWS.items()
    for column, verdict in zip(_COLUMNS, verdicts, strict=True)
}

# Causes that end a doubt: the exchange, or an operator, has spoken about this order.
_ENDS_DOUBT = frozenset({
    Cause.ROUTED, Cause.WORKING, Cause.CANCELED, Cause.REJECTED, Cause.EXPIRED,
    Cause.DOUBT_ENDED, Cause.RESOLVED,
})  # fmt: skip
_ENDS_CANCEL = frozenset({Cause.CANCELED, Cause.REJECTED, Cause.EXPIRED, Cause.CANCEL_ENDED})
_IN_BOOK = frozenset({Status.NEW, Status.PARTIALLY_FILLED})
_BEFORE_WORKING = frozenset({Stage.RECEIVED, Stage.ROUTING, Stage.ROUTED})


def judge(order: Order, stage: Stage) -> Verdict:
    """Say what hearing that `order` is in `stage` amounts to."""
    if stage is Stage.RECEIVED:
        return Verdict.ILLEGAL
    verdict = MOVES[order.stage, stage]
    if verdict is not Verdict.REVIVE or order.in_doubt_ns is None:
        return verdict
    return Verdict.MOVE if stage.is_final else Verdict.STALE


def status_of(stage: Stage, is_filled_partly: bool, is_cancel_pending: bool) -> Status:
    """Return the status of the wire contract (2.1); PENDING_CANCEL only shows in the book."""
    if stage is Stage.WORKING:
        if is_cancel_pending:
            return Status.PENDING_CANCEL
        return Status.PARTIALLY_FILLED if is_filled_partly else Status.NEW
    return _STATUS_OF_STAGE[stage]


_STATUS_OF_STAGE = {
    Stage.RECEIVED: Status.RECEIVED,
    Stage.ROUTING: Status.ROUTING,
    Stage.ROUTED: Status.ROUTED,
    Stage.FILLED: Status.FILLED,
    Stage.CANCELED: Status.CANCELED,
    Stage.EXPIRED: Status.CANCELED,
    Stage.REJECTED: Status.REJECTED,
}


def status(order: Order) -> Status:
    """Return the order's status as the wire contract shows it."""
    return status_of(order.stage, order.quantity_filled > ZERO, order.cancel_pending)


def apply(order: Order | None, report: OrderReport) -> Order:
    """Return the order after `report`.

    Raises IllegalChange, changing nothing, when there is no such order (or already one, for a report
    that opens it) or when the table forbids the stage.
    """
    if report.opened is not None:
        if order is not None:
            raise IllegalChange(f"order {report.number} is opened twice")
        return _opened(report.opened, report)
    if order is None:
        raise IllegalChange(
            f"report {report.cause} about order {report.number}, which was never opened"
        )
    cause = report.cause
    stage = order.stage
    if report.stage is not None:
        if judge(order, report.stage) is not Verdict.MOVE:
            raise IllegalChange(f"order {order.number} is {stage} and cannot become {report.stage}")
        stage = report.stage
    quantity_filled, notional_filled, fills = (
        order.quantity_filled,
        order.notional_filled,
        order.fills,
    )
    if report.fill is not None:
        fill = report.fill
        quantity_filled += fill.quantity
        notional_filled += fill.price * fill.quantity
        fills = (*fills, fill)
        stage = _stage_after_fill(order, quantity_filled >= order.quantity)
    in_doubt_ns = _in_doubt_after(order, cause, stage, report.time_ns)
    cancel_pending = cause is Cause.CANCEL_REQUESTED or (
        order.cancel_pending and cause not in _ENDS_CANCEL
    )
    status_history = order.status_history
    shown = status_of(stage, quantity_filled > ZERO, cancel_pending)
    if shown is not status_history[-1][0]:
        if shown is Status.PENDING_CANCEL and status_history[-1][0] not in _IN_BOOK:
            # The cancel went out before the order was in the book: it was there before it was pending.
            in_book = status_of(stage, quantity_filled > ZERO, False)
            status_history = (*status_history, (in_book, report.time_ns))
        status_history = (*status_history, (shown, report.time_ns))
    return msgspec.structs.replace(
        order,
        stage=stage,
        exchange_order_id=report.exchange_order_id or order.exchange_order_id,
        cancel_pending=cancel_pending,
        in_doubt_ns=in_doubt_ns,
        quantity_filled=quantity_filled,
        notional_filled=notional_filled,
        closed_quantity=order.closed_quantity
        if report.closed_quantity is None
        else report.closed_quantity,
        reason=order.reason if report.reason is None else report.reason,
        error_message=order.error_message if report.error_message is None else report.error_message,
        attention=order.attention if report.attention is None else report.attention or None,
        status_history=status_history,
        sequence=report.sequence,
        fills=fills,
    )


def _opened(opened: Order, report: OrderReport) -> Order:
    """Return the order that `report` opens; with a stage, it has moved there in the same moment."""
    history: tuple[tuple[Status, int], ...] = ((status(opened), report.time_ns),)
    stage = opened.stage
    if report.stage is not None:
        if judge(opened, report.stage) is not Verdict.MOVE:
            raise IllegalChange(
                f"order {report.number} is {stage} and cannot become {report.stage}"
            )
        stage = report.stage
        history = (*history, (status_of(stage, False, False), report.time_ns))
    return msgspec.structs.replace(
        opened, sequence=report.sequence, stage=stage, status_history=history
    )


def missing_quantity(order: Order) -> bool:
    """Whether the exchange reported the order closed with more filled than our fills add up to."""
    return order.closed_quantity is not None and order.quantity_filled < order.closed_quantity


def _stage_after_fill(order: Order, is_complete: bool) -> Stage:
    if is_complete:
        return Stage.FILLED
    return Stage.WORKING if order.stage in _BEFORE_WORKING else order.stage


def _in_doubt_after(order: Order, cause: Cause, stage: Stage, time_ns: int) -> int | None:
    if cause is Cause.IN_DOUBT or cause is Cause.REVIVED:
        return time_ns
    if order.in_doubt_ns is None or cause in _ENDS_DOUBT or stage is Stage.FILLED:
        return None
    if cause is Cause.TRADE and stage is not Stage.REJECTED:
        return None
    return order.in_doubt_ns
