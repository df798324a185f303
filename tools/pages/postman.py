"""The Postman collections: every call of the served documents as a request that can be sent as it is.

Key and base URL are variables of the collection. A parameter without an example is there and switched off.
The calls of people need no key: the cookie of the session is kept by Postman, and what changes need beside it
by a script, as each step of signing in answers it.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from fairlead.gateway.console.openapi import CSRF
from fairlead.gateway.management.openapi import management_document
from fairlead.gateway.openapi_trading import trading_document

Json = Any
_FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_VARIABLES = {"baseUrl": "http://127.0.0.1:3080", "apiKey": ""}
_OF_PEOPLE = {"csrf": ""}
_KEEP_CSRF = [
    "const said = pm.response.headers.get('Content-Type') === 'application/json' ? pm.response.json() : {};",
    "if (said && said.csrf) pm.collectionVariables.set('csrf', said.csrf);",
]
_AUTH = {"key": "X-CoinAPI-Key", "value": "{{apiKey}}", "in": "header"}


def trading_collection() -> str:
    """Return the collection of the trading API."""
    return _collection(trading_document())


def management_collection() -> str:
    """Return the collection of the management API."""
    return _collection(management_document())


def _collection(document: Json) -> str:
    is_for_people = CSRF in document["components"]["securitySchemes"]
    script = {"listen": "test", "script": {"type": "text/javascript", "exec": _KEEP_CSRF}}
    made = {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": _FORMAT,
        },
        "auth": {"type": "apikey", "apikey": _pairs(_AUTH)},
        "variable": _pairs(_VARIABLES | (_OF_PEOPLE if is_for_people else {})),
        "item": [
            _item(path, method, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        ],
    }
    if is_for_people:
        made["event"] = [script]
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _item(path: str, method: str, operation: Json) -> Json:
    request: Json = {
        "method": method.upper(),
        "description": operation["summary"],
        "header": [],
        "url": _url(path, operation.get("parameters", ())),
    }
    ways = operation.get("security")
    if ways is not None:
        request["auth"] = {"type": "noauth"}
        if any(CSRF in way for way in ways):
            request["header"] += _pairs({"X-CSRF-Token": "{{csrf}}"})
    body = operation.get("requestBody")
    if body is not None:
        ((media_type, content),) = body["content"].items()
        request["header"] += _pairs({"Content-Type": media_type})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(content["example"], indent=2),
            "options": {"raw": {"language": "json"}},
        }
    return {"name": f"{method.upper()} {path}", "request": request, "response": []}


def _url(path: str, parameters: Json) -> Json:
    in_path = [each for each in parameters if each["in"] == "path"]
    for parameter in in_path:
        path = path.replace(f"{{{parameter['name']}}}", f":{parameter['name']}")
    query = [row for each in parameters if each["in"] == "query" for row in _query(each)]
    sent = "&".join(f"{row['key']}={row['value']}" for row in query if "disabled" not in row)
    raw = f"{{{{baseUrl}}}}{path}"
    url: Json = {
        "raw": f"{raw}?{sent}" if sent else raw,
        "host": ["{{baseUrl}}"],
        "path": path.strip("/").split("/"),
    }
    if query:
        url["query"] = query
    if in_path:
        url["variable"] = [
            {"key": each["name"], "value": quote(each["example"], safe="")} for each in in_path
        ]
    return url


def _query(parameter: Json) -> Iterator[Json]:
    """Give a row for each value, or one that is switched off."""
    described = {"description": parameter["description"]}
    name = parameter["name"]
    if "example" not in parameter:
        yield {"key": name, "value": "", "disabled": True, **described}
        return
    example = parameter["example"]
    for value in example if isinstance(example, list) else [example]:
        yield {"key": name, "value": quote(str(value), safe=""), **described}


def _pairs(values: dict[str, str]) -> list[Json]:
    return [{"key": key, "value": value, "type": "string"} for key, value in values.items()]
