"""Orders over WebSocket and FIX against the same orders by REST, in one run, by turns.

Over a stream the answer to an order is its reports: an order counts as done when its last one has come.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec
import uvloop

from benchmarks.fanout import ACCOUNTS
from benchmarks.fix_wire import FixWire
from benchmarks.machine import Cores, Scheduled, scheduled
from benchmarks.orders import ROUNDS, await_reconciled, drive_mix
from benchmarks.servers import Running, system
from benchmarks.stream_load import Streamed, Wire, drive_stream
from benchmarks.tables import Requirement, Section
from benchmarks.ws_wire import WebSocketWire

LATENCY_MAX = 1.2  # of WebSocket's median by REST's, one in flight
IN_FLIGHT = 32


class Side(msgspec.Struct):
    """A protocol with one number of orders in flight: orders/s and median µs of each round."""

    per_second: list[float] = []
    median_us: list[float] = []
    cpu_us: list[float] = []
    reports: list[float] = []  # per order
    load_busy: list[float] = []


class Streams(msgspec.Struct):
    """By number in flight, by protocol."""

    sides: dict[int, dict[str, Side]]

    def rate_ratio(self, in_flight: int, name: str) -> float:
        """Return the median over the rounds of orders/s by REST's."""
        ours, rest = self.sides[in_flight][name], self.sides[in_flight]["REST"]
        return median(a / b for a, b in zip(ours.per_second, rest.per_second, strict=True))

    def latency_ratio(self, in_flight: int, name: str) -> float:
        """Return the median over the rounds of the median latency by REST's."""
        ours, rest = self.sides[in_flight][name], self.sides[in_flight]["REST"]
        return median(a / b for a, b in zip(ours.median_us, rest.median_us, strict=True))


def measure_streams(
    folder: Path, cores: Cores, counts: dict[int, int], rounds: int = ROUNDS
) -> Streams:
    """Measure by turns; `counts`: orders in flight → orders in a round."""
    with system(cores.server, folder / "data") as server:
        await_reconciled(server)
        drive_mix(server, 32, 2_000)
        return Streams(
            {flying: _by_turns(server, flying, count, rounds) for flying, count in counts.items()}
        )


def _by_turns(server: Running, in_flight: int, count: int, rounds: int) -> dict[str, Side]:
    assert server.fix is not None
    streams: tuple[tuple[str, tuple[str, int], Callable[[], Wire]], ...] = (
        ("WebSocket", server.address, lambda: WebSocketWire(server.address, ACCOUNTS)),
        ("FIX", server.fix, FixWire),
    )
    sides = {name: Side() for name in ("REST", "WebSocket", "FIX")}
    for _ in range(rounds):
        before = scheduled(server.process_id)
        rest = drive_mix(server, in_flight, count)
        _add(sides["REST"], rest.per_second, rest.quantile_us(0.5), 1.0, rest.count, before, server)
        sides["REST"].load_busy.append(rest.load_cpu_ns / rest.total_ns)
        for name, address, wire in streams:
            before = scheduled(server.process_id)
            run: Streamed = uvloop.run(drive_stream(address, wire(), in_flight, count))
            per_order = run.reports / run.count
            middle = run.quantile_us(0.5)
            _add(sides[name], run.per_second, middle, per_order, run.count, before, server)
            sides[name].load_busy.append(run.load_cpu_ns / run.total_ns)
    return sides


def _add(
    side: Side,
    per_second: float,
    median_us: float,
    reports: float,
    count: int,
    before: Scheduled,
    server: Running,
) -> None:
    side.per_second.append(per_second)
    side.median_us.append(median_us)
    side.reports.append(reports)
    side.cpu_us.append(scheduled(server.process_id).since(before).ran_ns / 1e3 / count)


def section(found: Streams) -> Section:
    """Return the part of the table about orders over streams."""
    columns = ("", "in flight", "orders/s", "p50 µs", "CPU µs", "reports", "load busy")
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    required: list[Requirement] = []
    figures: dict[str, float] = {}
    for in_flight, sides in found.sides.items():
        for name, side in sides.items():
            key = f"stream_{name.lower()}_{in_flight}"
            figures[f"{key}_per_s"] = median(side.per_second)
            figures[f"{key}_p50_us"] = median(side.median_us)
            figures[f"{key}_cpu_us"] = median(side.cpu_us)
            rows.append(
                (
                    *(name, str(in_flight), f"{median(side.per_second):,.0f}"),
                    *(f"{median(side.median_us):,.0f}", f"{median(side.cpu_us):.0f}"),
                    *(f"{median(side.reports):.2f}", f"{median(side.load_busy):.0%}"),
                )
            )
        for name in ("WebSocket", "FIX"):
            rate, latency = found.rate_ratio(in_flight, name), found.latency_ratio(in_flight, name)
            figures[f"stream_{name.lower()}_{in_flight}_ratio"] = rate
            notes.append(
                f"{in_flight} in flight, {name} by REST: {rate:.2f} of orders/s, {latency:.2f} of the median"
            )
            required += _required(in_flight, name, rate, latency)
    return Section(
        "orders with all their reports, by REST, WebSocket and FIX",
        *(columns, rows, notes, required, figures),
    )


def _required(in_flight: int, name: str, rate: float, latency: float) -> list[Requirement]:
    if in_flight == 1:
        if name != "WebSocket":
            return []
        text = f"WebSocket, 1 in flight: median to ROUTED ≤ {LATENCY_MAX} × REST's"
        return [Requirement(text, f"{latency:.2f}", latency <= LATENCY_MAX)]
    text = f"{name}, {in_flight} in flight: orders/s with all reports ≥ REST's"
    return [Requirement(text, f"{rate:.2f}", rate >= 1)]
