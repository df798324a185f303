"""The server on its socket: versions, pipelining, bounds of time and size, start and stop."""

import asyncio
import gc
import socket
from contextlib import AsyncExitStack, suppress

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fairlead.gateway.callers import Caller
from fairlead.gateway.health import Readiness
from fairlead.gateway.protocol import Limits
from fairlead.gateway.server import HttpServer, address_of, bind, gateway_app
from tests.gateway.conftest import LIMITS, Gateway
from tests.gateway.orders import body
from tests.gateway.scripted_edge import ScriptedEdge, history_rows
from tests.gateway.wire import Wire, ask, connected, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = request("POST", "/v1/orders", body())
LIVE = request("GET", "/health/live")


async def test_http_1_0_and_1_1(gateway: Gateway) -> None:
    for version in ("1.0", "1.1"):
        data = request("POST", "/v1/orders", body(), version=version)
        assert (await ask(gateway.address, data)).status == 200


async def test_a_connection_serves_many(gateway: Gateway) -> None:
    async with connected(gateway.address) as wire:
        for _ in range(20):
            await wire.send(ORDER)
            assert (await wire.answer()).status == 200


async def test_a_request_that_was_answered_leaves_nothing_to_the_garbage_collector(
    gateway: Gateway,
) -> None:
    def cycles() -> int:
        return sum(type(each) is RequestResponseCycle for each in gc.get_objects())

    async with connected(gateway.address) as wire:
        gc.collect()
        gc.disable()
        try:
            before = cycles()
            for _ in range(5):
                await wire.send(ORDER)
                assert (await wire.answer()).status == 200
            assert cycles() <= before + 1  # the connection's last one
        finally:
            gc.enable()


async def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    async with connected(gateway.address) as wire:
        await wire.send(ORDER + LIVE + request("GET", "/nix") + ORDER)
        statuses = [(await wire.answer()).status for _ in range(4)]
    assert statuses == [200, 200, 404, 200]
    assert len(gateway.edge.asked) == 2


async def test_a_request_in_pieces(gateway: Gateway) -> None:
    async with connected(gateway.address) as wire:
        for start in range(0, len(ORDER), 40):
            await wire.send(ORDER[start : start + 40])
            await asyncio.sleep(0)
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v1/orders HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET v1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        request("POST", "/v1/orders", body(), "Content-Length: 5"),
        request("POST", "/v1/orders", body(), "Transfer-Encoding: chunked"),
        request("GET", "/v1/orders", None, "Content-Length: -1"),
        request("GET", "/v1/orders", None, "X : 1"),
    ],
)
async def test_what_is_not_http_is_refused(gateway: Gateway, data: bytes) -> None:
    async with connected(gateway.address) as wire:
        await wire.send(data)
        answer = await wire.answer()
        assert answer.status == 400
        assert list(answer.json) == ["message"]
        assert await wire.is_closed()
    assert gateway.edge.asked == []


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sent", [b"", b"GET /v1", b"\r\n", ORDER[:60], ORDER[:-5], ORDER + b"GET"])
async def test_a_request_that_never_ends_is_ended(gateway: Gateway, sent: bytes) -> None:
    async with connected(gateway.address) as wire:
        await wire.send(sent)
        if sent.startswith(ORDER):
            assert (await wire.answer()).status == 200
        answer = await wire.answer()
        assert answer.status == 408
        assert f"{LIMITS.request_timeout_s:g} s" in answer.json["message"]
        assert await wire.is_closed()
    assert len(gateway.edge.asked) == sent.startswith(ORDER)


async def test_trickling_does_not_prolong_a_request(gateway: Gateway) -> None:
    async with connected(gateway.address) as wire:

        async def trickle() -> None:
            for byte in LIVE[:-1]:
                await wire.send(bytes([byte]))
                await asyncio.sleep(LIMITS.request_timeout_s / 10)

        trickling = asyncio.ensure_future(trickle())
        assert (await wire.answer()).status == 408
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


async def test_a_slow_answer_is_not_a_slow_request(gateway: Gateway) -> None:
    gateway.edge.gate = asyncio.Event()
    async with connected(gateway.address) as wire:
        await wire.send(ORDER + LIVE[:10])  # the next request has begun, too
        await asyncio.sleep(LIMITS.request_timeout_s * 2)
        gateway.edge.gate.set()
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("is_ended", [False, True])
async def test_a_head_that_is_too_long_is_refused(gateway: Gateway, is_ended: bool) -> None:
    async with connected(gateway.address) as wire:
        data = request("GET", "/v1/orders", None, "X: " + "x" * 5_000)
        await wire.send(data if is_ended else data[:-4])
        answer = await wire.answer()
        assert answer.status == 431
        assert "4096" in answer.json["message"]
        assert await wire.is_closed()


async def test_a_path_that_is_too_long_is_refused(gateway: Gateway) -> None:
    data = request("GET", "/v1/orders/status/" + "x" * 5_000)
    assert (await ask(gateway.address, data)).status == 431


async def test_a_long_body_does_not_count_as_head(gateway: Gateway) -> None:
    sent = body()[:-1] + b" " * 50_000 + b"}"
    assert (await ask(gateway.address, request("POST", "/v1/orders", sent))).status == 200


