"""One report to many subscribers, and what subscribers that stop reading cost everybody else.

The baseline of the first is a server that writes the same bytes to as many sockets and does nothing
else (`python -m benchmarks.fanout PORT_FILE`); of the second as many subscribers that read, by turns.
"""

import asyncio
import contextlib
import resource
import selectors
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import cast

import msgspec
import uvloop

from benchmarks import mix
from benchmarks.load import LoadFailed, request_bytes
from benchmarks.machine import Cores, memory_bytes, scheduled
from benchmarks.orders import await_reconciled, drive_mix
from benchmarks.servers import HOST, Running, bare, serve, system
from benchmarks.tables import Requirement, Section
from benchmarks.ws_wire import WebSocketWire

ACCOUNTS = 2  # that the system has; each tells every subscriber of itself first
STUCK = 20
GROWN_MAX = 128 << 20  # bytes of memory: the full rings of two accounts and what orders leave
SLOWER_MIN = 0.95  # of orders/s beside them by beside as many that read: the noise of rounds
_OTHER_FILES = 200  # besides the subscribers' sockets
_RECEIVE_BYTES = 4_096  # of such a subscriber's socket

Trigger = Callable[[], Awaitable[None]]
"""Causes what every subscriber is then told."""


class Told(msgspec.Struct):
    """Per order: µs from before its write until every subscriber had its last report.

    `cpu_us` is the server's processor time per delivery, `reports` how many an order has.
    """

    each_us: list[float]
    reports: int
    cpu_us: float


class FanOut(msgspec.Struct):
    """The system and the baseline, with as many subscribers."""

    subscribers: int
    ours: Told
    bare: Told


class Stuck(msgspec.Struct):
    """Orders/s of each round beside subscribers that read, and beside as many that do not."""

    reading: list[float] = []
    stuck: list[float] = []
    grown_bytes: int = 0

    @property
    def ratio(self) -> float:
        """Return the median over the rounds of orders/s beside those that do not by beside those that do."""
        return median(b / a for a, b in zip(self.reading, self.stuck, strict=True))


class _Count:
    """Resolves what `expect` returned once every subscriber has the order's last report."""

    def __init__(self, subscribers: int) -> None:
        self.reports = 0
        self._subscribers = subscribers
        self._finals = 0
        self._everywhere: asyncio.Future[None] | None = None

    def expect(self) -> "asyncio.Future[None]":
        """Begin to count for another order."""
        self._finals = 0
        self._everywhere = asyncio.get_running_loop().create_future()
        return self._everywhere

    def add(self, is_final: bool) -> None:
        """Count a report."""
        self.reports += 1
        self._finals += is_final
        if is_final and self._finals == self._subscribers and self._everywhere is not None:
            self._everywhere.set_result(None)


class _Subscriber(asyncio.Protocol):
    """Counts the reports that it is told of. `opened` resolves after what is told first."""

    def __init__(self, wire: WebSocketWire, count: _Count) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._wire = wire
        self._count = count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._wire.hello())

    def data_received(self, data: bytes) -> None:
        reports, answer = self._wire.hear(data)
        if answer:
            self.transport.write(answer)
        for heard in reports:
            self._count.add(heard.is_final)
        if self._wire.is_open and not self.opened.done():
            self.opened.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or LoadFailed("the server closed the connection"))


# ── many subscribers ─────────────────────────────────────────────────────────────────────────────


def measure_fan_out(folder: Path, cores: Cores, subscribers: int, orders: int) -> FanOut:
    """Measure `orders` orders, one at a time."""
    _allow_files(subscribers)
    with system(cores.server, folder / "data") as server:
        await_reconciled(server)
        ours = uvloop.run(_tell(server, subscribers, orders, _place))
    with bare(cores.server, folder, "benchmarks.fanout", str(ours.reports)) as server:
        told = uvloop.run(_tell(server, subscribers, orders, _poke))
    return FanOut(subscribers, ours, told)


