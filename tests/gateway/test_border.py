"""A web page must not be able to trade on somebody's loopback (contract section 7)."""

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.orders import body
from tests.gateway.wire import Answered, ask, connected, request

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def place(gateway: Gateway, *headers: str, **options: str | None) -> Answered:
    data = request("POST", "/v1/orders", body(), *headers, **options)  # type: ignore[arg-type]
    return await ask(gateway.address, data)


# ── host ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LocalHost:9", "127.0.0.1", "127.0.0.1:3000", "127.9.9.9", "[::1]", "[::1]:80",
        "desk.example", "Desk.Example:443",
    ],
)  # fmt: skip
async def test_hosts_that_are_ours(gateway: Gateway, host: str) -> None:
    assert (await place(gateway, host=host)).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421), ("localhost.evil.example", 421), ("evil.example:80", 421),
        ("10.0.0.1", 421), ("[::2]", 421), ("128.0.0.1", 421), ("127.0.0.1.evil.example", 421),
        ("127.1", 421), ("0.0.0.0", 421), ("xdesk.example", 421), ("2130706433", 421),
        ("", 400), ("localhost:", 400), ("localhost:x", 400), ("a@localhost", 400),
        ("localhost/", 400), ("localhost, evil.example", 400), ("[::1", 400), ("ü", 400),
    ],
)  # fmt: skip
async def test_foreign_hosts_are_refused(gateway: Gateway, host: str, status: int) -> None:
    answer = await place(gateway, host=host)
    assert answer.status == status
    assert answer.json["message"].startswith("host: ")
    assert gateway.edge.asked == []


async def test_http_1_1_needs_one_host(gateway: Gateway) -> None:
    assert (await place(gateway, host=None)).status == 400
    assert (await place(gateway, "Host: localhost")).status == 400
    assert (await place(gateway, "Host: evil.example")).status == 400
    assert gateway.edge.asked == []


async def test_http_1_0_needs_none(gateway: Gateway) -> None:
    async with connected(gateway.address) as wire:
        await wire.send(request("POST", "/v1/orders", body(), version="1.0", host=None))
        assert (await wire.answer()).status == 200
        assert await wire.is_closed()
    assert (await place(gateway, version="1.0", host="evil.example")).status == 421


async def test_an_absolute_target_does_not_get_around_the_host(gateway: Gateway) -> None:
    data = request("GET", "http://localhost/v1/orders", host="evil.example")
    assert (await ask(gateway.address, data)).status == 421


# ── origin ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:{port}", "localhost:{port}"),
        ("http://127.0.0.1:{port}", "localhost:{port}"),
        ("http://[::1]:{port}", "127.0.0.1:{port}"),
        ("http://desk.example:{port}", "localhost"),
        ("http://localhost:9000", "localhost:9000"),
        ("http://localhost", "localhost:80"),
        ("https://console.example:8443", "localhost"),
        ("HTTPS://CONSOLE.example:8443", "localhost"),
    ],
)
async def test_origins_that_are_ours(gateway: Gateway, origin: str, host: str) -> None:
    port = gateway.address[1]
    answer = await place(
        gateway, "Origin: " + origin.format(port=port), host=host.format(port=port)
    )
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "null", "http://localhost:1", "http://localhost", "",
        "https://localhost:{port}", "http://localhost:{port}.evil.example",
        "http://evil.example:{port}", "https://console.example", "https://console.example:8443/",
        "file://", "http://localhost:{port}/", "http://a@localhost:{port}", "localhost:{port}",
        "chrome-extension://abcdef", "https://console.example:8443 http://evil.example",
    ],
)  # fmt: skip
async def test_pages_of_another_origin_are_refused(gateway: Gateway, origin: str) -> None:
    port = gateway.address[1]
    origin = "Origin: " + origin.format(port=port)
    assert (await place(gateway, origin, host=f"localhost:{port}")).status == 403
    data = request("GET", "/v1/balances", None, origin, host=f"localhost:{port}")
    assert (await ask(gateway.address, data)).status == 403
    data = request("POST", "/exchange/orders", b"{}", origin, host=f"localhost:{port}")
    assert (await ask(gateway.address, data)).status == 403
    assert gateway.edge.asked == []


async def test_several_origins_are_refused(gateway: Gateway) -> None:
    ours = f"Origin: http://localhost:{gateway.address[1]}"
    assert (await place(gateway, ours, "Origin: http://evil.example")).status == 400
    assert gateway.edge.asked == []


