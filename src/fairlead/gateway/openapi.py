"""The OpenAPI document, generated from what decodes requests (forms) and renders answers (shapes).

A superset of the contract's document: same paths, schema names, fields, closed sets.
"""

import msgspec

from fairlead import __version__
from fairlead.gateway import shapes
from fairlead.gateway.answers import Answer, Call, json_answer
from fairlead.gateway.forms import ENUMS, FORMS, PLACE, Form, Schema
from fairlead.gateway.routing import Methods
from fairlead.gateway.words import CALLS, PARAMETERS, words_of

_REF = "#/components/schemas/"
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


class _Operation(msgspec.Struct, frozen=True):
    """One call: parameters as (name, where, is required), answers as status → schema name."""

    path: str
    method: str
    parameters: tuple[tuple[str, str, bool], ...]
    body: str | None
    answers: dict[str, str]


_EXCHANGE_ID = (("exchange_id", "query", False),)
_PAGE = (("limit", "query", False), ("after", "query", False))
_RANGE = (("time_start", "query", True), ("time_end", "query", True))
_RANGE_IN_PATH = (("time_start", "path", True), ("time_end", "path", True))
_INVALID = {"400": "ValidationError"}
_UNREACHABLE = {"490": "MessageReject"}
_BUSY = {"503": "MessageReject"}
_REFUSED = _INVALID | _UNREACHABLE | _BUSY
_UNKNOWN = {"404": "MessageReject"}
_HISTORY = {"200": "OrderHistoryArray", "400": "MessageError"}
_REPORT = {"200": "OrderExecutionReport"}

_OPERATIONS = (
    _Operation("/v1/orders", "get", _EXCHANGE_ID, None,
               {"200": "OrderExecutionReports"} | _REFUSED),
    _Operation("/v1/orders", "post", (), "OrderNewSingleRequest",
               _REPORT | _REFUSED | {"409": "MessageReject", "504": "MessageReject"}),
    _Operation("/v1/orders/status/{client_order_id}", "get",
               (("client_order_id", "path", True), *_EXCHANGE_ID), None,
               _REPORT | _UNKNOWN | _REFUSED),
    _Operation("/v1/orders/story/{client_order_id}", "get",
               (("client_order_id", "path", True), *_EXCHANGE_ID), None,
               {"200": "OrderStory"} | _UNKNOWN | _REFUSED),
    _Operation("/v1/orders/check", "post", (), "OrderNewSingleRequest",
               {"200": "OrderChecks"} | _BUSY),
    _Operation("/v1/orders/cancel", "post", (), "OrderCancelSingleRequest",
               _REPORT | _UNKNOWN | _REFUSED),
    _Operation("/v1/orders/cancel/all", "post", (), "OrderCancelAllRequest",
               {"200": "MessageReject"} | _REFUSED),
    _Operation("/v1/orders/history", "get", (*_RANGE, *_PAGE), None, _HISTORY),
    _Operation("/v1/orders/history/{time_start}/{time_end}", "get", (*_RANGE_IN_PATH, *_PAGE), None,
               _HISTORY),
    _Operation("/v1/balances", "get", _EXCHANGE_ID, None, {"200": "Balances"} | _REFUSED),
    _Operation("/v1/positions", "get", _EXCHANGE_ID, None, {"200": "Positions"} | _REFUSED),
    _Operation("/v1/accounts/reconciliation", "get", _EXCHANGE_ID, None,
               {"200": "Reconciliations"} | _REFUSED),
    _Operation("/v1/operator/accounts", "get", _EXCHANGE_ID, None,
               {"200": "OperatorAccounts"} | _REFUSED),
    _Operation("/v1/operator/attention", "get", _EXCHANGE_ID, None,
               {"200": "OperatorAttentions"} | _REFUSED),
    _Operation("/v1/operator/instruments", "get", _EXCHANGE_ID, None,
               {"200": "OperatorInstrumentsArray"} | _REFUSED),
    _Operation("/v1/operator/resolve", "post", (), "OperatorResolveRequest",
               _REPORT | _UNKNOWN | _REFUSED | {"409": "MessageReject"}),
    _Operation("/v1/operator/mode", "post", (), "OperatorModeRequest",
               {"200": "OperatorMode"} | _REFUSED),
)  # fmt: skip


