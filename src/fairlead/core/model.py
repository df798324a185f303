"""The words: what an instrument, an order, a fill, a balance and an account are.

Values only. Every struct is frozen: a change is a new value. Prices and quantities are exact
`Decimal`, times are integer UTC nanoseconds (`*_ns`), and an account is named by its whole
`exchange_id` (`SIM`, `SIM/ALICE`). Must never hold behaviour beyond what a value can say of itself.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.core.exact import average

ZERO = Decimal(0)
ONE = Decimal(1)


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class TimeInForce(StrEnum):
    GOOD_TILL_CANCEL = "GOOD_TILL_CANCEL"
    GOOD_TILL_TIME_EXCHANGE = "GOOD_TILL_TIME_EXCHANGE"
    GOOD_TILL_TIME_OMS = "GOOD_TILL_TIME_OMS"
    IMMEDIATE_OR_CANCEL = "IMMEDIATE_OR_CANCEL"
    FILL_OR_KILL = "FILL_OR_KILL"


class ExecInst(StrEnum):
    """Execution instructions; each exchange declares which it supports."""

    MAKER_OR_CANCEL = "MAKER_OR_CANCEL"
    AUCTION_ONLY = "AUCTION_ONLY"
    INDICATION_OF_INTEREST = "INDICATION_OF_INTEREST"
    CANCEL_ON_DISCONNECT = "CANCEL_ON_DISCONNECT"
    DO_NOT_CANCEL_ON_DISCONNECT = "DO_NOT_CANCEL_ON_DISCONNECT"
    DO_NOT_INCREASE = "DO_NOT_INCREASE"


class Stage(StrEnum):
    """Where an order's life has got to. The shown status is computed from this and two more facts."""

    RECEIVED = "RECEIVED"  # durable here, not handed to the venue
    ROUTING = "ROUTING"  # handed to the venue, sent or not
    ROUTED = "ROUTED"  # the exchange answered that it has it
    WORKING = "WORKING"  # in the exchange's book
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Return whether an order in this stage is over."""
        return self in FINAL_STAGES


FINAL_STAGES = frozenset({Stage.FILLED, Stage.CANCELED, Stage.REJECTED, Stage.EXPIRED})


class Status(StrEnum):
    """The status the wire contract shows (section 2.1)."""

    RECEIVED = "RECEIVED"
    ROUTING = "ROUTING"
    ROUTED = "ROUTED"
    NEW = "NEW"
    PENDING_CANCEL = "PENDING_CANCEL"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"


class Origin(StrEnum):
    CLIENT = "CLIENT"  # sent through Fairlead
    EXTERNAL = "EXTERNAL"  # first seen at the exchange


class AccountMode(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"  # only orders that reduce are let through
    HALTED = "HALTED"  # cancels only; open orders stay


class Liquidity(StrEnum):
    MAKER = "MAKER"
    TAKER = "TAKER"


class Reason(StrEnum):
    """Why an order was refused or ended, as a code a program can act on."""

    INSUFFICIENT_BALANCE = "insufficient_balance"
    ORDER_RATE = "order_rate_exceeded"
    ACCOUNT_REDUCING = "account_reducing"
    ACCOUNT_HALTED = "account_halted"
    NOT_SENT = "not_sent"  # certainly never left this process
    NEVER_REACHED = "never_reached"  # the exchange twice did not know it
    EXCHANGE = "exchange"  # the exchange refused or ended it by itself, in its own words
    OPERATOR = "operator"  # an operator resolved it
    LIQUIDATION = "liquidation"  # the exchange closes a position that its margin no longer bears
    AUTO_DELEVERAGING = "auto_deleveraging"  # … or one that profits from another account's loss


class Updater(StrEnum):
    """Who moved a balance last."""

    INITIALIZATION = "INITIALIZATION"
    EXCHANGE = "EXCHANGE"
    BALANCE_MANAGER = "BALANCE_MANAGER"


class InstrumentKind(StrEnum):
    SPOT = "SPOT"
    PERPETUAL = "PERPETUAL"


class Instrument(msgspec.Struct, frozen=True, array_like=True):
    """A market at an exchange and the rules an order in it must keep.

    `symbol` is ours (`SIM_SPOT_BTC_USDT`), `symbol_exchange` the exchange's own. `base` and `quote`
    are our asset names, `*_exchange` the exchange's. All limits are inclusive; `quantity_max` and
    `notional_min` are in base and quote units.

    A perpetual is linear: a contract is one unit of the base asset, margined and settled in the quote
    asset. `leverage_max` is the most an account may set; with less equity than `maintenance_rate` of
    its positions' notional at the mark price, an account is liquidated.
    """

    symbol: str
    symbol_exchange: str
    base: str
    quote: str
    base_exchange: str
    quote_exchange: str
    price_tick: Decimal
    quantity_step: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    kind: InstrumentKind = InstrumentKind.SPOT
    leverage_max: Decimal = Decimal(1)
    maintenance_rate: Decimal = ZERO


class Fill(msgspec.Struct, frozen=True, array_like=True):
    """One execution, as the exchange states it.

    `fee` is positive when paid, negative when it is a rebate, in `fee_asset` (our name).
    `exchange_ordinal` places the fill in the account's event order at the exchange (an event number
    or a time in ns; 0 when the exchange gives none), so that a balance statement can say whether it
    already contains this fill. `time_ns` is the exchange's, `time_booked_ns` ours. `realized` is the
    profit before fees that it realized in a perpetual, in the quote asset.
    """

    trade_id: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    time_ns: int
    time_booked_ns: int
    exchange_ordinal: int = 0
    realized: Decimal = ZERO


class Order(msgspec.Struct, frozen=True, array_like=True):
    """Everything known about one order: three facts (stage, quantities, pending) and its history.

    `number` is ours, dense over the journal. `time_in_force_text` is the client's own spelling, echoed
    as sent. `closed_quantity` is the filled quantity with which the exchange reported the order closed
    (None until it did): the order is settled once our fills add up to it. `in_doubt_ns` is the time
    since which the outcome of sending is unknown (None when it is known). `attention` says what an
    operator should look at (None: nothing). `sequence` is that of the last report about this order.
    `echo` is what the protocol that took the order wants to be told again; it means nothing here.
    `session` names the client's session that placed it (empty: it came without one, as by REST).
    """

    number: int
    account: str
    client_order_id: str
    venue_client_id: str
    symbol: str
    symbol_exchange: str
    base: str
    quote: str
    side: Side
    price: Decimal
    quantity: Decimal
    time_in_force: TimeInForce
    time_in_force_text: str
    expire_time_ns: int | None
    exec_inst: tuple[ExecInst, ...]
    origin: Origin
    caller: str
    time_order_ns: int
    stage: Stage
    exchange_order_id: str | None = None
    cancel_pending: bool = False
    in_doubt_ns: int | None = None
    quantity_filled: Decimal = ZERO
    notional_filled: Decimal = ZERO
    closed_quantity: Decimal | None = None
    reason: Reason | None = None
    error_message: str | None = None
    attention: str | None = None
    status_history: tuple[tuple[Status, int], ...] = ()
    sequence: int = 0
    fills: tuple[Fill, ...] = ()
    kind: InstrumentKind = InstrumentKind.SPOT
    echo: str = ""
    session: str = ""

    @property
    def ends_with_session(self) -> bool:
        """Whether we cancel it when the session that placed it ends."""
        return bool(self.session) and ExecInst.CANCEL_ON_DISCONNECT in self.exec_inst

    @property
    def leaves_quantity(self) -> Decimal:
        """Quantity not filled, never below zero (`amount_open` on the wire, also when final)."""
        leaves = self.quantity - self.quantity_filled
        return leaves if leaves > ZERO else ZERO  # noqa: FURB136 - on the order path

    @property
    def average_price(self) -> Decimal:
        """Volume-weighted price of the fills, 0 while unfilled."""
        if not self.quantity_filled:
            return ZERO
        return average(self.notional_filled, self.quantity_filled)

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is owed: final, no cancel or doubt open, every reported fill booked."""
        return (
            self.stage in FINAL_STAGES
            and not self.cancel_pending
            and self.in_doubt_ns is None
            and (self.closed_quantity is None or self.quantity_filled >= self.closed_quantity)
        )


