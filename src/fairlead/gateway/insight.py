"""What an order's checks say and what became of it, report by report: values → shapes.

Ours, beside the contract: `POST /v1/orders/check` and `GET /v1/orders/story/{client_order_id}`.
"""

from collections.abc import Iterable, Iterator

from msgspec import UNSET

from fairlead.control.key_text import hidden
from fairlead.core.model import Order
from fairlead.core.order import apply, status
from fairlead.core.replies import Check, CheckName, CheckResult, Refusal
from fairlead.core.reports import OrderReport
from fairlead.core.requests import CheckOrder
from fairlead.gateway import shapes
from fairlead.gateway.rendering import fill_shape, number
from fairlead.gateway.times import time_text
from fairlead.gateway.wrong import FormError

_OK = 200
STATUSES: dict[Refusal, int] = {
    Refusal.ACCOUNT_UNKNOWN: 490, Refusal.ACCOUNT_UNAVAILABLE: 490,
    Refusal.INVALID: 400, Refusal.NOT_SUPPORTED: 400,
    Refusal.CONFLICT: 409, Refusal.IN_DOUBT: 504,
    Refusal.ORDER_UNKNOWN: 404, Refusal.OVERLOADED: 503,
}  # fmt: skip


def checked(request: CheckOrder, checks: Iterable[Check]) -> shapes.OrderChecks:
    """Return every check, the form's first, which has passed."""
    rows = [_row(CheckName.FORM, CheckResult.PASSED), *(_check(check) for check in checks)]
    return _checks(request.account, request.order.client_order_id, rows)


def malformed(error: FormError) -> shapes.OrderChecks:
    """Return the checks of a request that has not even the form; no other is reached."""
    rows = [_row(CheckName.FORM, CheckResult.FAILED, 400, str(error))]
    others = (name for name in CheckName if name is not CheckName.FORM)
    rows += [_row(name, CheckResult.NOT_REACHED) for name in others]
    return _checks(None, None, rows)


def _checks(
    account: str | None, client_order_id: str | None, rows: list[shapes.OrderCheck]
) -> shapes.OrderChecks:
    would_be_sent = all(row.result is CheckResult.PASSED for row in rows)
    return shapes.OrderChecks(account, client_order_id, would_be_sent, rows)


def _check(check: Check) -> shapes.OrderCheck:
    if check.result is not CheckResult.FAILED:
        return _row(check.name, check.result)
    answer = _OK if check.refusal is None else STATUSES[check.refusal]
    return _row(check.name, check.result, answer, hidden(check.text))


def _row(
    name: CheckName,
    result: CheckResult,
    answer_status: int | None = None,
    message: str | None = None,
) -> shapes.OrderCheck:
    return shapes.OrderCheck(name, result, answer_status, message)


def story(
    order: Order, rendered: shapes.OrderExecutionReport, reports: Iterable[OrderReport]
) -> shapes.OrderStory:
    """Return the order and every report about it, with the time each took after the one before."""
    return shapes.OrderStory(order.account, order.client_order_id, rendered, list(_told(reports)))


def _told(reports: Iterable[OrderReport]) -> Iterator[shapes.StoryReport]:
    order: Order | None = None
    first_ns = before_ns = None
    for report in reports:
        order = apply(order, report)
        first_ns = report.time_ns if first_ns is None else first_ns
        before_ns = report.time_ns if before_ns is None else before_ns
        yield shapes.StoryReport(
            sequence=report.sequence,
            time=time_text(report.time_ns),
            after_ns=report.time_ns - first_ns,
            hop_ns=report.time_ns - before_ns,
            cause=report.cause,
            status=status(order),
            in_doubt=order.in_doubt_ns is not None,
            amount_filled=number(order.quantity_filled),
            exchange_order_id=report.exchange_order_id or UNSET,
            fill=UNSET if report.fill is None else fill_shape(report.fill),
            amount_closed=UNSET
            if report.closed_quantity is None
            else number(report.closed_quantity),
            reason=report.reason or UNSET,
            error_message=report.error_message or UNSET,
            attention=report.attention or UNSET,
        )
        before_ns = report.time_ns
