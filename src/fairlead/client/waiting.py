"""What takes several calls, as conversations: each yields its next step and is told what came of it.

No IO and no clock: a transport makes the step and says the time, so that both clients wait alike. An
order is sent once; all that follows only asks.
"""

from collections.abc import Generator
from typing import TypeVar

import msgspec

from fairlead.client import calls
from fairlead.client.errors import (
    ClientError,
    NotFound,
    NotYet,
    OutcomeUnknown,
    Unavailable,
    Unreachable,
)
from fairlead.client.shapes import NewOrder, OrderReport

Result = TypeVar("Result")
_DELAY_S = 0.05
_DELAY_LONGEST_S = 1.0
_ASK_S_LEAST = 0.5  # a question is given at least this long, also at the deadline
_GONE_S_MAX = 30.0  # a system that cannot be reached for this long is not waited for any more


class Ask(msgspec.Struct, frozen=True):
    """Make this call, waiting at most so long for its answer (None: as the client is set)."""

    call: calls.Call[OrderReport]
    timeout_s: float | None


class Pause(msgspec.Struct, frozen=True):
    """Wait so long."""

    duration_s: float


class Heard(msgspec.Struct, frozen=True):
    """What came of a step, and the steady time now: of `Ask` exactly one of report and error."""

    now_s: float
    report: OrderReport | None = None
    error: ClientError | None = None


Conversation = Generator[Ask | Pause, Heard, Result]


def place_and_wait(order: NewOrder, wait_s: float, now_s: float) -> Conversation[OrderReport]:
    """Place `order` once; when no answer comes, ask until it is known what became of it.

    Returns the report when nothing is in doubt any more. Raises NotDone when it was certainly not
    placed, OutcomeUnknown when it is not known after `wait_s`, with what was last heard.
    """
    deadline_s = now_s + wait_s
    heard = yield Ask(calls.place(order), wait_s)
    if heard.report is not None and heard.report.is_answered:
        return heard.report
    if heard.error is not None and not isinstance(heard.error, OutcomeUnknown):
        raise heard.error
    last, cause = heard.report, str(heard.error or "the exchange has not answered")
    status = calls.status(order.client_order_id, order.exchange_id)
    delay_s = _DELAY_S
    while True:
        heard = yield Ask(status, max(_ASK_S_LEAST, deadline_s - heard.now_s))
        if heard.report is not None:
            last = heard.report
            if last.is_answered:
                return last
        left_s = deadline_s - heard.now_s
        if left_s <= 0 or not _may_change(heard.error):
            raise _unknown(order, cause, last, heard.error)
        heard = yield Pause(min(delay_s, left_s))
        delay_s = min(2 * delay_s, _DELAY_LONGEST_S)


def wait_until_final(
    client_order_id: str, exchange_id: str | None, wait_s: float | None, now_s: float
) -> Conversation[OrderReport]:
    """Ask until the order is final and nothing about it is in doubt; `wait_s` None: however long.

    Raises NotYet with the last report after `wait_s`; NotFound when there is no such order; whatever
    else the system refuses; Unreachable when it was gone for half a minute, or at the deadline.
    """
    deadline_s = None if wait_s is None else now_s + wait_s
    status = calls.status(client_order_id, exchange_id)
    last: OrderReport | None = None
    heard_s, delay_s = now_s, _DELAY_S
    while True:
        left_s = None if deadline_s is None else max(_ASK_S_LEAST, deadline_s - now_s)
        heard = yield Ask(status, left_s)
        now_s = heard.now_s
        if heard.report is not None:
            last, heard_s = heard.report, now_s
            if last.is_final:
                return last
        is_over = deadline_s is not None and now_s >= deadline_s
        if heard.error is not None and (
            is_over or not _may_pass(heard.error) or now_s - heard_s > _GONE_S_MAX
        ):
            raise heard.error
        if is_over:
            assert last is not None
            doubt = ", in doubt" if last.in_doubt else ""
            text = f"order {client_order_id} is not final after {wait_s:g} s: {last.status}{doubt}"
            raise NotYet(text, last)
        left_s = delay_s if deadline_s is None else min(delay_s, deadline_s - now_s)
        now_s = (yield Pause(left_s)).now_s
        delay_s = min(2 * delay_s, _DELAY_LONGEST_S)


def _may_pass(error: ClientError) -> bool:
    return isinstance(error, Unreachable | Unavailable)


def _may_change(error: ClientError | None) -> bool:
    """Whether asking again may bring more; an order that is not there may still arrive."""
    return error is None or isinstance(error, NotFound) or _may_pass(error)


def _unknown(
    order: NewOrder, cause: str, last: OrderReport | None, error: ClientError | None
) -> OutcomeUnknown:
    name = f"order {order.client_order_id} of {order.exchange_id}"
    if last is None:
        now = f"the status of {name} is unknown too: {error}"
        if isinstance(error, NotFound):
            now = f"{name} is not known there and may still arrive"
    elif error is not None:
        doubt = ", in doubt," if last.in_doubt else ""
        now = f"{name} was {last.status}{doubt} when last heard of, and now: {error}"
    elif last.in_doubt:
        now = f"{name} is in doubt: the exchange has not said whether it has it"
    else:
        now = f"{name} is {last.status}, the exchange has not answered"
    return OutcomeUnknown(
        f"{cause}; {now}",
        client_order_id=order.client_order_id,
        exchange_id=order.exchange_id,
        report=last,
    )
