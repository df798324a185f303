"""How an OpenAPI document is made: operations, and schemas of what decodes requests and renders answers.

One mechanism for every document that is served. OpenAPI 3.0, because generators of clients know it; it has
no word for client certificates, so the description says that they count too.
"""

from collections.abc import Container, Iterable, Mapping

import msgspec

from fairlead import __version__
from fairlead.gateway.answers import Answer, Call, json_answer
from fairlead.gateway.forms import Form, Schema
from fairlead.gateway.routing import Methods

REF = "#/components/schemas/"
REPEATED = "[]"  # after the name of a schema: an array of it
TEXT = "text/plain"  # in place of the name of a schema
NOTHING = ""  # likewise: what the body is does not matter


class Parameter(msgspec.Struct, frozen=True):
    """What a call takes in its query or path. `is_repeated`: as often as wanted.

    `schema` None: any text.
    """

    name: str
    where: str = "query"
    is_required: bool = False
    is_repeated: bool = False
    schema: Schema | None = None


class Callers(msgspec.Struct, frozen=True):
    """Who makes a call, by what they show, and how they are answered when it does not count.

    `security`: ways to show it, each by the names of its schemes; None: as the document says of all calls.
    `meaning`: what a status says to them.
    """

    security: tuple[tuple[str, ...], ...] | None
    answers: Mapping[str, str]
    meaning: Mapping[str, str]


KEYS = Callers(
    None,
    {"401": "MessageError", "403": "MessageError", "429": "MessageError"},
    {
        "401": "the credential proves nobody, or its key has expired",
        "403": "the key may not do this: its scopes, accounts or addresses",
        "429": "the key has had its requests of this second",
    },
)


class Operation(msgspec.Struct, frozen=True):
    """One call. `answers`: status → name of a schema, several with ` | ` between them, or NOTHING, or TEXT;
    those to callers are added.

    `operation_id`: the contract's, where it has one.
    """

    path: str
    method: str
    parameters: tuple[Parameter, ...]
    body: str | None
    answers: Mapping[str, str]
    operation_id: str | None = None
    callers: Callers = KEYS


class Words(msgspec.Struct, frozen=True):
    """What everything means: `calls` by method and path, `fields` by schema and field.

    `examples`: what can be sent as it is, by name of a parameter, or of the form of a body.
    """

    calls: Mapping[str, str]
    parameters: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]
    examples: Mapping[str, object]


def _signed(what: str, meaning: str) -> Schema:
    name = f"X-Fairlead-{what}"
    return {"type": "apiKey", "in": "header", "name": name, "description": meaning}


_SECURITY_SCHEMES: Schema = {
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-CoinAPI-Key"},
    "APIKeyQueryParam": {"type": "apiKey", "in": "query", "name": "apikey"},
    "SignedKey": _signed("Key", "the public id of a key that signs"),
    "SignedTimestamp": _signed("Timestamp", "milliseconds since 1970, 13 digits"),
    "SignedNonce": _signed("Nonce", "16 to 64 random letters and digits, never used before"),
    "SignedSignature": _signed("Signature", "HMAC-SHA256 or Ed25519 over the request, in hex"),
}
_SECURITY: list[dict[str, list[str]]] = [
    {"APIKeyHeader": []},
    {"APIKeyQueryParam": []},
    {"SignedKey": [], "SignedTimestamp": [], "SignedNonce": [], "SignedSignature": []},
]
_WITH_BODY = {"415": "MessageError"}
_RETRY_AFTER: Schema = {
    "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}
}
_COMES_AGAIN = ("429", "503")
_MEANING = {"415": "the body is not declared as JSON"}
EITHER = " | "  # between names of schemas: one of them


def document(
    title: str,
    description: str,
    operations: Iterable[Operation],
    schemas: Mapping[str, Schema],
    words: Words,
    schemes: Mapping[str, object] | None = None,
) -> Schema:
    """Return the OpenAPI 3.0 document of these calls; `schemes` of security besides those of keys."""
    paths: dict[str, dict[str, Schema]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, words)
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": __version__, "description": description},
        "security": _SECURITY,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {**_SECURITY_SCHEMES, **(schemes or {})},
        },
    }


def document_route(path: bytes, made: Schema) -> dict[bytes, Methods]:
    """Return the route of a document that has been made."""
    answer = json_answer(200, made)

    async def served(_: Call) -> Answer:
        return answer

    return {path: {"GET": served}}


def _operation(operation: Operation, words: Words) -> Schema:
    name = f"{operation.method.upper()} {operation.path}"
    described: Schema = {"summary": words.calls.get(name, "")}
    if operation.operation_id is not None:
        described["operationId"] = operation.operation_id
    if operation.parameters:
        described["parameters"] = [_parameter(each, words) for each in operation.parameters]
    callers = operation.callers
    if callers.security is not None:
        described["security"] = [{name: [] for name in way} for way in callers.security]
    answers = {**operation.answers, **callers.answers}
    if operation.body is not None:
        content = _content(operation.body)
        content["application/json"] |= {"example": words.examples[operation.body]}
        described["requestBody"] = {"content": content, "required": True}
        answers |= _WITH_BODY
    described["responses"] = {
        status: _answer(status, answers[status], {**callers.meaning, **_MEANING})
        for status in sorted(answers)
    }
    return described


