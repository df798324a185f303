"""What each call and each field means, in one sentence, for the OpenAPI document and the reference page.

Keys are the wire's: `METHOD path` of a call, schema and field. Text only; a field whose own form
already says it is not repeated here.
"""

CALLS: dict[str, str] = {
    "GET /v1/orders": "The orders that have not ended.",
    "POST /v1/orders": (
        "Place an order. Answered when the exchange has answered; sent again with the same"
        " client_order_id and content it returns the order and places nothing."
    ),
    "GET /v1/orders/status/{client_order_id}": "One order, whether it has ended or not.",
    "GET /v1/orders/story/{client_order_id}": (
        "One order, and every report about it with the time that each took."
    ),
    "POST /v1/orders/check": (
        "Say what every check would say of an order now; nothing is placed, and the id is not used up."
    ),
    "POST /v1/orders/cancel": (
        "Cancel one order. Answered when the wish is durable, with the order as it then stands."
    ),
    "POST /v1/orders/cancel/all": "Cancel every order of an account that has not ended.",
    "GET /v1/orders/history": (
        "The orders that changed in a range of time, ended or not: streamed, or in pages of `limit`;"
        " the header X-Fairlead-After of a full page is the `after` of the next."
    ),
    "GET /v1/orders/history/{time_start}/{time_end}": "The same, the times in the path.",
    "GET /v1/balances": "What the accounts have of each asset.",
    "GET /v1/positions": "The positions of the accounts.",
    "GET /v1/accounts/reconciliation": (
        "How the accounts stand with their exchange: through which trade they are reconciled, their last"
        " sweep, and how far its statements are from our bookkeeping."
    ),
    "GET /v1/operator/accounts": "The accounts: mode, connection, whether they take orders.",
    "GET /v1/operator/attention": "The orders that an operator should look at, and why.",
    "GET /v1/operator/instruments": "The instruments, with the rules that orders in them must keep.",
    "POST /v1/operator/resolve": (
        "Say what became of an order that Fairlead cannot clear up, after a look at the exchange."
    ),
    "POST /v1/operator/mode": (
        "Let an account trade (ACTIVE), only reduce (REDUCING), or only cancel (HALTED)."
    ),
}

PARAMETERS: dict[str, str] = {
    "exchange_id": "only this account",
    "client_order_id": "your id for the order, percent-encoded",
    "time_start": "UTC, ISO 8601; the first moment of the range",
    "time_end": "UTC, ISO 8601; the end of the range",
    "limit": "rows per page, 1 to 1000; without it all are streamed",
    "after": "the header X-Fairlead-After of the page before",
}

# What can be sent to a system with the account SIM, in the order of the calls, and is answered.
EXAMPLES: dict[str, object] = {
    "exchange_id": "SIM",
    "client_order_id": "example-order",
    "time_start": "2026-01-01",
    "time_end": "2200-01-01T00:00:00Z",
    "limit": 100,
    "OrderNewSingleRequest": {
        "exchange_id": "SIM",
        "client_order_id": "example-order",
        "symbol_id_coinapi": "SIM_SPOT_BTC_USDT",
        "amount_order": 0.001,
        "price": 20000,
        "side": "BUY",
        "order_type": "LIMIT",
        "time_in_force": "GOOD_TILL_CANCEL",
    },
    "OrderCancelSingleRequest": {"exchange_id": "SIM", "client_order_id": "example-order"},
    "OrderCancelAllRequest": {"exchange_id": "SIM"},
    "OperatorResolveRequest": {
        "exchange_id": "SIM",
        "client_order_id": "example-order",
        "resolution": "NEVER_REACHED",
    },
    "OperatorModeRequest": {"exchange_id": "SIM", "mode": "ACTIVE"},
}

_SYMBOL_EXCHANGE = "the market by the exchange's own name: BTC/USDT"
_SYMBOL = "the market by its name here: SIM_SPOT_BTC_USDT"
_EXCHANGE_ID = "the account"

