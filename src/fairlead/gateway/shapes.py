"""What leaves us as JSON: one struct per shape, its fields in the order of the contract (section 3).

Encoding and the OpenAPI document both come from these. Field names are the wire's. Numbers are raw
JSON text, so that they leave with their exact digits; times are text. `UNSET` leaves a field out.
"""

# ruff: noqa: N815 - the wire's names

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from fairlead.core.model import AccountMode, Side, Status, Updater
from fairlead.core.reconciliation import SweepCause
from fairlead.core.replies import CheckName, CheckResult
from fairlead.core.reports import Cause

Number = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "number"})]
Text = str | None | UnsetType  # null when there is none; left out where nulls are omitted
RejectReason = Literal[
    "OTHER", "EXCHANGE_UNREACHABLE", "EXCHANGE_RESPONSE_TIMEOUT", "ORDER_ID_NOT_FOUND",
    "INVALID_TYPE", "METHOD_NOT_SUPPORTED", "JSON_ERROR",
]  # fmt: skip
REJECT_REASONS: tuple[RejectReason, ...] = get_args(RejectReason)


class Fills(msgspec.Struct):
    time: str
    price: Number
    amount: Number
    trade_id: str
    fee: Number
    fee_asset: str
    liquidity: str


class OrderExecutionReport(msgspec.Struct):
    type: Literal["ORDER_EXEC_REPORT_UPDATE"]
    id: str
    client_order_id_format_exchange: str
    exchange_order_id: Text
    amount_open: Number
    amount_filled: Number
    status: Status
    status_history: list[tuple[str, str]]
    error_message: Text
    fills: list[Fills]
    exchange_id: str
    client_order_id: str
    symbol_id_exchange: str
    symbol_id_coinapi: str
    amount_order: Number
    price: Number
    avg_px: Number
    side: Side
    order_type: Literal["LIMIT"]
    time_in_force: str
    expire_time: Text
    exec_inst: tuple[str, ...]
    in_doubt: bool
    sequence: int
    time_order: str


class BalanceRow(msgspec.Struct):
    id: str
    asset_id_exchange: str
    asset_id_coinapi: str
    balance: Number
    available: Number
    locked: Number
    traded: Number
    last_updated_by: Updater
    rate_usd: Number | UnsetType | None
    age_ms: int
    source: Updater
    rate_usd_age_ms: int | UnsetType | None


class Balance(msgspec.Struct):
    type: Literal["BALANCE_SNAPSHOT"]
    exchange_id: str
    data: list[BalanceRow]


class PositionDetails(msgspec.Struct):
    """`exchange_event` is the account event as of which the exchange stated the position last."""

    mark_price: Number
    exchange_event: int


class PositionRow(msgspec.Struct):
    id: str
    symbol_id_exchange: str
    symbol_id_coinapi: str
    avg_entry_price: Number
    quantity: Number
    side: Side
    unrealized_pnl: Number
    leverage: Number
    cross_margin: bool
    liquidation_price: Number | UnsetType | None
    raw_data: PositionDetails
    age_ms: int
    source: Updater


class Position(msgspec.Struct):
    type: Literal["POSITION_SNAPSHOT"]
    exchange_id: str
    data: list[PositionRow]


class OrderHistory(msgspec.Struct):
    apikey: str
    exchangeId: str
    clientOrderId: str
    symbolIdExchange: str
    symbolIdCoinapi: str
    amountOrder: Number
    price: Number
    side: int
    orderType: Literal["LIMIT"]
    timeInForce: str
    expireTime: Text
    execInst: tuple[str, ...]
    clientOrderIdFormatExchange: str
    exchangeOrderId: Text
    amountOpen: Number
    amountFilled: Number
    avgPx: Number
    status: Status
    statusHistoryStatus: list[str]
    statusHistoryTime: list[str]
    errorMessageResult: Text
    errorMessageReason: Text
    errorMessageMessage: Text
    fillsTime: list[str]
    fillsPrice: list[Number]
    fillsAmount: list[Number]
    createdTime: str
    fillsTradeId: list[str]  # from here on ours
    fillsFee: list[Number]
    fillsFeeAsset: list[str]
    fillsLiquidity: list[str]


