"""What the exchange says of orders: each report turned into what it changes here, or into a question.

Old news is ignored, a fill always counts, and a contradiction raises an alarm and a question rather
than a guess.
"""

from decimal import Decimal

from fairlead.core import orphans
from fairlead.core.account import Account
from fairlead.core.adopting import adopt
from fairlead.core.cancelling import (
    cancel_answered,
    doubt_ended,
    found_open,
    is_alive,
    is_unsure,
    request_cancel,
)
from fairlead.core.deciding import Deciding
from fairlead.core.doubt import (
    answered,
    ask,
    await_fills,
    fills_complete,
    not_found,
    question_ended,
    shown_open,
)
from fairlead.core.model import (
    Fill,
    Order,
    Origin,
    Reason,
    Stage,
)
from fairlead.core.order import Verdict, judge, missing_quantity
from fairlead.core.placing import place_answered
from fairlead.core.reports import Cause
from fairlead.core.unit import TradeKey
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueCancel,
    VenueFill,
    VenueFillsListed,
    VenueNotFound,
    VenueOpenOrdersListed,
    VenueOrder,
    VenueOrderState,
    VenuePlace,
    VenueQuery,
)

_STAGES = {
    VenueOrderState.OPEN: Stage.WORKING,
    VenueOrderState.FILLED: Stage.FILLED,
    VenueOrderState.CANCELED: Stage.CANCELED,
    VenueOrderState.REJECTED: Stage.REJECTED,
    VenueOrderState.EXPIRED: Stage.EXPIRED,
}
_CAUSES = {
    Stage.WORKING: Cause.WORKING,
    Stage.CANCELED: Cause.CANCELED,
    Stage.REJECTED: Cause.REJECTED,
    Stage.EXPIRED: Cause.EXPIRED,
}

_MADE_THERE = frozenset({Reason.LIQUIDATION, Reason.AUTO_DELEVERAGING})


def answer_heard(deciding: Deciding, _: Account, news: VenueAnswer) -> None:
    """A request to the exchange ended."""
    request = news.request
    if type(request) is VenuePlace:
        order = deciding.orders.get(request.number)
        if order is not None:
            _place_answer_heard(deciding, order, news)
    elif isinstance(request, VenueCancel):
        order = deciding.orders.get(request.number)
        if order is not None:
            cancel_answered(deciding, order, news)
    elif isinstance(request, VenueQuery):
        question_ended(deciding, request)


def _place_answer_heard(deciding: Deciding, order: Order, news: VenueAnswer) -> None:
    if news.outcome is Outcome.DONE:
        assert news.exchange_order_id is not None
        if order.exchange_order_id not in (None, news.exchange_order_id):
            _alarm_doubled(deciding, order, news.exchange_order_id)
            return
        if judge(order, Stage.ROUTED) is Verdict.REVIVE:
            _revive(deciding, order, news.exchange_order_id)
            return
        if order.stage is not Stage.ROUTING:
            _identify(deciding, order, news.exchange_order_id)
            return
    was_unsure = is_unsure(order)
    order = place_answered(deciding, order, news)
    if order.in_doubt_ns is None:
        answered(deciding, order)
        doubt_ended(deciding, order, was_unsure)


def not_found_heard(deciding: Deciding, account: Account, news: VenueNotFound) -> None:
    """Take "no such order" for what it is worth."""
    order = deciding.orders.get(news.asked.number)
    if order is not None:
        not_found(deciding, order, news)
        return
    made = orphans.not_found(deciding, account, news.asked)
    if made is not None:
        order_heard(deciding, account, made)


def order_heard(deciding: Deciding, account: Account, news: VenueOrder) -> None:
    """The exchange's word on one order, whoever asked for it."""
    order = _known(deciding, account, news)
    if order is not None and order.exchange_order_id not in (None, news.exchange_order_id):
        _alarm_doubled(deciding, order, news.exchange_order_id)
        order = None  # the second one is followed as a stranger's
    if order is None:
        order = adopt(deciding, account, news)
        if order is None:
            return
        if news.asked is not None:
            account.sweeps.found.orders_adopted += 1
    if order.stage is Stage.RECEIVED:
        _alarm_impossible(deciding, order, news)
        return
    was_unsure = is_unsure(order)
    if news.state is VenueOrderState.FILLED:
        order = _closed_by_fills(deciding, order, news)
    else:
        order = _moved(deciding, order, news)
    order = _book_orphans(deciding, account, order)
    if news.quantity_filled > order.quantity_filled:
        await_fills(deciding, order)
    answered(deciding, order)
    if news.state is VenueOrderState.OPEN:
        order = shown_open(deciding, order)
        found_open(deciding, order)
    if order.in_doubt_ns is None:
        doubt_ended(deciding, order, was_unsure)