def _parameter(parameter: Parameter, words: Words) -> Schema:
    schema = parameter.schema or {"type": "string"}
    described: Schema = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.is_required,
        "description": words.parameters.get(parameter.name, ""),
        "schema": {name: of for name, of in schema.items() if name != "description"},
    }
    if parameter.is_repeated:
        described["schema"] = {"type": "array", "items": described["schema"]}
        described |= {"style": "form", "explode": True}
    if parameter.name in words.examples:
        described["example"] = words.examples[parameter.name]
    return described


def _answer(status: str, name: str, meaning: Mapping[str, str]) -> Schema:
    described: Schema = {"description": meaning.get(status, name or "done")}
    if name:
        described["content"] = _content(name)
    if status in _COMES_AGAIN:
        described["headers"] = _RETRY_AFTER
    return described


def _content(name: str) -> dict[str, Schema]:
    if name == TEXT:
        return {TEXT: {"schema": {"type": "string"}}}
    if EITHER in name:
        either = [{"$ref": REF + each} for each in name.split(EITHER)]
        return {"application/json": {"schema": {"oneOf": either}}}
    schema: Schema = {"$ref": REF + name.removesuffix(REPEATED)}
    if name.endswith(REPEATED):
        schema = {"type": "array", "items": schema}
    return {"application/json": {"schema": schema}}


# ── schemas ──────────────────────────────────────────────────────────────────────────────────────


def shape_schemas(
    shapes: Iterable[type[msgspec.Struct]], renamed: Mapping[str, str], words: Words
) -> dict[str, Schema]:
    """Return the schemas of what answers are made of; `renamed`: our names of shapes → the contract's."""
    _, shaped = msgspec.json.schema_components(shapes, ref_template=REF + "{name}")
    return {
        renamed.get(name, name): _in_words(name, _as_openapi_3_0(schema, renamed), words)
        for name, schema in shaped.items()
    }


def form_schemas(
    forms: Iterable[Form], words: Words, more_is_said_of: Container[str] = ()
) -> dict[str, Schema]:
    """Return the schemas of what requests are read by; no other field is taken.

    `more_is_said_of`: names of schemas that others are made of, by adding fields.
    """
    return {form.name: _form_schema(form, words, form.name in more_is_said_of) for form in forms}


def _form_schema(form: Form, words: Words, is_part: bool) -> Schema:
    properties: Schema = {}
    for field in form.fields:
        may_be_null = not field.is_required and "$ref" not in field.schema
        properties[field.name] = field.schema | ({"nullable": True} if may_be_null else {})
    _in_words(form.name, {"properties": properties}, words)
    required = [field.name for field in form.fields if field.is_required]
    schema: Schema = {"type": "object", "properties": properties, "required": required}
    return schema if is_part else {**schema, "additionalProperties": False}


def _in_words(name: str, schema: Schema, words: Words) -> Schema:
    """Say of each field what it means; not beside a reference, where OpenAPI 3.0 would ignore it."""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for field, said in properties.items():
            text = words.fields.get(name, {}).get(field)
            if text is not None and "$ref" not in said:
                properties[field] = {**said, "description": text}
    return schema


def _as_openapi_3_0(schema: object, renamed: Mapping[str, str]) -> Schema:
    """Say what msgspec says (JSON Schema 2020-12) in the older words that clients' generators know."""
    assert isinstance(schema, dict)
    said: Schema = {}
    for key, value in schema.items():
        match key:
            case "title":
                pass
            case "$ref":
                name = str(value).removeprefix(REF)
                said[key] = REF + renamed.get(name, name)
            case "anyOf":
                said |= _as_openapi_3_0(
                    next(each for each in value if each != {"type": "null"}), renamed
                )
                said["nullable"] = True
            case "prefixItems":
                said["items"] = _as_openapi_3_0(value[0], renamed)
            case "items" if "prefixItems" in schema:
                pass
            case "items" | "additionalProperties":
                said[key] = _as_openapi_3_0(value, renamed) if isinstance(value, dict) else value
            case "properties":
                said[key] = {name: _as_openapi_3_0(each, renamed) for name, each in value.items()}
            case _:
                said[key] = value
    properties = said.get("properties")
    if isinstance(properties, dict) and "required" in schema:
        # What may be null may be left out (an option for strict clients).
        names = [name for name in schema["required"] if "nullable" not in properties[name]]
        said["required"] = names
    if not said.get("required", True):  # where nothing is, the older words have no list
        del said["required"]
    if "enum" in said:
        said.setdefault("type", "string")
    return said
