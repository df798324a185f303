"""New orders: the checks in the contract's order (2.3), the hand-over, and what sending came to."""

import msgspec

from fairlead.core.account import Account
from fairlead.core.deciding import Deciding, Now
from fairlead.core.doubt import await_fills, doubt, in_doubt_refusal
from fairlead.core.model import (
    ZERO,
    AccountMode,
    Instrument,
    InstrumentKind,
    Order,
    Origin,
    Reason,
    Side,
    Stage,
    TimeInForce,
)
from fairlead.core.order import missing_quantity
from fairlead.core.replies import OrderReply, Refusal, Refused
from fairlead.core.reports import Cause
from fairlead.core.requests import PlaceOrder
from fairlead.core.risk import (
    Exposure,
    check_abilities,
    check_combinations,
    check_expire_time,
    check_instrument,
    check_risk,
    exec_inst_told,
)
from fairlead.core.timing import TimerKind
from fairlead.core.venue_messages import Outcome, VenueAnswer, VenuePlace

_UNANSWERED = frozenset({Stage.RECEIVED, Stage.ROUTING})


def place(deciding: Deciding, request: PlaceOrder, token: int) -> None:
    """Decide a new order: refuse it, answer for the one that exists, reject it, or send it."""
    account = deciding.accounts.get(request.account)
    if account is None:
        deciding.answer(token, account_unknown(request.account))
        return
    existing = deciding.orders.by_client_id(request.account, request.client_order_id)
    if existing is not None:
        _answer_existing(deciding, request, existing, token)
        return
    rules = account.instrument(request.symbol, request.symbol_exchange)
    refused = None
    if account.instruments:
        request = with_expiry(account, request)
        refused = findings_of(deciding, account, request, rules)
    refused = refused or unavailable(account, rules)
    if refused is not None:
        deciding.answer(token, refused)
        return
    assert rules is not None
    _accept(deciding, account, request, rules, token)


def _accept(
    deciding: Deciding, account: Account, request: PlaceOrder, rules: Instrument, token: int
) -> None:
    is_over_rate = not account.rate.has(deciding.now.steady_ns)
    rejection = rejection_of(deciding, account, request, rules, is_over_rate)
    order = deciding.open(_order(deciding, request, rules), Cause.RECEIVED)
    if rejection is not None:
        reason, text = rejection
        order = reject(deciding, order, reason, text)
        deciding.answer(token, OrderReply(order))
        return
    account.rate.spend()  # what is rejected takes nothing from the others
    flight = deciding.flight(order.number)
    flight.waiters = [token]
    deciding.timer(TimerKind.ANSWER, order, deciding.settings.order_answer_timeout_ms)
    if order.time_in_force is TimeInForce.GOOD_TILL_TIME_OMS and order.expire_time_ns is not None:
        deciding.wall_timer(TimerKind.EXPIRE, order, order.expire_time_ns)
    deciding.ask_venue(
        VenuePlace(
            account=order.account,
            request_id=deciding.request_id(),
            number=order.number,
            venue_client_id=order.venue_client_id,
            symbol_exchange=order.symbol_exchange,
            side=order.side,
            price=order.price,
            quantity=order.quantity,
            time_in_force=order.time_in_force,
            expire_time_ns=order.expire_time_ns,
            exec_inst=exec_inst_told(order, account.abilities)
            if order.session
            else order.exec_inst,
        )
    )


def rejection_of(
    deciding: Deciding, account: Account, request: PlaceOrder, rules: Instrument, is_over_rate: bool
) -> tuple[Reason, str] | None:
    """Return the first reason, with its text, for which the account must not send this order now."""
    exposure = None
    if rules.kind is InstrumentKind.PERPETUAL:
        exposure = _exposure(deciding, account, rules)
    return check_risk(request, rules, account.ledger, account.mode, is_over_rate, exposure)


def _exposure(deciding: Deciding, account: Account, rules: Instrument) -> Exposure:
    """Return how the account stands in a perpetual; its open orders count only where they matter."""
    held = account.positions.signed_quantity(rules.symbol)
    reducing_quantity = ZERO
    if account.mode is AccountMode.REDUCING:
        side = Side.SELL if held > ZERO else Side.BUY
        for order in deciding.orders.of_account(account.name):
            if order.symbol == rules.symbol and order.side is side and not order.stage.is_final:
                reducing_quantity += order.leaves_quantity
    return Exposure(held, account.ledger.margin(rules.symbol, rules.quote), reducing_quantity)


def hand_over(deciding: Deciding, request: VenuePlace) -> bool:
    """The order may be sent now: report it ROUTING, unless it was withdrawn meanwhile (False)."""
    order = deciding.orders.get(request.number)
    if order is None or order.stage is not Stage.RECEIVED:
        return False
    deciding.route(order)
    deciding.flight(order.number).handed_ns = deciding.now.steady_ns
    return True


