"""A fence around the protocol of one TLS connection: what fails behind it ends this connection alone.

Without TLS the event loop does so: it cuts the connection, and tells its exception handler whose protocol
has failed. Over TLS it tells the handler of its own protocol (`SSLProtocol`, of asyncio and of uvloop), from
which nobody can say whether a client's failed or one of ours. Must never keep a failure to itself.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

ProtocolOf = Callable[[asyncio.Transport], asyncio.Protocol]


class Fence(asyncio.Protocol):
    """Stands before the handshake for the protocol that `protocol_of` makes after it.

    `not_begun` is told what kept that protocol from beginning.
    """

    def __init__(self, protocol_of: ProtocolOf, not_begun: Callable[[Exception], None]) -> None:
        self._protocol_of = protocol_of
        self._not_begun = not_begun
        self._protocol = asyncio.Protocol()  # does nothing
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection to the protocol that was agreed on."""
        self._transport = cast(asyncio.Transport, transport)
        try:
            self._protocol = self._protocol_of(self._transport)
            self._protocol.connection_made(self._transport)
        except Exception as error:  # noqa: BLE001 - whoever is told logs it
            self._not_begun(error)
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass it on; the protocol may have handed the connection to another one then."""
        if not self._pass(self._protocol.data_received, data):
            self._transport.abort()
        if not self._transport.is_closing():
            current = cast(asyncio.Protocol, self._transport.get_protocol())
            if current is not self:
                self._protocol = current
                self._transport.set_protocol(self)

    def eof_received(self) -> None:
        """Pass it on. Over TLS the connection closes, whatever the protocol would like."""
        if not self._pass(self._protocol.eof_received):
            self._transport.abort()

    def pause_writing(self) -> None:
        """Pass it on."""
        if not self._pass(self._protocol.pause_writing):
            self._abort_soon()

    def resume_writing(self) -> None:
        """Pass it on."""
        if not self._pass(self._protocol.resume_writing):
            self._abort_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._pass(self._protocol.connection_lost, exc)

    def _abort_soon(self) -> None:
        """Cut the connection, but not at once: asyncio's is lost twice when it is while it writes."""
        self._loop.call_soon(self._transport.abort)

    def _pass(self, call: Callable[..., object], *values: Any) -> bool:
        """Return whether it went well. If not the loop's handler is told, which decides as without TLS."""
        try:
            call(*values)
        except Exception as error:  # noqa: BLE001 - it is told
            self._loop.call_exception_handler(
                {
                    "message": f"protocol.{call.__name__}() failed",
                    "exception": error,
                    "transport": self._transport,
                    "protocol": self._protocol,
                }
            )
            return False
        return True
