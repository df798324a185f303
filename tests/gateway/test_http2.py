"""HTTP/2: what the application sees, and every bound of a connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from starlette.types import Receive, Scope, Send

from fairlead.gateway.border import Border, BorderSettings
from fairlead.gateway.http2 import Http2Limits
from fairlead.gateway.listeners import ListenerSettings, SecureListeners
from fairlead.gateway.protocol import Limits
from tests.gateway.http2_client import Http2Client, client_context, http2
from tests.tls.authorities import Desk

pytestmark = pytest.mark.asyncio

PATIENT = Limits(request_timeout_s=60, write_timeout_s=60, stop_timeout_s=5)
COMMON = Http2Limits()


class Application:
    """Answers by path; keeps what it saw."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.events: list[str] = []
        self.go_on = asyncio.Event()
        self.holding = 0
        self.changed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        match scope["path"]:
            case "/fail":
                raise ValueError("broken")
            case "/fail/late":
                await self._start(send, 200)
                raise ValueError("broken")
            case "/hold":
                self.holding += 1
                self.changed.set()
                await self.go_on.wait()
                self.holding -= 1
                self.changed.set()
                await self._answer(send, b"held")
            case "/gone":
                while (message := await receive())["type"] == "http.request":
                    pass
                self.events.append(message["type"])
                self.changed.set()
            case "/unread":
                await self._answer(send, b"no need")
            case "/big":
                await self._answer(send, b"x" * 300_000)
            case "/chunks":
                await self._start(send, 200, (b"connection", b"close"))
                for number in range(3):
                    body = {"type": "http.response.body", "body": b"%d" % number}
                    await send(body | {"more_body": number < 2})
            case _:
                body = b""
                more = True
                while more:
                    message = await receive()
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                await self._answer(send, scope["method"].encode() + b" " + body)

    async def _start(self, send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
        start = {"type": "http.response.start", "status": status, "headers": list(headers)}
        await send(start)

    async def _answer(self, send: Send, body: bytes) -> None:
        await self._start(send, 200, (b"Content-Length", b"%d" % len(body)))
        await send({"type": "http.response.body", "body": body})

    async def when(self, holding: int) -> None:
        while self.holding != holding:
            self.changed.clear()
            await self.changed.wait()


class Served:
    def __init__(self, application: Application, listeners: SecureListeners, desk: Desk) -> None:
        self.application = application
        self.listeners = listeners
        self.url = str(listeners.https)
        self.context: ssl.SSLContext = client_context(desk.authorities, "h2")


@asynccontextmanager
async def serving(
    folder: Path, limits: Limits = PATIENT, http2_limits: Http2Limits = COMMON
) -> AsyncIterator[Served]:
    desk = Desk(folder)
    settings = ListenerSettings(desk.folder, connections=limits, http2=http2_limits)
    listeners = SecureListeners(("127.0.0.1", 0), None, settings)
    application = Application()
    await listeners.start(application)
    try:
        yield Served(application, listeners, desk)
    finally:
        application.go_on.set()
        await listeners.stop()


@asynccontextmanager
async def connected(
    folder: Path, limits: Limits = PATIENT, http2_limits: Http2Limits = COMMON
) -> AsyncIterator[tuple[Served, Http2Client]]:
    async with (
        serving(folder, limits, http2_limits) as served,
        http2(served.url, served.context) as client,
    ):
        yield served, client


# ── requests and answers ─────────────────────────────────────────────────────────────────────────


async def test_the_application_sees_what_http_1_1_would_show_it(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, client):
        fields = [("cookie", "a=1"), ("cookie", "b=2"), ("x-one", "1")]
        stream = client.request("POST", "/v1/a%20b?x=1&y=%2F", *fields, is_whole=False)
        client.connection.send_data(stream, b"body", end_stream=True)
        assert await client.answer(stream) == (200, b"POST body")
        (scope,) = served.application.scopes
        assert (scope["type"], scope["http_version"], scope["scheme"]) == ("http", "2", "https")
        assert (scope["path"], scope["raw_path"]) == ("/v1/a b", b"/v1/a%20b")
        assert scope["query_string"] == b"x=1&y=%2F"
        assert scope["headers"] == [
            (b"host", b"localhost"),
            (b"x-one", b"1"),
            (b"cookie", b"a=1; b=2"),
        ]
        assert scope["client"][0] == "127.0.0.1"
        assert "date" in client.headers[stream]


async def test_many_requests_at_once_are_answered_each(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_, client):
        streams = [client.request("GET", f"/{number}") for number in range(60)]
        assert [await client.answer(each) for each in streams] == [(200, b"GET ")] * 60


async def test_a_long_answer_waits_for_room_and_is_whole(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_, client):
        first, second = client.request("GET", "/big"), client.request("GET", "/big")
        for stream in (first, second):
            status, body = await client.answer(stream)
            assert (status, len(body)) == (200, 300_000)


async def test_parts_and_heads(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_, client):
        stream = client.request("GET", "/chunks")
        assert await client.answer(stream) == (200, b"012")
        assert "connection" not in client.headers[stream]
        head = client.request("HEAD", "/big")
        assert await client.answer(head) == (200, b"")
        assert client.headers[head]["content-length"] == "300000"


async def test_a_client_that_asks_first_is_told_to_go_on(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_, client):
        stream = client.request("PUT", "/", ("expect", "100-continue"), is_whole=False)
        await client.until(lambda: stream in client.continued)
        client.connection.send_data(stream, b"late", end_stream=True)
        assert await client.answer(stream) == (200, b"PUT late")


async def test_a_body_that_nobody_reads_is_let_in_after_its_answer(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_, client):
        stream = client.request("POST", "/unread", is_whole=False)
        assert await client.answer(stream) == (200, b"no need")
        for _ in range(5):
            client.connection.send_data(stream, b"x" * 10_000)
        client.connection.end_stream(stream)
        assert await client.get() == (200, b"GET ")
        assert client.resets == {}


async def test_an_error_of_the_application_ends_its_request_alone(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, client):
        held = client.request("GET", "/hold")
        assert await client.get("/fail") == (500, b"Internal Server Error")
        late = client.request("GET", "/fail/late")
        await client.until(lambda: late in client.resets)
        assert client.resets == {late: ErrorCodes.INTERNAL_ERROR}
        served.application.go_on.set()
        assert await client.answer(held) == (200, b"held")


async def test_the_application_hears_that_nobody_waits(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, client):
        stream = client.request("GET", "/gone")
        await client.until(lambda: True)
        await client.get()
        client.connection.reset_stream(stream, ErrorCodes.CANCEL)
        await client.flush()
        await asyncio.wait_for(served.application.changed.wait(), 60)
        assert served.application.events == ["http.disconnect"]
        assert await client.get() == (200, b"GET ")


async def test_a_tunnel_is_not_dug(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, client):
        stream = client.connection.get_next_available_stream_id()
        fields = [(":method", "CONNECT"), (":authority", "other.example:443")]
        client.connection.send_headers(stream, fields)
        await client.until(lambda: stream in client.resets or client.goaway is not None)
        assert served.application.scopes == []


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


async def test_more_requests_at_a_time_than_allowed_end_the_connection(tmp_path: Path) -> None:
    async with connected(tmp_path, http2_limits=Http2Limits(streams_max=3)) as (served, client):
        await client.get()
        settings = client.connection.remote_settings
        assert settings.max_concurrent_streams == 3
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 100  # a client that does not listen
        settings.acknowledge()
        for _ in range(4):
            client.request("GET", "/hold")
        await client.until_closed()
        assert client.goaway is not None
        assert served.application.holding <= 3


async def test_resetting_requests_makes_no_room_for_more(tmp_path: Path) -> None:
    """What is worked on counts, although its stream is closed (CVE-2023-44487)."""
    async with connected(tmp_path, http2_limits=Http2Limits(streams_max=5)) as (served, client):
        for _ in range(5):
            client.connection.reset_stream(client.request("GET", "/hold"))
        refused = client.request("GET", "/hold")
        await client.until(lambda: refused in client.resets)
        assert client.resets == {refused: ErrorCodes.REFUSED_STREAM}
        assert served.application.holding == 5
        served.application.go_on.set()
        await served.application.when(0)
        assert await client.get() == (200, b"GET ")


async def test_a_flood_of_resets_ends_the_connection(tmp_path: Path) -> None:
    limits = Http2Limits(control_frames_most=50, control_frames_per_s=1)
    async with connected(tmp_path, http2_limits=limits) as (served, client):
        for _ in range(300):
            client.connection.reset_stream(client.request("GET", "/hold"))
        await client.until_closed()
        assert client.goaway == ErrorCodes.ENHANCE_YOUR_CALM
        assert served.application.holding <= limits.streams_max


@pytest.mark.parametrize("kind", ["ping", "settings", "priority", "empty"])
async def test_a_flood_of_frames_that_ask_nothing_ends_the_connection(
    tmp_path: Path, kind: str
) -> None:
    limits = Http2Limits(control_frames_most=50, control_frames_per_s=1)
    async with connected(tmp_path, http2_limits=limits) as (_, client):
        connection = client.connection
        stream = client.request("POST", "/hold", is_whole=False)
        for number in range(60):
            match kind:
                case "ping":
                    connection.ping(b"%08d" % number)
                case "settings":
                    connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1_000 + number})
                case "priority":
                    connection.prioritize(stream, weight=1 + number)
                case "empty":
                    connection.send_data(stream, b"")
        await client.until_closed()
        assert client.goaway == ErrorCodes.ENHANCE_YOUR_CALM