class ValidationError(msgspec.Struct):
    type: Literal["https://tools.ietf.org/html/rfc7231#section-6.5.1"]
    title: Literal["One or more validation errors occurred."]
    status: int
    traceId: str
    errors: str
    errors_by_field: dict[str, str]


class MessageReject(msgspec.Struct, kw_only=True):
    type: Literal["MESSAGE_REJECT"]
    reject_reason: RejectReason
    exchange_id: str | UnsetType = UNSET
    message: str
    rejected_message: str | UnsetType = UNSET


class MessageError(msgspec.Struct):
    message: str


# ── ours, about one order ────────────────────────────────────────────────────────────────────────


class OrderCheck(msgspec.Struct):
    """`answer_status` is the HTTP status that a real order would be answered with for this."""

    check: CheckName
    result: CheckResult
    answer_status: int | None
    message: str | None


class OrderChecks(msgspec.Struct):
    exchange_id: str | None
    client_order_id: str | None
    would_be_sent: bool
    checks: list[OrderCheck]


class StoryReport(msgspec.Struct, kw_only=True):
    sequence: int
    time: str
    after_ns: int
    hop_ns: int
    cause: Cause
    status: Status
    in_doubt: bool
    amount_filled: Number
    exchange_order_id: str | UnsetType = UNSET
    fill: Fills | UnsetType = UNSET
    amount_closed: Number | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    error_message: str | UnsetType = UNSET
    attention: str | UnsetType = UNSET


class OrderStory(msgspec.Struct):
    exchange_id: str
    client_order_id: str
    order: OrderExecutionReport
    reports: list[StoryReport]


# ── ours, for operators ──────────────────────────────────────────────────────────────────────────


class OperatorAccount(msgspec.Struct):
    exchange_id: str
    mode: AccountMode
    connected: bool
    reconciled: bool
    loaded: bool
    trouble: Text
    sequence: int
    orders_open: int
    orders_in_doubt: int
    reconciled_time: Text
    reconciled_trade_id: Text


class SweepFound(msgspec.Struct):
    orders_adopted: int
    orders_asked: int
    fills_booked: int
    balances_moved: int
    positions_moved: int


class Sweep(msgspec.Struct):
    time: str
    cause: SweepCause
    duration_ms: int
    succeeded: bool
    trouble: Text
    found: SweepFound


class Drift(msgspec.Struct):
    """`id` is an asset, or the symbol of a position."""

    id: str
    kind: Literal["BALANCE", "POSITION"]
    drift: Number
    sweeps: int
    stays: bool


class Reconciliation(msgspec.Struct):
    exchange_id: str
    connected: bool
    reconciled: bool
    trouble: Text
    reconciled_time: Text
    reconciled_age_ms: int | UnsetType | None
    reconciled_trade_id: Text
    step: Text
    sweeps_succeeded: int
    sweeps_failed: int
    last_sweep: Sweep | UnsetType | None
    drifts: list[Drift]


class OperatorAttention(msgspec.Struct):
    trouble: str
    order: OrderExecutionReport


class OperatorMode(msgspec.Struct):
    exchange_id: str
    mode: AccountMode


class OperatorInstrument(msgspec.Struct):
    symbol_id_coinapi: str
    symbol_id_exchange: str
    asset_id_base_exchange: str
    asset_id_quote_exchange: str
    asset_id_base_coinapi: str
    asset_id_quote_coinapi: str
    price_precision: Number
    size_precision: Number
    amount_min: Number
    amount_max: Number
    notional_min: Number


class OperatorInstruments(msgspec.Struct):
    exchange_id: str
    data: list[OperatorInstrument]
