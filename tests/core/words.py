"""Instruments, orders and fills for tests of the core: good ones; a test changes what it is about."""

from decimal import Decimal

import msgspec

from fairlead.core.model import (
    Abilities,
    ExecInst,
    Fill,
    Instrument,
    InstrumentKind,
    Liquidity,
    Order,
    Origin,
    Side,
    Stage,
    TimeInForce,
)
from fairlead.core.order import apply
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import PlaceOrder

D = Decimal
SECOND_NS = 1_000_000_000
MS = 1_000_000
START_NS = 1_700_000_000 * SECOND_NS

BTC_USDT = Instrument(
    symbol="SIM_SPOT_BTC_USDT",
    symbol_exchange="BTC-USDT",
    base="BTC",
    quote="USDT",
    base_exchange="XBT",
    quote_exchange="USDT",
    price_tick=D("0.01"),
    quantity_step=D("0.0001"),
    quantity_min=D("0.0001"),
    quantity_max=D("1000"),
    notional_min=D("10"),
)
ETH_BTC = Instrument(
    symbol="SIM_SPOT_ETH_BTC",
    symbol_exchange="ETH-XBT",
    base="ETH",
    quote="BTC",
    base_exchange="ETH",
    quote_exchange="XBT",
    price_tick=D("0.00001"),
    quantity_step=D("0.001"),
    quantity_min=D("0.001"),
    quantity_max=D("100000"),
    notional_min=D("0.0001"),
)

BTC_PERP = msgspec.structs.replace(
    BTC_USDT,
    symbol="SIM_PERP_BTC_USDT",
    symbol_exchange="BTC-PERP",
    kind=InstrumentKind.PERPETUAL,
    leverage_max=D(50),
    maintenance_rate=D("0.01"),
)

ABILITIES = Abilities(
    exchange="SIM",
    time_in_force=frozenset(TimeInForce),
    exec_inst=frozenset({ExecInst.MAKER_OR_CANCEL}),
    client_id_alphabet="a-zA-Z0-9-_",
    client_id_length_max=36,
    query_by_client_id=True,
    cancel_by_client_id=True,
    cancel_on_disconnect=False,
    request_window_ms=5_000,
    login_parameters=(),
    exec_inst_perpetual=frozenset({ExecInst.DO_NOT_INCREASE}),
)


def make_request(client_order_id: str = "a", **changes: object) -> PlaceOrder:
    """Return a request for 2 BTC at 100 USDT, good till cancelled, with these changes."""
    fields: dict[str, object] = {
        "account": "SIM",
        "client_order_id": client_order_id,
        "symbol": "SIM_SPOT_BTC_USDT",
        "symbol_exchange": None,
        "side": Side.BUY,
        "price": D(100),
        "quantity": D(2),
        "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
        **changes,
    }
    fields.setdefault("time_in_force_text", str(fields["time_in_force"]))
    return PlaceOrder(**fields)


def make_order(stage: Stage = Stage.RECEIVED, **changes: object) -> Order:
    """Return an order opened in `stage`, with these changes."""
    fields: dict[str, object] = {
        "number": 1,
        "account": "SIM",
        "client_order_id": "a",
        "venue_client_id": "venue-a",
        "symbol": "SIM_SPOT_BTC_USDT",
        "symbol_exchange": "BTC-USDT",
        "base": "BTC",
        "quote": "USDT",
        "side": Side.BUY,
        "price": D(100),
        "quantity": D(10),
        "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
        "time_in_force_text": "GOOD_TILL_CANCEL",
        "expire_time_ns": None,
        "exec_inst": (),
        "origin": Origin.CLIENT,
        "caller": "test",
        "time_order_ns": START_NS,
        "stage": stage,
        **changes,
    }
    order = Order(**fields)
    opened = OrderReport(
        order.account, 1, order.number, START_NS, Cause.RECEIVED, opened=order
    )  # fmt: skip
    return apply(None, opened)


def make_fill(quantity: str, price: str = "100", **changes: object) -> Fill:
    """Return a fill of this quantity without a fee, with these changes."""
    fields: dict[str, object] = {
        "trade_id": "t1",
        "price": D(price),
        "quantity": D(quantity),
        "fee": D(0),
        "fee_asset": "USDT",
        "liquidity": Liquidity.MAKER,
        "time_ns": START_NS,
        "time_booked_ns": START_NS,
        "exchange_ordinal": 0,
        **changes,
    }
    return Fill(**fields)


def change(order: Order, cause: Cause, **fields: object) -> Order:
    """Return `order` after one more report, a second later."""
    sequence = order.sequence + 1
    time_ns = START_NS + sequence * SECOND_NS
    return apply(
        order, OrderReport(order.account, sequence, order.number, time_ns, cause, **fields)
    )
