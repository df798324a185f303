"""FIX's numbers and letters for Fairlead's words: tags, closed sets, and how text and numbers are written.

Tables only, laid out by hand. Sources: FIX 4.4 with errata, FIX 5.0 SP2 (fields, values), the wire
contract section 5. Must never decide what happens to an order.
"""

from decimal import Decimal

from fairlead.core.model import ExecInst, Order, Side, Stage, TimeInForce
from fairlead.core.reports import Cause, OrderReport
from fairlead.fix.times import TimeText
from fairlead.gateway.numbers import plain

# ── message types ────────────────────────────────────────────────────────────────────────────────

NEW_ORDER_SINGLE = "D"
ORDER_CANCEL_REQUEST = "F"
ORDER_MASS_CANCEL_REQUEST = "q"
ORDER_STATUS_REQUEST = "H"
ORDER_MASS_STATUS_REQUEST = "AF"
EXECUTION_REPORT = "8"
ORDER_CANCEL_REJECT = "9"
ORDER_MASS_CANCEL_REPORT = "r"
BUSINESS_MESSAGE_REJECT = "j"

# ── tags, by name ────────────────────────────────────────────────────────────────────────────────

ACCOUNT = 1
CL_ORD_ID = 11
EXEC_INST = 18
SECURITY_ID_SOURCE = 22
ORDER_ID = 37
ORDER_QTY = 38
ORD_TYPE = 40
ORIG_CL_ORD_ID = 41
PRICE = 44
SECURITY_ID = 48
SIDE = 54
SYMBOL = 55
TIME_IN_FORCE = 59
TRANSACT_TIME = 60
EX_DESTINATION = 100
EXPIRE_TIME = 126
SECURITY_EXCHANGE = 207
MASS_CANCEL_REQUEST_TYPE = 530
CL_ORD_LINK_ID = 583
MASS_STATUS_REQ_ID = 584
MASS_STATUS_REQ_TYPE = 585
ORD_STATUS_REQ_ID = 790
TRUE_EXEC_TYPE = 5001  # in a Logon: Y asks for the true ExecType
CANCEL_ON_DISCONNECT = 8013  # in a Logon: Y makes it the rule for this session's orders

_NAMES = {
    1: "Account", 11: "ClOrdID", 18: "ExecInst", 22: "SecurityIDSource", 37: "OrderID",
    38: "OrderQty", 40: "OrdType", 41: "OrigClOrdID", 44: "Price", 48: "SecurityID", 54: "Side",
    55: "Symbol", 59: "TimeInForce", 60: "TransactTime", 100: "ExDestination", 126: "ExpireTime",
    207: "SecurityExchange", 530: "MassCancelRequestType", 583: "ClOrdLinkID",
    584: "MassStatusReqID", 585: "MassStatusReqType", 790: "OrdStatusReqID",
}  # fmt: skip


def named(tag: int) -> str:
    """Return a tag as messages name it: `Price (44)`."""
    name = _NAMES.get(tag)
    return f"tag {tag}" if name is None else f"{name} ({tag})"


# ── what may be asked for: FIX's letter → the word of the forms ──────────────────────────────────

CONTRACT_SYMBOL = "101"  # SecurityIDSource: SIM_SPOT_BTC_USDT
EXCHANGE_SYMBOL = "8"  # SecurityIDSource: BTC/USDT
NO_SYMBOL = "[N/A]"
ALL_ORDERS = "7"  # of MassCancelRequestType and of MassStatusReqType

SYMBOL_FIELDS = {EXCHANGE_SYMBOL: "symbol_id_exchange", CONTRACT_SYMBOL: "symbol_id_coinapi"}
ORD_TYPES = {"2": "LIMIT"}
SIDES = {"1": Side.BUY.value, "2": Side.SELL.value}
TIMES_IN_FORCE = {
    "1": TimeInForce.GOOD_TILL_CANCEL.value,
    "3": TimeInForce.IMMEDIATE_OR_CANCEL.value,
    "4": TimeInForce.FILL_OR_KILL.value,
    "6": TimeInForce.GOOD_TILL_TIME_EXCHANGE.value,  # or _OMS where the exchange cannot
}
EXEC_INSTS = {
    "6": ExecInst.MAKER_OR_CANCEL.value,
    "Q": ExecInst.CANCEL_ON_DISCONNECT.value,
    "H": ExecInst.DO_NOT_CANCEL_ON_DISCONNECT.value,
    "E": ExecInst.DO_NOT_INCREASE.value,
}