async def test_answers_forgive_control_frames(tmp_path: Path) -> None:
    limits = Http2Limits(control_frames_most=20, control_frames_per_s=1)
    async with connected(tmp_path, http2_limits=limits) as (_, client):
        for number in range(100):
            client.connection.ping(b"%08d" % number)
            assert await client.get() == (200, b"GET ")


async def test_a_head_that_is_too_long_ends_the_connection(tmp_path: Path) -> None:
    limits = Limits(head_bytes_max=4_096)
    async with connected(tmp_path, limits) as (served, client):
        assert await client.get("/", ("x-long", "y" * 2_000)) == (200, b"GET ")
        client.request("GET", "/", *((f"x-{number}", "y" * 100) for number in range(60)))
        await client.until_closed()
        assert client.goaway == ErrorCodes.ENHANCE_YOUR_CALM
        assert len(served.application.scopes) == 1


async def test_a_body_that_is_too_long_is_cut_off(tmp_path: Path) -> None:
    limits = Limits(request_bytes_max=50_000)
    async with connected(tmp_path, limits) as (_, client):
        stream = client.request("POST", "/", is_whole=False)
        for _ in range(6):
            client.connection.send_data(stream, b"x" * 10_000)
        await client.until(lambda: stream in client.resets)
        assert client.resets == {stream: ErrorCodes.ENHANCE_YOUR_CALM}
        assert await client.get() == (200, b"GET ")


