"""Orders whose outcome is unknown: asking the exchange until it is known, never guessing.

"Not found" is believed only when asked after the request can no longer arrive, and more than once.
"""

from fairlead.core.account import Account
from fairlead.core.deciding import MS, Deciding, Flight
from fairlead.core.model import ZERO, Order, Reason, Stage
from fairlead.core.order import missing_quantity
from fairlead.core.replies import Refusal, Refused
from fairlead.core.reports import Cause
from fairlead.core.timing import TimerKind
from fairlead.core.venue_messages import VenueNotFound, VenueQuery

NEVER_REACHED = "never reached the exchange"


def delay_ms(attempt: int, first_ms: int, longest_ms: int) -> int:
    """Return the delay before attempt `attempt` (from 0): doubling from `first_ms`, bounded."""
    return int(min(first_ms << min(attempt, 20), longest_ms))


def doubt(deciding: Deciding, order: Order) -> Order:
    """Put `order` in doubt and begin asking at once."""
    order = deciding.report(order, Cause.IN_DOUBT)
    flight = deciding.flight(order.number)
    flight.asks = 0
    flight.not_found = 0
    ask(deciding, order)
    return order


def ask(deciding: Deciding, order: Order) -> None:
    """Ask the exchange what became of `order`, and again later while it stays unsettled."""
    flight = deciding.flight(order.number)
    settings = deciding.settings
    # At 0, 0.25, 0.5, 1, 2, 4 s …: each time as long after the first as all before it took.
    attempt = max(0, flight.asks - 1)
    wait_ms = delay_ms(attempt, settings.ask_delay_ms, settings.ask_delay_longest_ms)
    flight.asks += 1
    flight.ask_due_ns = deciding.timer(TimerKind.ASK, order, wait_ms)
    account = deciding.accounts[order.account]
    if account.is_connected and _can_ask(account, order):
        request_id = deciding.request_id()
        flight.asked[request_id] = deciding.now.steady_ns
        deciding.ask_venue(
            VenueQuery(
                account=order.account,
                request_id=request_id,
                number=order.number,
                symbol_exchange=order.symbol_exchange,
                venue_client_id=order.venue_client_id,
                exchange_order_id=order.exchange_order_id,
            )
        )


def ask_due(deciding: Deciding, order: Order) -> None:
    """The time to ask again has come, if nothing was heard meanwhile."""
    flight = deciding.flights.get(order.number)
    if flight is None or flight.ask_due_ns is None or flight.ask_due_ns > deciding.now.steady_ns:
        return
    flight.ask_due_ns = None
    if order.in_doubt_ns is not None or order.cancel_pending:
        ask(deciding, order)


def question_ended(deciding: Deciding, asked: VenueQuery) -> None:
    """A question has its answer, or will never have one."""
    flight = deciding.flights.get(asked.number)
    if flight is not None:
        flight.asked.pop(asked.request_id, None)


def answered(deciding: Deciding, order: Order) -> None:
    """The exchange spoke of `order`: stop asking unless it is still in doubt."""
    flight = deciding.flights.get(order.number)
    if flight is not None and order.in_doubt_ns is None:
        flight.ask_due_ns = None
        flight.asks = 0
        flight.not_found = 0


def not_found(deciding: Deciding, order: Order, news: VenueNotFound) -> None:
    """The exchange does not know `order`: believe it only late enough and often enough."""
    flight = deciding.flight(order.number)
    account = deciding.accounts[order.account]
    if order.stage.is_final and order.in_doubt_ns is None:
        return
    if order.in_doubt_ns is None:
        if order.stage is Stage.ROUTING:
            doubt(deciding, order)
        else:
            _hidden(deciding, order, news)
        return
    asked_ns = flight.asked.get(news.asked.request_id)
    if asked_ns is None or not is_believable(deciding, account, flight, asked_ns):
        return
    if order.quantity_filled > ZERO or order.stage not in (Stage.ROUTING, Stage.REJECTED):
        return
    if not _count_not_found(deciding, flight, asked_ns):
        return
    if order.stage is Stage.REJECTED:
        deciding.report(order, Cause.DOUBT_ENDED, closed_quantity=ZERO)
        return
    deciding.report(
        order,
        Cause.REJECTED,
        stage=Stage.REJECTED,
        closed_quantity=ZERO,
        reason=Reason.NEVER_REACHED,
        error_message=NEVER_REACHED,
    )


