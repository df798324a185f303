"""Reply: what answers a request, once the batch that answered it is durable.

Frozen, tagged, serialisable structs. Must never hold behaviour.
"""

from enum import StrEnum

import msgspec

from fairlead.core.model import AccountMode, Balance, Instrument, Order, Position, Reason
from fairlead.core.rates import Rate
from fairlead.core.reconciliation import Reconciliation


class OrderReply(msgspec.Struct, frozen=True, tag="order"):
    """The order as it stood when the batch that answered was durable."""

    order: Order


class OrdersReply(msgspec.Struct, frozen=True, tag="orders"):
    orders: tuple[Order, ...]


class AttentionReply(msgspec.Struct, frozen=True, tag="attention"):
    """Pairs of (order, what is the matter with it)."""

    orders: tuple[tuple[Order, str], ...]


class BalancesReply(msgspec.Struct, frozen=True, tag="balances"):
    """Per account, its balances ordered by asset, as of `time_ns` (UTC).

    `rates` has, by account and asset, what is known of worths in USD.
    """

    accounts: tuple[tuple[str, tuple[Balance, ...]], ...]
    time_ns: int = 0
    rates: dict[str, dict[str, Rate]] = {}


class PositionsReply(msgspec.Struct, frozen=True, tag="positions"):
    """Per account, its positions ordered by symbol, as of `time_ns` (UTC)."""

    accounts: tuple[tuple[str, tuple[Position, ...]], ...]
    time_ns: int = 0


class AccountState(msgspec.Struct, frozen=True):
    """One account as an operator sees it; times are UTC ns, None when it never happened."""

    account: str
    mode: AccountMode
    connected: bool
    reconciled: bool
    loaded: bool
    trouble: str | None
    sequence: int
    orders_open: int
    orders_in_doubt: int
    reconciled_time_ns: int | None
    reconciled_trade_id: str | None


class AccountsReply(msgspec.Struct, frozen=True, tag="accounts"):
    accounts: tuple[AccountState, ...]


class ReconciliationReply(msgspec.Struct, frozen=True, tag="reconciliation"):
    """`time_ns` (UTC) is the moment of which it speaks."""

    accounts: tuple[Reconciliation, ...]
    time_ns: int


class InstrumentsReply(msgspec.Struct, frozen=True, tag="instruments"):
    accounts: tuple[tuple[str, tuple[Instrument, ...]], ...]


class SnapshotReply(msgspec.Struct, frozen=True, tag="snapshot"):
    """One account as of `sequence` and `time_ns` (UTC), all of one moment.

    `rates` has, by asset, what is known of worths in USD.
    """

    sequence: int
    orders: tuple[Order, ...]
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    rates: dict[str, Rate] = {}
    time_ns: int = 0


class CancelAllReply(msgspec.Struct, frozen=True, tag="cancel_all"):
    """How many orders a cancel was requested for."""

    count: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Carried out; nothing more to say."""


class Refusal(StrEnum):
    """Why a request was refused without leaving anything behind."""

    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    ACCOUNT_UNAVAILABLE = "ACCOUNT_UNAVAILABLE"  # disconnected, reconciling or never loaded
    INVALID = "INVALID"  # `field` names what
    CONFLICT = "CONFLICT"  # the client id is used by a different order
    IN_DOUBT = "IN_DOUBT"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    NOT_SUPPORTED = "NOT_SUPPORTED"  # nothing is wrong with it, but the exchange cannot do that
    OVERLOADED = "OVERLOADED"  # the inbox is full
    # Of callers, decided before the edge is asked:
    UNAUTHENTICATED = "UNAUTHENTICATED"  # the key does not count, or not any more
    FORBIDDEN = "FORBIDDEN"  # its scope, account or address is missing
    RATE_EXCEEDED = "RATE_EXCEEDED"  # the key has asked too often


class CheckResult(StrEnum):
    """How one check of a new order ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    NOT_REACHED = "NOT_REACHED"  # an earlier one failed, or what it needs is not known yet


class CheckName(StrEnum):
    """The checks of a new order, in the order in which they are made (contract 2.3)."""

    FORM = "form"
    ACCOUNT = "account"
    CLIENT_ORDER_ID = "client_order_id"
    INSTRUMENT = "instrument"  # its rules, what the exchange supports, the expire time
    CONNECTION = "connection"
    AVAILABLE_BALANCE = "available_balance"
    ORDER_RATE = "order_rate"
    ACCOUNT_REDUCING = "account_reducing"
    ACCOUNT_HALTED = "account_halted"


class Check(msgspec.Struct, frozen=True):
    """One check of a new order; of a failed one `refusal` or `reason` says what it would come to."""

    name: CheckName
    result: CheckResult
    text: str = ""
    refusal: Refusal | None = None
    reason: Reason | None = None


class ChecksReply(msgspec.Struct, frozen=True, tag="checks"):
    """Every check, in the order in which they are made."""

    checks: tuple[Check, ...]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """`message` says what was wrong and what would be right; `field` is the contract's field name.

    `order` is set where the refusal is about an order that exists (in doubt). `findings` are all
    (field, message) pairs where several fields are wrong. `code` says of a caller that is refused which
    of its limits it was.
    """

    refusal: Refusal
    message: str
    field: str | None = None
    order: Order | None = None
    findings: tuple[tuple[str, str], ...] = ()
    code: str = ""


Reply = (
    OrderReply
    | OrdersReply
    | AttentionReply
    | BalancesReply
    | PositionsReply
    | AccountsReply
    | ReconciliationReply
    | InstrumentsReply
    | SnapshotReply
    | CancelAllReply
    | ChecksReply
    | Done
    | Refused
)
