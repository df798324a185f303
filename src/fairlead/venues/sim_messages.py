"""The byte dialect of the simulated exchange: its words and their frames.

A frame is a 4-byte big-endian length and that many bytes of msgpack, at most `FRAME_BYTES_MAX`.
Structs go as arrays whose first element is the tag. Times are UTC ns; prices and quantities exact
decimals (strings in msgpack). Both sides use this module and nothing else of each other's; whether
the bytes cross a socket or an in-memory pipe makes no difference here. No struct can be part of a
cycle, so the garbage collector need not know of them.

One connection carries one account: Login first, then requests and answers (matched by
`request_id`), with the account's stream of `Execution`, `BalancesChanged`, `PositionsChanged` and
`InstrumentsChanged` frames between them. `event` counts an account's events densely from 1; an
answer that states something says as of which event.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from struct import Struct
from typing import Generic, TypeVar

import msgspec

from fairlead.core.model import ZERO, Instrument, Liquidity, Side, TimeInForce

FRAME_BYTES_MAX = 4 * 1024 * 1024
FILLS_PAGE = 500  # fills in one FillsPage at most


class RefusalCode(StrEnum):
    """Why the exchange did not do what it was asked; nothing was done."""

    LOGIN = "LOGIN"
    NOT_LOGGED_IN = "NOT_LOGGED_IN"
    WINDOW = "WINDOW"  # the request arrived after its window, or from the future
    RATE = "RATE"
    MAINTENANCE = "MAINTENANCE"
    MALFORMED = "MALFORMED"
    SYMBOL = "SYMBOL"
    PRICE = "PRICE"
    QUANTITY = "QUANTITY"
    NOTIONAL = "NOTIONAL"
    BALANCE = "BALANCE"
    POST_ONLY = "POST_ONLY"  # would have taken liquidity
    REDUCE_ONLY = "REDUCE_ONLY"  # there is no position that it could reduce
    DUPLICATE = "DUPLICATE"  # client id of an order that is still open
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    EXPIRE_TIME = "EXPIRE_TIME"
    CANCEL = "CANCEL"  # cannot be cancelled now
    INTERNAL = "INTERNAL"  # "something went wrong": the outcome is NOT known


class OrderState(StrEnum):
    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class WireOrigin(StrEnum):
    """Who made an order; what the exchange makes has a client id of the exchange's own."""

    CLIENT = "CLIENT"
    LIQUIDATION = "LIQUIDATION"
    DELEVERAGING = "DELEVERAGING"


class WireOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order as the exchange states it; `event` is the account event of its last change."""

    exchange_order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    filled: Decimal
    time_in_force: TimeInForce
    post_only: bool
    expire_time_ns: int | None
    state: OrderState
    time_ns: int
    event: int
    text: str | None
    reduce_only: bool = False
    origin: WireOrigin = WireOrigin.CLIENT


class WireFill(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One account's side of one trade. `ordinal` counts the account's fills densely from 1.

    `realized` is the profit that this fill of a perpetual realized, in the quote asset and before
    the fee; 0 for spot.
    """

    ordinal: int
    trade_id: str
    exchange_order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    time_ns: int
    event: int
    realized: Decimal = ZERO


class WireBalance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    asset: str
    total: Decimal
    locked: Decimal


class WirePosition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an account holds of a perpetual: BUY is long, SELL short; flat is a quantity of 0, BUY.

    `entry_price` is the average of what is held (0 when flat), `unrealized` the profit in the quote
    asset if all were closed at `mark_price`. `liquidation_price` is the mark price at which the
    account would be liquidated if nothing else changed; None when there is no such price.
    """

    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized: Decimal
    leverage: Decimal
    is_cross: bool
    liquidation_price: Decimal | None


# ── client → exchange ────────────────────────────────────────────────────────────────────────────


class Ask(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What every request carries. `sent_ns` + the exchange's request window bounds its acceptance."""

    request_id: int
    sent_ns: int


class Login(Ask, frozen=True, array_like=True, gc=False, tag="login"):
    public_key: str
    private_key: str


class Place(Ask, frozen=True, array_like=True, gc=False, tag="place"):
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    time_in_force: TimeInForce
    post_only: bool
    expire_time_ns: int | None
    reduce_only: bool = False


class Cancel(Ask, frozen=True, array_like=True, gc=False, tag="cancel"):
    """By `exchange_order_id` if not None, else by `client_id` (newest order of that id)."""

    symbol: str
    exchange_order_id: str | None
    client_id: str


class Query(Ask, frozen=True, array_like=True, gc=False, tag="query"):
    """By `exchange_order_id` if not None, else by `client_id` (newest order of that id)."""

    symbol: str
    exchange_order_id: str | None
    client_id: str


class AskOpenOrders(Ask, frozen=True, array_like=True, gc=False, tag="open_orders"):
    pass


class AskFills(Ask, frozen=True, array_like=True, gc=False, tag="fills"):
    """Fills with an ordinal above `after`, oldest first, at most `FILLS_PAGE`."""

    after: int


class AskBalances(Ask, frozen=True, array_like=True, gc=False, tag="balances"):
    pass


class AskPositions(Ask, frozen=True, array_like=True, gc=False, tag="positions"):
    pass


class AskTickers(Ask, frozen=True, array_like=True, gc=False, tag="tickers"):
    pass


class AskInstruments(Ask, frozen=True, array_like=True, gc=False, tag="instruments"):
    pass


class Ping(Ask, frozen=True, array_like=True, gc=False, tag="ping"):
    pass