async def _tell(
    server: Running,
    subscribers: int,
    orders: int,
    trigger_of: Callable[[Running, asyncio.StreamReader, asyncio.StreamWriter], Trigger],
) -> Told:
    count = _Count(subscribers)
    loop = asyncio.get_running_loop()
    clients: list[_Subscriber] = []
    for _ in range(subscribers):
        wire = WebSocketWire(server.address, ACCOUNTS)
        _, client = await loop.create_connection(
            partial(_Subscriber, wire, count), *server.address, family=socket.AF_INET
        )
        await client.opened
        clients.append(client)
    reader, writer = await asyncio.open_connection(*server.address)
    trigger = trigger_of(server, reader, writer)
    before = scheduled(server.process_id)
    each_us: list[float] = []
    for _ in range(orders):
        everywhere = count.expect()
        before_ns = time.perf_counter_ns()
        await trigger()
        await everywhere
        each_us.append((time.perf_counter_ns() - before_ns) / 1e3)
    cpu_us = scheduled(server.process_id).since(before).ran_ns / 1e3
    writer.close()
    for client in clients:
        client.transport.close()
    reports, rest = divmod(count.reports, subscribers * orders)
    if rest or not reports:
        raise LoadFailed(f"{count.reports} reports of {orders} orders to {subscribers} subscribers")
    return Told(each_us, reports, cpu_us / count.reports)