FIELDS: dict[str, dict[str, str]] = {
    "OrderNewSingleRequest": {
        "symbol_id_exchange": _SYMBOL_EXCHANGE,
        "symbol_id_coinapi": f"{_SYMBOL}; one of the two is required",
        "side": "BUY or SELL",
        "order_type": "LIMIT",
        "time_in_force": "how long it stays",
        "amount_order": "quantity in base units: a number or a string holding one, exact",
        "price": "limit price in quote units, likewise",
    },
    "OrderCancelSingleRequest": {
        "exchange_order_id": "the exchange's id; exactly one of the two ids is given",
    },
    "OperatorResolveRequest": {
        "resolution": "NEVER_REACHED (it is not at the exchange), CANCELED (it was, and is closed),"
        " WORKING (it is in the book)",
    },
    "OperatorModeRequest": {"mode": "ACTIVE, REDUCING or HALTED"},
    "OrderExecutionReport": {
        "type": "what this object is",
        "id": "your id for the order, as client_order_id",
        "client_order_id_format_exchange": "the id that the exchange was given for it",
        "exchange_order_id": "the exchange's id, null until known",
        "amount_open": "amount_order less amount_filled, also when the order has ended",
        "amount_filled": "the sum of the fills",
        "status": "where the order stands",
        "status_history": "every status it has had, with its time",
        "error_message": "why it was refused, or ended unasked: a reason's code first, where it is ours",
        "fills": "the executions",
        "exchange_id": _EXCHANGE_ID,
        "client_order_id": "your id for the order",
        "symbol_id_exchange": _SYMBOL_EXCHANGE,
        "symbol_id_coinapi": _SYMBOL,
        "amount_order": "quantity ordered, in base units",
        "price": "limit price, in quote units",
        "avg_px": "average price of the fills by quantity, 0 while there is none",
        "side": "BUY or SELL",
        "order_type": "LIMIT",
        "time_in_force": "as it was sent",
        "expire_time": "when a GOOD_TILL_TIME order ends",
        "exec_inst": "the instructions it was sent with",
        "in_doubt": "whether the outcome of sending it is unknown now",
        "sequence": "number of the last report about it, dense per account",
        "time_order": "when it was accepted here",
    },
    "Fills": {
        "time": "when it traded, by the exchange",
        "price": "price, in quote units",
        "amount": "quantity, in base units",
        "trade_id": "the exchange's id of the trade",
        "fee": "what it cost; below zero where it was a rebate",
        "fee_asset": "the asset of the fee",
        "liquidity": "MAKER (it rested) or TAKER",
    },
    "Balance": {
        "type": "what this object is",
        "exchange_id": _EXCHANGE_ID,
        "data": "one element per asset, by name",
    },
    "BalanceRow": {
        "id": "the asset, as asset_id_exchange",
        "asset_id_exchange": "the asset by the exchange's name",
        "asset_id_coinapi": "the asset by its name here",
        "balance": "what the account has",
        "available": "balance less locked: what new orders may use",
        "locked": "what open orders hold",
        "traded": "absolute quantity that our fills have moved since the account was first loaded",
        "last_updated_by": "INITIALIZATION (first load), EXCHANGE (as it states), BALANCE_MANAGER (our"
        " own booking of orders and fills)",
        "rate_usd": "what one unit is worth in USD by the exchange's own best quotes; null: unknown or old",
        "age_ms": "how old this figure is",
        "source": "who stated it, as last_updated_by",
        "rate_usd_age_ms": "how old the rate is",
    },
    "Position": {
        "type": "what this object is",
        "exchange_id": _EXCHANGE_ID,
        "data": "one element per position; spot has none",
    },
    "PositionRow": {
        "id": "symbol_id_exchange and side",
        "symbol_id_exchange": _SYMBOL_EXCHANGE,
        "symbol_id_coinapi": _SYMBOL,
        "avg_entry_price": "average price at which it was entered",
        "quantity": "its size",
        "side": "BUY (long) or SELL (short)",
        "unrealized_pnl": "what closing it at the mark price would bring",
        "leverage": "its leverage",
        "cross_margin": "whether the whole account stands for it",
        "liquidation_price": "the mark price at which the exchange would close it",
        "raw_data": "what the exchange says beyond this",
        "age_ms": "how old this figure is",
        "source": "who stated it, as last_updated_by of a balance",
    },
    "PositionDetails": {
        "mark_price": "the price at which the exchange values it",
        "exchange_event": "the account event as of which the exchange stated it last",
    },
    "OrderHistory": {
        "apikey": "who placed it, empty where nobody has to say",
        "side": "1: buy, 2: sell",
        "statusHistoryStatus": "every status it has had",
        "statusHistoryTime": "their times, in the same order",
        "errorMessageResult": "the status that the explanation belongs to",
        "errorMessageReason": "the reason's code",
        "errorMessageMessage": "the explanation",
        "fillsTime": "times of the executions",
        "fillsPrice": "their prices, in the same order",
        "fillsAmount": "their quantities, in the same order",
        "createdTime": "when it was accepted here",
        "fillsTradeId": "the exchange's ids of their trades, in the same order",
        "fillsFee": "their fees",
        "fillsFeeAsset": "the assets of their fees",
        "fillsLiquidity": "MAKER or TAKER of each",
    },
    "OrderChecks": {
        "exchange_id": _EXCHANGE_ID,
        "client_order_id": "your id for the order",
        "would_be_sent": "whether every check passes",
        "checks": "the checks, in the order in which they are made",
    },
    "OrderCheck": {
        "check": "its name",
        "result": "PASSED, FAILED, or NOT_REACHED because an earlier one failed",
        "answer_status": "the HTTP status that a real order would be answered with for this",
        "message": "what was wrong and what would be right",
    },
    "OrderStory": {
        "exchange_id": _EXCHANGE_ID,
        "client_order_id": "your id for the order",
        "order": "the order as it stands",
        "reports": "every report about it, oldest first",
    },
    "StoryReport": {
        "sequence": "its number, dense per account",
        "time": "when it was decided",
        "after_ns": "nanoseconds since the order was accepted",
        "hop_ns": "nanoseconds since the report before",
        "cause": "why there is this report",
        "status": "the status that the order had then",
        "in_doubt": "whether the outcome of sending it was unknown then",
        "amount_filled": "the sum of the fills until then",
        "exchange_order_id": "the exchange's id, where this report brought it",
        "fill": "the execution that it tells of",
        "amount_closed": "the filled quantity with which the exchange closed the order",
        "reason": "the reason's code",
        "error_message": "why it was refused or ended",
        "attention": "what an operator should look at",
    },
    "Reconciliation": {
        "exchange_id": _EXCHANGE_ID,
        "connected": "whether its connection to the exchange stands",
        "reconciled": "whether it takes new orders",
        "trouble": "what keeps it from being reconciled",
        "reconciled_time": "when it was last brought in line with the exchange",
        "reconciled_age_ms": "how long ago that was",
        "reconciled_trade_id": "the last trade that was known then",
        "step": "what the sweep that runs now is at, null while none runs",
        "sweeps_succeeded": "since the start of the process",
        "sweeps_failed": "since the start of the process",
        "last_sweep": "the last one that ended",
        "drifts": "where the exchange's statement differs from our bookkeeping",
    },
    "Sweep": {
        "time": "when it ended",
        "cause": "why it was made",
        "duration_ms": "how long it took",
        "succeeded": "whether it got to its end",
        "trouble": "what stopped it",
        "found": "what it found",
    },
    "SweepFound": {
        "orders_adopted": "orders that were not sent from here",
        "orders_asked": "orders that were thought open and not listed, and asked for",
        "fills_booked": "fills that had not been heard",
        "balances_moved": "balances that the statement changed",
        "positions_moved": "positions that the statement changed",
    },
    "Drift": {
        "id": "the asset, or the symbol of the position",
        "kind": "what it is a drift of",
        "drift": "the exchange's figure less ours",
        "sweeps": "for how many sweeps in a row",
        "stays": "whether that is long enough to raise the alarm drift_stays",
    },
    "ValidationError": {
        "type": "a constant",
        "title": "a constant",
        "status": "400",
        "traceId": "names this answer",
        "errors": "everything that is wrong: field, value, what would be right",
        "errors_by_field": "the same by field",
    },
    "MessageReject": {
        "type": "what this object is",
        "reject_reason": "the kind of refusal",
        "exchange_id": _EXCHANGE_ID,
        "message": "what was wrong and what would be right",
        "rejected_message": "the request as it came",
    },
    "MessageError": {"message": "what was wrong and what would be right"},
    "OperatorAccount": {
        "exchange_id": _EXCHANGE_ID,
        "mode": "ACTIVE, REDUCING or HALTED",
        "connected": "whether its connection to the exchange stands",
        "reconciled": "whether it takes new orders: the books agree with the exchange",
        "loaded": "whether it has ever been read from the exchange",
        "trouble": "what keeps it from being reconciled",
        "sequence": "number of its last report",
        "orders_open": "orders that have not ended",
        "orders_in_doubt": "of these, those whose outcome is unknown",
        "reconciled_time": "when it was last brought in line with the exchange",
        "reconciled_trade_id": "the last trade that was known then",
    },
    "OperatorAttention": {"trouble": "what is the matter", "order": "the order's report"},
    "OperatorMode": {"exchange_id": _EXCHANGE_ID, "mode": "the mode that it has now"},
    "OperatorInstruments": {"exchange_id": _EXCHANGE_ID, "data": "one element per instrument"},
    "OperatorInstrument": {
        "symbol_id_coinapi": _SYMBOL,
        "symbol_id_exchange": _SYMBOL_EXCHANGE,
        "asset_id_base_exchange": "base asset by the exchange's name",
        "asset_id_quote_exchange": "quote asset by the exchange's name",
        "asset_id_base_coinapi": "base asset by its name here",
        "asset_id_quote_coinapi": "quote asset by its name here",
        "price_precision": "the tick: prices are multiples of it",
        "size_precision": "the step: quantities are multiples of it",
        "amount_min": "least quantity",
        "amount_max": "most quantity",
        "notional_min": "least price × quantity, in quote units",
    },
}  # fmt: skip

_SAME_IN_HISTORY = (
    "exchange_id", "client_order_id", "symbol_id_exchange", "symbol_id_coinapi", "amount_order",
    "price", "order_type", "time_in_force", "expire_time", "exec_inst",
    "client_order_id_format_exchange", "exchange_order_id", "amount_open", "amount_filled",
    "avg_px", "status",
)  # fmt: skip


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


FIELDS["OrderHistory"] |= {_camel(name): f"as {name} of a report" for name in _SAME_IN_HISTORY}


def words_of(schema: str, field: str) -> str | None:
    """Return what a field means, None where nothing is said."""
    return FIELDS.get(schema, {}).get(field)