async def flood(wire: Wire) -> None:
    while True:
        await wire.send(b" " * 65_536)
        await asyncio.sleep(0)


async def test_endless_bodies_are_cut(gateway: Gateway) -> None:
    async with connected(gateway.address) as wire:
        await wire.send(
            request("POST", "/v1/orders", b"")[:-4].replace(b": 0", b": 99999999") + b"\r\n\r\n"
        )
        assert (await wire.answer()).status == 400
        with pytest.raises(ConnectionError):
            await flood(wire)
    assert gateway.edge.asked == []


async def test_connections_are_bounded(gateway: Gateway) -> None:
    gateway.edge.gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        busy = [
            await stack.enter_async_context(connected(gateway.address))
            for _ in range(LIMITS.connections_max)
        ]
        for wire in busy:
            gateway.edge.was_asked.clear()
            await wire.send(ORDER)
            await gateway.edge.was_asked.wait()
        async with connected(gateway.address) as wire:
            answer = await wire.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert await wire.is_closed()
        gateway.edge.gate.set()
        assert [(await wire.answer()).status for wire in busy] == [200] * LIMITS.connections_max


async def test_who_is_idle_longest_gives_way_to_who_comes(gateway: Gateway) -> None:
    async with AsyncExitStack() as stack:
        wires = []

        async def come() -> None:
            wires.append(await stack.enter_async_context(connected(gateway.address)))
            await ask_on(wires[-1])

        async def ask_on(wire: Wire) -> None:
            await wire.send(LIVE)
            assert (await wire.answer()).status == 200

        for _ in range(LIMITS.connections_max):
            await come()
        await ask_on(wires[0])  # now it is not the longest any more
        await come()
        await come()
        assert await wires[1].is_closed()
        assert await wires[2].is_closed()
        await ask_on(wires[0])
        await ask_on(wires[3])


# ── start and stop ───────────────────────────────────────────────────────────────────────────────


async def ready(_: Caller | None) -> Readiness:
    return Readiness(True, ())


def make(edge: ScriptedEdge, limits: Limits | None = None) -> HttpServer:
    bound = bind("127.0.0.1", 0)
    app = gateway_app({"local": edge}, (address_of(bound),), ready, lambda _: ())
    return HttpServer(app, bound, limits)


async def test_port_0_becomes_a_real_port_before_the_start() -> None:
    server = make(ScriptedEdge())
    host, port = server.address
    assert host == "127.0.0.1"
    assert port > 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)
    await server.start()
    assert (await ask(server.address, LIVE)).status == 200
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)


async def test_a_server_that_never_started_stops() -> None:
    await make(ScriptedEdge()).stop()


async def test_a_port_in_use_is_an_error_at_once() -> None:
    server = make(ScriptedEdge())
    await server.start()
    with pytest.raises(OSError, match="in use"):
        bind(*server.address)
    await server.stop()


async def test_ipv6_loopback() -> None:
    try:
        bound = bind("::1", 0)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    app = gateway_app({"local": ScriptedEdge()}, (address_of(bound),), ready, lambda _: ())
    server = HttpServer(app, bound)
    await server.start()
    data = request("GET", "/health/live", host=f"[::1]:{server.address[1]}")
    assert (await ask(server.address, data)).status == 200
    await server.stop()


async def test_stopping_finishes_what_runs_and_closes_the_rest() -> None:
    edge = ScriptedEdge()
    edge.gate = asyncio.Event()
    server = make(edge)
    await server.start()
    async with connected(server.address) as busy, connected(server.address) as idle:
        await idle.send(LIVE)
        assert (await idle.answer()).status == 200
        await busy.send(ORDER)
        await edge.was_asked.wait()
        stopping = asyncio.ensure_future(server.stop())
        assert await idle.is_closed()
        assert not stopping.done()
        edge.gate.set()
        answer = await busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        await stopping


async def test_stopping_does_not_wait_for_ever() -> None:
    edge = ScriptedEdge()
    edge.gate = asyncio.Event()
    server = make(edge, Limits(stop_timeout_s=1))
    await server.start()
    async with connected(server.address) as wire:
        await wire.send(ORDER)
        await edge.was_asked.wait()
        await server.stop()
        assert b" 200 " not in await wire.reader.read(100)


async def test_a_client_that_does_not_read_is_cut() -> None:
    edge = ScriptedEdge()
    edge.rows = history_rows(50_000)
    limits = Limits(write_timeout_s=0.2)
    server = make(edge, limits)
    await server.start()
    loop = asyncio.get_running_loop()
    with socket.create_connection(server.address) as client:
        client.setblocking(False)
        client.sendall(
            request("GET", "/v1/orders/history?time_start=2021-01-01&time_end=2021-02-01")
        )
        await edge.was_asked.wait()
        read = -1
        while edge.rows_read != read:  # until it stands still, and longer than is borne
            read = edge.rows_read
            await asyncio.sleep(limits.write_timeout_s * 2)
        received = b"x"
        with suppress(ConnectionError):
            while received:
                received = await loop.sock_recv(client, 1 << 20)
    assert edge.rows_read < 50_000
    await server.stop()
