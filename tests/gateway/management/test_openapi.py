"""The management document says at least what the contract's document says."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.gateway.console import meanings, words
from fairlead.gateway.console import openapi as people
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.opening import parts_of
from fairlead.gateway.console.visit import Level
from fairlead.gateway.forms import Schema
from fairlead.gateway.gate import KEYED
from fairlead.gateway.management import shapes
from fairlead.gateway.management.openapi import management_document
from fairlead.gateway.management.words import CALLS, FIELDS, PARAMETERS
from fairlead.gateway.openapi_trading import trading_document
from tests.gateway.contract import Document, facts_of
from tests.gateway.management.world import Managed

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT.parent / "shared" / "spec" / "ems-mgmt.openapi.json"
FACTS = ROOT / "tests" / "gateway" / "data" / "management_facts.json"
UNUSED = {"AccountInfo", "UpdateAccount"}
DOCUMENTS = {"trading": trading_document, "management": management_document}


def test_the_frozen_facts_are_the_contract_s() -> None:
    if not CONTRACT.exists():
        pytest.skip(f"{CONTRACT} is not here; the frozen facts stand for it")
    assert sorted(facts_of(json.loads(CONTRACT.read_text()))) == json.loads(FACTS.read_text())


def test_nothing_of_the_contract_is_missing() -> None:
    ours = set(facts_of(management_document()))
    # Where the contract does not say what an answer holds, we may.
    ours |= {fact.rpartition(" ")[0] + " " for fact in ours if fact.startswith("answer ")}
    missing = set(json.loads(FACTS.read_text())) - ours
    # Names that no call of the contract's document uses.
    unused = {fact for fact in missing if fact.split()[1].partition(".")[0] in UNUSED}
    assert missing - unused == set()


def test_the_contract_s_operations_have_its_names() -> None:
    if not CONTRACT.exists():
        pytest.skip(f"{CONTRACT} is not here")
    contract: Document = json.loads(CONTRACT.read_text())
    for path, operations in management_document()["paths"].items():  # type: ignore[attr-defined]
        for method, operation in operations.items():
            theirs = contract["paths"].get(path, {}).get(method)
            if theirs is not None:
                assert operation["operationId"] == theirs["operationId"]


def test_every_managed_route_is_in_the_document() -> None:
    document: Document = management_document()
    documented = {
        path.partition("{")[0].encode()
        for path, operations in document["paths"].items()
        if all("security" not in operation for operation in operations.values())
    }
    assert documented == KEYED


def test_every_call_of_people_is_in_the_document_with_who_may_make_it() -> None:
    desk: Desk = object()  # type: ignore[assignment]  # nothing is called
    served = {
        (method, path.decode()): level
        for part in parts_of(desk, "")
        for routes in (part.routes, part.prefixes)
        for path, methods in routes.items()
        for method, (level, _) in methods.items()
    }
    documented: dict[tuple[str, str], set[bool]] = {}
    for operation in people.OPERATIONS:
        path = re.sub(r"{\w+}", "*", operation.path)
        at = (operation.method.upper(), path.removesuffix("*"))
        is_open = operation.callers in (people.ANYBODY, people.ENTERING)
        documented.setdefault(at, set()).add(is_open)
        assert (operation.callers is people.READING) <= (operation.method == "get")
    assert documented == {
        # Out from whatever step; but somebody must be in.
        at: {level is Level.ANYBODY and at != ("POST", "/v1/auth/sign-out")}
        for at, level in served.items()
    }


def test_every_form_and_shape_of_people_that_a_call_names_is_there() -> None:
    document: Document = management_document()
    for operation in people.OPERATIONS:
        names = [
            operation.body or "",
            *operation.answers.values(),
            *operation.callers.answers.values(),
        ]
        for name in names:
            for each in filter(None, name.removesuffix("[]").split(" | ")):
                assert each in document["components"]["schemas"], each
    for name, fields in meanings.FIELDS.items():
        assert set(fields) == set(getattr(words, name).__struct_fields__)


def test_words_are_of_calls_and_fields_that_exist() -> None:
    document: Document = management_document()
    called = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert set(CALLS) | set(meanings.CALLS) == called
    assert not set(CALLS) & set(meanings.CALLS)
    taken = {
        parameter["name"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
    }
    assert set(PARAMETERS) | set(meanings.PARAMETERS) == taken
    for name, fields in FIELDS.items():
        assert set(fields) == set(getattr(shapes, name).__struct_fields__)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_who_calls_is_said_alike_in_both_documents(name: str) -> None:
    document: Document = DOCUMENTS[name]()
    schemes = document["components"]["securitySchemes"]
    ways = [
        {(schemes[each]["in"], schemes[each]["name"]) for each in way}
        for way in document["security"]
    ]
    assert ways == [
        {("header", "X-CoinAPI-Key")},
        {("query", "apikey")},
        {("header", f"X-Fairlead-{each}") for each in ("Key", "Timestamp", "Nonce", "Signature")},
    ]
    assert [set(way) for way in document["security"][:2]] == [
        {"APIKeyHeader"},
        {"APIKeyQueryParam"},
    ]
    assert all(scheme["type"] == "apiKey" for scheme in schemes.values())
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            assert ("415" in answers) == ("requestBody" in operation)
            if "security" in operation:  # of people, who are known otherwise
                assert all(set(way) <= people.SCHEMES.keys() for way in operation["security"])
            else:
                assert {"401", "403", "429"} <= answers.keys()
            for status in {"429", "503"} & answers.keys():
                assert "Retry-After" in answers[status]["headers"]


@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS)
def test_nothing_is_left_without_words(make: Callable[[], Schema]) -> None:
    document: Document = make()
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert all(each["description"] for each in operation.get("parameters", ()))
            assert all(each["description"] for each in operation["responses"].values())
    for name, schema in document["components"]["schemas"].items():
        for field, of in schema.get("properties", {}).items():
            assert of.get("description") or "$ref" in of, f"{name}.{field}"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "name"), [("/openapi.json", "trading"), ("/openapi-management.json", "management")]
)
async def test_a_document_is_served_to_everybody(gateway: Managed, path: str, name: str) -> None:
    answer = await gateway.ask("GET", path, None)
    assert (answer.status, answer.json) == (200, DOCUMENTS[name]())
