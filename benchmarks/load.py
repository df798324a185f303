"""The load: keep-alive connections that each send the next request when the last was answered.

Requests are bytes made beforehand but for their ids; of an answer it reads the status line, the length
and whether the order was rejected. That is little, so that one core can load another to the full.
Any answer but 200 ends the run.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import msgspec

NextRequest = Callable[[], bytes | None]
"""Returns the next request of a connection, None when it has no more to send."""


class Latencies(msgspec.Struct):
    """How long each request took, and all of them together, in nanoseconds.

    `load_cpu_ns`: what of it this process computed. Close to `total_ns`, it measured itself.
    """

    each_ns: list[int]
    total_ns: int
    body_bytes: int
    load_cpu_ns: int

    @property
    def count(self) -> int:
        """Return the number of requests."""
        return len(self.each_ns)

    @property
    def per_second(self) -> float:
        """Return requests per second, over all connections."""
        return self.count / (self.total_ns / 1e9)

    @property
    def body_mean(self) -> int:
        """Return the mean size of an answer's body."""
        return round(self.body_bytes / self.count)

    def quantile_us(self, share: float) -> float:
        """Return the latency in µs that `share` of the requests stayed within."""
        ordered = sorted(self.each_ns)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e3


class LoadFailed(Exception):
    """The server answered something that must not be."""


class _Client(asyncio.Protocol):
    """One connection. `done` resolves when it has no more to send."""

    def __init__(self, next_request: NextRequest, done: "asyncio.Future[None]") -> None:
        self.each_ns: list[int] = []
        self.body_bytes = 0
        self._next_request = next_request
        self._done = done
        self._rest = b""
        self._sent_ns = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def start(self) -> None:
        """Send the first request."""
        request = self._next_request()
        if request is None:
            self._finish()
            return
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self._rest = data
            return
        at = data.find(b"content-length: ") + 16
        size = int(data[at : data.find(b"\r", at)])
        if len(data) < head_end + 4 + size:
            self._rest = data
            return
        self.each_ns.append(time.perf_counter_ns() - self._sent_ns)
        self.body_bytes += size
        self._rest = b""
        if not data.startswith(b"HTTP/1.1 200") or b'"status":"REJECTED"' in data:
            self._fail(LoadFailed(data.decode("utf-8", "replace")))
            return
        self.start()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or LoadFailed("the server closed the connection"))

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)
        self._transport.close()


async def drive(address: tuple[str, int], requests: list[NextRequest]) -> Latencies:
    """Open one connection per element of `requests` and run them all to their end."""
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []
    ends: list[asyncio.Future[None]] = []
    for next_request in requests:
        end: asyncio.Future[None] = loop.create_future()
        _, client = await loop.create_connection(
            partial(_Client, next_request, end), *address, family=socket.AF_INET
        )
        clients.append(client)
        ends.append(end)
    before = time.perf_counter_ns()
    cpu_before = time.process_time_ns()
    for client in clients:
        client.start()
    await asyncio.gather(*ends)
    total_ns = time.perf_counter_ns() - before
    load_cpu_ns = time.process_time_ns() - cpu_before
    each = [latency for client in clients for latency in client.each_ns]
    body_bytes = sum(client.body_bytes for client in clients)
    return Latencies(each, total_ns, body_bytes, load_cpu_ns)


def request_bytes(address: tuple[str, int], body: bytes, headers: bytes = b"") -> bytes:
    """Return a whole POST /v1/orders. `headers`: further ones, each with its line end."""
    host = f"{address[0]}:{address[1]}".encode()
    return (
        b"POST /v1/orders HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n%s\r\n%s" % (host, len(body), headers, body)
    )


def random_ids() -> Iterator[bytes]:
    """Yield random version 4 UUIDs as text, without end."""
    while True:
        digits = os.urandom(16 * 1_024).hex()
        for at in range(0, len(digits), 32):
            d = digits[at : at + 32]
            variant = "89ab"[int(d[16], 16) & 3]
            yield f"{d[:8]}-{d[8:12]}-4{d[13:16]}-{variant}{d[17:20]}-{d[20:]}".encode()
