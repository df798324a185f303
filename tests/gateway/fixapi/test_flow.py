"""A connection whose other side does not read: how long it is waited for, also after the last word."""

import asyncio
import contextlib
import socket

import pytest

from fairlead.gateway.fixapi.flow import Flow
from tests.gateway.fixapi.wires import Wire, turns

pytestmark = pytest.mark.asyncio
PATIENCE_S = 20


class Other(Wire):
    """A transport that says when it is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.is_cut_off = asyncio.Event()

    def abort(self) -> None:
        super().abort()
        self.is_cut_off.set()


class World:
    """A flow that waits for no longer than a turn of the event loop."""

    def __init__(self) -> None:
        self.wire = Other()
        self.too_slow = 0
        self.flow = Flow(self.wire, 0, self._note)

    def _note(self) -> None:
        self.too_slow += 1

    async def is_cut_off(self) -> bool:
        await turns()
        return self.wire.is_cut_off.is_set()


async def test_who_does_not_read_is_cut_off() -> None:
    world = World()
    world.flow.pause_writing()
    assert await world.is_cut_off()
    assert world.too_slow == 1


async def test_who_reads_again_is_not() -> None:
    world = World()
    world.flow.pause_writing()
    world.flow.resume_writing()
    assert not await world.is_cut_off()
    assert world.flow.is_writable
    assert not world.flow.is_reading_held


async def test_the_last_word_is_waited_for_and_no_longer() -> None:
    world = World()
    world.flow.close()
    assert not world.wire.is_cut_off.is_set()
    assert await world.is_cut_off()
    assert world.too_slow == 0


async def test_to_read_a_part_of_the_last_word_is_not_enough() -> None:
    world = World()
    world.flow.pause_writing()
    world.flow.close()
    world.flow.resume_writing()
    await world.flow.writable()  # nobody waits for it any more
    assert await world.is_cut_off()


async def test_a_transport_that_closes_by_itself_is_not_waited_for_either() -> None:
    world = World()
    world.wire.close()  # the other side has said its last
    world.flow.pause_writing()
    world.flow.resume_writing()
    world.flow.close()
    assert await world.is_cut_off()


async def test_nothing_is_done_to_a_connection_that_is_gone() -> None:
    world = World()
    world.flow.pause_writing()
    world.flow.lost()
    world.flow.close()
    assert not await world.is_cut_off()
    assert world.too_slow == 0


class Served(asyncio.Protocol):
    """The end of a session at asyncio's transport: much is said, then it is closed."""

    def __init__(self) -> None:
        self.is_resumed = asyncio.Event()
        self.is_lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=1 << 20)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        self.transport = transport
        self.flow = Flow(transport, 0.5, lambda: None)
        self.flow.write(b"x" * (4 << 20))
        self.flow.close()

    def pause_writing(self) -> None:
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        self.is_resumed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.flow.lost()
        self.is_resumed.set()  # on a machine so busy that its time was over before
        self.is_lost.set()


async def test_a_client_that_stops_reading_in_the_last_word_loses_its_connection() -> None:
    loop = asyncio.get_running_loop()
    served = Served()
    server = await loop.create_server(lambda: served, "127.0.0.1", 0)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        async with asyncio.timeout(PATIENCE_S):
            await loop.sock_connect(client, server.sockets[0].getsockname())
            with contextlib.suppress(ConnectionResetError):
                while not served.is_resumed.is_set():
                    await loop.sock_recv(client, 4_096)
                    await asyncio.sleep(0)
            await served.is_lost.wait()
    server.close()
    await server.wait_closed()