async def test_a_preflight_gets_no_permission(gateway: Gateway) -> None:
    asking = (
        "Origin: http://evil.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
    )
    answer = await ask(gateway.address, request("OPTIONS", "/v1/orders", None, *asking))
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        (["Origin: http://evil.example"], "localhost", 403),
        ([], "evil.example", 421),
        ([], "localhost", 404),  # but this gateway has no WebSocket API
    ],
)
async def test_upgrades_are_held_to_the_same(
    gateway: Gateway, headers: list[str], host: str, status: int
) -> None:
    upgrade = (
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )  # fmt: skip
    data = request("GET", "/v1/ws", None, *upgrade, *headers, host=host)
    assert (await ask(gateway.address, data)).status == status


# ── body ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "Application/JSON", "application/json; charset=utf-8",
        'application/json;charset="UTF-8"', "application/json;", "application/json ; charset=utf-8",
    ],
)  # fmt: skip
async def test_json_is_taken(gateway: Gateway, content_type: str) -> None:
    assert (await place(gateway, content_type=content_type)).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "application/jsonp", "text/json",
        "application/json; charset=utf-16", "application/json, text/plain",
    ],
)  # fmt: skip
async def test_other_bodies_are_refused(gateway: Gateway, content_type: str | None) -> None:
    answer = await place(gateway, content_type=content_type)
    assert answer.status == 415
    assert answer.json["message"].startswith("content-type: ")
    assert (await place(gateway, "Content-Type: text/plain")).status == 400
    assert gateway.edge.asked == []


async def test_the_connection_lives_on_after_a_refused_body(gateway: Gateway) -> None:
    async with connected(gateway.address) as wire:
        await wire.send(request("POST", "/v1/orders", body(), content_type="text/plain"))
        assert (await wire.answer()).status == 415
        await wire.send(request("POST", "/v1/orders", b" " * 100_000))
        assert (await wire.answer()).status == 400
        await wire.send(request("POST", "/v1/orders", body()))
        assert (await wire.answer()).status == 200
    assert len(gateway.edge.asked) == 1


async def test_a_chunked_body_is_read_and_bounded(gateway: Gateway) -> None:
    head = request(
        "POST", "/v1/orders", None, "Transfer-Encoding: chunked", "Content-Type: application/json"
    )
    async with connected(gateway.address) as wire:
        await wire.send(head)
        for part in (body()[:20], body()[20:]):
            await wire.send(b"%x\r\n%s\r\n" % (len(part), part))
        await wire.send(b"0\r\n\r\n")
        assert (await wire.answer()).status == 200
        await wire.send(head)
        for _ in range(9):
            await wire.send(b"2000\r\n" + b" " * 8_192 + b"\r\n")
        assert (await wire.answer()).json["errors_by_field"].keys() == {"body"}
    text = request("POST", "/v1/orders", None, "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    assert (await ask(gateway.address, text)).status == 415


async def test_expect_continue(gateway: Gateway) -> None:
    data = request("POST", "/v1/orders", body(), "Expect: 100-continue")
    head, sent = data[: -len(body())], data[-len(body()) :]
    async with connected(gateway.address) as wire:
        await wire.send(head)
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await wire.send(sent)
        assert (await wire.answer()).status == 200
        refused = head.replace(b"application/json", b"text/plain")
        await wire.send(refused)
        assert (await wire.answer()).status == 415
        assert await wire.is_closed()


async def test_very_many_headers_are_refused(gateway: Gateway) -> None:
    headers = [f"X-{index}: 1" for index in range(40)]
    assert (await ask(gateway.address, request("GET", "/v1/orders", None, *headers))).status == 431
    same = ["X: 1"] * 40
    assert (await ask(gateway.address, request("GET", "/v1/orders", None, *same))).status == 431


async def test_another_application_is_behind_the_same_border(gateway: Gateway) -> None:
    answer = await ask(gateway.address, request("POST", "/exchange/a%2Fb", b"{}"))
    assert answer.body == b"/exchange/a%2Fb {}"
    data = request("POST", "/exchange/a", b"{}", content_type="text/plain")
    assert (await ask(gateway.address, data)).status == 415
    assert (
        await ask(gateway.address, request("GET", "/exchange", host="evil.example"))
    ).status == 421
    assert (await ask(gateway.address, request("GET", "/exchange"))).body == b"/exchange "