def openapi_document() -> Schema:
    """Return the OpenAPI 3.0 document of the trading API."""
    paths: dict[str, dict[str, Schema]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.0.3",
        "info": {"title": "Fairlead trading API", "version": __version__},
        "paths": paths,
        "components": {"schemas": _schemas()},
    }


def document_routes() -> dict[bytes, Methods]:
    """Return the route of the document, which is made once."""
    answer = json_answer(200, openapi_document())

    async def document(_: Call) -> Answer:
        return answer

    return {b"/openapi.json": {"GET": document}}


def _operation(operation: _Operation) -> Schema:
    described: Schema = {"summary": CALLS.get(f"{operation.method.upper()} {operation.path}", "")}
    if operation.parameters:
        described["parameters"] = [
            {
                "name": name,
                "in": where,
                "required": is_required,
                "description": PARAMETERS.get(name, ""),
                "schema": {"type": "string"},
            }
            for name, where, is_required in operation.parameters
        ]
    if operation.body is not None:
        described["requestBody"] = {"content": _content(operation.body), "required": True}
    described["responses"] = {
        status: {"description": name, "content": _content(name)}
        for status, name in sorted(operation.answers.items())
    }
    return described


def _content(name: str) -> Schema:
    return {"application/json": {"schema": {"$ref": _REF + name}}}


def _schemas() -> dict[str, Schema]:
    schemas = {form.name: _form_schema(form) for form in FORMS}
    _, shaped = msgspec.json.schema_components(_ANSWER_SHAPES, ref_template=_REF + "{name}")
    for name, schema in shaped.items():
        schemas[_CONTRACT_NAMES.get(name, name)] = _in_words(name, _as_openapi_3_0(schema))
    schemas |= {name: {"type": "string", "enum": list(values)} for name, values in ENUMS.items()}
    schemas["RejectReason"] = {"type": "string", "enum": list(shapes.REJECT_REASONS)}
    schemas["ExecInst"] = next(field.schema for field in PLACE.fields if field.name == "exec_inst")
    schemas |= {
        name: {"type": "array", "items": {"$ref": _REF + each}} for name, each in _ARRAYS.items()
    }
    return schemas | _split_report(schemas)


def _form_schema(form: Form) -> Schema:
    properties: Schema = {}
    for field in form.fields:
        may_be_null = not field.is_required and "$ref" not in field.schema
        properties[field.name] = field.schema | ({"nullable": True} if may_be_null else {})
    _in_words(form.name, {"properties": properties})
    required = [field.name for field in form.fields if field.is_required]
    return {"type": "object", "properties": properties, "required": required}


def _in_words(name: str, schema: Schema) -> Schema:
    """Say of each field what it means; not beside a reference, where OpenAPI 3.0 would ignore it."""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for field, said in properties.items():
            words = words_of(name, field)
            if words is not None and "$ref" not in said:
                properties[field] = {**said, "description": words}
    return schema


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
    whole: Schema = {"allOf": [{"$ref": _REF + name} for name in parts]}
    return {"OrderExecutionReport_allOf": more, "OrderExecutionReport": whole}


def _as_openapi_3_0(schema: object) -> Schema:
    """Say what msgspec says (JSON Schema 2020-12) in the older words that clients' generators know."""
    assert isinstance(schema, dict)
    said: Schema = {}
    for key, value in schema.items():
        match key:
            case "title":
                pass
            case "$ref":
                name = str(value).removeprefix(_REF)
                said[key] = _REF + _CONTRACT_NAMES.get(name, name)
            case "anyOf":
                said |= _as_openapi_3_0(next(each for each in value if each != {"type": "null"}))
                said["nullable"] = True
            case "prefixItems":
                said["items"] = _as_openapi_3_0(value[0])
            case "items" if "prefixItems" in schema:
                pass
            case "items" | "additionalProperties":
                said[key] = _as_openapi_3_0(value) if isinstance(value, dict) else value
            case "properties":
                said[key] = {name: _as_openapi_3_0(each) for name, each in value.items()}
            case _:
                said[key] = value
    properties = said.get("properties")
    if isinstance(properties, dict) and "required" in schema:
        # What may be null may be left out (an option for strict clients).
        names = [name for name in schema["required"] if "nullable" not in properties[name]]
        said["required"] = names
    if "enum" in said:
        said.setdefault("type", "string")
    return said