def open_orders_listed(deciding: Deciding, account: Account, news: VenueOpenOrdersListed) -> None:
    """Take every order the exchange lists as open; those it does not list are asked about."""
    next_number = deciding.next_number
    for order in news.orders:
        order_heard(deciding, account, order)
    account.sweeps.found.orders_adopted += deciding.next_number - next_number


def fills_listed(deciding: Deciding, account: Account, news: VenueFillsListed) -> None:
    """Book every fill of a page that was not booked yet."""
    booked_count = len(deciding.unit.booked)
    for fill in news.fills:
        fill_heard(deciding, account, fill)
    account.sweeps.found.fills_booked += len(deciding.unit.booked) - booked_count


def _known(deciding: Deciding, account: Account, news: VenueOrder | VenueFill) -> Order | None:
    order = deciding.orders.by_exchange_id(
        account.name, news.exchange_order_id, news.symbol_exchange
    )
    if order is None and news.venue_client_id:
        order = deciding.orders.by_venue_client_id(account.name, news.venue_client_id)
        if (
            order is not None
            and order.origin is Origin.EXTERNAL
            and order.exchange_order_id != news.exchange_order_id
        ):
            return None  # exchanges let strangers use a client id again
    return order


def _moved(deciding: Deciding, order: Order, news: VenueOrder) -> Order:
    """Move the order's stage as far as the news says and the table allows."""
    stage = _STAGES[news.state]
    if stage is Stage.REJECTED and (order.quantity_filled or news.quantity_filled):
        stage = Stage.CANCELED  # what has filled was not rejected
    verdict = judge(order, stage)
    closed = None if news.state is VenueOrderState.OPEN else news.quantity_filled
    if verdict is Verdict.REVIVE:
        order = _revive(deciding, order, news.exchange_order_id)
        if stage is Stage.WORKING:
            return order
        verdict = judge(order, stage)
    if verdict is Verdict.MOVE:
        is_told_why = _tells_why(order, stage, news)
        return deciding.report(
            order,
            _CAUSES[stage],
            stage=stage,
            exchange_order_id=news.exchange_order_id,
            closed_quantity=closed,
            reason=Reason.EXCHANGE if is_told_why else None,
            error_message=news.text if is_told_why else None,
        )
    return _same_stage(deciding, order, news, closed)


def _tells_why(order: Order, stage: Stage, news: VenueOrder) -> bool:
    """Whether the news says why the exchange itself ended the order; what it made keeps its own reason."""
    if stage is Stage.REJECTED:
        return True
    return stage is not Stage.WORKING and bool(news.text) and order.reason not in _MADE_THERE


def _same_stage(
    deciding: Deciding, order: Order, news: VenueOrder, closed: Decimal | None
) -> Order:
    """The stage is old news; an id or a closing quantity may become known."""
    order = _identify(deciding, order, news.exchange_order_id)
    if closed is not None:
        return _close(deciding, order, news)
    if order.stage is Stage.CANCELED and order.reason is Reason.OPERATOR and not order.attention:
        text = f"order {order.client_order_id}, which an operator declared canceled, is open"
        deciding.alarm(deciding.accounts[order.account], "order_open", order.number, text)
        return deciding.report(order, Cause.ATTENTION, attention=text)
    return order


def _closed_by_fills(deciding: Deciding, order: Order, news: VenueOrder) -> Order:
    """The exchange says FILLED: our fills must come to the same before we do."""
    if order.stage is Stage.REJECTED and order.in_doubt_ns is None:
        order = _revive(deciding, order, news.exchange_order_id)
    elif order.stage is Stage.ROUTING:
        order = deciding.report(
            order, Cause.ROUTED, stage=Stage.ROUTED, exchange_order_id=news.exchange_order_id
        )
    order = _identify(deciding, order, news.exchange_order_id)
    return _end_short(deciding, _close(deciding, order, news), news.quantity_filled)


