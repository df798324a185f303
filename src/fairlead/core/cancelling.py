"""Cancels: durable first, sent as soon as they can be, followed to their effect, bounded.

A refused cancel is news: it triggers a status and fills query, and only the order being found open
again leads to another attempt. A due GOOD_TILL_TIME_OMS cancel, and that of an order which appeared
after it was given up, is retried slowly until the order ends.
"""

from fairlead.core.account import Account
from fairlead.core.deciding import Deciding, Flight
from fairlead.core.doubt import ask, delay_ms
from fairlead.core.model import ZERO, Order, Stage, TimeInForce
from fairlead.core.placing import account_unknown
from fairlead.core.replies import CancelAllReply, OrderReply, Refusal, Refused
from fairlead.core.reports import Cause
from fairlead.core.requests import CancelAll, CancelOrder
from fairlead.core.timing import TimerKind
from fairlead.core.venue_messages import Outcome, VenueAnswer, VenueCancel


def cancel(deciding: Deciding, request: CancelOrder, token: int) -> None:
    """Answer a cancel with the order's last report once the wish is durable."""
    if request.account not in deciding.accounts:
        deciding.answer(token, account_unknown(request.account))
        return
    order = _find(deciding, request)
    if order is None:
        deciding.answer(token, _unknown(request))
        return
    deciding.answer(token, OrderReply(request_cancel(deciding, order)))


def cancel_all(deciding: Deciding, request: CancelAll, token: int) -> None:
    """Cancel every order of the account that is not final, in doubt or not."""
    if request.account not in deciding.accounts:
        deciding.answer(token, account_unknown(request.account))
        return
    count = 0
    for order in list(deciding.orders.of_account(request.account)):
        if is_alive(order):
            request_cancel(deciding, order)
            count += 1
    deciding.answer(token, CancelAllReply(count))


def is_alive(order: Order) -> bool:
    """Whether the order may still trade: not final, or final only as far as we were told."""
    return not order.stage.is_final or (
        order.stage is Stage.REJECTED and order.in_doubt_ns is not None
    )


def request_cancel(deciding: Deciding, order: Order) -> Order:
    """Make the wish to cancel durable and send it if it can be sent."""
    if not is_alive(order):
        return order
    if order.stage is Stage.RECEIVED:
        return deciding.report(order, Cause.CANCELED, stage=Stage.CANCELED, closed_quantity=ZERO)
    if order.cancel_pending:
        return order
    order = deciding.report(order, Cause.CANCEL_REQUESTED)
    deciding.flight(order.number).cancels = 0
    send_cancel(deciding, order)
    return order


def send_cancel(deciding: Deciding, order: Order) -> None:
    """Send a pending cancel where the exchange can be told which order is meant, else hold it."""
    flight = deciding.flight(order.number)
    flight.is_cancel_refused = False
    _wait_for_effect(deciding, order, flight)
    account = deciding.accounts[order.account]
    if not account.is_connected or not _can_name(account, order):
        return
    flight.cancels += 1
    deciding.ask_venue(
        VenueCancel(
            account=order.account,
            request_id=deciding.request_id(),
            number=order.number,
            symbol_exchange=order.symbol_exchange,
            venue_client_id=order.venue_client_id,
            exchange_order_id=order.exchange_order_id,
        )
    )


def cancel_answered(deciding: Deciding, order: Order, answer: VenueAnswer) -> None:
    """Take the exchange's answer to a cancel, after what it stated about the order."""
    if not order.cancel_pending:
        return
    if order.stage.is_final and order.in_doubt_ns is None:
        deciding.report(order, Cause.CANCEL_ENDED)
        return
    if answer.outcome is Outcome.NOT_SENT:
        return  # the timer sends it again
    if answer.retry_after_ms is not None:
        flight = deciding.flight(order.number)
        flight.cancels = max(0, flight.cancels - 1)
        flight.cancel_due_ns = deciding.timer(TimerKind.CANCEL, order, answer.retry_after_ms)
        return
    ask(deciding, order)
    if answer.outcome is Outcome.REFUSED:
        deciding.flight(order.number).is_cancel_refused = True
        deciding.sweep(order.account)


