"""The four message families: Request, Report, VenueRequest, VenueReport, and what answers a request.

    Request       client → engine     Report       engine → journal and client
    VenueRequest  engine → exchange   VenueReport  exchange → engine

All are frozen, tagged, serialisable structs that name their account. Must never hold behaviour.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.core.model import (
    ZERO,
    Abilities,
    AccountMode,
    Balance,
    ExecInst,
    Fill,
    Instrument,
    Liquidity,
    Order,
    Position,
    Reason,
    Side,
    Stage,
    TimeInForce,
)
from fairlead.core.rates import Rate, Ticker
from fairlead.core.reconciliation import Reconciliation

LOCAL = "local"  # the subscription until a control plane names others


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries: whose it is."""

    account: str
    subscription: str = LOCAL


# ── Request: client → engine ─────────────────────────────────────────────────────────────────────


class PlaceOrder(Message, frozen=True, kw_only=True, tag="place"):
    """A new order whose form has been checked; at least one of the two symbols is given.

    `or_oms`: a GOOD_TILL_TIME_EXCHANGE order becomes GOOD_TILL_TIME_OMS at an exchange that cannot end
    it. `echo` comes back with the order, for the protocol that took it.
    `session` names the client's session it came over (empty: none, as by REST); see `core/sessions.py`.
    """

    client_order_id: str
    symbol: str | None
    symbol_exchange: str | None
    side: Side
    price: Decimal
    quantity: Decimal
    time_in_force: TimeInForce
    time_in_force_text: str
    expire_time_ns: int | None = None
    exec_inst: tuple[ExecInst, ...] = ()
    caller: str = ""
    or_oms: bool = False
    echo: str = ""
    session: str = ""


class CheckOrder(Message, frozen=True, kw_only=True, tag="check"):
    """What the checks say of this order now; nothing is stored or sent, and its id is not used up."""

    order: PlaceOrder


class CancelOrder(Message, frozen=True, kw_only=True, tag="cancel"):
    """Cancel one order by exactly one of its ids."""

    client_order_id: str | None = None
    exchange_order_id: str | None = None


class CancelAll(Message, frozen=True, kw_only=True, tag="cancel_all"):
    """Cancel every order of the account that is not final."""


class EndSession(Message, frozen=True, kw_only=True, tag="end_session"):
    """The client's session is over: cancel its orders with CANCEL_ON_DISCONNECT; a `CancelAllReply` says
    how many.

    The last word of the session: whoever submits it submits no order of the session after it.
    """

    session: str


class SetMode(Message, frozen=True, kw_only=True, tag="set_mode"):
    """Make the account active, reducing or halted; survives restarts."""

    mode: AccountMode


class Resolution(StrEnum):
    """What an operator may declare an order in doubt to be."""

    NEVER_REACHED = "NEVER_REACHED"  # REJECTED: it is not at the exchange
    CANCELED = "CANCELED"  # it was there and is closed; later fills still count
    WORKING = "WORKING"  # it is in the book


class ResolveOrder(Message, frozen=True, kw_only=True, tag="resolve"):
    """An operator's word on an order in doubt, or on one that waits for fills that do not come."""

    client_order_id: str
    resolution: Resolution


# Queries pass through the same inbox, so that nobody sees what might not survive.


class QueryOrder(Message, frozen=True, kw_only=True, tag="query_order"):
    """The current order; `account` may be empty: then the newest of that client id is meant."""

    client_order_id: str


class QueryOrders(Message, frozen=True, kw_only=True, tag="query_orders"):
    """Orders that are not final; `account` may be empty, meaning all."""


class QueryAttention(Message, frozen=True, kw_only=True, tag="query_attention"):
    """Orders an operator should look at: in doubt, unsettled past their deadline, cancels given up."""


class QueryBalances(Message, frozen=True, kw_only=True, tag="query_balances"):
    """Balances; `account` may be empty, meaning all."""


class QueryPositions(Message, frozen=True, kw_only=True, tag="query_positions"):
    """Positions that are not flat; `account` may be empty, meaning all. Spot accounts have none."""


class QueryAccounts(Message, frozen=True, kw_only=True, tag="query_accounts"):
    """State of the accounts; `account` may be empty, meaning all."""


class QueryReconciliation(Message, frozen=True, kw_only=True, tag="query_reconciliation"):
    """How accounts stand with their exchange; `account` may be empty, meaning all."""


class QueryInstruments(Message, frozen=True, kw_only=True, tag="query_instruments"):
    """Instruments of the account's exchange; `account` may be empty, meaning all."""


class QuerySnapshot(Message, frozen=True, kw_only=True, tag="query_snapshot"):
    """Open orders, balances and positions of one account, with the sequence as of which they hold."""


Request = (
    PlaceOrder
    | CheckOrder
    | CancelOrder
    | CancelAll
    | EndSession
    | SetMode
    | ResolveOrder
    | QueryOrder
    | QueryOrders
    | QueryAttention
    | QueryBalances
    | QueryPositions
    | QueryAccounts
    | QueryReconciliation
    | QueryInstruments
    | QuerySnapshot
)