def _end_short(deciding: Deciding, order: Order, closed_quantity: Decimal | None) -> Order:
    """End an order that the exchange calls filled at less than we think was ordered.

    It was made smaller there; when every fill up to `closed_quantity` is booked, the rest is canceled.
    """
    if closed_quantity is None or order.quantity_filled < closed_quantity or not is_alive(order):
        return order
    return deciding.report(
        order, Cause.CANCELED, stage=Stage.CANCELED, closed_quantity=closed_quantity
    )


def _close(deciding: Deciding, order: Order, news: VenueOrder) -> Order:
    if order.closed_quantity is not None and order.closed_quantity >= news.quantity_filled:
        return order
    if order.closed_quantity is None and order.quantity_filled >= news.quantity_filled:
        return order  # nothing is missing; the stage says the rest
    return deciding.report(order, Cause.CLOSED, closed_quantity=news.quantity_filled)


def _identify(deciding: Deciding, order: Order, exchange_order_id: str) -> Order:
    if order.exchange_order_id is not None:
        return order
    return deciding.report(order, Cause.IDENTIFIED, exchange_order_id=exchange_order_id)


def _alarm_impossible(deciding: Deciding, order: Order, news: VenueOrder) -> None:
    text = f"the exchange says {news.state} of order {order.client_order_id}, which was never sent"
    deciding.alarm(deciding.accounts[order.account], "order_impossible", order.number, text)


def _alarm_doubled(deciding: Deciding, order: Order, exchange_order_id: str) -> None:
    text = (
        f"order {order.client_order_id} is {order.exchange_order_id} at the exchange,"
        f" which also has {exchange_order_id} under the same client id"
    )
    deciding.alarm(deciding.accounts[order.account], "order_doubled", order.number, text)


def _revive(deciding: Deciding, order: Order, exchange_order_id: str) -> Order:
    """An order that was declared dead is alive: say so loudly and cancel what is left at once."""
    text = f"order {order.client_order_id} was {order.error_message}, and is at the exchange"
    deciding.alarm(deciding.accounts[order.account], "order_revived", order.number, text)
    order = deciding.report(
        order, Cause.REVIVED, exchange_order_id=exchange_order_id, attention=text
    )
    deciding.flight(order.number).handed_ns = deciding.now.steady_ns
    order = request_cancel(deciding, order)
    ask(deciding, order)
    return order


def fill_heard(deciding: Deciding, account: Account, news: VenueFill) -> None:
    """An execution: booked once, on whatever order it belongs to, in whatever stage that is."""
    key = TradeKey(account.name, news.symbol_exchange, news.trade_id)
    if key in deciding.trades_known:
        return
    order = _known(deciding, account, news)
    if order is None or (order.exchange_order_id not in (None, news.exchange_order_id)):
        orphans.keep(deciding, account, news)
        return
    _book(deciding, account, order, key, news)


def _book(
    deciding: Deciding, account: Account, order: Order, key: TradeKey, news: VenueFill
) -> Order:
    if order.stage is Stage.REJECTED and order.in_doubt_ns is None:
        order = _revive(deciding, order, news.exchange_order_id)
    was_unsure = is_unsure(order)
    fill = Fill(
        news.trade_id, news.price, news.quantity, news.fee, account.asset(news.fee_asset_exchange),
        news.liquidity, news.time_ns, deciding.now.utc_ns, news.exchange_ordinal, news.realized,
    )  # fmt: skip
    order = deciding.book(order, key, fill, news.exchange_order_id)
    if order.quantity_filled > order.quantity:
        text = (
            f"order {order.client_order_id}: {order.quantity_filled:f} filled of {order.quantity:f}"
        )
        deciding.alarm(account, "order_overfilled", order.number, text)
    if not missing_quantity(order):
        fills_complete(deciding, order)
        if order.stage is not Stage.REJECTED:
            order = _end_short(deciding, order, order.closed_quantity)
    answered(deciding, order)
    if order.in_doubt_ns is None:
        doubt_ended(deciding, order, was_unsure)
    return order


def _book_orphans(deciding: Deciding, account: Account, order: Order) -> Order:
    if order.exchange_order_id is None or not deciding.orphans:
        return order
    for news in orphans.take(deciding, order):
        key = TradeKey(account.name, news.symbol_exchange, news.trade_id)
        if key not in deciding.trades_known:
            order = _book(deciding, account, order, key, news)
    return order
