"""VenueRequest: what the engine asks of an exchange. VenueReport: what an exchange says to the engine.

Frozen, tagged, serialisable structs that name their account. Must never hold behaviour.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.core.model import (
    ZERO,
    Abilities,
    ExecInst,
    Instrument,
    Liquidity,
    Reason,
    Side,
    TimeInForce,
)
from fairlead.core.rates import Ticker

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

# ── VenueReport: exchange → engine ───────────────────────────────────────────────────────────────


class VenueConnected(VenueMessage, frozen=True, kw_only=True, tag="connected"):
    """Logged in and subscribed: what happens from here on will be heard, if the stream is honest.

    `cursor_first` is the place before the account's first fill, where the exchange has one to tell: an
    account that has no cursor yet keeps it, and with it which exchange its orders are at.
    """

    abilities: Abilities
    cursor_first: str = ""


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
    `text`: why the exchange rejected the order or ended it unasked, in its own words; None where a cancel
    of ours ended it, whatever the exchange calls that, or it does not say.
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


class VenueClock(VenueMessage, frozen=True, kw_only=True, tag="clock"):
    """The exchange's clock is `offset_ns` ahead of ours; said when that has changed."""

    offset_ns: int


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
    | VenueClock
)