async def test_a_request_that_never_ends_is_ended(tmp_path: Path) -> None:
    async with connected(tmp_path, Limits(request_timeout_s=0.2)) as (_, client):
        unread = client.request("POST", "/unread", is_whole=False)
        stream = client.request("POST", "/", is_whole=False)
        await client.until(lambda: {stream, unread} <= set(client.resets))
        assert client.resets == {stream: ErrorCodes.CANCEL, unread: ErrorCodes.NO_ERROR}


async def test_a_client_that_never_makes_room_loses_its_answer(tmp_path: Path) -> None:
    async with connected(tmp_path, Limits(write_timeout_s=0.2)) as (_, client):
        client.reads_bodies = False
        stream = client.request("GET", "/big")
        await client.until(lambda: stream in client.resets)
        assert client.resets == {stream: ErrorCodes.CANCEL}
        assert len(client.bodies[stream]) == 65_535


@pytest.mark.parametrize("is_used", [False, True])
async def test_an_idle_connection_is_closed(tmp_path: Path, is_used: bool) -> None:
    limits = Limits(request_timeout_s=0.2, keep_alive_s=1)
    async with connected(tmp_path, limits) as (_, client):
        if is_used:
            assert await client.get() == (200, b"GET ")
        await client.until_closed()
        assert client.goaway == ErrorCodes.NO_ERROR


async def test_pings_keep_no_connection_that_asks_nothing(tmp_path: Path) -> None:
    many = Http2Limits(control_frames_most=1_000_000)
    async with connected(tmp_path, Limits(request_timeout_s=0.3), many) as (_, client):
        while client.goaway is None:
            client.connection.ping(b"12345678")
            await client.until_any()
        assert client.goaway == ErrorCodes.NO_ERROR


async def test_one_request_at_a_time_is_a_limit_too(tmp_path: Path) -> None:
    async with connected(tmp_path, http2_limits=Http2Limits(streams_max=1)) as (_, client):
        for _ in range(3):
            stream = client.request("POST", "/", is_whole=False)
            for _ in range(3):
                client.connection.send_data(stream, b"x" * 10_000)
            client.connection.end_stream(stream)
            assert await client.answer(stream) == (200, b"POST " + b"x" * 30_000)


async def test_what_is_not_http_2_ends_the_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        host, _, port = served.url.removeprefix("https://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=served.context)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.read()  # its preface and GOAWAY, then the end
        assert reader.at_eof()
        writer.close()
        async with http2(served.url, served.context) as client:
            assert await client.get() == (200, b"GET ")


async def test_a_stop_finishes_what_runs_and_takes_nothing_new(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, client):
        held = client.request("GET", "/hold")
        await client.flush()
        await served.application.when(1)
        stopping = asyncio.create_task(served.listeners.stop())
        await asyncio.sleep(0)
        served.application.go_on.set()
        assert await client.answer(held) == (200, b"held")
        await client.until_closed()
        assert client.goaway == ErrorCodes.NO_ERROR
        await stopping


# ── behind the border ────────────────────────────────────────────────────────────────────────────


async def test_a_body_that_tells_no_length_is_held_to_the_border_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    listeners = SecureListeners(("127.0.0.1", 0), None, ListenerSettings(desk.folder))
    application = Application()
    settings = BorderSettings(body_bytes_max=100)
    await listeners.start(Border(application, listeners.addresses, lambda: "trace", settings))
    json_type = ("content-type", "application/json")
    try:
        context = client_context(desk.authorities, "h2")
        async with http2(str(listeners.https), context) as client:
            for fields, body, status in (
                ((json_type,), b"x" * 100, 200),
                ((json_type,), b"x" * 101, 400),
                ((json_type,), b"x" * 10_000, 400),
                ((("content-type", "text/plain"),), b"x", 415),
                ((), b"x", 415),
                ((), b"", 200),
            ):
                stream = client.request("POST", "/v1/any", *fields, is_whole=False)
                client.connection.send_data(stream, body, end_stream=True)
                assert (await client.answer(stream))[0] == status
    finally:
        await listeners.stop()
    assert len(application.scopes) == 2
