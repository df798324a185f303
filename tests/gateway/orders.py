"""Orders for the gateway's tests: one good request, many bad ones, and an order with every field."""

import json
from decimal import Decimal

from fairlead.core.model import (
    ExecInst,
    Fill,
    Liquidity,
    Order,
    Origin,
    Side,
    Stage,
    Status,
    TimeInForce,
)

GOOD: dict[str, object] = {
    "exchange_id": "SIM",
    "client_order_id": "6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
    "symbol_id_coinapi": "SIM_SPOT_BTC_USDT",
    "amount_order": "0.045",
    "price": "10.5",
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GOOD_TILL_CANCEL",
}
ABSENT = object()


def body(**changes: object) -> bytes:
    """Return the good order with these fields changed (or ABSENT)."""
    fields = {name: value for name, value in (GOOD | changes).items() if value is not ABSENT}
    return json.dumps(fields).encode()


def raw(name: str, text: str) -> bytes:
    """Return the good order with the JSON text `text` as the value of `name`."""
    return body(**{name: "@@"}).replace(b'"@@"', text.encode("utf-8", "surrogatepass"))


def expiring(expire_time: object) -> bytes:
    return body(time_in_force="GOOD_TILL_TIME_EXCHANGE", expire_time=expire_time)


# (what is wrong, body, the field that must be named)
BAD_ORDERS: list[tuple[str, bytes, str]] = [
    # numbers
    ("amount NaN", raw("amount_order", "NaN"), "body"),
    ("price NaN in a string", body(price="NaN"), "price"),
    ("price Infinity", raw("price", "Infinity"), "body"),
    ("price -Infinity in a string", body(price="-Infinity"), "price"),
    ("price sNaN", body(price="sNaN"), "price"),
    ("price with underscore", body(price="1_000"), "price"),
    ("price with spaces", body(price=" 1 "), "price"),
    ("price with newline", body(price="1\n"), "price"),
    ("price in arabic digits", body(price="١٢"), "price"),
    ("amount in fullwidth digits", body(amount_order="１２"), "amount_order"),
    ("price 1E400", raw("price", "1E400"), "price"),
    ("price 1E400 in a string", body(price="1E400"), "price"),
    ("price 1e99999999999999999999", raw("price", "1e99999999999999999999"), "price"),
    ("price 1e-400", body(price="1e-400"), "price"),
    ("price of 39 digits", raw("price", "1" * 39), "price"),
    ("price of 39 digits with a point", body(price="1." + "1" * 38), "price"),
    ("price of 10,000 digits", raw("price", "1" * 10_000), "price"),
    ("amount 0.000…1 of 39 digits", body(amount_order="1e-38"), "amount_order"),
    ("price with plus", body(price="+1"), "price"),
    ("price without digit before the point", body(price=".5"), "price"),
    ("price without digit after the point", body(price="5."), "price"),
    ("price hexadecimal", body(price="0x10"), "price"),
    ("price with comma", body(price="1,5"), "price"),
    ("price empty", body(price=""), "price"),
    ("price true", body(price=True), "price"),
    ("price array", body(price=[1]), "price"),
    ("price object", body(price={"value": 1}), "price"),
    ("price zero", body(price=0), "price"),
    ("price negative zero", body(price="-0.0"), "price"),
    ("price negative", body(price=-1), "price"),
    ("amount zero", body(amount_order="0.000"), "amount_order"),
    ("amount negative", body(amount_order="-0.5"), "amount_order"),
    ("amount null", body(amount_order=None), "amount_order"),
    ("amount missing", body(amount_order=ABSENT), "amount_order"),
    ("price missing", body(price=ABSENT), "price"),
    # ids
    ("exchange missing", body(exchange_id=ABSENT), "exchange_id"),
    ("exchange empty", body(exchange_id=""), "exchange_id"),
    ("exchange in small letters", body(exchange_id="sim"), "exchange_id"),
    ("exchange a number", body(exchange_id=5), "exchange_id"),
    ("exchange with an empty tag", body(exchange_id="SIM/"), "exchange_id"),
    ("exchange with a tag of 65", body(exchange_id="SIM/" + "a" * 65), "exchange_id"),
    ("exchange with a space in its tag", body(exchange_id="SIM/A B"), "exchange_id"),
    ("exchange with a foreign separator", body(exchange_id="SIM|A"), "exchange_id"),
    ("exchange with a newline", body(exchange_id="SIM\n"), "exchange_id"),
    ("exchange not ASCII", body(exchange_id="SÍM"), "exchange_id"),
    ("client id missing", body(client_order_id=ABSENT), "client_order_id"),
    ("client id empty", body(client_order_id=""), "client_order_id"),
    ("client id of 129", body(client_order_id="a" * 129), "client_order_id"),
    ("client id with a tab", body(client_order_id="a\tb"), "client_order_id"),
    ("client id not ASCII", body(client_order_id="ä"), "client_order_id"),
    ("client id a number", body(client_order_id=17), "client_order_id"),
    ("no symbol", body(symbol_id_coinapi=ABSENT), "symbol_id_coinapi"),
    ("symbols null", body(symbol_id_coinapi=None, symbol_id_exchange=None), "symbol_id_coinapi"),
    ("symbol empty", body(symbol_id_coinapi=""), "symbol_id_coinapi"),
    ("symbol a number", body(symbol_id_exchange=1), "symbol_id_exchange"),
    ("symbol very long", body(symbol_id_exchange="X" * 10_000), "symbol_id_exchange"),
    # closed sets
    ("side missing", body(side=ABSENT), "side"),
    ("side unknown", body(side="SHORT"), "side"),
    ("side in small letters", body(side="buy"), "side"),
    ("side an array", body(side=["BUY"]), "side"),
    ("side a number", body(side=1), "side"),
    ("order type missing", body(order_type=ABSENT), "order_type"),
    ("order type MARKET", body(order_type="MARKET"), "order_type"),
    ("order type an object", body(order_type={}), "order_type"),
    ("time in force missing", body(time_in_force=ABSENT), "time_in_force"),
    ("time in force unknown", body(time_in_force="DAY"), "time_in_force"),
    ("time in force a number", body(time_in_force=0), "time_in_force"),
    ("exec_inst unknown", body(exec_inst=["HIDDEN"]), "exec_inst"),
    ("exec_inst unknown, bare", body(exec_inst="HIDDEN"), "exec_inst"),
    ("exec_inst bare empty", body(exec_inst=""), "exec_inst"),
    ("exec_inst of numbers", body(exec_inst=[1]), "exec_inst"),
    ("exec_inst with null", body(exec_inst=[None]), "exec_inst"),
    ("exec_inst nested", body(exec_inst=[["MAKER_OR_CANCEL"]]), "exec_inst"),
    ("exec_inst an object", body(exec_inst={"MAKER_OR_CANCEL": True}), "exec_inst"),
    ("exec_inst twice", body(exec_inst=["MAKER_OR_CANCEL"] * 2), "exec_inst"),
    ("exec_inst of 1,000", body(exec_inst=["MAKER_OR_CANCEL"] * 1_000), "exec_inst"),
    (
        "exec_inst contradictory",
        body(exec_inst=["CANCEL_ON_DISCONNECT", "DO_NOT_CANCEL_ON_DISCONNECT"]),
        "exec_inst",
    ),
    # times
    ("expire_time missing", body(time_in_force="GOOD_TILL_TIME_OMS"), "expire_time"),
    ("expire_time null", expiring(None), "expire_time"),
    ("expire_time with GTC", body(expire_time="2030-01-01T00:00:00Z"), "expire_time"),
    (
        "expire_time with IOC",
        body(time_in_force="IMMEDIATE_OR_CANCEL", expire_time="2030-01-01T00:00:00Z"),
        "expire_time",
    ),
    ("expire_time a number", expiring(1893456000), "expire_time"),
    ("expire_time words", expiring("tomorrow"), "expire_time"),
    ("expire_time empty", expiring(""), "expire_time"),
    ("expire_time month 13", expiring("2030-13-01T00:00:00Z"), "expire_time"),
    ("expire_time 30 February", expiring("2030-02-30"), "expire_time"),
    ("expire_time hour 24", expiring("2030-01-01T24:00:00Z"), "expire_time"),
    ("expire_time second 60", expiring("2030-01-01T00:00:60Z"), "expire_time"),
    ("expire_time six fraction digits", expiring("2030-01-01T00:00:00.123456Z"), "expire_time"),
    ("expire_time with an offset", expiring("2030-01-01T00:00:00+01:00"), "expire_time"),
    ("expire_time with a space", expiring("2030-01-01 00:00:00"), "expire_time"),
    ("expire_time in arabic digits", expiring("٢٠٣٠-01-01"), "expire_time"),
    ("expire_time half basic", expiring("2030-0101T00:00"), "expire_time"),
    ("expire_time year 9999", expiring("9999-12-31T23:59:59Z"), "expire_time"),
    ("expire_time before 1970", expiring("1969-12-31T23:59:59Z"), "expire_time"),
    # members
    ("unknown field", body(limit_price=1), "limit_price"),
    ("unknown field null", body(stop_price=None), "stop_price"),
    ("field in capitals", body(Price=1), "Price"),
    ("price twice", body()[:-1] + b', "price": 10.5}', "price"),
    ("price twice, once escaped", body()[:-1] + b', "\\u0070rice": 11}', "price"),
    ("side twice, the first null", b'{"side": null, ' + body()[1:], "side"),
    ("unknown field twice", body()[:-1] + b', "x": 1, "x": 2}', "x"),
    # the body as a whole
    ("empty", b"", "body"),
    ("white space", b"  ", "body"),
    ("not JSON", b"price=10.5", "body"),
    ("cut off", body()[:-1], "body"),
    ("trailing characters", body() + b"x", "body"),
    ("two objects", body() * 2, "body"),
    ("trailing comma", body()[:-1] + b",}", "body"),
    ("an array", b"[" + body() + b"]", "body"),
    ("a string", b'"order"', "body"),
    ("null", b"null", "body"),
    ("single quotes", body().replace(b'"', b"'"), "body"),
    ("not UTF-8", body().replace(b"SIM_SPOT", b"\xff\xfe"), "body"),
    ("a byte order mark", b"\xef\xbb\xbf" + body(), "body"),
    ("a lone surrogate", body().replace(b"SIM_SPOT", b"\\ud800"), "body"),
    ("nested very deeply", raw("price", "[" * 30_000 + "]" * 30_000), "body"),
    ("leading zero in a number", raw("price", "010.5"), "body"),
    ("number without fraction digits", raw("price", "10."), "body"),
]