# ── Reply: what answers a request ────────────────────────────────────────────────────────────────


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
    sequence: int
    orders: tuple[Order, ...]
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...] = ()


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
    NOT_SUPPORTED = "NOT_SUPPORTED"
    OVERLOADED = "OVERLOADED"  # the inbox is full


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
    (field, message) pairs where several fields are wrong.
    """

    refusal: Refusal
    message: str
    field: str | None = None
    order: Order | None = None
    findings: tuple[tuple[str, str], ...] = ()


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

# ── Report: engine → journal and client ──────────────────────────────────────────────────────────


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
    """One change of one order. `opened` is the whole order on RECEIVED and ADOPTED, else None.

    Fields that are None did not change; an empty `attention` ends the one there was. Applying the
    reports of an order in sequence with `core.order.apply` gives the order.
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
    """The account's mode as it is from this sequence on."""

    account: str
    sequence: int
    time_ns: int
    mode: AccountMode


class AlarmReport(msgspec.Struct, frozen=True, array_like=True, tag="!"):
    """Something an operator must know; `code` is stable, `text` says it in words."""

    account: str
    sequence: int
    time_ns: int
    code: str
    number: int | None
    text: str


Report = OrderReport | BalanceReport | PositionReport | AccountReport | AlarmReport

# ── VenueRequest: engine → exchange ──────────────────────────────────────────────────────────────


class VenueMessage(msgspec.Struct, frozen=True, kw_only=True):
    """`request_id` is unique within the process and comes back with the answer; 0: nobody asked."""

    account: str
    request_id: int = 0


class VenuePlace(VenueMessage, frozen=True, kw_only=True, tag="place"):
    number: int
    venue_client_id: str
    symbol_exchange: str
    side: Side
    price: Decimal
    quantity: Decimal
    time_in_force: TimeInForce
    expire_time_ns: int | None
    exec_inst: tuple[ExecInst, ...]


class VenueCancel(VenueMessage, frozen=True, kw_only=True, tag="cancel"):
    """By the exchange's id where known, else by client id."""

    number: int
    symbol_exchange: str
    venue_client_id: str
    exchange_order_id: str | None


class VenueQuery(VenueMessage, frozen=True, kw_only=True, tag="query"):
    number: int
    symbol_exchange: str
    venue_client_id: str
    exchange_order_id: str | None


class VenueOpenOrders(VenueMessage, frozen=True, kw_only=True, tag="open_orders"):
    pass


class VenueFillsSince(VenueMessage, frozen=True, kw_only=True, tag="fills_since"):
    """Fills after `cursor` (the exchange's own, opaque to us; empty: from the beginning)."""

    cursor: str


class VenueBalances(VenueMessage, frozen=True, kw_only=True, tag="balances"):
    pass


class VenuePositions(VenueMessage, frozen=True, kw_only=True, tag="positions"):
    pass


class VenueInstruments(VenueMessage, frozen=True, kw_only=True, tag="instruments"):
    pass


class VenueTickers(VenueMessage, frozen=True, kw_only=True, tag="tickers"):
    """The best quotes of every market, for people: nothing is decided by them."""


VenueRequest = (
    VenuePlace
    | VenueCancel
    | VenueQuery
    | VenueOpenOrders
    | VenueFillsSince
    | VenueBalances
    | VenuePositions
    | VenueInstruments
    | VenueTickers
)

# ── Timers: the sequencer's word that a time has come ────────────────────────────────────────────


class TimerKind(StrEnum):
    ANSWER = "ANSWER"  # the caller of a place has waited long enough
    ASK = "ASK"  # ask the exchange about an order whose outcome is unknown
    CANCEL = "CANCEL"  # a cancel has had no effect yet
    EXPIRE = "EXPIRE"  # GOOD_TILL_TIME_OMS is due (a wall-clock time)
    SETTLE = "SETTLE"  # fills are still missing
    SWEEP = "SWEEP"  # reconcile the account


class TimerDue(Message, frozen=True, kw_only=True, tag="timer"):
    """`number` is the order's, 0 where the timer is the account's."""

    kind: TimerKind
    number: int = 0


# ── VenueReport: exchange → engine ───────────────────────────────────────────────────────────────


class VenueConnected(VenueMessage, frozen=True, kw_only=True, tag="connected"):
    """Logged in and subscribed: what happens from here on will be heard, if the stream is honest."""

    abilities: Abilities


class VenueDisconnected(VenueMessage, frozen=True, kw_only=True, tag="disconnected"):
    """The connection is gone; every request without an answer gets its own `VenueUnknown`.

    `refused_login` is set when trying again by itself cannot help.
    """

    text: str
    refused_login: bool = False


class Outcome(StrEnum):
    """How a request that asked the exchange to do something ended."""

    DONE = "DONE"
    REFUSED = "REFUSED"  # the exchange's parsed word: it was not carried out
    NOT_SENT = "NOT_SENT"  # no byte left: certainly not carried out
    UNKNOWN = "UNKNOWN"  # timeout, reset after send, unparseable or incomplete answer


