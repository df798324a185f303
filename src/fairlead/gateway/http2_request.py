"""One request over HTTP/2, as the ASGI application sees it."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
from h2.errors import ErrorCodes
from starlette.types import Message, Scope

from fairlead.gateway.credentials import TARGET

if TYPE_CHECKING:
    from fairlead.gateway.http2 import Http2Protocol

log = structlog.get_logger()

# Of the connection, not of a message (RFC 9113, 8.2.2): applications write them for HTTP/1.1.
_OF_A_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


class Http2Request:
    """One stream. `scope` is None for what is no request here (CONNECT)."""

    def __init__(
        self, connection: "Http2Protocol", stream_id: int, headers: Iterable[tuple[bytes, bytes]]
    ) -> None:
        self._connection = connection
        self._stream_id = stream_id
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._is_whole = False  # the body has arrived
        self._is_given = False  # and the application has it
        self._is_lost = False  # nobody waits for the answer
        self._is_started = False
        self._is_answered = False
        self._is_finished = False  # the application has returned
        self._is_head = False
        self._awaits_continue = False
        self._changed = asyncio.Event()
        self._arrival = connection.loop.call_later(
            connection.limits.request_timeout_s, self._arrived_too_slowly
        )
        self.scope = self._scope_of(headers)

    async def run(self) -> None:
        """Have the application answer."""
        connection = self._connection
        try:
            assert self.scope is not None
            await connection.app(self.scope, self._receive, self._send)
        except Exception as error:
            # As uvicorn does for HTTP/1.x: the request fails, the others go on.
            log.exception("http2_application", cause=type(error).__name__)
        if not self._is_answered and not self._is_lost:
            await self._fail()
        self._is_finished = True
        self._settle()

    # ── what the connection hears ────────────────────────────────────────────────────────────────

    def take_body(self, data: bytes) -> bool:
        """Take a part of the body; False when it is longer than any request may be."""
        self._body_bytes += len(data)
        if self._body_bytes > self._connection.limits.request_bytes_max:
            return False
        if not self._is_answered:  # else it is thrown away
            self._body.append(data)
            self._changed.set()
        return True

    def body_ended(self) -> None:
        """Hear that the body is whole."""
        self._is_whole = True
        self._arrival.cancel()
        self._changed.set()
        self._settle()

    def lose(self) -> None:
        """Hear that nobody waits for the answer any more."""
        self._is_lost = True
        self._arrival.cancel()
        self._changed.set()

    def wake(self) -> None:
        """Hear that there may be room to write."""
        self._changed.set()

    def _settle(self) -> None:
        """Leave the connection once nothing more is owed, nor to be thrown away.

        A body that nobody wanted is let in after its answer, within the same bounds: stock clients take
        a reset for a failure, although RFC 9113 (8.1) allows it here.
        """
        if self._is_finished and (self._is_whole or self._is_lost):
            self._arrival.cancel()
            self._connection.done(self._stream_id, is_answered=not self._is_lost)

    def _arrived_too_slowly(self) -> None:
        if not self._is_lost:
            self._give_up(ErrorCodes.NO_ERROR if self._is_answered else ErrorCodes.CANCEL)

    def _give_up(self, error: ErrorCodes) -> None:
        self.lose()
        self._connection.reset(self._stream_id, error)
        self._connection.flush()
        self._connection.done(self._stream_id)

    # ── ASGI ─────────────────────────────────────────────────────────────────────────────────────

    async def _receive(self) -> Message:
        if self._awaits_continue and not self._is_whole and not self._body and not self._is_lost:
            self._awaits_continue = False
            self._connection.connection.send_headers(self._stream_id, [(b":status", b"100")])
            self._connection.flush()
        while not (self._is_lost or self._is_answered):
            if self._body or (self._is_whole and not self._is_given):
                body = b"".join(self._body)
                self._body.clear()
                self._is_given = self._is_whole
                return {"type": "http.request", "body": body, "more_body": not self._is_whole}
            await self._change()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._is_lost:
            return
        if message["type"] == "http.response.start":
            assert not self._is_started, "the answer has begun"
            self._start(message["status"], message.get("headers", ()))
            return
        assert self._is_started, "the answer has not begun"
        more = message.get("more_body", False)
        await self._write(message.get("body", b""), is_last=not more)

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        fields = [(b":status", b"%d" % status), *self._connection.default_headers]
        fields += [(name.lower(), value) for name, value in headers if name not in _OF_A_CONNECTION]
        self._is_started = True
        self._connection.connection.send_headers(self._stream_id, fields)

    async def _write(self, body: bytes, *, is_last: bool) -> None:
        connection = self._connection
        left = memoryview(b"" if self._is_head else body)
        while left:
            room = connection.room_for(self._stream_id)
            if room <= 0:
                connection.flush()
                await self._room()
                if self._is_lost:
                    return
                continue
            part, left = left[:room], left[room:]
            is_end = is_last and not left
            connection.connection.send_data(self._stream_id, part.tobytes(), end_stream=is_end)
            if is_end:
                self._is_answered = True
        if is_last and not self._is_answered:
            connection.connection.end_stream(self._stream_id)
            self._is_answered = True
        connection.flush()
        self._changed.set()

    async def _room(self) -> None:
        """Wait until something may be written; a client that never lets us is given up."""
        limit_s = self._connection.limits.write_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                while not self._is_lost and self._connection.room_for(self._stream_id) <= 0:
                    await self._change()
        except TimeoutError:
            self._give_up(ErrorCodes.CANCEL)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _fail(self) -> None:
        if self._is_started:
            self._give_up(ErrorCodes.INTERNAL_ERROR)
            return
        text = b"Internal Server Error"
        fields = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")]
        self._start(500, fields)
        await self._write(text, is_last=True)

    def _scope_of(self, headers: Iterable[tuple[bytes, bytes]]) -> Scope | None:
        """Return what HTTP/1.1 would have made of it: `host` for :authority, one cookie header."""
        pseudo: dict[bytes, bytes] = {}
        fields: list[tuple[bytes, bytes]] = []
        cookies: list[bytes] = []
        for name, value in headers:
            if name[:1] == b":":
                pseudo[name] = value
            elif name == b"cookie":
                cookies.append(value)
            else:
                fields.append((bytes(name), bytes(value)))
                self._awaits_continue |= name == b"expect" and value.lower() == b"100-continue"
        if b":path" not in pseudo or pseudo[b":method"] == b"CONNECT":
            return None
        if cookies:
            fields.append((b"cookie", b"; ".join(cookies)))
        authority = pseudo.get(b":authority")
        if authority is not None:
            fields = [field for field in fields if field[0] != b"host"]  # h2: they are equal
            fields.insert(0, (b"host", bytes(authority)))
        raw_path, _, query = bytes(pseudo[b":path"]).partition(b"?")
        method = pseudo[b":method"].decode("ascii", "replace")
        self._is_head = method == "HEAD"
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "server": self._connection.server,
            "client": self._connection.client,
            "scheme": "https",
            "method": method,
            "root_path": "",
            "path": unquote(raw_path.decode("ascii", "replace")),
            "raw_path": raw_path,
            "query_string": query,
            "headers": fields,
            "state": self._connection.app_state.copy(),
            "extensions": {TARGET: bytes(pseudo[b":path"])},
        }
