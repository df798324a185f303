"""The ways in which the exchange misbehaves on command: their names, parameters and criteria.

A `Fault` is a command: what to do, to whom, how often, for how long. `refusal_of` says what is wrong
with one. Values only; `misbehavior` carries them out. docs/reference/faults.md is made of it.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.core.model import Side
from fairlead.exchange.rules import tick_is_valid


class FaultName(StrEnum):
    # On the way in: the request is not carried out, or later.
    REQUEST_LOST = "request_lost"
    REQUEST_LATE = "request_late"
    INTERNAL_ERROR = "internal_error"
    MAINTENANCE = "maintenance"
    RATE_LIMITED = "rate_limited"
    CANCEL_REFUSED = "cancel_refused"
    # On the way out: it was carried out, and its answer goes wrong.
    ANSWER_LOST = "answer_lost"
    ANSWER_LATE = "answer_late"
    ANSWER_DOUBLED = "answer_doubled"
    ACCEPTED_THEN_SILENCE = "accepted_then_silence"
    ERROR_AFTER_ACCEPTING = "error_after_accepting"
    TRUNCATED_FRAME = "truncated_frame"
    GARBAGE = "garbage"
    DISCONNECT = "disconnect"
    # What the exchange says of orders.
    FILL_BEFORE_ANSWER = "fill_before_answer"
    FILL_AFTER_CANCEL = "fill_after_cancel"
    ORDER_HIDDEN = "order_hidden"
    STALE_OPEN_ORDERS = "stale_open_orders"
    # The stream.
    STREAM_DROPPED = "stream_dropped"
    STREAM_DOUBLED = "stream_doubled"
    STREAM_REORDERED = "stream_reordered"
    STREAM_SILENT = "stream_silent"
    # The rules.
    TICK_CHANGED = "tick_changed"


class Point(StrEnum):
    """Where in the life of a request or an event a fault bites."""

    ARRIVAL = "ARRIVAL"
    BEFORE_CANCEL = "BEFORE_CANCEL"
    ACCEPTED = "ACCEPTED"
    ANSWER = "ANSWER"
    STREAM = "STREAM"
    AT_ONCE = "AT_ONCE"


class How(StrEnum):
    """The manner of a maintenance or of a disconnect."""

    REFUSED = "refused"  # maintenance: every request is refused
    SILENT = "silent"  # maintenance: no request is answered
    NOW = "now"  # disconnect: at once
    ON_REQUEST = "on_request"  # disconnect: when a request comes, which is not carried out
    BEFORE_ANSWER = "before_answer"  # disconnect: it is carried out and not answered
    MID_ANSWER = "mid_answer"  # disconnect: after half of its answer's bytes


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One command to misbehave.

    Criteria: `account` (public key; None: every account), `requests` (None: those of the kind),
    `symbol`, `side` and `client_id_prefix` of the order concerned (`symbol` also of the positions that
    an event tells), `only_fills` (stream events with a fill). Of what matches, the first `skip` are
    spared, then every one, or one in `one_in` by the exchange's seed, is hit, `count` times at most
    (None: without limit; absent: the kind's default), until `duration_ms` after the command. The others
    are parameters of some kinds only.
    """

    name: FaultName
    account: str | None = None
    requests: tuple[str, ...] | None = None
    symbol: str | None = None
    side: Side | None = None
    client_id_prefix: str = ""
    only_fills: bool = False
    skip: int = 0
    one_in: int = 1
    count: int | msgspec.UnsetType | None = msgspec.UNSET
    duration_ms: int | None = None
    delay_ms: int = 500
    hide_ms: int = 2_000
    retry_after_ms: int = 1_000
    frames: int = 1
    share: Decimal = Decimal("0.5")
    how: How | None = None
    is_current: bool = False
    tick: Decimal | None = None


class FaultError(ValueError):
    """A command that makes no sense: `field` of it is `value`, and `right` says what would be right."""

    def __init__(self, field: str, value: object, right: str) -> None:
        super().__init__(f"{field} {value} is not valid: {right}")
        self.field = field
        self.value = value
        self.right = right


