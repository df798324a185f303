"""What the API is sent and what it answers, as frozen structs with the wire's names.

Numbers are exact decimals, times are the API's text (`numbers.time_ns` reads one). A newer system may
answer more than stands here; what is not known is left out. Values only.
"""

import secrets
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from fairlead.client.numbers import Amount, wire_amount, wire_time
from fairlead.core.model import AccountMode, ExecInst, Side, Status, TimeInForce

Resolution = Literal["NEVER_REACHED", "CANCELED", "WORKING"]
FINAL = frozenset({Status.FILLED, Status.CANCELED, Status.REJECTED})
UNANSWERED = frozenset({Status.RECEIVED, Status.ROUTING})


def new_client_order_id() -> str:
    """Return an id that nobody has used."""
    return f"c-{secrets.token_hex(12)}"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A limit order to place; one of the two symbols names its market.

    Its client order id is there before it is sent, so that it can be asked about whatever happens.
    Raises TypeError for a float, ValueError for a Decimal that is not a number or a time without zone.
    """

    exchange_id: str
    side: Side
    amount_order: Amount
    price: Amount
    symbol_id_coinapi: str | None = None
    symbol_id_exchange: str | None = None
    time_in_force: str = TimeInForce.GOOD_TILL_CANCEL
    expire_time: datetime | str | None = None
    exec_inst: tuple[ExecInst, ...] = ()
    client_order_id: str = msgspec.field(default_factory=new_client_order_id)

    def __post_init__(self) -> None:
        self.body()

    def body(self) -> bytes:
        """Return the JSON of POST /v1/orders."""
        fields: dict[str, object] = {
            "exchange_id": self.exchange_id,
            "client_order_id": self.client_order_id,
            "symbol_id_coinapi": self.symbol_id_coinapi,
            "symbol_id_exchange": self.symbol_id_exchange,
            "amount_order": wire_amount("amount_order", self.amount_order),
            "price": wire_amount("price", self.price),
            "side": self.side,
            "order_type": "LIMIT",
            "time_in_force": self.time_in_force,
            "exec_inst": self.exec_inst or None,
        }
        if self.expire_time is not None:
            fields["expire_time"] = wire_time("expire_time", self.expire_time)
        given = {name: value for name, value in fields.items() if value is not None}
        return msgspec.json.encode(given)


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


class StatusChange(msgspec.Struct, frozen=True, array_like=True):
    """One entry of a status history."""

    status: Status
    time: str


class Fill(msgspec.Struct, frozen=True):
    """One fill of an order."""

    time: str
    price: Decimal
    amount: Decimal
    trade_id: str
    fee: Decimal
    fee_asset: str
    liquidity: str


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stood when the system answered; `sequence` is that of its last change."""

    exchange_id: str
    client_order_id: str
    client_order_id_format_exchange: str
    exchange_order_id: str | None = None
    symbol_id_coinapi: str
    symbol_id_exchange: str
    side: Side
    amount_order: Decimal
    amount_open: Decimal
    amount_filled: Decimal
    price: Decimal
    avg_px: Decimal
    time_in_force: str
    expire_time: str | None = None
    exec_inst: tuple[str, ...]
    status: Status
    status_history: tuple[StatusChange, ...]
    error_message: str | None = None
    fills: tuple[Fill, ...]
    in_doubt: bool
    sequence: int
    time_order: str

    @property
    def is_final(self) -> bool:
        """Whether the order is over and nothing about it is in doubt."""
        return self.status in FINAL and not self.in_doubt

    @property
    def is_answered(self) -> bool:
        """Whether it is known what became of sending it: nothing is in doubt or on its way."""
        return self.status not in UNANSWERED and not self.in_doubt


# ── one order, looked into ───────────────────────────────────────────────────────────────────────


class Check(msgspec.Struct, frozen=True):
    """One check of a dry run: PASSED, FAILED or NOT_REACHED.

    Of a failed one `answer_status` is the HTTP status that a real order would be answered with, 200
    where it would be stored and REJECTED.
    """

    check: str
    result: str
    answer_status: int | None = None
    message: str | None = None


class Checks(msgspec.Struct, frozen=True):
    """Every check of a dry run, in the order in which a real order's are made."""

    would_be_sent: bool
    checks: tuple[Check, ...]


class StoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One report about an order: why (`cause`), how the order stood then, and what it brought.

    `after_ns` is since the order was accepted, `hop_ns` since the report before; `time` is when it was
    decided, which is before it was durable.
    """

    sequence: int
    time: str
    after_ns: int
    hop_ns: int
    cause: str
    status: Status
    in_doubt: bool
    amount_filled: Decimal
    exchange_order_id: str | None = None
    fill: Fill | None = None
    amount_closed: Decimal | None = None
    reason: str | None = None
    error_message: str | None = None
    attention: str | None = None


class Story(msgspec.Struct, frozen=True):
    """An order and everything that was ever reported about it."""

    exchange_id: str
    client_order_id: str
    order: OrderReport
    reports: tuple[StoryReport, ...]


# ── history ──────────────────────────────────────────────────────────────────────────────────────


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


class HistoryOrder(msgspec.Struct, frozen=True, kw_only=True, rename=_camel):
    """An order in the history; the wire's flat arrays are what `fills` and `status_history` read."""

    exchange_id: str
    client_order_id: str
    client_order_id_format_exchange: str
    exchange_order_id: str | None = None
    symbol_id_coinapi: str
    symbol_id_exchange: str
    side_number: int = msgspec.field(name="side")
    amount_order: Decimal
    amount_open: Decimal
    amount_filled: Decimal
    price: Decimal
    avg_px: Decimal
    time_in_force: str
    expire_time: str | None = None
    exec_inst: tuple[str, ...]
    status: Status
    status_history_status: tuple[Status, ...]
    status_history_time: tuple[str, ...]
    error_message_reason: str | None = None
    error_message_message: str | None = None
    fills_time: tuple[str, ...]
    fills_price: tuple[Decimal, ...]
    fills_amount: tuple[Decimal, ...]
    fills_trade_id: tuple[str, ...]
    fills_fee: tuple[Decimal, ...]
    fills_fee_asset: tuple[str, ...]
    fills_liquidity: tuple[str, ...]
    created_time: str

    @property
    def side(self) -> Side:
        """Return the side, which a history row writes as 1 or 2."""
        return Side.BUY if self.side_number == 1 else Side.SELL

    @property
    def status_history(self) -> Iterator[StatusChange]:
        """Yield every status with its time."""
        for status, time in zip(self.status_history_status, self.status_history_time, strict=True):
            yield StatusChange(status, time)

    @property
    def fills(self) -> Iterator[Fill]:
        """Yield every fill."""
        columns = (
            self.fills_time, self.fills_price, self.fills_amount, self.fills_trade_id,
            self.fills_fee, self.fills_fee_asset, self.fills_liquidity,
        )  # fmt: skip
        for time, price, amount, trade_id, fee, fee_asset, liquidity in zip(*columns, strict=True):
            yield Fill(time, price, amount, trade_id, fee, fee_asset, liquidity)


class HistoryPage(msgspec.Struct, frozen=True):
    """Some orders of a history, and where the next page begins (None: this was the last)."""

    orders: tuple[HistoryOrder, ...]
    after: str | None


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """One asset of one account."""

    asset_id_coinapi: str
    asset_id_exchange: str
    balance: Decimal
    available: Decimal
    locked: Decimal
    traded: Decimal
    last_updated_by: str
    rate_usd: Decimal | None = None
    age_ms: int
    source: str
    rate_usd_age_ms: int | None = None


class Balances(msgspec.Struct, frozen=True):
    """The balances of one account."""

    exchange_id: str
    data: tuple[Balance, ...]


class PositionDetails(msgspec.Struct, frozen=True):
    """What else is known of a position."""

    mark_price: Decimal


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """One position of one account; `liquidation_price` is None where there is none."""

    symbol_id_coinapi: str
    symbol_id_exchange: str
    side: Side
    quantity: Decimal
    avg_entry_price: Decimal
    unrealized_pnl: Decimal
    leverage: Decimal
    cross_margin: bool
    liquidation_price: Decimal | None = None
    raw_data: PositionDetails
    age_ms: int
    source: str


class Positions(msgspec.Struct, frozen=True):
    """The positions of one account."""

    exchange_id: str
    data: tuple[Position, ...]


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A market and the rules of an order in it: `price_precision` is the tick, `size_precision` the step."""

    symbol_id_coinapi: str
    symbol_id_exchange: str
    asset_id_base_coinapi: str
    asset_id_quote_coinapi: str
    price_precision: Decimal
    size_precision: Decimal
    amount_min: Decimal
    amount_max: Decimal
    notional_min: Decimal


class Instruments(msgspec.Struct, frozen=True):
    """The markets of one account's exchange."""

    exchange_id: str
    data: tuple[Instrument, ...]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as an operator sees it; `trouble` says why it takes no orders."""

    exchange_id: str
    mode: AccountMode
    connected: bool
    reconciled: bool
    loaded: bool
    trouble: str | None = None
    sequence: int
    orders_open: int
    orders_in_doubt: int
    reconciled_time: str | None = None
    reconciled_trade_id: str | None = None


class SweepFound(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep found that we did not know."""

    orders_adopted: int
    orders_asked: int
    fills_booked: int
    balances_moved: int
    positions_moved: int


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison with the exchange: when, why, how long, and what came of it."""

    time: str
    cause: str
    duration_ms: int
    succeeded: bool
    trouble: str | None = None
    found: SweepFound


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the exchange's statement is from our bookkeeping, for how many sweeps."""

    id: str
    kind: str
    drift: Decimal
    sweeps: int
    stays: bool


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands with its exchange; `step` is what a sweep under way is doing."""

    exchange_id: str
    connected: bool
    reconciled: bool
    trouble: str | None = None
    reconciled_time: str | None = None
    reconciled_age_ms: int | None = None
    reconciled_trade_id: str | None = None
    step: str | None = None
    sweeps_succeeded: int
    sweeps_failed: int
    last_sweep: Sweep | None = None
    drifts: tuple[Drift, ...] = ()


class Attention(msgspec.Struct, frozen=True):
    """An order that an operator should look at, and why."""

    trouble: str
    order: OrderReport


class Mode(msgspec.Struct, frozen=True):
    """An account's mode as it is from now on."""

    exchange_id: str
    mode: AccountMode


class CancelAll(msgspec.Struct, frozen=True):
    """What came of cancelling everything: `message` says how many orders that concerns."""

    exchange_id: str
    message: str


# ── health ───────────────────────────────────────────────────────────────────────────────────────


class AccountHealth(msgspec.Struct, frozen=True):
    """One account: `reconciled`, or why it is not."""

    exchange_id: str
    state: str


class Health(msgspec.Struct, frozen=True):
    """Whether the system is ready, and what it says of its journal and its accounts."""

    status: str
    journal: str
    accounts: tuple[AccountHealth, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it takes orders, or says of every account why not."""
        return self.status == "ready"