ClientMessage = (
    Login
    | Place
    | Cancel
    | Query
    | AskOpenOrders
    | AskFills
    | AskBalances
    | AskPositions
    | AskTickers
    | AskInstruments
    | Ping
)

# ── exchange → client: answers ───────────────────────────────────────────────────────────────────


class LoggedIn(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="logged_in"):
    """`last_event` is the account's newest event; the stream continues after it.

    `exchange`: which one this is, as long as its store lives; empty where it does not say.
    """

    request_id: int
    last_event: int
    request_window_ms: int
    time_ns: int
    exchange: str = ""


class Refused(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="refused"):
    """The request was not carried out (except INTERNAL, whose outcome is not known)."""

    request_id: int
    code: RefusalCode
    text: str
    retry_after_ms: int | None


class Placed(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="placed"):
    """The exchange has the order. What becomes of it is told by the stream."""

    request_id: int
    exchange_order_id: str
    client_id: str
    time_ns: int


class Stated(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="stated"):
    """The order after a Cancel, or as a Query found it."""

    request_id: int
    order: WireOrder


class OpenOrders(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="open_orders_page"):
    request_id: int
    event: int
    orders: tuple[WireOrder, ...]


class FillsPage(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="fills_page"):
    request_id: int
    fills: tuple[WireFill, ...]
    is_last: bool


class Balances(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="balances_page"):
    """Every asset the account ever held."""

    request_id: int
    event: int
    time_ns: int
    balances: tuple[WireBalance, ...]


class Positions(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="positions_page"):
    """The account's position in every perpetual market; flat ones tell the leverage."""

    request_id: int
    event: int
    time_ns: int
    positions: tuple[WirePosition, ...]


class WireTicker(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The best quotes of a market; None where nobody quotes."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None


class Tickers(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="tickers_page"):
    """Every market, as it is at `time_ns`."""

    request_id: int
    time_ns: int
    tickers: tuple[WireTicker, ...]


class Instruments(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="instruments_page"):
    request_id: int
    instruments: tuple[Instrument, ...]


class Pong(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="pong"):
    request_id: int
    time_ns: int


# ── exchange → client: stream ────────────────────────────────────────────────────────────────────


class Execution(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="execution"):
    """One account event: an order changed, perhaps by a fill, and these balances are now so.

    `positions` has the position that a fill of a perpetual left, also if it is flat now.
    """

    event: int
    time_ns: int
    order: WireOrder
    fill: WireFill | None
    balances: tuple[WireBalance, ...]
    positions: tuple[WirePosition, ...] = ()


class BalancesChanged(
    msgspec.Struct, frozen=True, array_like=True, gc=False, tag="balances_changed"
):
    """One account event that no order caused."""

    event: int
    time_ns: int
    balances: tuple[WireBalance, ...]


class PositionsChanged(
    msgspec.Struct, frozen=True, array_like=True, gc=False, tag="positions_changed"
):
    """One account event that no order caused: funding was paid, or the leverage changed."""

    event: int
    time_ns: int
    positions: tuple[WirePosition, ...]
    balances: tuple[WireBalance, ...]


class InstrumentsChanged(
    msgspec.Struct, frozen=True, array_like=True, gc=False, tag="instruments_changed"
):
    instruments: tuple[Instrument, ...]


ExchangeMessage = (
    LoggedIn
    | Refused
    | Placed
    | Stated
    | OpenOrders
    | FillsPage
    | Balances
    | Positions
    | Tickers
    | Instruments
    | Pong
    | Execution
    | BalancesChanged
    | PositionsChanged
    | InstrumentsChanged
)

_encode = msgspec.msgpack.Encoder(decimal_format="string").encode
_size = Struct(">I")


class FrameError(ValueError):
    """Bytes that are not this dialect: too long a frame, or one that does not decode."""


def frame(message: ClientMessage | ExchangeMessage) -> bytes:
    """Return `message` as one frame."""
    body = _encode(message)
    return _size.pack(len(body)) + body


_client_decoder = msgspec.msgpack.Decoder(ClientMessage)
_exchange_decoder = msgspec.msgpack.Decoder(ExchangeMessage)
_MessageType = TypeVar("_MessageType")
# msgspec lets Python's own errors about bad UTF-8 and too deep nesting through.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class FrameReader(Generic[_MessageType]):
    """Cuts a stream of bytes into messages of one direction; keeps at most one unfinished frame."""

    def __init__(self, decode: Callable[[bytes], _MessageType]) -> None:
        self._decode = decode
        self._rest = b""

    def feed(self, data: bytes) -> list[_MessageType]:
        """Return the messages completed by `data`, in order. Raises FrameError."""
        buffer = self._rest + data if self._rest else data
        decode = self._decode
        messages = []
        start, end = 0, len(buffer)
        while end - start >= 4:
            (size,) = _size.unpack_from(buffer, start)
            if size > FRAME_BYTES_MAX:
                raise FrameError(f"frame of {size} bytes is over the limit of {FRAME_BYTES_MAX}")
            body, start_next = start + 4, start + 4 + size
            if start_next > end:
                break
            try:
                messages.append(decode(buffer[body:start_next]))
            except _UNREADABLE as error:
                raise FrameError(f"frame does not decode: {error}") from error
            start = start_next
        self._rest = buffer[start:]
        return messages


def client_messages() -> FrameReader[ClientMessage]:
    """A reader for the exchange's side."""
    return FrameReader(_client_decoder.decode)


def exchange_messages() -> FrameReader[ExchangeMessage]:
    """A reader for the client's side."""
    return FrameReader(_exchange_decoder.decode)