# What FIX itself knows, up to 5.0 SP2: a value outside is malformed, inside and not above unsupported.
DOMAINS = {
    18: frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    22: frozenset({*"123456789ABCDEFGHIJKLMNPQRSTUVWXY", CONTRACT_SYMBOL}),
    40: frozenset("123456789ABCDEFGHIJKLMPQRS"),
    54: frozenset("123456789ABCDEFGH"),
    59: frozenset("0123456789ABC"),
    530: frozenset("123456789ABC"),
    585: frozenset({"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}),
}

# ── where an order stands (39) ───────────────────────────────────────────────────────────────────

PENDING_CANCEL = "6"
REJECTED = "8"
_ORD_STATUS = {
    Stage.RECEIVED: "A", Stage.ROUTING: "A", Stage.ROUTED: "A",
    Stage.FILLED: "2", Stage.CANCELED: "4", Stage.EXPIRED: "4", Stage.REJECTED: REJECTED,
}  # fmt: skip


def ord_status(order: Order) -> str:
    """Return OrdStatus (39): of all that is true of the order, what ranks highest.

    The ranks are FIX's (5.0 SP2 volume 4, order state changes): PendingCancel above Filled, that above
    Canceled, that above PartiallyFilled, that above New, Rejected and PendingNew.
    """
    if order.cancel_pending:
        return PENDING_CANCEL
    if order.stage is Stage.WORKING:
        return "1" if order.quantity_filled else "0"
    return _ORD_STATUS[order.stage]


# ── why a report exists (150) ────────────────────────────────────────────────────────────────────

ORDER_STATUS = "I"  # for everybody who did not ask for more, and for what FIX has no word for
_EXEC_TYPES = {
    Cause.RECEIVED: "A",
    Cause.WORKING: "0",
    Cause.TRADE: "F",
    Cause.CANCEL_REQUESTED: PENDING_CANCEL,
    Cause.CANCELED: "4",
    Cause.REJECTED: "8",
    Cause.EXPIRED: "C",
}
_RESOLVED = {Stage.WORKING: "0", Stage.CANCELED: "4", Stage.REJECTED: "8"}


def exec_type(report: OrderReport) -> str:
    """Return the true ExecType (150) of a report."""
    cause = report.cause
    if cause is Cause.RESOLVED and report.stage is not None:
        return _RESOLVED.get(report.stage, ORDER_STATUS)
    if cause is Cause.ROUTING and report.opened is not None:
        cause = Cause.RECEIVED  # it tells both
    return _EXEC_TYPES.get(cause, ORDER_STATUS)


# ── what is told ─────────────────────────────────────────────────────────────────────────────────

SIDE_LETTERS = {Side.BUY: "1", Side.SELL: "2"}
UNDISCLOSED = "7"  # Side of an order that nobody knows
TIME_IN_FORCE_LETTERS = {
    TimeInForce.GOOD_TILL_CANCEL: "1",
    TimeInForce.IMMEDIATE_OR_CANCEL: "3",
    TimeInForce.FILL_OR_KILL: "4",
    TimeInForce.GOOD_TILL_TIME_EXCHANGE: "6",
    TimeInForce.GOOD_TILL_TIME_OMS: "6",
}
# The others are the contract's alone: FIX has no letter for them.
EXEC_INST_LETTERS = {
    ExecInst.MAKER_OR_CANCEL: "6",
    ExecInst.CANCEL_ON_DISCONNECT: "Q",
    ExecInst.DO_NOT_CANCEL_ON_DISCONNECT: "H",
    ExecInst.DO_NOT_INCREASE: "E",
}


def safe(text: str) -> str:
    """Return text as a field may hold it: printable ASCII, everything else replaced, never empty."""
    if text.isascii() and text.isprintable() and text:
        return text
    kept = (each if " " <= each <= "~" else " " if each.isspace() else "?" for each in text)
    return "".join(kept).strip() or "?"


def number(value: Decimal) -> str:
    """Return a number with its exact digits, never in exponent form."""
    text = str(value)
    return plain(value) if "E" in text or text[0] == "-" else text


_write_time = TimeText().write


def utc_timestamp(time_ns: int) -> str:
    """Return `YYYYMMDD-HH:MM:SS.sss`."""
    return _write_time(time_ns).decode()
