"""The FIX listener: connections of asyncio, how many there may be, and the end of them all."""

import asyncio
import contextlib
import socket

import structlog

from fairlead.gateway.fixapi.client import Client
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.metrics import FixCollector
from fairlead.gateway.server import address_of

log = structlog.get_logger()
_BACKLOG = 128


class FixConnection(asyncio.Protocol):
    """One connection; everything it hears goes to its `Client`."""

    def __init__(self, server: "FixServer") -> None:
        self._server = server
        self.client: Client | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        settings = self._server.desk.settings
        peer = str(transport.get_extra_info("peername"))
        if len(self._server.connections) >= settings.connections_max:
            log.warning(
                "fix_connection_refused", peer=peer, connections_max=settings.connections_max
            )
            transport.abort()
            return
        transport.set_write_buffer_limits(high=settings.output_bytes_max)
        self.client = Client(self._server.desk, transport, peer)
        self._server.came(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self.client is not None:
            self.client.received(data)

    def pause_writing(self) -> None:
        """The transport is full."""
        if self.client is not None:
            self.client.pause_writing()

    def resume_writing(self) -> None:
        """The transport has room again."""
        if self.client is not None:
            self.client.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """End the session."""
        if self.client is not None:
            self.client.lost()
        self._server.gone(self)


class FixServer:
    """Serves a desk on one bound socket, from `start` to `stop`."""

    def __init__(self, desk: Desk, bound: socket.socket) -> None:
        self.desk = desk
        self.address = address_of(bound)
        self.connections: dict[FixConnection, None] = {}
        self._bound = bound
        self._server: asyncio.Server | None = None
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    async def start(self) -> None:
        """Listen; when this returns, connections are accepted."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connection, sock=self._bound, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Accept nothing more, log everybody out, and cut off who does not answer in time."""
        if self._server is None:
            self._bound.close()
            return
        self._server.close()
        for connection in list(self.connections):
            if connection.client is not None:
                connection.client.log_out("the server is stopping")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.desk.settings.stop_timeout_s):
                await self._is_empty.wait()
        for connection in list(self.connections):
            if connection.client is not None:
                connection.client.abort()
        await self._is_empty.wait()
        self.desk.flush()
        await self.desk.finish()

    def collector(self) -> FixCollector:
        """Return what Prometheus asks."""
        return FixCollector(self.desk.metrics, lambda: (len(self.connections), len(self.desk.live)))

    def came(self, connection: FixConnection) -> None:
        """Take note of a connection."""
        self.connections[connection] = None
        self._is_empty.clear()

    def gone(self, connection: FixConnection) -> None:
        """Take note that a connection is closed."""
        self.connections.pop(connection, None)
        if not self.connections:
            self._is_empty.set()

    def _connection(self) -> FixConnection:
        return FixConnection(self)
