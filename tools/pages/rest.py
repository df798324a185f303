"""The page on the REST API: the served OpenAPI document, with a real request and answer for each call."""

from collections.abc import Iterator
from typing import Any

from fairlead.gateway.forms import CLIENT_ORDER_ID_PATTERN, EXCHANGE_ID_PATTERN
from fairlead.gateway.openapi import openapi_document
from fairlead.gateway.shapes import OrderExecutionReport
from fairlead.gateway.words import words_of
from tools.pages.text import NOTE, code, table
from tools.pages.worked import Exchanged, conversation

Json = Any
_REF = "#/components/schemas/"
_WORDS_OF = {
    "Balance_data_inner": "BalanceRow",
    "Position_data_inner": "PositionRow",
    "OrderExecutionReport_allOf": "OrderExecutionReport",
}

_TOP = f"""\
# REST API

{NOTE}

Served on the address that `fairlead up` prints, http://127.0.0.1:3080 by default. The same as a document for
generators: [/openapi.json](http://127.0.0.1:3080/openapi.json) of a running system. Health and metrics are on
[a page of their own](metrics.md), statuses and refusals on [another](refusals.md).

- JSON in and out; a request with a body needs `Content-Type: application/json`.
- Numbers are exact decimals. In a request a number or a string holding one (`0.1`, `"0.1"`, `"1e-05"`), at
  most 38 digits in plain form; in an answer always a JSON number with its exact digits. Read them as
  decimals, not as floats.
- Times are UTC, ISO 8601, seven digits after the second in answers. A request may leave out the fraction,
  seconds, minutes or hours, and the zone.
- A field that may be null may be left out. An unknown field is refused, and so is one given twice.
- The examples are one real conversation with two accounts, `SIM` and `SIM/ALICE`; times and hashes are put
  in a fixed form.
"""


def rest() -> str:
    """Return the page."""
    document = openapi_document()
    lines = [_TOP]
    for path, operations in document["paths"].items():  # type: ignore[attr-defined]
        for method, operation in operations.items():
            lines += _call(document, f"{method.upper()} {path}", operation)
    lines += ["## Objects in answers", ""]
    for name in _answered(document):
        lines += [f"### {name}", "", *_object(document, name)]
    return "\n".join(lines)


def _call(document: Json, name: str, operation: Json) -> Iterator[str]:
    example = conversation().calls.get(name)
    assert example is not None, f"tools/pages/worked.py makes no example of {name}"
    yield from (f"## {name}", "", operation["summary"], "")
    if "parameters" in operation:
        yield from table(
            ["parameter", "where", "required", "meaning"],
            [
                [code(each["name"]), each["in"], _yes(each["required"]), each["description"]]
                for each in operation["parameters"]
            ],
        )
        yield ""
    if "requestBody" in operation:
        form = _name(operation["requestBody"]["content"]["application/json"]["schema"])
        yield from _form(document, form)
    yield from _shown(example)
    answers = [
        f"{status} {_answer(document, answer)}" for status, answer in operation["responses"].items()
    ]
    yield from (f"Answers: {', '.join(answers)}.", "")


def _shown(example: Exchanged) -> Iterator[str]:
    yield from ("```http", f"{example.method} {example.path}", "```", "")
    if example.body is not None:
        yield from ("```json", example.body, "```", "")
    yield from (f"Answered {example.status}:", "", "```json", example.content, "```", "")


def _answer(document: Json, answer: Json) -> str:
    (content,) = answer["content"].values()
    name = _name(content["schema"])
    schema = document["components"]["schemas"][name]
    if schema.get("type") == "array":
        each = _name(schema["items"])
        return f"array of [{each}](#{each.lower()})"
    return f"[{name}](#{name.lower()})"


def _form(document: Json, name: str) -> Iterator[str]:
    schema = document["components"]["schemas"][name]
    yield from table(
        ["field", "required", "takes", "meaning"],
        [
            [
                code(field),
                _yes(field in schema["required"]),
                _kind(document, of),
                _words(name, field, of),
            ]
            for field, of in schema["properties"].items()
        ],
    )
    yield ""


def _answered(document: Json) -> list[str]:
    """Return the names of the objects that answers hold, each once, in the order they are met."""
    schemas = document["components"]["schemas"]
    found: list[str] = []

    def meet(schema: Json) -> None:
        if "$ref" in schema:
            name = _name(schema)
            target = schemas[name]
            if target.get("type") == "object" or "allOf" in target:
                if name in found:
                    return
                found.append(name)
                for of in _properties(document, name).values():
                    meet(of)
            else:
                meet(target)
        elif "items" in schema:
            meet(schema["items"])

    for operations in document["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                (content,) = answer["content"].values()
                meet(content["schema"])
    return found


def _properties(document: Json, name: str) -> dict[str, Json]:
    schemas = document["components"]["schemas"]
    schema = schemas[name]
    if name == "OrderExecutionReport":
        first, second = (schemas[_name(part)]["properties"] for part in schema["allOf"])
        whole = first | second
        return {name: whole[name] for name in OrderExecutionReport.__struct_fields__}
    properties: dict[str, Json] = schema["properties"]
    return properties


def _object(document: Json, name: str) -> Iterator[str]:
    yield from table(
        ["field", "holds", "meaning"],
        [
            [code(field), _kind(document, of), _words(name, field, of)]
            for field, of in _properties(document, name).items()
        ],
    )
    yield ""


def _kind(document: Json, of: Json) -> str:
    """Return what a value is, in a word or two, as far as a table has room."""
    if "$ref" in of:
        name = _name(of)
        target = document["components"]["schemas"][name]
        if target.get("type") == "object" or "allOf" in target:
            return f"[{name}](#{name.lower()})"
        return _kind(document, target)
    if "enum" in of:
        return ", ".join(code(value) for value in of["enum"])
    null = " or null" if of.get("nullable") else ""
    if of.get("type") == "array":
        each = of.get("items", {})
        return f"array of {_kind(document, each) or 'pairs'}{null}"
    return f"{of.get('type', '')}{null}"


def _words(schema: str, field: str, of: Json) -> str:
    said = str(words_of(_WORDS_OF.get(schema, schema), field) or of.get("description", ""))
    for pattern in (EXCHANGE_ID_PATTERN, CLIENT_ORDER_ID_PATTERN):
        said = said.replace(pattern, code(pattern))
    return said


def _name(schema: Json) -> str:
    return str(schema["$ref"]).removeprefix(_REF)


def _yes(is_required: bool) -> str:
    return "yes" if is_required else ""