def shown_open(deciding: Deciding, order: Order) -> Order:
    """The exchange shows the order as open: that it did not know it needs no attention any more."""
    if order.attention is None or order.attention != _hidden_text(order):
        return order
    return deciding.report(order, Cause.ATTENTION, attention="")


def _hidden(deciding: Deciding, order: Order, news: VenueNotFound) -> None:
    """The exchange had the order and does not know it: that ends nothing, but an operator is told."""
    flight = deciding.flight(order.number)
    asked_ns = flight.asked.get(news.asked.request_id)
    if asked_ns is None or not _count_not_found(deciding, flight, asked_ns):
        return
    if order.attention is None:
        text = _hidden_text(order)
        deciding.alarm(deciding.accounts[order.account], "order_hidden", order.number, text)
        deciding.report(order, Cause.ATTENTION, attention=text)


def _hidden_text(order: Order) -> str:
    return (
        f"order {order.client_order_id} was at the exchange, which now does not know it;"
        " it counts as open until the exchange or an operator says otherwise"
    )


def _count_not_found(deciding: Deciding, flight: Flight, asked_ns: int) -> bool:
    """Count a "not found" that was asked for at `asked_ns`; say whether there were enough of them."""
    if flight.not_found and asked_ns < flight.not_found_ns + deciding.settings.ask_delay_ms * MS:
        return False  # asked in the same breath as the last one that counted
    flight.not_found += 1
    flight.not_found_ns = asked_ns
    return flight.not_found >= deciding.settings.not_found_count


def is_believable(deciding: Deciding, account: Account, flight: Flight, asked_ns: int) -> bool:
    """Whether "not found", asked for at `asked_ns`, comes after the order can no longer arrive."""
    if account.abilities is None or account.abilities.request_window_ms is None:
        return False
    window_ms = account.abilities.request_window_ms + deciding.settings.not_found_margin_ms
    return asked_ns >= flight.handed_ns + window_ms * MS


def await_fills(deciding: Deciding, order: Order) -> None:
    """The exchange reported more filled than we booked: fetch fills until they add up."""
    flight = deciding.flight(order.number)
    if flight.closed_ns is None and missing_quantity(order):
        flight.closed_ns = deciding.now.steady_ns
    if flight.settle_due_ns is None:
        _fetch_fills(deciding, order, flight)


def fills_complete(deciding: Deciding, order: Order) -> None:
    """Nothing that the exchange reported is missing: stop fetching."""
    flight = deciding.flights.get(order.number)
    if flight is not None:
        flight.settle_due_ns = None
        flight.closed_ns = None
        flight.settles = 0


def settle_due(deciding: Deciding, order: Order) -> None:
    """Fills were fetched a while ago: are they complete?"""
    flight = deciding.flights.get(order.number)
    if (
        flight is None
        or flight.settle_due_ns is None
        or flight.settle_due_ns > deciding.now.steady_ns
    ):
        return
    flight.settle_due_ns = None
    if not missing_quantity(order):
        return
    overdue_ns = deciding.settings.settle_deadline_ms * MS
    closed_ns = flight.closed_ns if flight.closed_ns is not None else deciding.now.steady_ns
    if order.attention is None and deciding.now.steady_ns - closed_ns >= overdue_ns:
        text = (
            f"order {order.client_order_id} is closed at the exchange with"
            f" {order.closed_quantity:f} filled, of which only {order.quantity_filled:f} was reported"
        )
        deciding.alarm(deciding.accounts[order.account], "fills_missing", order.number, text)
        order = deciding.report(order, Cause.ATTENTION, attention=text)
    _fetch_fills(deciding, order, flight)


def _fetch_fills(deciding: Deciding, order: Order, flight: Flight) -> None:
    settings = deciding.settings
    wait_ms = delay_ms(flight.settles, settings.settle_delay_ms, settings.settle_delay_longest_ms)
    flight.settles += 1
    flight.settle_due_ns = deciding.timer(TimerKind.SETTLE, order, wait_ms)
    deciding.sweep(order.account)


def _can_ask(account: Account, order: Order) -> bool:
    if order.exchange_order_id is not None:
        return True
    return account.abilities is not None and account.abilities.query_by_client_id


def in_doubt_refusal(order: Order) -> Refused:
    """Return the 504: the order may or may not be at the exchange, and is being asked about."""
    return Refused(
        Refusal.IN_DOUBT,
        f"no answer from the exchange in time; order {order.client_order_id} is in doubt, is being"
        " resolved, and stays queryable under its client_order_id",
        order=order,
    )
