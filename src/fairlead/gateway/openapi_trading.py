"""The OpenAPI document of the trading API, made from what decodes requests (forms) and renders answers
(shapes).

A superset of the contract's document: same paths, schema names, fields, closed sets.
"""

from fairlead.gateway import shapes
from fairlead.gateway.forms import CLIENT_ORDER_ID, ENUMS, EXCHANGE_ID, FORMS, PLACE, Schema
from fairlead.gateway.openapi import (
    REF,
    Operation,
    Parameter,
    Words,
    document,
    form_schemas,
    shape_schemas,
)
from fairlead.gateway.rest import HISTORY_LIMIT_MAX
from fairlead.gateway.words import CALLS, EXAMPLES, FIELDS, PARAMETERS

WORDS = Words(CALLS, PARAMETERS, FIELDS, EXAMPLES)
_DESCRIPTION = """\
Orders, balances and positions; numbers are exact decimals. Every call needs a key, by the header
X-CoinAPI-Key, by the query parameter apikey, by a signature in four headers, or by a TLS client certificate
of the key alone, unless the system runs without authentication."""
_ANSWER_SHAPES = (
    shapes.OrderExecutionReport,
    shapes.Balance,
    shapes.Position,
    shapes.OrderHistory,
    shapes.ValidationError,
    shapes.MessageReject,
    shapes.MessageError,
    shapes.Reconciliation,
    shapes.OrderChecks,
    shapes.OrderStory,
    shapes.OperatorAccount,
    shapes.OperatorAttention,
    shapes.OperatorMode,
    shapes.OperatorInstruments,
)
# Our names of shapes → the contract's, where they differ.
_CONTRACT_NAMES = {
    "BalanceRow": "Balance_data_inner",
    "PositionRow": "Position_data_inner",
    "Status": "OrdStatus",
    "Side": "OrdSide",
}
_ARRAYS = {
    "OrderExecutionReports": "OrderExecutionReport",
    "Balances": "Balance",
    "Positions": "Position",
    "OrderHistoryArray": "OrderHistory",
    "Reconciliations": "Reconciliation",
    "OperatorAccounts": "OperatorAccount",
    "OperatorAttentions": "OperatorAttention",
    "OperatorInstrumentsArray": "OperatorInstruments",
}


_EXCHANGE_ID = (Parameter("exchange_id", schema=EXCHANGE_ID),)
_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": HISTORY_LIMIT_MAX}
_CURSOR: Schema = {"type": "string", "pattern": "^[0-9]{1,18}-[0-9]{1,18}$"}
_PAGE = (Parameter("limit", schema=_LIMIT), Parameter("after", schema=_CURSOR))
_RANGE = (
    Parameter("time_start", is_required=True),
    Parameter("time_end", is_required=True),
)
_RANGE_IN_PATH = (
    Parameter("time_start", "path", is_required=True),
    Parameter("time_end", "path", is_required=True),
)
_CLIENT_ORDER_ID = Parameter("client_order_id", "path", is_required=True, schema=CLIENT_ORDER_ID)
_INVALID = {"400": "ValidationError"}
_UNREACHABLE = {"490": "MessageReject"}
_BUSY = {"503": "MessageReject"}
_REFUSED = _INVALID | _UNREACHABLE | _BUSY
_UNKNOWN = {"404": "MessageReject"}
_HISTORY = {"200": "OrderHistoryArray", "400": "MessageError"}
_REPORT = {"200": "OrderExecutionReport"}

_OPERATIONS = (
    Operation("/v1/orders", "get", _EXCHANGE_ID, None,
               {"200": "OrderExecutionReports"} | _REFUSED),
    Operation("/v1/orders", "post", (), "OrderNewSingleRequest",
               _REPORT | _REFUSED | {"409": "MessageReject", "504": "MessageReject"}),
    Operation("/v1/orders/status/{client_order_id}", "get",
               (_CLIENT_ORDER_ID, *_EXCHANGE_ID), None,
               _REPORT | _UNKNOWN | _REFUSED),
    Operation("/v1/orders/story/{client_order_id}", "get",
               (_CLIENT_ORDER_ID, *_EXCHANGE_ID), None,
               {"200": "OrderStory"} | _UNKNOWN | _REFUSED),
    Operation("/v1/orders/check", "post", (), "OrderNewSingleRequest",
               {"200": "OrderChecks"} | _BUSY),
    Operation("/v1/orders/cancel", "post", (), "OrderCancelSingleRequest",
               _REPORT | _UNKNOWN | _REFUSED),
    Operation("/v1/orders/cancel/all", "post", (), "OrderCancelAllRequest",
               {"200": "MessageReject"} | _REFUSED),
    Operation("/v1/orders/history", "get", (*_RANGE, *_PAGE), None, _HISTORY),
    Operation("/v1/orders/history/{time_start}/{time_end}", "get", (*_RANGE_IN_PATH, *_PAGE), None,
               _HISTORY),
    Operation("/v1/balances", "get", _EXCHANGE_ID, None, {"200": "Balances"} | _REFUSED),
    Operation("/v1/positions", "get", _EXCHANGE_ID, None, {"200": "Positions"} | _REFUSED),
    Operation("/v1/accounts/reconciliation", "get", _EXCHANGE_ID, None,
               {"200": "Reconciliations"} | _REFUSED),
    Operation("/v1/operator/accounts", "get", _EXCHANGE_ID, None,
               {"200": "OperatorAccounts"} | _REFUSED),
    Operation("/v1/operator/attention", "get", _EXCHANGE_ID, None,
               {"200": "OperatorAttentions"} | _REFUSED),
    Operation("/v1/operator/instruments", "get", _EXCHANGE_ID, None,
               {"200": "OperatorInstrumentsArray"} | _REFUSED),
    Operation("/v1/operator/resolve", "post", (), "OperatorResolveRequest",
               _REPORT | _UNKNOWN | _REFUSED | {"409": "MessageReject"}),
    Operation("/v1/operator/mode", "post", (), "OperatorModeRequest",
               {"200": "OperatorMode"} | _REFUSED),
)  # fmt: skip


def trading_document() -> Schema:
    """Return the OpenAPI 3.0 document of the trading API."""
    return document("Fairlead trading API", _DESCRIPTION, _OPERATIONS, _schemas(), WORDS)


def _schemas() -> dict[str, Schema]:
    schemas = form_schemas(FORMS, WORDS, {PLACE.name})
    schemas |= shape_schemas(_ANSWER_SHAPES, _CONTRACT_NAMES, WORDS)
    schemas |= {name: {"type": "string", "enum": list(values)} for name, values in ENUMS.items()}
    schemas["RejectReason"] = {"type": "string", "enum": list(shapes.REJECT_REASONS)}
    schemas["ExecInst"] = next(field.schema for field in PLACE.fields if field.name == "exec_inst")
    schemas |= {
        name: {"type": "array", "items": {"$ref": REF + each}} for name, each in _ARRAYS.items()
    }
    return schemas | _split_report(schemas)


def _split_report(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """Say of a report what the contract's document says: a new order, and more."""
    report = schemas["OrderExecutionReport"]
    properties, required = report["properties"], report["required"]
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    more: Schema = {
        "type": "object",
        "properties": {name: of for name, of in properties.items() if name not in PLACE.names},
        "required": [name for name in required if name not in PLACE.names],
    }
    parts = ["OrderNewSingleRequest", "OrderExecutionReport_allOf"]
    whole: Schema = {"allOf": [{"$ref": REF + name} for name in parts]}
    return {"OrderExecutionReport_allOf": more, "OrderExecutionReport": whole}