def sent(deciding: Deciding, request: VenuePlace, now: Now) -> None:
    """The batch that handed the order over is durable, and the order leaves now.

    A slow commit lies between the two: the time in which the order may arrive begins here.
    """
    flight = deciding.flights[request.number]
    flight.handed_ns = max(flight.handed_ns, now.steady_ns)


def place_answered(deciding: Deciding, order: Order, answer: VenueAnswer) -> Order:
    """Take the exchange's answer to sending `order`; return the order as it is now."""
    if order.stage is Stage.RECEIVED and answer.outcome is Outcome.NOT_SENT:
        return reject(deciding, order, Reason.NOT_SENT, f"{Reason.NOT_SENT}: {answer.text}")
    if order.stage is not Stage.ROUTING:
        return order  # the stream was quicker, or an operator; what it said stands
    if answer.outcome is Outcome.DONE:
        return deciding.report(
            order, Cause.ROUTED, stage=Stage.ROUTED, exchange_order_id=answer.exchange_order_id
        )
    if answer.outcome is Outcome.UNKNOWN:
        return order if order.in_doubt_ns is not None else doubt(deciding, order)
    if answer.outcome is Outcome.NOT_SENT:
        if order.in_doubt_ns is not None:
            return order  # an earlier hand-over may have been sent
        return reject(deciding, order, Reason.NOT_SENT, f"{Reason.NOT_SENT}: {answer.text}")
    return reject(deciding, order, Reason.EXCHANGE, answer.text or "refused without a word")


def answer_due(deciding: Deciding, order: Order) -> None:
    """The caller has waited long enough: withdraw what was not sent, doubt what was."""
    flight = deciding.flight(order.number)
    flight.is_answer_due = True
    if order.stage is Stage.RECEIVED:
        waited_ms = deciding.settings.order_answer_timeout_ms
        text = f"{Reason.NOT_SENT}: withdrawn, it could not be sent within {waited_ms} ms"
        reject(deciding, order, Reason.NOT_SENT, text)
        return
    if order.stage is Stage.ROUTING:
        if order.in_doubt_ns is None:
            order = doubt(deciding, order)
        for token in flight.waiters:
            deciding.answer(token, in_doubt_refusal(order))
        flight.waiters = []


def restart(deciding: Deciding, order: Order) -> Order:
    """Take up an order that was under way when the process ended."""
    flight = deciding.flight(order.number)
    flight.handed_ns = deciding.now.steady_ns
    flight.is_answer_due = True
    if order.stage is Stage.RECEIVED:
        text = f"{Reason.NOT_SENT}: withdrawn, the process restarted before it was sent"
        return reject(deciding, order, Reason.NOT_SENT, text)
    if order.stage is Stage.ROUTING and order.in_doubt_ns is None:
        order = doubt(deciding, order)
    elif order.in_doubt_ns is not None:
        flight.ask_due_ns = deciding.timer(TimerKind.ASK, order, 0)
    if order.stage.is_final and order.in_doubt_ns is None and order.cancel_pending:
        order = deciding.report(order, Cause.CANCEL_ENDED)  # its answer went down with the process
    if missing_quantity(order):
        await_fills(deciding, order)
    if order.time_in_force is TimeInForce.GOOD_TILL_TIME_OMS and order.expire_time_ns is not None:
        deciding.wall_timer(TimerKind.EXPIRE, order, order.expire_time_ns)
    return order


def account_unknown(name: str) -> Refused:
    """Return the refusal for an account this process does not have."""
    return Refused(
        Refusal.ACCOUNT_UNKNOWN,
        f"exchange_id {name} is not an account of this server",
        field="exchange_id",
    )


def account_unavailable(account: Account) -> Refused:
    """Return the refusal for an account that cannot take orders or answer now."""
    return Refused(
        Refusal.ACCOUNT_UNAVAILABLE, f"exchange_id {account.name}: {account.trouble}", "exchange_id"
    )


def unavailable(account: Account, rules: Instrument | None) -> Refused | None:
    """Return the refusal when the account takes no orders now, None when it does."""
    if account.is_connected and account.is_reconciled and rules is not None:
        return None
    return account_unavailable(account)


def with_expiry(account: Account, request: PlaceOrder) -> PlaceOrder:
    """Return the order that Fairlead ends by itself, if its client allows that and the exchange cannot."""
    assert account.abilities is not None, "instruments are listed after a connection"
    by_exchange = TimeInForce.GOOD_TILL_TIME_EXCHANGE
    if not request.or_oms or by_exchange in account.abilities.time_in_force:
        return request
    assert request.time_in_force is by_exchange, "or_oms is for orders that the exchange may end"
    by_oms = TimeInForce.GOOD_TILL_TIME_OMS
    return msgspec.structs.replace(request, time_in_force=by_oms, time_in_force_text=by_oms.value)


