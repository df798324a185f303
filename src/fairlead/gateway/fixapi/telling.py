"""Orders, reports and refusals → FIX messages' fields, as bytes for `Session.send`. Pure.

Every function returns the body of one message; nothing that came from outside gets into it but
through `safe`, so no value can hold a delimiter.
"""

from functools import partial

import msgspec

from fairlead.control.key_text import hidden
from fairlead.core.model import Order, Stage
from fairlead.core.port import Released
from fairlead.core.replies import Refusal, Refused
from fairlead.core.reports import OrderReport
from fairlead.fix.message import Message
from fairlead.fix.tags import BusinessReason
from fairlead.gateway.fixapi import words
from fairlead.gateway.fixapi.asking import REASON_DUPLICATE, REASON_OTHER, reason_of, told
from fairlead.gateway.fixapi.words import number, safe, utc_timestamp

NOBODYS_ORDER = "NONE"  # OrderID (37) where there is no order
_TEXT_MOST = 1_024
_ORDERS_REMEMBERED = 1_024
_IN_DOUBT = "in doubt: the exchange has not said whether it has this order; it is being asked"
_UNKNOWN_ORDER = 5  # OrdRejReason (103)
_REJECTED = f"103={REASON_OTHER}\x01"

TOO_LATE, UNKNOWN, PENDING, OTHER = 0, 1, 3, 99  # CxlRejReason (102)
NOT_SUPPORTED = 0  # MassCancelRejectReason (532)

# BusinessRejectReason (380) of what is refused before any order is looked at, whatever was asked.
NOT_LOOKED = {
    Refusal.UNAUTHENTICATED: BusinessReason.NOT_AUTHORIZED,
    Refusal.FORBIDDEN: BusinessReason.NOT_AUTHORIZED,
    Refusal.RATE_EXCEEDED: BusinessReason.NOT_AUTHORIZED,
    Refusal.OVERLOADED: BusinessReason.APPLICATION_NOT_AVAILABLE,
}


class Terms(msgspec.Struct, frozen=True):
    """What a session's Logon asked of its reports: the true ExecType, and 151=0 on final orders."""

    is_true_exec_type: bool = False


class Part(msgspec.Struct, frozen=True):
    """What makes a report one of several that answer a mass status request."""

    request_id: str
    total: int
    is_last: bool


class _Fixed(msgspec.Struct, frozen=True, gc=False):
    """What all reports of an order repeat, and its quantity, which more than one field may say."""

    fields: str
    quantity: str


# ── 8 ────────────────────────────────────────────────────────────────────────────────────────────


class Reports:
    """`report` of what one journal released; remembers what all reports of an order repeat."""

    def __init__(self) -> None:
        self._fixed: dict[int, _Fixed] = {}  # by the order's number
        # As attributes they are the same object each time, which makes them keys of `Item.encoded`.
        self.usual = partial(self._report, Terms(is_true_exec_type=False))
        self.true = partial(self._report, Terms(is_true_exec_type=True))

    def _report(self, terms: Terms, released: Released) -> bytes:
        told, order = released.report, released.order
        assert type(told) is OrderReport
        assert order is not None
        fixed = self._fixed.get(order.number)
        if fixed is None:
            if len(self._fixed) >= _ORDERS_REMEMBERED:
                self._fixed.clear()
            fixed = self._fixed[order.number] = _fixed(order)
        return _report(told, order, terms, fixed)


def report(report: OrderReport, order: Order, terms: Terms) -> bytes:
    """Return the ExecutionReport of one report, `order` being the order as of it.

    ExecID (17) follows from account and sequence: it is unique, and the same whenever it is told.
    """
    return _report(report, order, terms, _fixed(order))


def _report(report: OrderReport, order: Order, terms: Terms, fixed: _Fixed) -> bytes:
    exec_type = words.exec_type(report) if terms.is_true_exec_type else words.ORDER_STATUS
    fill = report.fill
    traded = "" if fill is None else f"31={number(fill.price)}\x0132={number(fill.quantity)}\x01"
    text = report.attention or _text(order)
    exec_id = f"{safe(order.account)}:{report.sequence}"
    state = _state(order, fixed, exec_id, exec_type, text, terms)
    return f"{state}{traded}60={utc_timestamp(report.time_ns)}\x01".encode()


def status(order: Order, exec_id: str, terms: Terms, now_ns: int, more: str = "") -> bytes:
    """Return an ExecutionReport of where an order stands; `more` are further fields."""
    state = _state(order, _fixed(order), safe(exec_id), words.ORDER_STATUS, _text(order), terms)
    return f"{state}{more}60={utc_timestamp(now_ns)}\x01".encode()


