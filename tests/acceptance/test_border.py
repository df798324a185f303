"""A web page must not be able to trade on somebody's loopback (section 7): refused, and nothing changed."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.acceptance.conftest import Desk
from tests.system import Answer, encoded, order

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def unchanged(desk: Desk) -> Iterator[Desk]:
    yield desk
    assert desk.api.status("border").status == 404
    assert not [each for each in desk.operator.faults() if each["name"] == "answer_lost"]


# (method, path, body): all that could do something
CALLS = [
    ("POST", "/v1/orders", encoded(order("border"))),
    ("POST", "/v1/orders/cancel/all", b'{"exchange_id": "SIM"}'),
    ("POST", "/v1/operator/mode", b'{"exchange_id": "SIM", "mode": "HALTED"}'),
    ("POST", "/operator/faults", b'{"name": "answer_lost"}'),
    ("POST", "/operator/participants", b'{"on": true}'),
]
call = pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[each[1] for each in CALLS])


def ask(desk: Desk, method: str, path: str, body: bytes | None, *headers: str) -> Answer:
    """Send exactly these header lines, and no Host or Content-Type of the client's own."""
    parts = urlsplit(desk.api.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for header in headers:
            connection.putheader(*header.split(": "))
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


@call
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "192.0.2.1"])
def test_a_foreign_host_is_refused(
    unchanged: Desk, method: str, path: str, body: bytes, host: str
) -> None:
    headers = (f"Host: {host}", "Content-Type: application/json")
    assert ask(unchanged, method, path, body, *headers).status == 421


@call
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_origin_is_refused(
    unchanged: Desk, method: str, path: str, body: bytes, origin: str
) -> None:
    headers = ("Host: localhost", f"Origin: {origin}", "Content-Type: application/json")
    assert ask(unchanged, method, path, body, *headers).status == 403


@call
@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""),
        *("application/json; charset=latin-1", "text/plain; application/json"),
    ],
)
def test_a_body_that_is_not_declared_json_is_refused(
    unchanged: Desk, method: str, path: str, body: bytes, content_type: str
) -> None:
    headers = ["Host: localhost"]
    if content_type:
        headers.append(f"Content-Type: {content_type}")
    assert ask(unchanged, method, path, body, *headers).status == 415


def test_reads_are_guarded_too(unchanged: Desk) -> None:
    for path in ("/v1/orders", "/v1/balances", "/operator/orders", "/metrics"):
        assert ask(unchanged, "GET", path, None, "Host: evil.example").status == 421
        foreign = ("Host: localhost", "Origin: https://evil.example")
        assert ask(unchanged, "GET", path, None, *foreign).status == 403
        answer = ask(unchanged, "GET", path, None, "Host: localhost")
        assert answer.status == 200
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_http_1_1_without_a_host_is_400(unchanged: Desk) -> None:
    assert ask(unchanged, "GET", "/v1/orders", None).status == 400


def test_our_own_page_and_other_names_of_this_machine_pass(unchanged: Desk) -> None:
    port = urlsplit(unchanged.api.url).port
    for host in ("localhost", f"127.0.0.1:{port}", "[::1]"):
        assert ask(unchanged, "GET", "/v1/orders", None, f"Host: {host}").status == 200
    ours = ("Host: localhost", f"Origin: http://127.0.0.1:{port}")
    assert ask(unchanged, "GET", "/v1/orders", None, *ours).status == 200


def test_a_preflight_grants_nothing(unchanged: Desk) -> None:
    headers = (
        *("Host: localhost", "Origin: https://evil.example"),
        *("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"),
    )
    answer = ask(unchanged, "OPTIONS", "/v1/orders", None, *headers)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/operator/orders", "/operator/health"])
def test_the_separate_exchanges_operator_api_is_guarded_too(apart: Desk, path: str) -> None:
    operator = apart.operator.api
    assert operator.request("GET", path, headers={"Host": "evil.example"}).status == 421
    assert operator.request("GET", path, headers={"Origin": "https://evil.example"}).status == 403
    refused = operator.request(
        "POST", "/operator/faults", b'{"name": "answer_lost"}', {"Content-Type": "text/plain"}
    )
    assert refused.status == 415
    assert apart.operator.faults() == []