class Balance(msgspec.Struct, frozen=True, array_like=True):
    """One asset of one account. `available` = `total` − `locked`.

    `traded` is the absolute quantity our fills moved in this asset since the account's first load.
    `exchange_ordinal` is the account event up to which the exchange's last statement speaks.
    `locked_elsewhere` is what the exchange locks for reasons other than orders we know.
    """

    asset: str
    asset_exchange: str
    total: Decimal
    locked: Decimal
    traded: Decimal
    updated_by: Updater
    time_ns: int
    exchange_ordinal: int = 0
    locked_elsewhere: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        """Return total minus locked."""
        return self.total - self.locked


class Position(msgspec.Struct, frozen=True, array_like=True):
    """What an account holds of a perpetual: BUY is long, SELL short; a quantity of 0 is flat.

    `entry_price` is the average price of what is held, `unrealized` the profit in `quote`, the asset it
    is margined in, if all were closed at `mark_price`. `liquidation_price` is the mark price at which the
    exchange would close it; None when there is none or it is not known. `exchange_ordinal` is the
    account event up to which the exchange's last statement speaks.
    """

    symbol: str
    symbol_exchange: str
    quote: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized: Decimal
    leverage: Decimal
    is_cross: bool
    liquidation_price: Decimal | None
    updated_by: Updater
    time_ns: int
    exchange_ordinal: int = 0

    @property
    def signed_quantity(self) -> Decimal:
        """Return the quantity, negative when short."""
        return -self.quantity if self.side is Side.SELL else self.quantity


class Abilities(msgspec.Struct, frozen=True):
    """What an exchange can do, declared by its dialect.

    `exec_inst` holds for every instrument, `exec_inst_perpetual` for perpetuals besides.

    `request_window_ms`: how long after its timestamp a request may still be accepted; None when the
    exchange has no such limit (then "not found" is never believed and an operator decides).
    """

    exchange: str
    time_in_force: frozenset[TimeInForce]
    exec_inst: frozenset[ExecInst]
    client_id_alphabet: str
    client_id_length_max: int
    query_by_client_id: bool
    cancel_by_client_id: bool
    cancel_on_disconnect: bool
    request_window_ms: int | None
    login_parameters: tuple[str, ...]
    exec_inst_perpetual: frozenset[ExecInst] = frozenset()