def status_request_id(message: Message) -> str:
    """Return the field that answers an OrderStatusRequest's OrdStatusReqID (790), if it has one."""
    request_id = message.text(words.ORD_STATUS_REQ_ID)
    return f"790={safe(request_id)}\x01" if request_id else ""


def of_mass_status(part: Part) -> str:
    """Return the fields that make an ExecutionReport an answer to a mass status request."""
    is_last = "Y" if part.is_last else "N"
    return f"584={safe(part.request_id)}\x01911={part.total}\x01912={is_last}\x01"


def unknown_status(
    client_order_id: str, account: str, side: str, exec_id: str, text: str, now_ns: int, more: str
) -> bytes:
    """Return the ExecutionReport that says that there is no such order, or none at all."""
    ids = f"37={NOBODYS_ORDER}\x01"
    if client_order_id:
        ids += f"11={safe(client_order_id)}\x01"
    place = f"207={safe(account)}\x01" if account else ""
    return (
        f"{ids}17={exec_id}\x01150={words.ORDER_STATUS}\x0139={words.REJECTED}\x01103={_UNKNOWN_ORDER}\x01"
        f"55={words.NO_SYMBOL}\x01{place}54={safe(side) if side else words.UNDISCLOSED}\x01"
        f"151=0\x0114=0\x016=0\x0158={_cut(text)}\x01{more}60={utc_timestamp(now_ns)}\x01"
    ).encode()


def declined(
    message: Message, reason: int, text: str, exec_id: str, terms: Terms, now_ns: int
) -> bytes:
    """Return the ExecutionReport that refuses a NewOrderSingle of which nothing was stored."""

    def field(tag: int, otherwise: str = "") -> str:
        value = message.text(tag) or otherwise
        return f"{tag}={safe(value)}\x01" if value else ""

    client_order_id = safe(message.text(words.CL_ORD_ID))
    quantity = message.text(words.ORDER_QTY)
    return (
        f"37={client_order_id}\x0111={client_order_id}\x0117={exec_id}\x01"
        f"150={words.REJECTED if terms.is_true_exec_type else words.ORDER_STATUS}\x01"
        f"39={words.REJECTED}\x01103={reason}\x01"
        f"{field(words.SECURITY_ID)}{field(words.SECURITY_ID_SOURCE)}"
        f"{field(words.SYMBOL, message.text(words.SECURITY_ID))}"
        f"{field(words.SECURITY_EXCHANGE, message.text(words.EX_DESTINATION))}"
        f"{field(words.SIDE)}{field(words.ORDER_QTY)}{field(words.ORD_TYPE)}{field(words.PRICE)}"
        f"{field(words.TIME_IN_FORCE)}"
        f"151={0 if terms.is_true_exec_type else quantity}\x0114=0\x016=0\x01"
        f"58={_cut(text)}\x0160={utc_timestamp(now_ns)}\x01"
    ).encode()


def refusal_of_place(refused: Refused) -> tuple[int, str]:
    """Return OrdRejReason (103) and Text (58) for the engine's refusal of a new order."""
    findings = _findings(refused)
    if refused.refusal is Refusal.CONFLICT:
        return REASON_DUPLICATE, told(findings)
    return reason_of(findings) if refused.findings else REASON_OTHER, told(findings)


def told_refusal(refused: Refused) -> str:
    """Return what the engine refused, in a FIX client's words."""
    return told(_findings(refused))


# ── 9, r, j ──────────────────────────────────────────────────────────────────────────────────────


def cancel_reject(
    cancel_id: str, named: str, order: Order | None, reason: int, text: str, now_ns: int
) -> bytes:
    """Return the OrderCancelReject for the cancel `cancel_id` of the order that it `named`."""
    if order is None:
        order_id, original, ord_status = NOBODYS_ORDER, named, words.REJECTED
    else:
        order_id = original = order.client_order_id
        ord_status = words.ord_status(order)
    return (
        f"37={safe(order_id)}\x0111={safe(cancel_id)}\x0141={safe(original)}\x0139={ord_status}\x01"
        f"434=1\x01102={reason}\x0158={_cut(text)}\x0160={utc_timestamp(now_ns)}\x01"
    ).encode()


