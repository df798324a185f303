"""A WebSocket connection on a real socket whose client reads when it is told, on both event loops."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvloop
from starlette.types import Receive, Scope, Send
from websockets.frames import Frame, Opcode

from fairlead.gateway.protocol import Limits
from fairlead.gateway.server import HttpServer, bind
from fairlead.gateway.websocket.hub import WebSocketSettings
from fairlead.gateway.websocket.wire import WIRE, Counted, WebSocketProtocol

_NARROW = 4_096  # bytes of the kernel's buffers, of which it makes a few times as many
_WAITING_MAX = 1 << 18  # bytes: those of the transport's high-water mark and of the kernel, thrice
_UPGRADE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], None]:
    return cast(Any, asyncio.run if request.param == "asyncio" else uvloop.run)


class Follower:
    """The server's side of a client: keeps what came and how it ended."""

    def __init__(self, wire: WebSocketProtocol) -> None:
        self.wire = wire
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended_by: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def start(self) -> None: ...

    def writable(self) -> None: ...

    def stop(self) -> None:
        self.wire.close(1001, "the server is stopping")

    def received(self, messages: list[bytes]) -> None:
        for each in messages:
            self.heard.put_nowait(each)

    def ended(self, why: str) -> None:
        self.ended_by.set_result(why)


class Stuck:
    """A client that sends what it is told, and reads only when it is told."""

    follower: Follower

    def __init__(self, reader: socket.socket) -> None:
        self._socket = reader
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self.read_bytes = 0

    async def send(self, *frames: Frame) -> None:
        data = b"".join(frame.serialize(mask=True) for frame in frames)
        await self._loop.sock_sendall(self._socket, data)

    async def say(self, text: bytes) -> None:
        """Send a message, and wait until it has arrived: then everything before it has."""
        await self.send(Frame(Opcode.TEXT, text))
        assert await self.follower.heard.get() == text

    async def frame(self) -> Frame:
        """Read one frame of the server, none of which is long."""
        while len(self._unread) < 2 or len(self._unread) < 2 + self._unread[1]:
            data = await self._loop.sock_recv(self._socket, 65_536)
            assert data, "the server has closed the connection"
            self.read_bytes += len(data)
            self._unread += data
        assert self._unread[1] < 126
        end = 2 + self._unread[1]
        frame = Frame(Opcode(self._unread[0] & 15), self._unread[2:end])
        self._unread = self._unread[end:]
        return frame

    async def pongs_until(self, last: bytes) -> list[bytes]:
        pongs = []
        while last not in pongs[-1:]:
            frame = await self.frame()
            assert frame.opcode is Opcode.PONG
            pongs.append(bytes(frame.data))
        return pongs

    async def until_upgraded(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self._loop.sock_recv(self._socket, 1)
        assert b" 101 " in head


@asynccontextmanager
async def stuck(**settings: Any) -> AsyncIterator[Stuck]:
    """A client upgraded over a connection of which the kernel holds little."""
    followers: list[Follower] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        wire: WebSocketProtocol = scope["extensions"][WIRE]
        followers.append(Follower(wire))
        wire.accept(lambda _: cast(Any, followers[0]), Counted())

    bound = bind("127.0.0.1", 0)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NARROW)
    settings = {"slow_client_ms": 600_000, "close_timeout_s": 0.1} | settings
    server = HttpServer(
        application, bound, Limits(stop_timeout_s=600), WebSocketSettings(**settings)
    )
    await server.start()
    try:
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW)
            reader.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(reader, server.address)
            await loop.sock_sendall(reader, _UPGRADE)
            client = Stuck(reader)
            await client.until_upgraded()
            (client.follower,) = followers
            yield client
            await server.stop()  # before the client goes: nobody waits for it to read
    finally:
        await server.stop()


def pings(start: int, count: int) -> list[Frame]:
    return [Frame(Opcode.PING, b"%0125d" % number) for number in range(start, start + count)]


async def flood(client: Stuck) -> bytes:
    """Ping 1 MB without reading; return what the last ping says."""
    for start in range(0, 8_000, 500):
        await client.send(*pings(start, 500))
    return b"%0125d" % 7_999


def test_of_the_pings_of_a_client_that_does_not_read_only_the_newest_waits(
    run: Callable[[Any], None],
) -> None:
    async def story() -> None:
        async with stuck() as client:
            last = await flood(client)
            await client.say(b"cancel")  # is heard although nothing that it caused is read
            pongs = await client.pongs_until(last)
            assert client.read_bytes < _WAITING_MAX
            assert pongs == sorted(set(pongs))
            await client.send(*pings(8_000, 3))
            got = await client.pongs_until(b"%0125d" % 8_002)
            assert got == [bytes(each.data) for each in pings(8_000, 3)]  # each is answered again

    run(story())


def test_a_client_that_pings_and_does_not_read_is_noticed_when_it_leaves(
    run: Callable[[Any], None],
) -> None:
    async def story() -> None:
        async with stuck() as client:
            await flood(client)
            await client.send(Frame(Opcode.CLOSE, b"\x03\xe8"))
            assert await client.follower.ended_by == "left"

    run(story())


def test_a_client_that_pings_and_does_not_read_is_dropped_as_slow(
    run: Callable[[Any], None],
) -> None:
    async def story() -> None:
        async with stuck(slow_client_ms=40, close_timeout_s=600) as client:
            await flood(client)
            assert await client.follower.ended_by == "slow"
            while (frame := await client.frame()).opcode is Opcode.PONG:
                pass
            assert (frame.opcode, bytes(frame.data[:2])) == (Opcode.CLOSE, b"\x0f\xa8")  # 4008
            await client.send(Frame(Opcode.CLOSE, b"\x03\xe8"))

    run(story())


def test_stopping_does_not_wait_for_a_client_that_pings_and_does_not_read(
    run: Callable[[Any], None],
) -> None:
    async def story() -> None:
        async with stuck() as client:
            await flood(client)
            await client.say(b"still here")
        assert client.follower.ended_by.result() == "stopping"

    run(story())


def test_fragments_that_hold_nothing_take_no_memory(run: Callable[[Any], None]) -> None:
    """A message may have few bytes, and any number of fragments."""

    async def story() -> None:
        async with stuck() as client:
            empty = [Frame(Opcode.CONT, b"", fin=False)] * 1_000
            await client.send(Frame(Opcode.TEXT, b"", fin=False), *empty, *pings(0, 1))
            await client.pongs_until(b"%0125d" % 0)
            assert client.follower.wire._fragments == []
            await client.send(Frame(Opcode.CONT, b"a", fin=False), *empty, Frame(Opcode.CONT, b"b"))
            assert await client.follower.heard.get() == b"ab"

    run(story())
