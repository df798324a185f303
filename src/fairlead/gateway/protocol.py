"""uvicorn's HTTP/1.x connection with the bounds that it lacks.

Bounds the connections, the bytes of a request, the time a request takes to arrive and the time a
client may refuse to read its answer. Costs nothing on requests that arrive in one piece.
"""

# typing.override begins with 3.12.
# ruff: noqa: D102 - the methods below are uvicorn's, documented there
# mypy: disable-error-code="explicit-override"

import asyncio
from functools import partial
from typing import Any

import httptools
import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from fairlead.gateway.answers import WHOLE
from fairlead.gateway.credentials import TARGET
from fairlead.gateway.crowding import has_room
from fairlead.gateway.shapes import MessageError


class Limits(msgspec.Struct, frozen=True):
    """What one server bears; all times in seconds.

    `request_timeout_s`: from the first byte (or from connecting) to the last byte of a request; then
    408. `write_timeout_s`: how long a client may not read its answer; then the connection is cut.
    `request_bytes_max`: of head and body together, also of a body that is being thrown away.
    """

    connections_max: int = 1_024
    head_bytes_max: int = 32_768
    request_bytes_max: int = 4_194_304
    request_timeout_s: float = 10.0
    write_timeout_s: float = 30.0
    keep_alive_s: int = 75
    stop_timeout_s: int = 10
    backlog: int = 2_048


def bounded(limits: Limits) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol class with these limits."""

    class Bounded(BoundedProtocol):
        """One connection of this server."""

        limits_of_server = limits

    return Bounded


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    limits_of_server: Limits
    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = self.limits_of_server
        self._default_headers: list[tuple[bytes, bytes]] | None = None
        self._default_bytes = b""
        self._unfinished_bytes = 0  # of the request that is arriving
        self._is_in_head = True
        self._refusal = (400, "this is not a valid HTTP/1.x request")
        self._arrival: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        most = self._limits.connections_max
        if len(self.connections) > most and not has_room(self.connections, most):
            self._answer_and_close(503, "too many connections, try again", b"retry-after: 1\r\n")
            return
        self._watch_arrival()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        if self._writing is not None:
            self._writing.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._unfinished_bytes += len(data)
        super().data_received(data)
        if not self._unfinished_bytes or self.transport.is_closing():
            return
        limits = self._limits
        if self._is_in_head and self._unfinished_bytes > limits.head_bytes_max:
            self._answer_and_close(*self._head_too_long())
        elif self._unfinished_bytes > limits.request_bytes_max:
            self.transport.abort()
        elif self._arrival is None:
            self._watch_arrival()

    def on_message_begin(self) -> None:
        self._is_in_head = True
        self._unfinished_bytes = self._unfinished_bytes or 1  # it shares a read with the one before
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._unfinished_bytes > self._limits.head_bytes_max:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > self._limits.head_bytes_max:
                self._refusal = self._head_too_long()
                raise _HeadTooLongError
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            extensions: Any = {WHOLE: partial(self._send_whole, cycle), TARGET: self.url}
            self.scope["extensions"] = extensions

    def _send_whole(
        self, cycle: RequestResponseCycle, status: int, head: bytes, body: bytes
    ) -> bool:
        """Write status line, headers and body at once; False when it has to go the long way.

        Does for a whole answer what the cycle's `send` does for its two halves.
        """
        if (
            cycle.response_started
            or cycle.disconnected
            or not cycle.keep_alive
            or cycle.flow.write_paused
            or cycle.scope["method"] == "HEAD"
        ):
            return False
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        self.transport.write(
            b"".join((STATUS_LINE[status], self._default_head(), head, b"\r\n", body))
        )
        cycle.response_complete = True
        # It holds the cycle, which holds it: only the collector would end the two, much later.
        cycle.scope["extensions"].pop(WHOLE)
        cycle.message_event.set()
        cycle.on_response()
        return True

    def _default_head(self) -> bytes:
        """Return the server's own headers as bytes; it replaces their list every second."""
        headers = self.server_state.default_headers
        if headers is not self._default_headers:
            self._default_headers = headers
            self._default_bytes = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        return self._default_bytes

    def on_message_complete(self) -> None:
        self._unfinished_bytes = 0
        self._is_in_head = True
        if self._arrival is not None:
            self._stop_watching()
        super().on_message_complete()

    def idle_until(self) -> float | None:
        """Return when it will be closed, by the loop's time, if it is idle between two requests."""
        timer = self.timeout_keep_alive_task
        return None if timer is None else timer.when()

    def leave(self) -> None:
        """Close it, as one that is idle."""
        self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        self._unfinished_bytes = 0
        self._stop_watching()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        """Called by uvicorn when the parser, or something it called, could not go on."""
        self._answer_and_close(*self._refusal)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self._limits.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _watch_arrival(self) -> None:
        self._arrival = self.loop.call_later(
            self._limits.request_timeout_s, self._arrived_too_slowly
        )

    def _stop_watching(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _arrived_too_slowly(self) -> None:
        self._arrival = None
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if self.pipeline or (self._is_in_head and is_busy):
            self._watch_arrival()  # an earlier request is still being worked on
            return
        text = f"the request did not arrive within {self._limits.request_timeout_s:g} s"
        self._answer_and_close(408, text)

    def _head_too_long(self) -> tuple[int, str]:
        return 431, f"the head is longer than {self._limits.head_bytes_max} bytes, send less"

    def _answer_and_close(self, status: int, text: str, header: bytes = b"") -> None:
        """Answer without the application, unless an answer is on its way, and close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None:
            is_our_turn = True
        elif self._is_in_head:
            is_our_turn = cycle.response_complete
        else:
            is_our_turn = not cycle.response_started
        if is_our_turn:
            body = msgspec.json.encode(MessageError(text))
            self.transport.write(
                b"%sconnection: close\r\n%scontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (STATUS_LINE[status], header, len(body), body)
            )
        self.transport.close()


class _HeadTooLongError(httptools.HttpParserError):
    """Ends the parsing of a head."""
