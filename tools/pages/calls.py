"""What the pages on APIs share: calls, forms and objects as a document says them, with real examples."""

from collections.abc import Iterator
from typing import Any

from fairlead.gateway.forms import CLIENT_ORDER_ID_PATTERN, EXCHANGE_ID_PATTERN
from fairlead.gateway.openapi import Words
from fairlead.gateway.shapes import OrderExecutionReport
from tools.pages.text import code, table
from tools.pages.worked import Exchanged, conversation

Json = Any
_REF = "#/components/schemas/"
_WORDS_OF = {
    "Balance_data_inner": "BalanceRow",
    "Position_data_inner": "PositionRow",
    "OrderExecutionReport_allOf": "OrderExecutionReport",
}
_OF_EVERY_CALL = ("401", "403", "429")  # said once, at the top of a page


class Page:
    """Everything that a document says, in the order it says it."""

    def __init__(self, document: Json, words: Words) -> None:
        self._document = document
        self._schemas = document["components"]["schemas"]
        self._words = words

    def calls(self) -> Iterator[str]:
        """Give a section for each call."""
        for path, operations in self._document["paths"].items():
            for method, operation in operations.items():
                yield from self._call(f"{method.upper()} {path}", operation)

    def objects(self) -> Iterator[str]:
        """Give a section for each object that answers hold."""
        for name in self._answered():
            yield from (f"### {name}", "", *self._object(name))

    def _call(self, name: str, operation: Json) -> Iterator[str]:
        example = conversation().calls.get(name)
        assert example, f"tools/pages/worked.py and worked_people.py make no example of {name}"
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
            yield from self._form(form)
        yield from _shown(example)
        answers = [
            f"{status} {self._answer(answer)}".strip()
            for status, answer in operation["responses"].items()
            if status not in _OF_EVERY_CALL
        ]
        yield from (f"Answers: {', '.join(answers)}.", "")

    def _answer(self, answer: Json) -> str:
        schema = _content(answer)
        if schema is None:
            return ""
        if "oneOf" in schema:
            names = (_name(each) for each in schema["oneOf"])
            return " or ".join(f"[{name}](#{name.lower()})" for name in names)
        name = "" if "$ref" not in schema else _name(schema)
        target = schema if not name else self._schemas[name]
        if target.get("type") == "array":
            each = _name(target["items"])
            return f"array of [{each}](#{each.lower()})"
        return f"[{name}](#{name.lower()})" if name else "text"

    def _form(self, name: str) -> Iterator[str]:
        schema = self._schemas[name]
        yield from table(
            ["field", "required", "takes", "meaning"],
            [
                [
                    code(field),
                    _yes(field in schema.get("required", ())),
                    self._kind(of),
                    self._said(name, field, of),
                ]
                for field, of in schema["properties"].items()
            ],
        )
        yield ""

    def _answered(self) -> list[str]:
        """Return the names of the objects that answers hold, each once, in the order they are met."""
        schemas = self._schemas
        found: list[str] = []

        def meet(schema: Json) -> None:
            if "$ref" in schema:
                name = _name(schema)
                target = schemas[name]
                if target.get("type") == "object" or "allOf" in target:
                    if name in found:
                        return
                    found.append(name)
                    for of in self._properties(name).values():
                        meet(of)
                else:
                    meet(target)
            elif "items" in schema:
                meet(schema["items"])
            for each in schema.get("oneOf", ()):
                meet(each)

        for operations in self._document["paths"].values():
            for operation in operations.values():
                for answer in operation["responses"].values():
                    meet(_content(answer) or {})
        return found

    def _properties(self, name: str) -> dict[str, Json]:
        schemas = self._schemas
        schema = schemas[name]
        if name == "OrderExecutionReport":
            first, second = (schemas[_name(part)]["properties"] for part in schema["allOf"])
            whole = first | second
            return {name: whole[name] for name in OrderExecutionReport.__struct_fields__}
        properties: dict[str, Json] = schema["properties"]
        return properties

    def _object(self, name: str) -> Iterator[str]:
        yield from table(
            ["field", "holds", "meaning"],
            [
                [code(field), self._kind(of), self._said(name, field, of)]
                for field, of in self._properties(name).items()
            ],
        )
        yield ""

    def _kind(self, of: Json) -> str:
        """Return what a value is, in a word or two, as far as a table has room."""
        if "$ref" in of:
            name = _name(of)
            target = self._schemas[name]
            if target.get("type") == "object" or "allOf" in target:
                return f"[{name}](#{name.lower()})"
            return self._kind(target)
        if "enum" in of:
            return ", ".join(code(value) for value in of["enum"])
        null = " or null" if of.get("nullable") else ""
        if of.get("type") == "array":
            each = of.get("items", {})
            return f"array of {self._kind(each) or 'pairs'}{null}"
        return f"{of.get('type', '')}{null}"

    def _said(self, schema: str, field: str, of: Json) -> str:
        said = str(
            self._words.fields.get(_WORDS_OF.get(schema, schema), {}).get(field)
            or of.get("description", "")
        )
        for pattern in (EXCHANGE_ID_PATTERN, CLIENT_ORDER_ID_PATTERN):
            said = said.replace(pattern, code(pattern))
        return said


def _shown(example: Exchanged) -> Iterator[str]:
    yield from ("```http", f"{example.method} {example.path}", "```", "")
    if example.body is not None:
        yield from ("```json", example.body, "```", "")
    if not example.content:
        yield from (f"Answered {example.status}, with nothing more.", "")
        return
    yield from (
        f"Answered {example.status}:",
        "",
        f"```{example.language}",
        example.content,
        "```",
        "",
    )


def _content(answer: Json) -> Json:
    """Return the schema of what an answer holds, None where it does not matter."""
    return next((each["schema"] for each in answer.get("content", {}).values()), None)


def _name(schema: Json) -> str:
    return str(schema["$ref"]).removeprefix(_REF)


def _yes(is_required: bool) -> str:
    return "yes" if is_required else ""
