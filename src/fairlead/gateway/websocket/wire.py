"""One WebSocket connection on its socket: handshake, frames, pings, closing, and what may wait in it.

The framing of what comes is `websockets`' sans-IO protocol. The handshake goes through the ASGI
application, so that border and routing are those of every request; after it there is no ASGI: the
client's side writes whole frames into the transport, and only while the transport takes them. uvicorn's own
implementation can do neither that nor give up on a client that reads nothing (docs/decisions/0019).
"""

# typing.override begins with 3.12.
# ruff: noqa: D102 - the methods below are asyncio's and uvicorn's, documented there

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import msgspec
import structlog
from starlette.types import Message, Scope
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from fairlead.gateway.credentials import TARGET
from fairlead.gateway.peers import NOT_COUNTED, UNAUTHORIZED, counts_still
from fairlead.gateway.websocket.client import GOING_AWAY, Client, Connection
from fairlead.gateway.websocket.hub import WebSocketSettings, Why

WIRE = "fairlead.wire"  # extension of the scope: the connection, to be given its client
SLOW_CLIENT = 4008
_WHY: dict[int, Why] = {GOING_AWAY: "stopping", UNAUTHORIZED: "unauthorized"}
_LOOKS = 4  # at a socket that takes nothing, within the time after which it is given up
_END = b""  # how websockets marks the end of what it has to send
_PONG = 0x80 | Opcode.PONG  # the first byte of one

log = structlog.get_logger()

_NO_UPGRADE = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b'content-length: 56\r\n\r\n{"message":"this is not a valid request for an upgrade"}'
)

# Nothing of a client belongs into the log, and websockets asks at each frame whether it is to log.
_quiet = logging.getLogger("fairlead.gateway.websocket")
_quiet.setLevel(logging.ERROR)


class Counted(msgspec.Struct):
    """Upgraded connections of one subscription, on whatever listener."""

    open: int = 0


def websocket_protocol(settings: WebSocketSettings) -> "type[WebSocketProtocol]":
    """Return the protocol class with these limits."""

    class Limited(WebSocketProtocol):
        """One connection of this server."""

        settings_of_server = settings

    return Limited


