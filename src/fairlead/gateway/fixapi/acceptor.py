"""The FIX listener: connections of asyncio, how many there may be, and the end of them all."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from typing import Any

import structlog

from fairlead.gateway.fixapi.client import Client
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.entrance import Entrance, Visit
from fairlead.gateway.fixapi.metrics import FixCollector
from fairlead.gateway.peers import NOT_COUNTED, counts_still, peer_of
from fairlead.gateway.secure import SecureAcceptor, Security
from fairlead.gateway.server import address_of

log = structlog.get_logger()
_BACKLOG = 128


class FixConnection(asyncio.Protocol):
    """One connection; everything it hears goes to its `Client`, once it is known at whose desk.

    `state`: what is known of its TLS connection, empty on a plain one.
    """

    def __init__(self, server: "FixServer", state: dict[str, Any]) -> None:
        self.state = state
        self.client: Client | None = None
        self.desk = server.entrance.owners
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._visit: Visit | None = None
        self._too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        entrance = self._server.entrance
        settings = entrance.settings
        peer = str(transport.get_extra_info("peername"))
        visit = entrance.visit(str(transport.get_extra_info("peername")[0]), peer_of(self.state))
        whose = self.desk if visit is None else None
        if self._server.is_full(whose):
            self._refuse(transport, peer)
            return
        transport.set_write_buffer_limits(high=settings.output_bytes_max)
        self._transport = transport
        self._visit = visit
        if visit is None:
            self.client = self._new_client(transport)
        else:
            loop = asyncio.get_running_loop()
            self._too_late = loop.call_later(settings.logon_timeout_s, self._is_too_late)
        self._server.came(self)

    def _new_client(self, transport: asyncio.Transport) -> Client:
        peername = transport.get_extra_info("peername")
        return Client(self.desk, transport, str(peername), str(peername[0]), peer_of(self.state))

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        visit = self._visit
        if visit is not None:
            desk = visit.take(data)
            if desk is None:
                return
            self._end_visit()
            assert self._transport is not None
            if self._server.is_full(desk):
                self._refuse(self._transport, str(self._transport.get_extra_info("peername")))
                return
            self.desk, data = desk, visit.heard
            self.client = self._new_client(self._transport)
        if self.client is not None:
            self.judge()
            self.client.received(data)

    def abort(self) -> None:
        """Cut it off."""
        if self.client is not None:
            self.client.abort()
        elif self._transport is not None:
            self._transport.abort()

    def _refuse(self, transport: asyncio.Transport, peer: str) -> None:
        most = self._server.entrance.settings.connections_max
        log.warning("fix_connection_refused", peer=peer, connections_max=most)
        transport.abort()

    def _is_too_late(self) -> None:
        """Cut off who has not said in time whose they are."""
        assert self._transport is not None
        peer = str(self._transport.get_extra_info("peername"))
        log.info("fix_ended", peer=peer, text="no Logon in time", was_up=False)
        self.abort()

    def _end_visit(self) -> None:
        self._visit = None
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def judge(self) -> None:
        """Log out whose certificate does not count any more: from then on no request is taken.

        Before the logon there is nothing to end: it is then that the certificate is asked about.
        """
        client = self.client
        if client is not None and client.session.is_up and not counts_still(self.state):
            client.log_out(NOT_COUNTED)

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
        self._end_visit()
        if self.client is not None:
            self.client.lost()
        self._server.gone(self)


class FixServer:
    """Serves all desks on one bound socket, from `start` to `stop`."""

    def __init__(
        self, entrance: Entrance, bound: socket.socket, security: Security | None = None
    ) -> None:
        """`security`: what makes it a TLS listener."""
        self.entrance = entrance
        self._security = security
        self.address = address_of(bound)
        self.connections: dict[FixConnection, None] = {}
        self._bound = bound
        self._server: asyncio.Server | SecureAcceptor | None = None
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    async def start(self) -> None:
        """Listen; when this returns, connections are accepted."""
        loop = asyncio.get_running_loop()
        if self._security is not None:
            self._server = SecureAcceptor(
                self._bound, self._security, _BACKLOG, self._is_full, self._secured, self._judge
            )
            return
        self._server = await loop.create_server(
            self._connection, sock=self._bound, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Accept nothing more, log everybody out, and cut off who does not answer in time."""
        if self._server is None:
            self._bound.close()
            return
        self._server.close()
        if isinstance(self._server, SecureAcceptor):
            await self._server.wait_closed()
            self._bound.close()
        for connection in list(self.connections):
            if connection.client is None:
                connection.abort()
            else:
                connection.client.log_out("the server is stopping")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.entrance.settings.stop_timeout_s):
                await self._is_empty.wait()
        for connection in list(self.connections):
            connection.abort()
        await self._is_empty.wait()
        for desk in self.entrance.desks.values():
            desk.flush()
            await desk.finish()

    def came(self, connection: FixConnection) -> None:
        """Take note of a connection."""
        self.connections[connection] = None
        self._is_empty.clear()

    def gone(self, connection: FixConnection) -> None:
        """Take note that a connection is closed."""
        self.connections.pop(connection, None)
        if not self.connections:
            self._is_empty.set()

    def is_full(self, desk: Desk | None) -> bool:
        """Whether a desk has as many connections as it may; None: those that no desk has yet."""
        return self._count(desk) >= self.entrance.settings.connections_max

    def _count(self, desk: Desk | None) -> int:
        whose = (None if each.client is None else each.desk for each in self.connections)
        return sum(each is desk for each in whose)

    def _connection(self) -> FixConnection:
        return FixConnection(self, {})

    def _secured(self, _: asyncio.Transport, state: dict[str, Any]) -> FixConnection:
        return FixConnection(self, state)

    def _is_full(self, handshakes: int) -> bool:
        return handshakes + self._count(None) >= self.entrance.settings.connections_max

    def _judge(self) -> None:
        for connection in list(self.connections):
            connection.judge()


def fix_collector(desk: Desk, servers: Sequence[FixServer]) -> FixCollector:
    """Return what Prometheus asks of one desk; who has not said yet whose they are is at the owner's."""

    def present() -> tuple[int, int]:
        connections = (each for server in servers for each in server.connections)
        return sum(each.desk is desk for each in connections), len(desk.live)

    return FixCollector(desk.metrics, present)