def _place(server: Running, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Trigger:
    async def place() -> None:
        writer.write(request_bytes(server.address, mix.harmless_order()))
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.index(b"content-length: ") + 16
        await reader.readexactly(int(head[at : head.index(b"\r", at)]))

    return place


def _poke(_server: Running, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Trigger:
    async def poke() -> None:
        writer.write(_POKE)

    return poke


# ── subscribers that do not read ─────────────────────────────────────────────────────────────────


def measure_stuck(folder: Path, cores: Cores, connections: int, count: int, rounds: int) -> Stuck:
    """Measure orders by REST, by turns beside `STUCK` subscribers that read and as many that do not."""
    found = Stuck()
    with system(cores.server, folder / "data") as server:
        await_reconciled(server)
        drive_mix(server, connections, count)
        before = memory_bytes(server.process_id)
        for _ in range(rounds):
            with _subscribers(server, are_reading=True):
                found.reading.append(drive_mix(server, connections, count).per_second)
            with _subscribers(server, are_reading=False):
                found.stuck.append(drive_mix(server, connections, count).per_second)
                grown = memory_bytes(server.process_id) - before
                found.grown_bytes = max(found.grown_bytes, grown)
    return found


@contextlib.contextmanager
def _subscribers(server: Running, *, are_reading: bool) -> Iterator[None]:
    """Have `STUCK` subscribers for the length of the block."""
    clients = [_subscribed(server) for _ in range(STUCK)]
    reader = threading.Thread(target=_read_all, args=(clients,), name="reading-subscribers")
    if are_reading:
        reader.start()
    try:
        yield
    finally:
        for client in clients:
            with contextlib.suppress(OSError):  # the server has dropped it
                client.shutdown(socket.SHUT_RDWR)
        if are_reading:
            reader.join()
        for client in clients:
            client.close()


def _read_all(clients: list[socket.socket]) -> None:
    """Read whatever comes until every connection has ended."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                client = cast(socket.socket, key.fileobj)
                with contextlib.suppress(OSError):  # the server may reset it at the end
                    if client.recv(1 << 16):
                        continue
                selector.unregister(client)


def _subscribed(server: Running) -> socket.socket:
    """Return a subscriber's socket, upgraded, from which nothing more has been read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    client.connect(server.address)
    client.sendall(WebSocketWire(server.address, ACCOUNTS).hello())
    if not client.recv(12).startswith(b"HTTP/1.1 101"):
        raise LoadFailed("the upgrade was refused")
    return client


def _allow_files(subscribers: int) -> None:
    """Let this process, and the servers that it starts, have that many connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = subscribers + _OTHER_FILES
    if most != resource.RLIM_INFINITY and most < wanted:
        raise OSError(f"{wanted} open files are needed and {most} allowed: raise `ulimit -n`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


# ── what is shown ────────────────────────────────────────────────────────────────────────────────


def fan_out_section(found: FanOut) -> Section:
    """Return the part of the table about many subscribers."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, float] = {}
    for name, told in (("WebSocket", found.ours), ("bare writes", found.bare)):
        middle, worst = median(told.each_us), max(told.each_us)
        key = name.partition(" ")[0].lower()
        figures[f"fan_out_{key}_us"] = middle
        figures[f"fan_out_{key}_cpu_us"] = told.cpu_us
        rows.append((name, f"{middle:,.0f}", f"{worst:,.0f}", f"{told.cpu_us:.1f}"))
    ratio = median(found.ours.each_us) / median(found.bare.each_us)
    figures["fan_out_ratio"] = ratio
    reports = found.ours.reports
    note = f"{reports} reports an order; {ratio:.2f} times what the bare writes take"
    title = f"an order's reports to {found.subscribers:,} subscribers"
    columns = ("", "µs to the last, median", "µs, worst", "CPU µs per delivery")
    return Section(title, columns, rows, [note], [], figures)


def stuck_section(found: Stuck) -> Section:
    """Return the part of the table about subscribers that do not read."""
    grown = found.grown_bytes / (1 << 20)
    rounds = ", ".join(
        f"{b:,.0f} against {a:,.0f}" for a, b in zip(found.reading, found.stuck, strict=True)
    )
    required = [
        Requirement(
            f"{STUCK} subscribers that do not read: orders/s ≥ {SLOWER_MIN} of beside as many that do",
            f"{found.ratio:.3f}",
            found.ratio >= SLOWER_MIN,
        ),
        Requirement(
            f"… and the server's memory grows by ≤ {GROWN_MAX >> 20} MB",
            f"{grown:.1f}",
            found.grown_bytes <= GROWN_MAX,
        ),
    ]
    figures = {"stuck_ratio": found.ratio, "stuck_grown_mb": grown}
    note = f"orders/s by REST: {rounds}; memory grew by {grown:.1f} MB at most"
    return Section("subscribers that do not read", (), [], [note], required, figures)


# ── the baseline ─────────────────────────────────────────────────────────────────────────────────

_POKE = b"poke\n"
_REPORT = b'{"type":"ORDER_EXEC_REPORT_UPDATE","id":"%s","status":"%s","pad":"%s"}'
_REPORT_BYTES = 900  # about what a report has


def _frame(text: bytes) -> bytes:
    """Return a text frame of 126 bytes or more."""
    return b"\x81\x7e" + len(text).to_bytes(2) + text


class _Bare(asyncio.Protocol):
    """Upgrades, says what the load waits for, and on a poke writes `reports` to everybody."""

    def __init__(self, everybody: set[asyncio.Transport], reports: list[bytes]) -> None:
        self._everybody = everybody
        self._reports = reports
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data == _POKE:
            for report in self._reports:
                for each in self._everybody:
                    each.write(report)
        else:
            last = _frame(b'{"type":"POSITION_SNAPSHOT"}'.ljust(126))
            self._transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + ACCOUNTS * last)
            self._everybody.add(self._transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._everybody.discard(self._transport)


async def _serve_bare(reports: int, port_file: Path) -> None:
    def report(status: bytes) -> bytes:
        pad = b"." * (_REPORT_BYTES - len(_REPORT))
        return _frame(_REPORT % (mix.ID, status, pad))

    everybody: set[asyncio.Transport] = set()
    frames = [*([report(b"ROUTING")] * (reports - 1)), report(b"CANCELED")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Bare(everybody, frames), HOST, 0, backlog=2_048)
    await serve(server, port_file)


if __name__ == "__main__":
    uvloop.run(_serve_bare(int(sys.argv[1]), Path(sys.argv[2])))
