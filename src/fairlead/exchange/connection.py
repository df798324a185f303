"""One client connection of the exchange: bytes become messages, and frames leave in one write per batch.

Must never decide anything: messages are the exchange's to handle.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from fairlead.exchange.session import Session
from fairlead.venues.sim_messages import FrameError, client_messages

if TYPE_CHECKING:
    from fairlead.exchange.server import Exchange


class Connection:
    """Has every method of an `asyncio.Protocol`."""

    def __init__(self, exchange: "Exchange") -> None:
        self.session = Session(exchange.desk)
        self._exchange = exchange
        self._reader = client_messages()
        self._transport: asyncio.WriteTransport | None = None
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or close at once if the exchange has no room."""
        self._transport = cast(asyncio.WriteTransport, transport)
        if not self._exchange.opened(self):
            self.close()

    def data_received(self, data: bytes) -> None:
        """Handle every message that `data` completes as one batch."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            messages = self._reader.feed(data)
        except FrameError:
            self.close()
            return
        if messages:
            self._exchange.handle(self, messages)

    def eof_received(self) -> None:
        """Let the transport close: the peer says no more."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget the connection."""
        self._transport = None
        self._parts.clear()
        self._exchange.closed(self)

    def pause_writing(self) -> None:
        """The peer reads too slowly: keep frames here, up to the limit."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._is_paused = False
        self.flush()

    def buffer(self, data: bytes) -> None:
        """Add bytes to the next write."""
        self._parts.append(data)
        self._waiting_bytes += len(data)

    def flush(self) -> None:
        """Write what was buffered; a peer that lets too much wait is dropped."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._parts.clear()
            self._waiting_bytes = 0
        elif not self._is_paused:
            parts, self._parts = self._parts, []
            self._waiting_bytes = 0
            transport.write(b"".join(parts) if len(parts) != 1 else parts[0])
        elif self._waiting_bytes > self._exchange.settings.output_bytes_max:
            self.close()

    def close(self) -> None:
        """Close the connection; nothing more is written."""
        self._parts.clear()
        self._waiting_bytes = 0
        self._exchange.closed(self)
        if self._transport is not None:
            self._transport.close()
