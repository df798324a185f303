"""The FIX codec and session alone, against a minimal acceptor on QuickFIX's Python binding.

Both answer each order with one report over loopback, keep nothing on disk and know nothing of orders.
`python -m benchmarks.fix_alone PORT_FILE` is ours. The load's messages are made beforehand and its answers
only counted, or it would measure itself.
"""

import asyncio
import importlib.util
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import cast

import msgspec
import uvloop

from benchmarks.fix_wire import TARGET, FixWire
from benchmarks.load import LoadFailed, random_ids
from benchmarks.machine import Cores
from benchmarks.mix import cycle
from benchmarks.servers import HOST, Running, bare, serve
from benchmarks.tables import Requirement, Section
from fairlead.fix.happened import Happened, LogonAsked, Received
from fairlead.fix.message import Message
from fairlead.fix.session import Session
from fairlead.fix.settings import Record, SessionSettings

RATIO_MIN = 3.0  # of our orders/s by QuickFIX's
IN_FLIGHT = 64
_REPORT = b"\x0135=8\x01"
_LOGON = b"\x0135=A\x01"


class Alone(msgspec.Struct):
    """Orders/s of each round, of ours and of QuickFIX (empty where it is not installed)."""

    ours: list[float] = []
    quickfix: list[float] = []
    load_busy: float = 0.0


def measure_alone(folder: Path, cores: Cores, count: int, rounds: int) -> Alone:
    """Measure by turns, `count` orders a round."""
    found = Alone()
    has_quickfix = importlib.util.find_spec("quickfix") is not None
    for _ in range(rounds):
        with bare(cores.server, folder, "benchmarks.fix_alone") as server:
            per_second, busy = _drive(server, count)
            found.ours.append(per_second)
            found.load_busy = max(found.load_busy, busy)
        if has_quickfix:
            with bare(cores.server, folder, "benchmarks.fix_quickfix") as server:
                found.quickfix.append(_drive(server, count)[0])
    return found


def _drive(server: Running, count: int) -> tuple[float, float]:
    """Return orders/s and the share of the time in which the load computed."""
    wire = FixWire()
    hello, ids, planned = wire.hello(), random_ids(), cycle()
    orders = [wire.order(planned[at % len(planned)], next(ids)) for at in range(count)]
    return uvloop.run(_pipeline(server.address, hello, orders))


class _Client(asyncio.Protocol):
    """Keeps `IN_FLIGHT` orders unanswered until all are sent."""

    def __init__(self, hello: bytes, orders: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self._hello = hello
        self._orders = orders
        self._sent = 0
        self._answered = 0
        self._tail = b""  # of what has come: a mark may lie across two reads
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._hello)

    def send(self, number: int) -> None:
        """Send the next orders."""
        self._transport.write(b"".join(self._orders[self._sent : self._sent + number]))
        self._sent += number

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            if _LOGON not in data:
                self.opened.set_exception(LoadFailed(repr(data)))
                return
            self.opened.set_result(None)
            return
        data = self._tail + data
        answers = data.count(_REPORT)
        self._tail = data[-(len(_REPORT) - 1) :]
        self._answered += answers
        if self._answered == len(self._orders):
            self.done.set_result(None)
        elif answers and self._sent < len(self._orders):
            self.send(answers)

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.opened, self.done):
            if not future.done():
                future.set_exception(error or LoadFailed("the server closed the connection"))
                future.exception()  # whichever is awaited raises it

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


async def _pipeline(
    address: tuple[str, int], hello: bytes, orders: Sequence[bytes]
) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: _Client(hello, orders), *address, family=socket.AF_INET
    )
    await client.opened
    before, cpu_before = time.perf_counter_ns(), time.process_time_ns()
    client.send(IN_FLIGHT)
    await client.done
    total_ns = time.perf_counter_ns() - before
    busy_ns = time.process_time_ns() - cpu_before
    client.close()
    return len(orders) / (total_ns / 1e9), busy_ns / total_ns


def section(found: Alone) -> Section:
    """Return the part of the table about the codec and session alone."""
    title = f"the FIX codec and session alone, {IN_FLIGHT} orders in flight"
    columns = ("", "orders/s", "of each round")
    sides = (("ours", found.ours), ("QuickFIX, Python binding", found.quickfix))
    rows: list[tuple[str, ...]] = [
        (name, f"{median(each):,.0f}", ", ".join(f"{one:,.0f}" for one in each))
        for name, each in sides
        if each
    ]
    figures = {"fix_alone_per_s": median(found.ours)}
    note = f"the load computed {found.load_busy:.0%} of the time at most"
    if not found.quickfix:
        return Section(title, columns, rows, [note, "QuickFIX is not installed"], [], figures)
    ratio = median(a / b for a, b in zip(found.ours, found.quickfix, strict=True))
    figures |= {"fix_quickfix_per_s": median(found.quickfix), "fix_alone_ratio": ratio}
    text = f"FIX codec and session: orders/s ≥ {RATIO_MIN:.0f} × QuickFIX's Python binding"
    required = [Requirement(text, f"{ratio:.2f}", ratio >= RATIO_MIN)]
    return Section(title, columns, rows, [note], required, figures)


# ── ours ─────────────────────────────────────────────────────────────────────────────────────────


class _Acceptor(asyncio.Protocol):
    """Answers each order with a report, as `benchmarks.fix_quickfix` does."""

    def __init__(self) -> None:
        self._session = Session(SessionSettings(comp_id=TARGET.decode()), time.time_ns())
        self._count = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        now_ns = time.time_ns()
        session = self._session
        happened = session.receive(data, now_ns)
        while happened:
            more: list[Happened] = []
            for what in happened:
                if type(what) is Received:
                    session.send("8", self._report(what.message), now_ns)
                    session.dealt(what)
                elif type(what) is LogonAsked:
                    more += session.accept(what.key, Record(), now_ns)
            happened = more
        batch = session.flush()
        if batch.data:
            self._transport.write(batch.data)
        if batch.is_last:
            self._transport.close()

    def _report(self, order: Message) -> bytes:
        value = order.values
        self._count += 1
        client_order_id, quantity, price = value[11], value[38], value[44]
        return (
            b"37=%b\x0117=%d\x01150=F\x0139=2\x0111=%b\x0148=%b\x0122=%b\x0155=%b\x0154=%b\x01"
            b"38=%b\x0144=%b\x0114=%b\x01151=0\x016=%b\x0160=%b\x01"
            % (
                *(client_order_id, self._count, client_order_id, value[48], value[22], value[55]),
                *(value[54], quantity, price, quantity, price, value[60]),
            )
        )


async def _serve(port_file: Path) -> None:
    server = await asyncio.get_running_loop().create_server(_Acceptor, HOST, 0)
    await serve(server, port_file)


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1])))
