"""The generated document says at least what the contract's document says."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from fairlead.gateway import shapes
from fairlead.gateway.callers import Caller
from fairlead.gateway.forms import FORMS
from fairlead.gateway.health import HealthApi, Readiness
from fairlead.gateway.openapi_trading import trading_document
from fairlead.gateway.rendering import Renderer, encode
from fairlead.gateway.rest import RestApi
from fairlead.gateway.words import CALLS, FIELDS
from tests.gateway.contract import facts_of, resolved
from tests.gateway.orders import ORDER, body
from tests.gateway.scripted_edge import ScriptedEdge

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT.parent / "shared" / "spec" / "ems-rest.openapi.json"
FACTS = Path(__file__).parent / "data" / "contract_facts.json"


def test_nothing_of_the_contract_is_missing() -> None:
    facts = set(json.loads(FACTS.read_text()))
    assert len(facts) > 200
    # What may be null may also be left out, so that we require no more than the contract here.
    assert facts - set(facts_of(trading_document())) == set()


def test_the_frozen_facts_are_the_contract_s() -> None:
    if not CONTRACT.exists():
        pytest.skip(f"{CONTRACT} is not here; the frozen facts stand for it")
    assert sorted(facts_of(json.loads(CONTRACT.read_text()))) == json.loads(FACTS.read_text())


async def _ready(_: Caller | None) -> Readiness:
    return Readiness(True, ())


def test_every_route_is_in_the_document() -> None:
    api = RestApi(ScriptedEdge(), lambda: "trace")
    routed = {(path.decode(), method) for path, methods in api.routes.items() for method in methods}
    for prefix, methods in api.prefixes:
        name = prefix.decode().rstrip("/").rsplit("/", 1)[1]
        tail = {"history": "{time_start}/{time_end}"}.get(name, "{client_order_id}")
        routed |= {(prefix.decode() + tail, method) for method in methods}
    documented = {
        (path, method.upper())
        for path, methods in trading_document()["paths"].items()
        for method in methods
    }
    assert documented == routed
    assert not HealthApi(_ready, lambda _: ()).routes.keys() & api.routes.keys()


def json_schema(schema: Any) -> Any:
    """The schema with OpenAPI's `nullable` in JSON Schema's words."""
    if isinstance(schema, list):
        return [json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: json_schema(each) for name, each in schema.items() if name != "nullable"}
    return {"anyOf": [said, {"type": "null"}]} if schema.get("nullable") is True else said


@pytest.mark.parametrize("omit_nulls", [False, True])
def test_a_report_fits_its_schema(omit_nulls: bool) -> None:
    document = trading_document()
    report = json.loads(encode(Renderer(omit_nulls).order(ORDER)))
    for part in document["components"]["schemas"]["OrderExecutionReport"]["allOf"]:
        schema = resolved(document, part) | {"components": document["components"]}
        jsonschema.validate(report, json_schema(schema))


def test_the_good_order_fits_its_schema() -> None:
    document = trading_document()
    schema = document["components"]["schemas"]["OrderNewSingleRequest"]
    order = json.loads(body(price=10.5, amount_order=1))
    jsonschema.validate(order, schema | {"components": document["components"]})


def test_the_fields_stand_in_the_order_they_are_sent() -> None:
    schemas = trading_document()["components"]["schemas"]
    report = json.loads(encode(Renderer().order(ORDER)))
    more = list(schemas["OrderExecutionReport_allOf"]["properties"])
    assert more == [name for name in report if name in more]
    assert set(report) == set(more) | set(schemas["OrderNewSingleRequest"]["properties"])


def test_every_call_parameter_and_field_has_words() -> None:
    document = trading_document()
    wordless = [
        f"{method.upper()} {path}: {what}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for what, words in [
            ("summary", operation["summary"]),
            *((each["name"], each["description"]) for each in operation.get("parameters", ())),
        ]
        if not words
    ]
    wordless += [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, of in schema.get("properties", {}).items()
        if not of.get("description") and "$ref" not in of
    ]
    assert wordless == [], "say what they mean in gateway/words.py"


def test_words_are_of_calls_and_fields_that_exist() -> None:
    called = {
        f"{method.upper()} {path}"
        for path, operations in trading_document()["paths"].items()
        for method in operations
    }
    assert set(CALLS) == called
    fields = {
        kind.__name__: set(kind.__struct_fields__)
        for kind in vars(shapes).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    } | {form.name: set(form.names) for form in FORMS}
    unknown = {
        f"{name}.{field}" for name, words in FIELDS.items() for field in words.keys() - fields[name]
    }
    assert unknown == set()
