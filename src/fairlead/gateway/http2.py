"""One HTTP/2 connection: frames in, ASGI calls, frames out, all within bounds.

The protocol is h2's, which does no IO; here are the socket, the clocks and the limits. As with
HTTP/1.x, a request once begun is finished, whether its client still waits or not, so what counts
against `streams_max` are requests that are worked on: resetting them makes no room (CVE-2023-44487).
"""

import asyncio
import contextlib
from typing import Any, cast

import msgspec
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    UnknownFrameReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from fairlead.gateway.http2_request import Http2Request
from fairlead.gateway.protocol import Limits

# typing.override begins with 3.12.
# ruff: noqa: D102 - the methods below are asyncio's and uvicorn's, documented there

_WINDOW = 65_535  # what may arrive of one body before it is acknowledged


class Http2Limits(msgspec.Struct, frozen=True):
    """What one HTTP/2 connection may ask; the bounds of `Limits` hold besides.

    `streams_max`: requests at a time. `control_frames_most`: resets, pings, settings, priorities and
    empty frames in a row; `control_frames_per_s` of them are forgiven each second, and one for every
    request that is answered.
    """

    streams_max: int = 100
    control_frames_most: int = 200
    control_frames_per_s: int = 20


class Http2Protocol(asyncio.Protocol):
    """One connection, whose TLS handshake has agreed on h2."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        limits: Limits,
        http2_limits: Http2Limits,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.app = config.loaded_app
        self.app_state = app_state
        self.limits = limits
        self.loop = loop
        self._http2 = http2_limits
        self._server_state = server_state
        self._connections = cast(set[asyncio.Protocol], server_state.connections)
        self._requests: dict[int, Http2Request] = {}  # those whose answer is not sent
        self._working = 0  # requests that the application has not finished
        self._last_served = 0
        self._is_ending = False
        self._forgiven_at = loop.time()
        self._control_frames = 0.0
        self._is_writable = True
        self._writing: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.connection = _connection(limits, http2_limits)

    # ── the socket ───────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server = get_local_addr(self.transport)
        self.client = get_remote_addr(self.transport)
        self._connections.add(self)
        self.connection.initiate_connection()
        if self._http2.streams_max > 1:  # it begins with room for one
            self.connection.increment_flow_control_window(_WINDOW * (self._http2.streams_max - 1))
        self.flush()
        self._idle_for(self.limits.request_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._connections.discard(self)
        for timer in (self._idle, self._writing):
            if timer is not None:
                timer.cancel()
        self._lose_all()

    def eof_received(self) -> None:
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        try:
            events = self.connection.receive_data(data)
            for event in events:
                self._take(event)
        except ProtocolError:
            self.flush()  # the GOAWAY that says why
            self._lose_all()
            self.transport.close()
            return
        self.flush()
        if self._control_frames > self._http2.control_frames_most:
            self.end(ErrorCodes.ENHANCE_YOUR_CALM)

    def pause_writing(self) -> None:
        self._is_writable = False
        if self._writing is None:
            self._writing = self.loop.call_later(self.limits.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._is_writable = True
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        self._wake()

    def shutdown(self) -> None:
        """Called by the server when it stops: nothing new, what runs may finish."""
        self._is_ending = True
        if not self._requests:
            self.end()

    def idle_until(self) -> float | None:
        """Return when it will be closed, by the loop's time, if it is idle between two requests."""
        return None if self._idle is None or not self._last_served else self._idle.when()

    def leave(self) -> None:
        """Close it, as one that is idle."""
        self.end()

    # ── for the requests ─────────────────────────────────────────────────────────────────────────

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The server's own headers; it replaces their list every second."""
        return self._server_state.default_headers

    def room_for(self, stream_id: int) -> int:
        """Return how many bytes of a body may be written now."""
        if not self._is_writable:
            return 0
        connection = self.connection
        window = connection.local_flow_control_window(stream_id)
        return min(window, connection.max_outbound_frame_size)

    def flush(self) -> None:
        """Write what is waiting in the connection."""
        output = self.connection.data_to_send()
        if output and not self.transport.is_closing():
            self.transport.write(output)

    def reset(self, stream_id: int, error: ErrorCodes) -> None:
        """Give up a stream, unless its client has already."""
        with contextlib.suppress(StreamClosedError):
            self.connection.reset_stream(stream_id, error)

    def done(self, stream_id: int, *, is_answered: bool = False) -> None:
        """Hear that a request needs no more of the connection."""
        if self._requests.pop(stream_id, None) is None:
            return
        self._server_state.total_requests += 1
        if is_answered:
            self._control_frames = max(0.0, self._control_frames - 1)
        if not self._requests:
            if self._is_ending:
                self.end()
            else:
                self._idle_for(self.limits.keep_alive_s)

    def end(self, error: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Say why with GOAWAY, and close."""
        if self.transport.is_closing():
            return
        self.connection.close_connection(error, last_stream_id=self._last_served)
        self.flush()
        self._lose_all()
        self.transport.close()

    def _lose_all(self) -> None:
        """Tell the requests that nothing of theirs can be sent any more."""
        requests = list(self._requests.values())
        self._requests.clear()
        for request in requests:
            request.lose()

    # ── frames ───────────────────────────────────────────────────────────────────────────────────

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._receive_body(event)
            case StreamEnded():
                request = self._requests.get(event.stream_id)
                if request is not None:
                    request.body_ended()
            case StreamReset():
                self._count()
                request = self._requests.get(event.stream_id)
                if request is not None:
                    request.lose()
                    self.done(event.stream_id)
            case WindowUpdated() | RemoteSettingsChanged():
                if isinstance(event, RemoteSettingsChanged):
                    self._count()
                self._wake()
            case PingReceived() | PriorityUpdated() | UnknownFrameReceived():
                self._count()
            case ConnectionTerminated():
                self.shutdown()
            case _:
                pass  # acknowledgements, and what only clients hear

    def _begin(self, event: RequestReceived) -> None:
        if self._is_ending or self._working >= self._http2.streams_max:
            self._count()
            self.reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        self._last_served = event.stream_id
        request = Http2Request(self, event.stream_id, event.headers)
        if request.scope is None:
            request.lose()
            self.reset(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
            return
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._requests[event.stream_id] = request
        self._working += 1
        task = self.loop.create_task(request.run())
        self._server_state.tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._working -= 1
        self._server_state.tasks.discard(task)

    def _receive_body(self, event: DataReceived) -> None:
        if not event.data and event.stream_ended is None:
            self._count()
        request = self._requests.get(event.stream_id)
        if request is not None and not request.take_body(event.data):
            request.lose()
            self.reset(event.stream_id, ErrorCodes.ENHANCE_YOUR_CALM)
            self.done(event.stream_id)
        self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _count(self) -> None:
        now = self.loop.time()
        forgiven = (now - self._forgiven_at) * self._http2.control_frames_per_s
        self._forgiven_at = now
        self._control_frames = max(0.0, self._control_frames - forgiven) + 1

    def _wake(self) -> None:
        for request in self._requests.values():
            request.wake()

    def _idle_for(self, seconds: float) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self.loop.call_later(seconds, self.end)


def _connection(limits: Limits, http2_limits: Http2Limits) -> H2Connection:
    settings = H2Configuration(
        client_side=False, header_encoding=None, normalize_outbound_headers=False
    )
    connection = H2Connection(settings)
    connection.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: http2_limits.streams_max,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.head_bytes_max,
            SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
        },
    )
    connection.decoder.max_header_list_size = limits.head_bytes_max
    return connection
