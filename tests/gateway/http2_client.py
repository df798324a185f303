"""An HTTP/2 client that does exactly what it is told, also what no good client would."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)


class Http2Client:
    """One connection; what came is kept by stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.connection = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.reads_bodies = True  # whether room is given for more
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.continued: set[int] = set()
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.goaway: int | None = None
        self.is_closed = False

    async def start(self) -> Self:
        self.connection.initiate_connection()
        await self.flush()
        return self

    def request(
        self, method: str = "GET", path: str = "/", *fields: tuple[str, str], is_whole: bool = True
    ) -> int:
        """Begin a request; it leaves with the next flush."""
        stream = self.connection.get_next_available_stream_id()
        pseudo = [
            (":method", method),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
        ]
        self.connection.send_headers(stream, [*pseudo, *fields], end_stream=is_whole)
        return stream

    async def flush(self) -> None:
        self.writer.write(self.connection.data_to_send())
        with suppress(ConnectionError):
            await self.writer.drain()

    async def until(self, condition: Callable[[], object]) -> None:
        """Read until the condition holds; fails when the connection ends before."""
        await self.flush()
        while not condition():
            assert not self.is_closed, (self.headers, self.resets, self.goaway)
            await self._read()

    async def until_any(self) -> None:
        """Read once."""
        await self.flush()
        await self._read()

    async def until_closed(self) -> None:
        await self.flush()
        while not self.is_closed:
            await self._read()

    async def answer(self, stream: int) -> tuple[int, bytes]:
        """Wait for the whole answer of a request."""
        await self.until(lambda: stream in self.ended or stream in self.resets)
        assert stream not in self.resets, self.resets
        return int(self.headers[stream][":status"]), self.bodies.get(stream, b"")

    async def get(self, path: str = "/", *fields: tuple[str, str]) -> tuple[int, bytes]:
        return await self.answer(self.request("GET", path, *fields))

    async def _read(self) -> None:
        try:
            data = await self.reader.read(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.is_closed = True
            return
        for event in self.connection.receive_data(data):
            self._take(event)
        await self.flush()

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self.headers[event.stream_id] = dict(event.headers)
            case InformationalResponseReceived():
                self.continued.add(event.stream_id)
            case DataReceived():
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if self.reads_bodies:
                    length = event.flow_controlled_length
                    self.connection.acknowledge_received_data(length, event.stream_id)
            case StreamEnded():
                self.ended.add(event.stream_id)
            case StreamReset():
                self.resets[event.stream_id] = int(event.error_code)
            case ConnectionTerminated():
                self.goaway = int(event.error_code)
            case _:
                pass


def client_context(authorities: Path, *alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@asynccontextmanager
async def http2(url: str, context: ssl.SSLContext) -> AsyncIterator[Http2Client]:
    """An HTTP/2 connection to a server."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        yield await Http2Client(reader, writer).start()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