def findings_of(
    deciding: Deciding, account: Account, request: PlaceOrder, rules: Instrument | None
) -> Refused | None:
    """Return the refusal when the order breaks rules that do not depend on the moment's risk."""
    if rules is None:
        return _invalid([_no_instrument(account, request)])
    findings = check_instrument(request, rules)
    assert account.abilities is not None, "instruments are listed after a connection"
    unsupported = check_abilities(request, account.abilities, rules.kind)
    findings += unsupported
    findings += check_combinations(request)
    findings += check_expire_time(request, deciding.now.utc_ns)
    if not findings:
        return None
    is_all = len(findings) == len(unsupported)
    return _invalid(findings, Refusal.NOT_SUPPORTED if is_all else Refusal.INVALID)


def _no_instrument(account: Account, request: PlaceOrder) -> tuple[str, str]:
    contract, exchange = request.symbol, request.symbol_exchange
    if contract is not None and account.instrument(contract, None) is None:
        return "symbol_id_coinapi", f"{contract} is not an instrument of {account.exchange}"
    if exchange is not None and account.instrument(None, exchange) is None:
        return "symbol_id_exchange", f"{exchange} is not an instrument of {account.exchange}"
    right = account.instrument(contract, None)
    assert right is not None
    return (
        "symbol_id_exchange",
        f"{exchange} contradicts symbol_id_coinapi {contract}, which is {right.symbol_exchange};"
        " give one of the two, or both of the same instrument",
    )


def _invalid(findings: list[tuple[str, str]], refusal: Refusal = Refusal.INVALID) -> Refused:
    return Refused(
        refusal,
        "; ".join(f"{field}: {text}" for field, text in findings),
        field=findings[0][0],
        findings=tuple(findings),
    )


def _answer_existing(deciding: Deciding, request: PlaceOrder, existing: Order, token: int) -> None:
    flight = deciding.flights.get(existing.number)
    is_awaited = flight is not None and not flight.is_answer_due
    if existing.stage in _UNANSWERED and is_awaited and is_same_order(request, existing):
        assert flight is not None
        flight.waiters.append(token)
    else:
        deciding.answer(token, existing_answer(request, existing))


def existing_answer(request: PlaceOrder, existing: Order) -> OrderReply | Refused:
    """Return what answers an order whose client id is known: its report, or a refusal."""
    if not is_same_order(request, existing):
        return Refused(
            Refusal.CONFLICT,
            f"client_order_id {request.client_order_id} is used by a different order of"
            f" {request.account}; a client_order_id is unique for ever, use a new one",
            field="client_order_id",
        )
    if existing.in_doubt_ns is not None:
        return in_doubt_refusal(existing)
    return OrderReply(existing)


def is_same_order(request: PlaceOrder, order: Order) -> bool:
    """Whether the request asks for what `order` is, however it is spelled."""
    return (
        order.origin is Origin.CLIENT
        and request.symbol in (None, order.symbol)
        and request.symbol_exchange in (None, order.symbol_exchange)
        and request.side is order.side
        and request.price == order.price
        and request.quantity == order.quantity
        and _is_same_time_in_force(request, order)
        and request.expire_time_ns == order.expire_time_ns
        and set(request.exec_inst) == set(order.exec_inst)
    )


def _is_same_time_in_force(request: PlaceOrder, order: Order) -> bool:
    if request.time_in_force is order.time_in_force:
        return True
    return request.or_oms and order.time_in_force is TimeInForce.GOOD_TILL_TIME_OMS


def _order(deciding: Deciding, request: PlaceOrder, rules: Instrument) -> Order:
    number = deciding.next_number
    deciding.next_number += 1
    account, client_order_id = request.account, request.client_order_id
    # By position: a call with more than 15 named arguments takes five times as long.
    return Order(
        number, account, client_order_id,
        deciding.client_ids.venue_client_id(account, client_order_id),
        rules.symbol, rules.symbol_exchange, rules.base, rules.quote,
        request.side, request.price, request.quantity,
        request.time_in_force, request.time_in_force_text, request.expire_time_ns,
        request.exec_inst,
        Origin.CLIENT, request.caller, deciding.now.utc_ns,
        Stage.RECEIVED,
        kind=rules.kind,
        echo=request.echo,
        session=request.session,
    )  # fmt: skip


def reject(deciding: Deciding, order: Order, reason: Reason, text: str) -> Order:
    """End an order that never was at the exchange, and say why."""
    return deciding.report(
        order,
        Cause.REJECTED,
        stage=Stage.REJECTED,
        closed_quantity=ZERO,
        reason=reason,
        error_message=text,
    )
