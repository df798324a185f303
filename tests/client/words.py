"""Orders and reports as the library has them: good ones; a test changes what it is about."""

from decimal import Decimal
from typing import Any

import msgspec

from fairlead.client import NewOrder, OrderReport, Side

D = Decimal
BTC = "SIM_SPOT_BTC_USDT"


def new_order(client_order_id: str | None = None, **changes: object) -> NewOrder:
    """Return an order that rests far below the market."""
    fields: dict[str, Any] = {
        "exchange_id": "SIM",
        "side": Side.BUY,
        "amount_order": D("0.01"),
        "price": D("20000.00"),
        "symbol_id_coinapi": BTC,
    } | changes
    if client_order_id is not None:
        fields["client_order_id"] = client_order_id
    return NewOrder(**fields)


REPORT: dict[str, object] = {
    "type": "ORDER_EXEC_REPORT_UPDATE",
    "id": "x",
    "client_order_id_format_exchange": "f-x",
    "exchange_order_id": "7",
    "amount_open": 1,
    "amount_filled": 0,
    "status": "NEW",
    "status_history": [["RECEIVED", "2026-01-01T00:00:00.0000000Z"]],
    "error_message": None,
    "fills": [],
    "exchange_id": "SIM",
    "client_order_id": "x",
    "symbol_id_exchange": "BTC/USDT",
    "symbol_id_coinapi": BTC,
    "amount_order": 1,
    "price": 2,
    "avg_px": 0,
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GOOD_TILL_CANCEL",
    "expire_time": None,
    "exec_inst": [],
    "in_doubt": False,
    "sequence": 4,
    "time_order": "2026-01-01T00:00:00.0000000Z",
}


def report(**changes: object) -> OrderReport:
    """Return a report as the library reads it."""
    return msgspec.json.decode(msgspec.json.encode(REPORT | changes), type=OrderReport)