def found_open(deciding: Deciding, order: Order) -> None:
    """The exchange says that the order is open: a cancel that it refused may be sent again."""
    flight = deciding.flights.get(order.number)
    if flight is not None:
        flight.is_cancel_refused = False


def cancel_due(deciding: Deciding, order: Order) -> None:
    """A cancel has had time to work and has not: try again, or give up and tell an operator."""
    flight = deciding.flights.get(order.number)
    if (
        flight is None
        or not order.cancel_pending
        or flight.cancel_due_ns is None
        or flight.cancel_due_ns > deciding.now.steady_ns
    ):
        return
    if order.stage.is_final and order.in_doubt_ns is None:
        deciding.report(order, Cause.CANCEL_ENDED)
        return
    if flight.cancels >= deciding.settings.cancel_attempts_most and not _must_end(deciding, order):
        _give_up(deciding, order, flight)
    elif flight.is_cancel_refused:
        _ask_instead(deciding, order, flight)
    else:
        send_cancel(deciding, order)


def is_unsure(order: Order) -> bool:
    """Whether the exchange may not have the order yet, so that a cancel can be too early for it."""
    return order.stage is Stage.ROUTING or order.in_doubt_ns is not None


def doubt_ended(deciding: Deciding, order: Order, was_unsure: bool) -> None:
    """The exchange has the order: a cancel that was held, or came too early, goes out now."""
    if not order.cancel_pending or not is_alive(order):
        return
    flight = deciding.flight(order.number)
    if was_unsure or flight.cancels == 0:
        flight.cancels = 0
        send_cancel(deciding, order)


def expire_due(deciding: Deciding, order: Order) -> None:
    """The wall clock reached a GOOD_TILL_TIME_OMS order's time: cancel it, and keep at it."""
    if is_alive(order) and _is_expired(deciding, order):
        request_cancel(deciding, order)


def _wait_for_effect(deciding: Deciding, order: Order, flight: Flight) -> None:
    settings = deciding.settings
    wait_ms = delay_ms(flight.cancels, settings.cancel_delay_ms, settings.cancel_delay_longest_ms)
    flight.cancel_due_ns = deciding.timer(TimerKind.CANCEL, order, wait_ms)


def _ask_instead(deciding: Deciding, order: Order, flight: Flight) -> None:
    """The exchange refused the cancel and has not said why: another would say no more."""
    _wait_for_effect(deciding, order, flight)
    if order.in_doubt_ns is None:  # else it is being asked about, and the cancel waits for the end
        flight.cancels += 1
        ask(deciding, order)


def _give_up(deciding: Deciding, order: Order, flight: Flight) -> None:
    flight.cancel_due_ns = None
    if order.time_in_force is TimeInForce.GOOD_TILL_TIME_OMS and order.expire_time_ns is not None:
        deciding.wall_timer(TimerKind.EXPIRE, order, order.expire_time_ns)
    text = f"cancel of {order.client_order_id} had no effect after {flight.cancels} attempts"
    deciding.alarm(deciding.accounts[order.account], "cancel_failed", order.number, text)
    deciding.report(order, Cause.CANCEL_ENDED, attention=text)


def _must_end(deciding: Deciding, order: Order) -> bool:
    return order.in_doubt_ns is not None or _is_expired(deciding, order)


def _is_expired(deciding: Deciding, order: Order) -> bool:
    return (
        order.time_in_force is TimeInForce.GOOD_TILL_TIME_OMS
        and order.expire_time_ns is not None
        and order.expire_time_ns <= deciding.now.utc_ns
    )


def _can_name(account: Account, order: Order) -> bool:
    if order.exchange_order_id is not None:
        return True
    return account.abilities is not None and account.abilities.cancel_by_client_id


def _find(deciding: Deciding, request: CancelOrder) -> Order | None:
    if request.client_order_id is not None:
        return deciding.orders.by_client_id(request.account, request.client_order_id)
    assert request.exchange_order_id is not None
    return deciding.orders.by_exchange_id(request.account, request.exchange_order_id)


def _unknown(request: CancelOrder) -> Refused:
    if request.client_order_id is not None:
        field, value = "client_order_id", request.client_order_id
    else:
        field, value = "exchange_order_id", request.exchange_order_id or ""
    return Refused(
        Refusal.ORDER_UNKNOWN, f"{request.account} has no order with {field} {value}", field
    )