def mass_cancel_report(
    message: Message, report_id: str, count: int | None, text: str, now_ns: int, has_report_id: bool
) -> bytes:
    """Return the OrderMassCancelReport: `count` orders are being cancelled; None: refused, see `text`.

    `has_report_id`: FIX.5.0SP2 requires MassActionReportID (1369), and the others do not know it.
    """
    kind = message.text(words.MASS_CANCEL_REQUEST_TYPE)
    own_id = f"1369={report_id}\x01" if has_report_id else ""
    if count is None:
        reason = OTHER if kind == words.ALL_ORDERS else NOT_SUPPORTED
        response = f"531=0\x01532={reason}\x0158={_cut(text)}\x01"
    else:
        response = f"531={words.ALL_ORDERS}\x01533={count}\x01"
    return (
        f"11={safe(message.text(words.CL_ORD_ID))}\x0137={report_id}\x01{own_id}530={kind}\x01{response}"
        f"207={safe(message.text(words.SECURITY_EXCHANGE))}\x0160={utc_timestamp(now_ns)}\x01"
    ).encode()


def business_reject(message: Message, reason: int, text: str) -> bytes:
    """Return the BusinessMessageReject of a message that has no refusal of its own."""
    number_in = message.text(34)
    return (
        f"45={number_in}\x01372={safe(message.msg_type)}\x01380={reason}\x0158={_cut(text)}\x01"
    ).encode()


def not_looked(message: Message, refused: Refused) -> bytes:
    """Return the BusinessMessageReject of a message that was refused before any order was looked at."""
    reason = NOT_LOOKED.get(refused.refusal, BusinessReason.APPLICATION_NOT_AVAILABLE)
    return business_reject(message, reason, refused.message)


# ── pieces ───────────────────────────────────────────────────────────────────────────────────────


def _fixed(order: Order) -> _Fixed:
    """Return what all ExecutionReports of an order repeat."""
    client_order_id = safe(order.client_order_id)
    if order.echo == words.CONTRACT_SYMBOL:
        symbol, source = safe(order.symbol), words.CONTRACT_SYMBOL
    else:
        symbol, source = safe(order.symbol_exchange), words.EXCHANGE_SYMBOL
    quantity = number(order.quantity)
    fields = (
        f"37={client_order_id}\x0111={client_order_id}\x01"
        f"48={symbol}\x0122={source}\x0155={symbol}\x01207={order.account}\x01"
        f"54={words.SIDE_LETTERS[order.side]}\x0138={quantity}\x0140=2\x01"
        f"44={number(order.price)}\x0159={words.TIME_IN_FORCE_LETTERS[order.time_in_force]}\x01"
        f"{_expiry(order)}{_exec_inst(order)}"
    )
    return _Fixed(fields, quantity)


def _state(
    order: Order, fixed: _Fixed, exec_id: str, exec_type: str, text: str, terms: Terms
) -> str:
    """Return the fields that an order repeats, and those that say where it stands."""
    filled, exchange_id = order.quantity_filled, order.exchange_order_id
    secondary = f"198={safe(exchange_id)}\x01" if exchange_id else ""
    if filled:
        traded = f"14={number(filled)}\x016={number(order.average_price)}\x01"
        leaves = number(order.leaves_quantity)
    else:
        traded, leaves = "14=0\x016=0\x01", fixed.quantity
    if terms.is_true_exec_type and order.stage.is_final:
        leaves = "0"
    reason = _REJECTED if order.stage is Stage.REJECTED else ""
    said = f"58={_cut(text)}\x01" if text else ""
    return (
        f"{fixed.fields}{secondary}17={exec_id}\x01150={exec_type}\x0139={words.ord_status(order)}\x01"
        f"{reason}151={leaves}\x01{traded}{said}"
    )


def _expiry(order: Order) -> str:
    time_ns = order.expire_time_ns
    return "" if time_ns is None else f"126={utc_timestamp(time_ns)}\x01"


def _exec_inst(order: Order) -> str:
    if not order.exec_inst:
        return ""
    letters = [words.EXEC_INST_LETTERS.get(each, "") for each in order.exec_inst]
    told_letters = " ".join(filter(None, letters))
    return f"18={told_letters}\x01" if told_letters else ""


def _text(order: Order) -> str:
    if order.in_doubt_ns is not None:
        return _IN_DOUBT
    return order.error_message or ""


def _cut(text: str) -> str:
    text = hidden(text)
    return safe(text if len(text) <= _TEXT_MOST else text[:_TEXT_MOST] + "...")


def _findings(refused: Refused) -> list[tuple[str, str]]:
    if refused.findings:
        return list(refused.findings)
    return [("", refused.message)]