class Kind(msgspec.Struct, frozen=True):
    """What is known about a kind of fault.

    `parameters`: which of the special ones it takes. `requests`: which requests it concerns if the
    command does not say, empty where it concerns none. `count`: how often it bites if not said.
    """

    point: Point
    parameters: frozenset[str]
    requests: tuple[str, ...]
    count: int | None
    text: str


REQUESTS = (
    "login",
    "place",
    "cancel",
    "query",
    "open_orders",
    "fills",
    "balances",
    "positions",
    "tickers",
    "instruments",
    "ping",
)
_ALL = REQUESTS[1:-1]
_ORDERS = ("place", "cancel")
_PLACE = ("place",)
_CANCEL = ("cancel",)
_STREAM: tuple[str, ...] = ()


def _kind(
    point: Point, parameters: str, requests: tuple[str, ...], count: int | None, text: str
) -> Kind:
    return Kind(point, frozenset(parameters.split()), requests, count, text)


# fmt: off
KINDS: dict[FaultName, Kind] = {
    FaultName.REQUEST_LOST: _kind(Point.ARRIVAL, "requests", _ALL, 1,
        "the request never arrives"),
    FaultName.REQUEST_LATE: _kind(Point.ARRIVAL, "requests delay_ms", _ALL, 1,
        "the request arrives delay_ms later, inside its window or not"),
    FaultName.INTERNAL_ERROR: _kind(Point.ARRIVAL, "requests", _ORDERS, 1,
        "the request is answered INTERNAL and not carried out"),
    FaultName.MAINTENANCE: _kind(Point.ARRIVAL, "requests how", _ORDERS, None,
        "requests are refused MAINTENANCE (how: refused) or not answered at all (how: silent)"),
    FaultName.RATE_LIMITED: _kind(Point.ARRIVAL, "requests retry_after_ms", _ALL, 1,
        "the request is refused RATE with retry_after_ms"),
    FaultName.CANCEL_REFUSED: _kind(Point.ARRIVAL, "", _CANCEL, 1,
        "the cancel is refused CANCEL, the order stays open"),
    FaultName.ANSWER_LOST: _kind(Point.ANSWER, "requests", _ALL, 1,
        "the request is carried out, its answer never comes"),
    FaultName.ANSWER_LATE: _kind(Point.ANSWER, "requests delay_ms", _ALL, 1,
        "the answer comes delay_ms later"),
    FaultName.ANSWER_DOUBLED: _kind(Point.ANSWER, "requests", _ALL, 1,
        "the answer comes twice"),
    FaultName.ACCEPTED_THEN_SILENCE: _kind(Point.ANSWER, "", _PLACE, 1,
        "the order is accepted and the answer never comes; refusals are answered"),
    FaultName.ERROR_AFTER_ACCEPTING: _kind(Point.ANSWER, "requests", _PLACE, 1,
        "the request is carried out and answered INTERNAL"),
    FaultName.TRUNCATED_FRAME: _kind(Point.ANSWER, "requests", _ALL, 1,
        "the second half of the answer's frame is missing, what follows goes on"),
    FaultName.GARBAGE: _kind(Point.ANSWER, "requests", _ALL, 1,
        "a frame of seeded random bytes comes in place of the answer"),
    FaultName.DISCONNECT: _kind(Point.ANSWER, "requests how", _ALL, 1,
        "the connection is closed: now, on_request, before_answer or mid_answer"),
    FaultName.FILL_BEFORE_ANSWER: _kind(Point.ACCEPTED, "share", _PLACE, 1,
        "the order's stream events come before its answer; a house account fills share of it"),
    FaultName.FILL_AFTER_CANCEL: _kind(Point.BEFORE_CANCEL, "share delay_ms", _CANCEL, 1,
        "share of the order is filled just before its cancel and told delay_ms after it"),
    FaultName.ORDER_HIDDEN: _kind(Point.ACCEPTED, "hide_ms", _PLACE, 1,
        "the accepted order is missing from queries and open orders for hide_ms"),
    FaultName.STALE_OPEN_ORDERS: _kind(Point.ANSWER, "is_current", ("open_orders",), None,
        "the open orders are those of the time of the command (is_current: said to be newest)"),
    FaultName.STREAM_DROPPED: _kind(Point.STREAM, "", _STREAM, 1,
        "the event never comes"),
    FaultName.STREAM_DOUBLED: _kind(Point.STREAM, "", _STREAM, 1,
        "the event comes twice"),
    FaultName.STREAM_REORDERED: _kind(Point.STREAM, "frames delay_ms", _STREAM, 1,
        "the event comes after the next frames events, or after delay_ms if they do not come"),
    FaultName.STREAM_SILENT: _kind(Point.STREAM, "", _STREAM, None,
        "no event comes; requests and pings are answered"),
    FaultName.TICK_CHANGED: _kind(Point.AT_ONCE, "tick", _STREAM, 1,
        "symbol has the price tick from now on; every connection is told"),
}
# fmt: on