class WebSocketProtocol(asyncio.Protocol):
    """One connection, made by the HTTP protocol when a request asks to be upgraded."""

    settings_of_server: WebSocketSettings

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.is_writable = True
        self._settings = self.settings_of_server
        self._app = config.loaded_app
        self.app_state = app_state
        self._server_state = server_state
        self._loop = _loop or asyncio.get_event_loop()
        self._protocol = ServerProtocol(max_size=self._settings.message_bytes_max, logger=_quiet)
        self._request: Request | None = None
        self._response: Response | None = None
        self._refusal: tuple[int, Headers] | None = None
        self._client: Client | None = None
        self._counted: Counted | None = None
        self._is_gone = False
        self._is_reading = True
        self._fragments: list[bytes] = []
        self._arrived: list[bytes] = []  # messages of one read
        self._written = 0  # bytes given to the transport
        self._accepted = 0  # of these, taken by the socket at the last look
        self._idle_looks = 0
        self._slow: asyncio.TimerHandle | None = None
        self._ping: asyncio.TimerHandle | None = None
        self._pings = 0
        self._is_pong_due = False
        self._pong = b""  # frame that waits until the socket takes it
        self._closing: asyncio.TimerHandle | None = None

    # ── the socket ───────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server_state.connections.add(self)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._is_gone = True
        self._server_state.connections.discard(self)
        for timer in (self._slow, self._ping, self._closing):
            if timer is not None:
                timer.cancel()
        self._end("lost")

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
            elif isinstance(event, Request):
                self._shake_hands(event)
        self._deliver()
        if isinstance(protocol.handshake_exc, InvalidMessage):
            self._transport.write(_NO_UPGRADE)  # websockets says nothing then
        self._flush()
        if protocol.parser_exc is not None or protocol.handshake_exc is not None:
            self._end("broken")
            self._close_in_time()

    def eof_received(self) -> None:
        self._end("lost")

    def pause_writing(self) -> None:
        self.is_writable = False
        self._watch()

    def resume_writing(self) -> None:
        self.is_writable = True
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        pong, self._pong = self._pong, b""
        if pong and not self._transport.is_closing():
            self.write([pong])
        if self._client is not None:
            self._client.writable()

    def shutdown(self) -> None:
        """Called by the server when it stops: everything ends in bounded time."""
        if self._client is not None:
            self._client.stop()
        else:
            self._transport.close()
            self._close_in_time()

    # ── for the client (client.Connection) ─────────────────────────────────────────────────────

    def write(self, frames: list[bytes]) -> None:
        """Send whole frames."""
        if self._protocol.state is State.OPEN:
            self._written += sum(map(len, frames))
            self._transport.writelines(frames)

    def read_on(self, *, is_wanted: bool) -> None:
        """Read from the client, or do not."""
        if is_wanted is not self._is_reading and not self._transport.is_closing():
            self._is_reading = is_wanted
            if is_wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, wait a little for the client's, then cut the connection."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            self.read_on(is_wanted=True)
            self._end(_WHY.get(code, "slow"))
        self._close_in_time()

    # ── handshake ────────────────────────────────────────────────────────────────────────────────

    def accept(self, make_client: Callable[[Connection], Client], counted: Counted) -> None:
        """Upgrade, and have the client begin; it is one of those `counted` until it ends.

        Called by the application at most once.
        """
        if self._transport.is_closing():
            return
        assert self._response is not None
        self._protocol.send_response(self._response)
        self._flush()
        counted.open += 1
        self._counted = counted
        self._client = make_client(self)
        self._ping_later()
        self._client.start()

    def _shake_hands(self, request: Request) -> None:
        response = self._protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._protocol.send_response(response)
            return
        self._request, self._response = request, response
        task = self._loop.create_task(self._ask_application(self._scope(request)))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def _scope(self, request: Request) -> Scope:
        raw_path, _, query = request.path.partition("?")
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(self._transport) else "ws",
            "server": get_local_addr(self._transport),
            "client": get_remote_addr(self._transport),
            "root_path": "",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
                for name, value in request.headers.raw_items()
            ],
            "subprotocols": [],
            "state": self.app_state.copy(),
            "extensions": {
                "websocket.http.response": {},
                WIRE: self,
                TARGET: request.path.encode("latin-1"),
            },
        }

    async def _ask_application(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except Exception:  # what one client sent must not stop the process
            log.exception("upgrade failed")
            self._transport.close()

    async def _receive(self) -> Message:
        return {"type": "websocket.connect"}

    async def _send(self, message: Message) -> None:
        """Refuse the upgrade, as ASGI's `websocket.http.response` says, or with 403."""
        if message["type"] == "websocket.http.response.start":
            headers = Headers([(k.decode(), v.decode()) for k, v in message["headers"]])
            self._refusal = (message["status"], headers)
            return
        if message["type"] == "websocket.close":
            self._refusal = (HTTPStatus.FORBIDDEN, Headers({"Content-Length": "0"}))
        assert self._refusal is not None, message["type"]
        status, headers = self._refusal
        headers["Connection"] = "close"
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        self._protocol.send_response(Response(status, phrase, headers, message.get("body", b"")))
        self._flush()
        self._close_in_time()

    # ── frames ───────────────────────────────────────────────────────────────────────────────────

    def _take_frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.CONT:
                if frame.data:  # any number may be empty, whatever a message may have
                    self._fragments.append(bytes(frame.data))
                if frame.fin:
                    message = b"".join(self._fragments)
                    self._fragments.clear()
                    if _is_utf8(message):
                        self._arrived.append(message)
                    else:
                        self._fail(CloseCode.INVALID_DATA, "the message is not UTF-8")
            case Opcode.BINARY:
                self._fail(CloseCode.UNSUPPORTED_DATA, "send text messages")
            case Opcode.PONG:
                if bytes(frame.data) == b"%d" % self._pings:
                    self._is_pong_due = False
            case Opcode.CLOSE:
                self._end("left")
                self._close_in_time()
            case Opcode.PING:
                pass  # the protocol has its pong ready

    def _fail(self, code: int, reason: str) -> None:
        """End the connection for what the client did."""
        if self._protocol.state is State.OPEN:
            self._protocol.fail(code, reason)
            self._flush()
            self._end("broken")
            self._close_in_time()

    def _flush(self) -> None:
        """Send what websockets has ready. Each is a whole frame.

        A client that does not read may still ask for as many pongs as it likes. While the socket takes
        nothing only the newest ping's waits, for all of them (RFC 6455, 5.5.3), so no more bytes do;
        its requests are read on, for a client that is behind must be able to cancel.
        """
        for data in self._protocol.data_to_send():
            if data == _END:
                self._transport.close()
            elif data[0] == _PONG and not self.is_writable:
                self._pong = data
            elif not self._transport.is_closing():
                self._written += len(data)
                self._transport.write(data)

    def _deliver(self) -> None:
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            if self._client is None:
                return
            if counts_still(self.app_state):
                self._client.received(arrived)
            else:
                self.close(UNAUTHORIZED, NOT_COUNTED)

    def _end(self, why: Why) -> None:
        self._deliver()  # what was sent before the end is still taken
        if self._client is not None:
            client, self._client = self._client, None
            assert self._counted is not None
            self._counted.open -= 1
            client.ended(why)

    def _close_in_time(self) -> None:
        if self._closing is None and not self._is_gone:
            timeout_s = self._settings.close_timeout_s
            self._closing = self._loop.call_later(timeout_s, self._transport.abort)

    # ── clients that do not answer, or do not read ───────────────────────────────────────────────

    def _ping_later(self) -> None:
        self._ping = self._loop.call_later(self._settings.ping_interval_s, self._send_ping)

    def _send_ping(self) -> None:
        if self._is_pong_due and self._is_reading:
            self._end("silent")
            self._fail(CloseCode.INTERNAL_ERROR, "no pong within the time of a ping")
            return
        if self._protocol.state is State.OPEN and self.is_writable and not self._is_pong_due:
            self._pings += 1
            self._is_pong_due = True
            self._protocol.send_ping(b"%d" % self._pings)
            self._flush()
        self._ping_later()

    def _watch(self) -> None:
        """Look whether the socket, which takes no more for now, takes anything at all."""
        self._accepted = self._written - self._transport.get_write_buffer_size()
        self._idle_looks = 0
        self._look_later()

    def _look_later(self) -> None:
        look_s = self._settings.slow_client_ms / 1_000 / _LOOKS
        self._slow = self._loop.call_later(look_s, self._look)

    def _look(self) -> None:
        accepted = self._written - self._transport.get_write_buffer_size()
        self._idle_looks = self._idle_looks + 1 if accepted == self._accepted else 0
        self._accepted = accepted
        if self._idle_looks >= _LOOKS:
            seconds = self._settings.slow_client_ms / 1_000
            self.close(SLOW_CLIENT, f"nothing was read for {seconds:g} s")
        else:
            self._look_later()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