TIME_NS = 1_610_063_999_123_456_789
TIME_TEXT = "2021-01-07T23:59:59.1234567Z"

ORDER = Order(
    number=1,
    account="SIM/ALICE",
    client_order_id="id 1",
    venue_client_id="abcdefghijklmnopqrstuvwxyz",
    symbol="SIM_SPOT_BTC_USDT",
    symbol_exchange="BTC/USDT",
    base="BTC",
    quote="USDT",
    side=Side.SELL,
    price=Decimal("1E+2"),
    quantity=Decimal("0.0450"),
    time_in_force=TimeInForce.GOOD_TILL_TIME_OMS,
    time_in_force_text="GOOD_TILL_TIME_OEML",
    expire_time_ns=TIME_NS + 1_000_000_000,
    exec_inst=(ExecInst.MAKER_OR_CANCEL,),
    origin=Origin.CLIENT,
    caller="public-key",
    time_order_ns=TIME_NS,
    stage=Stage.WORKING,
    exchange_order_id="12345",
    quantity_filled=Decimal("0.00000001"),
    notional_filled=Decimal("0.00000100"),
    status_history=((Status.RECEIVED, TIME_NS), (Status.PARTIALLY_FILLED, TIME_NS)),
    sequence=7,
    fills=(
        Fill(
            trade_id="t1",
            price=Decimal(100),
            quantity=Decimal("0.00000001"),
            fee=Decimal("-0.00000001"),
            fee_asset="BTC",
            liquidity=Liquidity.MAKER,
            time_ns=TIME_NS,
            time_booked_ns=TIME_NS + 5,
        ),
    ),
)