class VenueAnswer(VenueMessage, frozen=True, kw_only=True, tag="answer"):
    """The end of one request, of whatever kind `request` is.

    A place that is DONE carries the exchange's order id. `text` is the exchange's own words.
    `retry_after_ms` is set when the exchange refused because we asked too often: nothing was done.
    """

    request: VenueRequest
    outcome: Outcome
    exchange_order_id: str | None = None
    text: str | None = None
    order_unknown: bool = False
    retry_after_ms: int | None = None


class VenueOrderState(StrEnum):
    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class VenueOrder(VenueMessage, frozen=True, kw_only=True, tag="order"):
    """The exchange's word on one order: from its stream, or as the answer to a query or a cancel.

    `exchange_ordinal` places this word in the account's event order at the exchange (0: unknown).
    `reason` is set when the exchange itself made the order, to liquidate a position say.
    """

    exchange_order_id: str
    venue_client_id: str | None
    symbol_exchange: str
    side: Side
    price: Decimal
    quantity: Decimal
    quantity_filled: Decimal
    time_in_force: TimeInForce
    expire_time_ns: int | None
    state: VenueOrderState
    time_ns: int
    exchange_ordinal: int = 0
    text: str | None = None
    asked: VenueQuery | VenueCancel | None = None
    reduce_only: bool = False
    reason: Reason | None = None


class VenueNotFound(VenueMessage, frozen=True, kw_only=True, tag="not_found"):
    """The exchange does not know the order that `asked` asked about. Proof of nothing by itself."""

    asked: VenueQuery


class VenueFill(VenueMessage, frozen=True, kw_only=True, tag="fill"):
    """An execution: from the stream, or out of a page of fills.

    `symbol_exchange`, `fee_asset_exchange` are the exchange's own names. `from_page` is true for
    fills that a `VenueFillsSince` brought. `realized` is the profit before fees that it realized in a
    perpetual, in the quote asset.
    """

    exchange_order_id: str
    venue_client_id: str | None
    symbol_exchange: str
    side: Side
    trade_id: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset_exchange: str
    liquidity: Liquidity
    time_ns: int
    exchange_ordinal: int = 0
    from_page: bool = False
    realized: Decimal = ZERO


class VenueAssetBalance(msgspec.Struct, frozen=True, array_like=True):
    asset_exchange: str
    total: Decimal
    locked: Decimal


class VenueBalancesStated(VenueMessage, frozen=True, kw_only=True, tag="balances_stated"):
    """Balances as of `exchange_ordinal`; `is_complete` when unnamed assets are zero.

    `is_movement` when the exchange itself moved them, by a deposit say: no order of ours did.
    """

    balances: tuple[VenueAssetBalance, ...]
    exchange_ordinal: int
    time_ns: int
    is_complete: bool
    is_movement: bool = False


class VenuePosition(msgspec.Struct, frozen=True, array_like=True):
    """See `model.Position`; flat ones tell the leverage that orders will have."""

    symbol_exchange: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized: Decimal
    leverage: Decimal
    is_cross: bool
    liquidation_price: Decimal | None


class VenuePositionsStated(VenueMessage, frozen=True, kw_only=True, tag="positions_stated"):
    """Positions as of `exchange_ordinal`; `is_complete` when unnamed ones are flat."""

    positions: tuple[VenuePosition, ...]
    exchange_ordinal: int
    time_ns: int
    is_complete: bool


class VenueOpenOrdersListed(VenueMessage, frozen=True, kw_only=True, tag="open_orders_listed"):
    """All open orders the exchange chose to list. Absence from it proves nothing."""

    orders: tuple[VenueOrder, ...]


class VenueFillsListed(VenueMessage, frozen=True, kw_only=True, tag="fills_listed"):
    """One page of fills in the exchange's order; `cursor` continues after the last of them."""

    fills: tuple[VenueFill, ...]
    cursor: str
    is_last: bool


class VenueInstrumentsListed(VenueMessage, frozen=True, kw_only=True, tag="instruments_listed"):
    """The whole instrument list; also pushed when a rule changed."""

    instruments: tuple[Instrument, ...]


class VenueTickersStated(VenueMessage, frozen=True, kw_only=True, tag="tickers_stated"):
    """What markets quote as of now."""

    tickers: tuple[Ticker, ...]


class VenueStreamGap(VenueMessage, frozen=True, kw_only=True, tag="stream_gap"):
    """The account's stream skipped events: something happened that was not heard."""

    expected: int
    got: int


VenueReport = (
    VenueConnected
    | VenueDisconnected
    | VenueAnswer
    | VenueOrder
    | VenueNotFound
    | VenueFill
    | VenueBalancesStated
    | VenuePositionsStated
    | VenueOpenOrdersListed
    | VenueFillsListed
    | VenueInstrumentsListed
    | VenueTickersStated
    | VenueStreamGap
)