_SPECIAL = (
    "requests",
    "only_fills",
    "delay_ms",
    "hide_ms",
    "retry_after_ms",
    "frames",
    "share",
    "how",
    "is_current",
    "tick",
)
_HOW = {
    FaultName.MAINTENANCE: (How.REFUSED, How.SILENT),
    FaultName.DISCONNECT: (How.NOW, How.ON_REQUEST, How.BEFORE_ANSWER, How.MID_ANSWER),
}
_MS_MAX = 24 * 3600 * 1000
_COUNT_MAX = 1_000_000_000


def check(fault: Fault) -> None:
    """Raise FaultError if `fault` makes no sense, naming its first wrong field."""
    kind = KINDS[fault.name]
    allowed = set(kind.parameters)
    if kind.point is Point.STREAM:
        allowed.add("only_fills")
    for field in _SPECIAL:
        default = Fault.__struct_defaults__[Fault.__struct_fields__.index(field) - 1]
        value = getattr(fault, field)
        if field not in allowed and value != default:
            takes = ", ".join(sorted(allowed)) or "no special parameter"
            raise FaultError(field, value, f"{fault.name.value} takes {takes}")
    for field, most in (
        ("skip", _COUNT_MAX),
        ("delay_ms", _MS_MAX),
        ("hide_ms", _MS_MAX),
        ("retry_after_ms", _MS_MAX),
    ):
        _check_range(fault, field, 0, most)
    for field, most in (
        ("one_in", _COUNT_MAX),
        ("count", _COUNT_MAX),
        ("duration_ms", _MS_MAX),
        ("frames", 1_000),
    ):
        _check_range(fault, field, 1, most)
    if not fault.share.is_finite() or not 0 <= fault.share <= 1:
        raise FaultError("share", fault.share, "a number from 0 to 1")
    for request in () if fault.requests is None else fault.requests or ("",):
        if request not in REQUESTS:
            raise FaultError("requests", request, f"some of {', '.join(REQUESTS)}")
    manners = _HOW.get(fault.name)
    if manners is not None and fault.how not in manners:
        given = None if fault.how is None else fault.how.value
        raise FaultError("how", given, f"one of {', '.join(each.value for each in manners)}")
    if fault.name is FaultName.TICK_CHANGED:
        if fault.symbol is None:
            raise FaultError("symbol", None, "the symbol whose tick changes, like BTC/USDT")
        if fault.tick is None or not tick_is_valid(fault.tick):
            raise FaultError("tick", fault.tick, "a price tick from 0.000000000001 to 1000000")


def _check_range(fault: Fault, field: str, least: int, most: int) -> None:
    value = getattr(fault, field)
    if isinstance(value, int) and not least <= value <= most:
        raise FaultError(field, value, f"an integer from {least} to {most}")
