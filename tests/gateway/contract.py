"""What an OpenAPI document says, as facts that can be compared: one a line."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def resolved(document: Document, schema: Document) -> Document:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def facts_of(document: Document) -> Iterator[str]:
    """Every path, answer, schema, field with its type, required field and enum value, one a line."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"call {method} {path}"
            for parameter in operation.get("parameters", ()):
                yield f"parameter {method} {path} {parameter['in']} {parameter['name']}"
            for status, answer in operation["responses"].items():
                yield f"answer {method} {path} {status} {_answered(answer)}"
    for name, schema in document["components"]["schemas"].items():
        yield from _facts_of_schema(document, name, schema)


def _answered(answer: Document) -> str:
    """What an answer holds: the name of a schema, an array of it, a type, or nothing that is said."""
    for content in answer.get("content", {}).values():
        schema = content["schema"]
        name = schema.get("items", schema).get("$ref", schema.get("type", ""))
        return str(name).rsplit("/", 1)[-1] + ("[]" if "items" in schema else "")
    return ""


def _facts_of_schema(document: Document, name: str, schema: Document) -> Iterator[str]:
    schema = resolved(document, schema)
    for part in schema.get("allOf", ()):
        yield from _facts_of_schema(document, name, part)
    if "allOf" in schema:
        return
    kind = {"integer": "number"}.get(schema["type"], schema["type"])
    yield f"schema {name} {kind}"
    for value in schema.get("enum", ()):
        yield f"value {name} {value}"
    for field in schema.get("required", ()):
        yield f"required {name} {field}"
    if "items" in schema:
        yield from _facts_of_schema(document, f"{name}[]", schema["items"])
    for field, of in schema.get("properties", {}).items():
        yield from _facts_of_schema(document, f"{name}.{field}", of)
