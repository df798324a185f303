"""The Postman collections against a running system: every request in them, in their order, as they are."""

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from fairlead.gateway.console import meanings
from fairlead.gateway.forms import Schema
from fairlead.gateway.management.openapi import management_document
from fairlead.gateway.openapi_trading import trading_document
from tests.commands.terminal import fairlead
from tests.managed import Managed, managed
from tests.system import exact

Json = Any
FOLDER = Path(__file__).parents[2] / "docs" / "postman"
COLLECTIONS = {"trading": trading_document, "management": management_document}
# What a system that has just begun cannot answer with success, and how it answers.
REFUSED = {
    "POST /v1/operator/resolve": 400,  # the order of the examples is not in doubt
    "DELETE /v1/certificates/{fingerprint}": 404,  # nobody's
    "POST /v1/auth/first-user": 404,  # nobody's link
    "POST /v1/auth/invitation": 404,
    "POST /v1/auth/second-factor": 409,  # who has none is in already
    "POST /v1/auth/password/reset": 401,  # not the code that was mailed
    "DELETE /v1/me/sessions/{session}": 404,
    "POST /v1/challenges": 403,  # without a second factor
    "POST /v1/challenges/{challenge}/confirm": 410,
    "GET /v1/keys/{kid}": 404,
    "GET /v1/keys/{kid}/activity": 404,
    "POST /v1/keys/{kid}/disable": 404,
    "POST /v1/me/certificates/{fingerprint}/revoke": 404,
    "POST /v1/users/{user}/remove": 404,
}
DONE = {  # not with 200
    "POST /v1/auth/password/forgotten": 202, "POST /v1/me/two-factor": 201,
    **dict.fromkeys(("POST /v1/me/password", "POST /v1/auth/sign-out"), 204),
}  # fmt: skip
PERSON = meanings.EXAMPLES["SignIn"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    with managed(tmp_path_factory.mktemp("postman")) as made:
        linked = fairlead("users", "link", "--data", "data", "--json", folder=made.folder)
        first = {"token": linked.json["token"], **PERSON}
        assert made.ask("POST", "/v1/auth/first-user", first, "").status == 201
        yield made


def collection(name: str) -> Json:
    return exact((FOLDER / f"{name}.postman_collection.json").read_bytes())


def filled(text: str, values: dict[str, str]) -> str:
    """Put variables in, as Postman does; one that nobody knows fails."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_request_is_answered_as_it_is(system: Managed, name: str) -> None:
    made = collection(name)
    values = {each["key"]: each["value"] for each in made["variable"]}
    assert values["apiKey"] == "", "no key is in the file"
    values |= {"baseUrl": system.url, "apiKey": system.key}
    auth = {each["key"]: filled(each["value"], values) for each in made["auth"]["apikey"]}
    assert auth == {"key": "X-CoinAPI-Key", "value": system.key, "in": "header"}
    paths: Json = COLLECTIONS[name]()["paths"]
    cookies = SimpleCookie()
    for item in made["item"]:
        request = item["request"]
        url = filled(request["url"]["raw"], values)
        for variable in request["url"].get("variable", ()):
            url = url.replace(f":{variable['key']}", variable["value"])
        body = exact(request["body"]["raw"].encode()) if "body" in request else None
        sent = {each["key"]: filled(each["value"], values) for each in request["header"]}
        method, path = item["name"].split()
        key = auth["value"]
        if "auth" in request:  # a person's
            assert request["auth"] == {"type": "noauth"}
            key, sent["Cookie"] = "", cookies.output([], "", ";").strip()
        answer = system.ask(method, url, body, key=key, **sent)
        expected = (REFUSED | DONE).get(item["name"], 200)
        assert answer.status == expected, (item["name"], answer)
        cookies.load(answer.headers.get("set-cookie", ""))
        if "auth" in request and answer.body and isinstance(answer.json, dict):
            values["csrf"] = answer.json.get("csrf") or values["csrf"]
        assert str(answer.status) in paths[path][method.lower()]["responses"]


@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_documented_call_is_in_the_collection(name: str) -> None:
    document: Schema = COLLECTIONS[name]()
    paths: Json = document["paths"]
    documented = {
        f"{method.upper()} {path}" for path, methods in paths.items() for method in methods
    }
    assert {item["name"] for item in collection(name)["item"]} == documented


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_url_says_the_same_as_its_parts(name: str) -> None:
    for item in collection(name)["item"]:
        url = item["request"]["url"]
        sent = [each for each in url.get("query", ()) if not each.get("disabled")]
        query = "&".join(f"{each['key']}={each['value']}" for each in sent)
        parts = "/".join([*url["host"], *url["path"]])
        assert url["raw"] == (f"{parts}?{query}" if query else parts)
