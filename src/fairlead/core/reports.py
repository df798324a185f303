"""Report: what the engine decided, for the journal and for clients.

Frozen, tagged, serialisable structs that name their account. They are stored as arrays: a field may
be added at the end, with a default. Must never hold behaviour.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.core.model import AccountMode, Balance, Fill, Order, Position, Reason, Stage


class Cause(StrEnum):
    """Why a report exists (FIX calls it ExecType); where the order stands is another field."""

    RECEIVED = "RECEIVED"
    ROUTING = "ROUTING"
    ROUTED = "ROUTED"
    WORKING = "WORKING"
    TRADE = "TRADE"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCEL_ENDED = "CANCEL_ENDED"  # the pending cancel ended and the order did not
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    IN_DOUBT = "IN_DOUBT"
    DOUBT_ENDED = "DOUBT_ENDED"
    CLOSED = "CLOSED"  # the exchange says closed with this filled quantity; fills are awaited
    IDENTIFIED = "IDENTIFIED"  # the exchange's id became known
    ADOPTED = "ADOPTED"  # first seen at the exchange
    REVIVED = "REVIVED"  # declared never to have reached the exchange, and it had
    RESOLVED = "RESOLVED"  # an operator resolved it
    ATTENTION = "ATTENTION"  # an operator should look at it


class OrderReport(msgspec.Struct, frozen=True, array_like=True, tag="o"):
    """One change of one order. `opened` is the whole order where a report is its first, else None.

    An order that was handed to its exchange in the batch that received it opens with ROUTING: `opened`
    is then the order as received, and `stage` where it went. Fields that are None did not change; an
    empty `attention` ends the one there was. Applying the reports of an order in sequence with
    `core.order.apply` gives the order.
    """

    account: str
    sequence: int
    number: int
    time_ns: int
    cause: Cause
    opened: Order | None = None
    stage: Stage | None = None
    exchange_order_id: str | None = None
    fill: Fill | None = None
    closed_quantity: Decimal | None = None
    reason: Reason | None = None
    error_message: str | None = None
    attention: str | None = None


class BalanceReport(msgspec.Struct, frozen=True, array_like=True, tag="b"):
    """A balance as it is from this sequence on."""

    account: str
    sequence: int
    time_ns: int
    balance: Balance


class PositionReport(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """A position as it is from this sequence on."""

    account: str
    sequence: int
    time_ns: int
    position: Position


class AccountReport(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """The account's mode as it is from this sequence on.

    `is_here`: the account has come to the process (True) or leaves it (False) while it runs, None: it is
    about the mode alone.
    """

    account: str
    sequence: int
    time_ns: int
    mode: AccountMode
    is_here: bool | None = None


class AlarmReport(msgspec.Struct, frozen=True, array_like=True, tag="!"):
    """Something an operator must know; `code` is stable, `text` says it in words."""

    account: str
    sequence: int
    time_ns: int
    code: str
    number: int | None
    text: str


Report = OrderReport | BalanceReport | PositionReport | AccountReport | AlarmReport
